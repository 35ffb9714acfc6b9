/** One at a time, among all servers: whoever holds a name works alone under it. */
import { AppError, monotonicMs, sleep } from '../kernel/index.ts'
import type { Connection, Db } from './db.ts'
import { sql } from './sql.ts'

/**
 * Holds are locks of one connection's session, outside the pool: whoever works under one can never wait for a connection that another holder
 * has. Nobody waits inside the database, so that one name does not keep others waiting. Lost with the connection, which is when a database dies.
 */
export function openHolds(db: Pick<Db, 'connection'>, waitMsMax = 10_000) {
  const lasts = new Map<string, Promise<unknown>>()
  let opening: Promise<Connection> | undefined

  async function connected(): Promise<Connection> {
    opening ??= db.connection('holds').then((connection) => {
      connection.onLost(() => (opening = undefined))
      return connection
    })
    return opening.catch((error: unknown) => {
      opening = undefined
      throw error
    })
  }

  async function hold<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const connection = await connected()
    const key = sql`hashtextextended(${name}, 0)`
    for (const from = monotonicMs(); ; await sleep(10)) {
      const [row] = await connection.query<{ isHeld: boolean }>(sql`select pg_try_advisory_lock(${key}) as "isHeld"`)
      if (row?.isHeld) break
      if (monotonicMs() - from > waitMsMax)
        throw new AppError('unavailable', 'Somebody else has been changing the same for a while. Nothing was changed; try again.')
    }
    try {
      return await work()
    } finally {
      await connection.query(sql`select pg_advisory_unlock(${key})`).catch(() => {}) // Lost: then the lock is gone, too.
    }
  }

  return {
    /** Runs `work` while nobody else, at any server, runs one under the same name. Throws `unavailable` after `waitMsMax` of waiting. */
    async during<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
      const before = lasts.get(name) ?? Promise.resolve()
      const mine = before.then(() => hold(name, work))
      const settled = mine.catch(() => {}) // Whoever asked hears of it; the next one is not kept by it.
      lasts.set(name, settled)
      try {
        return await mine
      } finally {
        if (lasts.get(name) === settled) lasts.delete(name)
      }
    },
  }
}
export type Holds = ReturnType<typeof openHolds>
