import {
  DuckDBDataChunk,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBTimestampValue,
  type DuckDBConnection,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api'
import type { Entity } from './entities.ts'
import type { Table, Value } from './tables.ts'

const chunkRows = 2_048
const microsPerMinute = 60_000_000n

/** Creates the table as its entity declares it, and fills it. */
export async function writeTable(connection: DuckDBConnection, entity: Entity, table: Table): Promise<void> {
  const order = entity.columns.map(({ name }) => table.columns.indexOf(name))
  if (order.includes(-1) || table.columns.length !== order.length) throw new Error(`The rows of ${table.name} have other columns than its entity declares.`)
  await connection.run(`create table ${entity.table} (${entity.columns.map(({ name, type }) => `${name} ${type}`).join(', ')})`)

  const appender = await connection.createAppender(entity.table)
  const types = order.map((_, index) => appender.columnType(index))
  const writers = entity.columns.map(({ type }) => toDuckDb(type))
  for (let from = 0; from < table.rows.length; from += chunkRows) {
    const rows = table.rows.slice(from, from + chunkRows)
    appender.appendDataChunk(toChunk(rows, order, types, writers))
  }
  appender.flushSync()
  appender.closeSync()
}

function toChunk(rows: readonly (readonly Value[])[], order: readonly number[], types: readonly DuckDBType[], writers: readonly Writer[]): DuckDBDataChunk {
  const chunk = DuckDBDataChunk.create(types, rows.length)
  order.forEach((source, column) => {
    const write = writers[column]
    if (write)
      chunk.setColumnValues(
        column,
        rows.map((row) => write(row[source] ?? null)),
      )
  })
  return chunk
}

type Writer = (value: Value) => DuckDBValue

/** How a value of `tables.ts` is written into a column of this type. */
function toDuckDb(type: string): Writer {
  const decimal = /^DECIMAL\((\d+),2\)$/.exec(type)
  if (decimal) return (value) => (value === null ? null : new DuckDBDecimalValue(BigInt(value), Number(decimal[1]), 2))
  if (type === 'DATE') return (value) => (value === null ? null : dateOf(Number(value)))
  if (type === 'TIMESTAMP') return (value) => (value === null ? null : new DuckDBTimestampValue(BigInt(value) * microsPerMinute))
  return (value) => value
}

const dates = new Map<number, DuckDBDateValue>()

/** A million rows share some thousand dates. */
function dateOf(day: number): DuckDBDateValue {
  const known = dates.get(day)
  if (known) return known
  const made = new DuckDBDateValue(day)
  dates.set(day, made)
  return made
}
