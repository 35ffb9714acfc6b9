/**
 * One query on a PostgreSQL database, with a credential that only the server has. Three things keep it from writing, each alone: it is the query of a cursor, which
 * no other statement can be; the protocol takes one statement at a time; and the transaction is read only. What a transaction does not hold back, programs and files
 * of the database's host, its user must have no right to.
 */
import type { Database, Json, serverTools } from '@longhaul/protocol'
import { Socket } from 'node:net'
import pg from 'pg'
import type { z } from 'zod'
import { powers } from './database-store.ts'
import type { Egress } from '../egress/egress.ts'
import { failed, networkFailure } from '../failures.ts'
import type { SecretsUser, ToolSecrets } from '../secrets.ts'

type Use = { databases: Readonly<Record<string, Database>>; user: SecretsUser; secrets: ToolSecrets; egress: Egress; signal: AbortSignal }

const connectMsMax = 10_000
const addresses = { protocols: /^postgres(ql)?:$/, what: 'a database', example: 'postgres://user:password@host/name' }
/** By PostgreSQL's numbers of types. Any other value is its text: a large number keeps its digits, and a date its day. */
const parsers: Record<number, (text: string) => Json> = {
  16: (text) => text === 't',
  21: Number,
  23: Number,
  700: Number,
  701: Number,
  114: (text) => JSON.parse(text) as Json,
  3802: (text) => JSON.parse(text) as Json,
}
/** Rows that are fetched at once; after each of them it is seen whether the answer is long enough. */
const batch = 50
const charactersMax = 500_000

export async function querySql({ database: name, query }: z.output<typeof serverTools.sql.input>, use: Use): Promise<{ output: Json; origin: string }> {
  const { databases, user, secrets, egress, signal } = use
  const declared = databases[name]
  if (!declared) throw failed('not_found', `There is no database ${JSON.stringify(name)}. There are: ${Object.keys(databases).join(', ') || 'none'}.`)
  const { url: address, hosts } = await secrets.readAddress(declared.secret, user, addresses)
  if (address.searchParams.has('host')) throw failed('credentials', `The address in the secret ${declared.secret} names another host in its parameters.`)
  const host = address.hostname.replace(/^\[(.*)\]$/, '$1')
  const port = Number(address.port || 5432)
  const lookup = egress.lookupFor(host, port, hosts)
  const socket = new Socket()
  const connect = socket.connect.bind(socket) as unknown as (options: object) => Socket // The one of its overloads that takes options.
  const client = new pg.Client({
    connectionString: address.href,
    connectionTimeoutMillis: connectMsMax,
    application_name: 'longhaul sql tool',
    // pg asks for `connect(port, host)`; what is dialled is what was checked.
    stream: () => Object.assign(socket, { connect: (at: number, to: string) => connect({ port: at, host: to, lookup }) }),
    types: { getTypeParser: (type: number) => parsers[type] ?? String },
  })
  client.on('error', () => {}) // Whoever waits for an answer is told.
  const stop = () => void socket.destroy()
  signal.throwIfAborted()
  signal.addEventListener('abort', stop, { once: true })
  try {
    await client.connect()
    const { columns, rows, isCut } = await read(client, query, declared)
    return {
      output: { columns, rows, rowCount: rows.length, ...(isCut && { note: 'There are more rows. Ask for less, or for sums.' }) },
      origin: `${host}:${port}`,
    }
  } catch (error) {
    throw signal.aborted ? error : toFailure(error, host)
  } finally {
    signal.removeEventListener('abort', stop)
    await client.end().catch(() => {}) // It is over either way.
  }
}

async function read(client: pg.Client, query: string, { timeoutMs, rowsMax }: Database) {
  const ask = (text: string) => client.query({ text, values: [], rowMode: 'array', queryMode: 'extended' } as pg.QueryArrayConfig)
  await ask('begin transaction read only')
  await ask(`set local statement_timeout = ${timeoutMs}`)
  const { rows: held } = await ask(powers)
  if (held.length > 0)
    throw failed(
      'refused',
      'The user of this database may run programs or touch files on its host, which a read-only transaction does not hold back. Give the agent a user that can only read.',
    )
  await ask(`declare found no scroll cursor for ${query.replace(/;\s*$/, '')}`)
  const rows: Json[][] = []
  let columns: string[] = []
  let characters = 0
  while (rows.length <= rowsMax && characters < charactersMax) {
    const got = await ask(`fetch ${Math.min(batch, rowsMax + 1 - rows.length)} from found`)
    columns = got.fields.map((field) => field.name)
    if (got.rows.length === 0) break
    const plain = JSON.parse(JSON.stringify(got.rows)) as Json[][]
    characters += JSON.stringify(plain).length
    rows.push(...plain)
  }
  await ask('rollback')
  return { columns, rows: rows.slice(0, rowsMax), isCut: rows.length > rowsMax || characters >= charactersMax }
}

function toFailure(error: unknown, host: string): unknown {
  const network = networkFailure(error, host, true)
  if (network) return network
  if (!(error instanceof pg.DatabaseError)) return error
  const { code = '', message, position } = error
  if (code === '57014') return failed('timeout', 'The query took too long and was ended. Ask for less.')
  if (code.startsWith('28')) return failed('credentials', `The database does not accept our user: ${message}`)
  return failed('sql', `The database says: ${message}${position === undefined ? '' : ` (at character ${position} of the statement it got)`}`)
}
