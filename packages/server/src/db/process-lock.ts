/** One process at a time for a folder. The kernel drops the lock with the process, however it dies, also across containers that share the folder. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { AppError } from '../kernel/index.ts'

/** Node cannot lock files, but its SQLite can: an exclusive transaction is a POSIX lock. Its file holds nothing. */
export function lockFolder(folder: string): { release(): void } {
  const pidFile = join(folder, 'lock.pid')
  const lock = new DatabaseSync(join(folder, 'lock'))
  try {
    lock.exec('begin exclusive')
  } catch (cause) {
    lock.close()
    throw new AppError('conflict', `${folder} is in use by another server (process ${readPid(pidFile)}). Stop that one, or give this one a folder of its own by LONGHAUL_DATA_DIR.`, cause)
  }
  writeFileSync(pidFile, `${process.pid}\n`)
  return { release: () => lock.close() }
}

function readPid(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return 'unknown' // It locked a moment ago and has not written its number yet.
  }
}
