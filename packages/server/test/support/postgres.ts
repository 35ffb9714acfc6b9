import { inject } from 'vitest'
import { type Db, engineRole, identifier, openDb, sql } from '../../src/db/index.ts'
import { type Log, newId, silentLog } from '../../src/kernel/index.ts'
import { withDatabase } from './global-postgres.ts'

export type TestDatabase = AsyncDisposable & {
  url: string
  db: Db
  /** The user that owns the tables, a superuser where we started PostgreSQL. */
  owner: Db
}

/**
 * A migrated database of the test's own, gone at the end of the block: `await using t = await makeDatabase()`. `db` has the role that a server's has;
 * `as: 'owner'` is for tests of the schema and of PostgreSQL itself.
 */
export async function makeDatabase({
  poolMax = 5,
  log = silentLog,
  as = 'engine',
}: { poolMax?: number; log?: Log; as?: 'engine' | 'owner' } = {}): Promise<TestDatabase> {
  const name = `test_${newId().replaceAll('-', '')}`
  await asAdmin((admin) => admin.rows(sql`create database ${identifier(name)} template ${identifier(inject('templateName'))}`))
  const url = withDatabase(inject('postgresUrl'), name)
  const owner = openDb({ url, poolMax: as === 'owner' ? poolMax : 2, log })
  const db = as === 'owner' ? owner : openDb({ url, poolMax, log, role: engineRole })
  return {
    url,
    db,
    owner,
    async [Symbol.asyncDispose]() {
      await db.stop()
      if (owner !== db) await owner.stop()
      await asAdmin((admin) => admin.rows(sql`drop database ${identifier(name)} with (force)`))
    },
  }
}

async function asAdmin<Result>(work: (admin: Db) => Promise<Result>): Promise<Result> {
  const admin = openDb({ url: inject('postgresUrl'), poolMax: 1, log: silentLog })
  try {
    return await work(admin)
  } finally {
    await admin.stop()
  }
}
