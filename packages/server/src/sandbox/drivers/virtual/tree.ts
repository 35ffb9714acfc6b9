import { readFileSync, writeFileSync } from 'node:fs'
import { readFile, rename } from 'node:fs/promises'
import { z } from 'zod'
import { failure } from '../../failures.ts'
import { walkSeed, type SeedLimits } from '../../seed.ts'

/** A workspace as data. Paths are relative to it; parents come before what they hold. */
export type TreeEntry =
  | { type: 'directory'; path: string; mode: number }
  | { type: 'file'; path: string; mode: number; bytes: Uint8Array }
  | { type: 'link'; path: string; target: string }

const StoredTree = z.strictObject({
  version: z.literal(1),
  entries: z.array(
    z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('directory'), path: z.string(), mode: z.number().int() }),
      z.strictObject({ type: z.literal('file'), path: z.string(), mode: z.number().int(), base64: z.string() }),
      z.strictObject({ type: z.literal('link'), path: z.string(), target: z.string() }),
    ]),
  ),
})

/** Whole or not at all: a crash in the middle leaves the tree as it was. */
export async function saveTree(path: string, entries: readonly TreeEntry[]): Promise<void> {
  const stored: z.infer<typeof StoredTree> = {
    version: 1,
    entries: entries.map((entry) =>
      entry.type === 'file' ? { type: 'file', path: entry.path, mode: entry.mode, base64: Buffer.from(entry.bytes).toString('base64') } : entry,
    ),
  }
  // Written at once, so that no second save of the same tree can come between.
  writeFileSync(`${path}.new`, JSON.stringify(stored), { mode: 0o600 })
  await rename(`${path}.new`, path)
}

export function loadTree(path: string): TreeEntry[] {
  return parseTree(path).entries.map((entry) =>
    entry.type === 'file' ? { type: 'file', path: entry.path, mode: entry.mode, bytes: Buffer.from(entry.base64, 'base64') } : entry,
  )
}

function parseTree(path: string): z.infer<typeof StoredTree> {
  try {
    return StoredTree.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    throw failure('sandbox_unavailable', `The workspace in ${path} cannot be read. Restore the file, or delete it to start with an empty workspace.`, error)
  }
}

/** What a new workspace starts with, and what of the seed was left out. */
export async function seedTree(folder: string, limits: SeedLimits): Promise<{ entries: TreeEntry[]; skipped: string[] }> {
  const entries: TreeEntry[] = []
  const skipped: string[] = []
  for await (const entry of walkSeed(folder, limits)) {
    if (entry.type === 'directory') entries.push({ type: 'directory', path: entry.path, mode: 0o755 })
    else if (entry.type === 'file') entries.push({ type: 'file', path: entry.path, mode: entry.mode, bytes: await readFile(entry.source) })
    else if (entry.type === 'link') entries.push(entry)
    else skipped.push(entry.path)
  }
  return { entries, skipped }
}

export function sizeOf(entries: readonly TreeEntry[]): { bytes: number; files: number } {
  return { bytes: entries.reduce((sum, entry) => sum + (entry.type === 'file' ? entry.bytes.length : 0), 0), files: entries.length }
}
