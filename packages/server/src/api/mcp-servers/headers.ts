/** What a request of 2026-07-28 says of itself in headers has to be what it holds: whatever stands in between may decide by them. */
import type { JSONRPCRequest } from '@modelcontextprotocol/server'

/** An argument that its tool's schema wants repeated in a header, `Mcp-Param-<header>`. */
export type Mirrored = { path: readonly string[]; header: string }

const named: Record<string, string> = { 'tools/call': 'name', 'prompts/get': 'name', 'resources/read': 'uri' }
const depthMax = 8

/** Undefined when they agree. */
export function whyHeadersDiffer({ method, params }: JSONRPCRequest, headers: Headers): string | undefined {
  for (const header of ['mcp-protocol-version', 'mcp-method']) if (!headers.has(header)) return `The header ${header} is missing.`
  if (headers.get('mcp-method') !== method) return `The header mcp-method does not name the method ${method}.`
  const field = named[method]
  const value = field === undefined ? undefined : params?.[field]
  return typeof value === 'string' ? whyDiffers('mcp-name', value, headers) : undefined
}

export function whyArgumentsDiffer(mirrored: readonly Mirrored[], input: unknown, headers: Headers): string | undefined {
  for (const { path, header } of mirrored) {
    const value = path.reduce<unknown>((at, name) => fieldOf(at, name), input)
    const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    const why = isPlain ? whyDiffers(`mcp-param-${header.toLowerCase()}`, value, headers) : undefined
    if (why !== undefined) return why
  }
  return undefined
}

export function mirroredIn(schema: unknown, path: readonly string[] = []): Mirrored[] {
  const properties = fieldOf(schema, 'properties')
  if (typeof properties !== 'object' || properties === null || path.length >= depthMax) return []
  return Object.entries(properties).flatMap(([name, property]) => {
    const header = fieldOf(property, 'x-mcp-header')
    const at = [...path, name]
    return [...(typeof header === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(header) ? [{ path: at, header }] : []), ...mirroredIn(property, at)]
  })
}

function whyDiffers(header: string, value: string | number | boolean, headers: Headers): string | undefined {
  const given = headers.get(header)
  if (given === null) return `The header ${header} is missing.`
  const said = decoded(given.trim())
  const isSame = said === String(value) || (typeof value === 'number' && said !== undefined && /^-?\d+(\.\d+)?$/.test(said) && Number(said) === value)
  return isSame ? undefined : `The header ${header} does not say what the body says.`
}

/** What does not fit into a header comes in base64. Undefined: as something that is none. */
function decoded(header: string): string | undefined {
  const [, text] = /^=\?base64\?(.*)\?=$/.exec(header) ?? []
  if (text === undefined) return header
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes.toString() : undefined
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined // Just found to have it.
