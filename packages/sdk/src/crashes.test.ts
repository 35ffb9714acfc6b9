/** Random programs, killed at every point: what comes out is what comes out undisturbed. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Context, type DurableFunction, StepFailed, TerminalFailure, TimedOut, durable } from './agent.ts'
import { runAgent, runWithCrashes } from './testing.ts'

type Instruction =
  | { do: 'step'; fails: number; isTerminal: boolean }
  | { do: 'write' }
  | { do: 'sleep'; ms: number }
  | { do: 'signal'; comes: boolean }
  | { do: 'approval' }
  | { do: 'exec' }
  | { do: 'pause' }
  | { do: 'all'; branches: Instruction[][] }
  | { do: 'race'; lanes: Instruction[][] }
  | { do: 'any'; branches: Instruction[][] }
  | { do: 'settled'; branches: Instruction[][] }
  | { do: 'map'; branches: Instruction[][]; concurrency: number }
  | { do: 'call'; fails: boolean }

const { program } = fc.letrec<{ program: Instruction[]; instruction: Instruction; simple: Instruction[] }>((tie) => ({
  program: fc.array(tie('instruction'), { maxLength: 5 }),
  simple: fc.array(tie('instruction'), { maxLength: 3 }),
  instruction: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'program' },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('step' as const), fails: fc.integer({ min: 0, max: 4 }), isTerminal: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('write' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('sleep' as const), ms: fc.integer({ min: 0, max: 10_000 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('signal' as const), comes: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('approval' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('exec' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('pause' as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('all' as const), branches: fc.array(tie('simple'), { minLength: 1, maxLength: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('call' as const), fails: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('any' as const), branches: fc.array(tie('simple'), { minLength: 1, maxLength: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('settled' as const), branches: fc.array(tie('simple'), { minLength: 1, maxLength: 3 }) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('map' as const),
        branches: fc.array(tie('simple'), { maxLength: 5 }),
        concurrency: fc.integer({ min: 1, max: 3 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('race' as const), lanes: fc.array(tie('simple'), { minLength: 1, maxLength: 3 }) }) },
  ),
}))

/** The program as an author would write it. Its output tells everything that it was given. */
async function execute(ctx: Context, instructions: Instruction[]): Promise<string[]> {
  const seen: string[] = []
  for (const [index, instruction] of instructions.entries()) {
    switch (instruction.do) {
      case 'step': {
        const work = (attempt: number) => {
          if (attempt > instruction.fails) return `done in ${attempt}`
          throw instruction.isTerminal ? new TerminalFailure('terminal') : new Error(`attempt ${attempt}`)
        }
        seen.push(
          await ctx
            .step(`step ${index}`, index % 2 ? work : async (attempt) => work(attempt), { retry: { attemptsMax: 3 } })
            .catch((error: unknown) => `failed: ${String(error instanceof StepFailed && error.message)}`),
        )
        break
      }
      case 'write':
        seen.push(await ctx.step(`write ${index}`, () => 'written', { effect: 'write', check: () => ({ isDone: true, result: 'written' }) }))
        break
      case 'sleep':
        await ctx.sleep(`sleep ${index}`, instruction.ms)
        break
      case 'signal':
        seen.push(
          await ctx
            .waitForSignal(instruction.comes ? 'comes' : 'never', { timeoutMs: 100 })
            .then(String, (error: unknown) => `timed out: ${error instanceof TimedOut}`),
        )
        break
      case 'approval':
        seen.push(JSON.stringify(await ctx.approval(`approve ${index}`)))
        break
      case 'exec':
        seen.push((await ctx.sandbox.exec({ cmd: 'echo', args: [`${index}`] })).stdout)
        break
      case 'pause':
        await null
        break
      case 'all':
        seen.push(...(await ctx.all(instruction.branches.map((branch) => (inner) => execute(inner, branch)))).flat())
        break
      case 'call': {
        const end = await ctx.call('child', { fails: instruction.fails, index })
        seen.push(end.state === 'completed' ? String(end.output) : `child ${end.state}`)
        break
      }
      case 'any':
        seen.push(...(await ctx.any(instruction.branches.map((branch) => (inner: Context) => execute(inner, branch)))))
        break
      case 'settled':
        seen.push(JSON.stringify(await ctx.allSettled(instruction.branches.map((branch) => (inner: Context) => execute(inner, branch)))))
        break
      case 'map':
        seen.push(...(await ctx.map(instruction.branches, (inner, branch) => execute(inner, branch), { concurrency: instruction.concurrency })).flat())
        break
      case 'race':
        // Lanes that go on in one scope after the first has won: what they ask must be numbered alike every time.
        seen.push(...(await Promise.race(instruction.lanes.map((lane) => execute(ctx, lane)))))
    }
  }
  return seen
}

const hasRace = (instructions: Instruction[]): boolean =>
  instructions.some((one) => one.do === 'race' || one.do === 'any' || ('branches' in one && one.branches.some(hasRace)))
const agentOf = (instructions: Instruction[]): DurableFunction => durable('random', async (ctx) => execute(ctx, instructions))

/** A small generator of its own per run, so that the order in which operations end is random but can be repeated. */
const picker = (seed: number) => {
  let state = seed
  return (count: number) => (state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) % Math.max(1, count)
}
function pretendedChild(input: unknown): string {
  const { fails, index } = input as { fails: boolean; index: number }
  if (fails) throw new TerminalFailure('the child has failed')
  return `child of ${index}`
}
/** The same, as a run that crashes on its own. */
const childAgent = durable('child', async (ctx, input) => {
  const [step, waited] = await ctx.all([
    (inner) => inner.step('work', () => pretendedChild(input), { retry: { attemptsMax: 1 } }).catch(() => undefined),
    (inner) => inner.sleep('a moment', 10).then(() => 'waited'),
  ])
  if (step === undefined) throw new TerminalFailure(`the child has failed and ${waited}`)
  return step
})
const optionsOf = (seed: number) => ({
  signals: { comes: Array.from({ length: 50 }, () => 'came') },
  exec: () => ({ stdout: 'out' }),
  agents: { child: seed % 3 === 0 ? { agent: childAgent } : pretendedChild },
  pick: picker(seed),
  releasesWhenIdle: seed % 2 === 0,
})

test('a run killed around any of its facts ends as it does undisturbed', async () => {
  let pointCount = 0
  await fc.assert(
    fc.asyncProperty(
      program.filter((instructions) => !hasRace(instructions)),
      fc.nat(1_000),
      async (instructions, seed) => {
        const { undisturbed, crashed } = await runWithCrashes(agentOf(instructions), () => optionsOf(seed))
        expect(undisturbed.state).toBe('completed')
        for (const run of crashed) {
          pointCount++
          expect({ crash: run.crash, state: run.state, output: run.output }).toEqual({ crash: run.crash, state: 'completed', output: undisturbed.output })
        }
      },
    ),
    { numRuns: 30 },
  )
  expect(pointCount).toBeGreaterThan(200)
})

test('a run whose whole history is replayed comes to the same end without recording anything, races and all', async () => {
  let raceCount = 0
  await fc.assert(
    fc.asyncProperty(program, fc.nat(1_000), async (instructions, seed) => {
      if (hasRace(instructions)) raceCount++
      const first = await runAgent(agentOf(instructions), optionsOf(seed))
      expect(first.state).toBe('completed')
      const again = await runAgent(agentOf(instructions), { ...optionsOf(seed + 1), history: first.history })
      expect({ state: again.state, output: again.output, divergence: again.divergence }).toEqual({
        state: 'completed',
        output: first.output,
        divergence: undefined,
      })
    }),
    { numRuns: 150 },
  )
  expect(raceCount).toBeGreaterThan(20)
})

test('a run that is killed with a race in it goes on without diverging', async () => {
  await fc.assert(
    fc.asyncProperty(program.filter(hasRace), fc.nat(1_000), async (instructions, seed) => {
      const { crashed } = await runWithCrashes(agentOf(instructions), () => optionsOf(seed))
      for (const run of crashed)
        expect({ crash: run.crash, state: run.state, divergence: run.divergence }).toEqual({ crash: run.crash, state: 'completed', divergence: undefined })
    }),
    { numRuns: 8 },
  )
})
