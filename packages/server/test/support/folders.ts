import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export type Folder = AsyncDisposable & { folder: string; write(path: string, content: string): Promise<void> }

/** A temporary folder with these files, gone at the end of its scope. */
export async function makeFolder(files: Record<string, string> = {}): Promise<Folder> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-agents-'))
  const write = async (path: string, content: string) => {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  for (const [path, content] of Object.entries(files)) await write(path, content)
  return { folder, write, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}
