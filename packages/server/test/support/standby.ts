/** A second PostgreSQL that has everything of the first: a backup of it, which follows it as its standby or begins a history of its own. */
import { execFileSync } from 'node:child_process'
import { appendFileSync, chownSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Db, type Embedded, sql, startEmbedded } from '../../src/db/index.ts'
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
    // The end of the log was written after its files were copied.
    execFileSync('cp', ['-a', join(from, 'postgres', 'data', 'pg_wal', '.'), join(folder, 'pg_wal')])
  } finally {
    await connection.end()
  }
}

/** A file that PostgreSQL's user owns, whoever that is here. */
function writeAs(folder: string, name: string, text: string): void {
  const file = join(folder, name)
  writeFileSync(file, text, { mode: 0o600 })
  const { uid, gid } = statSync(folder)
  chownSync(file, uid, gid)
}
