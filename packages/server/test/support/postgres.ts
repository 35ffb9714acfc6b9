import { inject } from 'vitest'
import { type Db, identifier, openDb, sql } from '../../src/db/index.ts'
import { type Log, newId, silentLog } from '../../src/kernel/index.ts'
import { withDatabase } from './global-postgres.ts'

export type TestDatabase = AsyncDisposable & { url: string; db: Db }

/** A migrated database of the test's own, gone at the end of the block: `await using t = await makeDatabase()`. */
export async function makeDatabase({ poolMax = 5, log = silentLog }: { poolMax?: number; log?: Log } = {}): Promise<TestDatabase> {
  const name = `test_${newId().replaceAll('-', '')}`
  await asAdmin((admin) => admin.rows(sql`create database ${identifier(name)} template ${identifier(inject('templateName'))}`))
  const url = withDatabase(inject('postgresUrl'), name)
  const db = openDb({ url, poolMax, log })
  return {
    url,
    db,
    async [Symbol.asyncDispose]() {
      await db.stop()
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
