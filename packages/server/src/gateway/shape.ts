/** Whether a text is JSON of a schema. */
import { z } from 'zod'

/** Undefined when it is. A schema that cannot be read says nothing against it. */
export function whyNotShape(text: string, schema: unknown): string | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'it is not JSON.'
  }
  const parsed = readableSchema(schema)?.safeParse(value)
  if (!parsed || parsed.success) return undefined
  const [issue] = parsed.error.issues
  return `${issue?.path.join('.') || 'the answer'}: ${issue?.message ?? 'does not fit'}.`
}

export function readableSchema(schema: unknown): z.ZodType | undefined {
  try {
    return z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]) // It throws at what it cannot read.
  } catch {
    return undefined // Perhaps a provider understands it.
  }
}
