/** What the engine's benchmarks run on: a PostgreSQL of their own, and an engine with real worker processes over the worker protocol. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Json } from '@longhaul/protocol'
import { workerEnvironment } from '../packages/server/src/config.ts'
import { type Db, engineRole, migrate, openDb, startEmbedded } from '../packages/server/src/db/index.ts'
import { type Engine, type EngineOptions, openEngine } from '../packages/server/src/engine/index.ts'
import { silentLog } from '../packages/server/src/kernel/index.ts'
import { type Workers, openWorkers } from '../packages/server/src/workers/index.ts'

export const tenantId = 'default'
export const asker = { id: 'bench', name: 'bench', access: { personalData: true } }

export type Bed = {
  db: Db
  engine: Engine
  workers: Workers
  /** Called when this node has nothing to do with the run any more: it has ended, or waits. */
  ended: Map<string, () => void>
  start(agent: string, input: Json): Promise<string>
  /** Starts a run of an agent of `bench/agents` and waits until it is over here. */
  run(agent: string, input: Json): Promise<string>
}

export type Place = { url: string; dataDir: string; db: Db; /** Owns the tables. */ owner: Db }

export async function withDatabase(work: (place: Place) => Promise<void>): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'longhaul-bench-'))
  const postgres = await startEmbedded({ dataDir, log: silentLog })
  const owner = openDb({ url: postgres.url, poolMax: 1, log: silentLog })
  const db = openDb({ url: postgres.url, role: engineRole, log: silentLog })
  try {
    await migrate(owner, { log: silentLog })
    await work({ url: postgres.url, dataDir, db, owner })
  } finally {
    await db.stop()
    await owner.stop()
    await postgres.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

export async function open(db: Db, dataDir: string, options: Partial<EngineOptions> = {}): Promise<Bed> {
  const ended = new Map<string, () => void>()
  const workers = openWorkers({
    log: silentLog,
    folder: join(dataDir, 'workers'),
    scaling: { workersMin: 1, workersMax: 1, runsMax: 10_000, memoryBytesMax: 4e9, idleMsMax: 60_000 },
    env: workerEnvironment(),
    command: [
      process.execPath,
      '--conditions=longhaul-source',
      createRequire(join(import.meta.dirname, '../packages/server/src/server.ts')).resolve('@longhaul/sdk/worker'),
    ],
    findVersion: async (_, agent) => ({ tenantId, agent, version: 'bench', folder: join(import.meta.dirname, 'agents', agent), dataDir }),
    linkPackages: async () => {},
    onLoaded: () => {},
  })
  const engine = openEngine({
    db,
    log: silentLog,
    leaseMs: 10_000,
    executors: {},
    toMessages: () => [],
    findVersion: async () => ({ version: 'v1' }),
    execute: workers.execute,
    onReleased(runId) {
      void workers.release(runId)
      ended.get(runId)?.()
      ended.delete(runId)
    },
    ...options,
  })
  await workers.start()
  await engine.start()
  const start = async (agent: string, input: Json) => (await engine.startRun({ tenantId, agent, version: 'bench', input, asker })).id
  return {
    db,
    engine,
    workers,
    ended,
    start,
    async run(agent, input) {
      const id = await start(agent, input)
      await new Promise<void>((resolve) => ended.set(id, resolve))
      return id
    },
  }
}

export async function close({ engine, workers }: Bed): Promise<void> {
  await engine.stop()
  await workers.stop()
}

export function quantile(values: number[], at: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? NaN
}
