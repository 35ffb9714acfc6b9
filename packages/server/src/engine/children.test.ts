/** Runs that start runs: atomic with the record of it, their ends told once, their cancellation reaching all of them. */
import { expect, test } from 'vitest'
import { type Script, type TestEngine, asker, everyone, fact, startEngine, tenantId } from '../../test/support/engine.ts'
import { checkJournals, watchJournal } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { type Db, sql } from '../db/index.ts'
import { listRuns } from './run-store.ts'

const findVersion = async (_: string, agent: string) => (agent === 'nobody' ? { problem: 'No agent nobody.' } : { version: 'v1' })
const start = (db: Db, scripts: Record<string, Script>, more: object = {}): Promise<TestEngine> => startEngine(db, scripts, { findVersion, ...more })
const openCount = async (db: Db) => (await db.rows(sql`select id from runs where state in ('pending', 'running', 'waiting')`)).length
const childrenOf = (db: Db, parent: string) => listRuns(db.forTenant(everyone.tenantId), everyone, { limit: 200, parent })

test('a child is started once, runs like any other, and its end reaches its parent as data', async () => {
  await using t = await makeDatabase()
  await watchJournal(t.db)
  await using e = await start(t.db, {
    async parent(ctx) {
      const { runId } = (await ctx.serve('run', 'child', { agent: 'child', input: { n: 1 } })) as { runId: string }
      return [await ctx.child(runId, 'child'), await ctx.child(runId, 'child')]
    },
    child: async (ctx) => ({ got: ctx.input }),
  })
  const { id } = await e.start('parent')
  const run = await e.ended(id)
  const [child] = await childrenOf(t.db, id)
  expect(child).toMatchObject({ agent: 'child', state: 'completed', parent: { runId: id, op: '0' }, asker })
  const end = { runId: child?.id, state: 'completed', output: { got: { n: 1 } } }
  expect(run).toMatchObject({ state: 'completed', output: [end, end], parent: null })
  await checkJournals(t.db)
  await fact(
    () => t.db.rows(sql`select * from endings`),
    (rows) => rows.length === 0,
  )
})

test('ends that cannot be told keep no other parent waiting, and none for ever', async () => {
  await using t = await makeDatabase()
  let refused: 'all' | string | undefined = 'all'
  const onEnded = async (runIds: string[]) => {
    if (refused === 'all' || (refused !== undefined && runIds.includes(refused))) throw new Error('the receiver is away')
  }
  await using e = await start(
    t.db,
    {
      async parent(ctx) {
        const ids: string[] = []
        for (let i = 0; i < 3; i++) ids.push(((await ctx.serve('run', 'child', { agent: 'child' })) as { runId: string }).runId)
        for (const id of ids) await ctx.child(id, 'child')
        return ids.length
      },
      child: async () => 1,
    },
    { onEnded },
  )
  for (const { id } of await Promise.all([1, 2, 3, 4, 5].map(() => e.start('parent')))) expect(await e.ended(id)).toMatchObject({ output: 3 })
  const owed = () =>
    t.db.rows<{ id: string; parent: string | null }>(sql`
      select run_id as id, parent_id as parent from endings join runs on runs.id = run_id order by (parent_id is null), at`)
  const [first] = await fact(owed, (rows) => rows.length >= 15, 'endings that are owed')
  refused = first?.id
  const left = await fact(owed, (rows) => rows.length <= 3, 'the others to be told')
  expect(new Set(left.map(({ parent }) => parent))).toEqual(new Set([first?.parent]))
  refused = undefined
  await fact(owed, (rows) => rows.length === 0, 'all to be told')
})

test.each([
  ['throws', { state: 'failed', failure: { message: 'Error: no use' } }],
  ['waits', { state: 'cancelled' }],
])('the end of a child that %s is data for its parent', async (agent, expected) => {
  await using t = await makeDatabase()
  await using e = await start(t.db, {
    async parent(ctx) {
      const { runId } = (await ctx.serve('run', agent, { agent })) as { runId: string }
      return ctx.child(runId, agent)
    },
    async throws() {
      throw new Error('no use')
    },
    waits: (ctx) => ctx.signal('never'),
  })
  const { id } = await e.start('parent')
  if (agent === 'waits') {
    await e.reaches(id, 'waiting')
    const [child] = await childrenOf(t.db, id)
    await e.engine.cancel(everyone, child?.id ?? '', 'ann')
  }
  expect(await e.ended(id)).toMatchObject({ state: 'completed', output: expected })
})

test('a parent that waits sleeps in the database until its child ends', async () => {
  await using t = await makeDatabase()
  await using e = await start(t.db, {
    async parent(ctx) {
      const { runId } = (await ctx.serve('run', 'child', { agent: 'child' })) as { runId: string }
      return ctx.child(runId, 'child')
    },
    child: (ctx) => ctx.signal('go'),
  })
  const { id } = await e.start('parent')
  expect((await e.reaches(id, 'waiting')).wait).toMatchObject({ kind: 'run', name: 'child', until: null })
  const [child] = await childrenOf(t.db, id)
  await fact(
    () => e.engine.stats().activeCount,
    (count) => count === 0,
  )
  expect(await t.db.rows(sql`select due_at, node_id from runs where id = ${id}`)).toEqual([{ due_at: null, node_id: null }])
  await e.engine.signal(everyone, child?.id ?? '', 'ann', 'go', 'word')
  expect(await e.ended(id)).toMatchObject({ output: { output: 'word' } })
})

test('cancellation reaches every descendant but those that were let go, also when the server is lost right after it', async () => {
  await using t = await makeDatabase()
  const scripts: Record<string, Script> = {
    async tree(ctx) {
      const depth = Number(ctx.input)
      if (depth > 0) for (let i = 0; i < 2; i++) await ctx.serve('run', 'tree', { agent: 'tree', input: depth - 1 })
      if (depth === 2) await ctx.serve('run', 'free', { agent: 'free', isDetached: true })
      return ctx.signal('never')
    },
    free: (ctx) => ctx.signal('go'),
  }
  const first = await start(t.db, scripts)
  const { id } = await first.start('tree', 2)
  await fact(
    async () => (await t.db.rows(sql`select id from runs where state = 'waiting'`)).length,
    (count) => count === 8,
  )
  // Its endings are told by another node: this one is gone once it has recorded the cancellation.
  await first.engine.cancel(everyone, id, 'ann', 'enough')
  await first.stop()
  await using second = await start(t.db, scripts)
  await fact(
    () => openCount(t.db),
    (count) => count === 1,
  )
  const rows = await t.db.rows<{ agent: string; state: string; count: number }>(sql`select agent, state, count(*)::int from runs group by 1, 2 order by 1`)
  expect(rows).toEqual([
    { agent: 'free', state: 'waiting', count: 1 },
    { agent: 'tree', state: 'cancelled', count: 7 },
  ])
  const [free] = await t.db.rows<{ id: string }>(sql`select id from runs where agent = 'free'`)
  await second.engine.signal(everyone, free?.id ?? '', 'ann', 'go', 1)
  expect(await second.ended(free?.id ?? '')).toMatchObject({ state: 'completed', output: 1 })
  await checkJournals(t.db)
})

test('children that nobody waits for end with their parent, however it ends', async () => {
  await using t = await makeDatabase()
  await using e = await start(t.db, {
    async parent(ctx) {
      for (let i = 0; i < 3; i++) await ctx.serve('run', 'child', { agent: 'child' })
      if (ctx.input === 'fail') throw new Error('on purpose')
      return 'done'
    },
    child: (ctx) => ctx.signal('never'),
  })
  for (const how of ['complete', 'fail']) {
    const { id } = await e.start('parent', how)
    await e.ended(id)
    const children = await fact(
      () => childrenOf(t.db, id),
      (found) => found.every(({ state }) => state === 'cancelled'),
    )
    expect(children).toHaveLength(3)
    expect((await e.events(children[0]?.id ?? '')).at(-1)).toMatchObject({
      type: 'run.cancelled',
      data: { by: `run ${id}`, reason: 'The run that started it has ended.' },
    })
  }
})

test('a thousand children at most fifty at once: each runs once, and the parent hears of each', async () => {
  await using t = await makeDatabase()
  let under = 0
  let most = 0
  const count = 1_000
  await using e = await start(t.db, {
    async parent(ctx) {
      const sums: number[] = []
      for (let from = 0; from < count; from += 50) {
        const started = await Promise.all(Array.from({ length: 50 }, (_, i) => ctx.serve('run', 'child', { agent: 'child', input: from + i })))
        const ends = await Promise.all(started.map((child) => ctx.child((child as { runId: string }).runId, 'child')))
        sums.push(...ends.map((end) => Number((end as { output: number }).output)))
      }
      return sums.reduce((sum, one) => sum + one, 0)
    },
    async child(ctx) {
      most = Math.max(most, ++under)
      await ctx.step('work', () => null)
      under--
      return ctx.input
    },
  })
  const { id } = await e.start('parent')
  expect(await e.ended(id, 55_000)).toMatchObject({ state: 'completed', output: (count * (count - 1)) / 2 })
  expect(most).toBeLessThanOrEqual(50)
  expect(await t.db.rows(sql`select count(*)::int as count from runs where parent_id = ${id}`)).toEqual([{ count }])
})

test('what cannot be started or waited for fails its step and says why', async () => {
  await using t = await makeDatabase()
  await using e = await start(t.db, {
    async tries(ctx) {
      const said: string[] = []
      const tried = async (work: Promise<unknown>) => void said.push(await work.then(String, (error: Error) => error.message))
      await tried(ctx.serve('run', 'nobody', { agent: 'nobody' }))
      await tried(ctx.serve('run', 'Bad Name', { agent: 'Bad Name' }))
      await tried(ctx.serve('run', 'big', { agent: 'big', input: 'x'.repeat(1_000_001) }))
      await tried(ctx.child('0195e0d6-5c1e-7000-8000-000000000001', 'stranger'))
      return said
    },
    async deep(ctx) {
      const { runId } = (await ctx.serve('run', 'deep', { agent: 'deep' })) as { runId: string }
      return ctx.child(runId, 'deep')
    },
  })
  const { output } = await e.ended((await e.start('tries')).id)
  expect(output).toEqual([
    'No agent nobody.',
    expect.stringContaining('needs an agent'),
    expect.stringContaining('at most 1000000 are taken'),
    expect.stringContaining('was not started by this run'),
  ])
  const { id } = await e.start('deep')
  await e.ended(id, 40_000)
  expect(await t.db.rows(sql`select max(depth) as depth from runs`)).toEqual([{ depth: 20 }])
})

test('a child of a session waits for its turn there', async () => {
  await using t = await makeDatabase()
  const order: string[] = []
  await using e = await start(t.db, {
    async parent(ctx) {
      const started = []
      for (const word of ['one', 'two']) started.push(await ctx.serve('run', 'turn', { agent: 'turn', input: word, session: 's' }))
      return Promise.all(started.map((child) => ctx.child((child as { runId: string }).runId, 'turn')))
    },
    async turn(ctx) {
      order.push(`${String(ctx.input)} begins`)
      await ctx.sleep('a moment', 50)
      order.push(`${String(ctx.input)} ends`)
      return null
    },
  })
  await e.start('turn', 'zero', { session: 's' })
  await e.ended((await e.start('parent')).id)
  expect(order).toEqual(['zero begins', 'zero ends', 'one begins', 'one ends', 'two begins', 'two ends'])
})

test('a run goes on as another: same session and parent, empty history, signals that were on their way go along', async () => {
  await using t = await makeDatabase()
  await watchJournal(t.db)
  await using e = await start(t.db, {
    async parent(ctx) {
      const { runId } = (await ctx.serve('run', 'loop', { agent: 'loop', input: 1 })) as { runId: string }
      return ctx.child(runId, 'loop')
    },
    async loop(ctx) {
      const round = Number(ctx.input)
      await ctx.step('work', () => round)
      if (round < 4) {
        ctx.send({ type: 'run.continued', run: ctx.run.run, input: round + 1 })
        return new Promise(() => {})
      }
      return [await ctx.signal('word'), await ctx.signal('more')]
    },
  })
  const { id } = await e.start('parent')
  const runs = await fact(
    () => childrenOf(t.db, id),
    (found) => found.length === 4 && found[0]?.state === 'waiting',
  )
  const first = runs.at(-1)
  expect(runs.map(({ state, continuedAs }) => [state, continuedAs])).toEqual([['waiting', null], ...runs.slice(0, 3).map((next) => ['completed', next.id])])
  expect((await e.events(first?.id ?? '')).map(({ type }) => type)).toEqual(['run.started', 'step.completed', 'run.completed'])
  // Whoever knows the first run only still reaches the last.
  await e.engine.signal(everyone, first?.id ?? '', 'ann', 'word', 'hello')
  await e.engine.signal(everyone, first?.id ?? '', 'ann', 'more', 'again')
  expect(await e.ended(id)).toMatchObject({ output: { runId: first?.id, state: 'completed', output: ['hello', 'again'] } })
  await checkJournals(t.db)
})

test('signals that a run had not asked for when it went on, taken or not, are there for the next', async () => {
  await using t = await makeDatabase()
  await using e = await start(t.db, {
    async loop(ctx) {
      if (ctx.input === null) {
        await ctx.signal('go')
        ctx.send({ type: 'run.continued', run: ctx.run.run, input: 'second' })
        return new Promise(() => {})
      }
      return [await ctx.signal('kept'), await ctx.signal('late')]
    },
  })
  const { id } = await e.start('loop')
  await e.engine.signal(everyone, id, 'ann', 'kept', 1)
  await e.reaches(id, 'waiting')
  await e.engine.signal(everyone, id, 'ann', 'go', null)
  await e.engine.signal(everyone, id, 'ann', 'late', 2)
  const first = await e.ended(id)
  expect(first).toMatchObject({ state: 'completed', output: null, continuedAs: expect.any(String) })
  expect(await e.ended(first.continuedAs ?? '')).toMatchObject({ output: [1, 2] })
})

test('a history that comes to its bound is warned of, and then ends the run with the remedy', async () => {
  await using t = await makeDatabase()
  await using e = await start(
    t.db,
    {
      async events(ctx) {
        for (let i = 0; i < 100; i++) await ctx.step(`${i}`, () => i)
        return null
      },
      async bytes(ctx) {
        for (let i = 0; i < 100; i++) await ctx.step(`${i}`, () => 'x'.repeat(2_000))
        return null
      },
    },
    { bounds: { eventsMax: 50, bytesMax: 50_000 } },
  )
  for (const what of ['events', 'bytes']) {
    const { id } = await e.start(what)
    expect(await e.ended(id)).toMatchObject({ state: 'failed', failure: { code: 'history_limit', message: expect.stringContaining('ctx.continueAs') } })
    const warned = (await e.events(id)).filter(({ type }) => type === 'run.warned')
    expect(warned).toMatchObject([{ data: { what } }])
  }
})

test('another tenant sees no child', async () => {
  await using t = await makeDatabase()
  await using e = await start(t.db, {
    async parent(ctx) {
      await ctx.serve('run', 'child', { agent: 'child' })
      return 1
    },
    child: async () => 1,
  })
  const { id } = await e.start('parent')
  await e.ended(id)
  expect(await listRuns(t.db.forTenant(everyone.tenantId), { tenantId: 'other', askerId: undefined }, { limit: 10, parent: id })).toEqual([])
  expect(await listRuns(t.db.forTenant(everyone.tenantId), { tenantId, askerId: undefined }, { limit: 10, parent: id })).toHaveLength(1)
})
