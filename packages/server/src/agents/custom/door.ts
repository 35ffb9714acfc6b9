/** What a program may ask of us from inside its sandbox: models, its tools, its memory. Everything that comes in was possibly written by hostile code. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { timingSafeEqual } from 'node:crypto'
import { getRequestListener } from '@hono/node-server'
import { type AgentManifest, type CallResult, ConnectResult, type Json, type ToolDefinition, type Usage } from '@longhaul/protocol'
import { type CallToolResult, Server, type Tool, createMcpHandler } from '@modelcontextprotocol/server'
import type { StepContext } from '../../engine/index.ts'
import type { Faces } from '../../gateway/index.ts'
import { AppError, type Log, StepFailure, toFailure } from '../../kernel/index.ts'
import { type Door, doorUrl } from '../../sandbox/index.ts'
import { type Answered, type Wish, askPerson, callAllowed, lookAt } from './asking.ts'
import type { Entry } from './instances.ts'

/** The run that asks the program at the moment. */
export type RunInUse = {
  context: StepContext
  manifest: AgentManifest
  /** Of its model calls so far, and what answered last. */
  spent: { model: string; usage: Usage }
  tools?: Promise<ToolDefinition[]>
}

type DoorOptions = { entry: Entry<RunInUse>; faces: Pick<Faces, 'owns' | 'handle'>; log: Log; version: string }

const bodyBytesMax = 1_000_000
/** How long one request may wait for a decision. */
const waitSecondsMax = 60
/** Clients of MCP know of no answer that comes later. */
const noWish: Wish = { mayAsk: false, waitMs: 0, key: undefined }
const memoryTools = ['remember', 'recall']

export function openDoor({ entry, faces, log, version }: DoorOptions): Door {
  const mcp = getRequestListener(async (request) => mcpHandler.fetch(request), { overrideGlobalObjects: false })
  const mcpHandler = createMcpHandler(() => mcpServer(() => inUse(entry), version), {
    maxRequestBodySize: bodyBytesMax,
    onerror: (error) => log.debug('MCP request of a custom agent refused', { reason: error.message.slice(0, 500) }),
  })
  return (request, response) => {
    if (faces.owns(request.url)) return void faces.handle(request, response) // Which knows the token.
    const path = request.url?.split('?', 1)[0] ?? ''
    if (!hasToken(request, entry.token))
      return answer(response, 401, problem('unauthenticated', 'Send the token in LONGHAUL_TOKEN: Authorization: Bearer lhi_…'))
    if (path === '/mcp') return void mcp(request, response)
    serve(request, path, entry).then(
      (answered) => answerWith(response, answered),
      (error: unknown) => {
        const { code = 'failed', message } = toFailure(error)
        answer(response, statuses[code] ?? 502, problem(code, message))
      },
    )
  }
}

async function serve(request: IncomingMessage, path: string, entry: Entry<RunInUse>): Promise<Answered> {
  const [, group, name] = /^\/(tools|memory|approvals)(?:\/([\w-]{1,64}))?$/.exec(path) ?? []
  const isPost = request.method === 'POST'
  const wish = wishOf(request)
  if (request.method === 'GET' && group === 'tools' && name === undefined) return { body: plain({ tools: await toolsOf(inUse(entry)) }) }
  if (isPost && name !== undefined && (group === 'tools' || (group === 'memory' && memoryTools.includes(name))))
    return callTool(inUse(entry), name, await readJson(request), wish)
  const { approvals } = inUse(entry).context.inside
  if (isPost && group === 'approvals' && name === undefined) return askPerson(approvals, await readJson(request), wish)
  if (request.method === 'GET' && group === 'approvals' && name !== undefined) return lookAt(approvals, name, wish)
  throw new AppError(
    'not_found',
    `There is nothing at ${request.method} ${path.slice(0, 200)}. Here are: GET /tools, POST /tools/<name>, POST /memory/remember, POST /memory/recall, POST /approvals, GET /approvals/<id>, POST /mcp, /openai/v1, /anthropic.`,
  )
}

/** `Prefer` of RFC 7240, and the key under which two calls that look alike are two. */
function wishOf({ headers }: IncomingMessage): Wish {
  const preferred = [headers['prefer'] ?? []].flat().join(',')
  const seconds = Number(/(?:^|[,\s])wait *= *"?(\d{1,6})"?(?=[,;\s]|$)/i.exec(preferred)?.[1] ?? 0)
  const [key] = [headers['idempotency-key'] ?? []].flat()
  return {
    mayAsk: /(?:^|[,\s])respond-async(?=[,;\s]|$)/i.test(preferred),
    waitMs: Math.min(seconds, waitSecondsMax) * 1_000,
    key: key === undefined ? undefined : key.replace(/^"(.*)"$/, '$1').slice(0, 200),
  }
}

function inUse({ use }: Entry<RunInUse>): RunInUse {
  if (!use) throw new AppError('forbidden', 'No run asks this program at the moment, so there is nobody to whom this would belong.')
  return use
}

/** Those that are declared, and those of the connections: asked for once in a run, as a step of it. */
function toolsOf(use: RunInUse): Promise<ToolDefinition[]> {
  const { context, manifest } = use
  const connections = (manifest.connections ?? []).map(({ name }) => name)
  use.tools ??=
    connections.length === 0
      ? Promise.resolve(manifest.tools)
      : context.inside
          .ask('connect', connections.join(' ').slice(0, 100), { connections })
          .then((found) => [
            ...manifest.tools,
            ...ConnectResult.parse(found).tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema })),
          ])
  use.tools.catch(() => delete use.tools)
  return use.tools
}

async function callTool(use: RunInUse, tool: string, input: Json, wish: Wish): Promise<Answered> {
  const tools = await toolsOf(use)
  if (!tools.some(({ name }) => name === tool))
    throw new AppError(
      'not_found',
      `This agent has no tool ${tool}. It has: ${tools.map(({ name }) => name).join(', ') || 'none; name some in stockTools of agent.json'}.`,
    )
  return callAllowed(use.context.inside, { tool, input }, wish)
}

function mcpServer(use: () => RunInUse, version: string): Server {
  const server = new Server({ name: 'longhaul', version }, { capabilities: { tools: {} } })
  server.setRequestHandler('tools/list', async () => ({
    tools: (await toolsOf(use())).map(({ name, description, inputSchema }) => ({ name, description, inputSchema: inputSchema as Tool['inputSchema'] })), // An object's schema, as each tool's is.
  }))
  server.setRequestHandler('tools/call', async ({ params }): Promise<CallToolResult> => {
    try {
      const { body, waitsFor } = await callTool(use(), params.name, plain(params.arguments ?? {}), noWish)
      if (waitsFor !== undefined)
        return { content: [{ type: 'text', text: 'A person has been asked whether this may be done, and has not decided yet.' }], isError: true }
      const { output } = body as CallResult // Of a call that is over.
      return { content: [{ type: 'text', text: typeof output === 'string' ? output : JSON.stringify(output) }] }
    } catch (error) {
      if (!(error instanceof StepFailure) && !(error instanceof AppError)) throw error
      return { content: [{ type: 'text', text: error.message }], isError: true }
    }
  })
  return server
}

async function readJson(request: IncomingMessage): Promise<Json> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > bodyBytesMax) throw new AppError('too_large', `The request is larger than ${bodyBytesMax} bytes.`)
    pieces.push(piece)
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString() || '{}') as Json // It is JSON then.
  } catch {
    throw new AppError('invalid', 'The body must be the tool’s arguments as JSON.')
  }
}

function hasToken({ headers }: IncomingMessage, token: string): boolean {
  const given = Buffer.from(/^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1] ?? '')
  return given.length === token.length && timingSafeEqual(given, Buffer.from(token))
}

const statuses: Record<string, number> = {
  ...{
    invalid: 400,
    not_found: 404,
    forbidden: 403,
    needs_approval: 403,
    denied: 403,
    expired: 403,
    interrupted: 409,
    withheld: 403,
    off: 403,
    too_large: 413,
    over_limit: 429,
    over_budget: 429,
    timeout: 504,
  },
}
const problem = (code: string, message: string): Json => ({ error: { code, message } })

function answerWith(response: ServerResponse, { body, waitsFor }: Answered): void {
  if (waitsFor === undefined) return answer(response, 200, body)
  answer(response, 202, body, { location: `${doorUrl}/approvals/${waitsFor}`, 'preference-applied': 'respond-async' })
}

function answer(response: ServerResponse, status: number, body: Json, more: Record<string, string> = {}): void {
  if (response.headersSent || response.destroyed) return
  const text = JSON.stringify(body)
  response.writeHead(status, { ...more, 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

/** Plain data of ours: undefined properties are left out. */
const plain = (value: object): Json => JSON.parse(JSON.stringify(value)) as Json
