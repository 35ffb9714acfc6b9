/** What a run of the loop has used, and how much it may. */
import type { Usage } from '@longhaul/protocol'
import { StepFailed } from './agent.ts'
import { failure } from './failure.ts'

export type Spending = {
  readonly usage: Usage
  add(more: Usage): void
  /** A subagent ended without telling what it used: it counts as all it was given. */
  charge(costUsd: number): void
  /** Throws when a model may not be asked any more. */
  assertMayAsk(): void
  /** What each of so many subagents may spend. One share stays here, for the answer. Undefined without a limit. */
  shareAmong(count: number): number | undefined
}

export function createSpending(limits: readonly (number | undefined)[]): Spending {
  const maxUsd = limits.reduce<number | undefined>((least, one) => (one === undefined ? least : Math.min(one, least ?? Infinity)), undefined)
  const usage: Usage = { input: 0, cachedInput: 0, output: 0, costUsd: 0 }
  let chargedUsd = 0
  const leftUsd = () => (maxUsd === undefined ? undefined : maxUsd - (usage.costUsd ?? 0) - chargedUsd)
  return {
    usage,
    add(more) {
      usage.input += more.input
      usage.cachedInput += more.cachedInput
      usage.output += more.output
      // One call without a known price makes the sum unknown.
      usage.costUsd = usage.costUsd === null || more.costUsd === null ? null : usage.costUsd + more.costUsd
    },
    charge: (costUsd) => void (chargedUsd += costUsd),
    assertMayAsk() {
      if (maxUsd === undefined) return
      if (usage.costUsd === null)
        throw new StepFailed(failure('unpriced_model', `This run may cost $${maxUsd} (costUsdMax), and a model that it asked has no known price.`))
      if ((leftUsd() ?? 0) <= 0)
        throw new StepFailed(
          failure('cost_max', `This run may cost $${maxUsd} (costUsdMax), and has cost $${round(usage.costUsd + chargedUsd)} without coming to its answer.`),
        )
    },
    shareAmong(count) {
      const left = leftUsd()
      return left === undefined ? undefined : Math.max(0, left) / (count + 1)
    },
  }
}

const round = (usd: number): number => Math.round(usd * 1e6) / 1e6
