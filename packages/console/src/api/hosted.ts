/** MCP servers that are hosted here, asked like by every other client of theirs. */
import { queryOptions } from '@tanstack/react-query'
import { client, sendAsVisitor } from './client.ts'

export type HostedTool = { name: string; description?: string }

/** Its path; clients need the server's address before it. */
export const hostedPath = (name: string) => `/mcp/${encodeURIComponent(name)}`
export const hostedAddress = (name: string) => `${location.origin}${hostedPath(name)}`

/** The last tool calls that the audit log has of it. */
export const hostedCallsQuery = (name: string) =>
  queryOptions({
    queryKey: ['hosted', name, 'calls'],
    queryFn: async ({ signal }) => {
      const { items } = await client.audit.list({ action: 'tools.call', limit: 200 }, { signal })
      return items.filter(({ detail }) => typeof detail === 'object' && detail !== null && !Array.isArray(detail) && detail['server'] === name).slice(0, 10)
    },
    refetchInterval: 15_000,
  })

/** A session of the protocol that every program speaks, which starts one: `initialize`, the tools page by page, and its end. */
export async function askHostedTools(name: string): Promise<HostedTool[]> {
  let session: string | null = null
  const tell = async (message: object): Promise<Response> => {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': version,
      ...(session && { 'mcp-session-id': session }),
    }
    return sendAsVisitor(hostedPath(name), { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...message }) })
  }
  const ask = async (id: number, method: string, params: object): Promise<Answer> => answerIn(await tell({ id, method, params }), id)
  try {
    const begun = await tell({
      id: 0,
      method: 'initialize',
      params: { protocolVersion: version, capabilities: {}, clientInfo: { name: 'console', version: '1' } },
    })
    session = begun.headers.get('mcp-session-id')
    await answerIn(begun, 0)
    await tell({ method: 'notifications/initialized' })
    const tools: HostedTool[] = []
    for (let page = 1, cursor: unknown; page <= pagesMax && (page === 1 || typeof cursor === 'string'); page++) {
      const { tools: found, nextCursor } = await ask(page, 'tools/list', typeof cursor === 'string' ? { cursor } : {})
      tools.push(...(Array.isArray(found) ? found.filter(isTool) : []))
      cursor = nextCursor
    }
    return tools
  } finally {
    if (session) void sendAsVisitor(hostedPath(name), { method: 'DELETE', headers: { 'mcp-session-id': session } }).catch(() => {}) // It ends by itself, too.
  }
}

const version = '2025-11-25'
const pagesMax = 16

type Answer = Record<string, unknown>

/** As JSON, or as the event of a stream that is about this request. Throws what the server or the program has against it. */
async function answerIn(response: Response, id: number): Promise<Answer> {
  const text = await response.text()
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
  const texts = isStream ? text.split('\n').flatMap((line) => (line.startsWith('data:') ? [line.slice(5)] : [])) : [text]
  const messages = texts.filter((one) => one.trim() !== '').map((one) => JSON.parse(one) as { id?: unknown; result?: Answer; error?: { message?: string } })
  const answer = messages.find((message) => message.id === id) ?? messages.at(-1)
  if (answer?.result === undefined) throw new Error(answer?.error?.message ?? `HTTP ${response.status}`)
  return answer.result
}

const isTool = (tool: unknown): tool is HostedTool => typeof tool === 'object' && tool !== null && 'name' in tool && typeof tool.name === 'string'
