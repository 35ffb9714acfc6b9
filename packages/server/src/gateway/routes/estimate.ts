/** Means with their 95 % intervals, of samples that are weighted or not. Pure. */

export type Estimate = { mean: number; low: number; high: number }

const z95 = 1.96

/** The weighted mean; with weights that are one policy's chance over another's it is what the one would have had where the other chose. */
export function meanOf(values: readonly number[], weights: readonly number[]): Estimate & { parts: number[]; effective: number } {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const squares = weights.reduce((sum, weight) => sum + weight ** 2, 0)
  const mean = total === 0 ? NaN : values.reduce((sum, value, i) => sum + value * (weights[i] ?? 0), 0) / total
  const parts = values.map((value, i) => ((weights[i] ?? 0) * (value - mean)) / total)
  return { ...around(mean, parts), parts, effective: squares === 0 ? 0 : total ** 2 / squares }
}

/** Of two means over the same cases: what they share by chance is not counted twice. */
export function differenceOf(one: { mean: number; parts: readonly number[] }, other: { mean: number; parts: readonly number[] }): Estimate {
  return around(
    one.mean - other.mean,
    one.parts.map((part, i) => part - (other.parts[i] ?? 0)),
  )
}

function around(mean: number, parts: readonly number[]): Estimate {
  const error = z95 * Math.sqrt(parts.reduce((sum, part) => sum + part ** 2, 0))
  return { mean, low: mean - error, high: mean + error }
}
