import { expect, test } from 'vitest'
import { makeCuttable } from '../../test/support/cuttable.ts'
import { type ScriptContext, everyone, fact, startEngine, tenantId } from '../../test/support/engine.ts'
import { checkJournals, watchJournal } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { openDb, sql } from '../db/index.ts'
import { silentLog } from '../kernel/index.ts'

/** Effects outside, as they would be seen there, and the holding of them. */
function outside() {
  const effects: string[] = []
  const holding: (() => void)[] = []
  return {
    effects,
    holding,
    async execute(input: unknown, { signal }: { signal: AbortSignal }) {
      const name = String(input)
      if (name.startsWith('held')) {
        await new Promise<void>((resolve) => {
          holding.push(resolve)
          signal.addEventListener('abort', () => resolve())
        })
        if (signal.aborted) throw new Error('It was aborted.')
      }
      effects.push(name)
      return { output: name }
    },
  }
}

test('after a stop nothing of the agent takes effect at any node, others go on, and lifting it lets its runs go on', async () => {
  await using t = await makeDatabase({ poolMax: 10 })
  await watchJournal(t.db)
  const world = outside()
  const code = async (ctx: ScriptContext) => [
    await ctx.serve('exec', 'first', 'first'),
    await ctx.serve('exec', 'second', 'held'),
    await ctx.serve('exec', 'third', 'third'),
  ]
  const other = (ctx: ScriptContext) => ctx.serve('exec', 'other', 'other')
  await using a = await startEngine(t.db, { code, other }, { executors: { exec: world.execute } })
  await using b = await startEngine(t.db, { code, other }, { executors: { exec: world.execute } })
  const here = await a.start('code')
  const there = await b.start('code')
  await fact(
    () => world.holding.length,
    (count) => count === 2,
  )
  const stopped = await a.engine.stopRuns({ tenantId, agent: 'code', reason: 'it deletes things' }, 'operator')
  const [seen] = await t.db.rows<{ count: number }>(sql`select count(*)::int as count from journal_writes`)
  expect(stopped).toMatchObject({ isNew: true, cutCount: 2, nodesUnheard: [], stop: { agent: 'code', stoppedBy: 'operator', reason: 'it deletes things' } })
  expect(stopped.cut.map(({ runId }) => runId).toSorted()).toEqual([here.id, there.id].toSorted())
  for (const { lastStep, open } of stopped.cut) {
    expect(lastStep).toMatchObject({ op: '1', type: 'step.started', name: 'second' })
    expect(open).toEqual([lastStep])
  }
  expect(stopped.lastStep).toMatchObject({ op: '1', name: 'second' })
  // What was under way was aborted at both nodes, and nothing is recorded of it.
  for (const go of world.holding) go()
  expect(world.effects).toEqual(['first', 'first'])
  for (const e of [a, b]) {
    expect(e.engine.stats().activeCount).toBe(0)
    await expect(e.start('code')).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('stopped by operator (it deletes things)') as string,
    })
    expect(await e.ended((await e.start('other')).id)).toMatchObject({ state: 'completed' })
  }
  const writes = await t.db.rows(sql`select from journal_writes where n > ${seen?.count} and run_id = any(${[here.id, there.id]})`)
  expect(writes).toEqual([])
  expect(await a.load(here.id)).toMatchObject({
    state: 'waiting',
    wait: { kind: 'operator', reason: 'stopped', detail: { by: 'operator', reason: 'it deletes things' } },
  })
  await expect(a.engine.retry(everyone, here.id, 'x')).rejects.toMatchObject({ code: 'conflict' })
  expect(await a.engine.stopRuns({ tenantId, agent: 'code' }, 'another')).toMatchObject({
    isNew: false,
    stop: { id: stopped.stop.id, stoppedBy: 'operator' },
    heldCount: 2,
  })

  await b.engine.liftStop(tenantId, stopped.stop.id, 'operator')
  await fact(
    () => world.holding.length,
    (count) => count === 4,
  )
  for (const go of world.holding) go()
  expect(await a.ended(here.id)).toMatchObject({ state: 'completed', output: ['first', 'held', 'third'] })
  expect(await a.ended(there.id)).toMatchObject({ state: 'completed' })
  await expect(b.engine.liftStop(tenantId, stopped.stop.id, 'operator')).rejects.toMatchObject({ code: 'not_found' })
  await checkJournals(t.db)
})

test('a stop holds timers, messages and starts that wait, but no cancellation', async () => {
  await using t = await makeDatabase()
  const world = outside()
  const code = async (ctx: ScriptContext) => [await ctx.signal('go', 1_500), await ctx.serve('exec', 'after', 'after')]
  await using e = await startEngine(t.db, { code }, { executors: { exec: world.execute } })
  const [waits, cancelled, delayed] = [
    await e.start('code'),
    await e.start('code'),
    await e.engine.startRun({ tenantId, agent: 'code', version: 'v1', input: 1, asker: (await e.start('code')).asker, delayMs: 1_000 }),
  ]
  expect(delayed).toMatchObject({ state: 'pending', wait: { kind: 'timer', name: 'start' } })
  await e.reaches(waits.id, 'waiting')
  await e.reaches(cancelled.id, 'waiting')
  const { stop, heldCount } = await e.engine.stopRuns({ tenantId }, 'operator')
  expect(heldCount).toBe(4)
  await e.engine.signal(everyone, waits.id, 'tester', 'go', 'data')
  expect(await e.engine.cancel(everyone, cancelled.id, 'tester')).toMatchObject({ state: 'cancelled' })
  // All timers have ended, and the look that finds nothing to claim has been made: a cancellation came by it.
  await fact(
    () => t.db.rows(sql`select from runs where due_at > clock_timestamp()`),
    (rows) => rows.length === 0,
  )
  await e.engine.setLimit(tenantId, 'x', { agent: 'other', runningMax: 1 })
  expect(world.effects).toEqual([])
  expect(await t.db.rows(sql`select from runs where node_id is not null or rank < 3 and started_at is not null`)).toEqual([])
  await e.engine.liftStop(tenantId, stop.id, 'operator')
  expect(await e.ended(waits.id)).toMatchObject({ output: ['data', 'after'] })
  await e.engine.signal(everyone, delayed.id, 'tester', 'go', 'late')
  expect(await e.ended(delayed.id)).toMatchObject({ output: ['late', 'after'] })
})

test('a node that is cut off admits and records nothing after a stop, and hears of it when it is back', { timeout: 60_000 }, async () => {
  await using t = await makeDatabase()
  await watchJournal(t.db)
  await using way = await makeCuttable(t.url)
  const far = openDb({ url: way.url, poolMax: 5, log: silentLog })
  const world = outside()
  const code = async (ctx: ScriptContext) => [await ctx.serve('exec', 'first', 'held'), await ctx.serve('exec', 'second', 'second')]
  const zombie = await startEngine(far, { code }, { executors: { exec: world.execute } })
  try {
    const { id } = await zombie.start('code')
    await fact(
      () => world.holding.length,
      (count) => count === 1,
    )
    await using near = await startEngine(t.db, { code }, { executors: { exec: world.execute } })
    way.cut()
    const stopped = await near.engine.stopRuns({ tenantId, runId: id }, 'operator')
    // It says who has not confirmed, and which step had been admitted before.
    expect(stopped).toMatchObject({ cutCount: 1, nodesUnheard: [await zombie.nodeId()], cut: [{ runId: id, open: [{ op: '0', name: 'first' }] }] })
    const before = await t.db.rows(sql`select from journal_writes`)
    // The zombie still executes what it had begun. It cannot record it, so its code gets no further.
    world.holding[0]?.()
    await fact(
      () => world.effects,
      (effects) => effects.length === 1,
    )
    way.mend()
    await fact(
      () => zombie.engine.stats().activeCount,
      (count) => count === 0,
      'number of active runs',
      40_000,
    )
    expect(zombie.executions[0]?.frames.at(-1)).toMatchObject({ type: 'run.release' })
    expect(world.effects).toEqual(['held'])
    expect(await t.db.rows(sql`select from journal_writes`)).toHaveLength(before.length)
    await near.engine.liftStop(tenantId, stopped.stop.id, 'operator')
    await fact(
      () => world.holding.length,
      (count) => count === 2,
    )
    world.holding[1]?.()
    expect(await near.ended(id)).toMatchObject({ state: 'completed', output: ['held', 'second'] })
    await checkJournals(t.db)
  } finally {
    way.mend()
    await zombie.stop()
    await far.stop()
  }
})

test('a node that registers while a stop is being decided knows of it', async () => {
  await using t = await makeDatabase()
  await using a = await startEngine(t.db, { code: async () => 1 })
  await a.stop()
  let b: ReturnType<typeof startEngine> | undefined
  await t.db.transaction(async (tx) => {
    await tx.rows(sql`insert into stops (id, tenant_id, agent, stopped_by) values (gen_random_uuid(), ${tenantId}, 'code', 'operator')`)
    await tx.rows(sql`select pg_advisory_xact_lock(7231060112)`)
    await tx.rows(sql`update nodes set fence = fence + 1 where not is_dead`)
    b = startEngine(t.db, { code: async () => 1 })
    await fact(
      () => t.db.rows(sql`select from pg_stat_activity where datname = current_database() and wait_event = 'advisory'`),
      (rows) => rows.length === 1,
      'registration that waits',
    )
  })
  await using node = await (b ?? a)
  await expect(
    node.engine.startRun({ tenantId, agent: 'code', version: 'v1', input: 1, asker: { id: 'x', name: 'x', access: { personalData: true } } }),
  ).rejects.toMatchObject({
    code: 'conflict',
  })
})

test('a stop of another tenant’s run finds nothing', async () => {
  await using t = await makeDatabase()
  const code = (ctx: ScriptContext) => ctx.signal('go')
  await using e = await startEngine(t.db, { code })
  const { id } = await e.start('code')
  await e.reaches(id, 'waiting')
  const stopped = await e.engine.stopRuns({ tenantId: 'another', runId: id }, 'operator')
  expect(stopped).toMatchObject({ cutCount: 0, heldCount: 0 })
  await expect(e.engine.liftStop(tenantId, stopped.stop.id, 'operator')).rejects.toMatchObject({ code: 'not_found' })
  await e.engine.signal(everyone, id, 'tester', 'go', 1)
  expect(await e.ended(id)).toMatchObject({ output: 1 })
})

test('a step whose intent an earlier life recorded is admitted anew, so a stop comes before it', async () => {
  await using t = await makeDatabase()
  const world = outside()
  const gates: (() => void)[] = []
  const code = async (ctx: ScriptContext) => {
    await new Promise<void>((resolve) => gates.push(resolve))
    return ctx.serve('exec', 'first', `held ${gates.length}`)
  }
  // A node that looks so seldom that it hears of nothing by itself.
  await using e = await startEngine(t.db, { code }, { executors: { exec: world.execute }, pollMs: 600_000 })
  // One that has no slot, so that it takes none of the runs.
  await using other = await startEngine(t.db, {}, { activeMax: 0 })
  const { id } = await e.start('code')
  const opened = (count: number) =>
    fact(
      () => gates.length,
      (found) => found === count,
      'number of executions',
    )
  await opened(1)
  gates[0]?.()
  await fact(
    () => world.holding.length,
    (count) => count === 1,
  )
  e.loseWorker()
  await opened(2)
  const { stop } = await other.engine.stopRuns({ tenantId, runId: id }, 'operator')
  gates[1]?.()
  await fact(
    () => e.engine.stats().activeCount,
    (count) => count === 0,
  )
  expect(world.holding).toHaveLength(1)
  // The same way without a stop leads to the step.
  await other.engine.liftStop(tenantId, stop.id, 'operator')
  await e.engine.signal(everyone, id, 'tester', 'nothing', null)
  await fact(
    () => gates.length + other.executions.length,
    (count) => count > 2,
  )
  gates[2]?.()
})

test('a stop of a run holds its children and theirs, at other nodes too, and lifting it lets all of them go on', async () => {
  await using t = await makeDatabase({ poolMax: 10 })
  const world = outside()
  const scripts = {
    async parent(ctx: ScriptContext) {
      const { runId } = (await ctx.serve('run', 'child', { agent: 'child', input: null })) as { runId: string }
      return ctx.child(runId, 'child')
    },
    async child(ctx: ScriptContext) {
      const { runId } = (await ctx.serve('run', 'grandchild', { agent: 'grandchild', input: null, isDetached: true })) as { runId: string }
      return ctx.child(runId, 'grandchild')
    },
    grandchild: async (ctx: ScriptContext) => [await ctx.serve('exec', 'first', 'held'), await ctx.serve('exec', 'second', 'second')],
  }
  await using a = await startEngine(t.db, scripts, { executors: { exec: world.execute } })
  await using b = await startEngine(t.db, scripts, { executors: { exec: world.execute } })
  const { id } = await a.start('parent')
  const other = await b.start('parent')
  await fact(
    () => world.holding.length,
    (count) => count === 2,
  )
  const { stop, cut } = await a.engine.stopRuns({ tenantId, runId: id }, 'operator')
  expect(cut.map(({ agent }) => agent)).toContain('grandchild')
  for (const go of world.holding.splice(0)) go()
  // The other family is not held, which shows that the effects were waited for.
  expect(await b.ended(other.id)).toMatchObject({ state: 'completed' })
  expect(world.effects).toEqual(['held', 'second'])
  await a.engine.liftStop(tenantId, stop.id, 'operator')
  await fact(
    () => world.holding.length,
    (count) => count === 1,
  )
  world.holding[0]?.()
  expect(await a.ended(id)).toMatchObject({ state: 'completed' })
})
