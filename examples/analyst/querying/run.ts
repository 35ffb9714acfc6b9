import type { DataAccess } from '@longhaul/protocol'
import { DuckDBInstance, StatementType, type DuckDBConnection, type DuckDBResult } from '@duckdb/node-api'
import { readEntities, today } from '../warehouse/index.ts'
import { databaseFor, profileOf, reportAccess, type AccessReport } from './access.ts'
import { columnReader, isTabular, showDates, type Cell, type Column } from './cells.ts'
import { inspect } from './guard.ts'

export const rowsMax = 10_000
const timeoutMs = 10_000
/** Characters of all cells together: an answer that is larger helps nobody. */
const charactersMax = 4_000_000

export type QueryProblem = { kind: 'refused' | 'withheld' | 'sql' | 'timeout'; message: string }
export type QueryResult = { access: AccessReport } & ({ error: QueryProblem } | { error?: undefined; columns: Column[]; rows: Cell[][]; truncated: boolean })

type Question = { dataDir: string; access: DataAccess; sql: string; signal?: AbortSignal; timeoutMs?: number }

/** Runs what a model wrote, against the part of the warehouse that the asker may see. */
export async function runQuery(question: Question): Promise<QueryResult> {
  const profile = profileOf(question.access)
  const path = await databaseFor(question.dataDir, profile)
  const instance = await openDatabase(path)
  try {
    const connection = await instance.connect()
    try {
      return { access: reportAccess(profile), ...(await runGuarded(connection, question)) }
    } finally {
      connection.closeSync()
    }
  } finally {
    instance.closeSync()
  }
}

/** Opened so that not even a query that the guard let through could read a file, reach the network, write, or change these settings. */
export const openDatabase = (path: string): Promise<DuckDBInstance> => DuckDBInstance.create(path, lockedDown)

const lockedDown = {
  access_mode: 'READ_ONLY',
  enable_external_access: 'false',
  autoload_known_extensions: 'false',
  autoinstall_known_extensions: 'false',
  allow_community_extensions: 'false',
  threads: '2',
  memory_limit: '512MB',
  max_temp_directory_size: '0KB',
  lock_configuration: 'true',
}

async function runGuarded(connection: DuckDBConnection, { access, sql, signal, timeoutMs: limitMs = timeoutMs }: Question) {
  const entities = readEntities()
  const verdict = await inspect(connection, sql, new Set(entities.map(({ table }) => table)), today)
  if (!verdict.ok) return { error: { kind: verdict.kind, message: verdict.message } }

  signal?.throwIfAborted()
  let isLate = false
  let again: NodeJS.Timeout | undefined
  // An interrupt that comes before the engine has begun is lost, so it is repeated until the query has ended.
  const stop = () => {
    connection.interrupt()
    again = setTimeout(stop, 50)
  }
  const timer = setTimeout(() => ((isLate = true), stop()), limitMs)
  signal?.addEventListener('abort', stop)
  try {
    return await read(await startSelect(connection, sql))
  } catch (error) {
    signal?.throwIfAborted()
    if (isLate)
      return {
        error: {
          kind: 'timeout' as const,
          message: `The query took longer than ${limitMs / 1_000} s and was stopped. Ask for less: a shorter period, fewer joins, an aggregate.`,
        },
      }
    const message = error instanceof Error ? error.message : String(error)
    const withheld = access.personalData
      ? []
      : entities.flatMap(({ columns }) => columns.filter(({ name, personal }) => personal && verdict.columnNames.has(name)).map(({ name }) => name))
    if (withheld.length > 0)
      return {
        error: {
          kind: 'withheld' as const,
          message: `Personal data are withheld from this caller: ${[...new Set(withheld)].join(', ')} cannot be queried. Say so in the answer.`,
        },
      }
    return { error: { kind: 'sql' as const, message } }
  } finally {
    clearTimeout(timer)
    clearTimeout(again)
    signal?.removeEventListener('abort', stop)
  }
}

async function startSelect(connection: DuckDBConnection, sql: string): Promise<DuckDBResult> {
  const statements = await connection.extractStatements(sql)
  const prepared = await statements.prepare(0)
  // The guard decided; this asks the engine itself once more.
  if (statements.count !== 1 || prepared.statementType !== StatementType.SELECT) throw new Error('Only one SELECT may run.')
  return prepared.stream()
}

async function read(result: DuckDBResult) {
  const names = result.deduplicatedColumnNames()
  const types = result.columnTypes()
  const nested = types.findIndex((type) => !isTabular(type))
  if (nested >= 0)
    return {
      error: {
        kind: 'sql' as const,
        message: `The column "${names[nested]}" holds lists or records, which a table cannot show. Unnest it or turn it into text.`,
      },
    }
  const readers = types.map(columnReader)
  const rows: Cell[][] = []
  let characters = 0
  for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    for (const values of chunk.getRows()) {
      if (rows.length === rowsMax) return { columns: showDates(types, names, rows), rows, truncated: true }
      const cells = values.map((value, index) => readers[index]?.(value) ?? null)
      characters += cells.reduce<number>((sum, cell) => sum + (typeof cell === 'string' ? cell.length : 8), 0)
      if (characters > charactersMax)
        return {
          error: {
            kind: 'sql' as const,
            message: `The result holds more than ${charactersMax / 1e6} million characters. Ask for fewer rows or shorter texts.`,
          },
        }
      rows.push(cells)
    }
  }
  return { columns: showDates(types, names, rows), rows, truncated: false }
}
