import { constants } from 'node:fs'
import { chmod, copyFile, lchown, lstat, mkdir, readdir, readlink, realpath, symlink } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { failure } from './failures.ts'

export type SeedOptions = { from: string; to: string; owner?: number | undefined; bytesMax: number; fileCountMax: number }

/**
 * Copies a folder into a new workspace before any process of the sandbox exists. Links are copied as links, and only
 * where they stay inside the folder; devices, sockets and pipes are left out. Returns what was left out.
 */
export async function copySeed({ from: folder, to, owner, bytesMax, fileCountMax }: SeedOptions): Promise<string[]> {
  const from = await realpath(folder).catch(() => folder) // Its owner may have linked to it; inside it links are not followed.
  const skipped: string[] = []
  let bytes = 0
  let count = 0
  const own = async (path: string) => {
    if (owner !== undefined) await lchown(path, owner, owner)
  }
  const copy = async (source: string, target: string): Promise<void> => {
    const info = await lstat(source)
    count++
    bytes += info.isFile() ? info.size : 0
    if (count > fileCountMax || bytes > bytesMax) {
      throw failure('over_limit', `The seed folder ${from} is larger than a workspace may be (${bytesMax} bytes, ${fileCountMax} files).`)
    }
    if (info.isDirectory()) {
      await mkdir(target, { recursive: true })
      for (const name of await readdir(source)) await copy(join(source, name), join(target, name))
    } else if (info.isFile()) {
      await copyFile(source, target, constants.COPYFILE_FICLONE)
      await chmod(target, 0o644 | (info.mode & 0o111))
    } else if (info.isSymbolicLink()) {
      const link = await readlink(source)
      if (!staysInside(from, source, link)) return void skipped.push(relative(from, source))
      await symlink(link, target)
    } else {
      return void skipped.push(relative(from, source))
    }
    await own(target)
  }
  const info = await lstat(from).catch(() => undefined)
  if (!info?.isDirectory()) throw failure('not_found', `The seed folder ${from} is not there, or is not a folder.`)
  await copy(from, to)
  return skipped
}

function staysInside(folder: string, path: string, link: string): boolean {
  if (link.startsWith('/')) return false
  const target = relative(folder, resolve(dirname(path), link))
  return target !== '..' && !target.startsWith('../')
}
