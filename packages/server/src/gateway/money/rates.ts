/** What tokens cost. Rates are dollars for a million tokens, as vendors publish them; amounts are whole nanodollars, so that sums are exact. */
import { type TokenBuckets, inputOf } from './buckets.ts'

/** A bucket without a rate of its own costs what plain input or plain output costs. */
export type Rates = { input: number; output: number } & { [Bucket in Exclude<keyof TokenBuckets, 'input' | 'output'>]?: number | undefined }

export type Price = Rates & {
  /** Counts from this day (UTC) on; absent: since the model came out. */
  since?: string | undefined
  /** Rates of a whole call whose input is longer than `inputAbove` tokens. */
  long?: (Rates & { inputAbove: number }) | undefined
}

const inputBuckets = ['input', 'cacheRead', 'cacheWrite', 'cacheWriteLong', 'inputAudio', 'inputImage'] as const
const outputBuckets = ['output', 'reasoning', 'outputAudio', 'outputImage'] as const

/** A dollar for a million tokens is a thousand nanodollars for each. */
const perToken = 1_000

/** Nanodollars, rounded to the nearest: a tenth of a cent in a million calls at most. */
export function costOf(price: Price, tokens: TokenBuckets): number {
  const rates = price.long && inputOf(tokens) > price.long.inputAbove ? price.long : price
  let cost = 0
  for (const bucket of inputBuckets) cost += tokens[bucket] * (rates[bucket] ?? rates.input)
  for (const bucket of outputBuckets) cost += tokens[bucket] * (rates[bucket] ?? rates.output)
  return Math.round(cost * perToken)
}

/**
 * The most that a call can cost whose input is at most this long: `fixed` for its input, `perOutputToken` for each token of its answer,
 * both in nanodollars and not rounded. Whatever bucket a token falls into, and on whichever side of a long prompt's limit.
 */
export function worstCost(price: Price, inputTokensMax: number): { fixed: number; perOutputToken: number } {
  const possible = price.long && inputTokensMax > price.long.inputAbove ? [price, price.long] : [price]
  const most = (buckets: readonly (keyof Rates)[], plain: 'input' | 'output') =>
    Math.max(...possible.flatMap((rates) => buckets.map((bucket) => rates[bucket] ?? rates[plain])))
  return { fixed: inputTokensMax * most(inputBuckets, 'input') * perToken, perOutputToken: most(outputBuckets, 'output') * perToken }
}

export const usdOf = (nanodollars: number): number => nanodollars / 1e9
export const nanodollarsOf = (usd: number): number => Math.round(usd * 1e9)
