import type { Json, ModelReply, Prompt } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { type Script, type ScriptContext, fact, startEngine } from '../../test/support/engine.ts'
import { checkJournals } from '../../test/support/journal-checks.ts'
import {
  type Generate,
  callOf,
  counters,
  gatewayAnswering,
  openTestMoney,
  pricedModel,
  reservationCount,
  setBudget,
  usageRows,
} from '../../test/support/money.ts'
import { type TestDatabase, makeDatabase } from '../../test/support/postgres.ts'
import { sql } from '../db/index.ts'
import { bookingSql, noTokens } from '../gateway/money/index.ts'
import { StepFailure } from '../kernel/index.ts'
import { generateWithinBudget } from './model-step.ts'

const quick = { attemptsMax: 3, delayMsMin: 1, delayMsMax: 2 }
const prompt: Prompt = {
  model: pricedModel,
  instructions: '',
  tools: [],
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
  outputTokensMax: 100,
}
const worst = (Buffer.byteLength(JSON.stringify(prompt)) + 1_000) * 1_000 + 100 * 10_000

const answer: ModelReply = {
  model: pricedModel,
  content: [{ type: 'text', text: 'Hi' }],
  finishReason: 'stop',
  usage: { input: 10, cachedInput: 0, output: 5, costUsd: null },
}
const tokens = { ...noTokens, input: 10, output: 5 }
const cost = 10 * 1_000 + 5 * 10_000

const answering: Generate = async (_, { onUsage, onText }) => {
  onText?.('Hi')
  onUsage?.(tokens)
  return answer
}

async function openNode(t: TestDatabase, generate: Generate, code: Script = ask, leaseMs = 60_000) {
  const money = openTestMoney(t.db)
  const gateway = gatewayAnswering(generate)
  const e = await startEngine(
    t.db,
    { code },
    {
      leaseMs,
      booking: bookingSql,
      executors: {
        async model(_, context) {
          const reply = await generateWithinBudget(prompt, context, { gateway, money })
          return { output: reply as Json, usage: reply.usage }
        },
      },
    },
  )
  return { ...e, money }
}

const ask = (ctx: ScriptContext) => ctx.serve('model', pricedModel, { n: 1 }, quick)

async function priced(): Promise<TestDatabase> {
  const t = await makeDatabase()
  await t.db.rows(sql`
    insert into model_overrides (tenant_id, model, since, facts, set_by) values ('acme', ${pricedModel}, '2020-01-01', '{"price":{"input":1,"output":10}}', 'test')`)
  return t
}

test('a step is held before the call and booked by the very transaction that records it', async () => {
  await using t = await priced()
  await setBudget(t.db, { name: 'each-run', per: 'run', limit: 10 * worst })
  let during: unknown
  await using node = await openNode(t, async (...args) => {
    during = await counters(t.db)
    return answering(...args)
  })
  const { id } = await node.start('code')
  expect(await node.ended(id)).toMatchObject({ state: 'completed', output: { usage: { costUsd: cost / 1e9 } }, usage: { costUsd: cost / 1e9 } })
  expect(during).toMatchObject([{ reserved: worst, spent: 0 }])
  expect(await counters(t.db)).toMatchObject([{ reserved: 0, spent: cost }])
  const [same] = await t.db.rows(sql`
    select usage.xmin = events.xmin as step, budget_counters.xmin = events.xmin as counter, usage.agent, usage.key_id is not null as key, usage.op, usage.attempt
    from usage join events on events.run_id = usage.run_id and events.op = usage.op and type = 'step.completed', budget_counters`)
  expect(same).toEqual({ step: true, counter: true, agent: 'code', key: true, op: '0', attempt: 1 })
  await checkJournals(t.db)
})

test('a budget of a namespace holds for the runs of that namespace and for no others, and they are booked there', async () => {
  await using t = await priced()
  await setBudget(t.db, { name: 'lab', scope: 'namespace', subject: 'lab', limit: worst - 1 })
  await using node = await openNode(t, answering)
  expect(await node.ended((await node.start('code')).id)).toMatchObject({ state: 'completed' })
  expect(await node.ended((await node.start('code', null, { namespace: 'lab' })).id)).toMatchObject({ state: 'failed', failure: { code: 'over_budget' } })
  await t.db.rows(sql`delete from budgets`)
  expect(await node.ended((await node.start('code', null, { namespace: 'lab' })).id)).toMatchObject({ state: 'completed' })
  expect(await t.db.rows(sql`select namespace from usage order by at`)).toEqual([{ namespace: 'default' }, { namespace: 'lab' }])
})

test('each attempt is admitted and booked for itself, also the one that failed half-way', async () => {
  await using t = await priced()
  await setBudget(t.db, { limit: 10 * worst })
  let count = 0
  await using node = await openNode(t, async (asked, options) => {
    if (count++ > 1) return answering(asked, options)
    if (count === 1) throw new StepFailure({ message: 'Turned away.', code: 'rate_limited', retryable: true })
    options.onText?.('x'.repeat(90))
    throw new StepFailure({ message: 'Broken off.', code: 'interrupted', retryable: true })
  })
  const { id } = await node.start('code')
  expect(await node.ended(id)).toMatchObject({ state: 'completed' })
  const estimate = Math.ceil(Buffer.byteLength(JSON.stringify(prompt)) / 3) * 1_000 + 30 * 10_000
  expect(await usageRows(t.db)).toMatchObject([
    { cost: estimate, isEstimated: true, isFailed: true },
    { cost, isEstimated: false, isFailed: false },
  ])
  expect(await counters(t.db)).toMatchObject([{ reserved: 0, spent: estimate + cost }])
  expect(await reservationCount(t.db)).toBe(0)
})

test('a run over its budget fails with the reason, is not tried again, and its code may catch it and wait', async () => {
  await using t = await priced()
  await setBudget(t.db, { name: 'tight', scope: 'agent', subject: 'code', per: 'day', limit: worst - 1_000_000 })
  let calls = 0
  await using node = await openNode(
    t,
    async (...args) => (calls++, answering(...args)),
    async (ctx) => {
      try {
        return await ask(ctx)
      } catch (error) {
        await ctx.signal('budget raised')
        return { caught: (error as { failure: { code: string } }).failure.code, then: await ask(ctx) }
      }
    },
  )
  const { id } = await node.start('code')
  await node.reaches(id, 'waiting')
  expect(calls).toBe(0)
  const failed = (await node.events(id)).filter(({ type }) => type === 'step.failed')
  expect(failed).toMatchObject([
    {
      data: {
        attempt: 1,
        retryInMs: null,
        failure: { code: 'over_budget', retryable: false, detail: { reason: 'exhausted', budget: { name: 'tight' }, spent: 0 } },
      },
    },
  ])
  await t.db.rows(sql`update budgets set limit_amount = ${worst}`)
  await node.engine.signal({ tenantId: 'acme', askerId: undefined }, id, 'test', 'budget raised', null)
  expect(await node.ended(id)).toMatchObject({ state: 'completed', output: { caught: 'over_budget', then: { model: pricedModel } } })
})

test('a node that was taken for dead settles nothing: the step is taken over with what it holds, and its call is counted', async () => {
  await using t = await priced()
  await setBudget(t.db, { limit: 1.5 * worst })
  const asked: (() => void)[] = []
  await using a = await openNode(t, (...args) => new Promise((resolve) => asked.push(() => resolve(answering(...args)))))
  const { id } = await a.start('code')
  await fact(
    () => asked,
    (calls) => calls.length === 1,
  )
  await using b = await openNode(t, answering, ask, 2_000)
  await t.db.rows(sql`update nodes set lease_until = clock_timestamp() - interval '1 second' where id = ${await a.nodeId()}`)
  expect(await b.ended(id)).toMatchObject({ state: 'completed' }) // There was no room for a second reservation.
  asked[0]?.()
  await fact(
    () => a.logged,
    (lines) => lines.some(({ message }) => message.startsWith('node gives up its runs')),
  )
  const [interrupted, booked] = await usageRows(t.db)
  expect(interrupted).toMatchObject({ isEstimated: true, isFailed: true })
  expect(booked).toMatchObject({ cost, isEstimated: false })
  expect(await usageRows(t.db)).toHaveLength(2)
  expect(await counters(t.db)).toMatchObject([{ reserved: 0, overrun: 0, spent: cost + Math.min(interrupted?.cost ?? NaN, worst / 2) }])
})

test('a run that is cancelled in the middle of a call has it settled at once', async () => {
  await using t = await priced()
  await setBudget(t.db, { limit: 2 * worst })
  await using node = await openNode(
    t,
    (_, { signal, onText }) =>
      new Promise((_resolve, reject) => {
        onText?.('y'.repeat(30))
        signal.addEventListener('abort', () => reject(new StepFailure({ message: 'Given up.', code: 'aborted', retryable: true })))
      }),
  )
  const { id } = await node.start('code')
  await fact(
    () => reservationCount(t.db),
    (count) => count === 1,
  )
  await node.engine.cancel({ tenantId: 'acme', askerId: undefined }, id, 'test')
  await fact(
    () => reservationCount(t.db),
    (count) => count === 0,
  )
  expect(await usageRows(t.db)).toMatchObject([{ isEstimated: true, isFailed: true }])
})

test('a budget that others hold is waited for as the retry policy allows', async () => {
  await using t = await priced()
  await setBudget(t.db, { unit: 'requests', limit: 1 })
  await using node = await openNode(t, answering)
  const other = await node.money.admit(callOf())
  const { id } = await node.start('code')
  const failures = async () => (await node.events(id)).flatMap((event) => (event.type === 'step.failed' ? [event.data.failure] : []))
  const [failure] = await fact(failures, (found) => found.length > 0)
  expect(failure).toMatchObject({ code: 'over_budget', retryable: true, retryAfterMs: 2_000, detail: { reason: 'busy' } })
  if (other.isAdmitted) await node.money.settle(other.reservation, { type: 'never-happened' })
  expect(await node.ended(id)).toMatchObject({ state: 'completed' })
})
