import { z } from 'zod'
import type { Json } from './json.ts'

/** A JSON value in a schema. Unlike `z.json()` it does not walk the value: bodies are parsed from JSON already, and bounded in bytes. */
export const JsonValue: z.ZodType<Json> = z.custom<Json>((value) => value !== undefined, 'must be a JSON value')

export const Name = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'must be lower-case letters, digits and hyphens')
/** Which state of a thing this is. Given back as `If-Match`, an edit is refused once it has another. */
export const Etag = z.string().max(64)
export const Usd = z.number().min(0)

/** What a model call used. `input` includes `cachedInput`; `output` includes `reasoning`. `costUsd` is null where no price is known. */
export const Usage = z.object({
  input: z.number().int().min(0),
  cachedInput: z.number().int().min(0),
  output: z.number().int().min(0),
  costUsd: Usd.nullable(),
})
export type Usage = z.infer<typeof Usage>

/**
 * What a caller may see of an agent's data. Set on the key, copied into each run it starts, enforced by tools.
 * An absent list means no limit; `personalData: false` keeps personal columns away.
 */
export const DataAccess = z.strictObject({
  regions: z.array(z.string().min(1).max(64)).min(1).max(64).optional(),
  personalData: z.boolean().default(true),
})
export type DataAccess = z.infer<typeof DataAccess>

/** Who asked for a run, as it was when they asked. */
/** A `Name`, or `<agent>.<name>` of what an agent's folder declares. */
export const DeclaredName = z
  .string()
  .min(1)
  .max(127)
  .regex(
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)?$/,
    'must be lower-case letters, digits and hyphens; with a dot after the agent for what its folder declares',
  )

export const Asker = z.object({ id: z.string(), name: z.string(), access: DataAccess, isPerson: z.boolean().optional() })
export type Asker = z.infer<typeof Asker>
