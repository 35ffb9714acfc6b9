import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, newId, wallClock } from '../kernel/index.ts'
import { folderName } from './paths.ts'
import { identityOf, isAlive, parseIdentity } from './processes.ts'
import { removeTree } from './remove-tree.ts'

/** The folder that holds every sandbox of one server. One server at a time owns it. */
export type Root = {
  readonly path: string
  /** Short and stable for this path: names what must be found again outside the folder (control groups, mount points). */
  readonly tag: string
  /** Names this very folder as no other on any machine: made with it, moved and copied with it. */
  readonly home: string
  folderOf(id: string): string
  /** Remembers that the workspace was used now, so that it is not taken for an orphan. */
  touch(folder: string): Promise<void>
  release(): void
}

const lockName = '.lock'
const homeName = '.home'
const usedName = 'used'

export function claimRoot(path: string): Root {
  try {
    mkdirSync(path, { recursive: true })
  } catch (cause) {
    throw new AppError(
      'unavailable',
      `${path} cannot be made: ${cause instanceof Error ? cause.message : cause}. Set LONGHAUL_DATA_DIR to a folder that can be written.`,
      cause,
    )
  }
  const real = realpathSync(path)
  // Where sandboxes run as users of their own, those pass through to their own folder and list nothing on the way.
  chmodSync(real, process.getuid?.() === 0 ? 0o711 : 0o700)
  claimLock(join(real, lockName), real)
  return {
    path: real,
    home: homeOf(real),
    tag: createHash('sha256').update(real).digest('hex').slice(0, 10),
    folderOf: (id) => join(real, folderName(id)),
    async touch(folder) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const now = wallClock()
      const file = join(folder, usedName)
      await utimes(file, now, now).catch(() => writeFile(file, '')) // The first use makes it.
    },
    release: () => rmSync(join(real, lockName), { force: true }),
  }
}

/** Deletes workspaces that nobody used for `ageMsMax`. Returns how many. */
export async function removeOrphans(root: Root, ageMsMax: number): Promise<number> {
  const before = wallClock().getTime() - ageMsMax
  let count = 0
  for (const folder of sandboxFolders(root)) {
    const used = join(folder, usedName)
    const at = statSync(existsSync(used) ? used : folder).mtimeMs
    if (at >= before) continue
    await removeTree(folder)
    count++
  }
  return count
}

export function sandboxFolders(root: Root): string[] {
  return readdirSync(root.path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => join(root.path, entry.name))
}

function homeOf(root: string): string {
  const file = join(root, homeName)
  if (!existsSync(file)) writeFileSync(file, newId(), { mode: 0o644 }) // Whoever runs the server later must be able to read it.
  return readFileSync(file, 'utf8').trim()
}

function claimLock(lock: string, root: string): void {
  const us = identityOf(process.pid)
  for (let tries = 0; tries < 3; tries++) {
    try {
      const file = openSync(lock, 'wx', 0o600)
      writeSync(file, JSON.stringify(us))
      closeSync(file)
      return
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    }
    const holder = existsSync(lock) ? parseIdentity(readFileSync(lock, 'utf8')) : undefined
    if (holder && isAlive(holder)) {
      throw new AppError('conflict', `The sandboxes in ${root} belong to another server (process ${holder.pid}). Give each server a folder of its own.`)
    }
    rmSync(lock, { force: true }) // Its owner was killed.
  }
  throw new AppError('conflict', `Other servers are starting on ${root}. Give each server a folder of its own.`)
}
