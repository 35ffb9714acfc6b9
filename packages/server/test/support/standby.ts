/** A second PostgreSQL that has everything of the first: a backup of it, which follows it as its standby or begins a history of its own. */
import { execFileSync } from 'node:child_process'
import { appendFileSync, chownSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Db, type Embedded, openDb, sql, startEmbedded } from '../../src/db/index.ts'
import { silentLog } from '../../src/kernel/index.ts'
import { until } from './server-process.ts'

/** `original`: a superuser of the first, and its address on the network, since its socket’s folder is closed to others. `from` and `to` are data folders. */
export async function startStandby({ original, from, to }: { original: { db: Db; url: string }; from: string; to: string }): Promise<Embedded> {
  await backUp(original.db, from, to)
  const folder = join(to, 'postgres', 'data')
  const { hostname, port } = new URL(original.url)
  appendFileSync(join(folder, 'postgresql.auto.conf'), `\nprimary_conninfo = 'host=${hostname} port=${port} user=longhaul application_name=standby'\n`)
  writeAs(folder, 'standby.signal', '')
  const standby = await startEmbedded({ dataDir: to, log: silentLog })
  await until(
    'the standby to follow',
    10_000,
    async () => (await original.db.rows(sql`select from pg_stat_replication where state = 'streaming'`)).length > 0 || undefined,
  )
  return standby
}

/**
 * Recovery to a point in time: the backup in `to`, and what the original in `from`, which has ended, logged since, up to `until`, an instant of its clock as it writes it, and not further
 * (https://www.postgresql.org/docs/current/continuous-archiving.html).
 */
export async function recover({ from, to, until: target }: { from: string; to: string; until: string }): Promise<Embedded> {
  const folder = join(to, 'postgres', 'data')
  copyLog(from, folder)
  appendFileSync(join(folder, 'postgresql.auto.conf'), `\nrestore_command = 'false'\nrecovery_target_time = '${target}'\nrecovery_target_action = 'promote'\n`)
  writeAs(folder, 'recovery.signal', '')
  const recovered = await startEmbedded({ dataDir: to, log: silentLog })
  const db = openDb({ url: recovered.url, poolMax: 1, log: silentLog })
  await until('the recovery to end', 20_000, async () => (await db.rows(sql`select where not pg_is_in_recovery()`)).length > 0 || undefined)
  await db.stop()
  return recovered
}

/** A copy made beside a PostgreSQL that runs names that one’s process, which is not its own. */
export function forgetProcess(dataDir: string): void {
  rmSync(join(dataDir, 'postgres', 'data', 'postmaster.pid'), { force: true })
  for (const name of ['.s.PGSQL.5432', '.s.PGSQL.5432.lock']) rmSync(join(dataDir, 'postgres', 'socket', name), { force: true })
}

/** As pg_basebackup does: the files while it runs, and where its log has to be read from. */
export async function backUp(db: Db, from: string, to: string): Promise<void> {
  mkdirSync(to, { recursive: true })
  const connection = await db.connection('backup')
  try {
    await connection.query(sql`select pg_backup_start('test', true)`)
    execFileSync('cp', ['-a', join(from, 'postgres'), to])
    const [label] = await connection.query<{ text: string }>(sql`select labelfile as text from pg_backup_stop(false)`)
    const folder = join(to, 'postgres', 'data')
    writeAs(folder, 'backup_label', label?.text ?? '')
    forgetProcess(to)
    copyLog(from, folder)
  } finally {
    await connection.end()
  }
}

/** Over what is there: the last file may have been copied before its end was written. */
function copyLog(from: string, folder: string): void {
  execFileSync('cp', ['-a', `${join(from, 'postgres', 'data', 'pg_wal')}/.`, join(folder, 'pg_wal')])
}

/** A file that PostgreSQL's user owns, whoever that is here. */
function writeAs(folder: string, name: string, text: string): void {
  const file = join(folder, name)
  writeFileSync(file, text, { mode: 0o600 })
  const { uid, gid } = statSync(folder)
  chownSync(file, uid, gid)
}
