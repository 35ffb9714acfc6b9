/** What will be used, by what was used on whole days before. Pure; amounts are whole. */

/** A day that has ended. `weekday`: 1 to 7. */
export type PastDay = { weekday: number; amount: number }
/** A stretch of a day to come. `share`: of its day, above 0 up to 1. */
export type Stretch = { weekday: number; share: number; startMs: number; endMs: number }
export type Band = { expected: number; low: number; high: number }

export type Outlook = {
  method: 'weekdays' | 'days' | 'none'
  /** Of each stretch; none without a method. */
  each: Band[]
  /** Of each stretch with all before it. */
  sums: Band[]
}

/** Fewer whole days say nothing of those to come. */
const daysMin = 3
/** From here on each weekday has been seen twice. */
const weekdaysMin = 14

/**
 * Each day is expected to be as the mean of the days of its kind: of its weekday, or of all where there are fewer than two weeks. How far the days lay from
 * their means says within what a sum falls four times out of five, the error of the means themselves included.
 */
export function foresee(history: readonly PastDay[], stretches: readonly Stretch[]): Outlook {
  if (history.length < daysMin) return { method: 'none', each: [], sums: [] }
  const isWeekly = history.length >= weekdaysMin
  const kindOf = ({ weekday }: { weekday: number }) => (isWeekly ? weekday : 0)
  const kinds = new Map<number, { sum: number; count: number }>()
  for (const day of history) {
    const kind = kinds.get(kindOf(day)) ?? { sum: 0, count: 0 }
    kinds.set(kindOf(day), { sum: kind.sum + day.amount, count: kind.count + 1 })
  }
  const meanOf = (kind: number) => {
    const { sum, count } = kinds.get(kind) ?? { sum: 0, count: 1 }
    return sum / count
  }
  const freedom = history.length - kinds.size
  const variance = history.reduce((sum, day) => sum + (day.amount - meanOf(kindOf(day))) ** 2, 0) / freedom
  const reach = (parts: readonly Stretch[]): Band => {
    const shares = new Map<number, number>()
    for (const part of parts) shares.set(kindOf(part), (shares.get(kindOf(part)) ?? 0) + part.share)
    let [expected, spread] = [0, 0]
    for (const [kind, share] of shares) {
      expected += share * meanOf(kind)
      spread += share + share ** 2 / (kinds.get(kind)?.count ?? 1)
    }
    const margin = ninetieth(freedom) * Math.sqrt(variance * spread)
    return { expected: Math.round(expected), low: Math.round(Math.max(0, expected - margin)), high: Math.round(expected + margin) }
  }
  return {
    method: isWeekly ? 'weekdays' : 'days',
    each: stretches.map((stretch) => reach([stretch])),
    sums: stretches.map((_, n) => reach(stretches.slice(0, n + 1))),
  }
}

/** The 90th percentile of Student's t, by its expansion around the normal one: 3 % too low with one degree of freedom less than there can be here, exact with many. */
function ninetieth(freedom: number): number {
  const z = 1.2816
  return z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2)
}

/** When `spent` and what is foreseen come to the limit, each stretch being used evenly; undefined: not within the stretches. */
export function reachedMs(limit: number, spent: number, stretches: readonly Stretch[], sums: readonly number[]): number | undefined {
  let before = spent
  for (const [n, { startMs, endMs }] of stretches.entries()) {
    const after = Math.max(before, spent + (sums[n] ?? 0))
    if (after >= limit) return before >= limit ? startMs : Math.round(startMs + ((limit - before) / (after - before)) * (endMs - startMs))
    before = after
  }
  return undefined
}
