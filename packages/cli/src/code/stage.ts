/** Code that is to be deployed, laid out in a folder of its own in which it can be loaded here: just what is sent, beside the packages that a worker has. */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { CodeFile } from '@longhaul/protocol'

export async function stage(files: readonly CodeFile[]): Promise<AsyncDisposable & { folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-stage-'))
  for (const { path, base64 } of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), Buffer.from(base64, 'base64'))
  }
  const modules = modulesWithSdk(import.meta.dirname)
  if (modules !== undefined) await symlink(modules, join(folder, 'node_modules'))
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

/** Where this program's own copy of the SDK lies. */
function modulesWithSdk(from: string): string | undefined {
  for (let at = from; at !== dirname(at); at = dirname(at)) {
    if (existsSync(join(at, 'node_modules/@longhaul/sdk'))) return join(at, 'node_modules')
  }
  return undefined
}
