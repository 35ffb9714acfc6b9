/** A tool's definition as its server gives it: made safe to show, named, hashed, and compared with another. All of it is text of strangers. */
import { createHash } from 'node:crypto'
import { type DefinitionChange, type Json, type ToolDefinition, shorten, visibleText, whyNotJson } from '@longhaul/protocol'

/** Everything of a definition that tells a model or a person what the tool is. */
export type Definition = { name: string; title?: string; description?: string; inputSchema: Json; outputSchema?: Json; annotations?: Json }

export const definitionLengthMax = 32_000
const descriptionLengthMax = 2_000
const changesMax = 50
const nameLengthMax = 64

/** What of a listed tool is pinned. Throws, with the reason, for one that cannot be offered. */
export function toDefinition(tool: {
  name: string
  title?: string | undefined
  description?: string | undefined
  inputSchema: object
  outputSchema?: object | undefined
  annotations?: object | undefined
}): Definition {
  const { name, title, description, inputSchema, outputSchema, annotations } = tool
  if (name.length === 0 || name.length > 128) throw new Error('its name has not 1 to 128 characters')
  const text = JSON.stringify({ name, title, description, inputSchema, outputSchema, annotations })
  if (text.length > definitionLengthMax) throw new Error(`its definition has ${text.length} characters; at most ${definitionLengthMax} are taken`)
  const definition = cleaned(JSON.parse(text)) as Definition // Its own shape, with cleaner texts.
  const why = whyNotJson(definition)
  if (why) throw new Error(`its definition cannot be stored: ${why}`)
  if ((definition.inputSchema as { type?: unknown }).type !== 'object') throw new Error('its input is not an object, which models require')
  return definition
}

/** SHA-256 over the definition with its keys in order, so that the order in which a server writes them means nothing. */
export const hashOf = (definition: Definition): string => digestOf(definition as Json)

/** SHA-256 over a value in canonical JSON, in hexadecimal. */
export const digestOf = (value: Json): string => createHash('sha256').update(canonical(value)).digest('hex')

/** What the model is told. */
export const toToolDefinition = (connection: string, name: string, { description, title, inputSchema }: Definition): ToolDefinition => ({
  name,
  description: shorten(`[${connection}] ${description ?? title ?? 'No description.'}`, descriptionLengthMax),
  inputSchema,
})

/** A tool's name for the model: letters, digits, `_` and `-`, 64 at most. What had to be changed is told apart by a digest. */
export function visibleName(connection: string, tool: string): string {
  const plain = `${connection}__${tool.replaceAll(/[^a-zA-Z0-9_-]/g, '_')}`
  if (plain.length <= nameLengthMax && /^[a-zA-Z0-9_-]+$/.test(tool)) return plain
  const digest = createHash('sha256').update(tool).digest('hex').slice(0, 8)
  return `${plain.slice(0, nameLengthMax - 9)}_${digest}`
}

/** What is different, path by path. At most fifty; the last says how many more. */
export function changesBetween(from: Definition, to: Definition): DefinitionChange[] {
  const changes = differences('', from as Json, to as Json)
  const more = changes.length - changesMax
  return more > 0 ? [...changes.slice(0, changesMax), { path: '…', from: null, to: `${more} more differences` }] : changes
}

function differences(path: string, from: Json | undefined, to: Json | undefined): DefinitionChange[] {
  if (from !== undefined && to !== undefined && canonical(from) === canonical(to)) return []
  if (isObject(from) && isObject(to)) {
    const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])].toSorted()
    return keys.flatMap((key) => differences(path === '' ? key : `${path}.${key}`, from[key], to[key]))
  }
  return [{ path, from: from ?? null, to: to ?? null }]
}

const isObject = (value: Json | undefined): value is { [key: string]: Json } => typeof value === 'object' && value !== null && !Array.isArray(value)

function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value)
  const fields = Object.keys(value)
    .toSorted()
    .flatMap((key) => (value[key] === undefined ? [] : `${JSON.stringify(key)}:${canonical(value[key])}`))
  return `{${fields.join(',')}}`
}

function cleaned(value: Json): Json {
  if (typeof value === 'string') return visibleText(value)
  if (Array.isArray(value)) return value.map(cleaned)
  return isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [visibleText(key), cleaned(inner)])) : value
}
