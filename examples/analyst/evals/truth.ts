/** What the cases are judged by: runs their SQL on the agent's own warehouse, past its guard and its access rules. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance, type DuckDBConnection, type JS } from '@duckdb/node-api'
import { ensureWarehouse, warehousePath } from '../warehouse/index.ts'

export type Truth = { columns: string[]; rows: (string | number | null)[][] }

let connection: Promise<DuckDBConnection> | undefined

export async function truth(sql: string): Promise<Truth> {
  const reader = await (await (connection ??= open())).runAndReadAll(sql)
  return { columns: reader.columnNames(), rows: reader.getRowsJS().map((row) => row.map(cell)) }
}

async function open(): Promise<DuckDBConnection> {
  const instance = await DuckDBInstance.create(await findWarehouse(), { access_mode: 'READ_ONLY', threads: '2', memory_limit: '512MB' })
  return instance.connect()
}

/** The file that the agent's `prepare` made, or one of our own: it is the same for the same version, since the generator draws from a fixed seed. */
async function findWarehouse(): Promise<string> {
  const root = join(import.meta.dirname, '..', '..', '..')
  const prepared = warehousePath(join(process.env.LONGHAUL_DATA_DIR ?? join(root, '.longhaul'), 'data', 'analyst'))
  if (existsSync(prepared)) return prepared
  return (await ensureWarehouse(join(root, 'node_modules', '.cache', 'longhaul-analyst'))).path
}

function cell(value: JS): string | number | null {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof Date) return value.toISOString().slice(0, 10)
  if (typeof value === 'boolean') return String(value)
  throw new Error('A truth holds texts, numbers and dates only: cast or unnest the rest.')
}
