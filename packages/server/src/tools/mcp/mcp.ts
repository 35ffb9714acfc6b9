/** What an MCP server has, and one call of one of its tools. */
import { type Client, type ContentBlock, ProtocolError, type RequestOptions, SdkError, SdkErrorCode, SdkHttpError } from '@modelcontextprotocol/client'
import { type CallAnswered, type Json, shorten, visibleText } from '@longhaul/protocol'
import { StepFailure } from '../../kernel/index.ts'
import { causes, failed, httpFailure, networkFailure, unknownOutcome } from '../failures.ts'
import { openAsking } from './asked-input.ts'
import { type Answer, type McpClients, type McpTarget, SessionGone } from './clients.ts'
import { ProgramEnded } from './command.ts'
import { type Definition, toDefinition } from './definition.ts'

export type Listing = { definitions: Definition[]; refused: { tool: string; why: string }[]; hasResources: boolean }

const toolsMax = 500
const listMsMax = 30_000

export async function listMcpTools(clients: McpClients, target: McpTarget, signal: AbortSignal): Promise<Listing> {
  const { tools, hasResources } = await asking(clients, target, signal, true, async (client) => ({
    tools: (await client.listTools(undefined, { timeout: listMsMax, signal, cacheMode: 'refresh' })).tools,
    hasResources: client.getServerCapabilities()?.resources !== undefined,
  }))
  if (tools.length > toolsMax) throw failed('too_large', `The tool server ${target.connection} has ${tools.length} tools; at most ${toolsMax} are looked at.`)
  const listing: Listing = { definitions: [], refused: [], hasResources }
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

export type McpCall = {
  definition: Definition
  input: Json
  key: string
  timeoutMs: number
  signal: AbortSignal
  answered?: CallAnswered | undefined
  onProgress(text: string): void
}

/** Calls it once, or fails with what a person is to be asked first (`needs_input`). `key` is the same when this very call is made again after a crash, for servers that can make use of it. */
export async function callMcpTool(
  clients: McpClients,
  target: McpTarget,
  { definition, input, key, timeoutMs, signal, answered, onProgress }: McpCall,
): Promise<Json> {
  const { readOnlyHint, idempotentHint } = (definition.annotations ?? {}) as { readOnlyHint?: unknown; idempotentHint?: unknown }
  const isRepeatable = readOnlyHint === true || idempotentHint === true
  let progressLeft = 20_000
  const inquiry = openAsking(`The tool server ${target.connection}`, answered)
  const params = { name: definition.name, arguments: toArguments(input), _meta: { 'longhaul/call': key } }
  const options: RequestOptions = {
    signal,
    timeout: timeoutMs,
    maxTotalTimeout: timeoutMs,
    onprogress({ progress, total, message }) {
      const line = shorten(`${progress}${total === undefined ? '' : ` of ${total}`}${message === undefined ? '' : ` · ${visibleText(message)}`}`, 200)
      progressLeft -= line.length
      if (progressLeft > 0) onProgress(`${line}\n`)
    },
  }
  const call = (client: Client) =>
    inquiry.request(
      client,
      (again) => client.callTool({ ...params, ...again }, options),
      ({ content }) => textOf(content),
    )
  const result = await asking(clients, target, signal, isRepeatable, call, inquiry.answer)
  if (result.isError) throw failed('tool_error', textOf(result.content) || `The tool ${definition.name} failed and did not say why.`)
  return result.structuredContent === undefined ? textOf(result.content) : (JSON.parse(JSON.stringify(result.structuredContent)) as Json)
}

/** What a model can read of a result. Images and sounds are named, not shown. */
export function textOf(content: readonly ContentBlock[]): string {
  const parts = content.map((block) => {
    if (block.type === 'text') return block.text
    if (block.type === 'resource') {
      const { resource } = block
      return 'text' in resource
        ? resource.text
        : `[${resource.mimeType ?? 'unknown'}, ${bytesOf(resource.blob)} bytes from ${resource.uri}, which are not shown]`
    }
    if (block.type === 'resource_link') return `[${block.name}: ${block.uri}]`
    return `[${block.mimeType}, ${bytesOf(block.data)} bytes, which are not shown]`
  })
  return visibleText(parts.join('\n'))
}

const bytesOf = (base64: string): number => Buffer.byteLength(base64, 'base64')

function toArguments(input: Json): Record<string, Json> {
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input
  throw failed('invalid', 'The arguments of a tool must be a JSON object.')
}

/** Has `work` done, with every way in which it fails as a `StepFailure`. `isRepeatable`: doing it twice does no harm. */
export async function asking<Result>(
  clients: McpClients,
  target: McpTarget,
  signal: AbortSignal,
  isRepeatable: boolean,
  work: (client: Client) => Promise<Result>,
  answer?: Answer,
): Promise<Result> {
  const who = `The tool server ${target.connection}`
  try {
    const once = (client: Client) =>
      work(client).catch((error: unknown) => {
        throw error instanceof SdkHttpError && error.data.status === 404 ? new SessionGone('', { cause: error }) : error
      })
    return await clients.use(target, signal, once, answer)
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
