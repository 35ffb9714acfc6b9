/**
 * `/mcp/<name>`: the MCP server that a folder brings, for any client with a key or a login. Its program runs in a sandbox: one for each session of a
 * client of 2025-11-25 or older, one for each key whose clients keep no session (2026-07-28).
 */
import { join } from 'node:path'
import { PROTOCOL_VERSION_META_KEY, classifyInboundRequest, isInitializeRequest } from '@modelcontextprotocol/server'
import { type AgentManifest, type McpServer, type Operation, getAgent } from '@longhaul/protocol'
import type { Admission as ToolAdmission, ToolCall } from '../../engine/index.ts'
import { type Audit, type Caller, askerOf, whoIs } from '../../identity/index.ts'
import { AppError, type Log, StepFailure, newId, secret } from '../../kernel/index.ts'
import type { ProgramTransport, Programs, Tools } from '../../tools/index.ts'
import type { Admission } from '../admission.ts'
import { readBytes } from '../input.ts'
import { assertPermitted } from '../pipeline.ts'
import { type Exchange, openExchange } from './exchange.ts'
import { whyHeadersDiffer } from './headers.ts'
import { type Kept, isSame, openKeeper } from './keeper.ts'
import type { Admitted } from './pipe.ts'
import { openSession } from './session.ts'

export type McpServers = {
  handle(admission: Admission, name: string, request: Request): Promise<Response>
  /** Resolves when no program is left. */
  stop(): Promise<void>
}

type VersionOf = { tenantId: string; agent: string; version: string }
export type McpServersOptions = {
  programs: Programs
  tools: Pick<Tools, 'egressOf'>
  findVersion(
    tenantId: string,
    name: string,
    askerId: string,
    subject: string,
  ): Promise<{ version: string } | { problem: string; code: 'not_found' | 'conflict' }>
  manifestOf(of: VersionOf): Promise<AgentManifest | undefined>
  /** Where the version's code lies on this machine. */
  openVersion(tenantId: string, agent: string, version: string): Promise<{ folder: string } | undefined>
  /** Throws when a policy forbids it, as the same operation over HTTP would be. */
  assertAllowed(caller: Caller, operation: Operation, input: Record<string, unknown>): Promise<void>
  /** Throws while a stop is in force over it. */
  assertNotStopped(scope: { tenantId: string; namespace: string; agent: string }): void
  admitTool(call: ToolCall): Promise<ToolAdmission>
  audit: Pick<Audit, 'note'>
  /** Aborted when the server stops: whoever listens is let go. */
  stopping: AbortSignal
  log: Log
  bodyBytesMax: number
}

/** Of the protocol without sessions. What a session speaks, its client and its program settle by `initialize`. */
const statelessVersions = ['2026-07-28']

type Started = { program: ProgramTransport; version: string; declared: McpServer }

export function openMcpServers(options: McpServersOptions): McpServers {
  const { log, audit, stopping } = options
  const keeper = openKeeper({ log, whyStopped: ({ caller, agent }) => whyStopped(caller, agent) })
  const opening = new Map<string, Promise<Kept>>()

  async function handle(admission: Admission, name: string, request: Request): Promise<Response> {
    const { caller } = admission
    assertPermitted(caller, 'tools:call')
    await options.assertAllowed(caller, getAgent, { name })
    options.assertNotStopped(scopeOf(caller, name))
    if (stopping.aborted) throw new AppError('unavailable', 'The server is stopping.')
    if (request.method !== 'POST') return inSession(caller, name, request, undefined)
    const body = parsed(await readBytes(request, options.bodyBytesMax))
    const id = idOf(body)
    if (Array.isArray(body)) return refused(400, -32_600, 'Send one message at a time: batches are not taken.', id)
    const route = classifyInboundRequest({ httpMethod: request.method, body, ...headersOf(request.headers) })
    if (route.kind === 'reject') return refused(route.httpStatus, route.code, route.message, id, route.data)
    if (route.kind === 'legacy')
      return isInitializeRequest(body) && !request.headers.has('mcp-session-id')
        ? begin(admission, name, request, body)
        : inSession(caller, name, request, body)
    const requested = String(route.message.params?._meta?.[PROTOCOL_VERSION_META_KEY] ?? request.headers.get('mcp-protocol-version'))
    if (!statelessVersions.includes(requested))
      return refused(400, -32_022, `Version ${requested} of the protocol is not spoken here.`, id, { supported: statelessVersions, requested })
    const why = route.messageKind === 'request' ? whyHeadersDiffer(route.message, request.headers) : undefined
    if (why !== undefined) return refused(400, -32_020, why, id)
    const exchange = await exchangeFor(admission, name)
    return route.messageKind === 'request' ? exchange.ask(route.message, request.headers, request.signal) : exchange.tell(route.message)
  }

  /** Another's session is as one that is not there. */
  async function inSession(caller: Caller, name: string, request: Request, body: unknown): Promise<Response> {
    const id = request.headers.get('mcp-session-id')
    if (id === null) return refused(400, -32_000, 'Mcp-Session-Id is missing. Begin with initialize.', idOf(body))
    const found = keeper.find(id)
    if (!found?.session || found.agent !== name || !isSame(found.caller, caller))
      return refused(404, -32_001, 'There is no such session, or it has ended. Begin again with initialize.', idOf(body))
    return found.session.handle(request, body)
  }

  async function begin(admission: Admission, name: string, request: Request, body: unknown): Promise<Response> {
    const id = secret()
    const started = await start(admission.caller, name, await versionOf(admission.caller, name))
    const session = openSession({ id, ...pipeOptions(admission.caller, name, started, id), onEnd: () => keeper.forget(one) })
    const one = keeper.keep({ key: id, agent: name, pipe: session.pipe, session }, { admission, idleMs: started.declared.idleMs, end: session.end })
    await note(admission.caller, 'mcp.connect', name, { version: started.version })
    const response = await session.handle(request, body)
    if (!response.ok) void session.end()
    return response
  }

  /** The one of this key and version, begun when there is none. */
  async function exchangeFor(admission: Admission, name: string): Promise<Exchange> {
    const { caller } = admission
    const version = await versionOf(caller, name)
    const key = JSON.stringify([caller.tenantId, caller.keyId, name, version])
    const found = keeper.find(key) ?? (await (opening.get(key) ?? openExchangeFor(admission, name, version, key)))
    if (!found.exchange) throw new Error('A session has the key of an exchange.')
    return found.exchange
  }

  function openExchangeFor(admission: Admission, name: string, version: string, key: string): Promise<Kept> {
    const made = start(admission.caller, name, version).then((started) => {
      const exchange = openExchange({ ...pipeOptions(admission.caller, name, started, newId()), onEnd: () => keeper.forget(one) })
      const one = keeper.keep({ key, agent: name, pipe: exchange.pipe, exchange }, { admission, idleMs: started.declared.idleMs, end: started.program.close })
      return one
    })
    opening.set(key, made)
    void made.catch(() => {}).then(() => opening.delete(key)) // Whoever waits for it is told.
    return made
  }

  async function versionOf({ tenantId, keyId }: Caller, name: string): Promise<string> {
    const found = await options.findVersion(tenantId, name, keyId, keyId)
    if ('problem' in found) throw new AppError(found.code, found.problem)
    return found.version
  }

  async function start(caller: Caller, name: string, version: string): Promise<Started> {
    const { tenantId, keyId } = caller
    const manifest = await options.manifestOf({ tenantId, agent: name, version })
    if (!manifest) throw new AppError('unavailable', `The code of ${name} has not been loaded yet. Try again in a moment.`)
    const declared = manifest.mcp
    if (!declared) throw new AppError('not_found', `${name} is an agent and no MCP server. Agents are asked at /mcp.`)
    return keeper.starting(caller, async () => {
      const at = await options.openVersion(tenantId, name, version)
      if (!at) throw new AppError('not_found', `The code of ${name} is not here any more. Deploy it again.`)
      try {
        const egress = await options.tools.egressOf({ tenantId, agent: name }, declared.egress)
        const { namespace } = scopeOf(caller, name)
        const target = { tenantId, namespace, connection: name, declared, egress, seed: join(at.folder, 'agent') }
        // Who makes it end again and again waits for it; other keys do not.
        const program = await options.programs.start(JSON.stringify([tenantId, keyId, name, version]), target)
        return { program, version, declared }
      } catch (error) {
        throw error instanceof StepFailure ? notStarted(error) : error
      }
    })
  }

  function whyStopped(caller: Caller, agent: string): string | undefined {
    try {
      options.assertNotStopped(scopeOf(caller, agent))
      return undefined
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }

  /** `id`: under which policies know it, as they know a run. */
  function pipeOptions(caller: Caller, name: string, { program, version, declared }: Started, id: string) {
    const run: ToolCall['run'] = { ...scopeOf(caller, name), id, version, sessionId: null, asker: askerOf(caller) }
    return {
      program,
      log,
      answerMsMax: declared.answerMsMax,
      async admit({ name: tool, input }: { name: string; input: unknown }): Promise<Admitted> {
        const call = { run, name: tool, attempt: 1, input: input as ToolCall['input'], labels: [], granted: undefined } // It came as JSON.
        const admission = await options.admitTool(call)
        if (admission.failure) return { refusal: admission.failure.message }
        return {
          timeoutMs: admission.timeoutMs,
          over(isDone) {
            admission.leave?.()
            void note(caller, 'tools.call', tool, { server: name, version }, isDone ? 'done' : 'failed')
          },
        }
      },
    }
  }

  async function note(caller: Caller, action: string, target: string, detail: object, outcome: 'done' | 'failed' = 'done'): Promise<void> {
    await audit
      .note(caller.tenantId, { who: whoIs(caller), action, target, detail, outcome })
      .catch((error: unknown) => log.error('an audit note was not taken', { error, action, keyId: caller.keyId }))
  }

  stopping.addEventListener('abort', () => void keeper.endAll())
  return {
    handle,
    async stop() {
      await keeper.endAll()
      await options.programs.stop()
    },
  }
}

const scopeOf = ({ tenantId, namespaces }: Caller, agent: string) => ({ tenantId, agent, namespace: namespaces?.[0] ?? 'default' })

function notStarted(error: StepFailure): AppError {
  const { code, message, retryAfterMs } = error.failure
  return new AppError(code === 'over_limit' ? code : 'unavailable', message, error, retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1_000))
}

function headersOf(headers: Headers) {
  const [protocolVersionHeader, mcpMethodHeader, mcpNameHeader] = ['mcp-protocol-version', 'mcp-method', 'mcp-name'].map((name) => headers.get(name))
  return { ...(protocolVersionHeader && { protocolVersionHeader }), ...(mcpMethodHeader && { mcpMethodHeader }), ...(mcpNameHeader && { mcpNameHeader }) }
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new AppError('invalid', 'The body is not JSON.', cause)
  }
}

function idOf(body: unknown): string | number | null {
  const id = typeof body === 'object' && body !== null && 'id' in body ? body.id : null
  return typeof id === 'string' || typeof id === 'number' ? id : null
}

const refused = (status: number, code: number, message: string, id: string | number | null, data?: unknown): Response =>
  Response.json({ jsonrpc: '2.0', id, error: { code, message, ...(data !== undefined && { data }) } }, { status })
