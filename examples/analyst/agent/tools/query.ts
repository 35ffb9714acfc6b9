import { shown, tool } from '@longhaul/sdk'
import { z } from 'zod'
import { runQuery } from '../../querying/index.ts'

/** Rows that the model reads, and rows that the person is shown. */
const rowsForModel = 50
const rowsForPerson = 500

export default tool({
  description:
    'Runs one DuckDB SELECT over the tables of /workspace/semantic/entities and returns up to 50 rows; the person sees a table, unless `show` is false. When it returns an error, correct the SQL and call again.',
  effect: 'none',
  input: z.strictObject({
    sql: z.string().min(1).max(20_000).describe('One SELECT statement (WITH is fine). Dates are written, never taken from a clock.'),
    title: z.string().max(300).optional().describe("Heading of the table, in the asker's language."),
    show: z.boolean().default(true).describe('false for a query that only looks something up and is no part of the answer.'),
  }),
  timeoutMs: 60_000,
  async run({ sql, title, show }, { dataDir, asker, signal }) {
    const result = await runQuery({ dataDir, access: asker.access, sql, signal })
    if (result.error) return { error: result.error, access: result.access }
    const { columns, rows, truncated, access } = result
    const output = { columns, rowCount: rows.length, rows: rows.slice(0, rowsForModel), truncated, access }
    if (!show) return output
    return shown(output, { type: 'table', ...(title === undefined ? {} : { title }), columns, rows: rows.slice(0, rowsForPerson), rowCount: rows.length, sql })
  },
})
