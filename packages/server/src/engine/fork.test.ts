import type { Json } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { type ScriptContext, asker, everyone, fact, startEngine, tenantId } from '../../test/support/engine.ts'
import { checkJournals } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { newId } from '../kernel/index.ts'
import type { ForkStart } from './copies.ts'
import { prefixOf } from './fork-prefix.ts'
import { sql } from '../db/index.ts'
import type { Executor } from './run/ports.ts'

const usage = { input: 10, cachedInput: 0, output: 5, costUsd: 0.25 }

/** Two model calls, then a payment. What was executed is in the lists. */
function makeWorld() {
  const asked: Json[] = []
  const paid: Json[] = []
  const model: Executor = {
    execute: async (input) => {
      asked.push(input)
      return { output: { text: `answer ${asked.length}` }, usage }
    },
    change: (input, { model: wanted }) => ({ ...(input as object), ...(wanted && { model: wanted }) }),
  }
  const call: Executor = { execute: async (input) => ({ output: paid.push(input) }), mayWrite: (input) => (input as { tool: string }).tool !== 'calculator' }
  const scripts = {
    payer: async (ctx: ScriptContext) => {
      const first = await ctx.serve('model', 'default', { model: 'one', ask: 'first' })
      const second = await ctx.serve('model', 'default', { model: 'one', ask: 'second' })
      const outcome = async (work: Promise<Json>) => work.catch((error: Error) => error.message.slice(0, 8))
      return [
        first,
        second,
        await outcome(ctx.tool('pay', { amount: 7 }, () => paid.push('tool'), 'write')),
        await outcome(ctx.tool('look', {}, () => 'seen', 'none')),
        await outcome(ctx.tool('quiet', {}, () => paid.push('undeclared'), 'undeclared')),
        await outcome(ctx.tool('again', {}, () => paid.push('idempotent'), 'idempotent')),
        await outcome(ctx.serve('call', 'mail', { tool: 'mail' })),
        await outcome(ctx.serve('call', 'calculator', { tool: 'calculator' })),
      ]
    },
  }
  return { asked, paid, scripts, executors: { model, call } }
}
const forkOf = (runId: string, more: Partial<ForkStart> = {}): ForkStart => ({
  audience: everyone,
  runId,
  changes: {},
  isLive: false,
  mayApprove: true,
  asker,
  ...more,
})

test('a fork takes over what was recorded, pays only for what it does itself, and withholds what may write', async () => {
  await using t = await makeDatabase()
  const { asked, paid, scripts, executors } = makeWorld()
  await using e = await startEngine(t.db, scripts, { executors })
  const original = await e.ended((await e.start('payer')).id)
  expect(original).toMatchObject({ state: 'completed', usage: { costUsd: 0.5 } })
  const before = await e.events(original.id)
  expect(paid).toHaveLength(5)
  paid.length = 0
  asked.length = 0

  const fork = await e.ended((await e.engine.forkRun(forkOf(original.id, { op: '1', changes: { model: 'two' } }))).id)
  expect(asked).toEqual([{ model: 'two', ask: 'second' }]) // The first one is the original's.
  expect(fork).toMatchObject({
    state: 'completed',
    output: [{ text: 'answer 1' }, { text: 'answer 1' }, 'Withheld', 'seen', 'Withheld', 'Withheld', 'Withheld', 1],
    usage: { input: 10, output: 5, costUsd: 0.25 },
    withholdsWrites: true,
    fork: { runId: original.id, op: '1', eventCount: 3, changes: { model: 'two' }, isLive: false },
  })
  expect(paid).toEqual([{ tool: 'calculator' }])
  const events = await e.events(fork.id)
  expect(events.find((event) => event.type === 'step.started' && event.op === '2')).toMatchObject({
    data: { name: 'pay', input: { amount: 7 }, effect: 'write' },
  })
  expect(events.filter((event) => event.type === 'step.failed').map((event) => event.data.failure.code)).toEqual(Array(4).fill('withheld'))
  expect(await e.events(original.id)).toEqual(before)
  await checkJournals(t.db)
})

test('a fork says when it has not the files that commands had left before its step', async () => {
  await using t = await makeDatabase()
  const exec: Executor = { execute: async () => ({ output: { exitCode: 0 } }) }
  const scripts = {
    shell: async (ctx: ScriptContext) => [await ctx.step('plan', () => 1), await ctx.serve('exec', 'make', {}), await ctx.step('read', () => 2)],
  }
  await using e = await startEngine(t.db, scripts, { executors: { exec } })
  const { id } = await e.ended((await e.start('shell')).id)
  const forks = await Promise.all(['1', '2'].map((op) => e.engine.forkRun(forkOf(id, { op }))))
  expect(forks.map(({ fork }) => fork?.isWithoutFiles)).toEqual([undefined, true])
})

test('a live fork writes, and tells its end where the original told it; one that withholds tells nobody', async () => {
  await using t = await makeDatabase()
  const { paid, scripts, executors } = makeWorld()
  await using e = await startEngine(t.db, scripts, { executors })
  const destinations = [{ type: 'queue' as const, queue: 'ends', on: ['completed' as const] }]
  const { id } = await e.engine.startRun({ tenantId, agent: 'payer', version: 'v1', input: null, asker, destinations })
  await e.ended(id)
  paid.length = 0
  const withheld = await e.ended((await e.engine.forkRun(forkOf(id, { op: '2' }))).id)
  expect(paid).toEqual([{ tool: 'calculator' }])
  const live = await e.ended((await e.engine.forkRun(forkOf(id, { op: '2', isLive: true }))).id)
  expect(paid).toHaveLength(6)
  const told = await t.db.rows<{ id: string; destinations: Json }>(sql`select id, destinations from runs where id = any(${[withheld.id, live.id]}::uuid[])`)
  expect(new Map(told.map((row) => [row.id, row.destinations]))).toEqual(
    new Map<string, Json>([
      [withheld.id, null],
      [live.id, destinations],
    ]),
  )
  expect(live.withholdsWrites).toBeUndefined()
})

test('children of a fork that withholds do so as well, and runs that it goes on as', async () => {
  await using t = await makeDatabase()
  const { paid, scripts, executors } = makeWorld()
  await using e = await startEngine(
    t.db,
    {
      ...scripts,
      parent: async (ctx) => {
        await ctx.step('first', () => 1)
        const { runId } = (await ctx.serve('run', 'payer', { agent: 'payer', input: null, isDetached: false, session: 's' })) as { runId: string }
        const end = await ctx.child(runId, 'payer')
        if (ctx.input === 'on') ctx.send({ type: 'run.continued', run: ctx.run.run, input: 'last' })
        return ctx.input === 'on' ? new Promise<never>(() => {}) : end
      },
    },
    { executors },
  )
  const original = await e.ended((await e.start('parent', 'once')).id)
  paid.length = 0
  const fork = await e.ended((await e.engine.forkRun(forkOf(original.id, { op: '1', changes: { input: 'on' } }))).id)
  const next = await e.ended(fork.continuedAs ?? expect.fail('It did not go on.'))
  expect(next).toMatchObject({ input: 'last', withholdsWrites: true, output: { state: 'completed' } })
  const children = await t.db.rows<{ is: boolean; session: string | null }>(
    sql`select withholds_writes as is, session_id as session from runs where parent_id = any(${[fork.id, next.id]}::uuid[])`,
  )
  expect(children).toEqual([
    { is: true, session: null },
    { is: true, session: null },
  ])
  expect(paid).toEqual([{ tool: 'calculator' }, { tool: 'calculator' }])
})

test('another run’s forks are nobody else’s, and there is none from a step that is not there', async () => {
  await using t = await makeDatabase()
  const { scripts, executors } = makeWorld()
  await using e = await startEngine(t.db, scripts, { executors })
  const { id } = await e.ended((await e.start('payer')).id)
  await expect(e.engine.forkRun(forkOf(id, { audience: { tenantId: 'other', askerId: undefined } }))).rejects.toMatchObject({ code: 'not_found' })
  await expect(e.engine.forkRun(forkOf(id, { audience: { tenantId, askerId: newId() } }))).rejects.toMatchObject({ code: 'not_found' })
  await expect(e.engine.forkRun(forkOf(id, { op: '77' }))).rejects.toMatchObject({ code: 'not_found' })
})

test('what somebody approved for the original holds for a live fork only for who may approve', async () => {
  await using t = await makeDatabase()
  const paid: Json[] = []
  await using e = await startEngine(t.db, {
    asker: async (ctx) => {
      await ctx.approval('Pay?')
      return ctx.tool('pay', {}, () => paid.push(1), 'write')
    },
  })
  const { id } = await e.start('asker')
  await e.reaches(id, 'waiting')
  const [approval] = await fact(
    () => t.db.rows<{ id: string }>(sql`select id from approvals where run_id = ${id}`),
    (rows) => rows.length === 1,
  )
  await e.engine.decide(everyone, 'ada', { approvalId: approval?.id ?? '', approved: true })
  await e.ended(id)
  await expect(e.engine.forkRun(forkOf(id, { op: '1', isLive: true, mayApprove: false }))).rejects.toMatchObject({ code: 'forbidden' })
  expect(await e.ended((await e.engine.forkRun(forkOf(id, { op: '1', isLive: true }))).id)).toMatchObject({ state: 'completed' })
  expect(paid).toEqual([1, 1])
})

test('the prefix leaves out what had no result by then, with what is inside of it, and knows the children that go on', () => {
  const event = (type: string, op: string | null, data: object) => ({ type, op, data: JSON.stringify(data) }) as Parameters<typeof prefixOf>[0][number]
  const events = [
    event('run.started', null, { input: 1 }),
    event('step.started', '0', { kind: 'tool', name: 'slow', attempt: 1 }),
    event('step.completed', '0.0', { kind: 'exec', name: 'ls', attempt: 1, output: 'x' }),
    event('run.interrupted', null, { reason: 'worker_lost', message: '', isSuspect: false }),
    event('step.failed', '1', { kind: 'step', name: 'flaky', attempt: 1, failure: { message: 'no', retryable: true }, retryInMs: 5 }),
    event('step.completed', '1', { kind: 'step', name: 'flaky', attempt: 2, output: 'y' }),
    event('step.failed', '2', { kind: 'step', name: 'still', attempt: 1, failure: { message: 'no', retryable: true }, retryInMs: 5 }),
    event('step.completed', '3', { kind: 'run', name: 'child', attempt: 1, output: { runId: 'c' } }),
    event('step.started', '4', { kind: 'model', name: 'default', attempt: 1 }),
    event('step.completed', '2', { kind: 'step', name: 'still', attempt: 2, output: 'z' }),
  ]
  const prefix = prefixOf(events, '4', 2)
  expect(prefix?.events.map(({ type, op }) => `${type} ${op}`)).toEqual(['run.started null', 'step.failed 1', 'step.completed 1', 'step.completed 3'])
  expect(prefix?.events[0]?.data).toBe('{"input":2}')
  expect(prefix?.openChildren).toEqual(['c'])
  expect(prefixOf(events, '9')).toBeUndefined()
})
