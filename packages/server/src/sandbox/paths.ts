import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { failure } from './failures.ts'

/** Where the workspace is, seen from inside any sandbox. */
export const workspacePath = '/workspace'

/** `path` as an absolute path at or below the workspace. Links are not resolved: inside a sandbox they lead nowhere but inside. */
export function insideWorkspace(path: string): string {
  if (path.includes('\0')) throw failure('invalid', 'A path cannot hold U+0000.')
  const resolved = posix.resolve(workspacePath, path)
  if (resolved !== workspacePath && !resolved.startsWith(`${workspacePath}/`)) {
    throw failure('not_permitted', `${JSON.stringify(path)} is outside ${workspacePath}. Paths are relative to ${workspacePath}.`)
  }
  return resolved
}

/** Of folders that belong to no id yet. */
export const poolPrefix = 'pool-'

/** The name of a sandbox's folder: the id itself where that is a safe and short file name, a digest of it otherwise. */
export function folderName(id: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(id) && !id.startsWith('id-') && !id.startsWith(poolPrefix)) return id
  return `id-${createHash('sha256').update(id).digest('hex').slice(0, 40)}`
}
