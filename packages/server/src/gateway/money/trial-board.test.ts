import { expect, test } from 'vitest'
import { admitted, callOf, openTestMoney, priceModel, pricedModel, tenantId } from '../../../test/support/money.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { type Db, sql } from '../../db/index.ts'
import { openBoard } from './board.ts'
import { type TokenBuckets, noTokens } from './buckets.ts'
import { rollUp } from './sweep.ts'

const by = { tenantId, name: 'ada' }
const range = { from: '2026-03-01T00:00:00Z', to: '2026-03-11T00:00:00Z' }
const asked = { ...range, prices: 'then' as const, unit: 'usd' as const, per: 'day' as const, timeZone: 'UTC' }
const other = 'openai/other-test'

async function open(db: Db) {
  await priceModel(db)
  const money = openTestMoney(db)
  const board = openBoard({ db, money })
  const use = async (at: string, tokens: Partial<TokenBuckets>, model = pricedModel) => {
    const { reservation } = await admitted(money.admit(callOf({ model, agent: 'a' })))
    await money.settle(reservation, { type: 'used', tokens: { ...noTokens, ...tokens } })
    await db.rows(sql`update usage set at = ${at} where id = ${reservation.id}`)
  }
  return { money, board, use }
}

test('the same tokens at another model’s prices, bucket by bucket, at those of each day or of today', async () => {
  await using t = await makeDatabase()
  const { board, use } = await open(t.db)
  await use('2026-03-02T10:00:00Z', { input: 1_000, cacheRead: 4_000, output: 100 })
  await use('2026-03-06T10:00:00Z', { input: 1_000, output: 100 })
  await board.setModel(by, { model: other, since: '2026-03-05', price: { input: 2, cacheRead: 0.1, output: 5 } })
  await board.setModel(by, { model: other, since: '2026-04-01', price: { input: 100, output: 100 } })
  const before = await board.tryUsage({ tenantId }, { ...asked, asModel: other })
  // It had no price before the fifth.
  expect(before.asModel).toMatchObject({ calls: 2, costUsd: (6_000_000 + 2_000_000) / 1e9, asCostUsd: (2_000_000 + 500_000) / 1e9, asUnpricedCalls: 1 })
  await board.setModel(by, { model: other, since: '2026-03-01', price: { input: 1, cacheRead: 0.1, output: 5 } })
  const dated = { calls: 2, asCostUsd: (1_000_000 + 400_000 + 500_000 + 2_500_000) / 1e9, asUnpricedCalls: 0 }
  expect((await board.tryUsage({ tenantId }, { ...asked, asModel: other })).asModel).toMatchObject(dated)
  await rollUp(t.db)
  expect((await board.tryUsage({ tenantId }, { ...asked, asModel: other })).asModel).toMatchObject({
    ...dated,
    models: [{ model: pricedModel, calls: 2, costUsd: 0.008, asCostUsd: dated.asCostUsd }],
  })
  const now = await board.tryUsage({ tenantId }, { ...asked, asModel: other, prices: 'now' })
  expect(now.asModel?.asCostUsd).toBeCloseTo((6_200 * 100_000) / 1e9, 9)
  // Its own price makes what it made; another agent, and another tenant, had no calls.
  expect((await board.tryUsage({ tenantId }, { ...asked, asModel: pricedModel })).asModel).toMatchObject({ costUsd: 0.008, asCostUsd: 0.008 })
  expect((await board.tryUsage({ tenantId }, { ...asked, asModel: other, agent: 'b' })).asModel).toMatchObject({ calls: 0, asCostUsd: 0 })
  expect((await board.tryUsage({ tenantId, agents: ['b'] }, { ...asked, asModel: other })).asModel).toMatchObject({ calls: 0 })
  await expect(board.tryUsage({ tenantId: 'another' }, { ...asked, asModel: other })).rejects.toMatchObject({ code: 'not_found' })
})

test('a price that depends on the length of a call is taken call by call', async () => {
  await using t = await makeDatabase()
  const { board, use } = await open(t.db)
  await board.setModel(by, { model: other, since: '2026-01-01', price: { input: 1, output: 1, long: { inputAbove: 1_000, input: 10, output: 20 } } })
  for (let n = 0; n < 3; n++) await use(`2026-03-02T10:0${n}:00Z`, { input: 1_000, output: 10 }) // Together long, each by itself not.
  await use('2026-03-02T11:00:00Z', { input: 900, cacheRead: 101, output: 10 })
  await rollUp(t.db)
  expect((await board.tryUsage({ tenantId }, { ...asked, asModel: other })).asModel).toMatchObject({
    calls: 4,
    asCostUsd: (3 * 1_010_000 + 10_010_000 + 200_000) / 1e9,
  })
  await expect(board.tryUsage({ tenantId }, { ...asked, from: '2026-01-01T00:00:00Z', asModel: other })).rejects.toThrow(/32 days/)
})

test('another limit would have been reached at a call, in each window anew, and refused what came after it', async () => {
  await using t = await makeDatabase()
  const { board, use } = await open(t.db)
  // A dollar each is a million tokens of input.
  for (const at of ['2026-03-02T08:00:00Z', '2026-03-02T09:00:00Z', '2026-03-02T23:30:00Z', '2026-03-03T10:00:00Z']) await use(at, { input: 1_000_000 })
  await use('2026-03-02T23:45:00Z', {}, 'offline/planner')
  const limit = async (more: object) => (await board.tryUsage({ tenantId }, { ...asked, asLimit: 2, ...more })).asLimit
  expect(await limit({})).toMatchObject({
    calls: 5,
    refusedCalls: 1,
    refused: 1,
    unpricedCalls: 0,
    windows: [
      { at: '2026-03-02T00:00:00.000Z', calls: 4, reachedAt: '2026-03-02T23:30:00.000Z', refusedCalls: 1, spent: 2, refused: 1 },
      { at: '2026-03-03T00:00:00.000Z', calls: 1, reachedAt: null, refusedCalls: 0, spent: 1 },
    ],
  })
  // In Berlin half past eleven in the evening is the next day already.
  expect(await limit({ timeZone: 'Europe/Berlin' })).toMatchObject({ refusedCalls: 0, windows: [{ at: '2026-03-01T23:00:00.000Z', calls: 2 }, { calls: 3 }] })
  expect(await limit({ per: 'month' })).toMatchObject({ refusedCalls: 2, windows: [{ at: '2026-03-01T00:00:00.000Z', reachedAt: '2026-03-02T23:30:00.000Z' }] })
  // A window is looked at from its beginning, whatever is asked for.
  expect(await limit({ per: 'month', from: '2026-03-03T00:00:00Z' })).toMatchObject({ from: '2026-03-01T00:00:00.000Z', calls: 5, refusedCalls: 2 })
  expect(await limit({ unit: 'requests', per: 'month', asLimit: 1 })).toMatchObject({ refusedCalls: 4, refused: 4 })
  expect(await limit({ unit: 'tokens', per: 'month', asLimit: 3_000_000 })).toMatchObject({ refusedCalls: 1, refused: 1_000_000 })
  expect((await board.tryUsage({ tenantId: 'another' }, { ...asked, asLimit: 0 })).asLimit).toMatchObject({ calls: 0, windows: [] })
  await expect(limit({ from: '2026-01-01T00:00:00Z' })).rejects.toThrow(/32 days/)
})
