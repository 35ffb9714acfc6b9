/** How a JSON Schema reads in a sentence. */
import type { JsonSchema } from './json-schema.ts'

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
      return schema.properties
        ? `{ ${Object.entries(schema.properties)
            .map(([name, field]) => `${name}${schema.required?.includes(name) ? '' : '?'}: ${inWords(field)}`)
            .join('; ')} }`
        : 'object'
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
