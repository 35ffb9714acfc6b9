/** The tools of an agent as people see them: where each comes from, in what state it is, how its calls fared, and what was decided about it. */
import {
  type AgentManifest,
  type ConnectionProblem,
  type Json,
  type OfferedPrompt,
  type PromptChoice,
  type Tool,
  type ToolLimits,
  limitsFor,
  serverTools,
} from '@longhaul/protocol'
import type { Db } from '../db/index.ts'
import type { Caller } from '../identity/index.ts'
import { AppError, StepFailure, toFailure } from '../kernel/index.ts'
import { recordCalls } from './call-store.ts'
import { type Connections, type Named, type VersionOf, scopeOf, toAuthorize } from './connections.ts'
import { listLimits, setLimits } from './limit-store.ts'
import { type McpClients, type McpTarget, originOf } from './mcp/clients.ts'
import { type Definition, changesBetween, toToolDefinition } from './mcp/definition.ts'
import { listPrompts, readPrompt } from './mcp/prompts.ts'
import type { Authorizations } from './oauth/authorizations.ts'
import { type Pin, approvePin } from './pin-store.ts'
import { stateOf } from './pins.ts'

export type Registry = {
  list(tenantId: string, agent: string): Promise<Tool[]>
  /** Connections of the live version that wait for a person to authorize them, without asking anybody. */
  unauthorized(tenantId: string, agent: string): Promise<ConnectionProblem[]>
  /** Asks the tool servers now. `problems` are those that did not answer, or that nobody has authorized. */
  refresh(tenantId: string, agent: string): Promise<{ items: Tool[]; problems: ConnectionProblem[] }>
  approve(tenantId: string, by: string, request: { agent: string; tool: string; hash: string }): Promise<Tool>
  limit(
    tenantId: string,
    by: string,
    request: { agent: string; pattern: string; limits: ToolLimits },
  ): Promise<{ agent: string; limits: Record<string, ToolLimits> }>
  /** Of the live version: begins to have a person authorize a connection, and finishes it. */
  authorize(caller: Caller, request: { agent: string; connection: string; redirectUri: string }): Promise<{ url: string; state: string; authority: string }>
  finishAuthorization(
    caller: Caller,
    request: { agent: string; connection: string; state: string; code: string; iss?: string | undefined },
  ): Promise<{ agent: string; connection: string; authority: string; scope: string | null; isRefreshable: boolean }>
  /** What the tool server of a connection of the live version offers people to begin with. Throws `unavailable` while it is away. */
  prompts(tenantId: string, agent: string, connection: string): Promise<OfferedPrompt[]>
  /** One of them, and the label of whose words it is. Without a version: the live one's. */
  prompt(of: Omit<VersionOf, 'version'> & { version?: string }, choice: PromptChoice): Promise<{ description: string | null; text: string; label: string }>
}

type RegistryOptions = {
  db: Db
  connections: Connections
  authorizations: Authorizations
  clients: McpClients
  /** Limits were set here: they count at once. */
  onLimits(tenantId: string, agent: string): void
  live(tenantId: string, agent: string): Promise<VersionOf & { manifest: AgentManifest }>
  /** Throws a `StepFailure` while nobody has loaded it. */
  manifestOf(of: VersionOf): Promise<AgentManifest>
}
type LiveOptions = {
  manifestOf(of: VersionOf): Promise<AgentManifest | undefined>
  liveVersionOf(tenantId: string, agent: string): Promise<string | undefined>
}

const askMsMax = 30_000
const sandboxTools = ['bash', 'read_file', 'write_file', 'list_files', 'python', 'browser', 'time', 'read_skill']

/** What an agent's live version says of itself. Throws `not_found`, or `unavailable` while nobody has loaded it. */
export const liveWith =
  ({ manifestOf, liveVersionOf }: LiveOptions) =>
  async (tenantId: string, agent: string): Promise<VersionOf & { manifest: AgentManifest }> => {
    const version = await liveVersionOf(tenantId, agent)
    if (version === undefined) throw new AppError('not_found', `No agent ${agent}.`)
    const manifest = await manifestOf({ tenantId, agent, version })
    if (!manifest) throw new AppError('unavailable', `The code of ${agent} has not been loaded yet. Try again in a moment.`)
    return { tenantId, agent, version, manifest }
  }

export function openRegistry({ db, connections, authorizations, clients, onLimits, live, manifestOf }: RegistryOptions): Registry {
  async function list(tenantId: string, agent: string): Promise<Tool[]> {
    const of = await live(tenantId, agent)
    const { version, manifest } = of
    const operators = await listLimits(db, tenantId, agent)
    const records = new Map((await recordCalls(db, tenantId, agent, version)).map((record) => [record.name, record]))
    const describe = (tool: Pick<Tool, 'name' | 'kind' | 'connection' | 'state' | 'description' | 'inputSchema' | 'pin'>): Tool => {
      const limits = { ...limitsFor(manifest.toolLimits ?? {}, tool.name), ...limitsFor(operators, tool.name) }
      const { count = 0, errorCount = 0, durationMsP50 = null, durationMsP95 = null } = records.get(tool.name) ?? {}
      return {
        agent,
        version,
        ...tool,
        state: limits.isOff && tool.state === 'ready' ? 'off' : tool.state,
        limits,
        calls: { count, errorCount, durationMsP50, durationMsP95 },
      }
    }
    const own = manifest.tools.map(({ name, description, inputSchema }) =>
      describe({
        name,
        kind: name in serverTools || sandboxTools.includes(name) ? 'stock' : 'own',
        connection: null,
        state: 'ready',
        description,
        inputSchema,
        pin: null,
      }),
    )
    const others = await Promise.all((manifest.connections ?? []).map((named) => ofConnection(of, named)))
    return [...own, ...others.flat().map(describe)]
  }

  async function ofConnection(of: VersionOf, named: Named) {
    const { kind } = named.connection
    if (kind === 'mcp' || kind === 'command') return (await connections.pins(of, named)).map((pin) => ofPin(named.name, pin))
    const { offered } = await connections.offers(of, named).catch(() => ({ offered: [] })) // A document that cannot be read is told by `refresh`.
    return offered.map(({ definition, kind }) => ({
      ...definition,
      kind: kind === 'openapi' ? kind : ('mcp' as const),
      connection: named.name,
      state: 'ready' as const,
      pin: null,
    }))
  }

  function serverOf(of: VersionOf, { connections: declared = [] }: AgentManifest, name: string): McpTarget {
    const found = declared.find((one) => one.name === name)?.connection
    if (found?.kind !== 'mcp' && found?.kind !== 'command')
      throw new AppError('not_found', `${of.agent} has no connection ${name} to an MCP server of its own.`)
    return connections.targetOf(of, name, found)
  }

  /** For somebody who waits for it: fails as operations do. */
  async function asked<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    try {
      return await work(AbortSignal.timeout(askMsMax))
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error
      throw new AppError(error.failure.retryable ? 'unavailable' : 'conflict', error.message, error)
    }
  }

  async function targetOf({ tenantId }: Caller, agent: string, name: string) {
    const { manifest } = await live(tenantId, agent)
    const named = manifest.connections?.find((one) => one.name === name)
    if (named?.connection.kind !== 'mcp' && named?.connection.kind !== 'openapi')
      throw new AppError('not_found', `${agent} has no connection ${name} to an MCP server over HTTP or to an API.`)
    const target = toAuthorize(agent, named)
    if (!target)
      throw new AppError('invalid', `The connection ${name} of ${agent} is not one that a person authorizes: its \`oauth\` needs "flow": "authorization-code".`)
    return target
  }

  async function assertAuthorized(of: VersionOf, named: Named): Promise<void> {
    const target = toAuthorize(of.agent, named)
    if (target) await authorizations.assert(of.tenantId, target)
  }

  /** What goes wrong with `work`, connection by connection. */
  async function problemsOf({ connections: declared = [] }: AgentManifest, work: (named: Named) => Promise<unknown>): Promise<ConnectionProblem[]> {
    const failures = await Promise.all(
      declared.map((named) =>
        work(named).then(
          () => [],
          (error: unknown) => [{ connection: named.name, message: toFailure(error).message }],
        ),
      ),
    )
    return failures.flat()
  }

  return {
    list,
    async unauthorized(tenantId, agent) {
      const { manifest, ...of } = await live(tenantId, agent)
      return problemsOf(manifest, (named) => assertAuthorized(of, named))
    },
    async refresh(tenantId, agent) {
      const { manifest, ...of } = await live(tenantId, agent)
      const problems = await problemsOf(manifest, async (named) => {
        await connections.offers(of, named, true)
        await assertAuthorized(of, named)
      })
      return { items: await list(tenantId, agent), problems }
    },
    async approve(tenantId, by, { agent, tool, hash }) {
      const { manifest } = await live(tenantId, agent)
      const named = manifest.connections?.find(({ name }) => tool.startsWith(`${name}__`))
      if (!named || named.connection.kind === 'openapi' || named.connection.kind === 'marketplace')
        throw new AppError('not_found', `${agent} has no tool ${tool} of a tool server.`)
      const isApproved = await approvePin(db, scopeOf({ tenantId, agent }, named.name, named.connection), tool, hash, by)
      const found = (await list(tenantId, agent)).find(({ name }) => name === tool)
      if (!found) throw new AppError('not_found', `${agent} has no tool ${tool}.`)
      // Asked twice, or by two people: it is approved, which is what was wanted.
      if (!isApproved && found.pin?.hash !== hash)
        throw new AppError(
          'conflict',
          `What ${tool} is offered as has another hash now: ${found.pin?.offeredHash ?? 'nothing waits for approval'}. Look at it again.`,
        )
      return found
    },
    async limit(tenantId, by, { agent, pattern, limits }) {
      await live(tenantId, agent)
      await setLimits(db, tenantId, agent, pattern, limits, by)
      onLimits(tenantId, agent)
      return { agent, limits: await listLimits(db, tenantId, agent) }
    },
    async prompts(tenantId, agent, connection) {
      const { manifest, ...of } = await live(tenantId, agent)
      const target = serverOf(of, manifest, connection)
      return asked((signal) => listPrompts(clients, target, signal))
    },
    async prompt({ tenantId, agent, version }, { connection, ...choice }) {
      const of = version === undefined ? await live(tenantId, agent) : { tenantId, agent, version }
      const manifest = 'manifest' in of ? of.manifest : await asked(() => manifestOf(of))
      const target = serverOf({ tenantId, agent, version: of.version }, manifest, connection)
      return { ...(await asked((signal) => readPrompt(clients, target, choice, signal))), label: `tool_server:${originOf(target)}` }
    },
    authorize: async (caller, { agent, connection, redirectUri }) => authorizations.begin(caller, await targetOf(caller, agent, connection), redirectUri),
    async finishAuthorization(caller, { agent, connection, ...came }) {
      const { authority, tokens } = await authorizations.finish(caller, await targetOf(caller, agent, connection), came)
      return { agent, connection, authority, scope: tokens.scope ?? null, isRefreshable: tokens.refresh_token !== undefined }
    },
  }
}

function ofPin(connection: string, pin: Pin) {
  const shown = (pin.definition ?? pin.offered) as Definition // One of the two is always there, and was made by `toDefinition`.
  const changes = pin.definition !== null && pin.offered !== null ? changesBetween(pin.definition as Definition, pin.offered as Definition) : [] // As above.
  const { description, inputSchema } = toToolDefinition(connection, pin.name, shown)
  const { hash, offeredHash, decidedBy } = pin
  return {
    name: pin.name,
    kind: 'mcp' as const,
    connection,
    state: stateOf(pin),
    description,
    inputSchema: inputSchema satisfies Json,
    pin: { hash, offeredHash, changes, decidedBy, decidedAt: pin.decidedAt?.toISOString() ?? null },
  }
}
