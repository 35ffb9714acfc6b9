import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DataAccess } from '@longhaul/protocol'
import { warehousePath } from '../warehouse/index.ts'
import { rowsOf, temporaryWarehouse } from '../warehouse/testing.ts'
import { databaseFor, profileOf } from './access.ts'
import { openDatabase, runQuery } from './run.ts'

let warehouse: Awaited<ReturnType<typeof temporaryWarehouse>>
beforeAll(async () => {
  warehouse = await temporaryWarehouse()
})
afterAll(() => warehouse[Symbol.asyncDispose]())

const everything: DataAccess = { personalData: true }
const ask = (sql: string, access: DataAccess = everything, timeoutMs?: number) =>
  runQuery({ dataDir: warehouse.dataDir, access, sql, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
const rowsFor = async (sql: string, access: DataAccess = everything) => {
  const result = await ask(sql, access)
  if (result.error) throw new Error(`${result.error.kind}: ${result.error.message}`)
  return result.rows
}

describe('what a query returns', () => {
  test('numbers, dates, truth and text as JSON holds them, each column with its kind', async () => {
    const result =
      await ask(`select 1 as i, 12.50::decimal(10, 2) as d, 0.1 + 0.2 as f, date '2026-11-18' as day, timestamp '2026-11-18 09:30:00' as t, date_trunc('month', timestamp '2026-11-18 09:30:00') as m,
      true as b, '亚太' as s, null as n, 9007199254740993 as big, 'nan'::double as nan, interval 3 day as span`)
    expect(result).toMatchObject({
      columns: [
        { name: 'i', type: 'number' },
        { name: 'd', type: 'number' },
        { name: 'f', type: 'number' },
        { name: 'day', type: 'date' },
        { name: 't', type: 'date' },
        { name: 'm', type: 'date' },
        { name: 'b', type: 'boolean' },
        { name: 's', type: 'text' },
        { name: 'n', type: expect.any(String) },
        { name: 'big', type: 'number' },
        { name: 'nan', type: 'number' },
        { name: 'span', type: 'text' },
      ],
      rows: [[1, 12.5, 0.3, '2026-11-18', '2026-11-18 09:30:00', '2026-11-01', true, '亚太', null, 9007199254740992, null, '3 days']],
      truncated: false,
    })
  })
  test('two columns of one name are told apart', async () =>
    expect(await ask('select 1 as a, 2 as a')).toMatchObject({ columns: [{ name: 'a' }, { name: expect.not.stringMatching(/^a$/) }] }))
  test('a list is not a cell', async () =>
    expect(await ask('select list(region) as regions from accounts')).toMatchObject({
      error: { kind: 'sql', message: expect.stringContaining('"regions" holds lists') },
    }))
  test("the engine's own words come back when it cannot run the query", async () => {
    expect(await ask('select regoin from accounts')).toMatchObject({ error: { kind: 'sql', message: expect.stringContaining('region') } })
  })
})

describe('limits', () => {
  const endless = 'select count(*) from usage_daily a, usage_daily b where a.events + b.events = 7'
  test('10,000 rows come back whole, the 10,001st is cut and said', async () => {
    expect(await ask('select * from range(10000)')).toMatchObject({ truncated: false, rows: { length: 10_000 } })
    expect(await ask('select * from range(10001)')).toMatchObject({ truncated: true, rows: { length: 10_000 } })
    expect(await ask('select * from usage_daily')).toMatchObject({ truncated: true, rows: { length: 10_000 } })
  })
  test('a query that takes too long is stopped', async () => {
    const started = performance.now()
    expect(await ask(endless, everything, 300)).toMatchObject({ error: { kind: 'timeout' } })
    expect(performance.now() - started).toBeLessThan(5_000)
  })
  test('so is one whose recursion never ends', async () => {
    expect(await ask('with recursive r(n) as (select 1 union all select n + 1 from r) select max(n) from r', everything, 300)).toMatchObject({
      error: { kind: 'timeout' },
    })
  })
  test('a run that is cancelled stops its query, whenever that happens', async () => {
    for (const when of ['before', 'at the start', 'in the midst'] as const) {
      const controller = new AbortController()
      const { signal } = controller
      const cancel = () => controller.abort(new Error('cancelled'))
      const listen = signal.addEventListener.bind(signal)
      // The query is about to run when it begins to listen.
      signal.addEventListener = (...event: Parameters<typeof listen>) => (listen(...event), when === 'at the start' ? cancel() : setTimeout(cancel, 200))
      if (when === 'before') cancel()
      const started = performance.now()
      await expect(runQuery({ dataDir: warehouse.dataDir, access: everything, sql: endless, signal })).rejects.toThrow('cancelled')
      expect(performance.now() - started).toBeLessThan(5_000)
    }
  })
  test('memory is bounded', async () => {
    const doubling = "with recursive r(n, s) as (select 1, 'aaaaaaaa' union all select n + 1, s || s from r where n < 28) select length(max(s)) from r"
    expect(await ask(doubling, everything, 25_000)).toMatchObject({ error: { kind: 'sql', message: expect.stringContaining('Out of Memory') } })
    expect(await rowsFor(doubling.replace('28', '8'))).toEqual([[1_024]])
  })
  test('a result of too many characters is refused', async () => {
    const wide = "with recursive r(n, s) as (select 1, 'aaaaaaaa' union all select n + 1, s || s from r where n < 18) select s from r, range(ROWS)"
    expect(await ask(wide.replace('ROWS', '20'))).toMatchObject({ error: { kind: 'sql', message: expect.stringContaining('million characters') } })
    expect(await ask(wide.replace('ROWS', '1'))).toMatchObject({ rows: { length: 18 } })
  })
})

describe('even without the guard, the connection', () => {
  const harm = [
    "select * from read_text('/etc/hostname')",
    "select * from read_csv('/etc/passwd')",
    "copy accounts to '/tmp/analyst-stolen.csv'",
    "attach '/tmp/analyst-other.duckdb' as other",
    'drop table accounts',
    'delete from accounts',
    'create table x as select 1',
    'set enable_external_access = true',
    'set lock_configuration = false',
    "set memory_limit = '10GB'",
    'install httpfs',
    'load httpfs',
    "select * from 'https://example.com/x.csv'",
    "export database '/tmp/analyst-export'",
  ]
  test.each(harm)('does not let through: %s', async (sql) => {
    const instance = await openDatabase(warehouse.path)
    const connection = await instance.connect()
    await expect(connection.run(sql)).rejects.toThrow(/disabled by configuration|read-only|locked|not allowed|Permission Error|Extension/i)
    await expect(connection.run('select count(*) from accounts')).resolves.toBeTruthy()
    connection.closeSync()
    instance.closeSync()
  })
})

describe('access', () => {
  const limited: DataAccess = { regions: ['Europe'], personalData: false }
  const sizes = 'select count(*), count(distinct region) from accounts'

  test('a caller who may see all, sees all: the control of everything below', async () => {
    expect(await rowsFor(sizes)).toEqual([[expect.any(Number), 4]])
    expect((await rowsFor('select full_name, email, phone from people limit 3')).flat()).toHaveLength(9)
    expect(await ask('select 1')).toMatchObject({ access: { limited: false, regions: null, personalData: true, note: null } })
  })
  test('a caller limited to regions sees these only, in every table', async () => {
    const [[all]] = (await rowsFor("select count(*) from accounts where region = 'Europe'")) as [[number]]
    expect(await rowsFor(sizes, limited)).toEqual([[all, 1]])
    for (const table of [
      'people',
      'subscriptions',
      'subscription_periods',
      'mrr_movements',
      'invoices',
      'invoice_lines',
      'payments',
      'usage_daily',
      'feature_usage',
      'tickets',
    ]) {
      const count = `select count(*) from ${table} join accounts using (account_id)`
      expect(await rowsFor(`select count(*) from ${table}`, limited)).toEqual(await rowsFor(`${count} where region = 'Europe'`))
      expect((await rowsFor(`select count(*) from ${table}`))[0]?.[0]).toBeGreaterThan(
        Number((await rowsFor(`select count(*) from ${table}`, limited))[0]?.[0]),
      )
    }
  })
  test('what is limited is said', async () => {
    expect(await ask('select 1', limited)).toMatchObject({
      access: { limited: true, regions: ['Europe'], personalData: false, note: expect.stringMatching(/Europe only.*withheld/) },
    })
  })
  test('a withheld column is said to be withheld, wherever the query names it', async () => {
    for (const sql of [
      'select email from people',
      'select count(*) from people where phone is not null',
      'select e.mobile_phone from employees e',
      'select billing_email from accounts order by 1',
      'select max(p.full_name) from people p',
    ]) {
      expect(await ask(sql, limited)).toMatchObject({ error: { kind: 'withheld', message: expect.stringContaining('withheld') } })
      expect((await ask(sql)).error).toBeUndefined()
    }
  })
  test('a mistake that has nothing to do with personal data is not called withheld', async () => {
    expect(await ask('select nothing from people', limited)).toMatchObject({ error: { kind: 'sql' } })
  })
  test.each([
    ['an unknown region', ['Atlantis']],
    ['a known name with a joker', ['Eur%']],
    ['a quote', ["Europe' or true --"]],
    ['nothing', ['']],
  ])('%s grants nothing', async (_, regions) => {
    expect(
      await rowsFor('select (select count(*) from accounts), (select count(*) from usage_daily), (select count(*) from people)', {
        regions,
        personalData: true,
      }),
    ).toEqual([[0, 0, 0]])
    expect(await ask('select 1', { regions, personalData: true })).toMatchObject({
      access: { limited: true, regions: [], note: expect.stringContaining('no region') },
    })
  })
  test('an unknown region beside a known one adds nothing to it', async () => {
    expect(await rowsFor(sizes, { regions: ['Atlantis', 'europe '], personalData: true })).toEqual([[expect.any(Number), 1]])
  })

  test('no query finds what is withheld', async () => {
    const secret = [
      "select account_name from accounts where region <> 'Europe'",
      'select email from people',
      'select phone from people',
      'select billing_email from accounts',
      'select email from employees',
    ]
    const canaries = (await Promise.all(secret.map((sql) => rowsOf(warehouse.path, `${sql} order by hash(1, rowid) limit 200`)))).flat(2).map(String)
    expect(new Set(canaries).size).toBeGreaterThan(800)
    const leaks = (rows: unknown) => {
      const text = JSON.stringify(rows)
      return canaries.filter((canary) => text.includes(canary))
    }
    const attempts = [
      'select * from accounts',
      'select * from people',
      'select * from employees',
      'select * from tickets',
      "select * from accounts where region <> 'Europe'",
      "select * from accounts where true or region = 'Asia Pacific'",
      'select accounts from accounts',
      "select columns('.*') from people",
      "select columns('email|name|phone') from people",
      'select * exclude (role) from people',
      'select p.* from people p full join accounts a on true limit 100',
      'select max(columns(*)) from accounts',
      'from accounts',
      'table people',
      'select string_agg(account_name) from accounts',
      'select a.account_name from accounts a right join people p on true limit 50',
      'select account_name from accounts union all select cast(account_id as varchar) from tickets',
      "with accounts as (select * from accounts) select * from accounts where region is distinct from 'Europe'",
      'select * from duckdb_columns()',
      "select * from read_duckdb('" + warehouse.path + "')",
      `select * from '${warehouse.path}'`,
      `attach '${warehouse.path}' as w`,
      'select * from whole.main.accounts',
      'select * from permitted',
      'select email from people',
      'select people.email from people',
      'select "email" from people',
      'select EMAIL from people',
      'select unnest(p) from people p',
      "select struct_extract(p, 'email') from people p",
      'select (p).email from people p',
    ]
    let answered = 0
    for (const sql of attempts) {
      const result = await ask(sql, limited)
      if (result.error) continue
      answered += result.rows.length > 0 ? 1 : 0
      expect({ sql, leaked: leaks(result.rows) }).toEqual({ sql, leaked: [] })
    }
    // Otherwise the attempts would prove nothing.
    expect(answered).toBeGreaterThan(10)
    expect(leaks(await rowsFor('select string_agg(account_name) from accounts')).length).toBe(200)
  })

  test('the file behind a limited caller holds nothing else, whatever a query could do', async () => {
    const path = await databaseFor(warehouse.dataDir, profileOf(limited))
    expect(path).not.toBe(warehousePath(warehouse.dataDir))
    expect(await rowsOf(path, 'select distinct region from accounts')).toEqual([['Europe']])
    const columns = (await rowsOf(path, 'select table_name, column_name from information_schema.columns')) as [string, string][]
    expect(columns.filter(([, name]) => /email|phone|full_name/.test(name))).toEqual([])
    for (const [table] of columns.filter(([, name]) => name === 'account_id'))
      expect(await rowsOf(path, `select count(*)::integer from ${table} where account_id not in (select account_id from accounts)`)).toEqual([[0]])
    expect(await rowsOf(path, 'select table_name from duckdb_tables() order by 1')).toEqual(
      await rowsOf(warehouse.path, 'select table_name from duckdb_tables() order by 1'),
    )
    expect(
      ((await rowsOf(warehouse.path, 'select column_name from information_schema.columns')) as [string][]).filter(([name]) =>
        /email|phone|full_name/.test(name),
      ).length,
    ).toBe(6)
  })
  test('callers with the same access share a file, others do not', async () => {
    const of = (access: DataAccess) => databaseFor(warehouse.dataDir, profileOf(access))
    expect(await of({ regions: ['Europe', 'Asia Pacific'], personalData: true })).toBe(
      await of({ regions: ['asia pacific', 'Europe', 'Europe'], personalData: true }),
    )
    const files = await Promise.all([
      of(everything),
      of({ personalData: false }),
      of({ regions: ['Europe'], personalData: true }),
      of(limited),
      of({ regions: ['Latin America'], personalData: false }),
    ])
    expect(new Set(files).size).toBe(5)
  })
  test('many may ask at once', async () => {
    const access: DataAccess = { regions: ['Latin America'], personalData: true }
    const counts = await Promise.all(Array.from({ length: 12 }, (_, index) => rowsFor(sizes, index % 2 === 0 ? access : everything)))
    expect(new Set(counts.map((one) => JSON.stringify(one))).size).toBe(2)
  })
})
