import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { semanticFolder } from './entities.ts'
import { makeOnce } from './once.ts'

/** Where the warehouse of this version is, or will be. */
export const warehousePath = (dataDir: string): string => join(dataDir, 'warehouse', `${warehouseVersion()}.duckdb`)

/** Changes with everything that the warehouse is made from: the code here, and the entities. */
export function warehouseVersion(): string {
  return (version ??= digest([...files(import.meta.dirname, /^(?!testing\.)[a-z-]+\.ts$/), ...files(join(semanticFolder, 'entities'), /\.yaml$/)]))
}
let version: string | undefined

/** Makes the warehouse unless it is there. Safe to call from any number of processes at once. */
export async function ensureWarehouse(dataDir: string): Promise<{ path: string; made: boolean; ms: number }> {
  const started = performance.now()
  const path = warehousePath(dataDir)
  let made = false
  await makeOnce(path, async (unfinished) => {
    await buildInThread(unfinished)
    made = true
    removeOlder(dirname(path))
  })
  return { path, made, ms: Math.round(performance.now() - started) }
}

/** In a thread: it takes seconds of computing, during which the process must still answer, and memory that it gives back at its end. */
function buildInThread(path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const thread = new Worker(new URL('./build-thread.ts', import.meta.url), { workerData: { path } })
  thread.once('error', reject)
  thread.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`The thread that makes the warehouse ended with code ${code}.`))))
  return promise
}

/** What other versions left. Whoever has one of those files open keeps it. */
function removeOlder(folder: string): void {
  for (const name of readdirSync(folder)) if (!name.startsWith(warehouseVersion())) rmSync(join(folder, name), { force: true })
}

function files(folder: string, pattern: RegExp): string[] {
  return readdirSync(folder)
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(folder, name))
}

function digest(paths: readonly string[]): string {
  const hash = createHash('sha256')
  for (const path of paths) hash.update(readFileSync(path)).update('\0')
  return hash.digest('hex').slice(0, 16)
}
