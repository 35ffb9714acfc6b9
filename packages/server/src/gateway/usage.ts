import type { LanguageModelV4Usage } from '@ai-sdk/provider'
import type { Usage } from '@longhaul/protocol'
import { costUsd } from './prices.ts'

/** More tokens than any call can use: a count above it is a fault of the provider. */
const tokensMax = 1_000_000_000

/**
 * Providers' counts in our terms: `input` includes what came from the cache, `output` includes reasoning. A count that is
 * missing, negative or absurd is recorded as 0 and makes the cost unknown, so that it is never understated as money.
 */
export function toUsage(model: string, reported: LanguageModelV4Usage | undefined, at: Date): Usage {
  const { inputTokens, outputTokens } = reported ?? {}
  const input = count(inputTokens?.total) ?? sum(inputTokens?.noCache, inputTokens?.cacheRead, inputTokens?.cacheWrite)
  const output = count(outputTokens?.total) ?? sum(outputTokens?.text, outputTokens?.reasoning)
  const cachedInput = Math.min(count(inputTokens?.cacheRead) ?? 0, input ?? 0)
  const cacheWrite = Math.min(count(inputTokens?.cacheWrite) ?? 0, (input ?? 0) - cachedInput)
  const isKnown = input !== undefined && output !== undefined
  return {
    input: input ?? 0,
    cachedInput,
    output: output ?? 0,
    costUsd: isKnown || model.startsWith('offline/') ? costUsd(model, { input: input ?? 0, cachedInput, cacheWrite, output: output ?? 0 }, at) : null,
  }
}

const count = (value: number | undefined) => (Number.isSafeInteger(value) && value! >= 0 && value! <= tokensMax ? value : undefined) // A safe integer is a number.

function sum(first: number | undefined, ...rest: (number | undefined)[]): number | undefined {
  const head = count(first)
  return head === undefined ? undefined : rest.reduce<number>((total, part) => total + (count(part) ?? 0), head)
}
