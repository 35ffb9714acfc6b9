/** JSON Schema of the contract's shapes. */
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
