/** What executes runs: agents and their versions, tools, workers, the engine, and where the ends of runs are told. */
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import {
  foldersForAskers,
  guardSteps,
  isInstanceToken,
  makeExecutors,
  modulesAbove,
  openAgents,
  openAttachments,
  openCustomAgents,
  openDeployments,
  openFiles,
  runServices,
  toMessages,
} from '../agents/index.ts'
import { addressCheck } from '../api/index.ts'
import { type Config, workerEnvironment } from '../config.ts'
import type { Db } from '../db/index.ts'
import { openEngine } from '../engine/index.ts'
import { openFaces, openSimilar } from '../gateway/index.ts'
import { bookingSql, openNotices } from '../gateway/money/index.ts'
import { channelReplies } from '../hooks/index.ts'
import { defaultTenantId } from '../identity/index.ts'
import { AppError, type Log, wallClock } from '../kernel/index.ts'
import { agentMailRow, agentMailSql } from '../mail/index.ts'
import { assertDestinations, noSecret, openDeliveries, openQueues, openRetention, postWebhook } from '../outcomes/index.ts'
import { openToolSecrets, openTools, parseHosts } from '../tools/index.ts'
import { type Walls, openWalls, openWorkers } from '../workers/index.ts'
import type { Access } from './access.ts'
import type { Modelling } from './models.ts'
import type { Sandboxing } from './sandboxes.ts'
import type { Start } from './start.ts'

export type Running = Awaited<ReturnType<typeof startRuns>>

export async function startRuns(start: Start, db: Db, version: string, access: Access, sandboxing: Sandboxing, modelling: Modelling) {
  const { config, log, dataDir, stopping, timed, started } = start
  const { tenants, policies, secrets, audit, smtp } = access
  const { managed, hosted, images, dataFolders } = sandboxing
  const { models, money, gateway, guardrails, answers, callLog, embed, routes } = modelling
  const stored = { folder: join(dataDir, 'blobs'), assertStorage: tenants.assertStorage }
  const files = openFiles({ db, ...stored })
  const attachments = await started(
    'attachments',
    openAttachments({
      ...{ db, log, ...stored },
      limits: {
        bytesMax: config.LONGHAUL_ATTACHMENT_BYTES_MAX,
        countMax: config.LONGHAUL_ATTACHMENTS_PER_MESSAGE,
        keepMs: config.LONGHAUL_ATTACHMENT_KEEP_MS,
      },
    }),
  )
  const agents = openAgents({ db, log, dataDir, agentsDir: resolve(config.LONGHAUL_AGENTS_DIR), images })
  const embeddingModel = config.LONGHAUL_EMBEDDING_MODEL
  const tools = await started(
    'tools',
    openTools({
      ...{ db, log, version, secrets, hosted },
      ...(embeddingModel && {
        embedding: {
          model: embeddingModel,
          embed: (texts, { signal, tenantId, agent, runId, subjectId: keyId }) =>
            embed(embeddingModel, texts, { signal, account: { tenantId, agent, runId, keyId } }),
        },
      }),
      privateHosts: parseHosts(config.LONGHAUL_TOOLS_PRIVATE_HOSTS),
      ...(config.LONGHAUL_SEARCH_PROVIDER && {
        search: { provider: config.LONGHAUL_SEARCH_PROVIDER, apiKey: config.LONGHAUL_SEARCH_API_KEY, baseUrl: config.LONGHAUL_SEARCH_BASE_URL },
      }),
      mail: smtp && { recipients: parseHosts(config.LONGHAUL_TOOLS_MAIL_RECIPIENTS), rowOf: agentMailRow },
      manifestOf: agents.manifestOf,
      liveVersionOf: async (tenantId, agent) => (await agents.find(tenantId, agent))?.version,
      folderOf: agents.folderOf,
    }),
  )
  const { admitTool, whyNotStart, assertMay, guard } = guardSteps({ policies, audit, log, admit: tools.admit })
  const customAgents = await started(
    'custom agents',
    openCustomAgents({
      ...{ hosted, images, attachments, tools, log, version, manifestOf: agents.manifestOf, folderOf: agents.folderOf },
      faces: () => faces,
      assertMayCallModel: (context, input) => assertMay('model', input, context),
    }),
  )
  const faces = openFaces({
    models,
    ledger: money,
    answers,
    similar: openSimilar({ db, embed, log }),
    guardrails,
    callLog,
    authenticate: (secret) => (isInstanceToken(secret) ? customAgents.authenticate(secret) : access.authenticate(secret)),
    checkAddress: addressCheck(config.LONGHAUL_HTTP_HOST, config.LONGHAUL_PUBLIC_URL),
    routeNames: async (tenantId) => (await routes.list(tenantId)).map(({ name }) => name),
    bodyBytesMax: config.LONGHAUL_MODEL_BODY_BYTES_MAX,
    log,
  })

  const workers = await started(
    'workers',
    openWorkers({
      log,
      folder: join(dataDir, 'workers'),
      walls: await wallsFor(config.LONGHAUL_WORKER_WALLS, log),
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
      linkPackages: agents.linkPackages,
      onLoaded: (place, loaded) =>
        void agents
          .recordLoaded(place, loaded)
          .catch((error: unknown) => log.warn('what a version says of itself was not recorded', { error, agent: place.agent })),
    }),
  )
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
  const queues = openQueues({ db, stopping: stopping.signal })
  const replyInChannel = channelReplies({ db, readSecret: openToolSecrets(secrets).read, reach: webhooks.reach })
  const deliveries = openDeliveries({
    db,
    log,
    engine,
    findVersion: agents.findVersion,
    whyNotStart,
    queues,
    webhooks,
    replyInChannel,
    publicUrl: config.LONGHAUL_PUBLIC_URL,
  })
  const places = await timed('agents', () => agents.deployAll(defaultTenantId))
  await timed('engine', () => started('engine', engine))
  await started('deliveries', deliveries)
  const notices = openNotices({
    ...{ db, log },
    send: async (webhook) =>
      webhooks.secret === undefined
        ? { isDone: false, problem: noSecret, mayRetry: true }
        : postWebhook({ ...webhook, secret: webhooks.secret, reach: webhooks.reach, nowMs: wallClock().getTime() }),
  })
  await started('notices of budgets', notices)
  const retention = await started('retention', openRetention({ db, log }))
  for (const place of places) workers.warm(place)
  const deployments = await started('deployments', openDeployments({ db, log, setAgentLimits: engine.setAgentLimits, agents, workers }))
  return {
    ...{ files, attachments, agents, tools, customAgents, faces, workers, engine, queues, retention, deployments, admitTool, whyNotStart, webhooks },
    agentNames: places.map((place) => place.agent),
    ofRuns: runServices({
      ...{ db, engine, agents, tenants, sandboxes: managed.runs, attachments, tools, whyNotStart },
      assertDestinations: (destinations) => assertDestinations(destinations, webhooks),
    }),
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
