import type { FilePart } from '@longhaul/protocol'
import { keepTrying } from '@longhaul/sdk/client'
import type { Client } from '@longhaul/sdk/client'
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, extname, join, relative } from 'node:path'
import { Problem } from './problem.ts'
import type { SavedFile } from './show/answer.ts'

/** Saves the files of an answer under their own names, and a number where two are the same. Paths are relative to `from` when that is shorter. */
export async function saveFiles(
  client: Client,
  parts: FilePart[],
  folder: string,
  from: string,
  signal: AbortSignal,
): Promise<(SavedFile & { fileId: string })[]> {
  const taken = new Set<string>()
  const saved: (SavedFile & { fileId: string })[] = []
  for (const part of parts) {
    const bytes = await keepTrying(() => client.file(part.fileId, { signal }), { giveUpAfterMs: 60_000, signal })
    const path = join(folder, freeName(safeName(part.name), taken))
    try {
      await mkdir(folder, { recursive: true })
      await writeFile(path, bytes)
    } catch (error) {
      throw new Problem(
        'internal',
        `${path} cannot be written: ${(error as NodeJS.ErrnoException).code}.`,
        'The run is complete; its files are not saved here. Choose another folder with --out.',
      ) // The file system throws nothing else.
    }
    const short = relative(from, path)
    saved.push({ fileId: part.fileId, title: part.title ?? part.name, path: short.startsWith('..') ? path : `./${short}` })
  }
  return saved
}

/** A name that a run made up becomes a plain file name: no folders, no hidden file, nothing that a terminal or a shell would act on. */
export function safeName(name: string): string {
  const plain = basename(name.replaceAll('\\', '/'))
    .replace(/[\u0000-\u001f\u007f-\u009f<>:"|?*]/g, '')
    .replace(/^[.\s-]+/, '')
    .trim()
  return plain || 'file'
}

function freeName(name: string, taken: Set<string>): string {
  const end = extname(name)
  let free = name
  for (let n = 2; taken.has(free.toLowerCase()); n++) free = `${name.slice(0, name.length - end.length)}-${n}${end}`
  taken.add(free.toLowerCase())
  return free
}
