/** The composition root: database → services → listener. The only file that knows all parts. */
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { makeExecutors, openAgents, openDeployments, openFiles, runServices, toMessages } from './agents/index.ts'
import { httpApi, implementAll, listen, mcpEndpoint } from './api/index.ts'
import { type Config, workerEnvironment } from './config.ts'
import { checkDatabase, migrate, openDb, startEmbedded } from './db/index.ts'
import { openEngine } from './engine/index.ts'
import { openGateway } from './gateway/index.ts'
import { offlinePlanner } from './gateway/offline/index.ts'
import { defaultTenantId, firstKey, openKeys } from './identity/index.ts'
import { type Log, monotonicMs } from './kernel/index.ts'
import { type Capabilities, openSandboxes } from './sandbox/index.ts'
import { openTools, parseHosts } from './tools/index.ts'
import { openWorkers } from './workers/index.ts'

const version = '0.1.0'
const root = resolve(import.meta.dirname, '../../..')

export type Server = {
  url: string
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
  /** In the order of their start. Stopped from the end. */
  const parts: { what: string; stop(): Promise<unknown> }[] = []
  const stop = async () => {
    for (const part of parts.splice(0).reverse()) {
      await part.stop().catch((error: unknown) => log.error('a part did not stop in order', { what: part.what, error }))
    }
  }
  try {
    return { ...(await startParts(config, log, (what, undo) => parts.push({ what, stop: undo }))), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startParts(config: Config, log: Log, onStop: (what: string, undo: () => Promise<unknown>) => void): Promise<Omit<Server, 'stop'>> {
  const phases: { phase: string; ms: number }[] = []
  const timed = async <Result>(phase: string, work: () => Result | Promise<Result>): Promise<Result> => {
    const from = monotonicMs()
    const result = await work()
    phases.push({ phase, ms: Math.round(monotonicMs() - from) })
    return result
  }
  phases.push({ phase: 'program', ms: Math.round(monotonicMs()) })

  const dataDir = resolve(config.LONGHAUL_DATA_DIR)
  const embedded = config.LONGHAUL_DATABASE_URL === undefined ? await timed('postgres', () => startEmbedded({ dataDir, log })) : undefined
  if (embedded) onStop('PostgreSQL', embedded.stop)
  const databaseUrl = config.LONGHAUL_DATABASE_URL ?? embedded?.url ?? ''
  const db = openDb({ url: databaseUrl, poolMax: config.LONGHAUL_DATABASE_CONNECTIONS, log })
  onStop('database connections', db.stop)
  const database = await timed('database', async () => {
    const checked = await checkDatabase(db, databaseUrl)
    for (const warning of checked.warnings) log.warn(warning)
    await migrate(db, { log })
    return checked
  })

  const keys = openKeys({ db, log })
  onStop('keys', keys.stop)
  const sandboxes = await timed('sandbox', () => openSandboxes({ driver: config.LONGHAUL_SANDBOX_DRIVER, root: join(dataDir, 'sandboxes'), log }))
  onStop('sandboxes', sandboxes.stop)
  const gateway = openGateway({
    keys: {
      ...(config.OPENAI_API_KEY !== undefined && { openai: config.OPENAI_API_KEY }),
      ...(config.ANTHROPIC_API_KEY !== undefined && { anthropic: config.ANTHROPIC_API_KEY }),
      ...(config.GOOGLE_GENERATIVE_AI_API_KEY !== undefined && { google: config.GOOGLE_GENERATIVE_AI_API_KEY }),
    },
    ...(config.LONGHAUL_OPENAI_COMPATIBLE_BASE_URL !== undefined &&
      config.LONGHAUL_OPENAI_COMPATIBLE_MODEL !== undefined && {
        compatible: {
          baseUrl: config.LONGHAUL_OPENAI_COMPATIBLE_BASE_URL,
          model: config.LONGHAUL_OPENAI_COMPATIBLE_MODEL,
          ...(config.LONGHAUL_OPENAI_COMPATIBLE_API_KEY !== undefined && { apiKey: config.LONGHAUL_OPENAI_COMPATIBLE_API_KEY }),
        },
      }),
    ...(config.LONGHAUL_MODEL !== undefined && { model: config.LONGHAUL_MODEL }),
    timeoutMs: config.LONGHAUL_MODEL_TIMEOUT_MS,
    offline: offlinePlanner(),
    log,
  })
  const files = openFiles({ db, folder: join(dataDir, 'blobs') })
  const agents = openAgents({ db, log, dataDir, agentsDir: resolve(config.LONGHAUL_AGENTS_DIR) })

  const tools = openTools({
    db,
    log,
    version,
    secretsFile: config.LONGHAUL_SECRETS_FILE,
    privateHosts: parseHosts(config.LONGHAUL_TOOLS_PRIVATE_HOSTS),
    ...(config.LONGHAUL_SEARCH_PROVIDER && {
      search: { provider: config.LONGHAUL_SEARCH_PROVIDER, apiKey: config.LONGHAUL_SEARCH_API_KEY, baseUrl: config.LONGHAUL_SEARCH_BASE_URL },
    }),
    manifestOf: agents.manifestOf,
    liveVersionOf: async (tenantId, agent) => (await agents.find(tenantId, agent))?.version,
    folderOf: agents.folderOf,
  })
  onStop('tools', tools.stop)

  const workers = openWorkers({
    log,
    command: [process.execPath, '--conditions=longhaul-source', '--enable-source-maps', createRequire(import.meta.url).resolve('@longhaul/sdk/worker')],
    env: workerEnvironment(),
    workersPerVersion: config.LONGHAUL_WORKERS_PER_VERSION,
    findVersion: agents.open,
    onLoaded: (place, loaded) =>
      void agents
        .recordLoaded(place, loaded)
        .catch((error: unknown) => log.warn('what a version says of itself was not recorded', { error, agent: place.agent })),
  })
  await workers.start()
  onStop('workers', workers.stop)
  const engine = openEngine({
    db,
    log,
    toMessages,
    leaseMs: config.LONGHAUL_LEASE_MS,
    executors: makeExecutors({ gateway, sandboxes, files, tools, folderOf: agents.folderOf }),
    execute: workers.execute,
    onReleased: workers.release,
  })
  const places = await timed('agents', () => agents.deployAll(defaultTenantId))
  await timed('engine', engine.start)
  onStop('engine', engine.stop)
  for (const place of places) workers.warm(place)
  const deployments = openDeployments({ db, log, agents, warm: workers.warm })
  await deployments.start()
  onStop('deployments', deployments.stop)

  const stopping = new AbortController()
  const ofRuns = runServices({ db, engine, agents })
  const mcp = mcpEndpoint({ ...ofRuns, agents, log, version, bodyBytesMax: config.LONGHAUL_BODY_BYTES_MAX })
  onStop('MCP', mcp.stop)
  const app = httpApi({
    implementations: implementAll({
      ...ofRuns,
      agents,
      deployments,
      tools,
      keys,
      stopping: stopping.signal,
      log,
      system: {
        describe: async () => ({
          version,
          sandbox: {
            driver: sandboxes.capabilities.driver,
            enforced: sandboxes.capabilities.enforced,
            missing: sandboxes.capabilities.missing,
            languages: sandboxes.capabilities.languages,
          },
          models: { default: gateway.defaultModel, offline: gateway.isOffline, available: gateway.available },
          database: { kind: embedded ? ('embedded' as const) : ('external' as const), version: database.version },
          startup: phases,
        }),
      },
    }),
    authenticate: keys.authenticate,
    findFile: files.find,
    mcp,
    health: () => engine.assertHealthy(),
    consoleFolder: join(root, 'packages/console/dist'),
    host: config.LONGHAUL_HTTP_HOST,
    publicUrl: config.LONGHAUL_PUBLIC_URL,
    bodyBytesMax: config.LONGHAUL_BODY_BYTES_MAX,
    log,
  })
  const listening = await timed('http', () => listen(app, { host: config.LONGHAUL_HTTP_HOST, port: config.LONGHAUL_HTTP_PORT }))
  onStop('http', async () => {
    stopping.abort()
    await listening.stop()
  })
  const credentials = await timed('key', () => firstKey({ keys, dataDir, url: listening.url }))
  return {
    url: listening.url,
    credentials,
    phases,
    sandbox: sandboxes.capabilities,
    model: { name: gateway.defaultModel, isOffline: gateway.isOffline },
    agentNames: places.map((place) => place.agent),
  }
}
