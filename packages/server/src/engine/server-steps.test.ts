import { expect, test } from 'vitest'
import { sql } from '../db/index.ts'
import { fact, startEngine } from '../../test/support/engine.ts'
import { checkJournals } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { StepFailure, monotonicMs } from '../kernel/index.ts'
import { buryNodes } from './node-store.ts'
import { defaultRetry, retryDelayMs } from './retry.ts'

const quick = { attemptsMax: 3, delayMsMin: 20, delayMsMax: 40 }
const busy = (more: object = {}) => new StepFailure({ message: 'busy', code: 'busy', retryable: true, ...more })

test('a server step that fails is tried again after growing pauses, each attempt recorded before it is made', async () => {
  await using t = await makeDatabase()
  const at: number[] = []
  await using e = await startEngine(
    t.db,
    { code: (ctx) => ctx.serve('exec', 'flaky', { n: 1 }, { attemptsMax: 4, delayMsMin: 100, delayMsMax: 1_000 }) },
    {
      executors: {
        async exec(input) {
          if (at.push(monotonicMs()) < 4) throw busy()
          return { output: input }
        },
      },
    },
  )
  const { id } = await e.start('code')
  expect(await e.ended(id)).toMatchObject({ output: { n: 1 } })
  const gaps = at.slice(1).map((ms, i) => ms - (at[i] ?? 0))
  for (const [i, least] of [50, 100, 200].entries()) expect(gaps[i]).toBeGreaterThanOrEqual(least)
  expect((await e.events(id)).map(({ type, data }) => [type, 'attempt' in data ? data.attempt : 0])).toEqual([
    ['run.started', 0],
    ['step.started', 1],
    ['step.failed', 1],
    ['step.started', 2],
    ['step.failed', 2],
    ['step.started', 3],
    ['step.failed', 3],
    ['step.started', 4],
    ['step.completed', 4],
    ['run.completed', 0],
  ])
  await checkJournals(t.db)
})

test('attempts end with the policy, and at once with a failure for which trying again is no use', async () => {
  await using t = await makeDatabase()
  let count = 0
  await using e = await startEngine(
    t.db,
    { code: (ctx) => ctx.serve('exec', String(ctx.input), ctx.input, quick), none: (ctx) => ctx.serve('files', 'x', null) },
    {
      executors: {
        async exec(input) {
          count++
          throw input === 'terminal' ? busy({ retryable: false }) : new Error('a \u0000 message with half a pair \ud83d')
        },
      },
    },
  )
  expect(await e.ended((await e.start('code', 'terminal')).id)).toMatchObject({ state: 'failed', failure: { code: 'busy', retryable: false } })
  expect(count).toBe(1)
  expect(await e.ended((await e.start('code', 'again')).id)).toMatchObject({
    state: 'failed',
    failure: { message: 'a \ufffd message with half a pair \ufffd' },
  })
  expect(count).toBe(4)
  expect(await e.ended((await e.start('none')).id)).toMatchObject({ state: 'failed', failure: { code: 'unknown_kind' } })
  await checkJournals(t.db)
})

test('a pause that whoever refused asks for is kept', async () => {
  await using t = await makeDatabase()
  const at: number[] = []
  await using e = await startEngine(
    t.db,
    { code: (ctx) => ctx.serve('exec', 'limited', null, quick) },
    {
      executors: {
        async exec() {
          if (at.push(monotonicMs()) === 1) throw busy({ retryAfterMs: 400 })
          return { output: 'ok' }
        },
      },
    },
  )
  expect(await e.ended((await e.start('code')).id)).toMatchObject({ output: 'ok' })
  expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(399)
})

test('the pause before the next try: half to all of a doubling delay, bounded, none after the last', () => {
  const failure = { message: 'x', retryable: true }
  const policy = { attemptsMax: 6, delayMsMin: 100, delayMsMax: 500 }
  expect([1, 2, 3, 4, 5, 6].map((attempt) => retryDelayMs(attempt, failure, policy, () => 0))).toEqual([50, 100, 200, 250, 250, null])
  expect([1, 2, 3, 4, 5, 6].map((attempt) => retryDelayMs(attempt, failure, policy, () => 0.999_999))).toEqual([100, 200, 400, 500, 500, null])
  expect(retryDelayMs(1, { ...failure, retryable: false }, policy, () => 0)).toBeNull()
  expect(retryDelayMs(1, { ...failure, retryAfterMs: 9_000 }, policy, () => 0)).toBe(9_000)
  expect(retryDelayMs(1, { ...failure, retryAfterMs: 1 }, policy, () => 0)).toBe(50)
  expect(retryDelayMs(defaultRetry.attemptsMax, failure, defaultRetry, () => 0)).toBeNull()
})

test('a server step that was interrupted is executed again under its attempt, and one with a result never', async () => {
  await using t = await makeDatabase()
  const calls: string[] = []
  await using e = await startEngine(
    t.db,
    { code: async (ctx) => [await ctx.serve('exec', 'first', 1), await ctx.serve('exec', 'second', 2)] },
    {
      executors: {
        async exec(_, { op }) {
          calls.push(op)
          if (op === '1' && calls.length === 2) return new Promise<never>(() => {})
          return { output: op }
        },
      },
    },
  )
  const { id } = await e.start('code')
  await fact(
    () => calls,
    (found) => found.length === 2,
  )
  e.loseWorker()
  expect(await e.ended(id)).toMatchObject({ output: ['0', '1'] })
  expect(calls).toEqual(['0', '1', '1'])
  expect((await e.events(id)).filter(({ type, op }) => type === 'step.started' && op === '1')).toHaveLength(1)
  await checkJournals(t.db)
})

test('what a run used is the sum of its model steps, also when its node was lost in between', async () => {
  await using t = await makeDatabase()
  const usage = { input: 10, cachedInput: 1, output: 5, costUsd: 0.5 }
  const { promise: second, resolve: atSecond } = Promise.withResolvers<void>()
  let count = 0
  await using e = await startEngine(
    t.db,
    {
      code: async (ctx) => [
        await ctx.serve('model', 'm', 1),
        await ctx.step('gate', () => (count++ === 0 ? new Promise<never>(() => atSecond()) : 1)),
        await ctx.serve('model', 'm', 2),
      ],
    },
    {
      executors: { model: async () => ({ output: { text: 'x', usage }, usage }) },
    },
  )
  const { id } = await e.start('code')
  await second
  // The row of the run has not been written since its start.
  await buryNodes(
    t.db,
    (await t.db.rows<{ id: string }>(sql`select id from nodes`)).map((node) => node.id),
  )
  e.loseWorker()
  expect(await e.ended(id)).toMatchObject({ state: 'completed', usage: { input: 20, cachedInput: 2, output: 10, costUsd: 1 } })
})

test('a tool is recorded before it is executed, and is begun anew after an interruption', async () => {
  await using t = await makeDatabase()
  const seen: string[][] = []
  let id = ''
  await using e = await startEngine(t.db, {
    code: (ctx) =>
      ctx.tool('charge', { amount: 1 }, async () => {
        seen.push((await e.events(id)).map(({ type }) => type))
        return seen.length === 1 ? new Promise<never>(() => {}) : 'done'
      }),
  })
  id = (await e.start('code')).id
  await fact(
    () => seen,
    (found) => found.length === 1,
  )
  e.loseWorker()
  expect(await e.ended(id)).toMatchObject({ output: 'done' })
  expect(seen[0]).toEqual(['run.started', 'step.started'])
  await checkJournals(t.db)
})
