/**
 * Keeps a copy of a database from acting. A backup that was restored beside its original, and a clone for a test, hold every timer, schedule and delivery
 * of the original: a server that worked on it would do all of that a second time. So a database knows the addresses that it is worked on under.
 *
 * What cannot be told apart is a copy under the very address of the original, in a network of its own.
 */
import { AppError, type Log } from '../kernel/index.ts'
import type { Db } from './db.ts'
import { type Sql, sql } from './sql.ts'

/** Which history of the database this is: a standby that is promoted, and a restore, begin a new timeline. A new cluster has another identifier. */
export const incarnation: Sql = sql`(select system_identifier::text from pg_control_system()) || ':' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)`

/** Without user, password and options, which may change at the same place. */
export function addressOf(url: string): string {
  const { hostname, port, pathname, searchParams } = new URL(url)
  const folder = searchParams.get('host')
  return `${folder?.startsWith('/') ? folder : `${hostname}:${port || 5432}`}/${decodeURIComponent(pathname.slice(1))}`
}

/** Throws when the database is at home elsewhere and nobody has said that this is its home too. Changes nothing. */
export async function assertHome(owner: Db, { url, adopted }: { url: string; adopted: string | undefined }): Promise<void> {
  const address = addressOf(url)
  const [table] = await owner.rows<{ isMade: boolean }>(sql`select to_regclass('homes') is not null as "isMade"`)
  const isMade = table?.isMade ?? false
  const known = isMade ? (await owner.rows<{ address: string }>(sql`select address from homes order by adopted_at limit 100`)).map((home) => home.address) : []
  if (known.length === 0 || known.includes(address) || adopted === address) return
  throw new AppError(
    'unavailable',
    `The database at ${address} was worked on at ${known.join(', ')} and never here, so it may be a copy, whose timers, schedules and deliveries the original carries out. ` +
      `If it was moved or is to work on its own, set LONGHAUL_DATABASE_ADOPT=${address} and start again.`,
  )
}

/** From now on this is its home, and this its history. */
export async function recordHome(owner: Db, url: string, log: Log): Promise<void> {
  const address = addressOf(url)
  const [before] = await owner.rows<{ incarnation: string }>(sql`select incarnation from homes where address = ${address}`)
  const [after] = await owner.rows<{ incarnation: string }>(sql`
    insert into homes (address, incarnation) select ${address}, ${incarnation}
    on conflict (address) do update set incarnation = excluded.incarnation
    returning incarnation`)
  if (!before || !after || before.incarnation === after.incarnation) return
  log.warn(
    'the database is another one than at the last start: a standby took over, or a backup was restored. What happened after that point is not known to it, though it may have had effects',
    {
      before: before.incarnation,
      after: after.incarnation,
    },
  )
}
