/** Puts the files of a conversation into its sandbox, where commands and tools find them. */
import { attachmentPath } from '@longhaul/protocol'
import type { StepContext } from '../../engine/index.ts'
import type { Sandbox } from '../../sandbox/index.ts'
import type { Attachments } from './attachments.ts'

export type PlaceFiles = (context: Pick<StepContext, 'run'>, sandbox: Sandbox) => Promise<void>

const knownMax = 10_000

/** Each file once in each run: what its code does with it afterwards is its own business. A file that is there already, of the run before, is left as it is. */
export function openPlacing(attachments: Pick<Attachments, 'usable' | 'read'>): PlaceFiles {
  const placed = new Set<string>()
  return async ({ run }, sandbox) => {
    const files = (await attachments.usable(run)).filter(({ id }) => !placed.has(`${run.id} ${id}`))
    if (files.length === 0) return
    const there = await namesIn(sandbox)
    for (const file of files) {
      const content = there.get(file.name) === file.bytes ? undefined : await attachments.read(run.tenantId, file)
      if (content) await sandbox.files({ action: 'write', files: [{ path: attachmentPath(file), base64: content.toString('base64') }] })
      if (placed.size >= knownMax) placed.clear()
      placed.add(`${run.id} ${file.id}`)
    }
  }
}

async function namesIn(sandbox: Sandbox): Promise<Map<string, number>> {
  const root = await sandbox.files({ action: 'list', path: '.' })
  if (root.action !== 'list' || !root.entries.some(({ name }) => name === 'attachments')) return new Map()
  const listed = await sandbox.files({ action: 'list', path: 'attachments' })
  return new Map(listed.action === 'list' ? listed.entries.flatMap(({ name, type, bytes }) => (type === 'file' ? [[name, bytes] as const] : [])) : [])
}
