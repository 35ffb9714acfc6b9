import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readEntities } from './entities.ts'
import { makeTables } from './tables.ts'
import { rowsOf, temporaryWarehouse } from './testing.ts'

let warehouse: Awaited<ReturnType<typeof temporaryWarehouse>>
beforeAll(async () => {
  warehouse = await temporaryWarehouse()
}, 180_000)
afterAll(() => warehouse[Symbol.asyncDispose]())
const rows = (sql: string) => rowsOf(warehouse.path, sql)

test('the rows are the same every time and on every machine', () => {
  const hash = createHash('sha256')
  for (const { name, rows: all } of makeTables()) for (const row of all) hash.update(`${name}${JSON.stringify(row)}`)
  // Changes with the generator, and only with it: then put the new value here.
  expect(hash.digest('hex').slice(0, 16)).toBe('b2c1e631821d6437')
})

test('it is made once', async () => {
  const before = await rows('select count(*) from usage_daily')
  const { ensureWarehouse } = await import('./build.ts')
  expect(await ensureWarehouse(warehouse.dataDir)).toMatchObject({ made: false, path: warehouse.path })
  expect(await rows('select count(*) from usage_daily')).toEqual(before)
})

test('it holds at least 300,000 rows over three years', async () => {
  const counts = await Promise.all(readEntities().map(async ({ table }) => Number((await rows(`select count(*) from ${table}`))[0]?.[0])))
  expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(300_000)
  expect(Math.min(...counts)).toBeGreaterThan(0)
  expect(await rows('select min(used_on)::varchar, max(used_on)::varchar from usage_daily')).toEqual([['2023-11-01', '2026-11-17']])
})

test('its tables and columns are exactly those that the semantic layer declares', async () => {
  const found = await rows('select table_name, column_name, data_type from information_schema.columns order by all')
  const declared = readEntities().flatMap(({ table, columns }) => columns.map(({ name, type }) => [table, name, type]))
  expect(found).toEqual(declared.sort((a, b) => (a.join(' ') < b.join(' ') ? -1 : 1)))
})

describe('the values of closed lists are those that the semantic layer declares', () => {
  const lists = readEntities().flatMap(({ table, columns }) =>
    columns.flatMap(({ name, values }) => (values ? [{ table, name, values: values.map(({ value }) => value) }] : [])),
  )
  test.each(lists)('$table.$name', async ({ table, name, values }) => {
    const found = await rows(`select distinct ${name} from ${table} where ${name} is not null`)
    expect(new Set(found.flat())).toEqual(new Set(values))
  })
})

describe('the business adds up', () => {
  const none = async (sql: string) => expect(await rows(`select count(*)::integer from (${sql})`)).toEqual([[0]])

  test('MRR at every month end is the sum of the movements until then', async () => {
    const different = `
      with days as (select last_day(m::date) as d from generate_series(date '2021-02-01', date '2026-10-01', interval 1 month) as s(m)),
      states as (select d, sum(mrr_usd) as mrr from days left join subscription_periods on valid_from <= d and (valid_to is null or valid_to > d) group by d),
      sums as (select d, sum(amount_usd) as mrr from days left join mrr_movements on moved_on <= d group by d)
      select * from states join sums using (d) where states.mrr is distinct from sums.mrr`
    await none(different)
    expect(await rows('select sum(mrr_usd) > 1000000 from subscription_periods where valid_to is null')).toEqual([[true]])
  })
  test.each(['plans.tier', 'plans.product_id', 'accounts.region', 'accounts.segment'])('and so it is by %s', async (column) => {
    const different = `
      with days as (select last_day(m::date) as d from generate_series(date '2021-02-01', date '2026-10-01', interval 1 month) as s(m)),
      states as (select d, ${column} as part, sum(mrr_usd) as mrr from days join subscription_periods p on valid_from <= d and (valid_to is null or valid_to > d) and not is_trial
        join plans using (plan_id) join accounts on accounts.account_id = p.account_id group by all),
      sums as (select d, ${column} as part, sum(amount_usd) as mrr from days join mrr_movements m on moved_on <= d join plans using (plan_id) join accounts on accounts.account_id = m.account_id group by all)
      select * from states full join sums using (d, part) where coalesce(states.mrr, 0) <> coalesce(sums.mrr, 0)`
    await none(different)
  })
  test('a change of plan moves what was paid before and changes no total', async () => {
    await none(
      `select account_id, moved_on, subscription_id from mrr_movements where movement = 'transfer' group by all having sum(amount_usd) <> 0 or count(*) % 2 <> 0`,
    )
    expect(await rows(`select count(*) > 100 from mrr_movements where movement = 'transfer'`)).toEqual([[true]])
  })
  test('what a product lost is what its ended subscriptions were worth, which churn alone does not tell', async () => {
    const lost = `select product_id, -sum(amount_usd) as mrr from mrr_movements join plans using (plan_id) where is_cancellation group by 1`
    const ended = `select s.product_id, sum(p.mrr_usd) as mrr from subscriptions s join subscription_periods p on p.subscription_id = s.subscription_id and p.valid_to = s.ended_on where not p.is_trial group by 1`
    await none(`select * from (${lost}) a full join (${ended}) b using (product_id) where a.mrr is distinct from b.mrr`)
    expect(
      await rows(
        `select count(*)::integer from (${lost.replace('is_cancellation', "movement = 'churn'")}) a join (${ended}) b using (product_id) where a.mrr < b.mrr`,
      ),
    ).toEqual([[4]])
  })
  test('the periods of a subscription follow each other without gap or overlap', () =>
    none(
      'select valid_to, lead(valid_from) over (partition by subscription_id order by valid_from) as next from subscription_periods qualify next is not null and valid_to is distinct from next',
    ))
  test('nobody churns twice without coming back', () =>
    none(
      `select account_id from mrr_movements group by 1 having count(distinct moved_on) filter (where movement = 'churn') > 1 + count(distinct moved_on) filter (where movement = 'reactivation')`,
    ))
  test('a customer has a paid subscription today, a churned one has not', () =>
    none(
      `select account_id from accounts a where (status = 'customer') <> exists (select 1 from subscription_periods p where p.account_id = a.account_id and not is_trial and valid_to is null)`,
    ))
  test('an invoice is the sum of its lines', () =>
    none(
      `select invoice_id from invoices left join (select invoice_id, sum(amount_usd) as total from invoice_lines group by 1) using (invoice_id) where case when status = 'void' then total is not null else total is distinct from amount_usd end`,
    ))
  test('a paid invoice has one payment that succeeded, on its day', () =>
    none(
      `select invoice_id from invoices i where (paid_on is not null) <> ((select count(*) from payments p where p.invoice_id = i.invoice_id and outcome = 'succeeded' and attempted_on = i.paid_on) = 1)`,
    ))
  test('tickets are answered after they come in, and solved after that', () =>
    none('select 1 from tickets where not (first_response_at > opened_at) or not (resolved_at > first_response_at)'))
  test('nothing happened after the last full day', async () => {
    for (const column of [
      'usage_daily.used_on',
      'tickets.opened_on',
      'tickets.resolved_on',
      'invoices.issued_on',
      'invoices.paid_on',
      'payments.attempted_on',
      'mrr_movements.moved_on',
      'accounts.trial_started_on',
    ]) {
      expect(await rows(`select max(${column}) <= date '2026-11-17' from ${column.split('.')[0]}`)).toEqual([[true]])
    }
  })
  test('the four days without positions in Europe show in errors, tickets and churn', async () => {
    const [[failing, usual]] =
      (await rows(`select sum(failed_events) filter (where used_on between '2025-09-15' and '2025-09-18') / sum(events) filter (where used_on between '2025-09-15' and '2025-09-18'),
      sum(failed_events) filter (where used_on < '2025-09-15') / sum(events) filter (where used_on < '2025-09-15') from usage_daily join accounts using (account_id) where product_id = 'track' and region = 'Europe'`)) as [
        [number, number],
      ]
    expect(failing).toBeGreaterThan(20 * usual)
    const [[outages]] = (await rows(
      `select count(*)::integer from tickets join accounts using (account_id) where category = 'outage' and region = 'Europe' and opened_on between '2025-09-15' and '2025-09-19'`,
    )) as [[number]]
    expect(outages).toBeGreaterThan(50)
  })
})
