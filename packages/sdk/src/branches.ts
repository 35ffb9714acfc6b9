/**
 * Code that runs side by side in one run. Each branch numbers what it asks in a scope of its own, and results come in the order in which they were
 * recorded; so which branch is first, and which work is begun next, come out the same on every replay.
 */
import { type Context, TerminalFailure } from './agent.ts'
import { type Execution, never } from './execution.ts'
import type { Scope } from './operation.ts'
import { currentStep } from './surroundings.ts'

export type Branch<Result> = (ctx: Context) => Promise<Result>

/** Makes the contexts of the branches of one call. `close` ends them: what their code asks from then on is not answered. */
export type Branching = { enter(index: number): Context; close(): void }

type BranchesOptions = { execution: Execution; scope: Scope; makeContext(scope: Scope): Context }

const concurrencyMax = 1_000

export function createBranches({ execution, scope, makeContext }: BranchesOptions) {
  /** Undefined when the run is over, or the code that asks is in a branch that was closed. */
  function open(what: string): Branching | undefined {
    const step = currentStep(execution.id)
    if (step !== undefined)
      throw new TerminalFailure(`${what}() was called inside the step ${JSON.stringify(step)}. A step is recorded as a whole: use the context outside of it.`)
    if (execution.isOver || scope.isClosed()) return undefined
    const path = execution.takePath(scope)
    let isClosed = false
    return {
      enter: (index) => makeContext({ prefix: nested(`${path}.${index}.`), next: 0, tool: scope.tool, isClosed: () => isClosed || scope.isClosed() }),
      close: () => void (isClosed = true),
    }
  }

  const start = <Result>({ enter }: Branching, branch: Branch<Result>, index: number): Promise<Result> => (async () => branch(enter(index)))()

  async function all(branches: readonly Branch<unknown>[]): Promise<unknown[]> {
    const branching = open('all')
    if (!branching) return never()
    return valuesOf(await Promise.allSettled(branches.map((branch, index) => start(branching, branch, index))))
  }

  async function allSettled(branches: readonly Branch<unknown>[]): Promise<PromiseSettledResult<unknown>[]> {
    const branching = open('allSettled')
    if (!branching) return never()
    return Promise.allSettled(branches.map((branch, index) => start(branching, branch, index)))
  }

  async function anyOf(branches: readonly Branch<unknown>[]): Promise<unknown> {
    if (branches.length === 0) throw new TerminalFailure('any() needs at least one branch.')
    const branching = open('any')
    if (!branching) return never()
    try {
      return await Promise.any(branches.map((branch, index) => start(branching, branch, index).then((value) => (branching.close(), value))))
    } catch (error) {
      const reasons: unknown[] = error instanceof AggregateError ? error.errors : [error]
      const said = reasons.map((reason) => (reason instanceof Error ? reason.message : String(reason))).join('; ')
      throw new AggregateError(reasons, `Each of ${branches.length} branches has failed: ${said}`, { cause: error })
    }
  }

  async function map<Item, Result>(
    items: readonly Item[],
    work: (ctx: Context, item: Item, index: number) => Promise<Result>,
    { concurrency = 10 }: { concurrency?: number } = {},
  ): Promise<Result[]> {
    if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > concurrencyMax)
      throw new TerminalFailure(`The concurrency of map() is a whole number from 1 to ${concurrencyMax}, not ${concurrency}.`)
    const branching = open('map')
    if (!branching) return never()
    const settled: PromiseSettledResult<Result>[] = []
    let next = 0
    let hasFailed = false
    const lane = async (): Promise<void> => {
      while (next < items.length && !hasFailed) {
        const index = next++
        const item = items[index] as Item // Below the length.
        await start(branching, (ctx) => work(ctx, item, index), index).then(
          (value) => (settled[index] = { status: 'fulfilled', value }),
          (reason: unknown) => {
            hasFailed = true
            settled[index] = { status: 'rejected', reason }
          },
        )
      }
    }
    await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, lane))
    return valuesOf(settled)
  }

  return { all, allSettled, anyOf, map }
}

/** Rejects with the first failure in the order of the branches, so that it does not depend on which came to its end first. */
function valuesOf<Value>(settled: readonly PromiseSettledResult<Value>[]): Value[] {
  return settled.map((branch) => {
    if (branch.status === 'rejected') throw branch.reason
    return branch.value
  })
}

const scopeDepthMax = 8

/** Paths have ten numbers at most. */
export function nested(prefix: string): string {
  if (prefix.split('.').length - 1 > scopeDepthMax + 1) throw new TerminalFailure('Branches and tool calls are nested too deeply.')
  return prefix
}
