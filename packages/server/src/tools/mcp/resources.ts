/** Resources of an MCP server, as two tools of ours: what a model is told of these tools are our words, and what the server says of its resources is a result like any other. */
import { type CallAnswered, type Json, type ToolDefinition, shorten, visibleText } from '@longhaul/protocol'
import { z } from 'zod'
import { failed } from '../failures.ts'
import { openAsking } from './asked-input.ts'
import type { McpClients, McpTarget } from './clients.ts'
import { visibleName } from './definition.ts'
import { asking, textOf } from './mcp.ts'

export const resourceTools = ['list_resources', 'read_resource'] as const
export type ResourceTool = (typeof resourceTools)[number]

const listedMax = 200
const textLengthMax = 500
const uriLengthMax = 2_000
const listMsMax = 30_000

const inputs = {
  list_resources: z.strictObject({ query: z.string().max(200).default('').describe('Only those whose address, name or description has this in it') }),
  read_resource: z.strictObject({
    uri: z.string().min(1).max(uriLengthMax).describe('As it was listed, or a listed template whose {parts} are filled in'),
  }),
}
const descriptions: Record<ResourceTool, string> = {
  list_resources: 'Lists the resources that this tool server has, and the templates of the addresses of others.',
  read_resource: 'Reads one resource of this tool server as text. Pictures and other bytes are named, not shown.',
}

/** What models are told: the same of every server. */
export const resourceDefinition = (connection: string, tool: ResourceTool): ToolDefinition => ({
  name: visibleName(connection, tool),
  description: `[${connection}] ${descriptions[tool]}`,
  inputSchema: z.toJSONSchema(inputs[tool], { io: 'input' }) as Json, // JSON by its making.
})

export type ResourceCall = { tool: ResourceTool; input: Json; timeoutMs: number; signal: AbortSignal; answered?: CallAnswered | undefined }

export async function callResources(clients: McpClients, target: McpTarget, { tool, input, timeoutMs, signal, answered }: ResourceCall): Promise<Json> {
  if (tool === 'list_resources') return listResources(clients, target, parsed(tool, input).query, signal)
  const { uri } = parsed(tool, input)
  const inquiry = openAsking(`The tool server ${target.connection}`, answered)
  const { contents } = await asking(
    clients,
    target,
    signal,
    true,
    (client) =>
      inquiry.request(
        client,
        (again) => client.readResource({ uri, ...again }, { signal, timeout: timeoutMs, maxTotalTimeout: timeoutMs, cacheMode: 'bypass' }),
        (result) => textOf(result.contents.map((resource) => ({ type: 'resource', resource }))),
      ),
    inquiry.answer,
  )
  const [only] = contents
  if (!only) return 'It is empty.'
  if (contents.length === 1) return textOf([{ type: 'resource', resource: only }])
  return contents.map((resource) => `${shorten(visibleText(resource.uri), uriLengthMax)}:\n${textOf([{ type: 'resource', resource }])}`).join('\n\n')
}

async function listResources(clients: McpClients, target: McpTarget, query: string, signal: AbortSignal): Promise<Json> {
  const options = { timeout: listMsMax, signal, cacheMode: 'refresh' } as const
  const { resources, templates } = await asking(clients, target, signal, true, async (client) => ({
    resources: (await client.listResources(undefined, options)).resources,
    // Servers without templates do not know the question.
    templates: (await client.listResourceTemplates(undefined, options).catch(() => ({ resourceTemplates: [] }))).resourceTemplates,
  }))
  const all = [
    ...resources.map(({ uri, size, ...about }) => ({ uri, ...described(about), ...(size !== undefined && { bytes: size }) })),
    ...templates.map(({ uriTemplate, ...about }) => ({ uriTemplate, ...described(about) })),
  ].filter((one) => ('uri' in one ? one.uri.length <= uriLengthMax : one.uriTemplate.length <= uriLengthMax))
  const wanted = query.toLowerCase()
  const found = all.filter((one) => JSON.stringify(one).toLowerCase().includes(wanted))
  const items = found.slice(0, listedMax)
  return JSON.parse(
    JSON.stringify({ items, ...(found.length > items.length && { left: `${found.length - items.length} more. Ask with a \`query\`.` }) }),
  ) as Json
}

const described = ({
  name,
  title,
  description,
  mimeType,
}: {
  name: string
  title?: string | undefined
  description?: string | undefined
  mimeType?: string | undefined
}) => {
  const shown = (text: string | undefined) => text && shorten(visibleText(text), textLengthMax)
  return { name: shown(title ?? name), description: shown(description), mimeType: shown(mimeType) }
}

function parsed<Tool extends ResourceTool>(tool: Tool, input: Json): z.output<(typeof inputs)[Tool]> {
  const found = inputs[tool].safeParse(input ?? {})
  if (found.success) return found.data as z.output<(typeof inputs)[Tool]> // Of this tool's schema.
  throw failed('invalid', `The input of ${tool} is malformed: ${found.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}.`)
}
