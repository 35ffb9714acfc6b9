/** Whether a PostgreSQL can serve us, found out at the start and said in words, instead of at the first statement that fails. */
import { AppError } from '../kernel/index.ts'
import type { Db } from './db.ts'
import { isConnectionLost, sqlState } from './db-errors.ts'
import { sql } from './sql.ts'

type Facts = { version: string; number: number; encoding: string; isStandby: boolean; mayCreate: boolean; fsync: string }
const oldest = 150_000

/** Throws, with what to do, when it cannot. `url` is only for naming it; its password is not repeated. */
export async function checkDatabase(db: Db, url: string): Promise<{ version: string; warnings: string[] }> {
  const facts = await ask(db, describe(url))
  const cannot = (why: string) => new AppError('unavailable', `${describe(url)} cannot be used: ${why}`)
  if (facts.number < oldest) throw cannot(`it is PostgreSQL ${facts.version}, and the oldest that works is ${oldest / 10_000}.`)
  if (facts.encoding !== 'UTF8') throw cannot(`its encoding is ${facts.encoding}. Create the database with encoding UTF8.`)
  if (facts.isStandby) throw cannot('it is a standby, which takes no writes. Name the primary in LONGHAUL_DATABASE_URL.')
  if (!facts.mayCreate) throw cannot('its user may not create tables there. Grant it CREATE on the schema.')
  return {
    version: facts.version,
    warnings: facts.fsync === 'on' ? [] : ['fsync is off in PostgreSQL: a crash of its machine may lose or damage what was committed.'],
  }
}

async function ask(db: Db, name: string): Promise<Facts> {
  try {
    const [facts] = await db.rows<Facts>(sql`
      select current_setting('server_version') as version, current_setting('server_version_num')::int as number, pg_encoding_to_char(encoding) as encoding,
        pg_is_in_recovery() as "isStandby", coalesce(has_schema_privilege(current_schema(), 'create'), false) as "mayCreate", current_setting('fsync') as fsync
      from pg_database
      where datname = current_database()`)
    return facts! // The database that we are connected to exists.
  } catch (error) {
    throw new AppError('unavailable', `${name} ${whyNot(error)}`, error)
  }
}

function whyNot(error: unknown): string {
  const state = sqlState(error) ?? (error instanceof AppError ? sqlState(error.cause) : undefined)
  if (state?.startsWith('28')) return 'refuses this user or password. Correct LONGHAUL_DATABASE_URL.'
  if (state === '3D000') return 'has no database of that name. Create it, or correct LONGHAUL_DATABASE_URL.'
  if (state === '53300') return 'has no connection left. Raise max_connections there, or lower LONGHAUL_DATABASE_CONNECTIONS.'
  if (state === '57P03') return 'is still starting. Try again in a moment.'
  if (isConnectionLost(error)) return 'does not answer. Is it running, and is the address in LONGHAUL_DATABASE_URL right?'
  return `cannot be used: ${error instanceof Error ? error.message : error}`
}

function describe(url: string): string {
  if (!URL.canParse(url)) return 'PostgreSQL'
  const { hostname, port, pathname, searchParams } = new URL(url)
  return `PostgreSQL at ${searchParams.get('host') ?? `${hostname}:${port || 5432}`}, database ${pathname.slice(1) || '(none)'},`
}
