/** The only door to PostgreSQL: a pool for everybody, and connections of their own for those who must not wait in its queue. */
import type { Writable } from 'node:stream'
import pg from 'pg'
import type { Log } from '../kernel/index.ts'
import { isConnectionLost, toDbError } from './db-errors.ts'
import { tenantRole } from './roles.ts'
import { Sql, now, sql } from './sql.ts'
import { openStatementNames } from './statement-names.ts'
import { parsers } from './values.ts'

export type Tx = {
  rows<Row>(query: Sql): Promise<Row[]>
  /** The database's clock, as a piece of SQL. */
  readonly now: Sql
}

/** Statements that see one tenant's rows and no other's, whatever their `where` says. A function of a store that takes this cannot be called without. */
export type TenantTx = Tx & { readonly tenantId: string }
export type TenantDb = TenantTx & { transaction<Result>(work: (tx: TenantTx) => Promise<Result>): Promise<Result> }

export type Db = Tx & {
  /** For everything that somebody asked for: row-level security under the tenant's name, from the transaction's begin to its end. */
  forTenant(tenantId: string): TenantDb
  /** All of `work`'s statements or none. Whatever `work` throws rolls back and is thrown on. Do not call the network inside. */
  transaction<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>
  /** A connection outside the pool. It is not restored when lost: make another one. `stop` ends it too. */
  connection(name: string, options?: ConnectionOptions): Promise<Connection>
  /** Returns once no connection is left. */
  stop(): Promise<void>
}

/** Named statements are prepared once per connection. */
export type Query = Sql | { name?: string; text: string; values?: unknown[] }

export type ConnectionOptions = {
  /** PostgreSQL ends a statement that takes longer. */
  statementTimeoutMs?: number
  /** The wait for an answer ends here even when the network is silent; the connection is lost then. */
  answerTimeoutMs?: number
}

export type Connection = {
  query<Row>(query: Query): Promise<Row[]>
  /** `tell` is called once, however the connection ends other than by `end`. At once if it is lost already. */
  onLost(tell: (cause: Error) => void): void
  onNotification(tell: (channel: string, payload: string) => void): void
  end(): Promise<void>
}

export type DbOptions = {
  url: string
  poolMax?: number
  log: Log
  applicationName?: string
  connectTimeoutMs?: number
  /** The pool's connections are given up when an answer takes longer, also when the network is silent. */
  answerTimeoutMs?: number
  /** Put on by every connection. Absent: the user of `url`, which owns the tables. For making the schema and nothing else. */
  role?: string
}

/** Opens nothing yet: the first statement connects. So a database that is not there shows as `unavailable` where it is used. */
export function openDb({ url, poolMax = 10, log, applicationName = 'longhaul', connectTimeoutMs = 5_000, answerTimeoutMs, role }: DbOptions): Db {
  const config: pg.ClientConfig = {
    connectionString: url,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    idle_in_transaction_session_timeout: 60_000,
    // The server drops us when its packets are not acknowledged, so that a dead node's locks and leases do not outlive it for hours.
    options: `-c tcp_user_timeout=20000 -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3${role === undefined ? '' : ` -c role=${role}`}`,
    types: { getTypeParser: (oid: number, format?: string) => (format === 'binary' ? pg.types.getTypeParser(oid, 'binary') : (parsers[oid] ?? String)) },
  }
  const pool = new pg.Pool({
    ...config,
    ...(answerTimeoutMs && { query_timeout: answerTimeoutMs }),
    pipeline: true, // What is sent without waiting goes out at once and is answered in order: https://node-postgres.com/features/pipelining
    max: poolMax,
    application_name: applicationName,
    idleTimeoutMillis: 60_000,
  })
  // Without a listener one dropped idle connection would end the process. The pool replaces it by itself.
  pool.on('error', (error) => log.warn('idle database connection lost', { error }))
  const pooled = new Set<Promise<void>>()
  pool.on('connect', (client) => {
    // Between the pool's handing it out and the first statement nobody else listens, and a loss then would end the process; the statement meets it.
    client.on('error', () => {})
    const closed = new Promise<void>((resolve) => client.once('end', resolve)).then(() => void pooled.delete(closed))
    pooled.add(closed)
  })
  const dedicated = new Set<Connection>()
  const nameOf = openStatementNames()

  const rows = <Row>(client: pg.Pool | pg.PoolClient, query: Sql): Promise<Row[]> => {
    const { text, values } = query.toQuery()
    return ask<Row>(client, values.length === 0 ? text : { name: nameOf(text), text, values })
  }

  /** After a failure the next user of the connection finds nothing of what `work` had begun. */
  async function onConnection<Result>(work: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
    const client = await pool.connect().catch(rethrow)
    let broken: Error | undefined
    const noteLoss = (error: Error) => (broken = error)
    client.on('error', noteLoss)
    try {
      return await work(client)
    } catch (error) {
      if (isConnectionLost(error)) broken ??= new Error('connection lost')
      else await rows(client, sql`rollback`).catch((failed: Error) => (broken = failed))
      throw error
    } finally {
      client.off('error', noteLoss)
      client.release(broken) // A connection in an unknown state is closed, never given to the next one.
    }
  }

  /**
   * `begin` travels with the first statement. It opens the transaction before anything else in it can fail, and a statement behind a failed one is
   * refused, so none is ever executed outside.
   */
  function inTransaction<Result>(begin: Sql, work: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
    return onConnection(async (client) => {
      const [begun, working] = inOnePacket(client, () => [rows(client, begin), work(client)])
      begun.catch(() => {}) // Awaited below, where it explains why the statements behind it failed.
      const [done] = await Promise.allSettled([working])
      await begun
      if (done.status === 'rejected') throw done.reason
      await rows(client, sql`commit`)
      return done.value
    })
  }

  /** One statement in a transaction of its own, in one round trip. */
  function aloneInTransaction<Row>(begin: Sql, query: Sql): Promise<Row[]> {
    return onConnection(async (client) => {
      const sent = inOnePacket(client, () => [rows(client, begin), rows<Row>(client, query), rows(client, sql`commit`)] as const)
      const [, answer] = await Promise.all(sent)
      return answer
    })
  }

  return {
    now,
    rows: <Row>(query: Sql) => rows<Row>(pool, query),
    transaction: (work) => inTransaction(sql`begin`, (client) => work({ rows: (query) => rows(client, query), now })),
    forTenant(tenantId) {
      const begin = beginFor(tenantId)
      return {
        tenantId,
        now,
        rows: <Row>(query: Sql) => aloneInTransaction<Row>(begin, query),
        transaction: (work) => inTransaction(begin, (client) => work({ rows: (query) => rows(client, query), now, tenantId })),
      }
    },
    async connection(name, options = {}) {
      return connect({ ...config, application_name: `${applicationName} ${name}` }, options, dedicated)
    },
    async stop() {
      await Promise.all([...dedicated].map((connection) => connection.end()))
      await pool.end()
      await Promise.all(pooled) // The pool calls itself ended before its sockets are closed.
    },
  }
}

/** `open` holds the connections that have neither ended nor been lost. */
async function connect(config: pg.ClientConfig, options: ConnectionOptions, open: Set<Connection>): Promise<Connection> {
  const client = new pg.Client({
    ...config,
    ...(options.statementTimeoutMs && { statement_timeout: options.statementTimeoutMs }),
    ...(options.answerTimeoutMs && { query_timeout: options.answerTimeoutMs }),
  })
  let lost: Error | undefined
  let isEnding = false
  const tellLost = new Set<(cause: Error) => void>()
  const lose = (cause: Error) => {
    if (lost || isEnding) return
    lost = cause
    open.delete(connection)
    for (const tell of tellLost) tell(cause)
    client.end().catch(() => {}) // It is lost: there is nobody to say goodbye to.
  }
  const connection: Connection = {
    query: async <Row>(query: Query) => {
      try {
        return await ask<Row>(client, 'toQuery' in query ? query.toQuery() : query)
      } catch (error) {
        if (isConnectionLost(error)) lose(error instanceof Error ? error : new Error(String(error)))
        throw error
      }
    },
    onLost: (tell) => (lost ? tell(lost) : void tellLost.add(tell)),
    onNotification: (tell) => void client.on('notification', ({ channel, payload }) => tell(channel, payload ?? '')),
    async end() {
      if (isEnding || lost) return
      isEnding = true
      open.delete(connection)
      await client.end().catch(() => {}) // Closed is what we wanted.
    },
  }
  client.on('error', lose)
  client.on('end', () => lose(new Error('The database closed the connection.')))
  await client.connect().catch(rethrow)
  open.add(connection)
  return connection
}

/** In one message, so that it costs no more than `begin`. `set local` ends with the transaction: nothing of it is left to the connection's next user. */
const beginFor = (tenantId: string): Sql => {
  if (tenantId === '') throw new Error('A tenant has a name.') // The name that no transaction outside of a tenant has.
  return new Sql([`begin; set local role ${tenantRole}; set local longhaul.tenant = ${pg.escapeLiteral(tenantId)}`], [])
}

/** What `send` sends before it waits for anything leaves together: one call to the kernel, and one wake-up of PostgreSQL, instead of one for each message. */
function inOnePacket<Result>(client: pg.PoolClient, send: () => Result): Result {
  const { stream } = (client as unknown as { connection: { stream: Writable } }).connection // Its types leave it out; its own messages of one statement are sent so.
  stream.cork()
  try {
    return send()
  } finally {
    stream.uncork()
  }
}

async function ask<Row>(client: pg.Pool | pg.ClientBase, query: string | { name?: string | undefined; text: string; values?: unknown[] }): Promise<Row[]> {
  try {
    // What the rows look like is known only to the statement; the store that wrote it says so.
    return (await client.query(query)).rows as Row[]
  } catch (error) {
    throw toDbError(error)
  }
}

function rethrow(error: unknown): never {
  throw toDbError(error)
}
