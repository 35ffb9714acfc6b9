/** What is said in a session while a run of it is under way. */
import type { Json } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { type Scripts, asker, everyone, fact, startEngine } from '../../test/support/engine.ts'
import { checkJournals } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { type Db, sql } from '../db/index.ts'
import { StepFailure, newId } from '../kernel/index.ts'
import { type Executor, listApprovals } from './index.ts'
import { listRuns } from './run-store.ts'

const model: Executor['execute'] = async (_, { takeSaid }) => ({ output: takeSaid() })
/** Asks its model before and after a signal, and gives what was said to each call. */
const scripts: Scripts = {
  code: async (ctx) => {
    const before = await ctx.serve('model', 'm', null)
    await ctx.signal('go')
    return [before, await ctx.serve('model', 'm', null)]
  },
}
const go = (e: Awaited<ReturnType<typeof startEngine>>, runId: string) => e.engine.signal(everyone, runId, 'tester', 'go', null)
const runsOf = (db: Db) => listRuns(db.forTenant(everyone.tenantId), everyone, { limit: 50, session: 's' })
const steer = { session: 's', whenBusy: 'steer' } as const

test('what is said to a run under way reaches its next model call, once, and is answered with that run', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, scripts, { executors: { model } })
  const run = await e.start('code', 'first', { session: 's' })
  await e.reaches(run.id, 'waiting')
  const key = newId()
  for (const input of ['in euros', 'and short']) expect((await e.start('code', input, steer)).id).toBe(run.id)
  for (let i = 0; i < 2; i++) expect((await e.start('code', 'once', { ...steer, idempotencyKey: key })).id).toBe(run.id)
  await go(e, run.id)
  expect(await e.ended(run.id)).toMatchObject({ output: [[], ['in euros', 'and short', 'once']] })
  expect((await e.start('code', 'once', { ...steer, idempotencyKey: key })).id).toBe(run.id)
  expect(await runsOf(t.db)).toHaveLength(1)
  await checkJournals(t.db)
})

test('a message whose model call failed or was lost is there for the next try', async () => {
  await using t = await makeDatabase()
  let tries = 0
  const failing: Executor['execute'] = async (_, { takeSaid }) => {
    const said = takeSaid()
    if (said.length > 0 && tries++ === 0) throw new StepFailure({ message: 'busy', retryable: true, retryAfterMs: 1 })
    return { output: said }
  }
  await using e = await startEngine(t.db, scripts, { executors: { model: failing } })
  const run = await e.start('code', 'first', { session: 's' })
  await e.reaches(run.id, 'waiting')
  await e.start('code', 'kept', steer)
  await go(e, run.id)
  expect(await e.ended(run.id)).toMatchObject({ output: [[], ['kept']] })
  expect(tries).toBe(2)
})

test('what no model call took becomes a run of its own when its run has ended, in the order in which it was said', async () => {
  await using t = await makeDatabase()
  const ended: Json[] = []
  const waits: Scripts = {
    code: async (ctx) => {
      if (ctx.input === 'first') await ctx.signal('go')
      ended.push(ctx.input)
      return null
    },
  }
  await using e = await startEngine(t.db, waits)
  const run = await e.start('code', 'first', { session: 's' })
  await e.reaches(run.id, 'waiting')
  for (const input of ['second', 'third']) expect((await e.start('code', input, steer)).id).toBe(run.id)
  await go(e, run.id)
  await fact(
    () => runsOf(t.db),
    (runs) => runs.length === 3 && runs.every(({ state }) => state === 'completed'),
  )
  expect(ended).toEqual(['first', 'second', 'third'])
  expect((await runsOf(t.db)).map(({ asker: { id } }) => id)).toEqual([asker.id, asker.id, asker.id])
  expect(await t.db.rows(sql`select id from inbox where not is_taken`)).toEqual([])
  await checkJournals(t.db)
})

test('whose words it holds goes along with what is said: to the run whose model call takes it, and to the run that it becomes', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { ...scripts, deaf: (ctx) => ctx.signal('go') }, { executors: { model } })
  const labelsAfter = async (agent: string, session: string, labels: string[]) => {
    const run = await e.start(agent, 'first', { session })
    await e.reaches(run.id, 'waiting')
    await e.start(agent, 'steered', { session, whenBusy: 'steer', labels })
    await go(e, run.id)
    await e.ended(run.id)
    return run.id
  }
  const labels = ['tool_server:rail']
  expect((await e.load(await labelsAfter('code', 'taken', labels))).labels).toEqual(labels)
  expect((await e.load(await labelsAfter('code', 'plain', []))).labels).toBeUndefined()
  const leftOver = async (session: string) => {
    const [next] = await fact(
      async () => (await listRuns(t.db.forTenant(everyone.tenantId), everyone, { limit: 50, session })).filter(({ input }) => input === 'steered'),
      (runs) => runs.length === 1,
    )
    const [started] = next ? await e.events(next.id) : []
    return [next?.labels, started?.type === 'run.started' ? started.data.labels : 'no start']
  }
  await labelsAfter('deaf', 'left', labels)
  expect(await leftOver('left')).toEqual([labels, labels])
  await labelsAfter('deaf', 'left plain', [])
  expect(await leftOver('left plain')).toEqual([undefined, undefined])
  await checkJournals(t.db)
})

test('an interruption cancels what the same asker has under way, and the message is the next turn', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: async (ctx) => (ctx.input === 'old' ? ctx.signal('never') : 'answered') })
  const old = await e.start('code', 'old', { session: 's' })
  await e.reaches(old.id, 'waiting')
  const queued = await e.start('code', 'queued', { session: 's' })
  const next = await e.start('code', 'new', { session: 's', whenBusy: 'interrupt' })
  expect(await e.ended(next.id)).toMatchObject({ output: 'answered' })
  expect((await e.load(old.id)).state).toBe('cancelled')
  expect((await e.load(queued.id)).state).toBe('cancelled')
})

test('nobody steers or interrupts another’s run: the message waits for it', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, scripts, { executors: { model } })
  const run = await e.start('code', 'first', { session: 's' })
  await e.reaches(run.id, 'waiting')
  const other = { asker: { ...asker, id: newId(), name: 'other' } }
  for (const whenBusy of ['steer', 'interrupt'] as const)
    expect(await e.start('code', whenBusy, { session: 's', whenBusy, ...other })).toMatchObject({ state: 'pending', asker: { name: 'other' } })
  await go(e, run.id)
  expect(await e.ended(run.id)).toMatchObject({ state: 'completed', output: [[], []] })
})

test('a message is refused while a run is under way, and taken when none is', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, scripts, { executors: { model } })
  const run = await e.start('code', 'first', { session: 's', whenBusy: 'reject' })
  await e.reaches(run.id, 'waiting')
  await expect(e.start('code', 'second', { session: 's', whenBusy: 'reject' })).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining(run.id),
  })
  const stranger = { id: newId(), name: 'x', access: { personalData: false } }
  const refusal = await e.start('code', 'second', { session: 's', whenBusy: 'reject', asker: stranger }).catch((error: Error) => error.message)
  expect(refusal).toMatch(/^Another run/)
  await go(e, run.id)
  await e.ended(run.id)
  expect((await e.start('code', 'second', { session: 's', whenBusy: 'reject' })).id).not.toBe(run.id)
  await expect(e.start('code', 'x', { whenBusy: 'steer' })).rejects.toMatchObject({ code: 'invalid' })
})

test('a child of a part is a run of its parent’s version, with the part and its share of the money', async () => {
  await using t = await makeDatabase()
  const heads: object[] = []
  await using e = await startEngine(
    t.db,
    {
      code: async (ctx) => {
        const { part, costUsdMax, version } = ctx.run
        heads.push({ part, costUsdMax, version })
        if (part !== undefined) return 'found'
        const { runId } = (await ctx.serve('run', 'researcher', { agent: 'code', part: 'researcher', costUsdMax: 0.5 })) as { runId: string }
        return ctx.child(runId, 'researcher')
      },
      other: (ctx) => ctx.serve('run', 'x', { agent: 'code', part: 'researcher' }),
    },
    { findVersion: async () => ({ version: 'v2' }) },
  )
  expect(await e.ended((await e.start('code')).id)).toMatchObject({ output: { state: 'completed', output: 'found' } })
  expect(new Set(heads.map((head) => JSON.stringify(head)))).toEqual(new Set(['{"version":"v1"}', '{"part":"researcher","costUsdMax":0.5,"version":"v1"}']))
  expect(await e.ended((await e.start('other')).id)).toMatchObject({
    state: 'failed',
    failure: { message: expect.stringContaining('A part is one of the agent') },
  })
})

test('approvals of a run are listed with those of all below it, and without those of others', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, {
    parent: async (ctx) => {
      const { runId } = (await ctx.serve('run', 'child', { agent: 'child' })) as { runId: string }
      return ctx.child(runId, 'child')
    },
    child: (ctx) => ctx.approval('From below'),
    other: (ctx) => ctx.approval('From elsewhere'),
  })
  const [parent, other] = [await e.start('parent'), await e.start('other')]
  await e.reaches(parent.id, 'waiting')
  await e.reaches(other.id, 'waiting')
  const titles = async (runId?: string) => (await listApprovals(t.db.forTenant(everyone.tenantId), everyone, { limit: 10, runId })).map(({ title }) => title)
  expect(await titles(parent.id)).toEqual(['From below'])
  expect((await titles()).toSorted()).toEqual(['From below', 'From elsewhere'])
})
