/**
 * `POST /mcp`: agents as MCP tools, and the tools that they have, over streamable HTTP. Speaks 2026-07-28 and, to clients that do not, 2025-11-25 and older; keeps
 * nothing between requests but which of them are under way. Whoever calls is known by an API key, with the permissions that it has
 * everywhere.
 */
import { type CallToolResult, type McpRequestContext, Server, type ServerContext, type Tool, createMcpHandler } from '@modelcontextprotocol/server'
import {
  type Agent,
  type Json,
  type Operation,
  type Permission,
  type Run,
  type RunEvent,
  type ToolDefinition,
  cancelRun,
  startRun,
  startToolCall,
} from '@longhaul/protocol'
import type { Caller } from '../identity/index.ts'
import { AppError, type Log, newId } from '../kernel/index.ts'
import type { Tools } from '../tools/index.ts'
import type { AgentService } from './agents.ts'
import type { RunStream } from './event-stream.ts'
import { followRun } from './follow-run.ts'
import type { RunService } from './runs.ts'

export type McpEndpoint = {
  handle(caller: Caller, request: Request): Promise<Response>
  stop(): Promise<void>
}

export type McpEndpointOptions = {
  runs: Pick<RunService, 'start' | 'callTool' | 'find' | 'cancel'>
  stream: RunStream
  agents: AgentService
  tools: Pick<Tools, 'callable'>
  /** Throws when a policy forbids it, as the same operation over HTTP would be. */
  assertAllowed(caller: Caller, operation: Operation, input: Record<string, unknown>): Promise<void>
  log: Log
  version: string
  bodyBytesMax: number
  /** How long one call waits for its run. The run goes on afterwards. */
  patienceMs?: number
}

/** `end` stops the waiting; `isCancelled` says whether it was the client that wanted the run stopped. */
type Asked = { caller: Caller; context: ServerContext; end: AbortSignal; isCancelled(): boolean }

const outcomeSchema = {
  type: 'object' as const,
  properties: {
    runId: { type: 'string' },
    state: { type: 'string', enum: ['pending', 'running', 'waiting', 'completed', 'failed', 'cancelled'] },
    text: { type: ['string', 'null'], description: 'The answer in words' },
    output: { description: 'What the run ended with' },
    problem: { type: ['string', 'null'], description: 'Why it failed, or what it waits for' },
  },
  required: ['runId', 'state', 'text', 'output', 'problem'],
}
const runTools: Tool[] = [
  { name: 'get_run', description: 'Says how a run that was started earlier stands, and its answer once there is one.' },
  { name: 'cancel_run', description: 'Stops a run for good.' },
].map((tool) => ({
  ...tool,
  inputSchema: { type: 'object', properties: { runId: { type: 'string', format: 'uuid' } }, required: ['runId'], additionalProperties: false },
  outputSchema: outcomeSchema,
  annotations: { readOnlyHint: tool.name === 'get_run', idempotentHint: true, openWorldHint: false },
}))

/** Tools of agents that are offered, beside the agents themselves. */
const offeredMax = 1_000

export function mcpEndpoint({ runs, stream, agents, tools, assertAllowed, log, version, bodyBytesMax, patienceMs = 600_000 }: McpEndpointOptions): McpEndpoint {
  /** Calls of clients that cancel by a request of its own. Named by key and session, so that nobody cancels another's. */
  const underWay = new Map<string, AbortController>()
  let isStopping = false

  function serverFor({ authInfo, requestInfo, era }: McpRequestContext): Server {
    const caller = callerOf(authInfo)
    const session = requestInfo?.headers.get('mcp-session-id') ?? undefined
    const server = new Server(
      { name: 'longhaul', version },
      {
        capabilities: { tools: {} },
        instructions:
          'Each tool ask_<agent> asks one agent of this Longhaul server. An answer may take minutes; progress is reported meanwhile. A tool <agent>__<tool> is one that this agent has, called without it.',
      },
    )
    const name = (requestId: unknown) => `${caller.keyId} ${session ?? ''} ${JSON.stringify(requestId)}`
    server.setRequestHandler('tools/list', async () => {
      need(caller, 'agents:read')
      const seen = (await agents.list(caller.tenantId)).filter(({ name }) => !caller.agents || caller.agents.includes(name))
      return { tools: [...seen.flatMap(toTool), ...(await toolsOf(caller, seen)), ...runTools] }
    })
    server.setRequestHandler('tools/call', async ({ params }, context) => {
      const stop = new AbortController()
      const key = name(context.mcpReq.id)
      if (session !== undefined) underWay.set(key, stop)
      try {
        // In 2026 a client cancels by hanging up. In 2025 hanging up means nothing: it says so by a request of its own.
        const gone = context.mcpReq.signal
        const isCancelled = () => !isStopping && (stop.signal.aborted || (era === 'modern' && gone.aborted))
        return await call({ caller, context, end: AbortSignal.any([stop.signal, gone]), isCancelled }, params.name, params.arguments ?? {})
      } catch (error) {
        if (!(error instanceof AppError) || error.code === 'internal') throw error
        return wrong(error.message)
      } finally {
        underWay.delete(key)
      }
    })
    server.setNotificationHandler('notifications/cancelled', ({ params }) => underWay.get(name(params.requestId))?.abort())
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- It is no event target: this is the library's only way.
    server.onerror = (error) => log.debug('an MCP client was refused', { keyId: caller.keyId, reason: error.message.slice(0, 500) })
    return server
  }

  async function call({ caller, context, end, isCancelled }: Asked, tool: string, input: Record<string, unknown>): Promise<CallToolResult> {
    if (tool === 'get_run' || tool === 'cancel_run') {
      need(caller, 'runs:read')
      const runId = String(input['runId'] ?? '')
      if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(runId)) throw new AppError('invalid', 'runId: must be the id of a run.')
      if (tool === 'get_run') return toResult(found(await runs.find(caller, runId), runId))
      need(caller, 'runs:write')
      await assertAllowed(caller, cancelRun, { runId })
      return toResult(await runs.cancel(caller, { runId, reason: 'cancelled through MCP' }))
    }
    const [, owner, own] = /^([a-z0-9-]+)__(.+)$/s.exec(tool) ?? []
    if (owner !== undefined && own !== undefined) {
      need(caller, 'tools:call')
      const called = { agent: owner, tool: own, input: input as Json } // It came as JSON.
      await assertAllowed(caller, startToolCall, called)
      return ended(await runs.callTool(caller, called))
    }
    const agent = tool.startsWith('ask_') ? tool.slice('ask_'.length) : undefined
    if (agent === undefined) throw new AppError('not_found', `There is no tool ${tool}. tools/list names those that there are.`)
    need(caller, 'runs:write')
    need(caller, 'runs:read')
    const { session } = input
    if (session !== undefined && (typeof session !== 'string' || session.length === 0 || session.length > 128))
      throw new AppError('invalid', 'session: must be a text of 1 to 128 characters.')
    const said = input['message'] ?? input['input']
    if (said === undefined) throw new AppError('invalid', 'message: is missing.')
    const asked = { agent, input: said as Json, session, destinations: [] } // It came as JSON.
    await assertAllowed(caller, startRun, asked)
    return ended(await runs.start(caller, asked))

    async function ended(started: Run): Promise<CallToolResult> {
      const run = await followRun({ find: runs.find, stream, audience: caller, runId: started.id, signal: end, patienceMs, onEvent: reporter(context) })
      if (!isCancelled()) return toResult(run)
      return toResult(await runs.cancel(caller, { runId: run.id, reason: 'cancelled by the MCP client' }).catch(() => run)) // It may have ended in between.
    }
  }

  /** Those that the server executes, for callers who may do without the agent's judgement. */
  async function toolsOf(caller: Caller, seen: readonly Agent[]): Promise<Tool[]> {
    if (!caller.permissions.includes('tools:call')) return []
    const { tenantId } = caller
    const namespace = caller.namespaces?.[0] ?? 'default'
    const found = seen
      .filter(({ status }) => status === 'ready')
      .map(async ({ name: agent, version: of }) => (await tools.callable({ tenantId, agent, version: of, namespace })).map((tool) => toOwnTool(agent, tool)))
    return (await Promise.all(found)).flat().slice(0, offeredMax)
  }

  const handler = createMcpHandler(serverFor, {
    maxRequestBodySize: bodyBytesMax,
    onerror: (error) => log.debug('MCP request refused', { reason: error.message.slice(0, 500) }),
  })
  return {
    async handle(caller, request) {
      const response = await handler.fetch(request, { authInfo: { token: '', clientId: caller.keyId, scopes: [...caller.permissions], extra: { caller } } })
      // Clients of 2025 send a session's name back with everything: ours are names and nothing more, so any server understands them.
      if (response.ok && !request.headers.has('mcp-session-id') && !request.headers.has('mcp-protocol-version')) {
        const headers = new Headers(response.headers)
        headers.set('mcp-session-id', newId())
        return new Response(response.body, { status: response.status, headers })
      }
      return response
    },
    async stop() {
      isStopping = true // Whoever waits is cut off, and their runs go on.
      await handler.close()
    },
  }
}

/** Put there by `handle`, and by nobody else. */
const callerOf = (authInfo: { extra?: Record<string, unknown> } | undefined): Caller => authInfo?.extra?.['caller'] as Caller

/** The schema is an object's, as each tool's is. */
const toOwnTool = (agent: string, { name, description, inputSchema }: ToolDefinition): Tool => ({
  name: `${agent}__${name}`,
  description,
  inputSchema: inputSchema as Tool['inputSchema'],
  outputSchema: outcomeSchema,
})

function toTool({ name, manifest, status }: Agent): Tool[] {
  if (status === 'broken' || manifest?.shape === 'mcp') return []
  const isCode = manifest?.shape === 'function'
  const examples = manifest?.examples.slice(0, 3).map((example) => `\n- ${example}`)
  const about = `${manifest?.description ?? 'An agent.'}${examples?.length ? `\nFor example:${examples.join('')}` : ''}`
  return [
    {
      name: `ask_${name}`,
      description: about,
      inputSchema: {
        type: 'object',
        properties: {
          ...(isCode ? { input: { description: 'Any JSON' } } : { message: { type: 'string', minLength: 1, description: 'The question or task, in full' } }),
          session: {
            type: 'string',
            maxLength: 128,
            description: 'Name of a conversation, to go on with it or to begin it. Without one the agent knows of nothing before.',
          },
        },
        required: [isCode ? 'input' : 'message'],
        additionalProperties: false,
      },
      outputSchema: outcomeSchema,
      annotations: { title: `Ask ${name}`, readOnlyHint: false, openWorldHint: true },
    },
  ]
}

function toResult(run: Run): CallToolResult {
  const { id: runId, state, output, failure, wait } = run
  const text = answerText(output)
  const problem = failure?.message ?? (state === 'waiting' && wait ? `It waits for ${wait.kind} ${JSON.stringify(wait.name)}.` : null)
  const words =
    state === 'completed'
      ? (text ?? JSON.stringify(output, null, 2))
      : state === 'failed'
        ? `The run failed: ${problem}`
        : state === 'cancelled'
          ? 'The run was cancelled.'
          : `The run ${runId} goes on. ${problem ?? ''} Ask for it with get_run.`
  return { content: [{ type: 'text', text: words }], structuredContent: { runId, state, text, output, problem }, ...(state === 'failed' && { isError: true }) }
}

const answerText = (output: Json): string | null =>
  typeof output === 'string'
    ? output
    : typeof output === 'object' && output !== null && !Array.isArray(output) && typeof output['text'] === 'string'
      ? output['text']
      : null

const wrong = (text: string): CallToolResult => ({ content: [{ type: 'text', text }], isError: true })

/** Tells a client that asked for it what the run does, one line for each step. */
function reporter({ mcpReq }: ServerContext): (event: RunEvent) => Promise<void> {
  const progressToken = mcpReq._meta?.progressToken
  return async (event) => {
    const message = describe(event)
    if (progressToken === undefined || message === undefined) return
    await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress: event.seq + 1, message } }).catch(() => {}) // Whoever does not listen any more misses nothing that the result does not say.
  }
}

function describe(event: RunEvent): string | undefined {
  if (event.type === 'step.started') return `${event.data.kind === 'model' ? 'asks the model' : event.data.kind}: ${event.data.name}`
  if (event.type === 'step.failed') return `${event.data.name} failed: ${event.data.failure.message.slice(0, 200)}`
  if (event.type === 'wait.created') return `waits for ${event.data.kind} ${event.data.name}`
  return undefined
}

function need(caller: Caller, permission: Permission): void {
  if (!caller.permissions.includes(permission)) throw new AppError('forbidden', `This needs the permission ${permission}, which the key ${caller.name} lacks.`)
}

function found(run: Run | undefined, runId: string): Run {
  if (!run) throw new AppError('not_found', `No run ${runId}.`)
  return run
}
