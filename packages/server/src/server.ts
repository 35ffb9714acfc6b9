/** The composition root: database, then what works on it (`parts/`), then the ways in. These files alone know all parts. */
import { resolve } from 'node:path'
import type { Config } from './config.ts'
import { engineRole, openDb, prepareDatabase, startEmbedded } from './db/index.ts'
import { firstKey } from './identity/index.ts'
import type { Log } from './kernel/index.ts'
import { startAccess } from './parts/access.ts'
import { startApi } from './parts/api.ts'
import { startModels } from './parts/models.ts'
import { startRuns } from './parts/runs.ts'
import { startSandboxes } from './parts/sandboxes.ts'
import { type Start, openStart } from './parts/start.ts'
import type { Capabilities } from './sandbox/index.ts'

const version = '0.1.0'

export type Server = {
  url: string
  /** Where it answers gRPC, if it does. */
  grpcUrl: string | undefined
  credentials: { file: string; key: string; isNew: boolean }
  /** What the start was spent on. */
  phases: { phase: string; ms: number }[]
  sandbox: Capabilities
  model: { name: string; isOffline: boolean }
  agentNames: string[]
  /** Returns when no process of it is left. */
  stop(): Promise<void>
}

/** Starts everything, or nothing: when a part fails, those before it are stopped again. */
export async function openServer(config: Config, log: Log): Promise<Server> {
  const start = openStart(config, log, resolve(config.LONGHAUL_DATA_DIR))
  try {
    return { ...(await startParts(start)), stop: start.stop }
  } catch (error) {
    await start.stop()
    throw error
  }
}

async function startParts(start: Start): Promise<Omit<Server, 'stop'>> {
  const { db, database } = await startDatabase(start)
  const access = await startAccess(start, db)
  const sandboxing = await startSandboxes(start, db, access)
  const modelling = await startModels(start, db, access)
  const running = await startRuns(start, db, version, access, sandboxing, modelling)
  const { url, grpcUrl } = await startApi(start, db, { version, database }, access, sandboxing, modelling, running)
  return {
    url,
    grpcUrl,
    credentials: await start.timed('key', () => firstKey({ keys: access.keys, dataDir: start.dataDir, url })),
    phases: start.phases,
    sandbox: sandboxing.sandboxes.capabilities,
    model: { name: modelling.gateway.defaultModel, isOffline: modelling.gateway.isOffline },
    agentNames: running.agentNames,
  }
}

/** No statement of a running server takes that long; one whose answer got lost on its way would hold its connection for ever. */
const answerTimeoutMs = 30_000

async function startDatabase({ config, log, dataDir, timed, started }: Start) {
  const embedded = config.LONGHAUL_DATABASE_URL === undefined ? await timed('postgres', () => startEmbedded({ dataDir, log })) : undefined
  if (embedded) await started('PostgreSQL', embedded)
  const url = config.LONGHAUL_DATABASE_URL ?? embedded?.url ?? ''
  const { version: databaseVersion } = await timed('database', () => prepareDatabase(url, { log, adopted: config.LONGHAUL_DATABASE_ADOPT }))
  const db = openDb({ url, poolMax: config.LONGHAUL_DATABASE_CONNECTIONS, role: engineRole, log, answerTimeoutMs })
  await started('database connections', db)
  return { db, database: { kind: embedded ? ('embedded' as const) : ('external' as const), version: databaseVersion } }
}
