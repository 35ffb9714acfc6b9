import { expect, test } from 'vitest'
import { everyone, type ScriptContext, fact, startEngine, tenantId } from '../../test/support/engine.ts'
import { checkJournals, watchJournal } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { type Db, sql } from '../db/index.ts'

/** Milliseconds between the instant that a wait was to end at and its end, by the database's clock. */
async function lateness(db: Db, runId: string): Promise<number[]> {
  const rows = await db.rows<{ ms: number }>(sql`
    select (extract(epoch from done.at - (made.data->>'until')::timestamptz) * 1000)::double precision as ms
    from events made join events done on done.run_id = made.run_id and done.op = made.op and done.type = 'wait.completed'
    where made.run_id = ${runId} and made.type = 'wait.created' order by made.seq`)
  return rows.map(({ ms }) => ms)
}

test.each([
  ['resident', [0, 5, 120, 300]],
  ['asleep', [1_100, 1_300]],
] as const)('timers of a run that is %s end once, never early, and soon after they are due', async (where, delays) => {
  await using t = await makeDatabase()
  await watchJournal(t.db)
  await using e = await startEngine(t.db, {
    async code(ctx) {
      for (const ms of delays) await ctx.sleep(`for ${ms}`, ms)
      return 'up'
    },
  })
  const runs = await Promise.all(Array.from({ length: 20 }, () => e.start('code')))
  for (const { id } of runs) {
    expect(await e.ended(id)).toMatchObject({ state: 'completed', output: 'up' })
    const late = await lateness(t.db, id)
    expect(late).toHaveLength(delays.length)
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...late)).toBeLessThan(3_000)
  }
  // Whether they were asleep is seen in how often they were handed to a worker.
  expect(e.executions.length).toBe(where === 'resident' ? 20 : 60)
  await checkJournals(t.db)
})

test('a timer of thirty days, and one of ten years, sleeps until then and is due at no other time', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: (ctx) => ctx.sleep('long', Number(ctx.input)) })
  for (const days of [30, 3_650]) {
    const { id } = await e.start('code', days * 86_400_000)
    const run = await e.reaches(id, 'waiting')
    expect((Date.parse(run.wait?.until ?? '') - Date.parse(run.createdAt)) / 86_400_000).toBeCloseTo(days, 2)
    const [row] = await t.db.rows<{ days: number }>(
      sql`select (extract(epoch from due_at - clock_timestamp()) / 86400)::double precision as days from runs where id = ${id}`,
    )
    expect(row?.days).toBeCloseTo(days, 2)
    // One look at it later it still sleeps; when its time has come it goes on.
    await e.ended((await e.start('code', 150)).id)
    expect(await e.load(id)).toMatchObject({ state: 'waiting' })
  }
  expect(e.engine.stats().activeCount).toBe(0)
})

test('a signal reaches a run that sleeps, one that is here, and one that has not asked for it yet', async () => {
  await using t = await makeDatabase()
  let isPastSignal = () => {}
  const gate = new Promise<void>((resolve) => (isPastSignal = resolve))
  const held: (() => void)[] = []
  await using e = await startEngine(t.db, {
    sleeping: (ctx) => ctx.signal('news'),
    here: async (ctx) => [await Promise.all([ctx.signal('news'), ctx.step('busy', () => gate.then(() => 1))]).then(([news]) => news)],
    later: async (ctx) => [
      await ctx.step('busy', () => new Promise<number>((resolve) => held.push(() => resolve(1)))),
      await ctx.signal('news'),
      await ctx.signal('news'),
    ],
  })
  const sleeping = await e.start('sleeping')
  await e.reaches(sleeping.id, 'waiting')
  const from = performance.now()
  await e.engine.signal(everyone, sleeping.id, 'tester', 'news', { n: 1 })
  expect(await e.ended(sleeping.id)).toMatchObject({ output: { n: 1 } })
  expect(performance.now() - from).toBeLessThan(1_500)

  const here = await e.start('here')
  await fact(
    () => e.events(here.id),
    (events) => events.some(({ type }) => type === 'wait.created'),
  )
  await e.engine.signal(everyone, here.id, 'tester', 'news', { n: 2 })
  await fact(
    () => e.events(here.id),
    (events) => events.some(({ type }) => type === 'wait.completed'),
  )
  isPastSignal()
  expect(await e.ended(here.id)).toMatchObject({ output: [{ n: 2 }] })

  const later = await e.start('later')
  await fact(
    () => held,
    (found) => found.length === 1,
  )
  for (const n of [3, 4]) await e.engine.signal(everyone, later.id, 'tester', 'news', { n })
  await fact(
    () => e.events(later.id),
    (events) => events.filter(({ type }) => type === 'signal.received').length === 2,
  )
  held[0]?.()
  expect(await e.ended(later.id)).toMatchObject({ output: [1, { n: 3 }, { n: 4 }] })
  await checkJournals(t.db)
})

test('a signal that is taken is in the audit log, one to a run that has ended or is not to be seen is not', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { waits: (ctx) => ctx.signal('go') })
  const { id } = await e.start('waits')
  await e.reaches(id, 'waiting')
  await expect(e.engine.signal({ tenantId: 'other', askerId: undefined }, id, 'eve', 'go', null)).rejects.toMatchObject({ code: 'not_found' })
  await e.engine.signal(everyone, id, 'ann', 'go', null)
  await e.ended(id)
  await expect(e.engine.signal(everyone, id, 'ben', 'go', null)).rejects.toMatchObject({ code: 'conflict' })
  const notes = await t.db.rows(
    sql`select who_name as who, outcome, detail ->> 'name' as name from audit_notes where action = 'runs.signal' and target = ${id}`,
  )
  expect(notes).toEqual([{ who: 'ann', outcome: 'done', name: 'go' }])
})

test('a signal that finds the row of a run locked by the flush that puts it to sleep wakes it afterwards', async () => {
  await using t = await makeDatabase()
  // The flush stops once it has the row of a run that falls asleep, for as long as this test holds the lock.
  await t.db.rows(
    sql`create function wait_for_test() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock_shared(77); return new; end $$`,
  )
  await t.db.rows(sql`create trigger hold after update on runs for each row when (new.state = 'waiting') execute function wait_for_test()`)
  await using e = await startEngine(t.db, { code: (ctx) => ctx.signal('news') })
  const held = await t.db.connection('holder')
  await held.query(sql`select pg_advisory_lock(77)`)
  const { id } = await e.start('code')
  await fact(
    () => lockWaits(t.db, 'with fence as'),
    (count) => count === 1,
    'number of waiting flushes',
  )
  const sent = e.engine.signal(everyone, id, 'tester', 'news', 'second')
  await fact(
    () => lockWaits(t.db, 'inbox_count + 1'),
    (count) => count === 1,
    'number of waiting signals',
  )
  await held.query(sql`select pg_advisory_unlock(77)`)
  await sent
  expect(await e.ended(id, 5_000)).toMatchObject({ output: 'second' })
})

const lockWaits = async (db: Db, text: string) =>
  (await db.rows(sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and position(${text} in query) > 0`)).length

test('a signal whose transaction is open while the flush of the sleep waits for it is not slept through', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: async (ctx) => (await ctx.step('first', () => gate), ctx.signal('news')) })
  const { promise: gate, resolve: go } = Promise.withResolvers<null>()
  const { id } = await e.start('code')
  await t.db.transaction(async (tx) => {
    await tx.rows(
      sql`update runs set inbox_count = inbox_count + 1, due_at = case when node_id is null then clock_timestamp() else due_at end where id = ${id}`,
    )
    await tx.rows(
      sql`insert into inbox (id, tenant_id, run_id, kind, name, payload, sent_by) values (gen_random_uuid(), ${tenantId}, ${id}, 'signal', 'news', '"in time"', 'tester')`,
    )
    go(null)
    await fact(
      () => lockWaits(t.db, 'with fence as'),
      (count) => count === 1,
      'number of waiting flushes',
    )
  })
  expect(await e.ended(id, 5_000)).toMatchObject({ output: 'in time' })
})

test('a signal from another node arrives within the poll interval, to a run that sleeps and to one that does not', async () => {
  await using t = await makeDatabase()
  const { promise: gate, resolve: go } = Promise.withResolvers<null>()
  await using a = await startEngine(
    t.db,
    { code: async (ctx) => ctx.signal('news'), busy: async (ctx) => Promise.all([ctx.signal('news'), ctx.step('s', () => gate)]) },
    { pollMs: 200 },
  )
  await using b = await startEngine(t.db, {}, { activeMax: 0 })
  const sleeping = await a.start('code')
  await a.reaches(sleeping.id, 'waiting')
  const busy = await a.start('busy')
  await fact(
    () => a.events(busy.id),
    (events) => events.length === 2,
  )
  const from = performance.now()
  await b.engine.signal(everyone, sleeping.id, 'tester', 'news', 1)
  await b.engine.signal(everyone, busy.id, 'tester', 'news', 2)
  await a.ended(sleeping.id)
  await fact(
    () => a.events(busy.id),
    (events) => events.some(({ type }) => type === 'wait.completed'),
  )
  expect(performance.now() - from).toBeLessThan(1_200)
  go(null)
  expect(await a.ended(busy.id)).toMatchObject({ output: [2, null] })
})

test('a signal sent twice under one idempotency key arrives once, and under two keys twice', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: async (ctx) => [await ctx.signal('news'), await ctx.signal('news')] })
  const { id } = await e.start('code')
  await Promise.all([1, 2, 3].map(() => e.engine.signal(everyone, id, 'tester', 'news', 'once', 'key')))
  await fact(
    () => e.events(id),
    (events) => events.some(({ type }) => type === 'wait.completed'),
  )
  await e.reaches(id, 'waiting')
  await e.engine.signal(everyone, id, 'tester', 'news', 'other', 'another key')
  expect(await e.ended(id)).toMatchObject({ output: ['once', 'other'] })
  expect((await e.events(id)).filter(({ type }) => type === 'signal.received')).toHaveLength(2)
  await expect(e.engine.signal(everyone, id, 'tester', 'news', 'late')).rejects.toMatchObject({ code: 'conflict' })
  await expect(e.engine.signal({ tenantId: 'another tenant', askerId: undefined }, id, 'tester', 'news', 'x')).rejects.toMatchObject({ code: 'not_found' })
})

test.each([
  ['here', 100],
  ['asleep', 1_200],
])('a wait for a signal whose time runs out while the run is %s fails as timed out, and only that', async (_, timeoutMs) => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, {
    code: async (ctx) => ctx.signal('news', Number(ctx.input)).catch((error: Error & { failure?: object }) => ({ ...error.failure })),
  })
  const { id } = await e.start('code', timeoutMs)
  expect(await e.ended(id)).toMatchObject({ state: 'completed', output: { code: 'timed_out', retryable: false } })
  expect(Math.min(...(await lateness(t.db, id)))).toBeGreaterThanOrEqual(0)
  const { id: inTime } = await e.start('code', 20_000)
  await e.reaches(inTime, 'waiting')
  await e.engine.signal(everyone, inTime, 'tester', 'news', 'there')
  expect(await e.ended(inTime)).toMatchObject({ output: 'there' })
  await checkJournals(t.db)
})

test('more messages than are read at once are all taken', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: async (ctx) => (await ctx.signal('go'), ctx.signal('last')) })
  const { id } = await e.start('code')
  await e.reaches(id, 'waiting')
  await t.db.transaction(async (tx) => {
    await tx.rows(sql`
      insert into inbox (id, tenant_id, run_id, kind, name, payload, sent_by)
      select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, ${tenantId}, ${id}, 'signal', case n when 12000 then 'last' when 1 then 'go' else 'other' end, to_json(n), 'flood' from generate_series(1, 12000) as n`)
    await tx.rows(sql`update runs set inbox_count = inbox_count + 12000, due_at = clock_timestamp() where id = ${id}`)
  })
  expect(await e.ended(id, 20_000)).toMatchObject({ output: 12_000 })
  expect(await t.db.rows(sql`select from inbox where not is_taken limit 1`)).toEqual([])
})

const approvals = (db: Db) => db.rows<{ id: string; state: string; by: string | null }>(sql`select id, state, decided_by as by from approvals order by id`)
const asks = (ctx: ScriptContext) =>
  ctx.approval('Send it?', Number(ctx.input) || undefined).catch((error: Error & { failure?: object }) => ({ ...error.failure }))

test('of many answers to an approval the first counts, all others are conflicts', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: asks })
  const { id } = await e.start('code')
  const waitingRun = await e.reaches(id, 'waiting')
  const approvalId = waitingRun.wait?.approvalId ?? ''
  expect(waitingRun.wait).toMatchObject({ kind: 'approval', name: 'Send it?' })
  const answers = await Promise.allSettled(
    Array.from({ length: 8 }, (_, i) => e.engine.decide(everyone, `person ${i}`, { approvalId, approved: i % 2 === 0, comment: 'because' })),
  )
  const [won, ...more] = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  expect(more).toEqual([])
  for (const answer of answers) if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'conflict' })
  expect(await e.ended(id)).toMatchObject({ output: { approved: won?.state === 'approved', by: won?.decidedBy, comment: 'because' } })
  await expect(e.engine.decide({ tenantId: 'another tenant', askerId: undefined }, 'x', { approvalId, approved: true })).rejects.toMatchObject({
    code: 'not_found',
  })
  await checkJournals(t.db)
})

test('an approval that nobody answered expires, stays expired after the end, and takes no answer', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: asks })
  const { id } = await e.start('code', 150)
  expect(await e.ended(id)).toMatchObject({ output: { code: 'timed_out' } })
  const [found] = await approvals(t.db)
  await expect(e.engine.decide(everyone, 'late', { approvalId: found?.id ?? '', approved: true })).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('expired') as string,
  })
})

test('an approval that is open when its run ends is withdrawn', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: asks })
  const { id } = await e.start('code')
  await e.reaches(id, 'waiting')
  await e.engine.cancel(everyone, id, 'tester')
  expect(await approvals(t.db)).toMatchObject([{ state: 'withdrawn', by: null }])
})

test('a decision and the end of its run at the same moment do not block each other', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: asks })
  const from = performance.now()
  for (let i = 0; i < 10; i++) {
    const { id } = await e.start('code')
    const approvalId = (await e.reaches(id, 'waiting')).wait?.approvalId ?? ''
    const results = await Promise.allSettled([
      e.engine.decide(everyone, 'a', { approvalId, approved: true }),
      e.engine.cancel(everyone, id, 'b'),
      e.engine.decide(everyone, 'c', { approvalId, approved: false }),
    ])
    for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'conflict' })
    await e.ended(id)
  }
  expect(performance.now() - from).toBeLessThan(8_000)
  expect(e.logged.filter(({ level }) => level === 'error')).toEqual([])
})
