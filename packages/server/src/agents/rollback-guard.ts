/** Whether a deployment must be taken back. Pure: what was counted comes in, a reason or nothing comes out. */
import type { RollbackGuard, VersionRecord } from '@longhaul/protocol'

/** 95 % on one side. */
const z = 1.645
const runsForRatios = 20

/**
 * The smallest share of failures that the counts leave likely: the lower bound of Wilson's score interval (E. B. Wilson, 1927), which
 * keeps few runs from deciding much. 0 of 0 is 0.
 */
export function leastShare(failedCount: number, runCount: number): number {
  if (runCount === 0) return 0
  const share = failedCount / runCount
  const spread = z * Math.sqrt((share * (1 - share)) / runCount + (z * z) / (4 * runCount * runCount))
  return Math.max(0, (share + (z * z) / (2 * runCount) - spread) / (1 + (z * z) / runCount))
}

/** Why `own` must go, in words for a person. Undefined while nothing speaks against it. */
export function whyRollBack(guard: RollbackGuard, own: VersionRecord, other: VersionRecord): string | undefined {
  return worseScore(guard, own, other) ?? worseRuns(guard, own, other)
}

/** An evaluation is asked for on purpose and answers at once, so its score decides alone, however few runs there were. */
function worseScore({ scoreDropMax }: RollbackGuard, own: VersionRecord, other: VersionRecord): string | undefined {
  if (scoreDropMax === undefined) return undefined
  for (const [suite, score] of Object.entries(own.scores ?? {})) {
    const before = other.scores?.[suite]
    if (!before || score.passedCount / score.caseCount >= before.passedCount / before.caseCount - scoreDropMax) continue
    return `${score.passedCount} of ${score.caseCount} cases of ${suite} passed, ${before.passedCount} of ${before.caseCount} with ${other.version}; at most ${percent(scoreDropMax)} fewer are allowed`
  }
  return undefined
}

function worseRuns(guard: RollbackGuard, own: VersionRecord, other: VersionRecord): string | undefined {
  if (own.runCount < guard.runsMin) return undefined
  const otherShare = other.runCount === 0 ? 0 : other.failedCount / other.runCount
  if (leastShare(own.failedCount, own.runCount) > otherShare + guard.failureShareMax) {
    return `${own.failedCount} of ${own.runCount} runs failed, ${other.failedCount} of ${other.runCount} with ${other.version}; at most ${percent(guard.failureShareMax)} more are allowed`
  }
  if (own.runCount < runsForRatios || other.runCount < runsForRatios) return undefined
  return (
    exceeds('median duration', 'ms', own.durationMsMedian, other.durationMsMedian, guard.durationRatioMax) ??
    exceeds('mean cost', 'USD', own.costUsdMean, other.costUsdMean, guard.costRatioMax)
  )
}

function exceeds(what: string, unit: string, own: number | null, other: number | null, ratioMax: number | undefined): string | undefined {
  if (ratioMax === undefined || own === null || other === null || own <= other * ratioMax) return undefined
  return `the ${what} is ${short(own)} ${unit}, ${short(other)} ${unit} before; at most ${ratioMax} times as much is allowed`
}

const percent = (share: number) => `${Math.round(share * 1_000) / 10} %`
const short = (value: number) => String(Number(value.toPrecision(3)))
