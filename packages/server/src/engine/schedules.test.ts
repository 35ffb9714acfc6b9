import type { Calendar } from '@longhaul/protocol'
import { expect, test, vi } from 'vitest'
import { type ScriptContext, type TestEngine, asker, everyone, fact, startEngine, tenantId } from '../../test/support/engine.ts'
import { checkJournals } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { type Db, sql } from '../db/index.ts'
import { type ScheduleSetting, planFires } from './schedules.ts'

const hourly: Calendar = { kind: 'cron', cron: '0 * * * *', timeZone: 'UTC' }
const set = (e: TestEngine, more: Partial<ScheduleSetting> = {}) =>
  e.engine.schedules.set(everyone, asker, {
    name: 'every',
    agent: 'code',
    input: 'x',
    calendar: hourly,
    overlap: 'skip',
    catchUp: 'one',
    jitterMs: 0,
    priority: 'normal',
    ...more,
  })
/** As if its next fire had been to be so long ago. */
const makeDue = (db: Db, hoursAgo: number) =>
  db.rows(sql`update schedules set next_at = date_trunc('hour', clock_timestamp()) - ${hoursAgo} * interval '1 hour'`)
const fires = (e: TestEngine) => e.engine.schedules.fires(everyone, 'every', { limit: 100 })
const outcomes = async (e: TestEngine) => (await fires(e)).map(({ outcome, reason }) => (reason ? `${outcome}: ${reason}` : outcome))

test.each([0, 1, -1])('each fire is one run over two nodes, and none is early, with clocks that are %i hours off', async (hours) => {
  await using t = await makeDatabase({ poolMax: 10 })
  const code = async () => 1
  await using a = await startEngine(t.db, { code })
  await using b = await startEngine(t.db, { code })
  try {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + hours * 3_600_000 })
    await set(a, { calendar: { kind: 'interval', everyMs: 1_000 }, overlap: 'allow' })
    await fact(
      () => fires(b),
      (found) => found.filter(({ outcome }) => outcome === 'started').length >= 3,
      'fires',
    )
    await a.engine.schedules.pause(everyone, 'every')
  } finally {
    vi.useRealTimers()
  }
  const rows = await t.db.rows<{ runs: number; fires: number; early: number; late: number }>(sql`
    select count(runs.id)::int as runs, count(*)::int as fires, count(*) filter (where runs.created_at < fires.fire_at or runs.started_at < fires.fire_at)::int as early,
      count(*) filter (where fires.fire_at > clock_timestamp())::int as late
    from fires full join runs on runs.id = fires.run_id`)
  expect(rows).toEqual([{ runs: rows[0]?.fires, fires: rows[0]?.runs, early: 0, late: 0 }])
  const at = (await fires(a)).map(({ fireAt }) => Date.parse(fireAt)).toReversed()
  expect(at.slice(1).map((ms, i) => ms - (at[i] ?? 0))).toEqual(Array(at.length - 1).fill(1_000))
  for (const { runId } of await fires(a)) expect(await a.ended(runId ?? '')).toMatchObject({ state: 'completed', input: 'x', asker: { name: 'tester' } })
  await checkJournals(t.db)
})

test('of nodes that notice a fire at the same moment one makes it, and its next instant moves on with it', async () => {
  await using t = await makeDatabase({ poolMax: 10 })
  const nodes = await Promise.all(Array.from({ length: 3 }, () => startEngine(t.db, { code: async () => 1 })))
  try {
    await set(nodes[0]!, { overlap: 'allow' })
    for (let round = 1; round <= 5; round++) {
      await t.db.rows(sql`delete from fires`)
      await t.db.rows(sql`update runs set idempotency_key = null`)
      await makeDue(t.db, 0)
      await fact(
        () => t.db.rows(sql`select from fires where outcome = 'started'`),
        (rows) => rows.length === 1,
      )
    }
    const [{ count } = { count: 0 }] = await t.db.rows<{ count: number }>(sql`select count(*)::int as count from runs`)
    expect(count).toBe(5)
    const [next] = await t.db.rows<{ isNext: boolean }>(
      sql`select next_at = date_trunc('hour', clock_timestamp()) + interval '1 hour' as "isNext" from schedules`,
    )
    expect(next).toEqual({ isNext: true })
  } finally {
    for (const node of nodes) await node.stop()
  }
})

test('after an outage it catches up as it was told to', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: async () => 1 })
  for (const [catchUp, expected] of [
    ['skip', ['skipped: missed']],
    ['one', ['started']],
    ['all', ['started', 'started', 'started']],
  ] as const) {
    await t.db.rows(sql`delete from schedules`)
    await set(e, { catchUp, overlap: 'allow' })
    // Two hours and more ago, and the last full hour is more than a minute ago as well.
    await t.db.rows(
      sql`update schedules set calendar = json_build_object('kind', 'interval', 'everyMs', 3600000, 'from', to_char((clock_timestamp() - interval '2 hours 30 minutes') at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')), next_at = date_trunc('second', clock_timestamp() - interval '2 hours 30 minutes')`,
    )
    expect(
      await fact(
        () => outcomes(e),
        (found) => found.length === expected.length,
        catchUp,
      ),
    ).toEqual(expected)
  }
})

test('while the run before is under way, one fire is kept until it has ended', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: async (ctx: ScriptContext) => ctx.signal('go') })
  await set(e, { overlap: 'queue' })
  await makeDue(t.db, 0)
  const [first] = await fact(
    () => fires(e),
    (found) => found.length === 1,
  )
  await e.reaches(first?.runId ?? '', 'waiting')
  await t.db.rows(sql`update schedules set next_at = clock_timestamp() - interval '2 seconds'`)
  await fact(
    () => outcomes(e),
    (found) => found.includes('queued'),
  )
  await t.db.rows(sql`update schedules set next_at = clock_timestamp() - interval '1 second'`)
  await fact(
    () => outcomes(e),
    (found) => found.includes('skipped: overlap'),
  )
  expect(await t.db.rows(sql`select from runs`)).toHaveLength(1)
  await e.engine.signal(everyone, first?.runId ?? '', 'tester', 'go', 1)
  expect(
    await fact(
      () => outcomes(e),
      (found) => !found.includes('queued'),
    ),
  ).toEqual(['skipped: overlap', 'started', 'started'])
  expect(await e.engine.schedules.get(everyone, 'every')).toMatchObject({ queuedAt: null })
})

test('the run before is cancelled first, where the schedule says so', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: async (ctx: ScriptContext) => ctx.signal('go') })
  await set(e, { overlap: 'cancel' })
  await makeDue(t.db, 0)
  const [first] = await fact(
    () => fires(e),
    (found) => found.length === 1,
  )
  await e.reaches(first?.runId ?? '', 'waiting')
  await t.db.rows(sql`update schedules set next_at = clock_timestamp() - interval '2 seconds'`)
  expect(await e.ended(first?.runId ?? '')).toMatchObject({ state: 'cancelled' })
  const last = (
    await fact(
      () => fires(e),
      (found) => found.filter(({ outcome }) => outcome === 'started').length === 2,
    )
  )[0]
  expect(await e.reaches(last?.runId ?? '', 'waiting')).toMatchObject({ wait: { name: 'go' } })
  const [row] = await t.db.rows<{ isAfter: boolean }>(
    sql`select (select started_at from runs where id = ${last?.runId}) > (select ended_at from runs where id = ${first?.runId}) as "isAfter"`,
  )
  expect(row).toEqual({ isAfter: true })
})

test('what is decided about fires that come while a run is under way', () => {
  const plan = (overlap: 'allow' | 'skip' | 'queue' | 'cancel', isUnderWay: boolean, queuedMs: number | null, due: number[]) => {
    const { starts, queuedMs: queued, cancels, rows } = planFires({ overlap, isUnderWay, queuedMs }, due, undefined)
    return { starts, queued, cancels, rows: rows.map(({ fireMs, outcome, reason }) => `${fireMs} ${reason ?? outcome}`) }
  }
  expect(plan('allow', true, null, [1, 2])).toEqual({ starts: [1, 2], queued: null, cancels: false, rows: [] })
  expect(plan('skip', false, null, [1, 2])).toEqual({ starts: [1], queued: null, cancels: false, rows: ['2 overlap'] })
  expect(plan('queue', false, 1, [2, 3])).toEqual({ starts: [1], queued: 2, cancels: false, rows: ['2 queued', '3 overlap'] })
  expect(plan('queue', true, 1, [2])).toEqual({ starts: [], queued: 1, cancels: false, rows: ['2 overlap'] })
  expect(plan('cancel', true, 1, [2, 3])).toEqual({ starts: [], queued: 3, cancels: true, rows: ['1 replaced', '2 replaced', '3 queued'] })
  expect(planFires({ overlap: 'allow', isUnderWay: false, queuedMs: 1 }, [2], 'stopped')).toMatchObject({
    starts: [],
    queuedMs: 1,
    rows: [{ fireMs: 2, reason: 'stopped' }],
  })
})

test('paused, stopped or without a version it starts nothing, and goes on afterwards', async () => {
  await using t = await makeDatabase()
  let version: string | undefined = 'v1'
  await using e = await startEngine(t.db, { code: async () => 1 }, { findVersion: async () => (version === undefined ? { problem: 'none' } : { version }) })
  expect(await set(e)).toMatchObject({ nextFires: expect.any(Array) as string[], isPaused: false })
  expect(await e.engine.schedules.pause(everyone, 'every')).toMatchObject({ isPaused: true, nextFires: [] })
  await makeDue(t.db, 0)
  const { stop } = await e.engine.stopRuns({ tenantId, agent: 'code' }, 'operator')
  // Resumed, it goes on from now: what came due meanwhile is not made up for.
  const resumed = await e.engine.schedules.resume(everyone, 'every')
  expect(resumed.nextFires).toHaveLength(5)
  expect(await fires(e)).toEqual([])
  await makeDue(t.db, 0)
  await fact(
    () => outcomes(e),
    (found) => found.includes('skipped: stopped'),
  )
  await e.engine.liftStop(tenantId, stop.id, 'operator')
  version = undefined
  await expect(e.engine.schedules.fire(everyone, 'every')).rejects.toMatchObject({ code: 'conflict' })
  await t.db.rows(sql`delete from fires`)
  await makeDue(t.db, 0)
  await fact(
    () => outcomes(e),
    (found) => found.includes('skipped: no_version'),
  )
  version = 'v1'
  const { runId } = await e.engine.schedules.fire(everyone, 'every')
  expect(await e.ended(runId ?? '')).toMatchObject({ state: 'completed' })
  expect(await e.engine.schedules.delete(everyone, 'every')).toMatchObject({ name: 'every' })
  await expect(e.engine.schedules.get(everyone, 'every')).rejects.toMatchObject({ code: 'not_found' })
})

test('another tenant’s schedule does not exist, and a limited key sees its own alone', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: async () => 1 })
  await set(e)
  const limited = { tenantId, askerId: 'limited' }
  for (const audience of [{ tenantId: 'another', askerId: undefined }, limited]) {
    for (const verb of ['get', 'pause', 'resume', 'delete', 'fire'] as const)
      await expect(e.engine.schedules[verb](audience, 'every')).rejects.toMatchObject({ code: 'not_found' })
    expect(await e.engine.schedules.list(audience, { limit: 10 })).toEqual([])
  }
  const own = { ...asker, id: 'limited' }
  const setting = { name: 'every', agent: 'code', input: 1, calendar: hourly, overlap: 'skip', catchUp: 'one', jitterMs: 0, priority: 'normal' } as const
  await expect(e.engine.schedules.set(limited, own, setting)).rejects.toMatchObject({ code: 'conflict' })
  await e.engine.schedules.set(limited, own, { ...setting, name: 'own' })
  expect((await e.engine.schedules.list(limited, { limit: 10 })).map(({ name }) => name)).toEqual(['own'])
  expect((await e.engine.schedules.list(everyone, { limit: 10 })).map(({ name }) => name)).toEqual(['every', 'own'])
})

test('a delayed start begins when it is due by the database’s clock and not before, and can be cancelled', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: async () => 1 })
  const start = (more: { delayMs?: number; startAt?: Date }) => e.engine.startRun({ tenantId, agent: 'code', version: 'v1', input: 1, asker, ...more })
  try {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 })
    const [before] = await t.db.rows<{ at: Date }>(sql`select clock_timestamp() as at`)
    const soon = await start({ delayMs: 700 })
    expect(soon).toMatchObject({ state: 'pending', wait: { kind: 'timer', name: 'start' } })
    expect(await e.ended(soon.id)).toMatchObject({ state: 'completed', wait: null })
    const [row] = await t.db.rows<{ lateMs: number; delayMs: number }>(
      sql`select extract(epoch from started_at - ${soon.wait?.until}::timestamptz)::float8 * 1000 as "lateMs",
        extract(epoch from ${soon.wait?.until}::timestamptz - ${before?.at})::float8 * 1000 as "delayMs" from runs where id = ${soon.id}`,
    )
    expect(row?.lateMs).toBeGreaterThanOrEqual(0)
    expect(row?.delayMs).toBeGreaterThanOrEqual(700)
  } finally {
    vi.useRealTimers()
  }
  const later = await start({ startAt: new Date(Date.now() + 86_400_000) })
  await e.engine.signal(everyone, later.id, 'tester', 'go', 1) // Kept; it does not bring the start forward.
  expect(await e.load(later.id)).toMatchObject({ state: 'pending', startedAt: null })
  expect(await e.engine.cancel(everyone, later.id, 'tester')).toMatchObject({ state: 'cancelled' })
  expect(await start({ startAt: new Date(0) })).toMatchObject({ state: 'running', wait: null })
  await expect(e.engine.startRun({ tenantId, agent: 'code', version: 'v1', input: 1, asker, session: 's', delayMs: 5 })).rejects.toMatchObject({
    code: 'invalid',
  })
})
