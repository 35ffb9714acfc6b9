/** The composition root: database → services → listener. The only file that knows all parts. */
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import {
  guardSteps,
  modulesAbove,
  isInstanceToken,
  foldersForAskers,
  makeExecutors,
  openAgents,
  openAttachments,
  openCustomAgents,
  openDeployments,
  openFiles,
  runServices,
  toMessages,
} from './agents/index.ts'
import {
  addressCheck,
  httpApi,
  allowedBy,
  implementAll,
  listen,
  mcpEndpoint,
  openLinks,
  openLive,
  openMcpServers,
  openPipeline,
  openPreviews,
} from './api/index.ts'
import { type Config, mailSettings, modelSettings, vaultSettings, workerEnvironment } from './config.ts'
import { engineRole, openDb, openHolds, prepareDatabase, startEmbedded } from './db/index.ts'
import { openEngine } from './engine/index.ts'
import {
  gatewayOver,
  moderateWith,
  openAnswerStore,
  openAnswers,
  openCallLog,
  openEmbedder,
  openFaces,
  openGuardrails,
  openModels,
  openRoutes,
  openSimilar,
  openTenantProviders,
} from './gateway/index.ts'
import { bookingSql, downloadWith, openBoard, openMoney, openNotices } from './gateway/money/index.ts'
import { offlinePlanner } from './gateway/offline/index.ts'
import {
  defaultTenantId,
  fileTarget,
  firstKey,
  isLoginToken,
  openAudit,
  openHeadShipping,
  openIdentities,
  openKeys,
  openMasterKeys,
  openPolicies,
  openSecrets,
  openServiceKeys,
  openSigner,
  openTenantKeys,
  openTenants,
  requestQuotasOf,
  sandboxQuotasOf,
  sha256,
  webhookTarget,
} from './identity/index.ts'
import { channelReplies, openHooks } from './hooks/index.ts'
import { AppError, type Log, monotonicMs, wallClock } from './kernel/index.ts'
import { agentMailRow, agentMailSql, openAgentMailer, openAgentMails, openMailer, openOutbox } from './mail/index.ts'
import { assertDestinations, noSecret, openAttention, openDeliveries, openQueues, openRetention, postWebhook } from './outcomes/index.ts'
import { type Capabilities, openDataFolders, openHosted, openImages, openManaged, openSandboxes } from './sandbox/index.ts'
import { openEgress, openPrograms, openToolSecrets, openTools, parseHosts } from './tools/index.ts'
import { type Walls, openWalls, openWorkers } from './workers/index.ts'

const version = '0.1.0'
const root = resolve(import.meta.dirname, '../../..')

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

/** Where signed heads of the audit log go. */
function headTargets({
  LONGHAUL_AUDIT_HEADS_URL: url,
  LONGHAUL_AUDIT_HEADS_FILE: file,
  LONGHAUL_WEBHOOK_SECRET: secret = '',
  LONGHAUL_WEBHOOK_REACH: reach,
}: Config) {
  const post = (address: string) => (id: string, body: string) => postWebhook({ url: address, id, body, secret, reach, nowMs: wallClock().getTime() })
  return [...(file === undefined ? [] : [fileTarget(file)]), ...(url === undefined ? [] : [webhookTarget(url, sha256, post(url))])]
}

/** No statement of a running server takes that long; one whose answer got lost on its way would hold its connection for ever. */
const answerTimeoutMs = 30_000

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
  const database = await timed('database', () => prepareDatabase(databaseUrl, { log, adopted: config.LONGHAUL_DATABASE_ADOPT }))
  const db = openDb({ url: databaseUrl, poolMax: config.LONGHAUL_DATABASE_CONNECTIONS, role: engineRole, log, answerTimeoutMs })
  onStop('database connections', db.stop)

  const keys = openKeys({ db, log })
  onStop('keys', keys.stop)
  const tenants = openTenants({ db, keys, onChange: (tenantId) => identities.logins.forgetTenant(tenantId) })
  const policies = openPolicies({ db, log })
  const vault = vaultSettings(config)
  const previous = config.LONGHAUL_MASTER_KEY_PREVIOUS
  const masterKeys = vault
    ? await openServiceKeys(dataDir, { db, log, vault, previous, since: config.LONGHAUL_MASTER_KEY_SINCE })
    : await openMasterKeys(dataDir, { current: config.LONGHAUL_MASTER_KEY, previous })
  const secrets = openSecrets({ db, masterKeys, log })
  await secrets.rewrapAll()
  const tenantKeys = openTenantKeys({ db, masterKeys, log })
  await tenantKeys.rewrapAll()
  const providers = openEgress({ privateHosts: parseHosts(config.LONGHAUL_SSO_PRIVATE_HOSTS), setting: 'LONGHAUL_SSO_PRIVATE_HOSTS' })
  onStop('way to sign-in providers', providers.stop)
  const smtp = mailSettings(config)
  const outbox = openOutbox({ masterKey: masterKeys.current, isOn: smtp !== undefined })
  const identities = openIdentities({
    ...{ db, masterKeys, secrets, outbox, log },
    fetch: (url, init) => providers.fetch(url, init, { hosts: ['*'], bytesMax: 1_000_000 }),
    limits: { lifeMs: config.LONGHAUL_LOGIN_MS, idleMs: config.LONGHAUL_LOGIN_IDLE_MS, stepUpMs: config.LONGHAUL_STEP_UP_MS },
  })
  await identities.start()
  onStop('people', identities.stop)
  if (smtp) {
    const mailer = openMailer({ db, log, outbox, recipientOf: identities.signIn.recipientOf, smtp })
    await mailer.start()
    onStop('mail', mailer.stop)
    const agentMailer = openAgentMailer({ db, log, smtp })
    await agentMailer.start()
    onStop('mails of agents', agentMailer.stop)
  }
  const authenticate = (secret: string, isUse = true) =>
    isLoginToken(secret) ? identities.logins.authenticate(secret, 'program', isUse) : keys.authenticate(secret)
  const stepUp = { ms: config.LONGHAUL_STEP_UP_MS, keys: config.LONGHAUL_STEP_UP_KEYS }
  const audit = openAudit({ db, signer: await openSigner(dataDir), log })
  await audit.start()
  onStop('audit log', audit.stop)
  const heads = openHeadShipping({ headsOf: audit.heads, targets: headTargets(config), everyMs: config.LONGHAUL_AUDIT_HEADS_EVERY_MS, log })
  await heads.start()
  onStop('heads of the audit log', heads.stop)
  const dataFolders = openDataFolders(config.LONGHAUL_SANDBOX_FOLDERS ?? {}, dataDir)
  const sandboxes = await timed('sandbox', () =>
    openSandboxes({
      driver: config.LONGHAUL_SANDBOX_DRIVER,
      others: config.LONGHAUL_SANDBOX_DRIVERS,
      policiesOf: async ({ tenantId, namespace }) => ({
        ...(await tenants.sandboxPolicies(tenantId, namespace)),
        sharesKernel: config.LONGHAUL_SANDBOX_SHARED_KERNEL === 'all' || tenantId === defaultTenantId,
      }),
      docker: {
        socket: config.LONGHAUL_SANDBOX_DOCKER_SOCKET,
        image: config.LONGHAUL_SANDBOX_DOCKER_IMAGE,
        runtime: config.LONGHAUL_SANDBOX_DOCKER_RUNTIME,
      },
      vercel:
        config.LONGHAUL_SANDBOX_VERCEL_TOKEN === undefined
          ? undefined
          : {
              url: config.LONGHAUL_SANDBOX_VERCEL_URL,
              token: config.LONGHAUL_SANDBOX_VERCEL_TOKEN,
              teamId: config.LONGHAUL_SANDBOX_VERCEL_TEAM,
              projectId: config.LONGHAUL_SANDBOX_VERCEL_PROJECT,
              image: config.LONGHAUL_SANDBOX_VERCEL_IMAGE,
            },
      e2b:
        config.LONGHAUL_SANDBOX_E2B_KEY === undefined
          ? undefined
          : { url: config.LONGHAUL_SANDBOX_E2B_URL, key: config.LONGHAUL_SANDBOX_E2B_KEY, template: config.LONGHAUL_SANDBOX_E2B_TEMPLATE },
      kubernetes: {
        url: config.LONGHAUL_SANDBOX_KUBERNETES_URL,
        namespace: config.LONGHAUL_SANDBOX_KUBERNETES_NAMESPACE,
        tokenFile: config.LONGHAUL_SANDBOX_KUBERNETES_TOKEN_FILE,
        caFile: config.LONGHAUL_SANDBOX_KUBERNETES_CA_FILE,
        claim: config.LONGHAUL_SANDBOX_KUBERNETES_CLAIM,
        claimFolder: config.LONGHAUL_SANDBOX_KUBERNETES_CLAIM_FOLDER ?? dataDir,
        image: config.LONGHAUL_SANDBOX_KUBERNETES_IMAGE,
        runtimeClass: config.LONGHAUL_SANDBOX_KUBERNETES_RUNTIME_CLASS,
        node: config.LONGHAUL_SANDBOX_KUBERNETES_NODE,
      },
      root: join(dataDir, 'sandboxes'),
      log,
      poolSize: config.LONGHAUL_SANDBOX_POOL,
      accept: config.LONGHAUL_SANDBOX_ACCEPT,
    }),
  )
  onStop('sandboxes', sandboxes.stop)
  const managed = openManaged({
    db,
    log,
    sandboxes,
    blobFolder: join(dataDir, 'blobs'),
    countMax: config.LONGHAUL_SANDBOXES_PER_TENANT,
    diskBytesMax: config.LONGHAUL_SANDBOX_DISK_BYTES_PER_TENANT,
    quotasOf: sandboxQuotasOf(tenants),
    ttlMs: config.LONGHAUL_SANDBOX_TTL_MS,
    releaseMs: config.LONGHAUL_SANDBOX_RELEASE_MS,
    templateKeepMs: config.LONGHAUL_SANDBOX_TEMPLATE_KEEP_MS,
  })
  await managed.start()
  onStop('sandboxes of callers', managed.stop)
  const links = openLinks()
  const routes = openRoutes({ db, log })
  const settings = modelSettings(config)
  const tenantProviders = openTenantProviders({ db, secrets, baseUrls: settings.baseUrls, awsRegion: settings.awsRegion, log })
  const models = openModels({ ...settings, offline: offlinePlanner(), pickTargets: routes.pick, tenantProviders: tenantProviders.of, log })
  const money = openMoney({ db, log })
  await money.start()
  onStop('money', money.stop)
  const guardrails = openGuardrails({ db, log, moderate: moderateWith(models, money) })
  await guardrails.start()
  onStop('guardrails', guardrails.stop)
  const answers = openAnswers({ store: await openAnswerStore(config.LONGHAUL_MODEL_CACHE, { db, log }), log })
  await answers.start()
  onStop('kept answers', answers.stop)
  const gateway = gatewayOver(models, guardrails, answers)
  const callLog = openCallLog({ db, keys: tenantKeys, log })
  await callLog.start()
  onStop('log of model calls', callLog.stop)
  const files = openFiles({ db, folder: join(dataDir, 'blobs'), assertStorage: tenants.assertStorage })
  const attachments = openAttachments({
    ...{ db, log, folder: join(dataDir, 'blobs'), assertStorage: tenants.assertStorage },
    limits: {
      bytesMax: config.LONGHAUL_ATTACHMENT_BYTES_MAX,
      countMax: config.LONGHAUL_ATTACHMENTS_PER_MESSAGE,
      keepMs: config.LONGHAUL_ATTACHMENT_KEEP_MS,
    },
  })
  await attachments.start()
  onStop('attachments', attachments.stop)
  const images = openImages({
    folder: join(dataDir, 'sandboxes', '.images'),
    bytesMax: config.LONGHAUL_SANDBOX_IMAGE_MB * 1e6,
    registries: config.LONGHAUL_SANDBOX_IMAGE_REGISTRIES,
    log,
  })
  await images.sweep()
  const agents = openAgents({ db, log, dataDir, agentsDir: resolve(config.LONGHAUL_AGENTS_DIR), images })

  const hosted = openHosted({ db, log, sandboxes })
  const embed = openEmbedder({ models, money })
  const embeddingModel = config.LONGHAUL_EMBEDDING_MODEL
  const tools = openTools({
    db,
    log,
    version,
    secrets,
    ...(embeddingModel && {
      embedding: {
        model: embeddingModel,
        embed: (texts, { signal, tenantId, agent, runId, subjectId: keyId }) =>
          embed(embeddingModel, texts, { signal, account: { tenantId, agent, runId, keyId } }),
      },
    }),
    hosted,
    privateHosts: parseHosts(config.LONGHAUL_TOOLS_PRIVATE_HOSTS),
    ...(config.LONGHAUL_SEARCH_PROVIDER && {
      search: { provider: config.LONGHAUL_SEARCH_PROVIDER, apiKey: config.LONGHAUL_SEARCH_API_KEY, baseUrl: config.LONGHAUL_SEARCH_BASE_URL },
    }),
    mail: smtp && { recipients: parseHosts(config.LONGHAUL_TOOLS_MAIL_RECIPIENTS), rowOf: agentMailRow },
    manifestOf: agents.manifestOf,
    liveVersionOf: async (tenantId, agent) => (await agents.find(tenantId, agent))?.version,
    folderOf: agents.folderOf,
  })
  onStop('tools', tools.stop)
  const { admitTool, whyNotStart, assertMay, guard } = guardSteps({ policies, audit, log, admit: tools.admit })
  const customAgents = openCustomAgents({
    ...{ hosted, images, attachments, tools, log, version, manifestOf: agents.manifestOf, folderOf: agents.folderOf },
    faces: () => faces,
    assertMayCallModel: (context, input) => assertMay('model', input, context),
  })
  onStop('custom agents', customAgents.stop)

  const walls = await wallsFor(config.LONGHAUL_WORKER_WALLS, log)
  const workers = openWorkers({
    log,
    walls,
    command: [process.execPath, '--conditions=longhaul-source', '--enable-source-maps', createRequire(import.meta.url).resolve('@longhaul/sdk/worker')],
    env: workerEnvironment(),
    scaling: {
      workersMin: config.LONGHAUL_WORKERS_MIN,
      workersMax: Math.max(config.LONGHAUL_WORKERS_MIN, config.LONGHAUL_WORKERS_MAX ?? availableParallelism()),
      runsMax: config.LONGHAUL_WORKER_RUNS_MAX,
      memoryBytesMax: config.LONGHAUL_WORKER_MEMORY_MB * 1e6,
      idleMsMax: 60_000,
    },
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
    drainMs: config.LONGHAUL_DRAIN_MS,
    executors: guard(
      makeExecutors({
        ...{ gateway, money, files, attachments, tools, sandboxes: managed.runs, invoke: customAgents.invoke, folderOf: agents.folderOf },
        egressHosts: parseHosts(config.LONGHAUL_SANDBOX_EGRESS_HOSTS),
        chooseFolders: foldersForAskers({ folders: dataFolders, policies, audit }),
      }),
    ),
    admitTool,
    whyNotStart,
    findVersion: agents.findVersion,
    bounds: { eventsMax: config.LONGHAUL_RUN_EVENTS_MAX, bytesMax: config.LONGHAUL_RUN_BYTES_MAX },
    onEnded: (runIds) => deliveries.announce(runIds),
    booking: (placeholder) => `${bookingSql(placeholder)}, ${agentMailSql(placeholder)}`,
    execute: workers.execute,
    onReleased: workers.release,
  })
  const webhooks = { secret: config.LONGHAUL_WEBHOOK_SECRET, reach: config.LONGHAUL_WEBHOOK_REACH }
  const downloads = openEgress({ privateHosts: parseHosts(config.LONGHAUL_TOOLS_PRIVATE_HOSTS) })
  onStop('way to catalogues', downloads.stop)
  const download = downloadWith(downloads)
  const stopping = new AbortController()
  const queues = openQueues({ db, stopping: stopping.signal })
  const replyInChannel = channelReplies({ db, readSecret: openToolSecrets(secrets).read, reach: webhooks.reach })
  const deliveries = openDeliveries({ db, log, engine, findVersion: agents.findVersion, whyNotStart, queues, webhooks, replyInChannel })
  const retention = openRetention({ db, log })
  const places = await timed('agents', () => agents.deployAll(defaultTenantId))
  await timed('engine', engine.start)
  onStop('engine', engine.stop)
  await deliveries.start()
  onStop('deliveries', deliveries.stop)
  const notices = openNotices({
    ...{ db, log },
    send: async (webhook) =>
      webhooks.secret === undefined
        ? { isDone: false, problem: noSecret, mayRetry: true }
        : postWebhook({ ...webhook, secret: webhooks.secret, reach: webhooks.reach, nowMs: wallClock().getTime() }),
  })
  await notices.start()
  onStop('notices of budgets', notices.stop)
  await retention.start()
  onStop('retention', retention.stop)
  for (const place of places) workers.warm(place)
  const deployments = openDeployments({ db, log, setAgentLimits: engine.setAgentLimits, agents, workers })
  await deployments.start()
  onStop('deployments', deployments.stop)

  const ofRuns = runServices({
    db,
    engine,
    agents,
    tenants,
    sandboxes: managed.runs,
    attachments,
    tools,
    assertDestinations: (destinations) => assertDestinations(destinations, webhooks),
    whyNotStart,
  })
  const attention = openAttention({ db, engine, findVersion: agents.findVersion, whyNotStart, forkRun: ofRuns.runs.fork })
  const hooks = openHooks({
    ...{ db, log, secrets, engine, whyNotStart },
    hasAgent: async (tenantId, agent) => (await agents.find(tenantId, agent)) !== undefined,
    start: (tenantId, asker, run) => ofRuns.startAs(tenantId, asker, { destinations: [], ...run }),
    perMinute: config.LONGHAUL_REQUESTS_PER_MINUTE,
  })
  const mcp = mcpEndpoint({
    ...ofRuns,
    agents,
    tools,
    assertAllowed: allowedBy({ policies, audit, stepUp, log }),
    log,
    version,
    bodyBytesMax: config.LONGHAUL_BODY_BYTES_MAX,
  })
  onStop('MCP', mcp.stop)
  const mcpServers = openMcpServers({
    ...{ tools, admitTool, audit, log, findVersion: agents.findVersion, manifestOf: agents.manifestOf, openVersion: agents.open },
    programs: openPrograms({ hosted, log, lifeMsMax: 8 * 3_600_000 }),
    assertAllowed: allowedBy({ policies, audit, stepUp, log }),
    assertNotStopped: engine.assertNotStopped,
    stopping: stopping.signal,
    bodyBytesMax: config.LONGHAUL_BODY_BYTES_MAX,
  })
  onStop('hosted MCP servers', mcpServers.stop)
  const pipeline = openPipeline({
    implementations: implementAll({
      ...ofRuns,
      hooks,
      attention,
      queues,
      agentMails: openAgentMails({ db }),
      retention,
      attachments,
      agents,
      deployments,
      tools,
      keys,
      identities,
      tenants,
      policies,
      secrets,
      audit,
      heads,
      sandboxes: managed.service,
      templates: managed.templates.service,
      links,
      money: openBoard({ db, money, whyNoWebhooks: webhooks.secret === undefined ? noSecret : undefined, download }),
      routes,
      answers,
      guardrails,
      callLog,
      providers: tenantProviders,
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
          sandboxDrivers: sandboxes.offers.map(({ driver, kernel, enforced, missing }) => ({ driver, kernel, enforced, missing })),
          models: { default: gateway.defaultModel, offline: gateway.isOffline, available: gateway.available },
          mail: smtp ? { from: smtp.from } : null,
          database: { kind: embedded ? ('embedded' as const) : ('external' as const), version: database.version },
          startup: phases,
        }),
      },
    }),
    authenticate,
    authenticateCookie: (secret, isUse) => identities.logins.authenticate(secret, 'browser', isUse),
    publicUrl: config.LONGHAUL_PUBLIC_URL,
    policies,
    audit,
    stepUp,
    during: openHolds(db).during,
    requestsPerMinute: config.LONGHAUL_REQUESTS_PER_MINUTE,
    requestQuotasOf: requestQuotasOf(tenants),
    log,
  })
  const health = async () => {
    if (stopping.signal.aborted) throw new AppError('unavailable', 'The server is stopping.')
    await engine.assertHealthy()
  }
  const app = httpApi({
    pipeline,
    requestsPerMinute: config.LONGHAUL_REQUESTS_PER_MINUTE,
    stopping: stopping.signal,
    findFile: files.find,
    attachments: { ...attachments, bytesMax: config.LONGHAUL_ATTACHMENT_BYTES_MAX },
    health,
    streams: managed.service,
    mcp,
    mcpServers,
    receiveHook: hooks.receive,
    consoleFolder: join(root, 'packages/console/dist'),
    host: config.LONGHAUL_HTTP_HOST,
    publicUrl: config.LONGHAUL_PUBLIC_URL,
    bodyBytesMax: config.LONGHAUL_BODY_BYTES_MAX,
    log,
  })
  const faces = openFaces({
    models,
    ledger: money,
    answers,
    similar: openSimilar({ db, embed, log }),
    guardrails,
    callLog,
    authenticate: (secret) => (isInstanceToken(secret) ? customAgents.authenticate(secret) : authenticate(secret)),
    checkAddress: addressCheck(config.LONGHAUL_HTTP_HOST, config.LONGHAUL_PUBLIC_URL),
    routeNames: async (tenantId) => (await routes.list(tenantId)).map(({ name }) => name),
    bodyBytesMax: config.LONGHAUL_MODEL_BODY_BYTES_MAX,
    log,
  })
  const previews = openPreviews({ sandboxes: managed.service, checkAddress: addressCheck(config.LONGHAUL_HTTP_HOST, config.LONGHAUL_PUBLIC_URL), log }, links)
  const live = openLive({
    ...{ pipeline, log },
    checkAddress: addressCheck(config.LONGHAUL_HTTP_HOST, config.LONGHAUL_PUBLIC_URL),
    perKeyMax: config.LONGHAUL_LIVE_CONNECTIONS_PER_KEY,
  })
  const listening = await timed('http', () =>
    listen(app, {
      host: config.LONGHAUL_HTTP_HOST,
      port: config.LONGHAUL_HTTP_PORT,
      connectionsMax: config.LONGHAUL_HTTP_CONNECTIONS,
      direct: [faces, previews, live],
    }),
  )
  const grpcPort = config.LONGHAUL_GRPC_PORT
  // Loaded only where it is wanted.
  const grpc =
    grpcPort === undefined
      ? undefined
      : await timed('grpc', async () =>
          (await import('./api/grpc/index.ts')).listenGrpc({
            ...{ pipeline, log, health },
            checkAddress: addressCheck(config.LONGHAUL_HTTP_HOST, config.LONGHAUL_PUBLIC_URL),
            host: config.LONGHAUL_HTTP_HOST,
            port: grpcPort,
            bodyBytesMax: config.LONGHAUL_BODY_BYTES_MAX,
            connectionsMax: config.LONGHAUL_HTTP_CONNECTIONS,
            stopping: stopping.signal,
          }),
        )
  onStop('http', async () => {
    stopping.abort()
    await Promise.all([live.stop(), grpc?.stop(), listening.stop(config.LONGHAUL_HTTP_GRACE_MS)])
  })
  const credentials = await timed('key', () => firstKey({ keys, dataDir, url: listening.url }))
  return {
    url: listening.url,
    grpcUrl: grpc?.url,
    credentials,
    phases,
    sandbox: sandboxes.capabilities,
    model: { name: gateway.defaultModel, isOffline: gateway.isOffline },
    agentNames: places.map((place) => place.agent),
  }
}

async function wallsFor(wish: Config['LONGHAUL_WORKER_WALLS'], log: Log): Promise<Walls | undefined> {
  if (wish === 'off') return undefined
  const walls = await openWalls(await modulesAbove(import.meta.dirname))
  if (!('whyNot' in walls)) return walls
  if (wish === 'on') throw new AppError('unavailable', `LONGHAUL_WORKER_WALLS is on, and there can be none here. ${walls.whyNot}`)
  log.warn('workers see what this server may see: there are no walls around them', { reason: walls.whyNot })
  return undefined
}
