/** Everything about tools that the server executes: what agents are offered, calls, and what people decide about them. */
import {
  type AgentManifest,
  type ApprovalRule,
  CallRequest,
  type CallResult,
  type CommandConnection,
  ConnectRequest,
  type Failure,
  type ConnectResult,
  type DeclaredEgress,
  type Egress as EgressRules,
  type Json,
  type ServerTool,
  type ToolDefinition,
  type ToolLimits,
  serverTools,
} from '@longhaul/protocol'
import type { z } from 'zod'
import type { Db } from '../db/index.ts'
import type { Secrets } from '../identity/index.ts'
import { type Log, StepFailure, after, monotonicMs, sleep, toFailure, withTimeout } from '../kernel/index.ts'
import type { OpenHosted } from '../sandbox/index.ts'
import { type Named, type Offered, type Offers, type VersionOf, openConnections, toAuthorize } from './connections.ts'
import { openEgress } from './egress/egress.ts'
import { failed } from './failures.ts'
import { isGated, openGate, rememberLimits } from './limits.ts'
import { openMcpClients, originOf } from './mcp/clients.ts'
import { type McpCall, callMcpTool } from './mcp/mcp.ts'
import { callResources } from './mcp/resources.ts'
import { withCredentials } from './mcp/transports.ts'
import { type Embedding, type MemoryService, openMemory } from './memory/memory.ts'
import { type Marketplace, openMarketplace } from './marketplace/marketplace.ts'
import { openAuthorizations } from './oauth/authorizations.ts'
import { openBearers } from './oauth/bearers.ts'
import { callApi } from './openapi/call.ts'
import { type Registry, liveWith, openRegistry } from './registry.ts'
import { type SecretsUser, openToolSecrets } from './secrets.ts'
import { calculate } from './stock/calculator.ts'
import { findFreeTime } from './stock/calendars/free-time.ts'
import { fetchPage } from './stock/fetch-page.ts'
import { requestHttp } from './stock/http-request.ts'
import { type MailOutbox, putMail } from './stock/mail.ts'
import { querySql } from './stock/sql.ts'
import { type SearchSettings, searchWeb } from './stock/web-search.ts'

export type ToolsOptions = {
  db: Db
  log: Log
  version: string
  secrets: Secrets
  /** Sandboxes for tool servers that are programs. */
  hosted: OpenHosted
  /** A tool server that is unused for so long is let go. */
  idleMs?: number | undefined
  /** For what agents remember. Absent: it is searched by words alone. */
  embedding?: Embedding | undefined
  privateHosts: readonly string[]
  search?: SearchSettings | undefined
  /** Mails of agents. Absent: none is sent. */
  mail?: MailOutbox | undefined
  /** What a version's code said of itself; undefined while nobody has loaded it. */
  manifestOf(of: VersionOf): Promise<AgentManifest | undefined>
  /** The version that new runs get. Undefined when there is no such agent. */
  liveVersionOf(tenantId: string, agent: string): Promise<string | undefined>
  /** Folder of a version's code. */
  folderOf(tenantId: string, agent: string, version: string): string
}

/** What a call needs to know of its run: what the engine gives every step that the server executes. */
export type CallContext = {
  run: VersionOf & { id: string; namespace: string; asker: { id: string } }
  op: string
  signal: AbortSignal
  /** Whose words the run has read so far. */
  labels: readonly string[]
  /** The rule by which people have allowed this very call. */
  granted: ApprovalRule | undefined
  /** Has a row written in the transaction that records the step. */
  book(row: string): void
  live(frame: { type: 'output-delta'; stream: 'stdout'; text: string }): void
}

export type Tools = Registry & {
  memory: MemoryService
  marketplace: Marketplace
  connect(input: Json, context: CallContext): Promise<{ output: Json }>
  call(input: Json, context: CallContext): Promise<{ output: Json }>
  /** What may be called of a version without its agent: stock tools and those of connections, but what is withheld or off. A connection that does not answer soon is left out. */
  callable(of: VersionOf): Promise<ToolDefinition[]>
  /** What a version says of itself. Throws a `StepFailure`, retryable, while nobody has loaded it. */
  manifestOf(of: VersionOf): Promise<AgentManifest>
  /** What may leave a sandbox, with the secrets that its proxy puts in. Throws a `StepFailure` for a secret that is not for this agent or host. */
  egressOf(user: SecretsUser, declared: DeclaredEgress | undefined): Promise<EgressRules | undefined>
  /** Whether a tool that a worker executes may be called now, and what it is to keep to. Over a limit it waits a while. Must not reject. */
  admit(call: OwnCall): Promise<Admitted>
  /** What may leave a program's sandbox, with the secrets that are put in on the way. Throws a `StepFailure` when one is not for this agent or host. */
  egressOf(user: SecretsUser, declared: CommandConnection['egress']): ReturnType<typeof withCredentials>
  stop(): Promise<void>
}

/** A call of a worker's tool, and what is said of it: as the engine has it. */
export type OwnCall = { run: VersionOf & { id: string }; name: string }
export type Admitted =
  | { failure: Failure }
  | { failure?: undefined; timeoutMs?: number | undefined; resultCharactersMax?: number | undefined; leave?: (() => void) | undefined }

const callMsMax = 60_000
/** How long a call waits for its limits to let it in. */
const admitMsMax = 30_000
const admitPauseMs = 250
const manifestsMax = 1_000
const resultCharactersMax = 200_000
/** How long whoever wants to know what can be called waits for one connection. */
const listMsMax = 5_000

export function openTools(options: ToolsOptions): Tools {
  const { db, log } = options
  const egress = openEgress({ privateHosts: options.privateHosts })
  const secrets = openToolSecrets(options.secrets)
  const authorizations = openAuthorizations({ egress, secrets: options.secrets, readSecret: secrets.read })
  const bearers = openBearers({ egress, secrets, authorizations })
  const clients = openMcpClients({ egress, secrets, authorizations, hosted: options.hosted, log, version: options.version, idleMs: options.idleMs })
  const connections = openConnections({ db, clients, folderOf: options.folderOf })
  const enter = openGate(db)
  const limits = rememberLimits(db)
  const memory = openMemory({ db, log, embedding: options.embedding })
  const live = liveWith(options)
  const manifests = new Map<string, AgentManifest>()

  async function manifestOf(of: VersionOf): Promise<AgentManifest> {
    const key = `${of.tenantId}/${of.agent}/${of.version}`
    const known = manifests.get(key) // What a version says of itself never changes.
    if (known) return known
    const manifest = await options.manifestOf(of)
    if (!manifest) throw failed('not_loaded', `What version ${of.version} of ${of.agent} says of itself is not recorded yet.`, true)
    if (manifests.size >= manifestsMax) manifests.clear()
    manifests.set(key, manifest)
    return manifest
  }

  async function connect(input: Json, { run }: CallContext): Promise<{ output: Json }> {
    const { connections: names } = parse(ConnectRequest, input, 'connect')
    const declared = (await manifestOf(run)).connections ?? []
    const result: ConnectResult = { tools: [], withheld: [] }
    const found = await Promise.all(names.map((name) => offersOf(run, name, declared)))
    for (const { name, offered, withheld } of found) {
      result.withheld.push(...withheld.map((one) => ({ connection: name, ...one })))
      for (const { definition } of offered) {
        const { isOff } = await limits({ ...run, tool: definition.name }, (await manifestOf(run)).toolLimits ?? {})
        if (isOff) result.withheld.push({ connection: name, tool: definition.name, why: 'It is switched off.' })
        else result.tools.push({ connection: name, ...definition })
      }
    }
    return { output: toJson(result) }
  }

  async function callable(of: VersionOf): Promise<ToolDefinition[]> {
    const manifest = await manifestOf(of)
    const tooLong = () => new Error(`It did not list its tools within ${listMsMax} ms.`)
    const connected = (manifest.connections ?? []).map((named) =>
      withTimeout(listMsMax, usable(of, named), tooLong).then(
        ({ offered }) => offered.map(({ definition }) => definition),
        (error: unknown) => {
          log.info('tools of a connection are not offered, since it does not list them', {
            tenantId: of.tenantId,
            agent: of.agent,
            connection: named.name,
            error,
          })
          return []
        },
      ),
    )
    const all = [...manifest.tools.filter(({ name }) => name in serverTools), ...(await Promise.all(connected)).flat()]
    const found = await Promise.all(all.map(({ name }) => limits({ ...of, tool: name }, manifest.toolLimits ?? {})))
    return all.filter((_, at) => !found[at]?.isOff)
  }

  /** What a connection has, if its calls can be made: an API's document is read without anybody's leave. */
  async function usable(of: VersionOf, named: Named): Promise<Offers> {
    const offers = await connections.offers(of, named)
    const target = toAuthorize(of.agent, named)
    if (target) await authorizations.assert(of.tenantId, target)
    return offers
  }

  async function offersOf(run: VersionOf, name: string, declared: readonly Named[]) {
    const named = declared.find((one) => one.name === name)
    if (!named) throw failed('invalid', `This version declares no connection ${name}.`)
    try {
      return { name, ...(await usable(run, named)) }
    } catch (error) {
      if (!named.connection.isOptional) throw error
      return { name, offered: [], withheld: [{ tool: null, why: toFailure(error).message }] }
    }
  }

  async function admit({ run, name: tool }: OwnCall): Promise<Admitted> {
    const until = monotonicMs() + admitMsMax
    for (;;) {
      try {
        const found = await limits({ ...run, tool }, (await manifestOf(run)).toolLimits ?? {})
        const { timeoutMs, resultCharactersMax } = found
        return { timeoutMs, resultCharactersMax, leave: isGated(found) ? await enter({ ...run, tool }, found) : undefined }
      } catch (error) {
        const failure = toFailure(error)
        const pauseMs = failure.retryAfterMs ?? admitPauseMs
        if (failure.code === 'off' || monotonicMs() + pauseMs > until) return { failure: { ...failure, retryable: false } }
        if (failure.code !== 'over_limit') log.warn('a tool call waits, since its limits cannot be read', { error, runId: run.id, tool })
        await sleep(pauseMs)
      }
    }
  }

  async function call(input: Json, context: CallContext): Promise<{ output: Json }> {
    const { tool, input: given, answered } = parse(CallRequest, input, 'call')
    const { run } = context
    const manifest = await manifestOf(run)
    const found = await limits({ ...run, tool }, manifest.toolLimits ?? {})
    const leave = await enter({ ...run, tool }, found)
    try {
      const result =
        tool in serverTools
          ? await callStock(tool as ServerTool, given, manifest, found, context)
          : await callConnected({ tool, input: given, answered }, manifest, found, context) // Just looked at.
      return { output: toJson({ ...result, output: cut(result.output, found.resultCharactersMax ?? resultCharactersMax) } satisfies CallResult) }
    } finally {
      leave()
    }
  }

  async function callConnected({ tool, input, answered }: CallRequest, manifest: AgentManifest, limits: ToolLimits, context: CallContext): Promise<CallResult> {
    const { run, op, signal, live } = context
    const named = manifest.connections?.find(({ name }) => tool.startsWith(`${name}__`))
    if (!named) throw failed('not_found', `There is no tool ${tool}. Tools of connections are named <connection>__<tool>.`)
    // Looked at again at each call: what was approved when the run began may have been changed since.
    const { offered, withheld } = await connections.offers(run, named)
    const found = offered.find(({ name }) => name === tool)
    if (!found) {
      const why = withheld.find((one) => one.tool === tool || one.tool === null)?.why
      throw failed(why ? 'withheld' : 'not_found', why ? `The tool ${tool} is withheld. ${why}` : `The connection ${named.name} has no tool ${tool} now.`)
    }
    const key = `${run.id}/${op}`
    const timeoutMs = limits.timeoutMs ?? named.connection.timeoutMs
    return within(timeoutMs, tool, signal, (stop) =>
      execute(found, {
        input,
        answered,
        key,
        timeoutMs,
        signal: stop,
        user: { tenantId: run.tenantId, agent: run.agent, runId: run.id },
        onProgress: (text) => live({ type: 'output-delta', stream: 'stdout', text }),
      }),
    )
  }

  async function execute(found: Offered, { user, ...use }: Omit<McpCall, 'definition'> & { user: SecretsUser }): Promise<CallResult> {
    if (found.kind === 'openapi') {
      const { output, origin } = await callApi({ ...found, user, ...use }, { egress, secrets, bearers })
      return { output, parts: [], source: 'tool_server', origin }
    }
    const target = { ...found.target, runId: user.runId }
    const output =
      found.kind === 'resource'
        ? await callResources(clients, target, { tool: found.tool, ...use })
        : await callMcpTool(clients, target, { definition: found.mcp, ...use })
    return { output, parts: [], source: 'tool_server', origin: originOf(target) }
  }

  async function callStock(
    tool: ServerTool,
    given: Json,
    manifest: AgentManifest,
    limits: ToolLimits,
    { run, op, signal, labels, granted, book }: CallContext,
  ): Promise<CallResult> {
    const { timeoutMs = callMsMax } = limits
    return within(timeoutMs, tool, signal, async (stop): Promise<CallResult> => {
      const use = { egress, hosts: manifest.allowedHosts ?? [], signal: stop, key: `${run.id}/${op}` }
      const web = ({ output, origin }: { output: Json; origin: string }): CallResult => ({ output, parts: [], source: 'web', origin })
      const { tenantId, agent } = run
      const user = { tenantId, agent, subjectId: run.asker.id, runId: run.id, key: use.key, labels, signal: stop }
      switch (tool) {
        case 'remember':
          return own(await memory.remember(parse(serverTools.remember.input, given, tool), user))
        case 'recall':
          return recalled(await memory.recall(parse(serverTools.recall.input, given, tool), user))
        case 'calculator':
          return own(await calculate(parse(serverTools.calculator.input, given, tool).expression))
        case 'http_request':
          return web(await requestHttp(parse(serverTools.http_request.input, given, tool), use))
        case 'fetch_page':
          return web(await fetchPage(parse(serverTools.fetch_page.input, given, tool), use))
        case 'sql': {
          const { output, origin } = await querySql(parse(serverTools.sql.input, given, tool), {
            databases: manifest.databases ?? {},
            user,
            secrets,
            egress,
            signal: stop,
          })
          return { output, parts: [], source: 'tool_server', origin }
        }
        case 'free_time': {
          const use = { calendars: manifest.calendars ?? {}, user, secrets, egress, signal: stop }
          const { output, origins } = await findFreeTime(parse(serverTools.free_time.input, given, tool), use)
          const [origin = null] = origins
          return { output, parts: [], source: 'tool_server', origin, labels: origins.map((host) => `tool_server:${host}`) }
        }
        case 'mail':
          return own(
            putMail(parse(serverTools.mail.input, given, tool), {
              ...{ run, op, labels, isGranted: granted !== undefined, book },
              declared: manifest.mailRecipients ?? [],
              mail: options.mail,
            }),
          )
        case 'web_search':
          return web(await searchWeb(parse(serverTools.web_search.input, given, tool), { ...use, search: options.search }))
      }
    })
  }

  return {
    connect,
    call,
    admit,
    callable,
    manifestOf,
    egressOf: (user, declared) => withCredentials(user, declared, secrets),
    memory: memory.service,
    marketplace: openMarketplace({ db, connections, live, folderOf: options.folderOf }),
    ...openRegistry({ db, connections, authorizations, clients, onLimits: limits.forget, live, manifestOf }),
    async stop() {
      await clients.stop()
      await egress.stop()
    },
  }
}

const own = (output: Json): CallResult => ({ output, parts: [], source: 'own', origin: null })

/** Words that came from outside when they were remembered come from there now. */
function recalled({ output, labels }: { output: Json; labels: string[] }): CallResult {
  if (labels.length === 0) return own(output)
  const [, source, origin] = labels.map((label) => /^(web|tool_server):(.*)$/s.exec(label)).find((found) => found !== null) ?? []
  return { output, parts: [], source: source === 'web' ? 'web' : 'tool_server', origin: origin ?? 'memory', labels }
}

/** Ends the work's signal with the caller's, or when the time is up. */
async function within<Result>(ms: number, tool: string, signal: AbortSignal, work: (stop: AbortSignal) => Promise<Result>): Promise<Result> {
  const timeUp = new AbortController()
  const cancel = after(ms, () => timeUp.abort(failed('timeout', `The tool ${tool} took longer than ${ms / 1_000} s.`)))
  try {
    return await work(AbortSignal.any([signal, timeUp.signal]))
  } catch (error) {
    throw timeUp.signal.aborted && !signal.aborted ? (timeUp.signal.reason as StepFailure) : error // Set two lines above.
  } finally {
    cancel()
  }
}

/** A result that is too long loses its end, and says so. A structured one is too long as a whole: half of it would be another. */
function cut(output: Json, max: number): Json {
  const text = typeof output === 'string' ? output : JSON.stringify(output)
  if (text.length <= max) return output
  return `${text.slice(0, max).toWellFormed()}\n[${text.length - max} of ${text.length} characters are left out. Ask for less, or for a part.]`
}

function parse<Schema extends z.ZodType>(schema: Schema, input: Json, what: string): z.output<Schema> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  throw failed('invalid', `The input of ${what} is malformed: ${parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}.`)
}

/** Plain data of ours: undefined properties are left out when it is written. */
const toJson = (value: object): Json => JSON.parse(JSON.stringify(value)) as Json
