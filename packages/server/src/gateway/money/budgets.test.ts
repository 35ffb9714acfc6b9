import { expect, test } from 'vitest'
import { sql } from '../../db/index.ts'
import {
  admitted,
  callOf,
  counters,
  openTestMoney,
  priceModel,
  refused,
  reservationCount,
  setBudget,
  usageRows,
  watchCounters,
  watched,
  worstOfCall,
} from '../../../test/support/money.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { noTokens } from './buckets.ts'

const used = (input: number, output: number) => ({ type: 'used' as const, tokens: { ...noTokens, input, output } })

test('a call holds its worst case until it is settled for what it used', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  await setBudget(t.db, { limit: 10_000_000 })
  await using money = openTestMoney(t.db)
  const { reservation, outputTokensMax } = await admitted(money.admit(callOf()))
  expect(outputTokensMax).toBe(100)
  expect(await counters(t.db)).toMatchObject([{ spent: 0, reserved: worstOfCall }])
  await money.settle(reservation, used(80, 20))
  expect(await counters(t.db)).toMatchObject([{ spent: 80 * 1_000 + 20 * 10_000, reserved: 0, overrun: 0 }])
  expect(await usageRows(t.db)).toMatchObject([{ cost: 280_000, isEstimated: false, isFailed: false }])
  expect(await reservationCount(t.db)).toBe(0)
  await money.settle(reservation, used(80, 20)) // A second time it changes nothing.
  expect(await counters(t.db)).toMatchObject([{ spent: 280_000 }])
  expect(await usageRows(t.db)).toHaveLength(1)
})

test('200 callers at three nodes: every commit is within the limit, and all of it can be spent', async () => {
  await using t = await makeDatabase({ poolMax: 6 })
  await priceModel(t.db)
  const limit = 150 * worstOfCall
  await setBudget(t.db, { limit })
  await setBudget(t.db, { name: 'agents', scope: 'agent', subject: '*', limit: limit / 4 })
  await watchCounters(t.db)
  const nodes = [openTestMoney(t.db), openTestMoney(t.db), openTestMoney(t.db)]
  const count = { admitted: 0, busy: 0, exhausted: 0, unpriced: 0 }
  await Promise.all(
    Array.from({ length: 200 }, async (_, caller) => {
      const money = nodes[caller % nodes.length]
      for (let n = 0; money && n < 1_000; n++) {
        const admission = await money.admit(callOf({ agent: `agent-${caller % 5}`, mayClamp: false }))
        if (!admission.isAdmitted) {
          count[admission.refusal.reason]++
          if (admission.refusal.reason === 'exhausted') return
          continue // It fits once others are settled.
        }
        count.admitted++
        if (n % 4 === 3) await money.settle(admission.reservation, { type: 'never-happened' })
        else await money.settle(admission.reservation, n % 4 === 2 ? { type: 'unknown', outputBytes: 30 } : used(100, 60))
      }
    }),
  )
  for (const node of nodes) await node.stop()
  const [seen] = await watched(t.db)
  expect(seen?.worst).toBeLessThanOrEqual(0)
  expect(seen?.most).toBeGreaterThan(limit - worstOfCall) // It was really at the limit.
  expect(count).toMatchObject({ exhausted: 200 })
  expect(count.admitted).toBeGreaterThan(200)
  expect(count.busy).toBeGreaterThan(0)
  const [all, ...agents] = await counters(t.db)
  expect(all).toMatchObject({ reserved: 0, overrun: 0 })
  expect(all?.spent).toBeGreaterThan(limit - worstOfCall)
  expect(agents.reduce((sum, { spent }) => sum + spent, 0)).toBe(all?.spent)
  expect((await usageRows(t.db)).reduce((sum, { cost }) => sum + (cost ?? 0), 0)).toBe(all?.spent)
  expect(await reservationCount(t.db)).toBe(0)
})

test('the database itself refuses a reservation beyond the limit', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  await setBudget(t.db, { limit: 2 * worstOfCall })
  await using money = openTestMoney(t.db)
  await admitted(money.admit(callOf()))
  await t.db.rows(sql`update budget_counters set reserved = reserved + 0`) // This one it takes,
  await expect(t.db.rows(sql`update budget_counters set reserved = granted + 1`)).rejects.toThrow(/within_limit/)
})

test('the output is cut to what is left, and not when the caller forbids it', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  await setBudget(t.db, { limit: 100_000 + 3_000 * 10_000 })
  await using money = openTestMoney(t.db)
  expect(await refused(money.admit(callOf({ outputTokensMax: 3_001, mayClamp: false })))).toMatchObject({ reason: 'exhausted', spent: 0 })
  expect((await admitted(money.admit(callOf({ outputTokensMax: undefined })))).outputTokensMax).toBe(3_000) // The model's own limit is 4,000.
  expect(await refused(money.admit(callOf()))).toMatchObject({ reason: 'busy', left: 0 })
})

test('a refusal says which budget, what was needed, what is left and when it begins anew', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  await setBudget(t.db, { name: 'wide', limit: 1e12 })
  await setBudget(t.db, { name: 'analyst-daily', scope: 'agent', subject: 'analyst', per: 'day', timeZone: 'Asia/Shanghai', limit: 1_500_000 })
  await using money = openTestMoney(t.db)
  await admitted(money.admit(callOf({ agent: 'other' })))
  const first = await admitted(money.admit(callOf({ agent: 'analyst' })))
  expect(await refused(money.admit(callOf({ agent: 'analyst', mayClamp: false })))).toMatchObject({ reason: 'busy' })
  await money.settle(first.reservation, used(100, 60))
  const found = await refused(money.admit(callOf({ agent: 'analyst', mayClamp: false })))
  expect(found).toMatchObject({
    reason: 'exhausted',
    budget: { name: 'analyst-daily', scope: 'agent', subject: 'analyst', window: 'day', unit: 'usd', limit: 0.0015 },
    needed: 0.0011,
    spent: 0.0007,
    reserved: 0,
    left: 0.0008,
  })
  expect(found.refillsAt).toMatch(/T16:00:00.000Z$/) // Midnight in Shanghai.
  expect(found.message).toContain('"analyst-daily" ($0.0015 a day for agent analyst) is used up: this call may take up to $0.0011, and $0.0008 is left')
})

test('a model without a price is refused by who has a budget in money, and by nobody else', async () => {
  await using t = await makeDatabase()
  const call = callOf({ model: 'compatible/nobody-knows' })
  await using money = openTestMoney(t.db)
  await admitted(money.admit(call))
  await setBudget(t.db, { name: 'tokens', unit: 'tokens', limit: 1_000 })
  await using second = openTestMoney(t.db)
  const { reservation } = await admitted(second.admit(call))
  await second.settle(reservation, used(50, 10))
  expect(await counters(t.db)).toMatchObject([{ spent: 60, reserved: 0 }])
  await setBudget(t.db, { name: 'money', limit: 1e12 })
  await using third = openTestMoney(t.db)
  expect(await refused(third.admit(call))).toMatchObject({ reason: 'unpriced', budget: { name: 'money' } })
})

test('more than the worst case is counted, told of, and never hidden', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  await setBudget(t.db, { limit: worstOfCall })
  await using money = openTestMoney(t.db)
  const { reservation } = await admitted(money.admit(callOf()))
  await money.settle(reservation, used(100, 200)) // The provider did not keep to our limit.
  expect(await counters(t.db)).toMatchObject([{ spent: 2_100_000, reserved: 0, overrun: 1_000_000 }])
  const events = await t.db.rows(sql`select kind, percent from budget_events order by kind, percent`)
  expect(events).toEqual([
    { kind: 'overrun', percent: 100 },
    { kind: 'warning', percent: 50 },
    { kind: 'warning', percent: 80 },
    { kind: 'warning', percent: 100 },
  ])
  expect(await refused(money.admit(callOf()))).toMatchObject({ reason: 'exhausted', left: 0 })
})

test('a warning is told once, when its share is reached; a first refusal as well', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  await setBudget(t.db, { unit: 'requests', limit: 10 })
  await using money = openTestMoney(t.db)
  const events = () => t.db.rows<{ kind: string; percent: number; spent: number }>(sql`select kind, percent, spent from budget_events order by at`)
  const call = async () => money.settle((await admitted(money.admit(callOf()))).reservation, used(1, 1))
  for (let n = 0; n < 4; n++) await call()
  expect(await events()).toEqual([])
  for (let n = 0; n < 6; n++) await call()
  expect(await events()).toEqual([
    { kind: 'warning', percent: 50, spent: 5 },
    { kind: 'warning', percent: 80, spent: 8 },
    { kind: 'warning', percent: 100, spent: 10 },
  ])
  for (let n = 0; n < 3; n++) await refused(money.admit(callOf()))
  await expect.poll(events).toHaveLength(4)
})

test('a limit that is lowered counts for the next call, one that is raised as well, at every node', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  await setBudget(t.db, { limit: 10 * worstOfCall })
  await using money = openTestMoney(t.db)
  const { reservation } = await admitted(money.admit(callOf()))
  await t.db.rows(sql`update budgets set limit_amount = ${worstOfCall - 1}`) // By another node: this one is not told.
  expect(await refused(money.admit(callOf({ mayClamp: false })))).toMatchObject({ reason: 'exhausted' })
  await money.settle(reservation, used(100, 100)) // Above the limit by now, and admitted all the same.
  expect(await counters(t.db)).toMatchObject([{ spent: worstOfCall, overrun: 0 }])
  await t.db.rows(sql`update budgets set limit_amount = ${2 * worstOfCall}`)
  await admitted(money.admit(callOf()))
})

test('a budget that is deleted while calls are under way lets them end and others pass', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  await setBudget(t.db, { limit: worstOfCall })
  await using money = openTestMoney(t.db)
  const { reservation } = await admitted(money.admit(callOf()))
  await t.db.rows(sql`delete from budgets`)
  await admitted(money.admit(callOf())) // By the old knowledge it would not fit: the counter is found to be gone.
  await money.settle(reservation, used(1, 1))
  expect(await usageRows(t.db)).toHaveLength(1)
})

test('what nobody settles is booked as an estimate once its lease has run out, and by one of many', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  await setBudget(t.db, { limit: 5 * worstOfCall })
  const gone = openTestMoney(t.db, { leaseMs: 1 })
  const { reservation } = await admitted(gone.admit(callOf()))
  const others = [openTestMoney(t.db, { sweepMs: 5 }), openTestMoney(t.db, { sweepMs: 5 })]
  await Promise.all(others.map((money) => money.start()))
  await expect.poll(() => reservationCount(t.db)).toBe(0)
  const estimate = 100 * 1_000 + 100 * 10_000 // All of its output: it could have been a thousand tokens.
  expect(await counters(t.db)).toMatchObject([{ spent: estimate, reserved: 0 }])
  await gone.settle(reservation, used(10, 10)) // It was only slow. Too late.
  expect(await usageRows(t.db)).toMatchObject([{ cost: estimate, isEstimated: true, isFailed: true }])
  expect(await counters(t.db)).toMatchObject([{ spent: estimate }])
  for (const money of [gone, ...others]) await money.stop()
})

test('a call under way is not swept, however long it takes', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  await setBudget(t.db, { limit: 5 * worstOfCall })
  const money = openTestMoney(t.db, { leaseMs: 300, sweepMs: 5 })
  await money.start()
  const { reservation } = await admitted(money.admit(callOf()))
  const lease = async () =>
    (await t.db.rows<{ ms: number }>(sql`select extract(epoch from lease_until)::double precision * 1000 as ms from reservations`))[0]?.ms ?? NaN
  const first = await lease()
  await expect.poll(lease, { timeout: 5_000 }).toBeGreaterThan(first + 300)
  await money.settle(reservation, used(1, 1))
  expect(await usageRows(t.db)).toMatchObject([{ isEstimated: false }])
  await money.stop()
})

test('a step that is executed again takes its reservation over, and the call that may have been made is counted', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  await setBudget(t.db, { limit: 2 * worstOfCall })
  const step = { runId: '01a1fcb9-0960-7a25-9791-15a0d2ed0835', op: '3', attempt: 1 }
  await using dead = openTestMoney(t.db)
  const { reservation: lost } = await admitted(dead.admit(callOf(step)))
  await using money = openTestMoney(t.db)
  const { reservation, outputTokensMax } = await admitted(money.admit(callOf(step), { isRepeated: true }))
  expect(outputTokensMax).toBe(100)
  expect(await counters(t.db)).toMatchObject([{ spent: worstOfCall, reserved: worstOfCall }])
  await dead.settle(lost, used(1, 1)) // It was not dead. It has nothing to settle any more.
  expect(await counters(t.db)).toMatchObject([{ spent: worstOfCall, reserved: worstOfCall }])
  await money.settle(reservation, used(100, 10))
  expect(await counters(t.db)).toMatchObject([{ spent: worstOfCall + 200_000, reserved: 0, overrun: 0 }])
  expect(await usageRows(t.db)).toMatchObject([{ isEstimated: true }, { isEstimated: false }])
  // With no room left for the estimate the step goes on all the same.
  const { reservation: again } = await admitted(money.admit(callOf({ ...step, op: '4', outputTokensMax: 60 })))
  await admitted(dead.admit(callOf({ ...step, op: '4', outputTokensMax: 60 }), { isRepeated: true }))
  expect((await counters(t.db))[0]?.overrun).toBe(0)
  expect(again.holds).toHaveLength(1)
})

test('each window, subject and run counts for itself', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  await setBudget(t.db, { name: 'each-user', scope: 'user', per: 'hour', unit: 'requests', limit: 1 })
  await setBudget(t.db, { name: 'each-run', scope: 'tenant', per: 'run', unit: 'requests', limit: 2 })
  await setBudget(t.db, { name: 'one-key', scope: 'key', subject: 'k1', unit: 'requests', limit: 1 })
  await using money = openTestMoney(t.db)
  const runs = ['01a1fcb9-0960-7a25-9791-15a0d2ed0835', '01a1fcb9-0960-7a25-9791-15a0d2ed0836']
  await admitted(money.admit(callOf({ user: 'ada' })))
  await admitted(money.admit(callOf({ user: 'bob' })))
  expect(await refused(money.admit(callOf({ user: 'ada' })))).toMatchObject({ budget: { name: 'each-user', subject: 'ada' } })
  for (const runId of [...runs, ...runs]) await admitted(money.admit(callOf({ runId })))
  expect(await refused(money.admit(callOf({ runId: runs[0] })))).toMatchObject({ budget: { name: 'each-run', window: 'run' } })
  await admitted(money.admit(callOf({ keyId: 'k1' })))
  await admitted(money.admit(callOf({ keyId: 'k2' })))
  await admitted(money.admit(callOf({ keyId: 'k2' })))
  expect(await refused(money.admit(callOf({ keyId: 'k1' })))).toMatchObject({ budget: { name: 'one-key' } })
})

const runs = ['01a1fcb9-0960-7a25-9791-15a0d2ed0835', '01a1fcb9-0960-7a25-9791-15a0d2ed0836'] as const

test.each<[string, object, object, string]>([
  ['namespace', { namespace: 'lab' }, { namespace: 'shop' }, 'for namespace lab'],
  ['agent', { agent: 'analyst' }, { agent: 'clerk' }, 'for agent analyst'],
  ['key', { keyId: 'k1' }, { keyId: 'k2' }, 'for key k1'],
  ['user', { user: 'ada' }, { user: 'bob' }, 'for user ada'],
  ['session', { session: 's1' }, { session: 's2' }, 'for session s1'],
  ['run', { runId: runs[0] }, { runId: runs[1] }, `for run ${runs[0]}`],
])('a budget of each %s holds each of them, in every window and unit', async (scope, mine, others, whose) => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  for (const [unit, limit] of Object.entries({ requests: 1, tokens: 300, usd: worstOfCall })) {
    for (const per of ['hour', 'day', 'week', 'month', 'total', ...(scope === 'run' ? ['run'] : [])]) {
      await t.db.rows(sql`delete from budgets`)
      await setBudget(t.db, { name: 'held', scope, per, unit, limit })
      await using fresh = openTestMoney(t.db) // It knows of no earlier budget.
      const { reservation } = await admitted(fresh.admit(callOf({ ...mine, mayClamp: false })))
      await fresh.settle(reservation, used(200, 100))
      const refusal = await refused(fresh.admit(callOf({ ...mine, mayClamp: false })))
      expect(refusal, `${unit} per ${per}`).toMatchObject({ reason: 'exhausted', budget: { name: 'held', scope, window: per, unit } })
      expect(refusal.message).toContain(`${per === 'total' ? 'in total' : per === 'hour' ? 'an hour' : `a ${per}`} ${whose}) is used up`)
      expect(refusal.refillsAt === null).toBe(per === 'total' || per === 'run')
      await admitted(fresh.admit(callOf({ ...others, mayClamp: false })))
    }
  }
})

test('another tenant has other budgets', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  await setBudget(t.db, { unit: 'requests', limit: 1 })
  await using money = openTestMoney(t.db)
  await admitted(money.admit(callOf()))
  await refused(money.admit(callOf()))
  await admitted(money.admit(callOf({ tenantId: 'other' })))
})

test('words of callers that the database cannot hold do not keep a reservation for ever', async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  await setBudget(t.db, { unit: 'requests', limit: 5 })
  await using money = openTestMoney(t.db)
  const { reservation } = await admitted(money.admit(callOf({ user: 'a\u0000b\ud800', tags: { 'x\u0000': '\udfff' } })))
  await money.settle(reservation, used(1, 1))
  expect(await usageRows(t.db)).toHaveLength(1)
  expect(await counters(t.db)).toMatchObject([{ spent: 1, reserved: 0 }])
})
