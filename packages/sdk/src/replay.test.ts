import type { Json, RunEvent } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { type DurableFunction, StepFailed, durable } from './agent.ts'
import { replayRun } from './replay.ts'

type Part = RunEvent extends infer Event ? (Event extends RunEvent ? Omit<Event, 'seq' | 'at'> : never) : never
const at = '2026-01-15T12:00:00.000Z'
const recorded = (...events: Part[]) => ({
  id: '00000000-0000-7000-8000-000000000001',
  agent: 'orders',
  version: 'v1',
  asker: { id: 'k', name: 'ann', access: { personalData: true } },
  session: null,
  createdAt: at,
  events: [{ type: 'run.started', data: { input: 5 } } as Part, ...events].map((event, seq) => ({ ...event, seq, at }) as RunEvent),
})
const done = (op: string, name: string, output: Json): Part => ({ type: 'step.completed', op, data: { kind: 'step', name, attempt: 1, output } })
const whole = recorded(
  done('0', 'load', { total: 12 }),
  { type: 'step.failed', op: '1', data: { kind: 'step', name: 'charge', attempt: 1, failure: { message: 'declined', retryable: true }, retryInMs: 5 } },
  { type: 'step.failed', op: '1', data: { kind: 'step', name: 'charge', attempt: 2, failure: { message: 'declined', retryable: true }, retryInMs: null } },
  { type: 'wait.created', op: '2', data: { kind: 'timer', name: 'a day', until: at } },
  { type: 'wait.completed', op: '2', data: { kind: 'timer', name: 'a day', output: null } },
  { type: 'run.completed', data: { output: 'declined 12' } },
)

let executedCount = 0
const code = (more: { first?: string; end?: string; tail?: boolean } = {}): DurableFunction =>
  durable('orders', async (ctx) => {
    const effect = () => void executedCount++
    const order = (await ctx.step(more.first ?? 'load', effect as never)) as { total: number }
    const said = await ctx.step('charge', effect).catch((error: unknown) => (error instanceof StepFailed ? error.message : 'other'))
    await ctx.sleep('a day', 86_400_000)
    if (more.tail) await ctx.step('one more', effect)
    return more.end ?? `${String(said)} ${order.total}`
  })

test('code that does what was recorded is the same, and executes nothing', async () => {
  executedCount = 0
  expect(await replayRun(code(), whole)).toEqual({ outcome: 'same', resultCount: 3 })
  expect(executedCount).toBe(0)
})

test('the first difference is named: another name, another end, something more', async () => {
  executedCount = 0
  expect(await replayRun(code({ first: 'fetch' }), whole)).toEqual({ outcome: 'diverged', op: '0', recorded: 'step "load" (completed)', asked: 'step "fetch"' })
  expect(await replayRun(code({ end: 'paid' }), whole)).toEqual({ outcome: 'different', recorded: { output: 'declined 12' }, now: { output: 'paid' } })
  expect(await replayRun(code({ tail: true }), whole)).toEqual({
    outcome: 'diverged',
    op: 'end',
    recorded: 'its end (run.completed)',
    asked: 'step "one more"',
  })
  expect(executedCount).toBe(0)
})

test('a run that had not ended is matched as far as it had come, and nothing that was open is executed', async () => {
  executedCount = 0
  const open = recorded(done('0', 'load', { total: 12 }), {
    type: 'step.started',
    op: '1',
    data: { kind: 'step', name: 'charge', attempt: 1, effect: 'write' },
  })
  expect(await replayRun(code(), open)).toEqual({ outcome: 'same', resultCount: 1 })
  expect(await replayRun(code(), recorded())).toEqual({ outcome: 'same', resultCount: 0 })
  expect(executedCount).toBe(0)
})

test('code that stands still is stuck', async () => {
  expect(
    await replayRun(
      durable('hangs', () => new Promise<never>(() => {})),
      recorded({ type: 'run.completed', data: { output: 1 } }),
      { limitMs: 50 },
    ),
  ).toEqual({ outcome: 'stuck' })
})
