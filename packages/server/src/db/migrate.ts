/** Brings the database to this program's schema. Forward only; any number of servers may do it at once. */
import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../kernel/index.ts'
import type { Db, Tx } from './db.ts'
import { ensureRoles } from './roles.ts'
import { Sql, sql } from './sql.ts'

type Migration = { number: number; name: string; checksum: string; isBreaking: boolean; text: string }
type Applied = Omit<Migration, 'text'>

/** Any number, the same in every version: whoever holds it migrates. */
const lockNumber = 7_231_060_111
const ownFolder = join(import.meta.dirname, 'migrations')

/** Returns the numbers it applied itself. Throws, with everything rolled back, when the database and the program do not fit. */
export async function migrate(db: Db, { folder = ownFolder, log }: { folder?: string; log: Log }): Promise<number[]> {
  const known = await readMigrations(folder)
  await ensureRoles(db)
  const done: number[] = []
  while (nextOf(known, await readApplied(db), log)) {
    const applied = await db.transaction(async (tx) => {
      await tx.rows(sql`select pg_advisory_xact_lock(${lockNumber})`)
      const next = nextOf(known, await readApplied(tx), log) // Again, now that nobody else can be at it.
      if (next) await apply(tx, next)
      return next
    })
    if (!applied) continue
    done.push(applied.number)
    log.info('database migrated', { number: applied.number, name: applied.name })
  }
  return done
}

async function apply(tx: Tx, { number, name, checksum, isBreaking, text }: Migration): Promise<void> {
  if (number === 1)
    await tx.rows(sql`
    create table migrations (number int primary key, name text not null, checksum text not null, is_breaking boolean not null, applied_at timestamptz not null default clock_timestamp())`)
  // First, so that of two that got here against all odds one fails before it has done anything.
  await tx.rows(sql`insert into migrations (number, name, checksum, is_breaking) values (${number}, ${name}, ${checksum}, ${isBreaking})`)
  await tx.rows(new Sql([text], []))
}

async function readApplied(db: Tx): Promise<Applied[]> {
  // Not `to_regclass`: it answers from a cache that does not hear of a table made while we waited for the lock.
  const [table] = await db.rows<{ exists: boolean }>(sql`
    select exists (select from pg_class where relname = 'migrations' and relnamespace = current_schema()::regnamespace) as exists`)
  if (!table?.exists) return []
  return db.rows<Applied>(sql`
    select number, name, checksum, is_breaking as "isBreaking"
    from migrations
    order by number`)
}

/** The first migration that the database lacks, if any. */
function nextOf(known: Migration[], applied: Applied[], log: Log): Migration | undefined {
  for (const [i, { number, name, checksum, isBreaking }] of applied.entries()) {
    const ours = known[i]
    if (!ours && isBreaking) {
      throw new Error(
        `The database is newer than this program: it has migration ${number} (${name}), which older servers cannot work with. Start the version that made it, or a newer one.`,
      )
    }
    if (!ours) log.warn('database is newer than this program', { number, name })
    else if (ours.number !== number || ours.checksum !== checksum) {
      throw new Error(
        `Migration ${number} (${name}) of the database is not the one of this program (${ours.number} ${ours.name}): it was changed after it had been applied. ` +
          'Use the program that made the database, or an empty database.',
      )
    }
  }
  return known[applied.length]
}

async function readMigrations(folder: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  const migrations = await Promise.all(
    names.map(async (file) => {
      const parts = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file)
      if (!parts) throw new Error(`${file} is not named like a migration: 0001_name.sql.`)
      const text = await readFile(join(folder, file), 'utf8')
      return {
        number: Number(parts[1]),
        name: String(parts[2]),
        checksum: createHash('sha256').update(text).digest('hex'),
        isBreaking: /^-- breaking\b/m.test(text),
        text,
      }
    }),
  )
  for (const [i, { number }] of migrations.entries()) {
    if (number !== i + 1) throw new Error(`Migration ${i + 1} is missing or there twice in ${folder}.`)
  }
  return migrations
}
