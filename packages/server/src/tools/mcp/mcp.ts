/** What an MCP server has, and one call of one of its tools. */
import { type CallToolResult, type Client, ProtocolError, SdkError, SdkErrorCode, SdkHttpError } from '@modelcontextprotocol/client'
import type { Json } from '@longhaul/protocol'
import { StepFailure } from '../../kernel/index.ts'
import { causes, failed, httpFailure, networkFailure, unknownOutcome } from '../failures.ts'
import { type McpClients, type McpTarget, SessionGone } from './clients.ts'
import { ProgramEnded } from './command.ts'
import { type Definition, shorten, toDefinition, visibleText } from './definition.ts'

export type Listing = { definitions: Definition[]; refused: { tool: string; why: string }[] }

const toolsMax = 500
const listMsMax = 30_000

export async function listMcpTools(clients: McpClients, target: McpTarget, signal: AbortSignal): Promise<Listing> {
  const { tools } = await asking(clients, target, signal, true, (client) => client.listTools(undefined, { timeout: listMsMax, signal, cacheMode: 'refresh' }))
  if (tools.length > toolsMax) throw failed('too_large', `The tool server ${target.connection} has ${tools.length} tools; at most ${toolsMax} are looked at.`)
  const listing: Listing = { definitions: [], refused: [] }
  const wanted = target.declared.tools
  for (const tool of tools) {
    if (wanted && !wanted.includes(tool.name)) continue
    try {
      listing.definitions.push(toDefinition(tool))
    } catch (error) {
      listing.refused.push({ tool: shorten(visibleText(tool.name), 128), why: error instanceof Error ? error.message : String(error) })
    }
  }
  return listing
}

export type McpCall = { definition: Definition; input: Json; key: string; timeoutMs: number; signal: AbortSignal; onProgress(text: string): void }

/** Calls it once. `key` is the same when this very call is made again after a crash, for servers that can make use of it. */
export async function callMcpTool(clients: McpClients, target: McpTarget, { definition, input, key, timeoutMs, signal, onProgress }: McpCall): Promise<Json> {
  const { readOnlyHint, idempotentHint } = (definition.annotations ?? {}) as { readOnlyHint?: unknown; idempotentHint?: unknown }
  const isRepeatable = readOnlyHint === true || idempotentHint === true
  let progressLeft = 20_000
  const result = await asking(clients, target, signal, isRepeatable, (client) =>
    client.callTool(
      { name: definition.name, arguments: toArguments(input), _meta: { 'longhaul/call': key } },
      {
        signal,
        timeout: timeoutMs,
        maxTotalTimeout: timeoutMs,
        onprogress({ progress, total, message }) {
          const line = shorten(`${progress}${total === undefined ? '' : ` of ${total}`}${message === undefined ? '' : ` · ${visibleText(message)}`}`, 200)
          progressLeft -= line.length
          if (progressLeft > 0) onProgress(`${line}\n`)
        },
      },
    ),
  )
  if (result.isError) throw failed('tool_error', textOf(result) || `The tool ${definition.name} failed and did not say why.`)
  return result.structuredContent === undefined ? textOf(result) : (JSON.parse(JSON.stringify(result.structuredContent)) as Json)
}

/** What a model can read of a result. Images and sounds are named, not shown. */
function textOf({ content }: CallToolResult): string {
  const parts = content.map((block) => {
    if (block.type === 'text') return block.text
    if (block.type === 'resource') return 'text' in block.resource ? block.resource.text : `[${block.resource.mimeType ?? 'bytes'} from ${block.resource.uri}]`
    if (block.type === 'resource_link') return `[${block.name}: ${block.uri}]`
    return `[${block.mimeType}, ${Math.floor((block.data.length * 3) / 4)} bytes, which are not shown]`
  })
  return visibleText(parts.join('\n'))
}

function toArguments(input: Json): Record<string, Json> {
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input
  throw failed('invalid', 'The arguments of a tool must be a JSON object.')
}

async function asking<Result>(
  clients: McpClients,
  target: McpTarget,
  signal: AbortSignal,
  isRepeatable: boolean,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const who = `The tool server ${target.connection}`
  try {
    return await clients.use(target, signal, (client) =>
      work(client).catch((error: unknown) => {
        throw error instanceof SdkHttpError && error.data.status === 404 ? new SessionGone('', { cause: error }) : error
      }),
    )
  } catch (error) {
    if (signal.aborted) throw error
    throw toStepFailure(error, who, isRepeatable)
  }
}

function toStepFailure(error: unknown, who: string, isRepeatable: boolean): StepFailure {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof StepFailure) return at
  const inner = error instanceof SessionGone ? error.cause : error
  if (inner instanceof ProgramEnded) return failed('away', `${who} has ended. ${inner.message}${isRepeatable ? '' : unknownOutcome}`, isRepeatable, inner)
  if (inner instanceof SdkHttpError) return httpFailure(inner.data.status, who, { isRepeatable })
  const network = networkFailure(inner, who, isRepeatable)
  if (network) return network
  if (inner instanceof SdkError && inner.code === SdkErrorCode.RequestTimeout)
    return failed('timeout', `${who} did not answer in time.${isRepeatable ? '' : unknownOutcome}`, isRepeatable, inner)
  if (inner instanceof SdkError && inner.code === SdkErrorCode.ConnectionClosed) return failed('away', `${who} closed the connection.`, isRepeatable, inner)
  const said = shorten(
    visibleText(
      causes(inner)
        .map(({ message }) => message)
        .join(': ') || String(inner),
    ),
    1_000,
  )
  if (inner instanceof ProtocolError) return failed('tool_server', `${who} refused: ${said}`, false, inner)
  return failed('bad_answer', `${who} answered what is no MCP: ${said}`, false, inner)
}
