import { expect, test } from 'vitest'
import { admitted, callOf, openTestMoney, priceModel, setBudget, tenantId } from '../../../test/support/money.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { type Db, sql } from '../../db/index.ts'
import { noTokens } from './buckets.ts'
import { openForecastBoard } from './forecast-board.ts'

type Hour = { at: string; usd: number; agent?: string; tenant?: string }

/** As the rollup leaves them: one hour, one call, a thousand tokens. */
async function insertHours(db: Db, hours: readonly Hour[]): Promise<void> {
  for (const { at, usd, agent = 'a', tenant = tenantId } of hours)
    await db.rows(sql`
      insert into usage_hours values (${tenant}, ${new Date(at)}, 'default', ${agent}, '', '', '', 'openai', 'openai/x', 1, 0, 0, 0, 1000, 0, 0, 0, 0, 0, 0, 0, 0, 0, ${usd * 1e9})`)
}
const days = (first: string, count: number, usd: (n: number) => number, more: Partial<Hour> = {}): Hour[] =>
  Array.from({ length: count }, (_, n) => ({ at: new Date(Date.parse(first) + n * 86_400_000).toISOString(), usd: usd(n), ...more }))
const openAt = (db: Db, now: string) => openForecastBoard(db, () => new Date(now))
const month = { per: 'month' as const, timeZone: 'UTC' }

test('a month’s cost is what was spent and what the rest of today and each weekday to its end will cost', async () => {
  await using t = await makeDatabase()
  // Four weeks from Monday, 2 November 2026 on: ten dollars on weekdays, one on days of the weekend.
  await insertHours(
    t.db,
    days('2026-11-02T09:00:00Z', 26, (n) => (n % 7 < 5 ? 10 : 1)),
  )
  const board = openAt(t.db, '2026-11-28T06:00:00Z') // A Saturday; a quarter of it is over.
  const forecast = await board.forecastUsage({ tenantId }, month)
  expect(forecast).toMatchObject({ method: 'weekdays', historyDays: 26, startsAt: '2026-11-01T00:00:00.000Z', endsAt: '2026-12-01T00:00:00.000Z', spent: 206 })
  expect(forecast.days.map(({ at, expected }) => [at.slice(0, 10), expected])).toEqual([
    ['2026-11-28', 0.75],
    ['2026-11-29', 1],
    ['2026-11-30', 10],
  ])
  expect(forecast.total).toEqual({ expected: 217.75, low: 217.75, high: 217.75 })
  expect((await board.forecastUsage({ tenantId }, { ...month, per: 'week' })).days).toHaveLength(2)
})

test('too little history forecasts nothing, and what was spent is still said; nobody sees another tenant’s', async () => {
  await using t = await makeDatabase()
  await insertHours(
    t.db,
    days('2026-11-20T09:00:00Z', 2, () => 5),
  )
  await insertHours(
    t.db,
    days('2026-11-01T09:00:00Z', 20, () => 1_000, { tenant: 'other' }),
  )
  await insertHours(
    t.db,
    days('2026-11-01T09:00:00Z', 20, () => 7, { agent: 'b' }),
  )
  const board = openAt(t.db, '2026-11-22T00:00:00Z')
  expect(await board.forecastUsage({ tenantId }, { ...month, agent: 'a' })).toMatchObject({ method: 'none', historyDays: 2, spent: 10, total: null, days: [] })
  expect(await board.forecastUsage({ tenantId, agents: ['b'] }, month)).toMatchObject({ historyDays: 21, spent: 140 })
  expect(await board.forecastUsage({ tenantId: 'nobody' }, month)).toMatchObject({ method: 'none', historyDays: 0, spent: 0 })
  await expect(board.forecastUsage({ tenantId }, { ...month, timeZone: 'Mars/Olympus' })).rejects.toThrow(/^timeZone/)
})

test('days begin in the time zone asked for, also those of 23 hours and of zones off the hour', async () => {
  await using t = await makeDatabase()
  // 00:30 in Berlin, every night: on the day before in UTC.
  await insertHours(
    t.db,
    days('2026-03-09T23:00:00Z', 18, () => 4),
  )
  // 29 March 2026 has 23 hours in Berlin; at 12:00 there, 12 of them are left.
  const board = openAt(t.db, '2026-03-29T10:00:00Z')
  const forecast = await board.forecastUsage({ tenantId }, { per: 'month', timeZone: 'Europe/Berlin' })
  expect(forecast).toMatchObject({ startsAt: '2026-02-28T23:00:00.000Z', endsAt: '2026-03-31T22:00:00.000Z', historyDays: 19 })
  expect(forecast.days.map(({ at }) => at)).toEqual(['2026-03-29T10:00:00.000Z', '2026-03-29T22:00:00.000Z', '2026-03-30T22:00:00.000Z'])
  const [today, tomorrow] = forecast.days
  expect(today?.expected).toBeCloseTo((4 * 12) / 23, 6)
  expect(tomorrow?.expected).toBe(4)
  expect(await board.forecastUsage({ tenantId }, { per: 'month', timeZone: 'Asia/Kolkata' })).toMatchObject({ startsAt: '2026-02-28T18:30:00.000Z' })
})

test('a budget says when its limit will be reached, by the days of whoever it is for', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  const now = new Date()
  const start = (back: number) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() - back, 3)).toISOString()
  await insertHours(
    t.db,
    days(start(10), 10, () => 10, { agent: 'analyst' }),
  )
  await insertHours(
    t.db,
    days(start(10), 10, () => 500, { agent: 'other' }),
  )
  await setBudget(t.db, { name: 'each', scope: 'agent', subject: '*', per: 'total', limit: 25e9 })
  await setBudget(t.db, { name: 'tokens', scope: 'agent', subject: 'analyst', per: 'total', unit: 'tokens', limit: 3_110 })
  await setBudget(t.db, { name: 'run', per: 'run', limit: 1e9 })
  await setBudget(t.db, { name: 'gone', limit: 0 })
  await using money = openTestMoney(t.db)
  await t.db.rows(sql`update budgets set limit_amount = 1e9 where name = 'gone'`)
  const { reservation } = await admitted(money.admit(callOf({ agent: 'analyst' })))
  await money.settle(reservation, { type: 'used', tokens: { ...noTokens, input: 100, output: 10 } })
  await t.db.rows(sql`update budgets set limit_amount = 1 where name = 'gone'`)
  const board = openForecastBoard(t.db, () => now)
  const in2Days = (iso: string | null, days: number) => expect((Date.parse(iso ?? '') - now.getTime()) / 86_400_000).toBeCloseTo(days, 3)
  const each = await board.forecastBudget(tenantId, { name: 'each' })
  expect(each).toMatchObject({ subject: 'analyst', unit: 'usd', limit: 25, spent: 0.0002, method: 'days', historyDays: 10, endsAt: null, total: null })
  for (const at of [each.reachesLimit.at, each.reachesLimit.earliest, each.reachesLimit.latest]) in2Days(at, 2.5)
  const tokens = await board.forecastBudget(tenantId, { name: 'tokens' })
  expect(tokens).toMatchObject({ spent: 110, unit: 'tokens' })
  in2Days(tokens.reachesLimit.at, 3)
  expect(await board.forecastBudget(tenantId, { name: 'each', subject: 'nobody' })).toMatchObject({ method: 'none', spent: 0, reachesLimit: { at: null } })
  expect(await board.forecastBudget(tenantId, { name: 'gone' })).toMatchObject({ subject: '*', reachesLimit: { at: now.toISOString() } })
  await expect(board.forecastBudget(tenantId, { name: 'run' })).rejects.toMatchObject({ code: 'invalid' })
  await expect(board.forecastBudget('another', { name: 'each' })).rejects.toMatchObject({ code: 'not_found' })
})
