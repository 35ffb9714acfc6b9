import { expect, test } from 'vitest'
import { admitted, callOf, openTestMoney, priceModel, pricedModel, refused, tenantId } from '../../../test/support/money.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { type Db, sql } from '../../db/index.ts'
import { openBoard } from './board.ts'
import { deleteOldCounters } from './budget-store.ts'
import { type TokenBuckets, noTokens } from './buckets.ts'
import type { Call } from './call.ts'
import { rollUp } from './sweep.ts'

const by = { tenantId, name: 'ada' }
const budget = { name: 'monthly', scope: 'tenant' as const, subject: '*', per: 'month' as const, timeZone: 'UTC', unit: 'usd' as const, limit: 100 }
const all = { by: '', grain: 'total' as const, timeZone: 'UTC', limit: 100 }

async function open(db: Db) {
  const money = openTestMoney(db)
  const use = async (call: Partial<Call>, tokens: Partial<TokenBuckets> = { input: 100, output: 10 }) => {
    const { reservation } = await admitted(money.admit(callOf(call)))
    await money.settle(reservation, { type: 'used', tokens: { ...noTokens, ...tokens } })
    return reservation.id
  }
  return { money, use, board: openBoard({ db, money }) }
}

test('a budget that was set counts for the next call, is shown with what is left, and lets all pass once deleted', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  const { money, use, board } = await open(t.db)
  await use({})
  expect(await board.setBudget(by, { ...budget, limit: 0.0015 })).toMatchObject({ name: 'monthly', limit: 0.0015, setBy: 'ada' })
  await use({}, { input: 100, output: 100 })
  expect(await refused(money.admit(callOf({ mayClamp: false })))).toMatchObject({ reason: 'exhausted', left: 0.0004 })
  expect(await board.getBudget(tenantId, { name: 'monthly', limit: 50 })).toMatchObject({
    counters: [{ subject: '*', spent: 0.0011, reserved: 0, left: 0.0004 }],
  })
  expect(await board.listBudgets(tenantId)).toMatchObject([{ name: 'monthly', fullest: { spent: 0.0011 } }])
  await expect
    .poll(async () => (await board.listEvents(tenantId, { limit: 50 })).items.map(({ kind, percent }) => [kind, percent]))
    .toContainEqual(['refused', 100])
  await board.setBudget(by, { ...budget, limit: 5 })
  await use({})
  await board.deleteBudget(tenantId, 'monthly')
  await use({})
  await expect(board.getBudget(tenantId, { name: 'monthly', limit: 1 })).rejects.toMatchObject({ code: 'not_found' })
})

test('what cannot be a budget is refused with the field, and one that counts something else is a conflict', async () => {
  await using t = await makeDatabase()
  const { board } = await open(t.db)
  await board.setBudget(by, budget)
  expect(await board.setBudget(by, { name: 'monthly', limit: 7 })).toMatchObject({ ...budget, limit: 7 }) // The limit alone.
  await expect(board.setBudget(by, { ...budget, unit: 'tokens' })).rejects.toMatchObject({ code: 'conflict' })
  await expect(board.setBudget(by, { ...budget, subject: 'x' })).rejects.toThrow(/^subject/)
  await expect(board.setBudget(by, { ...budget, name: 'b', unit: 'tokens', limit: 0.5 })).rejects.toThrow(/^limit/)
  await expect(board.setBudget(by, { ...budget, limit: 1e12 })).rejects.toThrow(/^limit/)
  await expect(board.setBudget(by, { ...budget, name: 'c', timeZone: 'Mars/Olympus' })).rejects.toThrow(/^timeZone/)
})

test('another tenant sees and changes none of it', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  const { use, board } = await open(t.db)
  await board.setBudget(by, budget)
  await use({})
  const other = 'other'
  expect(await board.listBudgets(other)).toEqual([])
  await expect(board.getBudget(other, { name: 'monthly', limit: 1 })).rejects.toMatchObject({ code: 'not_found' })
  await expect(board.deleteBudget(other, 'monthly')).rejects.toMatchObject({ code: 'not_found' })
  expect((await board.summarize({ tenantId: other }, all)).groups).toEqual([])
  expect((await board.listCalls({ tenantId: other }, { limit: 50 })).items).toEqual([])
  expect((await board.listEvents(other, { limit: 50 })).items).toEqual([])
  await expect(board.unsetModel(other, { model: pricedModel })).rejects.toMatchObject({ code: 'not_found' })
  expect(await board.listBudgets(tenantId)).toHaveLength(1)
  expect((await board.summarize({ tenantId }, all)).groups).toHaveLength(1)
})

test('sums are the same before, during and after the calls are counted into their hours', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  const { use, board } = await open(t.db)
  const ask = () => board.summarize({ tenantId }, { ...all, by: 'agent,model' })
  await use({ agent: 'a' })
  await use({ agent: 'a' }, { input: 10, cacheRead: 5, reasoning: 3 })
  await use({ agent: 'b' })
  const expected = [
    {
      by: { agent: 'a', model: pricedModel },
      calls: 2,
      costUsd: (200_000 + 15_000 + 30_000) / 1e9,
      tokens: { input: 110, cacheRead: 5, output: 10, reasoning: 3 },
    },
    { by: { agent: 'b', model: pricedModel }, calls: 1, costUsd: 200_000 / 1e9 },
  ]
  expect((await ask()).groups).toMatchObject(expected)
  await Promise.all([rollUp(t.db), rollUp(t.db), rollUp(t.db)])
  expect(await t.db.rows(sql`select from usage_fresh`)).toHaveLength(0)
  expect((await ask()).groups).toMatchObject(expected)
  await use({ agent: 'b' })
  expect((await ask()).groups).toMatchObject([{ calls: 2 }, { calls: 2 }])
})

test('an answer from the cache is a call that costs nothing, uses no budget and can be told apart', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  const { use, money, board } = await open(t.db)
  await board.setBudget(by, { ...budget, name: 'calls', unit: 'requests', limit: 1 })
  await use({ tags: { team: 'x' } })
  await refused(money.admit(callOf({})))
  for (let n = 0; n < 2; n++) await money.bookHit(callOf({ tags: { team: 'x' } }))
  const [group] = (await board.summarize({ tenantId }, all)).groups
  expect(group).toMatchObject({ calls: 3, unpricedCalls: 0, costUsd: 0.0002, tokens: { input: 100, output: 10 } })
  const hits = (await board.listCalls({ tenantId }, { limit: 50 })).items.filter(({ tags }) => tags['cache'] === 'hit')
  expect(hits).toMatchObject([0, 1].map(() => ({ model: pricedModel, costUsd: 0, isEstimated: false, isFailed: false, tags: { team: 'x', cache: 'hit' } })))
  expect(await board.getBudget(tenantId, { name: 'calls', limit: 5 })).toMatchObject({ counters: [{ spent: 1, reserved: 0 }] })
})

test('every dimension can be asked for, filtered by, and cut by time', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  const { use, board } = await open(t.db)
  const runId = '01a1fcb9-0960-7a25-9791-15a0d2ed0835'
  const call = { agent: 'a', version: 'v1', namespace: 'prod', user: 'ada', keyId: 'k1', runId, op: '3.1', attempt: 2, session: 's1', tags: { team: 'x' } }
  await use(call)
  await use({ tags: { team: 'y' } })
  await t.db.rows(sql`update usage set at = '2026-03-01T20:30:00Z' where run_id = ${runId}`) // Already the second of March in Shanghai, and the third hour of it in Delhi.
  const range = { from: '2026-02-25T00:00:00Z', to: '2026-03-05T00:00:00Z' }
  const groups = async (asked: object) => (await board.summarize({ tenantId }, { ...all, ...range, ...asked })).groups
  for (const [dimension, value] of Object.entries({
    namespace: 'prod',
    agent: 'a',
    version: 'v1',
    user: 'ada',
    key: 'k1',
    provider: 'openai',
    model: pricedModel,
    run: runId,
    step: '3.1',
    session: 's1',
    'tag:team': 'x',
  })) {
    expect(await groups({ by: dimension }), dimension).toMatchObject([{ by: { [dimension]: value }, calls: 1 }])
    if (dimension === 'step') continue
    const filter = dimension === 'tag:team' ? { tag: 'team=x' } : { [dimension]: value }
    expect(await groups(filter), dimension).toMatchObject([{ calls: 1 }])
    expect(
      await groups(dimension === 'tag:team' ? { tag: 'team=z' } : { [dimension]: dimension === 'run' ? '01a1fcb9-0960-7a25-9791-15a0d2ed0836' : 'z' }),
      dimension,
    ).toEqual([])
  }
  expect(await groups({ grain: 'day' })).toMatchObject([{ at: '2026-03-01T00:00:00.000Z' }])
  expect(await groups({ grain: 'day', timeZone: 'Asia/Shanghai' })).toMatchObject([{ at: '2026-03-01T16:00:00.000Z' }])
  expect(await groups({ grain: 'day', timeZone: 'Asia/Kolkata' })).toMatchObject([{ at: '2026-03-01T18:30:00.000Z' }])
  await expect(groups({ by: 'colour' })).rejects.toThrow(/no dimension "colour"/)
  await expect(groups({ by: 'run', from: '2025-01-01T00:00:00Z' })).rejects.toThrow(/32 days/)
})

test('a year by months comes from the hours, in months of the time zone asked for', async () => {
  await using t = await makeDatabase()
  const { board } = await open(t.db)
  // An hour before midnight of UTC on the last day of each month, which in Berlin is of the next month; and one at noon on the fifth.
  await t.db.rows(sql`
    insert into usage_hours
    select ${tenantId}, hour, 'default', 'a', '', '', '', 'openai', ${pricedModel}, 10, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1000000000
    from generate_series('2025-12-01'::timestamp, '2026-11-01', interval '1 month') as month,
      lateral (values ((month + interval '1 month' - interval '1 hour') at time zone 'UTC'), ((month + interval '108 hours') at time zone 'UTC')) as hours (hour)`)
  const year = async (timeZone: string, from: string, to: string) =>
    (await board.summarize({ tenantId }, { ...all, grain: 'month', limit: 20, timeZone, from, to })).groups.map(({ at, costUsd }) => [at, costUsd])
  const ofUtc = await year('UTC', '2025-12-01T00:00:00Z', '2026-12-01T00:00:00Z')
  expect(ofUtc).toEqual(Array.from({ length: 12 }, (_, n) => [new Date(Date.UTC(2025, 11 + n, 1)).toISOString(), 2]))
  const ofBerlin = await year('Europe/Berlin', '2025-11-30T23:00:00Z', '2026-11-30T23:00:00Z')
  expect(ofBerlin.map(([, costUsd]) => costUsd)).toEqual([1, ...Array.from({ length: 11 }, () => 2)])
  expect(ofBerlin.map(([at]) => at)).toContain('2026-03-31T22:00:00.000Z') // Summer time.
})

test('single calls are listed page by page, each with all that is known of it', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  const { use, board } = await open(t.db)
  const ids: string[] = []
  for (let n = 0; n < 5; n++) ids.push(await use({ user: `u${n}` }))
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const page = await board.listCalls({ tenantId }, { limit: 2, cursor })
    seen.push(...page.items.map(({ id }) => id))
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
  expect(seen).toEqual(ids.toReversed())
  expect((await board.listCalls({ tenantId }, { limit: 5, user: 'u2' })).items).toMatchObject([
    { id: ids[2], tokens: { input: 100, output: 10 }, costUsd: 0.0002, isEstimated: false },
  ])
  await expect(board.listCalls({ tenantId }, { limit: 5, cursor: 'nonsense' })).rejects.toThrow(/cursor/)
})

test('an operator’s price counts from its day on, before the catalogue’s, and is stored with the call', async () => {
  await using t = await makeDatabase()
  const { use, board } = await open(t.db)
  const model = 'openai/gpt-5'
  await use({ model })
  expect((await board.listModels(tenantId, { search: 'openai/gpt-5', limit: 500 })).items.find((found) => found.model === model)).toMatchObject({
    price: { input: 1.25, output: 10 },
    isOverridden: false,
  })
  expect(await board.setModel(by, { model, price: { input: 2, output: 20 } })).toMatchObject({ price: { input: 2 }, source: 'operator', isOverridden: true })
  await board.setModel(by, { model, since: '2099-01-01', price: { input: 9, output: 9 } })
  await use({ model })
  const rows = await t.db.rows(sql`select cost, source, rates from usage join prices on prices.id = price_id order by usage.at`)
  expect(rows).toMatchObject([
    { cost: 225_000, source: expect.stringMatching(/^catalogue of /), rates: { input: 1.25 } },
    { cost: 400_000, source: 'operator', rates: { input: 2 } },
  ])
  expect(await board.unsetModel(tenantId, { model })).toEqual({ model, count: 2 })
  await use({ model })
  expect((await board.listCalls({ tenantId }, { limit: 1 })).items).toMatchObject([{ costUsd: 0.000225 }])
})

test('counters of windows and runs that ended long ago are deleted, others are kept', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  const { use, board } = await open(t.db)
  const [ended, waiting] = ['01a1fcb9-0960-7a25-9791-15a0d2ed0835', '01a1fcb9-0960-7a25-9791-15a0d2ed0836']
  await t.db.rows(sql`
    insert into runs (id, tenant_id, agent, version, state, input, asker, ended_at)
    values (${ended}, 'acme', 'a', 'v', 'completed', '1', '{}', clock_timestamp() - interval '3 days'), (${waiting}, 'acme', 'a', 'v', 'waiting', '1', '{}', null)`)
  for (const per of ['run', 'day', 'total'] as const) await board.setBudget(by, { name: per, per, limit: 1 })
  await use({ runId: ended })
  await use({ runId: waiting })
  await t.db.rows(sql`update budget_counters set starts_at = starts_at - interval '5 days', ends_at = ends_at - interval '5 days'`)
  await (await open(t.db)).use({}) // Of a node that knows no counter yet.
  expect(await deleteOldCounters(t.db, 2 * 86_400_000, 100)).toBe(2)
  const left = async (name: string) => (await board.getBudget(tenantId, { name, limit: 10 })).counters
  expect(await left('run')).toMatchObject([{ runId: waiting }])
  expect(await left('day')).toHaveLength(1)
  expect(await left('total')).not.toHaveLength(0)
})
