import { TerminalFailure, shown, tool } from '@longhaul/sdk'
import { z } from 'zod'
import { type Row, query } from '../sales.ts'

const rowsMax = 200

export default tool({
  description: 'Runs one SQL statement (SQLite) that only reads, and shows its rows to the person.',
  effect: 'none',
  input: z.strictObject({ sql: z.string().min(1).max(5_000).describe('For example: select region, sum(units) as units from sales group by region') }),
  run({ sql }) {
    if (!/^\s*(select|with)\b/i.test(sql)) throw new TerminalFailure('Only statements that begin with select or with are run.')
    let rows: Row[]
    try {
      rows = query(sql)
    } catch (error) {
      throw new TerminalFailure(error instanceof Error ? error.message : String(error))
    }
    const names = Object.keys(rows[0] ?? {})
    const cells = rows.slice(0, rowsMax).map((row) => names.map((name) => cellOf(row[name])))
    const columns = names.map((name, at) => ({ name, type: cells.every((row) => typeof row[at] === 'number') ? ('number' as const) : ('text' as const) }))
    return shown({ columns: names, rows: cells, rowCount: rows.length }, { type: 'table', columns, rows: cells, rowCount: rows.length, sql })
  },
})

const cellOf = (value: Row[string] | undefined): string | number | null =>
  typeof value === 'number' || value === null || value === undefined ? (value ?? null) : String(value)
