import { expect, test } from 'vitest'
import { makeDatabase } from '../../test/support/postgres.ts'
import { createLog, silentLog } from '../kernel/index.ts'
import { openDb } from './db.ts'
import { addressOf } from './home.ts'
import { prepareDatabase } from './prepare.ts'
import { sql } from './sql.ts'

const prepare = (url: string, adopted?: string) => prepareDatabase(url, { log: silentLog, adopted })

test('a second copy of a database is not worked on, and not changed, until somebody says that it may be', async () => {
  await using original = await makeDatabase({ as: 'owner' })
  await prepare(original.url)
  await prepare(original.url)
  await using copy = await makeDatabase({ as: 'owner' })
  // As a restored backup has it: everything of the original, and so its address.
  const [home] = await original.db.rows<{ address: string; incarnation: string }>(sql`select address, incarnation from homes`)
  await copy.db.rows(sql`insert into homes (address, incarnation) values (${home?.address}, ${home?.incarnation})`)
  await copy.db.rows(sql`delete from migrations where number = 22`)
  const refusal = await prepare(copy.url).catch((error: Error) => error.message)
  expect(refusal).toContain(`worked on at ${addressOf(original.url)} and never here`)
  const [, named] = /LONGHAUL_DATABASE_ADOPT=(\S+)/.exec(String(refusal)) ?? []
  expect(await copy.db.rows(sql`select from migrations where number = 22`)).toEqual([])
  await expect(prepare(copy.url, addressOf(original.url))).rejects.toThrow('may be a copy')
  await copy.db.rows(
    sql`insert into migrations select * from json_populate_record(null::migrations, ${JSON.stringify((await original.db.rows(sql`select * from migrations where number = 22`))[0])})`,
  )
  await prepare(copy.url, named)
  await prepare(copy.url)
})

test('another user, password or option is the same place; another port or database is not', () => {
  expect(addressOf('postgresql://a:b@db.internal/longhaul?sslmode=require')).toBe('db.internal:5432/longhaul')
  expect(addressOf('postgresql://c@db.internal:5432/longhaul')).toBe('db.internal:5432/longhaul')
  expect(addressOf('postgresql://c@db.internal:5433/longhaul')).toBe('db.internal:5433/longhaul')
  expect(addressOf('postgresql://c@localhost/longhaul?host=%2Fvar%2Frun')).toBe('/var/run/longhaul')
})

test('a start on another history of the database says so', async () => {
  await using t = await makeDatabase({ as: 'owner' })
  await prepare(t.url)
  await t.db.rows(sql`update homes set incarnation = '7:00000001'`)
  const lines: string[] = []
  const log = createLog((level, message) => void lines.push(`${level} ${message}`), 'warn')
  await prepareDatabase(t.url, { log })
  await prepareDatabase(t.url, { log })
  expect(lines.filter((line) => line.startsWith('warn the database is another one'))).toHaveLength(1)
  expect((await openOne(t.url))?.incarnation).toMatch(/^\d{10,}:[0-9A-F]{8}$/)
})

async function openOne(url: string) {
  const db = openDb({ url, poolMax: 1, log: silentLog })
  const [row] = await db.rows<{ incarnation: string }>(sql`select incarnation from homes`)
  await db.stop()
  return row
}
