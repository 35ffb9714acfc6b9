import type { Preview, Source } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { printFields, printList } from '../show/records.ts'
import { ago } from '../show/values.ts'

export async function listPreviews(invocation: Invocation, agent: string, { limit, cursor }: { limit: number; cursor?: string }): Promise<number> {
  const page = await (await invocation.client()).previews.list({ agent, limit, ...(cursor !== undefined && { cursor }) })
  if (invocation.isJson) invocation.printJson(page)
  else {
    printList(
      invocation,
      [{ name: 'name', isWhole: true }, { name: 'version', isWhole: true }, { name: 'commit' }, { name: 'by' }, { name: 'moved' }, { name: 'until' }],
      page.items.map(({ name, version, source, madeBy, updatedAt, expiresAt }) => [
        name,
        version,
        source.commit?.slice(0, 9) ?? '',
        madeBy,
        ago(updatedAt),
        expiresAt.slice(0, 10),
      ]),
      ['No previews.', `npx longhaul deploy <folder> --preview <name>`],
    )
    if (page.next) invocation.terminal.print(`  more: npx longhaul previews list ${agent} --cursor ${page.next}`, '')
  }
  return exitCodes.done
}

export async function setPreview(
  invocation: Invocation,
  agent: string,
  name: string,
  version: string,
  { keepFor, ...source }: Source & { keepFor?: number | undefined },
): Promise<number> {
  const client = await invocation.client()
  const preview = await client.previews.set({ agent, name, version, source, ...(keepFor !== undefined && { keepForMs: keepFor }) })
  if (invocation.isJson) invocation.printJson(preview)
  else printFields(invocation, fieldsOf(preview))
  return exitCodes.done
}

export async function deletePreview(invocation: Invocation, agent: string, name: string): Promise<number> {
  const preview = await (await invocation.client()).previews.delete({ agent, name })
  if (invocation.isJson) invocation.printJson(preview)
  else invocation.terminal.print(`  The preview ${name} of ${agent} is gone. Its version ${preview.version} and its runs stay.`)
  return exitCodes.done
}

export const fieldsOf = ({ agent, name, version, expiresAt }: Preview): [string, string][] => [
  ['preview', `${name}, until ${expiresAt.slice(0, 10)}`],
  ['version', version],
  ['try', `npx longhaul ask ${agent} --preview ${name} "…"`],
]
