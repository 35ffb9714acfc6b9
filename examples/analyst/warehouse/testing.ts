import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { ensureWarehouse } from './build.ts'

/** A warehouse in a folder of its own, for the tests of one file. */
export async function temporaryWarehouse() {
  const dataDir = await mkdtemp(join(tmpdir(), 'analyst-'))
  const { path, ms } = await ensureWarehouse(dataDir)
  return { dataDir, path, ms, [Symbol.asyncDispose]: () => rm(dataDir, { recursive: true, force: true }) }
}

/** The one warehouse of this version that all tests share which only read it. It is made by the first of them and kept, as that takes longer than they do. */
export async function sharedWarehouse() {
  const dataDir = join(import.meta.dirname, '..', '..', '..', 'node_modules', '.cache', 'longhaul-analyst')
  const { path } = await ensureWarehouse(dataDir)
  return { dataDir, path }
}

/** All rows of a query, with no guard between. */
export async function rowsOf(path: string, sql: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(path, { access_mode: 'READ_ONLY' })
  const connection = await instance.connect()
  try {
    return (await connection.runAndReadAll(sql)).getRowsJson()
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}
