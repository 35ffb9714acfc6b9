import { inject } from 'vitest'
import { expect, test } from 'vitest'
import { withDatabase } from '../../test/support/global-postgres.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { silentLog } from '../kernel/index.ts'
import { checkDatabase } from './check-database.ts'
import { openDb } from './db.ts'
import { identifier, sql } from './sql.ts'

async function check(url: string) {
  const db = openDb({ url, log: silentLog, connectTimeoutMs: 500 })
  try {
    return await checkDatabase(db, url)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    await db.stop()
  }
}

test('a database that serves is told by its version', async () => {
  await using t = await makeDatabase({ as: 'owner' })
  expect(await check(t.url)).toEqual({ version: expect.stringMatching(/^\d+/), warnings: [] })
})

test('a database that does not answer, is not there or lets nobody in is named with what to do, without its password', async () => {
  expect(await check('postgresql://me:hunter2@127.0.0.1:1/mine')).toMatch(
    /^PostgreSQL at 127\.0\.0\.1:1, database mine, does not answer\..*LONGHAUL_DATABASE_URL/,
  )
  expect(await check(withDatabase(inject('postgresUrl'), 'missing'))).toMatch(/database missing, has no database of that name/)
  const stranger = new URL(inject('postgresUrl'))
  stranger.username = 'stranger'
  stranger.password = 'hunter2'
  const refused = await check(stranger.href)
  expect(refused).toMatch(/refuses this user or password/)
  expect(refused).not.toContain('hunter2')
})

test('a database of another encoding or without the right to create is refused', async () => {
  await using t = await makeDatabase({ as: 'owner' })
  await t.db.rows(sql`create database ascii template template0 encoding 'SQL_ASCII' locale_provider libc locale 'C'`)
  expect(await check(withDatabase(t.url, 'ascii'))).toMatch(/its encoding is SQL_ASCII/)
  await t.db.rows(sql`drop database ascii`)

  const role = `reader_${new URL(t.url).pathname.slice(-12)}`
  await t.db.rows(sql`create role ${identifier(role)} login`)
  const url = new URL(t.url)
  url.username = role
  expect(await check(url.href)).toMatch(/may not create tables/)
  await t.db.rows(sql`drop role ${identifier(role)}`)
})
