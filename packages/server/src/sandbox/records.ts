import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { monotonicMs, sleep } from '../kernel/index.ts'
import { isAlive, killProcess, parseIdentity, type ProcessIdentity } from './processes.ts'
import { type Root, sandboxFolders } from './root.ts'

/** Which process a sandbox's folder belongs to: written when it starts, gone when it has ended, found by the start after a crash. */
const recordName = 'live.json'
const dieWithinMs = 2_000

export function recordProcess(folder: string, identity: ProcessIdentity): void {
  writeFileSync(join(folder, recordName), JSON.stringify(identity))
}

export function forgetProcess(folder: string): void {
  rmSync(join(folder, recordName), { force: true })
}

/** Ends the processes of an earlier server. Each is told from a later one of the same number by when it began. Returns the folders that had some. */
export async function killRecorded(root: Root): Promise<string[]> {
  const folders: string[] = []
  for (const folder of sandboxFolders(root)) {
    const record = join(folder, recordName)
    if (!existsSync(record)) continue // It was ended in order.
    folders.push(folder)
    const left = parseIdentity(readFileSync(record, 'utf8'))
    if (left && killProcess(left)) {
      const deadline = monotonicMs() + dieWithinMs
      while (isAlive(left) && monotonicMs() < deadline) await sleep(5)
    }
    forgetProcess(folder)
  }
  return folders
}
