/** Branches and children: what is first, what is begun next and what it comes to are the same on every replay. */
import { describe, expect, test } from 'vitest'
import { type Context, TerminalFailure, TimedOut, durable } from './agent.ts'
import { runAgent, runWithCrashes } from './testing.ts'

const later =
  (name: string, ms: number, fails = false) =>
  async (ctx: Context) => {
    await ctx.sleep(name, ms)
    return ctx.step(name, () => {
      if (fails) throw new TerminalFailure(`${name} failed`)
      return name
    })
  }

/** However it is killed, and when it is replayed whole, it comes to what it came to undisturbed. */
async function expectSteady(agent: ReturnType<typeof durable>, output: unknown, options: Parameters<typeof runWithCrashes>[1] = () => ({})): Promise<void> {
  const { undisturbed, crashed } = await runWithCrashes(agent, options)
  expect(undisturbed).toMatchObject({ state: 'completed', output })
  for (const run of crashed)
    expect({ crash: run.crash, state: run.state, output: run.output, divergence: run.divergence }).toMatchObject({
      crash: run.crash,
      state: 'completed',
      output,
    })
  expect(await runAgent(agent, { ...options(), history: undisturbed.history })).toMatchObject({ state: 'completed', output })
}

test('`any` gives the first that succeeds; nothing that the others ask afterwards is done', async () => {
  const asked: string[] = []
  const agent = durable('races', async (ctx) => {
    const winner = await ctx.any([
      later('fails first', 10, true),
      later('second', 20),
      async (inner) => {
        await inner.sleep('third', 30)
        return inner.step('never asked', () => void asked.push('third'))
      },
    ])
    await ctx.sleep('long after', 1_000)
    return winner
  })
  await expectSteady(agent, 'second')
  expect(asked).toEqual([])
})

test('`any` of nothing but failures tells all of them', async () => {
  const agent = durable('races', async (ctx) => ctx.any([later('a', 10, true), later('b', 5, true)]).catch((error: Error) => error.message))
  await expectSteady(agent, 'Each of 2 branches has failed: a failed; b failed')
})

test('`allSettled` tells of each branch what became of it', async () => {
  const agent = durable('settles', async (ctx) => {
    const found = await ctx.allSettled([later('a', 20), later('b', 10, true)])
    return found.map((one) => (one.status === 'fulfilled' ? one.value : String(one.reason.message)))
  })
  await expectSteady(agent, ['a', 'b failed'])
})

describe('`map`', () => {
  test('has no more under way than it may, and gives results in the order of the items', async () => {
    let under = 0
    let most = 0
    const agent = durable('maps', async (ctx) =>
      ctx.map(
        Array.from({ length: 50 }, (_, i) => i),
        async (inner, item) => {
          most = Math.max(most, ++under)
          await inner.sleep('work', 100 - item)
          under--
          return item * 2
        },
        { concurrency: 7 },
      ),
    )
    const run = await runAgent(agent, { releasesWhenIdle: false })
    expect(run.output).toEqual(Array.from({ length: 50 }, (_, i) => i * 2))
    expect(most).toBe(7)
  })

  test('begins nothing after a failure, lets what is under way end, and comes out the same after a kill anywhere', async () => {
    const agent = durable('maps', async (ctx) =>
      ctx
        .map([30, 10, 20, 5, 5], async (inner, ms, index) => later(`item ${index}`, ms, index === 1)(inner), { concurrency: 2 })
        .catch((error: Error) => error.message),
    )
    await expectSteady(agent, 'item 1 failed')
    const { history } = await runAgent(agent)
    expect(history.filter(({ kind }) => kind === 'step').map(({ name }) => name)).toEqual(['item 1', 'item 0'])
  })

  test('refuses a concurrency that is none, and is refused inside a step', async () => {
    const agent = durable('maps', async (ctx) => {
      const first = await ctx.map([1], async () => 1, { concurrency: 0 }).catch((error: Error) => error.message)
      const second = await ctx.step('s', async () => ctx.map([1], async () => 1).then(String, (error: Error) => error.message))
      return [first, second]
    })
    const { output } = await runAgent(agent)
    expect(output).toEqual([expect.stringContaining('from 1 to 1000, not 0'), expect.stringContaining('called inside the step "s"')])
  })
})

describe('children', () => {
  const agents = {
    double: (input: unknown) => Number(input) * 2,
    broken: () => {
      throw new TerminalFailure('no use')
    },
  }

  test('one that is called gives its end as data, whatever it is', async () => {
    const agent = durable('calls', async (ctx) => {
      const ends = [await ctx.call('double', 21), await ctx.call('broken'), await ctx.call('nobody')]
      return ends.map((end) => (end.state === 'completed' ? end.output : end.state === 'failed' ? end.failure.message : null))
    })
    await expectSteady(agent, [42, 'no use', 'This test gives no agent "nobody".'], () => ({ agents }))
  })

  test('many side by side, with a limit, each started once and in the order of the code', async () => {
    const agent = durable('fans out', async (ctx) => {
      const ends = await ctx.map([1, 2, 3, 4, 5, 6], async (inner, item) => inner.call('double', item), { concurrency: 3 })
      return ends.map((end) => (end.state === 'completed' ? end.output : null))
    })
    await expectSteady(agent, [2, 4, 6, 8, 10, 12], () => ({ agents }))
  })

  test('one may be started, kept as data, and waited for later and again', async () => {
    const agent = durable('keeps', async (ctx) => {
      const child = await ctx.step('choose', () => null).then(() => ctx.start('double', 4))
      await ctx.sleep('meanwhile', 1_000)
      const first = await ctx.waitForRun(child)
      const again = await ctx.waitForRun(child)
      return [first.state === 'completed' && first.output, again.state === 'completed' && again.output]
    })
    await expectSteady(agent, [8, 8], () => ({ agents }))
  })

  test('one that does not end in time is a TimedOut, and without a limit it is waited for', async () => {
    const agent = durable('waits', async (ctx) => {
      const child = await ctx.start('slow')
      return ctx.waitForRun(child, { timeoutMs: 5_000 }).catch((error: unknown) => (error instanceof TimedOut ? 'too slow' : 'other'))
    })
    await expectSteady(agent, 'too slow', () => ({ agents: { slow: () => undefined } }))
    const forEver = durable('waits', async (ctx) => (await ctx.call('slow')).state)
    expect(await runAgent(forEver, { agents: { slow: () => undefined } })).toMatchObject({ state: 'waiting' })
  })
})

test('a run that goes on as another leaves its code where it is, also when something tries to catch it', async () => {
  let after = 0
  const agent = durable('loops', async (ctx, input) => {
    const { count } = input as { count: number }
    await ctx.step('work', () => count)
    try {
      return await ctx.continueAs({ count: count + 1 })
    } finally {
      after++
    }
  })
  const { undisturbed, crashed } = await runWithCrashes(agent, () => ({ input: { count: 1 } }))
  expect(undisturbed).toMatchObject({ state: 'continued', output: { count: 2 } })
  for (const run of crashed) expect(run).toMatchObject({ state: 'continued', output: { count: 2 } })
  expect(after).toBe(0)
})
