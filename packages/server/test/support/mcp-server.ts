/** MCP servers on loopback, made with the official package, whose tools a test changes while they run. */
import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import {
  type CallToolResult,
  type GetPromptResult,
  type InputRequiredResult,
  type Prompt,
  type ReadResourceResult,
  type Resource,
  type ResourceTemplateType,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
  WebStandardStreamableHTTPServerTransport,
  createMcpHandler,
  legacyStatelessFallback,
} from '@modelcontextprotocol/server'

export { acceptedContent, inputRequired } from '@modelcontextprotocol/server'

export type FakeTool = {
  name: string
  description?: string
  inputSchema?: { type: 'object'; [key: string]: unknown }
  annotations?: object
  call?(input: Record<string, unknown>, context: ServerContext): Promise<CallToolResult | InputRequiredResult> | CallToolResult | InputRequiredResult
}

export type FakeResource = Resource & { read(context: ServerContext): ReadResourceResult | InputRequiredResult }
export type FakePrompt = Prompt & { get(given: Record<string, string>): GetPromptResult }

type FakeServer = {
  dialect?: Dialect
  tools?: FakeTool[]
  resources?: FakeResource[]
  templates?: ResourceTemplateType[]
  prompts?: FakePrompt[]
  port?: number
}

/** `both` speaks 2026-07-28 and 2025-11-25; `old` 2025-11-25 without sessions, `sessions` with them. */
export type Dialect = 'both' | 'old' | 'sessions'

export const text = (said: string): CallToolResult => ({ content: [{ type: 'text', text: said }] })

const nothing = () => undefined
/** Without its functions. */
const onWire = <Listed extends object>(listed: Listed): Listed => JSON.parse(JSON.stringify(listed)) as Listed

export async function openMcpServer({ dialect = 'both', tools = [], resources, templates = [], prompts, port = 0 }: FakeServer = {}) {
  const state = {
    tools,
    resources,
    prompts,
    /** Before anything else: a response makes an end of the request. */
    intercept: nothing as (request: Request) => Response | undefined | Promise<Response | undefined>,
    requests: [] as { method: string; headers: Headers; body: string }[],
  }
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>()
  const make = () => {
    const server = new Server(
      { name: 'fake', version: '1' },
      { capabilities: { tools: {}, ...(resources && { resources: {} }), ...(prompts && { prompts: {} }) } },
    )
    if (resources) {
      server.setRequestHandler('resources/list', async () => ({ resources: (state.resources ?? []).map(onWire) }))
      server.setRequestHandler('resources/templates/list', async () => ({ resourceTemplates: templates }))
      server.setRequestHandler('resources/read', async ({ params }, context) => {
        const found = state.resources?.find(({ uri }) => uri === params.uri)
        if (!found) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `no resource ${params.uri}`)
        return found.read(context)
      })
    }
    if (prompts) {
      server.setRequestHandler('prompts/list', async () => ({ prompts: (state.prompts ?? []).map(onWire) }))
      server.setRequestHandler('prompts/get', async ({ params }) => {
        const found = state.prompts?.find(({ name }) => name === params.name)
        if (!found) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `no prompt ${params.name}`)
        return found.get(params.arguments ?? {})
      })
    }
    server.setRequestHandler('tools/list', async () => ({
      tools: state.tools.map(({ name, description, inputSchema = { type: 'object' as const }, annotations }) => ({
        name,
        inputSchema,
        ...(description !== undefined && { description }),
        ...(annotations && { annotations }),
      })),
    }))
    server.setRequestHandler('tools/call', async ({ params }, context) => {
      const tool = state.tools.find(({ name }) => name === params.name)
      if (!tool) return { content: [{ type: 'text', text: `no tool ${params.name}` }], isError: true }
      return (await tool.call?.(params.arguments ?? {}, context)) ?? text('done')
    })
    return server
  }
  const handler = createMcpHandler(make)
  const old = legacyStatelessFallback(make)
  const answer = async (request: Request): Promise<Response> => {
    if (dialect === 'both') return handler.fetch(request)
    if (dialect === 'old') return old(request)
    const known = sessions.get(request.headers.get('mcp-session-id') ?? '')
    if (known) return known.handleRequest(request)
    if (request.headers.has('mcp-session-id'))
      return new Response('{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}', {
        status: 404,
        headers: { 'content-type': 'application/json' },
      })
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, transport),
    })
    await make().connect(transport)
    return transport.handleRequest(request)
  }
  const fetch = async (request: Request): Promise<Response> => {
    state.requests.push({ method: request.method, headers: request.headers, body: await request.clone().text() })
    return (await state.intercept(request)) ?? answer(request)
  }
  const listening = serve({ fetch, port, hostname: '127.0.0.1' })
  await new Promise<void>((resolve) => listening.once('listening', () => resolve()))
  const { port: at } = listening.address() as AddressInfo
  return {
    state,
    host: `127.0.0.1:${at}`,
    url: `http://127.0.0.1:${at}/mcp`,
    forgetSessions: () => sessions.clear(),
    async [Symbol.asyncDispose]() {
      if ('closeAllConnections' in listening) listening.closeAllConnections()
      await new Promise<void>((resolve) => listening.close(() => resolve()))
      await handler.close()
    },
  }
}
