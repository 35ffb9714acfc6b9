import { constants } from 'node:fs'
import { chmod, copyFile, lchown, lstat, mkdir, readdir, readlink, realpath, symlink } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { failure } from './failures.ts'

/** One thing in a seed folder. `path` is relative to the folder; the folder itself is not among them. */
export type SeedEntry =
  | { type: 'directory'; path: string }
  | { type: 'file'; path: string; source: string; mode: number }
  | { type: 'link'; path: string; target: string }
  /** Leads out of the folder, or is neither file, folder nor link: left out. */
  | { type: 'skipped'; path: string }

export type SeedLimits = { diskBytesMax: number; fileCountMax: number }

/** Walks a seed folder, parents first. Links are never followed; those that lead out of the folder are reported as skipped. */
export async function* walkSeed(folder: string, limits: SeedLimits): AsyncGenerator<SeedEntry> {
  const root = await realpath(folder).catch(() => folder) // Its owner may have linked to it.
  const info = await lstat(root).catch(() => undefined)
  if (!info?.isDirectory()) throw failure('not_found', `The seed folder ${folder} is not there, or is not a folder.`)
  const left = { bytes: limits.diskBytesMax, files: limits.fileCountMax }
  yield* walk(root, root, left, folder)
}

async function* walk(root: string, folder: string, left: { bytes: number; files: number }, name: string): AsyncGenerator<SeedEntry> {
  for (const entry of (await readdir(folder)).toSorted()) {
    const source = join(folder, entry)
    const path = relative(root, source)
    const info = await lstat(source)
    left.files--
    left.bytes -= info.isFile() ? info.size : 0
    if (left.files < 0 || left.bytes < 0) throw failure('over_limit', `The seed folder ${name} is larger than a workspace may be.`)
    if (info.isDirectory()) {
      yield { type: 'directory', path }
      yield* walk(root, source, left, name)
    } else if (info.isFile()) {
      yield { type: 'file', path, source, mode: 0o644 | (info.mode & 0o111) }
    } else if (info.isSymbolicLink()) {
      const target = await readlink(source)
      yield staysInside(root, source, target) ? { type: 'link', path, target } : { type: 'skipped', path }
    } else {
      yield { type: 'skipped', path }
    }
  }
}

/** Copies a seed into a new workspace before any process of the sandbox exists. Returns what was left out. */
export async function copySeed(from: string, to: string, owner: number | undefined, limits: SeedLimits): Promise<string[]> {
  const skipped: string[] = []
  for await (const entry of walkSeed(from, limits)) {
    const path = join(to, entry.path)
    if (entry.type === 'directory') await mkdir(path)
    else if (entry.type === 'link') await symlink(entry.target, path)
    else if (entry.type === 'file') {
      await copyFile(entry.source, path, constants.COPYFILE_FICLONE)
      await chmod(path, entry.mode)
    } else {
      skipped.push(entry.path)
      continue
    }
    if (owner !== undefined) await lchown(path, owner, owner)
  }
  return skipped
}

function staysInside(root: string, path: string, target: string): boolean {
  if (target.startsWith('/')) return false
  const reached = relative(root, resolve(dirname(path), target))
  return reached !== '..' && !reached.startsWith('../')
}
