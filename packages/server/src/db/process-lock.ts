/** One process at a time for a folder. The kernel drops the lock with the process, however it dies, also across containers that share the folder. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { AppError } from '../kernel/index.ts'

const sqliteBusy = 5

/** Node cannot lock files, but its SQLite can: an exclusive transaction is a POSIX lock. Its file holds nothing. */
export function lockFolder(folder: string): { release(): void } {
  const pidFile = join(folder, 'lock.pid')
  const lock = open(folder)
  try {
    lock.exec('begin exclusive')
    writeFileSync(pidFile, `${process.pid}\n`)
  } catch (cause) {
    lock.close()
    if (!(cause instanceof Error && 'errcode' in cause && cause.errcode === sqliteBusy)) throw cannot(folder, cause)
    throw new AppError(
      'conflict',
      `${folder} is in use by another server (process ${readPid(pidFile)}). Stop that one, or give this one a folder of its own by LONGHAUL_DATA_DIR.`,
      cause,
    )
  }
  return { release: () => lock.close() }
}

function open(folder: string): DatabaseSync {
  try {
    return new DatabaseSync(join(folder, 'lock'))
  } catch (cause) {
    throw cannot(folder, cause)
  }
}

const cannot = (folder: string, cause: unknown) =>
  new AppError(
    'unavailable',
    `${folder} cannot be locked (${cause instanceof Error ? cause.message : cause}). All of it must belong to the user who starts the server, on a disk with room.`,
    cause,
  )

function readPid(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return 'unknown' // It locked a moment ago and has not written its number yet.
  }
}
