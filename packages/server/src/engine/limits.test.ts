import type { RunLimits } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { type ScriptContext, type TestEngine, fact, startEngine, tenantId } from '../../test/support/engine.ts'
import { checkJournals } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { type Db, type Tx, sql } from '../db/index.ts'
import { claimRuns } from './claims.ts'
import { startCursor } from './lane-store.ts'
import { laneKeyAt, openSlots } from './lanes.ts'
import { type Limit, covers, fullBucket, refill, refilledInMs, spend, startsIn } from './limits.ts'

const limit = (more: Partial<Limit>): Limit => ({
  id: 'l',
  tenantId,
  namespace: '',
  agent: '',
  laneKey: '',
  runningMax: null,
  startsPerSecond: null,
  startsPerMinute: null,
  ...more,
})

test('a limit covers what its names say: all where they are empty, each lane key for *', () => {
  const scope = { tenantId, namespace: 'default', agent: 'code', laneKey: 'k' }
  expect(covers(limit({}), scope)).toBe(true)
  expect(covers(limit({ agent: 'other' }), scope)).toBe(false)
  expect(covers(limit({ laneKey: '*' }), scope)).toBe(true)
  expect(covers(limit({ laneKey: '*' }), { ...scope, laneKey: '' })).toBe(false)
  expect(covers(limit({}), { ...scope, tenantId: 'another' })).toBe(false)
})

test('a bucket gives its starts at once and then evenly, and never more than it holds', () => {
  const perSecond = limit({ startsPerSecond: 4 })
  const empty = spend(fullBucket(perSecond, 0), 4)
  expect(startsIn(perSecond, empty)).toBe(0)
  expect(refilledInMs(perSecond, empty)).toBeCloseTo(250)
  expect(startsIn(perSecond, refill(perSecond, empty, 250))).toBe(1)
  expect(startsIn(perSecond, refill(perSecond, empty, 3_600_000))).toBe(4)
  // The clock of the database went back: nothing is given twice.
  expect(startsIn(perSecond, refill(perSecond, { ...empty, atMs: 500 }, 250))).toBe(0)
  const both = limit({ startsPerSecond: 100, startsPerMinute: 6 })
  expect(startsIn(both, fullBucket(both, 0))).toBe(6)
  expect(startsIn(limit({ runningMax: 1 }), fullBucket(limit({}), 0))).toBeNull()
})

/** A log of what executed when, as the agents' code saw it, and the most at once by whatever name. */
function intervals() {
  const now = new Map<string, number>()
  const most = new Map<string, number>()
  return {
    most: (name: string) => most.get(name) ?? 0,
    forget: () => most.clear(),
    code: (names: (ctx: ScriptContext) => string[]) => (ctx: ScriptContext) =>
      ctx.step('work', async () => {
        for (const name of names(ctx)) {
          now.set(name, (now.get(name) ?? 0) + 1)
          most.set(name, Math.max(most.get(name) ?? 0, now.get(name) ?? 0))
        }
        for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
        for (const name of names(ctx)) now.set(name, (now.get(name) ?? 0) - 1)
        return 1
      }),
  }
}

const allEnded = (t: { db: Db }, count: number) =>
  fact(
    async () => (await t.db.rows<{ count: number }>(sql`select count(*)::int as count from runs where ended_at is not null`))[0]?.count ?? 0,
    (ended) => ended === count,
    'number of ended runs',
    60_000,
  )

test('limits of tenant, agent and lane key hold over two nodes that start and claim at the same time', async () => {
  await using t = await makeDatabase({ poolMax: 10 })
  const log = intervals()
  const scripts = {
    code: log.code((ctx) => ['all', 'code', `key ${String(ctx.input)}`]),
    other: log.code(() => ['all', 'other']),
  }
  await using a = await startEngine(t.db, scripts)
  await using b = await startEngine(t.db, scripts)
  await a.engine.setLimit(tenantId, 'tester', { runningMax: 5 })
  await b.engine.setLimit(tenantId, 'tester', { agent: 'code', runningMax: 3 })
  await a.engine.setLimit(tenantId, 'tester', { agent: 'code', laneKey: '*', runningMax: 1 })
  const start = (e: TestEngine, agent: string, laneKey?: string) =>
    e.engine.startRun({ tenantId, agent, version: 'v1', input: laneKey ?? null, laneKey, asker: { id: 'x', name: 'x', access: { personalData: true } } })
  await Promise.all(Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? start(i % 2 ? a : b, 'other') : start(i % 2 ? a : b, 'code', `k${i % 4}`))))
  await allEnded(t, 60)
  // Reached, and never passed.
  expect([log.most('all'), log.most('code')]).toEqual([5, 3])
  for (const key of ['k0', 'k1', 'k2', 'k3']) expect(log.most(`key ${key}`)).toBe(1)
  await checkJournals(t.db)
})

test('a limit that is set while nodes start runs holds from the moment that it is acknowledged', async () => {
  await using t = await makeDatabase({ poolMax: 10 })
  let limitHolds = false
  let late = 0
  const open: (() => void)[] = []
  const code = (ctx: ScriptContext) => {
    if (limitHolds) late++
    return ctx.step('work', () => new Promise<number>((resolve) => open.push(() => resolve(1))))
  }
  await using a = await startEngine(t.db, { code })
  // A node that looks so seldom that it could not have heard of the limit.
  await using b = await startEngine(t.db, { code }, { pollMs: 600_000 })
  await b.start('code')
  await fact(
    () => open.length,
    (count) => count === 1,
  )
  await a.engine.setLimit(tenantId, 'tester', { agent: 'code', runningMax: 1 })
  limitHolds = true
  expect((await b.start('code')).state).toBe('pending')
  expect((await a.start('code')).state).toBe('pending')
  expect(late).toBe(0)
  open.shift()?.()
  limitHolds = false
  for (let ended = 1; ended < 3; ended++) {
    await fact(
      () => open.length,
      (count) => count === 1,
    )
    expect(await t.db.rows(sql`select from runs where node_id is not null`)).toHaveLength(1)
    open.shift()?.()
  }
  await allEnded(t, 3)
})

test('no more begin in a minute than a limit allows, over two nodes, and those that have begun go on', async () => {
  await using t = await makeDatabase()
  const code = async (ctx: ScriptContext) => (await ctx.signal('go'), 1)
  await using a = await startEngine(t.db, { code })
  await using b = await startEngine(t.db, { code })
  await a.engine.setLimit(tenantId, 'tester', { agent: 'code', startsPerMinute: 3 })
  const runs = await Promise.all(Array.from({ length: 10 }, (_, i) => (i % 2 ? a : b).start('code')))
  const begun = () => t.db.rows<{ id: string }>(sql`select id from runs where started_at is not null`)
  await fact(begun, (rows) => rows.length === 3)
  for (const { id } of await begun()) {
    await a.engine.signal({ tenantId, askerId: undefined }, id, 'tester', 'go', null)
    expect(await a.ended(id)).toMatchObject({ state: 'completed' })
  }
  expect(await begun()).toHaveLength(3)
  // Another agent is not under it; without it all begin.
  await a.engine.deleteLimit(tenantId, (await a.engine.listLimits(tenantId, { limit: 10 }))[0]?.id ?? '')
  await fact(begun, (rows) => rows.length === runs.length)
})

test('a run that waits for its slot can be cancelled, and the slot of one whose node has died is free', async () => {
  await using t = await makeDatabase()
  const open: (() => void)[] = []
  const code = (ctx: ScriptContext) => ctx.step('work', () => new Promise<number>((resolve) => open.push(() => resolve(1))))
  await using a = await startEngine(t.db, { code })
  await using b = await startEngine(t.db, { code: async () => 'by b' }, { leaseMs: 2_000 })
  await a.engine.setLimit(tenantId, 'tester', { agent: 'code', runningMax: 1 })
  const first = await a.start('code')
  await fact(
    () => open.length,
    (count) => count === 1,
  )
  const second = await a.start('code')
  const third = await a.start('code')
  expect(await a.engine.cancel({ tenantId, askerId: undefined }, second.id, 'tester')).toMatchObject({ state: 'cancelled' })
  expect(await a.load(third.id)).toMatchObject({ state: 'pending' })
  await t.db.rows(sql`update nodes set lease_until = clock_timestamp() - interval '1 second' where id = ${await a.nodeId()}`)
  expect(await b.ended(third.id)).toMatchObject({ state: 'completed' })
  expect(await b.ended(first.id)).toMatchObject({ state: 'completed', output: 'by b' })
})

test('behind ten thousand runs of one tenant, another’s is claimed by the next look', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: async () => 1, other: async () => 2 }, { activeMax: 4 })
  await t.db.rows(sql`
    with waiting as (
      insert into runs (id, tenant_id, agent, version, state, input, asker, due_at, event_count)
      select gen_random_uuid(), 'flood', 'code', 'v1', 'pending', 'null', '{"id":"x","name":"x","access":{"personalData":true}}', clock_timestamp() - interval '1 hour', 1
      from generate_series(1, 10000) returning id
    )
    insert into events (run_id, seq, tenant_id, epoch, at, type, data, hash) select id, 0, 'flood', 0, clock_timestamp(), 'run.started', '{"input":null}', '\\x00' from waiting`)
  const waitingBehind: number[] = []
  for (let i = 0; i < 5; i++) {
    const { id } = await e.start('other')
    await e.ended(id)
    const [row] = await t.db.rows<{ count: number }>(sql`select count(*)::int as count from runs where tenant_id = 'flood' and ended_at is null`)
    waitingBehind.push(row?.count ?? 0)
  }
  // First come, first served would have emptied the flood before.
  expect(Math.min(...waitingBehind)).toBeGreaterThan(0)
  // The rest need not be executed. What a look has locked just now is left to it, or the two would wait for each other.
  await t.db.rows(sql`update runs set due_at = null where id in (select id from runs where tenant_id = 'flood' and node_id is null for update skip locked)`)
})

test('runs of a lane begin in the order of their coming, a high priority first', async () => {
  await using t = await makeDatabase()
  const order: unknown[] = []
  await using e = await startEngine(t.db, { code: async (ctx) => (order.push(ctx.input), 1) })
  await e.engine.setLimit(tenantId, 'tester', { agent: 'code', runningMax: 0 })
  const asker = { id: 'x', name: 'x', access: { personalData: true } }
  for (let i = 0; i < 6; i++)
    await e.engine.startRun({
      tenantId,
      agent: 'code',
      version: 'v1',
      input: i,
      asker,
      ...(i === 4 && { priority: 'high' }),
      ...(i === 1 && { priority: 'low' }),
    })
  await e.engine.setLimit(tenantId, 'tester', { agent: 'code', runningMax: 1 })
  await allEnded(t, 6)
  expect(order).toEqual([4, 0, 2, 3, 5, 1])
})

test('whoever claims under a limit does so alone: the next one counts what was claimed', async () => {
  await using t = await makeDatabase()
  await using a = await startEngine(t.db, {})
  await using b = await startEngine(t.db, {})
  await a.engine.setLimit(tenantId, 'tester', { runningMax: 3 })
  for (const { engine } of [a, b]) await engine.stop()
  await t.db.rows(sql`update nodes set is_dead = false, fence = 0`)
  await t.db.rows(sql`
    insert into runs (id, tenant_id, agent, version, state, input, asker, due_at)
    select gen_random_uuid(), ${tenantId}, 'code' || n % 2, 'v1', 'pending', 'null', '{}', clock_timestamp() from generate_series(1, 600) n`)
  const claim = async (db: Db, node: TestEngine, room: number) =>
    claimRuns(db, { nodeId: await node.nodeId(), fence: 0, room, held: openSlots(), cursor: startCursor() })
  let second: ReturnType<typeof claim> | undefined
  const held: Db = {
    ...t.db,
    transaction: (work) =>
      t.db.transaction(async (tx: Tx) => {
        const result = await work(tx)
        second = claim(t.db, b, 10)
        // Not committed yet: this is the race, held open.
        await fact(
          async () => (await Promise.race([second, new Promise((resolve) => setImmediate(resolve, 'waits'))])) !== 'waits' || waitsForLock(t.db),
          (isSeen) => isSeen,
          'the other claim',
        )
        return result
      }),
  }
  expect((await claim(held, a, 2)).runs).toHaveLength(2)
  expect((await second)?.runs).toHaveLength(1)
  expect((await claim(t.db, b, 10)).runs).toEqual([])
})

const waitsForLock = async (db: Db) =>
  (await db.rows(sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)).length > 0

test('what an agent’s code declares holds beside what operators set, the stricter one decides, and goes when the code says so no more', async () => {
  await using t = await makeDatabase()
  const seen = intervals()
  const code = seen.code((ctx) => ['all', String((ctx.input as { customer: { id: number } }).customer.id)])
  await using e = await startEngine(t.db, { code }, { findVersion: async () => ({ version: 'v1', laneKeyFrom: 'customer.id' }) })
  const declare = (limits: RunLimits) => e.engine.setAgentLimits([{ tenantId, agent: 'code', version: 'v1', limits }])
  const most = async (count: number) => {
    seen.forget()
    const { asker } = await e.start('code', { customer: { id: 0 } })
    const runs = await Promise.all(
      Array.from({ length: count }, (_, i) =>
        e.engine.startRun({ tenantId, agent: 'code', version: 'v1', input: { customer: { id: (i % 4) + 1 } }, asker, laneKeyFrom: 'customer.id' }),
      ),
    )
    for (const { id } of runs) expect(await e.ended(id, 30_000)).toMatchObject({ state: 'completed' })
    return { all: seen.most('all'), each: Math.max(...[1, 2, 3, 4].map((id) => seen.most(String(id)))) }
  }
  // A positive control: without a limit many execute at once.
  expect((await most(40)).all).toBeGreaterThan(8)
  expect(await declare({ runningMax: 5, laneKey: 'customer.id', perLaneKey: { runningMax: 1 } })).toEqual([`${tenantId}/code`])
  expect(await declare({ runningMax: 5, laneKey: 'customer.id', perLaneKey: { runningMax: 1 } })).toEqual([])
  const declared = await most(40)
  expect(declared.each).toBe(1)
  expect(declared.all).toBeLessThanOrEqual(5)
  expect(declared.all).toBeGreaterThan(2)
  await e.engine.setLimit(tenantId, 'operator', { agent: 'code', runningMax: 2 })
  expect((await most(20)).all).toBeLessThanOrEqual(2)
  const listed = await e.engine.listLimits(tenantId, { limit: 10 })
  expect(listed.map(({ laneKey, runningMax, source }) => [laneKey, runningMax, source])).toEqual([
    [null, 5, 'agent'],
    [null, 2, 'operator'],
    ['*', 1, 'agent'],
  ])
  const after = await e.engine.listLimits(tenantId, { limit: 10, after: listed[0]?.id })
  expect(after.map(({ id }) => id)).toEqual(listed.slice(1).map(({ id }) => id))
  await expect(e.engine.deleteLimit(tenantId, listed[0]?.id ?? '')).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('agent.ts') as string,
  })
  expect(await e.engine.setAgentLimits([])).toEqual([`${tenantId}/code`])
  expect((await e.engine.listLimits(tenantId, { limit: 10 })).map(({ source }) => source)).toEqual(['operator'])
  await checkJournals(t.db)
})

test('a lane key is taken from where the agent says, and only from a text, a number or a yes or no', () => {
  const input = { customer: { id: 7, name: 'x'.repeat(200) }, list: [1], isTrial: true }
  expect(laneKeyAt(input, 'customer.id')).toBe('7')
  expect(laneKeyAt(input, 'isTrial')).toBe('true')
  expect(laneKeyAt(input, 'customer.name')).toHaveLength(128)
  for (const path of ['customer', 'list.0', 'nobody.id', 'constructor', 'customer.id.more', undefined]) expect(laneKeyAt(input, path)).toBe('')
  expect(laneKeyAt(null, 'a')).toBe('')
})
