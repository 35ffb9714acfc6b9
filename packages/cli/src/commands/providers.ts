import type { ModelProvider } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { printList } from '../show/records.ts'
import { ago } from '../show/values.ts'

export async function listProviders(invocation: Invocation): Promise<number> {
  const list = await (await invocation.client()).providers.list()
  if (invocation.isJson) invocation.printJson(list)
  else {
    const rows = list.items.map(({ name, secrets, baseUrl, awsRegion, problem, setBy, setAt }) => [
      name,
      secrets.join(', '),
      baseUrl ?? awsRegion ?? '–',
      problem ?? 'ready',
      setBy,
      ago(setAt),
    ])
    const columns = [{ name: 'provider', isWhole: true }, { name: 'secrets' }, { name: 'at' }, { name: 'state' }, { name: 'set by' }, { name: 'when' }]
    printList(invocation, columns, rows, [
      'No keys of your own: models are called with the server’s. Set one: npx longhaul providers set openai --secret openai-key',
    ])
  }
  return exitCodes.done
}

export type SetOptions = { secret: string[]; baseUrl?: string; region?: string }

export async function setProvider(invocation: Invocation, name: string, { secret, baseUrl, region }: SetOptions): Promise<number> {
  const client = await invocation.client()
  const place = { ...(baseUrl !== undefined && { baseUrl }), ...(region !== undefined && { awsRegion: region }) }
  return show(
    invocation,
    await client.providers.set({ name, secrets: secret, ...place }),
    `is called with ${secret.length === 1 ? 'a key' : 'keys'} of your own.`,
  )
}

export async function deleteProvider(invocation: Invocation, name: string): Promise<number> {
  return show(
    invocation,
    await (await invocation.client()).providers.delete({ name }),
    'is called with the server’s keys again, if it has any. The secrets are still there.',
  )
}

function show(invocation: Invocation, provider: ModelProvider, what: string): number {
  if (invocation.isJson) invocation.printJson(provider)
  else invocation.terminal.print(`  ${provider.name} ${what}`, ...(provider.problem === null ? [] : [`  Not yet: ${provider.problem}`]))
  return exitCodes.done
}
