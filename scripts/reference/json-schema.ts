/** JSON Schema of the contract's shapes, and how it reads in a sentence. */
import * as protocol from '@longhaul/protocol'
import { z } from 'zod'

export type JsonSchema = {
  $ref?: string
  $defs?: Record<string, JsonSchema>
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  format?: string
  pattern?: string
  items?: JsonSchema
  properties?: Record<string, JsonSchema>
  required?: string[]
  additionalProperties?: boolean | JsonSchema
  anyOf?: JsonSchema[]
  oneOf?: JsonSchema[]
  allOf?: JsonSchema[]
  default?: unknown
  description?: string
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
}

/** `input`: what a caller may send. `output`: what it gets, after defaults have been filled in. */
export type Side = 'input' | 'output'

const names = z.registry<{ id: string }>()
for (const [name, shape] of Object.entries(protocol)) if (shape instanceof z.ZodType) names.add(shape, { id: name })

/** With the shapes that have a name of their own behind references, and those in `$defs`. */
export function jsonSchema(shape: z.ZodType, side: Side): JsonSchema {
  const schema = z.toJSONSchema(shape, {
    metadata: names,
    io: side,
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema: made }) {
      if ((zodSchema as unknown) === protocol.JsonValue) made.description = 'Any JSON value.'
      if (made.format) delete made.pattern // The format says it in a word.
      if (made.minimum === Number.MIN_SAFE_INTEGER) delete made.minimum
      if (made.maximum === Number.MAX_SAFE_INTEGER) delete made.maximum
      // Answers may gain fields; only what is sent to us is held to be exact.
      if (side === 'output' && made.additionalProperties === false) delete made.additionalProperties
    },
  })
  delete schema.$schema
  return schema as JsonSchema // The same thing in zod's words.
}

export const nameOf = (reference: string): string => reference.slice(reference.lastIndexOf('/') + 1)

/** `text up to 128`, `list of Run`, `"asc" or "desc"`, … */
export function inWords(schema: JsonSchema): string {
  if (schema.$ref) return nameOf(schema.$ref)
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' or ')
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return choices.map(inWords).join(' or ')
  if (Array.isArray(schema.type)) return schema.type.map((type) => inWords({ ...schema, type })).join(' or ')
  switch (schema.type) {
    case 'string':
      return schema.format ? ({ 'date-time': 'instant', uuid: 'UUID', uri: 'address' }[schema.format] ?? schema.format) : `text${upTo(schema.maxLength)}`
    case 'integer':
    case 'number':
      return `${schema.type === 'integer' ? 'whole number' : 'number'}${range(schema)}`
    case 'array':
      return `list of ${schema.items ? inWords(schema.items) : 'anything'}${upTo(schema.maxItems)}`
    case 'object':
      return schema.properties ? `{ ${Object.entries(schema.properties).map(([name, field]) => `${name}${schema.required?.includes(name) ? '' : '?'}: ${inWords(field)}`).join('; ')} }` : 'object'
    case 'boolean':
      return 'true or false'
    default:
      return schema.type ?? 'any JSON value'
  }
}

const grouped = (value: number): string => value.toLocaleString('en-US')
const upTo = (max: number | undefined): string => (max === undefined ? '' : ` up to ${grouped(max)}`)

function range({ minimum, maximum }: JsonSchema): string {
  if (minimum !== undefined && maximum !== undefined) return ` ${grouped(minimum)} to ${grouped(maximum)}`
  if (minimum !== undefined) return ` from ${grouped(minimum)}`
  return upTo(maximum)
}

type Row = { name: string; kind: string; isRequired: boolean; default?: unknown }

export function fieldsOf({ properties = {}, required = [] }: JsonSchema): Row[] {
  return Object.entries(properties).map(([name, field]) => ({
    name,
    kind: inWords(field),
    isRequired: required.includes(name) && field.default === undefined,
    ...(field.default !== undefined && { default: field.default }),
  }))
}

/** Cells of a Markdown table: a bar would end one, a line break the row. */
export const tableRow = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [tableRow(head), tableRow(head.map(() => '---')), ...rows.map(tableRow)].join('\n')
}
