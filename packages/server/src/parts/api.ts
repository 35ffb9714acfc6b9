/** The ways in: HTTP, gRPC, live connections, MCP, models' faces, previews and webhooks, all listened for on one port, gRPC on its own. */
import { join, resolve } from 'node:path'
import {
  addressCheck,
  allowedBy,
  httpApi,
  implementAll,
  listen,
  mcpEndpoint,
  openLinks,
  openLive,
  openMcpServers,
  openPipeline,
  openPreviews,
} from '../api/index.ts'
import { type Db, openHolds } from '../db/index.ts'
import { downloadWith, openBoard } from '../gateway/money/index.ts'
import { openHooks } from '../hooks/index.ts'
import { requestQuotasOf } from '../identity/index.ts'
import { AppError } from '../kernel/index.ts'
import { openAgentMails } from '../mail/index.ts'
import { noSecret, openAttention } from '../outcomes/index.ts'
import { openEgress, openPrograms, parseHosts } from '../tools/index.ts'
import type { Access } from './access.ts'
import type { Modelling } from './models.ts'
import type { Running } from './runs.ts'
import type { Sandboxing } from './sandboxes.ts'
import type { Start } from './start.ts'

const root = resolve(import.meta.dirname, '../../../..')

export type About = { version: string; database: { kind: 'embedded' | 'external'; version: string } }

export async function startApi(start: Start, db: Db, about: About, access: Access, sandboxing: Sandboxing, modelling: Modelling, running: Running) {
  const { config, log, stopping, timed, started, phases } = start
  const { keys, tenants, policies, secrets, identities, audit, heads, stepUp, authenticate, smtp } = access
  const { sandboxes, managed, hosted, images } = sandboxing
  const { routes, tenantProviders, money, guardrails, answers, callLog, gateway } = modelling
  const { agents, tools, attachments, engine, ofRuns, whyNotStart, admitTool, webhooks } = running
  const { version } = about
  const checkAddress = addressCheck(config.LONGHAUL_HTTP_HOST, config.LONGHAUL_PUBLIC_URL)
  const assertAllowed = allowedBy({ policies, audit, stepUp, log })
  const downloads = await started('way to catalogues', openEgress({ privateHosts: parseHosts(config.LONGHAUL_TOOLS_PRIVATE_HOSTS) }))
  const links = openLinks()
  const hooks = openHooks({
    ...{ db, log, secrets, engine, whyNotStart },
    hasAgent: async (tenantId, agent) => (await agents.find(tenantId, agent)) !== undefined,
    start: (tenantId, asker, run) => ofRuns.startAs(tenantId, asker, { destinations: [], ...run }),
    perMinute: config.LONGHAUL_REQUESTS_PER_MINUTE,
  })
  const mcp = await started('MCP', mcpEndpoint({ ...ofRuns, agents, tools, assertAllowed, log, version, bodyBytesMax: config.LONGHAUL_BODY_BYTES_MAX }))
  const mcpServers = await started(
    'hosted MCP servers',
    openMcpServers({
      ...{ tools, admitTool, audit, log, findVersion: agents.findVersion, manifestOf: agents.manifestOf, openVersion: agents.open, assertAllowed },
      programs: openPrograms({ hosted, log, lifeMsMax: 8 * 3_600_000 }),
      assertNotStopped: engine.assertNotStopped,
      stopping: stopping.signal,
      bodyBytesMax: config.LONGHAUL_BODY_BYTES_MAX,
    }),
  )
  const pipeline = openPipeline({
    implementations: implementAll({
      ...ofRuns,
      ...{ hooks, links, attachments, agents, tools, keys, identities, tenants, images, policies, secrets, audit, heads, log },
      ...{ routes, answers, guardrails, callLog },
      queues: running.queues,
      retention: running.retention,
      deployments: running.deployments,
      providers: tenantProviders,
      attention: openAttention({ db, engine, findVersion: agents.findVersion, whyNotStart, forkRun: ofRuns.runs.fork }),
      agentMails: openAgentMails({ db }),
      sandboxes: managed.service,
      templates: managed.templates.service,
      money: openBoard({ db, money, whyNoWebhooks: webhooks.secret === undefined ? noSecret : undefined, download: downloadWith(downloads) }),
      system: {
        describe: async () => ({
          version,
          sandbox: {
            driver: sandboxes.capabilities.driver,
            enforced: sandboxes.capabilities.enforced,
            missing: sandboxes.capabilities.missing,
            languages: sandboxes.capabilities.languages,
            root: sandboxes.capabilities.root ?? null,
          },
          sandboxDrivers: sandboxes.offers.map(({ driver, kernel, enforced, missing, root = null }) => ({ driver, kernel, enforced, missing, root })),
          models: { default: gateway.defaultModel, offline: gateway.isOffline, available: gateway.available },
          mail: smtp ? { from: smtp.from } : null,
          database: about.database,
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
    ...{ pipeline, health, mcp, mcpServers, log },
    requestsPerMinute: config.LONGHAUL_REQUESTS_PER_MINUTE,
    stopping: stopping.signal,
    findFile: running.files.find,
    attachments: { ...attachments, bytesMax: config.LONGHAUL_ATTACHMENT_BYTES_MAX },
    streams: managed.service,
    receiveHook: hooks.receive,
    consoleFolder: join(root, 'packages/console/dist'),
    host: config.LONGHAUL_HTTP_HOST,
    publicUrl: config.LONGHAUL_PUBLIC_URL,
    bodyBytesMax: config.LONGHAUL_BODY_BYTES_MAX,
  })
  const previews = openPreviews({ sandboxes: managed.service, checkAddress, log }, links)
  const live = openLive({ pipeline, log, checkAddress, perKeyMax: config.LONGHAUL_LIVE_CONNECTIONS_PER_KEY })
  const listening = await timed('http', () =>
    listen(app, {
      host: config.LONGHAUL_HTTP_HOST,
      port: config.LONGHAUL_HTTP_PORT,
      connectionsMax: config.LONGHAUL_HTTP_CONNECTIONS,
      direct: [running.faces, previews, live],
    }),
  )
  const grpcPort = config.LONGHAUL_GRPC_PORT
  // Loaded only where it is wanted.
  const grpc =
    grpcPort === undefined
      ? undefined
      : await timed('grpc', async () =>
          (await import('../api/grpc/index.ts')).listenGrpc({
            ...{ pipeline, log, health, checkAddress },
            host: config.LONGHAUL_HTTP_HOST,
            port: grpcPort,
            bodyBytesMax: config.LONGHAUL_BODY_BYTES_MAX,
            connectionsMax: config.LONGHAUL_HTTP_CONNECTIONS,
            stopping: stopping.signal,
          }),
        )
  await started('http', {
    async stop() {
      stopping.abort()
      await Promise.all([live.stop(), grpc?.stop(), listening.stop(config.LONGHAUL_HTTP_GRACE_MS)])
    },
  })
  return { url: listening.url, grpcUrl: grpc?.url }
}
