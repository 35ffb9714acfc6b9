/** The stock tool `sql` on a real PostgreSQL, as a user that may read and one that may do anything. */
import type { AgentManifest, Json } from '@longhaul/protocol'
import { afterAll, expect, test } from 'vitest'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { openShop } from '../../../test/support/shop.ts'
import { type BedOptions, failureOf, openToolsBed } from '../../../test/support/tools-bed.ts'
import { sql } from '../../db/index.ts'

const database = await makeDatabase()
const shop = await openShop()
afterAll(async () => {
  await shop[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

async function openBed({ address = shop.address, hosts, more }: { address?: string; hosts?: string[]; more?: Partial<BedOptions> } = {}) {
  const manifest: AgentManifest = {
    description: '',
    shape: 'agent',
    model: null,
    instructions: null,
    tools: [],
    skills: [],
    examples: [],
    databases: { shop: { secret: 'shop', timeoutMs: 500, rowsMax: 100 } },
  }
  const bed = await openToolsBed({ db: database.db, privateHosts: ['127.0.0.1', 'localhost'], manifestOf: async () => manifest, ...more })
  await bed.setSecret('shop', { value: address, hosts: hosts ?? [new URL(address).hostname] })
  return {
    ...bed,
    query: async (query: string) =>
      (await bed.call('sql', { database: 'shop', query })).output as { columns: string[]; rows: Json[][]; rowCount: number; note?: string },
  }
}
const countOrders = async () => (await shop.owner.rows<{ count: number }>(sql`select count(*)::int as count from orders`))[0]?.count

test('a query gives columns and the first rows, as they are, and labels the run with the database', async () => {
  await using bed = await openBed()
  expect(await bed.query('select id, customer, placed, total, details, null as nothing, true as yes from orders order by id limit 1;')).toEqual({
    columns: ['id', 'customer', 'placed', 'total', 'details', 'nothing', 'yes'],
    rows: [[1, 'customer 1', '2025-01-31', '12345678901234567890.5', { a: [1] }, null, true]],
    rowCount: 1,
  })
  const many = await bed.query('with all_of_them as (select * from orders) select id from all_of_them order by id -- all')
  expect([many.rowCount, many.rows.at(-1), many.note]).toEqual([100, [100], expect.stringContaining('more rows')])
  expect((await bed.call('sql', { database: 'shop', query: 'values (1)' })).source).toBe('tool_server')
  expect(await failureOf(bed.query('select nme from orders'))).toMatchObject({ code: 'sql', message: expect.stringContaining('"nme" does not exist') })
  expect(await failureOf(bed.call('sql', { database: 'another', query: 'select 1' }))).toMatchObject({
    code: 'not_found',
    message: expect.stringContaining('There are: shop'),
  })
})

test.each([
  'delete from orders',
  'select 1; delete from orders',
  'select 1; commit; delete from orders',
  'with gone as (delete from orders returning 1) select * from gone',
  "select set_config('transaction_read_only', 'off', false)",
  'commit',
  "copy orders to program 'true'",
  'insert into orders (id) select 1',
  'select 1 into more',
])('nothing is written, although the user might: %s', async (query) => {
  await using bed = await openBed()
  expect((await failureOf(bed.query(query))).code).toBe('sql')
  expect(await countOrders()).toBe(300)
})

test('a query that takes long is ended by the database, and one that is called off ends with its connection', async () => {
  await using bed = await openBed()
  expect(await failureOf(bed.query('select pg_sleep(30)'))).toMatchObject({ code: 'timeout' })
  const off = new AbortController()
  const called = bed.call('sql', { database: 'shop', query: 'select pg_sleep(30)' }, off.signal)
  off.abort(new Error('called off'))
  await expect(called).rejects.toThrow()
})

test('a user that may do anything is refused; an address goes to the hosts of its secret, and to opened ones alone', async () => {
  await using mighty = await openBed({ address: shop.mightyAddress })
  expect(await failureOf(mighty.query('select 1'))).toMatchObject({
    code: 'refused',
    message: expect.stringContaining('Give the agent a user that can only read'),
  })
  await using elsewhere = await openBed({ hosts: ['db.example.com'] })
  expect(await failureOf(elsewhere.query('select 1'))).toMatchObject({ code: 'host_refused' })
  await using closed = await openBed({ more: { privateHosts: [] } })
  expect(await failureOf(closed.query('select 1'))).toMatchObject({ code: 'host_refused', message: expect.stringContaining('LONGHAUL_TOOLS_PRIVATE_HOSTS') })
  await using wrong = await openBed()
  await wrong.setSecret('shop', { value: 'https://127.0.0.1/', hosts: ['127.0.0.1'] })
  expect(await failureOf(wrong.query('select 1'))).toMatchObject({ code: 'credentials', message: expect.stringContaining('postgres://user:password') })
})
