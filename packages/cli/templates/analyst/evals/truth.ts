import { query } from '../agent/sales.ts'

/** What the answers are compared with: computed here, never by the agent. */
export async function truth(sql: string) {
  const rows = query(sql)
  const columns = Object.keys(rows[0] ?? {})
  return { columns, rows: rows.map((row) => columns.map((name) => (typeof row[name] === 'number' ? row[name] : String(row[name])))) }
}
