import { DuckDBDecimalValue, DuckDBTypeId, type DuckDBType, type DuckDBValue } from '@duckdb/node-api'

export type Cell = string | number | boolean | null
export type Column = { name: string; type: 'text' | 'number' | 'date' | 'boolean' }

const numbers: ReadonlySet<DuckDBTypeId> = new Set([
  DuckDBTypeId.TINYINT,
  DuckDBTypeId.SMALLINT,
  DuckDBTypeId.INTEGER,
  DuckDBTypeId.BIGINT,
  DuckDBTypeId.HUGEINT,
  DuckDBTypeId.UTINYINT,
  DuckDBTypeId.USMALLINT,
  DuckDBTypeId.UINTEGER,
  DuckDBTypeId.UBIGINT,
  DuckDBTypeId.UHUGEINT,
  DuckDBTypeId.FLOAT,
  DuckDBTypeId.DOUBLE,
  DuckDBTypeId.DECIMAL,
])
const timestamps: ReadonlySet<DuckDBTypeId> = new Set([
  DuckDBTypeId.TIMESTAMP,
  DuckDBTypeId.TIMESTAMP_S,
  DuckDBTypeId.TIMESTAMP_MS,
  DuckDBTypeId.TIMESTAMP_NS,
  DuckDBTypeId.TIMESTAMP_TZ,
])
const texts: ReadonlySet<DuckDBTypeId> = new Set([
  DuckDBTypeId.VARCHAR,
  DuckDBTypeId.INTERVAL,
  DuckDBTypeId.TIME,
  DuckDBTypeId.UUID,
  DuckDBTypeId.ENUM,
  DuckDBTypeId.SQLNULL,
])

/** Whether a value of this type fits into one cell. */
export const isTabular = ({ typeId }: DuckDBType): boolean =>
  numbers.has(typeId) || timestamps.has(typeId) || texts.has(typeId) || typeId === DuckDBTypeId.DATE || typeId === DuckDBTypeId.BOOLEAN

function typeOf({ typeId }: DuckDBType): Column['type'] {
  if (numbers.has(typeId)) return 'number'
  if (typeId === DuckDBTypeId.BOOLEAN) return 'boolean'
  return typeId === DuckDBTypeId.DATE || timestamps.has(typeId) ? 'date' : 'text'
}

/** Turns DuckDB's values of a column into what JSON can hold. */
export function columnReader(type: DuckDBType): (value: DuckDBValue) => Cell {
  switch (typeOf(type)) {
    case 'number':
      return toNumber
    case 'boolean':
      return (value) => (typeof value === 'boolean' ? value : null)
    case 'date':
      return (value) => (value === null ? null : String(value).slice(0, 19))
    case 'text':
      return (value) => (value === null ? null : String(value))
  }
}

function toNumber(value: DuckDBValue): number | null {
  const number = value instanceof DuckDBDecimalValue ? value.toDouble() : typeof value === 'bigint' || typeof value === 'number' ? Number(value) : Number.NaN
  // Sums of fractions differ in the last digits from run to run: twelve are enough for any answer.
  return Number.isFinite(number) ? (Number.isInteger(number) ? number : Number(number.toPrecision(12))) : null
}

/** Names and kinds of the columns. Where all timestamps of a column are midnight, as after date_trunc, its cells become dates. */
export function showDates(types: readonly DuckDBType[], names: readonly string[], rows: Cell[][]): Column[] {
  types.forEach(({ typeId }, column) => {
    if (!timestamps.has(typeId) || !rows.every((row) => row[column] === null || String(row[column]).endsWith(' 00:00:00'))) return
    for (const row of rows) if (row[column] !== null) row[column] = String(row[column]).slice(0, 10)
  })
  return types.map((type, index) => ({ name: names[index] ?? '', type: typeOf(type) }))
}
