import { expect, test } from 'vitest'
import { fact, startEngine } from '../../test/support/engine.ts'
import { makeFaulty } from '../../test/support/faulty-db.ts'
import { checkJournals, watchJournal } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { type Db, type Tx, sql } from '../db/index.ts'

const counting = (counts: Map<string, number>) => async (ctx: { input: unknown; step(name: string, work: () => number): Promise<unknown> }) => {
  const results: unknown[] = []
  for (const name of ['a', 'b', 'c']) {
    results.push(
      await ctx.step(name, () => {
        counts.set(`${String(ctx.input)} ${name}`, (counts.get(`${String(ctx.input)} ${name}`) ?? 0) + 1)
        return results.length
      }),
    )
  }
  return results as number[]
}

test.each(['lost-before', 'lost-after'] as const)('runs of a flush whose answer was %s go on, and each step is executed and recorded once', async (fault) => {
  await using t = await makeDatabase()
  await watchJournal(t.db)
  const db = makeFaulty(t.db)
  const counts = new Map<string, number>()
  await using e = await startEngine(db, { code: counting(counts) })
  // Every second flush is cut off, those that start runs included.
  db.faults.push(...Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? fault : ('none' as const))))
  const runs = await Promise.all(Array.from({ length: 5 }, (_, i) => e.start('code', i, { idempotencyKey: `key ${i}` })))
  for (const { id } of runs) expect(await e.ended(id)).toMatchObject({ state: 'completed', output: [0, 1, 2] })
  expect(db.hitCount).toBeGreaterThanOrEqual(3)
  expect([...counts.values()]).toEqual(Array.from({ length: 15 }, () => 1))
  expect(await checkJournals(t.db)).toEqual({ runCount: 5, eventCount: 25 })
})

test('a flush that was given up and is committed all the same while it is made again is recognised', async () => {
  await using t = await makeDatabase()
  await watchJournal(t.db)
  const db = makeFaulty(t.db)
  const counts = new Map<string, number>()
  await using e = await startEngine(db, { code: counting(counts) })
  await e.ended((await e.start('code', 'before')).id)
  let started: ReturnType<typeof e.start> | undefined
  await t.db.transaction(async (tx) => {
    await tx.rows(sql`select from nodes for update`)
    db.faults.push('abandoned')
    started = e.start('code', 'during')
    // The first one waits for the row, and so does its repetition.
    await fact(
      () => waitingFlushes(t.db),
      (count) => count === 2,
      'number of waiting flushes',
    )
  })
  expect(db.abandoned).toHaveLength(1)
  const run = await started
  expect(await e.ended(run?.id ?? '')).toMatchObject({ state: 'completed' })
  expect(await db.abandoned[0]).toMatchObject([{ isFenceHeld: 1 }])
  expect(counts.get('during a')).toBe(1)
  expect(e.engine.stats().flushCount).toBeLessThan(30)
  await checkJournals(t.db)
})

const waitingFlushes = async (db: Db) =>
  (await db.rows(sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%with fence as%'`)).length

test('PostgreSQL dropping all connections under load costs no accepted run and no step its being recorded once', async () => {
  await using t = await makeDatabase()
  await watchJournal(t.db)
  const counts = new Map<string, number>()
  await using e = await startEngine(t.db, { code: counting(counts) })
  const accepted: string[] = []
  let kills = 0
  for (let round = 0; round < 6; round++) {
    const starts = Array.from({ length: 10 }, (_, i) => e.start('code', `${round} ${i}`, { idempotencyKey: `${round} ${i}` }))
    const killed = await t.owner
      .rows(sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`)
      .catch(() => [])
    kills += killed.length
    for (const result of await Promise.allSettled(starts)) {
      // Every error is of the kind that says: try again.
      if (result.status === 'fulfilled') accepted.push(result.value.id)
      else expect(result.reason).toMatchObject({ code: 'unavailable' })
    }
  }
  expect(kills).toBeGreaterThan(6)
  expect(accepted.length).toBeGreaterThan(30)
  for (const id of accepted) expect(await e.ended(id)).toMatchObject({ state: 'completed' })
  await checkJournals(t.db)
})

test('a claim whose answer is lost leaves no run behind', async () => {
  await using t = await makeDatabase()
  await watchJournal(t.db)
  let isLosing = true
  const db: Db = {
    ...t.db,
    async transaction<Result>(work: (tx: Tx) => Promise<Result>) {
      const result = await t.db.transaction(work)
      if (isLosing && typeof result === 'object' && result !== null && 'runs' in result && Array.isArray(result.runs) && result.runs.length > 0) {
        isLosing = false
        throw new Error('Connection terminated unexpectedly')
      }
      return result
    },
  }
  await using e = await startEngine(db, { code: async (ctx) => ctx.sleep('nap', 1_200) })
  const { id } = await e.start('code')
  await e.reaches(id, 'waiting')
  expect(await e.ended(id)).toMatchObject({ state: 'completed' })
  expect(isLosing).toBe(false)
  await checkJournals(t.db)
})

test('values that PostgreSQL refuses fail their own run and no other of the same flush', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, {
    good: async (ctx) => ctx.step('fine', () => 1),
    // No worker of ours sends such a name.
    bad: async (ctx) => ctx.step('\u0000', () => 1),
  })
  const good = Array.from({ length: 20 }, () => e.start('good'))
  const bad = Array.from({ length: 3 }, () => e.start('bad'))
  for (const run of await Promise.all(bad))
    expect(await e.ended(run.id)).toMatchObject({ state: 'failed', failure: { code: 'not_storable', retryable: false } })
  for (const run of await Promise.all(good)) expect(await e.ended(run.id)).toMatchObject({ state: 'completed', output: 1 })
  expect(e.engine.stats().activeCount).toBe(0)
  await checkJournals(t.db)
})

test('a database that can do nothing for now, full or in a deadlock, fails no run', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: async (ctx) => ctx.step('fine', () => 1) })
  for (const code of ['53100', '40P01', '57014']) {
    await t.db.rows(sql`create sequence attempts`)
    // `raise` takes no parameters. The code is ours.
    await t.db.rows({
      ...sql``,
      toQuery: () => ({
        text: `create or replace function refuse_twice() returns trigger language plpgsql as $$ begin if nextval('attempts') <= 2 then raise exception 'not now' using errcode = '${code}'; end if; return new; end $$`,
        values: [],
      }),
    } as ReturnType<typeof sql>)
    await t.db.rows(sql`create trigger refuse before insert on events for each row when (new.type = 'step.completed') execute function refuse_twice()`)
    const { id } = await e.start('code')
    expect(await e.ended(id)).toMatchObject({ state: 'completed' })
    expect((await t.db.rows<{ last: number }>(sql`select last_value::int as last from attempts`))[0]?.last).toBeGreaterThan(2)
    await t.owner.rows(sql`drop trigger refuse on events`)
    await t.owner.rows(sql`drop sequence attempts`)
  }
  await checkJournals(t.db)
})

test('whoever is told of a durable entry and throws harms no other run', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: async (ctx) => ctx.step('fine', () => 1) })
  const first = await e.start('code')
  const second = await e.start('code')
  let thrown = 0
  e.engine.watch(first.id, {
    onWake() {
      thrown++
      throw new Error('a watcher at fault')
    },
    onLive() {},
  })
  expect(await e.ended(second.id)).toMatchObject({ state: 'completed' })
  expect(await e.ended((await e.start('code')).id)).toMatchObject({ state: 'completed' })
  expect(thrown).toBeGreaterThan(0)
  expect(await e.ended(first.id)).toMatchObject({ state: 'completed' })
})

test('starting and stopping again and again leaves no connection, no lease and no run behind', async () => {
  await using t = await makeDatabase()
  await watchJournal(t.db)
  await using e = await startEngine(t.db, { code: async (ctx) => ctx.sleep('nap', 20).then(() => ctx.step('s', () => 1)) }, { isStarted: false })
  const ids: string[] = []
  for (let i = 0; i < 10; i++) {
    await e.engine.start()
    ids.push((await e.start('code')).id)
    await e.engine.stop()
    expect(await t.db.rows(sql`select id from runs where node_id is not null`)).toEqual([])
    expect(await t.db.rows(sql`select id from nodes where not is_dead`)).toEqual([])
    expect(e.engine.stats().activeCount).toBe(0)
    await expect(e.start('code')).rejects.toMatchObject({ code: 'unavailable' })
  }
  expect(await t.db.rows(sql`select from pg_stat_activity where datname = current_database() and application_name ~ 'journal|heartbeat'`)).toEqual([])
  await e.engine.start()
  for (const id of ids) expect(await e.ended(id)).toMatchObject({ state: 'completed' })
  await checkJournals(t.db)
})

test('stopping returns though the database is gone, with runs under way and the node not registered', async () => {
  await using t = await makeDatabase()
  let isGone = false
  const gone = () => new Error('Connection terminated unexpectedly')
  const db: Db = {
    ...t.db,
    rows: (query) => (isGone ? Promise.reject(gone()) : t.db.rows(query)),
    transaction: (work) => (isGone ? Promise.reject(gone()) : t.db.transaction(work)),
    connection: (name, options) => (isGone ? Promise.reject(gone()) : t.db.connection(name, options)),
  }
  const e = await startEngine(db, { code: (ctx) => ctx.step('long', () => new Promise<never>(() => {})) }, { leaseMs: 1_000 })
  await e.start('code')
  isGone = true
  await t.db.rows(sql`update nodes set is_dead = true, fence = fence + 1`)
  await t.owner.rows(sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name ~ 'journal'`)
  await fact(
    () => e.logged,
    (lines) => lines.some(({ message }) => message.startsWith('node gives up')),
    'log',
  )
  const from = performance.now()
  await e.stop()
  expect(performance.now() - from).toBeLessThan(10_000)
})
