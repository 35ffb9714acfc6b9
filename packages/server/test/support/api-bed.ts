/** The API with everything behind it but workers: real keys, engine, files and sandboxes on a real database. Runs execute as the test says. */
import { openHolds } from '../../src/db/index.ts'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AgentManifest, type DataAccess, type HistoryEntry, type Json, type Run, type RunEvent, type ServerFrame, permissions } from '@longhaul/protocol'
import {
  type Files,
  guardSteps,
  foldersForAskers,
  makeExecutors,
  openAgents,
  openAttachments,
  openDeployments,
  openFiles,
  runServices,
  toMessages,
} from '../../src/agents/index.ts'
import { insertDeployment } from '../../src/agents/deployment-store.ts'
import { insertVersion } from '../../src/agents/version-store.ts'
import { allowedBy, httpApi, implementAll, mcpEndpoint, openLinks, openMcpServers, openPipeline } from '../../src/api/index.ts'
import { type Assignment, type RunFrame, openEngine } from '../../src/engine/index.ts'
import { openHooks } from '../../src/hooks/index.ts'
import { databaseStore } from '../../src/gateway/cache/stores.ts'
import { type Gateway, openAnswers, openCallLog, openGuardrails, openRoutes, openTenantProviders } from '../../src/gateway/index.ts'
import { bookingSql, openBoard, openMoney } from '../../src/gateway/money/index.ts'
import {
  type GuardedFetch,
  type NewKey,
  isLoginToken,
  openAudit,
  openIdentities,
  openKeys,
  openPolicies,
  openSecrets,
  openTenantKeys,
  openSigner,
  openTenants,
  requestQuotasOf,
  sandboxQuotasOf,
} from '../../src/identity/index.ts'
import { AppError, newId, secretBytes, silentLog, sleep } from '../../src/kernel/index.ts'
import { openAgentMails, openOutbox } from '../../src/mail/index.ts'
import { openAttention, openQueues, openRetention } from '../../src/outcomes/index.ts'
import { gapNames, openDataFolders, openImages, openManaged, openSandboxes } from '../../src/sandbox/index.ts'
import { openPrograms, openTools } from '../../src/tools/index.ts'
import { makeDatabase } from './postgres.ts'

export type RunStart = Extract<ServerFrame, { type: 'run.start' }>
/** What a worker of the agent says first, or again after it is lost, until the operation `0` has a result. Then the run completes with that. */
export type Opening = (start: RunStart) => RunFrame[]
export type Bed = Awaited<ReturnType<typeof openBed>>

const manifest: AgentManifest = { description: '', shape: 'agent', model: null, instructions: null, tools: [], skills: [], examples: [] }

const noModels: Gateway = {
  defaultModel: 'none',
  isOffline: true,
  available: [],
  generate: () => Promise.reject(new AppError('unavailable', 'No model here.')),
}

const noProvider: GuardedFetch = () => Promise.reject(new Error('No provider here.'))

export async function openBed(
  openings: Record<string, Opening>,
  wrapFiles: (files: Files) => Files = (files) => files,
  driver: 'virtual' | 'bwrap' = 'virtual',
  fetchProvider: GuardedFetch = noProvider,
  sendsMail = false,
  gateway = noModels,
) {
  const database = await makeDatabase()
  const { db } = database
  const dataDir = await mkdtemp(join(tmpdir(), 'bed-'))
  await mkdir(join(dataDir, 'agent', 'sandbox', 'workspace'), { recursive: true }) // Of every agent's code: what a sandbox begins with.
  const sandboxes = await openSandboxes({ driver, root: join(dataDir, 'sandboxes'), log: silentLog, accept: gapNames })
  const images = openImages({ folder: join(dataDir, 'sandboxes', '.images'), bytesMax: 500_000_000, log: silentLog })
  const managed = openManaged({
    db,
    log: silentLog,
    sandboxes,
    images,
    blobFolder: join(dataDir, 'blobs'),
    countMax: 1_000,
    diskBytesMax: 1e9,
    quotasOf: (owner) => sandboxQuotasOf(tenants)(owner),
    ttlMs: 3_600_000,
    releaseMs: 3_600_000,
    templateKeepMs: 3_600_000,
  })
  const keys = openKeys({ db, log: silentLog })
  const tenants = openTenants({ db, keys, onChange: (tenantId) => identities.logins.forgetTenant(tenantId) })
  const files = openFiles({ db, folder: join(dataDir, 'blobs'), assertStorage: tenants.assertStorage })
  const attachments = openAttachments({
    ...{ db, log: silentLog, folder: join(dataDir, 'blobs'), assertStorage: tenants.assertStorage },
    limits: { bytesMax: 100_000, countMax: 3, keepMs: 86_400_000 },
  })
  const policies = openPolicies({ db, log: silentLog })
  const masterKeys = { current: secretBytes(32) }
  const secrets = openSecrets({ db, masterKeys, log: silentLog })
  const limits = { lifeMs: 86_400_000, idleMs: 3_600_000, stepUpMs: 300_000 }
  const outbox = openOutbox({ masterKey: masterKeys.current, isOn: sendsMail })
  const identities = openIdentities({ db, masterKeys, secrets, outbox, log: silentLog, limits, fetch: fetchProvider })
  const stepUp = { ms: limits.stepUpMs, keys: 'allow' as const }
  const audit = openAudit({ db, signer: await openSigner(dataDir), log: silentLog })
  const { admitTool, whyNotStart, guard } = guardSteps({ policies, audit, log: silentLog })
  const money = openMoney({ db, log: silentLog })
  const agents = openAgents({ db, log: silentLog, dataDir, agentsDir: '/nowhere' })
  const tools = openTools({
    db,
    log: silentLog,
    version: 'test',
    secrets,
    hosted: () => Promise.reject(new Error('Nothing is started here.')),
    privateHosts: [],
    manifestOf: async () => manifest, // Nothing is loaded here, so that no version has one of its own.
    liveVersionOf: async (tenantId, agent) => (await agents.find(tenantId, agent))?.version,
    folderOf: () => dataDir,
  })
  const starts: RunStart[] = []
  const assignments = new Map<string, Assignment>()
  const engine = openEngine({
    db,
    log: silentLog,
    leaseMs: 60_000,
    pollMs: 50,
    toMessages,
    findVersion: async () => ({ version: 'v1' }),
    executors: guard(
      makeExecutors({
        ...{ gateway, money, sandboxes: managed.runs, files: wrapFiles(files), attachments, tools },
        egressHosts: ['*'],
        chooseFolders: foldersForAskers({ folders: openDataFolders({}, dataDir), policies, audit }),
        folderOf: () => dataDir,
      }),
    ),
    admitTool,
    whyNotStart,
    booking: bookingSql,
    execute(assignment) {
      assignments.set(assignment.id, assignment)
      const opening = openings[assignment.agent]
      if (opening) work(assignment, opening, starts)
    },
    onReleased: (runId) => void assignments.delete(runId),
  })
  await engine.start()
  const deploy = async (tenantId: string) => {
    const tenant = db.forTenant(tenantId)
    for (const agent of Object.keys(openings)) {
      await insertVersion(tenant, tenantId, agent, 'v1', Buffer.from(''))
      await insertDeployment(tenant, { id: newId(), tenantId, agent, version: 'v1', share: 100, guard: null, reason: null, madeBy: 'a test' })
    }
  }
  await deploy('acme')
  const callLog = openCallLog({ db, keys: openTenantKeys({ db, masterKeys, log: silentLog }), log: silentLog })
  const queues = openQueues({ db, stopping: new AbortController().signal })
  const ofRuns = runServices({ db, engine, tenants, agents, attachments, tools, sandboxes: managed.runs })
  const hooks = openHooks({
    ...{ db, log: silentLog, secrets, engine, whyNotStart },
    hasAgent: async (tenantId, agent) => (await agents.find(tenantId, agent)) !== undefined,
    start: (tenantId, asker, run) => ofRuns.startAs(tenantId, asker, { destinations: [], ...run }),
    perMinute: 600,
  })
  const mcp = mcpEndpoint({
    ...ofRuns,
    agents,
    tools,
    assertAllowed: allowedBy({ policies, audit, stepUp, log: silentLog }),
    log: silentLog,
    version: 'test',
    bodyBytesMax: 1_000_000,
    patienceMs: 20_000,
  })
  const stopping = new AbortController()
  const mcpServers = openMcpServers({
    ...{ tools, admitTool, audit, log: silentLog, findVersion: agents.findVersion, manifestOf: agents.manifestOf, openVersion: agents.open },
    programs: openPrograms({ hosted: () => Promise.reject(new Error('Nothing is started here.')), log: silentLog }),
    assertAllowed: allowedBy({ policies, audit, stepUp, log: silentLog }),
    assertNotStopped: engine.assertNotStopped,
    stopping: stopping.signal,
    bodyBytesMax: 1_000_000,
  })
  const pipeline = openPipeline({
    implementations: implementAll({
      ...ofRuns,
      hooks,
      attachments,
      queues,
      agentMails: openAgentMails({ db }),
      retention: openRetention({ db, log: silentLog }),
      attention: openAttention({ db, engine, findVersion: agents.findVersion, forkRun: ofRuns.runs.fork }),
      agents,
      deployments: openDeployments({
        db,
        log: silentLog,
        setAgentLimits: engine.setAgentLimits,
        agents,
        workers: { warm: () => {}, expect: () => {}, retire: async () => {} },
        loadMsMax: 1,
      }),
      tools,
      keys,
      identities,
      tenants,
      images: { used: async () => ({ count: 0, bytes: 0 }) },
      policies,
      secrets,
      audit,
      heads: { statusOf: () => null },
      sandboxes: managed.service,
      templates: managed.templates.service,
      links: openLinks(),
      money: openBoard({ db, money }),
      routes: openRoutes({ db, log: silentLog }),
      answers: openAnswers({ store: databaseStore(db), log: silentLog }),
      guardrails: openGuardrails({ db, log: silentLog, moderate: async () => 'safe' }),
      callLog,
      providers: openTenantProviders({ db, secrets, log: silentLog }),
      log: silentLog,
      system: { describe: () => Promise.reject(new AppError('unavailable', 'Not asked for here.')) },
    }),
    authenticate: (secret, isUse = true) => (isLoginToken(secret) ? identities.logins.authenticate(secret, 'program', isUse) : keys.authenticate(secret)),
    authenticateCookie: (secret, isUse) => identities.logins.authenticate(secret, 'browser', isUse),
    policies,
    audit,
    stepUp,
    during: openHolds(db).during,
    requestsPerMinute: 1_000_000,
    requestQuotasOf: requestQuotasOf(tenants),
    log: silentLog,
  })
  const app = httpApi({
    pipeline,
    requestsPerMinute: 1_000_000,
    stopping: stopping.signal,
    findFile: files.find,
    attachments: { ...attachments, bytesMax: 100_000 },
    streams: managed.service,
    mcp,
    mcpServers,
    receiveHook: hooks.receive,
    health: () => engine.assertHealthy(),
    consoleFolder: dataDir,
    host: '127.0.0.1',
    bodyBytesMax: 1_000_000,
    log: silentLog,
  })
  return {
    db,
    attachments,
    queues,
    owner: database.owner,
    /** Past the API. */
    startDirectly: (agent: string, input: Json) =>
      engine.startRun({ tenantId: 'acme', agent, version: 'v1', input, asker: { id: 'k', name: 'k', access: { personalData: true } } }),
    deploy,
    callLog,
    ...{ outbox, keys, identities, tenants, policies, secrets, audit, masterKeys, dataDir, app, pipeline, stopping },
    /** The runs as they came to workers, in order. */
    starts,
    /** Somebody who may do everything, with what `access` lets them see. */
    async caller(name: string, access: DataAccess, { tenantId = 'acme', ...more }: Partial<NewKey> & { tenantId?: string } = {}) {
      const { id, secret } = await keys.createFirst(tenantId, { name, permissions: [...permissions], access, ...more })
      const ask = async (method: string, path: string, body?: Json, headers: Record<string, string> = {}): Promise<Response> =>
        app.request(path, {
          method,
          headers: { authorization: `Bearer ${secret}`, accept: 'application/json', ...headers },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        })
      const read = async <Body>(path: string): Promise<Body> => {
        const response = await ask('GET', path)
        if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`)
        return (await response.json()) as Body
      }
      return {
        secret,
        id,
        name,
        ask,
        read,
        /** Starts a run and waits until it ends or waits. */
        async start(
          agent: string,
          more: { input?: Json; attachments?: string[]; session?: string; namespace?: string; idempotencyKey?: string } = {},
        ): Promise<Run> {
          const response = await ask('POST', '/v1/runs', { agent, input: {}, ...more })
          if (response.status !== 200) throw new Error(await response.text())
          const { id: runId } = (await response.json()) as Run
          return until(
            () => read<Run>(`/v1/runs/${runId}`),
            ({ state }) => state !== 'pending' && state !== 'running',
          )
        },
        events: async (runId: string) => (await read<{ items: RunEvent[] }>(`/v1/runs/${runId}/events`)).items,
      }
    },
    loseWorkerOf: (runId: string) => assignments.get(runId)?.interrupt('worker_lost', 'The worker process is gone.', true),
    async [Symbol.asyncDispose]() {
      await engine.stop()
      await tools.stop()
      await keys.stop()
      await identities.stop()
      await managed.stop()
      await sandboxes.stop()
      await database[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true })
    },
  }
}

export type BedCaller = Awaited<ReturnType<Bed['caller']>>

/** A worker of a few words. Its frames go in turns of their own, as over a socket. */
function work(assignment: Assignment, opening: Opening, starts: RunStart[]): void {
  const say = (...frames: RunFrame[]) => setImmediate(() => frames.forEach((frame) => assignment.receive(frame)))
  let start: RunStart | undefined
  const finish = (output: Json) => say({ type: 'run.completed', run: assignment.id, output })
  const begin = (history: HistoryEntry[]) => {
    const done = history.find((entry) => entry.type === 'completed' && entry.op === '0')
    if (done?.type === 'completed') finish(done.output)
    else if (start) say(...opening(start))
  }
  assignment.attach((frame) => {
    if (frame.type === 'run.start') {
      starts.push((start = frame))
      if (frame.historyLength === 0) begin([])
    }
    if (frame.type === 'run.history') begin(frame.entries)
    if (frame.type === 'op.begun')
      say({ type: 'op.done', run: assignment.id, op: frame.op, kind: 'tool', name: 'tool', attempt: 1, output: 'executed', durationMs: 1 })
    if (frame.type === 'op.completed') finish(frame.output ?? null)
    if (frame.type === 'op.failed') say({ type: 'run.failed', run: assignment.id, failure: frame.failure })
  })
}

/** Reads until it is as wanted; throws with what was read last. */
export async function until<Fact>(read: () => Promise<Fact>, isDone: (found: Fact) => boolean, limitMs = 15_000): Promise<Fact> {
  const end = performance.now() + limitMs
  for (;;) {
    const found = await read()
    if (isDone(found)) return found
    if (performance.now() > end) throw new Error(`After ${limitMs} ms it is still ${JSON.stringify(found)}`)
    await sleep(10)
  }
}
