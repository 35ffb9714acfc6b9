import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Context, StepFailed, TerminalFailure, TimedOut, type Tool, tool } from './agent.ts'
import { type LoopContext, runTool } from './context.ts'
import { completed, failed, frameByFrame, open } from '../test/support/frame-log.ts'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

describe('asking', () => {
  test('a step executes here and is sent once, with its result', async () => {
    const t = frameByFrame(async (ctx) => ({ sum: (await ctx.step('one', () => 1)) + (await ctx.step('two', async () => 2)) }))
    t.start()
    expect(await t.next('op.done')).toMatchObject({ op: '0', kind: 'step', name: 'one', attempt: 1, output: 1 })
    t.receive({ type: 'op.completed', op: '0', output: 1 })
    expect(await t.next('op.done', '1')).toMatchObject({ name: 'two', output: 2 })
    t.receive({ type: 'op.completed', op: '1', output: 2 })
    expect(await t.next('run.completed')).toMatchObject({ output: { sum: 3 } })
    expect(t.types()).toEqual(['op.done 0', 'op.done 1', 'run.completed'])
    expect(t.worker.runCount()).toBe(0)
  })

  test('an acknowledgement without the result gives the code a copy of what the step returned, as a replay would', async () => {
    const original = { list: [1], gone: undefined }
    let got: unknown
    const t = frameByFrame(async (ctx) => {
      got = await ctx.step('make', () => original as never)
    })
    t.start()
    await t.next('op.done')
    original.list.push(2)
    t.receive({ type: 'op.completed', op: '0' } as never)
    await t.next('run.completed')
    expect(got).toEqual({ list: [1] })
    expect(got).not.toHaveProperty('gone')
  })

  test('operations of branches and of `all` are numbered by where they are asked', async () => {
    const t = frameByFrame(async (ctx) => {
      await ctx.all([async (a) => a.step('a', () => 1), async (b) => b.all([async (c) => c.step('c', () => 2)])])
      await ctx.step('last', () => 3)
    })
    t.start()
    await t.next('op.done', '0.1.0.0.0')
    expect(t.types()).toEqual(['op.done 0.0.0', 'op.done 0.1.0.0.0'])
    t.receive({ type: 'op.completed', op: '0.0.0', output: 1 }, { type: 'op.completed', op: '0.1.0.0.0', output: 2 })
    expect(await t.next('op.done', '1')).toMatchObject({ name: 'last' })
  })

  test('`all` rejects with the failure of the first branch in order, after every branch has settled', async () => {
    const settled: string[] = []
    const t = frameByFrame((ctx) =>
      ctx.all([
        async (a: Context) => {
          await a.sleep('slow', 1).catch(() => {})
          settled.push('slow')
          throw new TerminalFailure('first branch')
        },
        async () => {
          settled.push('quick')
          throw new TerminalFailure('second branch')
        },
      ]),
    )
    t.start()
    await t.next('op.wait')
    await t.settle()
    expect(t.types()).not.toContain('run.failed')
    t.receive({ type: 'op.completed', op: '0.0.0', output: null })
    expect((await t.next('run.failed')).failure.message).toBe('first branch')
    expect(settled).toEqual(['quick', 'slow'])
  })

  test('a failure that the server answers with a retry is tried again under the next attempt', async () => {
    const attempts: number[] = []
    const t = frameByFrame((ctx) =>
      ctx.step('flaky', (attempt) => {
        attempts.push(attempt)
        if (attempt < 3) throw new Error(`no ${attempt}`)
        return 'yes'
      }),
    )
    t.start()
    expect(await t.next('op.error')).toMatchObject({
      attempt: 1,
      failure: { message: 'no 1', retryable: true },
      retry: { attemptsMax: 5, delayMsMin: 200, delayMsMax: 30_000 },
    })
    t.receive({ type: 'op.retry', op: '0', attempt: 2, delayMs: 0 })
    while (attempts.length < 2) await t.settle()
    t.receive({ type: 'op.retry', op: '0', attempt: 3, delayMs: 0 })
    expect(await t.next('op.done')).toMatchObject({ attempt: 3, output: 'yes' })
    expect(attempts).toEqual([1, 2, 3])
  })

  test.each([
    ['a TerminalFailure is not worth a retry', new TerminalFailure('no'), { message: 'no', retryable: false }],
    ['a thrown string is its message', 'just text', { message: 'just text', retryable: true }],
    ['a system error keeps its code', Object.assign(new Error('gone'), { code: 'ECONNRESET' }), { message: 'gone', code: 'ECONNRESET', retryable: true }],
    ['what cannot be stored in a message is replaced', new Error('a\u0000b'), { message: 'a\ufffdb' }],
  ])('%s', async (_, thrown, expected) => {
    const t = frameByFrame((ctx) =>
      ctx.step('s', () => {
        throw thrown
      }),
    )
    t.start()
    expect((await t.next('op.error')).failure).toMatchObject(expected)
  })

  test.each([
    ['a Date', () => ({ when: [new Date(0)] }), 'not_json', '$.when[0] is a Date'],
    ['NaN', () => Number.NaN, 'not_json', 'NaN'],
    ['more than 8 MB', () => 'ä'.repeat(5_000_000), 'too_large', '10000002 bytes'],
  ])('a step that returns %s fails for good, and says where', async (_, work, code, message) => {
    const t = frameByFrame((ctx) => ctx.step('s', work as () => string))
    t.start()
    const { failure } = await t.next('op.error')
    expect(failure).toMatchObject({ code, retryable: false })
    expect(failure.message).toContain(message)
  })

  test('a step may return 8 MB', async () => {
    const t = frameByFrame((ctx) => ctx.step('s', () => 'x'.repeat(8_000_000)))
    t.start()
    expect((await t.next('op.done')).output).toHaveLength(8_000_000)
  })

  test('a step that returns nothing records null', async () => {
    const t = frameByFrame((ctx) => ctx.step('s', () => {}))
    t.start()
    expect(await t.next('op.done')).toMatchObject({ output: null })
  })

  test.each([
    ['a step in a step', (ctx: Context) => ctx.step('outer', async () => void (await ctx.step('inner', () => 1)))],
    ['a sleep in a step, after a pause', (ctx: Context) => ctx.step('outer', async () => (await new Promise(setImmediate), ctx.sleep('inner', 1)))],
  ])('%s is refused by the name of both', async (_, program) => {
    const t = frameByFrame(program)
    t.start()
    const { failure, op } = await t.next('op.error')
    expect(op).toBe('0')
    expect(failure).toMatchObject({ retryable: false })
    expect(failure.message).toMatch(/"inner" was asked for inside the step "outer"/)
  })

  test.each([
    ['an empty name', (ctx: Context) => ctx.step('', () => 1), 'needs a name'],
    ['a title that is too long', (ctx: Context) => ctx.approval('x'.repeat(129)), 'at most 128 characters'],
    ['a negative duration', (ctx: Context) => ctx.sleep('s', -1), 'duration'],
    ['an unsound policy', (ctx: Context) => ctx.step('s', () => 1, { retry: { attemptsMax: 0 } }), 'attemptsMax'],
  ])('%s fails the run without asking anything', async (_, program, message) => {
    const t = frameByFrame(program)
    t.start()
    expect((await t.next('run.failed')).failure).toMatchObject({ retryable: false, message: expect.stringContaining(message) })
    expect(t.types()).toEqual(['run.failed'])
  })

  test('waits give what came, or throw TimedOut', async () => {
    const t = frameByFrame(async (ctx) => {
      const answer = await ctx.approval('May I?', { detail: { cost: 3 }, timeoutMs: 1_000 })
      const signal = await ctx.waitForSignal('go')
      const late = await ctx.waitForSignal('never', { timeoutMs: 5 }).catch((error: unknown) => error instanceof TimedOut)
      return { answer, signal, late } as never
    })
    t.start()
    expect(await t.next('op.wait')).toMatchObject({ op: '0', kind: 'approval', name: 'May I?', timeoutMs: 1_000, detail: { cost: 3 } })
    t.receive({ type: 'op.completed', op: '0', output: { approved: true, by: 'ann', comment: null } })
    expect(await t.next('op.wait', '1')).toMatchObject({ kind: 'signal', name: 'go', timeoutMs: null })
    t.receive({ type: 'op.completed', op: '1', output: [1, 2] })
    await t.next('op.wait', '2')
    t.receive({ type: 'op.failed', op: '2', failure: { message: 'too late', code: 'timed_out', retryable: false } })
    expect((await t.next('run.completed')).output).toEqual({ answer: { approved: true, by: 'ann', comment: null }, signal: [1, 2], late: true })
  })

  test('the run fails with what a step failed with', async () => {
    const t = frameByFrame(async (ctx) => {
      await ctx.sandbox.exec({ script: 'false' })
    })
    t.start()
    expect(await t.next('op')).toMatchObject({ kind: 'exec', name: 'false', input: { script: 'false' } })
    t.receive({ type: 'op.failed', op: '0', failure: { message: 'no sandbox', code: 'unavailable', retryable: true } })
    expect((await t.next('run.failed')).failure).toEqual({ message: 'no sandbox', code: 'unavailable', retryable: true })
  })

  test('a run whose output JSON cannot hold fails by the path of what it cannot', async () => {
    const t = frameByFrame(async () => ({ big: 1n }))
    t.start()
    expect((await t.next('run.failed')).failure).toMatchObject({ code: 'not_json', message: expect.stringContaining('$.big is a bigint') })
  })

  test('what the code throws before its first await fails the run', async () => {
    const t = frameByFrame(() => {
      throw new Error('at once')
    })
    t.start()
    expect((await t.next('run.failed')).failure).toMatchObject({ message: 'at once', retryable: false })
  })
})

describe('replay', () => {
  test('recorded results are given without executing anything', async () => {
    let executed = 0
    const t = frameByFrame(async (ctx) => {
      const a = await ctx.step('a', () => ++executed)
      const b = await ctx.step('b', () => ++executed).catch((error: unknown) => (error instanceof StepFailed ? error.failure.message : 'other'))
      return [a, b, await ctx.step('c', () => ++executed)] as never
    })
    t.start([completed('0', 'step', 'a', 41), failed('1', 'step', 'b', 'was broken')])
    expect(await t.next('op.done')).toMatchObject({ op: '2', output: 1 })
    t.receive({ type: 'op.completed', op: '2', output: 1 })
    expect((await t.next('run.completed')).output).toEqual([41, 'was broken', 1])
  })

  test.each([
    [['0', '1'], 'first'],
    [['1', '0'], 'second'],
  ])('a race comes out as results were recorded: %j', async (order, winner) => {
    const program = async (ctx: Context) => Promise.race([ctx.step('x', () => 'first'), ctx.step('y', () => 'second')])
    const t = frameByFrame(program)
    t.start(order.map((op) => completed(op, 'step', op === '0' ? 'x' : 'y', op === '0' ? 'first' : 'second')))
    expect((await t.next('run.completed')).output).toBe(winner)
  })

  test('live results that arrive in one message are given one at a time, so that both branches number what they ask as on replay', async () => {
    const order: string[] = []
    const program = async (ctx: Context) => {
      const branch = async (name: string) => {
        await ctx.step(name, () => name)
        for (let i = 0; i < 5; i++) await null // A longer chain of microtasks would be overtaken by the other's.
        order.push(name)
        return ctx.step(`after ${name}`, () => name)
      }
      return Promise.all([branch('slow'), (async () => (await ctx.step('quick', () => 1), order.push('quick'), ctx.step('after quick', () => 2)))()])
    }
    const t = frameByFrame(program)
    t.start()
    await t.next('op.done', '1')
    t.receive({ type: 'op.completed', op: '0', output: 'slow' }, { type: 'op.completed', op: '1', output: 1 })
    await t.next('op.done', '3')
    expect(order).toEqual(['slow', 'quick'])
    expect(await t.next('op.done', '2')).toMatchObject({ name: 'after slow' })

    const again = frameByFrame(program)
    again.start([completed('0', 'step', 'slow', 'slow'), completed('1', 'step', 'quick', 1)])
    expect(await again.next('op.done', '2')).toMatchObject({ name: 'after slow' })
  })

  test('nothing new is started before the whole history has been matched', async () => {
    let executed = 0
    const t = frameByFrame((ctx) =>
      ctx.all([async (a) => (await a.step('a', () => 1), await a.step('b', () => 2)), async (c) => c.step('new', () => ++executed)]),
    )
    t.start([completed('0.0.0', 'step', 'a'), completed('0.0.1', 'step', 'other')])
    expect(await t.next('run.diverged')).toMatchObject({ op: '0.0.1', recorded: 'step "other" (completed)', asked: 'step "b"' })
    expect(executed).toBe(0)
  })

  test('a step that was interrupted goes on with the attempt that is due, and waits are asked for again', async () => {
    const t = frameByFrame((ctx) => Promise.all([ctx.step('s', (attempt) => attempt), ctx.sleep('t', 10)]))
    t.start([open('0', 'step', 's', 3), open('1', 'timer', 't')])
    expect(await t.next('op.done')).toMatchObject({ attempt: 3, output: 3 })
    expect(await t.next('op.wait')).toMatchObject({ op: '1' })
  })

  test('a result that is recorded while the history is replayed keeps its place, and is not asked for again', async () => {
    const t = frameByFrame(async (ctx) => {
      const first = await ctx.step('first', () => 'no')
      return [first, await Promise.race([ctx.sleep('t', 10).then(() => 'timer'), ctx.waitForSignal('s')])] as never
    })
    t.start([completed('0', 'step', 'first', 'yes'), open('1', 'timer', 't'), open('2', 'signal', 's')])
    // Both have come before the code has come to its waits again.
    t.receive({ type: 'op.completed', op: '2', output: 'signal' }, { type: 'op.completed', op: '1', output: null })
    expect((await t.next('run.completed')).output).toEqual(['yes', 'signal'])
    expect(t.types()).toEqual(['run.completed'])
  })

  test('a result that arrives between two recorded ones comes after them', async () => {
    const order: string[] = []
    const { promise: gate, resolve: open_ } = Promise.withResolvers<void>()
    const steps = async (ctx: Context) => {
      order.push(await ctx.step('a', () => 'a'))
      await gate // Holds the replay up, so that the result arrives in the midst of it.
      order.push(await ctx.step('b', () => 'b'))
    }
    const t = frameByFrame(async (ctx) => void (await ctx.all([steps, async (branch) => (await branch.sleep('t', 10), order.push('timer'))])))
    t.start([completed('0.0.0', 'step', 'a', 'a'), completed('0.0.1', 'step', 'b', 'b'), open('0.1.0', 'timer', 't')])
    await t.settle()
    expect(order).toEqual(['a'])
    t.receive({ type: 'op.completed', op: '0.1.0', output: null })
    await t.settle()
    open_()
    await t.next('run.completed')
    expect(order).toEqual(['a', 'b', 'timer'])
  })

  test('what was asked inside a tool that has its result is not expected again', async () => {
    const t = frameByFrame((ctx) => ctx.step('s', () => 1))
    t.start([completed('0', 'step', 's', 1), completed('1', 'tool', 'x'), completed('1.0', 'exec', 'ls')])
    expect(await t.next('run.diverged')).toMatchObject({ op: '1', recorded: 'tool "x" (completed)', asked: 'nothing: the code finished' })
  })

  test('a promise of the author’s own between two steps is waited for', async () => {
    const t = frameByFrame(
      async (ctx) => {
        await ctx.step('a', () => 1)
        await new Promise((resolve) => setTimeout(resolve, 30))
        return ctx.step('b', () => 2)
      },
      { stuckMs: { asking: 1, silent: 60_000 } },
    )
    t.start([completed('0', 'step', 'a', 1), completed('1', 'step', 'b', 22)])
    expect((await t.next('run.completed')).output).toBe(22)
  })
})

describe('divergence', () => {
  test.each([
    ['another name', [completed('0', 'step', 'old')], 'step "old" (completed)', 'step "s"'],
    ['another kind', [completed('0', 'timer', 's')], 'timer "s" (completed)', 'step "s"'],
    ['another name for what was open', [open('0', 'step', 'old')], 'step "old" (without a result yet)', 'step "s"'],
    ['another name for what failed', [failed('0', 'step', 'old', 'x')], 'step "old" (failed)', 'step "s"'],
  ])('%s than recorded parks the run, and nothing more is sent', async (_, history, recorded, asked) => {
    let isAborted = false
    const t = frameByFrame(async (ctx) => {
      ctx.signal.addEventListener('abort', () => (isAborted = true))
      await ctx.step('s', () => 1)
      return 'never'
    })
    t.start(history)
    expect(await t.next('run.diverged')).toEqual({ type: 'run.diverged', run: t.run, op: '0', recorded, asked })
    t.receive({ type: 'op.completed', op: '0', output: 1 })
    await t.settle()
    expect(t.frames).toHaveLength(1)
    expect(isAborted).toBe(true)
    expect(t.worker.runCount()).toBe(0)
  })

  test('code that finishes before everything recorded was asked for has diverged', async () => {
    const t = frameByFrame(async (ctx) => void (await ctx.step('a', () => 1)))
    t.start([completed('0', 'step', 'a'), completed('1', 'step', 'b')])
    expect(await t.next('run.diverged')).toMatchObject({ op: '1', recorded: 'step "b" (completed)', asked: 'nothing: the code finished' })
  })

  test('code that fails before everything recorded was asked for has diverged', async () => {
    const t = frameByFrame(async () => Promise.reject(new Error('new bug')))
    t.start([completed('0', 'step', 'a')])
    expect(await t.next('run.diverged')).toMatchObject({ op: '0', asked: 'nothing: the code failed with "new bug"' })
  })

  test('code that stands still without asking for what is recorded has diverged', async () => {
    const t = frameByFrame(async (ctx) => ctx.all([async (a) => a.sleep('t', 10)]), { stuckMs: { asking: 20, silent: 60_000 } })
    t.start([completed('0', 'step', 'gone'), open('0.0.0', 'timer', 't')])
    expect(await t.next('run.diverged')).toMatchObject({ op: '0', recorded: 'step "gone" (completed)', asked: 'nothing: the code waits for timer "t" (0.0.0)' })
  })

  test('a tool whose intent is still being recorded is not taken for standing still', async () => {
    const echo = tool({ description: 'e', input: z.strictObject({}), run: (_, ctx) => ctx.step('inner', () => 'executed') })
    const t = frameByFrame((ctx) => (ctx as LoopContext)[runTool]({ name: 'echo', tool: echo, input: {}, parsed: {} }), { stuckMs: { asking: 4, silent: 4 } })
    t.start([completed('0.0', 'step', 'inner', 'recorded'), open('0', 'tool', 'echo', 2)])
    expect(await t.next('op.begin')).toMatchObject({ op: '0', attempt: 2 })
    await new Promise((resolve) => setTimeout(resolve, 60))
    t.receive({ type: 'op.begun', op: '0' })
    expect(await t.next('op.done')).toMatchObject({ op: '0', attempt: 2, output: { output: 'recorded', parts: [] } })
  })

  test('code that waits for nothing known is given longer', async () => {
    const t = frameByFrame(() => new Promise(() => {}), { stuckMs: { asking: 1, silent: 40 } })
    t.start([completed('0', 'step', 'a')])
    expect(await t.next('run.diverged')).toMatchObject({ asked: 'nothing: the code waits for something else' })
  })
})

test('of a run whose writes are withheld only what declares that it does nothing is executed unasked', async () => {
  const executed: string[] = []
  const t = frameByFrame(async (ctx) => {
    const outcomes = []
    for (const effect of ['none', 'idempotent', 'write', undefined] as const)
      outcomes.push(
        await ctx
          .step(`step ${effect}`, () => void executed.push(String(effect)), effect ? { effect } : {})
          .then(
            () => 'done',
            (error: Error) => error.message,
          ),
      )
    await ctx.sleep('long', 60_000)
    return outcomes
  })
  t.start([], { withholdsWrites: true })
  await t.next('op.done', '0')
  t.receive({ type: 'op.completed', op: '0' })
  for (const op of ['1', '2', '3']) {
    const { effect } = (await t.next('op.begin', op)) as { effect?: string }
    expect(effect).toBe(['idempotent', 'write', undefined][Number(op) - 1])
    t.receive({ type: 'op.failed', op, failure: { message: 'withheld', code: 'withheld', retryable: false } })
  }
  await t.next('op.wait', '4')
  await t.next('run.idle')
  t.receive({ type: 'op.completed', op: '4', output: null })
  expect(await t.next('run.completed')).toMatchObject({ output: ['done', 'withheld', 'withheld', 'withheld'] })
  expect(executed).toEqual(['none'])
})

describe('idle and release', () => {
  test('a run that only waits says so once, with what it waits for', async () => {
    const t = frameByFrame((ctx) => Promise.all([ctx.sleep('t', 1_000), ctx.waitForSignal('s')]))
    t.start()
    expect(await t.next('run.idle')).toMatchObject({ ops: ['0', '1'] })
    await t.settle()
    expect(t.types()).toEqual(['op.wait 0', 'op.wait 1', 'run.idle'])
    t.receive({ type: 'op.completed', op: '0', output: null })
    await t.settle()
    expect(t.frames.slice(3)).toEqual([{ type: 'run.idle', run: t.run, ops: ['1'] }])
  })

  test('a run is not idle while a step executes, while it is being recorded, or while the server executes something', async () => {
    let finishStep: (result: number) => void = () => {}
    const t = frameByFrame((ctx) =>
      Promise.all([ctx.waitForSignal('s'), ctx.step('slow', () => new Promise<number>((resolve) => (finishStep = resolve))), ctx.sandbox.exec({ cmd: 'ls' })]),
    )
    t.start()
    await t.settle()
    finishStep(1)
    await t.next('op.done')
    await t.settle()
    t.receive({ type: 'op.completed', op: '1', output: 1 })
    await t.settle()
    expect(t.types()).not.toContain('run.idle')
    t.receive({ type: 'op.completed', op: '2', output: null })
    expect(await t.next('run.idle')).toMatchObject({ ops: ['0'] })
  })

  test('a run that did something after it was idle says so again', async () => {
    const t = frameByFrame((ctx) =>
      Promise.all([ctx.waitForSignal('s'), new Promise((resolve) => setTimeout(resolve, 20)).then(() => ctx.step('late', () => 1))]),
    )
    t.start()
    await t.next('run.idle')
    await t.next('op.done')
    t.receive({ type: 'op.completed', op: '1', output: 1 })
    await t.settle()
    expect(t.types()).toEqual(['op.wait 0', 'run.idle', 'op.done 1', 'run.idle'])
  })

  const callTool = (run: Tool<z.ZodObject>['run']) => {
    const made = tool({ description: 'f', input: z.strictObject({}), timeoutMs: 30, run })
    return (ctx: Context) => (ctx as LoopContext)[runTool]({ name: 'made', tool: made, input: {}, parsed: {} })
  }

  test('a tool’s clock stands still while it waits, and goes on after that', async () => {
    const t = frameByFrame(callTool(async (_, ctx) => (await ctx.waitForSignal('s'), new Promise(() => {}))))
    t.start()
    await t.next('op.begin')
    t.receive({ type: 'op.begun', op: '0' })
    await t.next('run.idle')
    await new Promise((resolve) => setTimeout(resolve, 80))
    expect(t.types()).toEqual(['op.begin 0', 'op.wait 0.0', 'run.idle'])
    t.receive({ type: 'op.completed', op: '0.0', output: null })
    expect(await t.next('op.error')).toMatchObject({ failure: { code: 'timeout' } })
  })

  test('a tool that has run out of time asks for nothing more', async () => {
    let isRefused = false
    const t = frameByFrame(
      callTool(async (_, ctx) => {
        await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
        isRefused = true
        return ctx.step('too late', () => 1)
      }),
    )
    t.start()
    await t.next('op.begin')
    t.receive({ type: 'op.begun', op: '0' })
    await t.next('op.error')
    await t.settle()
    expect(isRefused).toBe(true)
    expect(t.types()).toEqual(['op.begin 0', 'op.error 0'])
  })

  test('what a tool still waited for when it ended is not waited for any more', async () => {
    const first = tool({
      description: 'f',
      input: z.strictObject({}),
      run: (_, ctx) => Promise.race([ctx.waitForSignal('s'), ctx.step('quick', () => 'quick')]),
    })
    const t = frameByFrame(async (ctx) => {
      await (ctx as LoopContext)[runTool]({ name: 'first', tool: first, input: {}, parsed: {} })
      await ctx.sleep('t', 5)
    })
    t.start()
    await t.next('op.begin')
    t.receive({ type: 'op.begun', op: '0' })
    await t.next('op.done', '0.1')
    t.receive({ type: 'op.completed', op: '0.1', output: 'quick' })
    expect(await t.next('op.done', '0')).toMatchObject({ output: { output: 'quick' } })
    t.receive({ type: 'op.completed', op: '0', output: { output: 'quick', parts: [] } })
    expect(await t.next('run.idle')).toMatchObject({ ops: ['1'] })
  })

  test('a run that is replayed into its wait is idle again', async () => {
    const t = frameByFrame(async (ctx) => (await ctx.step('a', () => 1), await ctx.sleep('t', 5)))
    t.start([completed('0', 'step', 'a'), open('1', 'timer', 't')])
    expect(await t.next('run.idle')).toMatchObject({ ops: ['1'] })
  })

  test('a released run is forgotten: its signal aborts, and whatever its code does, nothing is sent', async () => {
    let finishStep: (result: number) => void = () => {}
    let isAborted = false
    const t = frameByFrame(async (ctx) => {
      ctx.signal.addEventListener('abort', () => {
        isAborted = true
        void ctx.step('late', () => 1)
      })
      return ctx.step('slow', () => new Promise<number>((resolve) => (finishStep = resolve)))
    })
    t.start()
    await t.settle()
    t.receive({ type: 'run.release', reason: 'cancelled' })
    expect(isAborted).toBe(true)
    finishStep(1)
    await t.settle()
    expect(t.frames).toEqual([])
    expect(t.worker.runCount()).toBe(0)
  })

  test('a run that was released can be started again', async () => {
    const t = frameByFrame((ctx) => ctx.sleep('t', 5))
    t.start()
    await t.next('run.idle')
    t.receive({ type: 'run.release', reason: 'waiting' })
    t.start([completed('0', 'timer', 't')])
    await t.next('run.completed')
  })

  test('what a released run held can be collected', async () => {
    const held: WeakRef<object>[] = []
    const t = frameByFrame(async (ctx) => {
      const big = { data: Array.from({ length: 1_000 }, () => 0) }
      held.push(new WeakRef(big))
      await ctx.waitForSignal('s')
      return big.data.length
    })
    t.start()
    await t.next('run.idle')
    t.receive({ type: 'run.release', reason: 'waiting' })
    await t.settle()
    for (let i = 0; i < 20 && held[0]?.deref(); i++) {
      await t.settle()
      collectGarbage()
    }
    expect(held[0]?.deref()).toBeUndefined()
  })

  test('a draining worker starts no run', async () => {
    const t = frameByFrame(async () => 'done')
    t.worker.receive({ type: 'drain' })
    t.start()
    await t.settle()
    expect(t.frames).toEqual([])
    expect(t.worker.runCount()).toBe(0)
  })
})

describe('prepare', () => {
  test('runs wait until the agent is prepared', async () => {
    const { promise: prepared, resolve } = Promise.withResolvers<void>()
    const t = frameByFrame(async () => 'ran', { prepared })
    t.start()
    await t.settle()
    expect(t.frames).toEqual([])
    resolve()
    expect(await t.next('run.completed')).toMatchObject({ output: 'ran' })
  })

  test('when it fails, each run fails with the reason and may be retried', async () => {
    const t = frameByFrame(async () => 'ran', { prepared: Promise.reject(new Error('no disk')) })
    t.start()
    expect((await t.next('run.failed')).failure).toMatchObject({ code: 'prepare_failed', retryable: true, message: expect.stringContaining('no disk') })
  })

  test('a run that is released while it waits for that never runs', async () => {
    const { promise: prepared, resolve } = Promise.withResolvers<void>()
    const t = frameByFrame(async () => 'ran', { prepared })
    t.start()
    t.receive({ type: 'run.release', reason: 'cancelled' })
    resolve()
    await t.settle()
    expect(t.frames).toEqual([])
  })
})
