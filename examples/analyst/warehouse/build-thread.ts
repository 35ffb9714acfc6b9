import { DuckDBInstance } from '@duckdb/node-api'
import { workerData } from 'node:worker_threads'
import { z } from 'zod'
import { readEntities } from './entities.ts'
import { makeTables } from './tables.ts'
import { writeTable } from './write.ts'

// Runs in a thread of its own, started by build.ts.
const { path } = z.object({ path: z.string() }).parse(workerData)
const tables = new Map(makeTables().map((table) => [table.name, table]))
const instance = await DuckDBInstance.create(path, { threads: '2', memory_limit: '1GB' })
const connection = await instance.connect()
for (const entity of readEntities()) {
  const table = tables.get(entity.table)
  if (!table) throw new Error(`Nothing makes the rows of the entity ${entity.table}.`)
  await writeTable(connection, entity, table)
}
await connection.run('checkpoint')
connection.closeSync()
instance.closeSync()
