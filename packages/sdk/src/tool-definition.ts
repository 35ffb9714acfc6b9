import type { ToolDefinition } from '@longhaul/protocol'
import { z } from 'zod'

/** What the model is told about a tool. Throws when its schema has no JSON Schema. */
export function defineTool(name: string, { description, input }: { description: string; input: z.ZodType }): ToolDefinition {
  let schema: Record<string, unknown>
  try {
    schema = z.toJSONSchema(input, { io: 'input' })
  } catch (error) {
    throw new Error(`cannot be expressed as JSON Schema: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
  if (schema['type'] !== 'object') throw new Error(`must be an object schema (z.object or z.strictObject), not ${JSON.stringify(schema['type'] ?? 'a union')}.`)
  const { $schema: _, ...inputSchema } = schema
  return { name, description, inputSchema: JSON.parse(JSON.stringify(inputSchema)) }
}
