// What the tools `query` and `chart` give back, checked once. Unknown fields are left aside, missing ones forgiven where they may be.
import { z } from 'zod'

const Access = z.object({
  limited: z.boolean().default(false),
  regions: z.array(z.string()).nullish(),
  personalData: z.boolean().optional(),
  note: z.string().nullish(),
})
const Rows = z.object({
  columns: z.array(z.object({ name: z.string(), type: z.string().optional() })),
  rows: z.array(z.array(z.union([z.string(), z.number(), z.boolean(), z.null()]))),
  rowCount: z.number().int().optional(),
  truncated: z.boolean().default(false),
  access: Access.nullish(),
})
const Failed = z.object({ error: z.object({ kind: z.string(), message: z.string() }), access: Access.nullish() })

export type QueryResult = Omit<z.output<typeof Rows>, 'rowCount'> & { rowCount: number }
export type QueryFailure = z.output<typeof Failed>

export function readResult(output: unknown): QueryResult | QueryFailure {
  const failed = Failed.safeParse(output)
  if (failed.success) return failed.data
  const rows = Rows.safeParse(output)
  if (rows.success) return { ...rows.data, rowCount: rows.data.rowCount ?? rows.data.rows.length }
  return { error: { kind: 'unreadable', message: typeof output === 'string' ? output.slice(0, 300) : 'the tool gave something that is not a result' } }
}
