/** Effects outside, by a ledger that no recovery knows of: what was interrupted is decided, never guessed. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Checked, InDoubt, TerminalFailure, type Tool, durable, tool } from './agent.ts'
import { type LoopContext, runTool } from './context.ts'
import { type Decision, type TestOptions, runAgent, runWithCrashes } from './testing.ts'

/** Whoever is written to: remembers each effect by its key. */
const openLedger = () => {
  const applied: string[] = []
  return {
    applied,
    apply(key: string): string {
      applied.push(key)
      return `receipt ${applied.length}`
    },
    check: ({ idempotencyKey }: { idempotencyKey: string }): Checked<string> => {
      const at = applied.indexOf(idempotencyKey)
      return at >= 0 ? { isDone: true, result: `receipt ${at + 1}` } : { isDone: false }
    },
  }
}

const tooled = (tools: Tool[]) =>
  durable('calls tools', async (ctx) => {
    const results = []
    for (const [index, one] of tools.entries())
      results.push(
        await (ctx as LoopContext)[runTool]({ name: `tool ${index}`, tool: one, input: {}, parsed: {} }).then(
          ({ output }) => output,
          (error: Error) => `failed: ${error.message}`,
        ),
      )
    return results
  })

test('a write with a check takes effect exactly once, wherever the run is killed', async () => {
  let ledger = openLedger()
  const agent = durable('pays', async (ctx) => [
    await ctx.step('before', () => 'ready'),
    await ctx.step('pay', async (_, { idempotencyKey }) => ledger.apply(idempotencyKey), { effect: 'write', check: (about) => ledger.check(about) }),
    await ctx.step('after', () => 'done'),
  ])
  const ledgers: string[][] = []
  const fresh = (): TestOptions => {
    ledger = openLedger()
    ledgers.push(ledger.applied)
    return {}
  }
  const { undisturbed, crashed } = await runWithCrashes(agent, fresh)
  expect(undisturbed.output).toEqual(['ready', 'receipt 1', 'done'])
  for (const run of crashed)
    expect({ crash: run.crash, state: run.state, output: run.output }).toEqual({ crash: run.crash, state: 'completed', output: undisturbed.output })
  expect(crashed.length).toBe(2 * 5)
  for (const applied of ledgers) expect(applied).toEqual(['00000000-0000-7000-8000-000000000001/1'])
})

test('a write without a check takes effect at most once by itself, and a person is asked where nobody can know', async () => {
  let applied = 0
  const agent = durable('pays', async (ctx) => ctx.step('pay', () => `payment ${++applied}`, { effect: 'write' }))
  const counts: number[] = []
  const fresh = (): TestOptions => {
    counts.push(applied)
    applied = 0
    return {}
  }
  const { undisturbed, crashed } = await runWithCrashes(agent, fresh)
  counts.push(applied)
  expect(undisturbed).toMatchObject({ state: 'completed', output: 'payment 1', doubts: [] })
  const inDoubt = crashed.filter(({ doubts }) => doubts.length > 0)
  // Between the record of its intent and that of its result: once before it began, once after it was done.
  expect(inDoubt.map(({ crash }) => crash)).toEqual([
    { fact: 1, when: 'after' },
    { fact: 2, when: 'before' },
  ])
  for (const run of inDoubt) expect(run).toMatchObject({ state: 'waiting', doubts: [{ op: '0', kind: 'step', name: 'pay', attempt: 1 }] })
  for (const run of crashed) if (run.doubts.length === 0) expect(run).toMatchObject({ state: 'completed', output: 'payment 1' })
  expect(Math.max(...counts)).toBe(1)
})

test.each<[Decision, object, number]>([
  [{ decision: 'completed', output: 'seen at the bank' }, { state: 'completed', output: 'seen at the bank' }, 1],
  [{ decision: 'execute' }, { state: 'completed', output: 'payment 2' }, 2],
  [{ decision: 'failed', message: 'declined by hand' }, { state: 'failed', failure: { message: 'declined by hand', code: 'decided' } }, 1],
])('an operator decides %j', async (decision, expected, count) => {
  let applied = 0
  const agent = durable('pays', async (ctx) => ctx.step('pay', () => `payment ${++applied}`, { effect: 'write' }))
  expect(await runAgent(agent, { crash: { fact: 2, when: 'before' }, decide: () => decision })).toMatchObject(expected)
  expect(applied).toBe(count)
})

test('other branches go on while one of them is in doubt', async () => {
  const done: string[] = []
  const agent = durable('pays', async (ctx) =>
    ctx.all([
      async (inner) => inner.step('pay', () => 'paid', { effect: 'write' }),
      async (inner) => {
        await inner.sleep('a while', 1_000)
        return inner.step('other', () => done.push('other'))
      },
    ]),
  )
  const run = await runAgent(agent, { crash: { fact: 1, when: 'after' } })
  expect(run).toMatchObject({ state: 'waiting', doubts: [{ op: '0.0.0' }] })
  expect(done).toEqual(['other'])
})

test('a step that declares nothing is executed again under the same key, and so is one that is idempotent', async () => {
  const keys: string[] = []
  const work = (_: number, { idempotencyKey }: { idempotencyKey: string }) => void keys.push(idempotencyKey)
  const agent = durable('repeats', async (ctx) => {
    await ctx.step('plain', work)
    await ctx.step('keyed', work, { effect: 'idempotent' })
  })
  expect((await runAgent(agent, { crash: { fact: 1, when: 'before' } })).state).toBe('completed')
  expect((await runAgent(agent, { crash: { fact: 2, when: 'before' } })).state).toBe('completed')
  const run = '00000000-0000-7000-8000-000000000001'
  expect(keys).toEqual([`${run}/0`, `${run}/0`, `${run}/1`, `${run}/0`, `${run}/1`, `${run}/1`])
})

test('a write that throws is not tried again unless it says so; one that does not know is put to its check', async () => {
  const attempts: string[] = []
  const failing = (name: string) => (attempt: number) => {
    attempts.push(`${name} ${attempt}`)
    throw new Error('refused')
  }
  const agent = durable('writes', async (ctx) => {
    await ctx.step('once', failing('once'), { effect: 'write' }).catch(() => {})
    await ctx.step('twice', failing('twice'), { effect: 'write', retry: { attemptsMax: 2 } }).catch(() => {})
    let isApplied = false
    return ctx.step(
      'lost',
      (attempt) => {
        attempts.push(`lost ${attempt}`)
        if (attempt === 3) return 'answered'
        isApplied = false
        throw new InDoubt('the connection was reset')
      },
      { effect: 'write', check: () => (isApplied ? { isDone: true, result: 'found' } : { isDone: false }) },
    )
  })
  expect(await runAgent(agent)).toMatchObject({ state: 'completed', output: 'answered', doubts: [] })
  expect(attempts).toEqual(['once 1', 'twice 1', 'twice 2', 'lost 1', 'lost 2', 'lost 3'])
})

test('a check that fails is tried three times, then a person is asked', async () => {
  let checks = 0
  const agent = durable('pays', async (ctx) =>
    ctx.step('pay', () => 'paid', {
      effect: 'write',
      check: () => {
        checks++
        throw new Error('the bank does not answer')
      },
    }),
  )
  const run = await runAgent(agent, { crash: { fact: 2, when: 'before' }, decide: () => ({ decision: 'completed', output: 'seen' }) })
  expect(run).toMatchObject({ state: 'completed', output: 'seen', doubts: [{ message: 'Its check failed: the bank does not answer' }] })
  expect(checks).toBe(3)
})

test('a durable operation inside a check is refused: a person is asked', async () => {
  const agent = durable('pays', async (ctx) =>
    ctx.step('pay', () => 'paid', { effect: 'write', check: async () => ({ isDone: true, result: await ctx.step('inner', () => 'x') }) }),
  )
  const run = await runAgent(agent, { crash: { fact: 2, when: 'before' } })
  expect(run).toMatchObject({ state: 'waiting', doubts: [{ message: expect.stringContaining('inside the step "pay (its check)"') }] })
})

describe('tools', () => {
  const input = z.strictObject({})

  test('one that declares nothing fails when it was interrupted, and is not executed again', async () => {
    let count = 0
    const agent = tooled([tool({ description: 'd', input, run: () => ++count })])
    const run = await runAgent(agent, { crash: { fact: 2, when: 'before' } })
    expect(run).toMatchObject({ state: 'completed', output: ['failed: It was interrupted, and whether it took effect is not known.'] })
    expect(count).toBe(1)
  })

  test.each(['none', 'idempotent'] as const)('one whose effect is %s is executed again under the same key', async (effect) => {
    const keys: string[] = []
    const agent = tooled([tool({ description: 'd', input, effect, run: (_, ctx) => keys.push(ctx.idempotencyKey) })])
    expect(await runAgent(agent, { crash: { fact: 2, when: 'before' } })).toMatchObject({ state: 'completed', output: [2] })
    expect(keys).toEqual(['00000000-0000-7000-8000-000000000001/0', '00000000-0000-7000-8000-000000000001/0'])
  })

  test('a write with a check takes effect exactly once, wherever the run is killed', async () => {
    let ledger = openLedger()
    const pay = tool({
      description: 'pays',
      input,
      effect: 'write',
      run: (_, ctx) => ledger.apply(ctx.idempotencyKey),
      check: (_, about) => ledger.check(about),
    })
    const ledgers: string[][] = []
    const { undisturbed, crashed } = await runWithCrashes(tooled([pay, pay]), () => {
      ledger = openLedger()
      ledgers.push(ledger.applied)
      return {}
    })
    for (const run of crashed) expect({ crash: run.crash, output: run.output }).toEqual({ crash: run.crash, output: undisturbed.output })
    for (const applied of ledgers) expect(applied.map((key) => key.slice(-2))).toEqual(['/0', '/1'])
  })

  test('one that waits for a person inside was not writing at that time', async () => {
    let count = 0
    const pay = tool({
      description: 'pays when allowed',
      input,
      effect: 'write',
      run: async (_, ctx) => {
        const { approved } = await ctx.approval('Pay?')
        return approved ? ++count : 0
      },
    })
    for (const fact of [1, 2]) {
      count = 0
      const run = await runAgent(tooled([pay]), { crash: { fact: fact + 1, when: 'before' } })
      expect({ fact, state: run.state, doubts: run.doubts.length, count }).toEqual({
        fact,
        state: fact === 1 ? 'waiting' : 'completed',
        doubts: fact === 1 ? 1 : 0,
        count: fact === 1 ? 0 : 1,
      })
    }
  })

  test('one that is executed again on a decision is given what was recorded inside it', async () => {
    const inner: string[] = []
    const pay = tool({
      description: 'pays',
      input,
      effect: 'write',
      run: async (_, ctx) => {
        const order = await ctx.step('order', () => inner.push('order'))
        inner.push('pay')
        return `order ${order}`
      },
    })
    // Its intent, the step inside, its result.
    const run = await runAgent(tooled([pay]), { crash: { fact: 3, when: 'before' }, decide: () => ({ decision: 'execute' }) })
    expect(run).toMatchObject({ state: 'completed', output: ['order 1'] })
    expect(inner).toEqual(['order', 'pay', 'pay'])
  })

  test('a write that takes too long is in doubt, not failed', async () => {
    const pay = tool({ description: 'pays', input, effect: 'write', timeoutMs: 20, run: () => new Promise<never>(() => {}) })
    const run = await runAgent(tooled([pay]), { decide: () => ({ decision: 'completed', output: 'paid after all' }) })
    expect(run).toMatchObject({ state: 'completed', output: ['paid after all'], doubts: [{ message: expect.stringContaining('took longer than') }] })
    const read = tool({ description: 'reads', input, effect: 'none', timeoutMs: 20, run: () => new Promise<never>(() => {}) })
    expect(await runAgent(tooled([read]))).toMatchObject({ output: ['failed: The tool tool 0 took longer than 0.02 s.'], doubts: [] })
  })
})

test('a check without a write, and an effect that is none of the three, are refused at the call', async () => {
  const agent = durable('careless', async (ctx) => {
    const errors: unknown[] = []
    for (const options of [{ check: () => ({ isDone: false }) }, { effect: 'sometimes' }])
      await ctx.step('s', () => null, options as never).catch((error: unknown) => errors.push(error instanceof TerminalFailure && error.message))
    return errors as string[]
  })
  expect((await runAgent(agent)).output).toEqual([
    'Only a write has a check: give step "s" the effect "write", or leave the check out.',
    'The effect of step "s" is one of none, idempotent, write, not "sometimes".',
  ])
})
