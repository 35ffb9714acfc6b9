/** What a provider says that a call used: as the journal keeps it, and in the buckets that are booked. */
import type { LanguageModelV4Usage } from '@ai-sdk/provider'
import type { Usage } from '@longhaul/protocol'
import { type TokenBuckets, type UsageDialect, catalogueCostUsd, inputOf, noTokens, outputOf, readUsage } from './money/index.ts'

/** More tokens than any call can use: a count above it is a fault of the provider. */
const tokensMax = 1_000_000_000

/** The report of each provider's package. All others answer in OpenAI's chat completions. */
const dialects: Record<string, UsageDialect> = { openai: 'openai-responses', anthropic: 'anthropic', google: 'google' }

/**
 * `input` includes what came from the cache, `output` includes reasoning. A count that is missing or cannot be is recorded as 0 and makes the cost unknown, so
 * that it is never understated as money. The cost is by the catalogue that the program brings along; whoever books the call knows better prices.
 */
export function toUsage(model: string, reported: LanguageModelV4Usage | undefined, at: Date): Usage {
  const tokens = toBuckets(model.slice(0, model.indexOf('/')), reported)
  if (!tokens) return { input: count(reported?.inputTokens.total) ?? 0, cachedInput: 0, output: count(reported?.outputTokens.total) ?? 0, costUsd: null }
  return { input: inputOf(tokens), cachedInput: tokens.cacheRead, output: outputOf(tokens), costUsd: catalogueCostUsd(model, tokens, at) }
}

/** The provider's own report where it is kept, since it knows more kinds of tokens; else the package's reading of it. */
export function toBuckets(provider: string, reported: LanguageModelV4Usage | undefined): TokenBuckets | undefined {
  const read = readUsage((Object.hasOwn(dialects, provider) && dialects[provider]) || 'openai-chat', reported?.raw)
  if (read) return read
  const { inputTokens, outputTokens } = reported ?? {}
  const input = count(inputTokens?.total) ?? sum(inputTokens?.noCache, inputTokens?.cacheRead, inputTokens?.cacheWrite)
  const output = count(outputTokens?.total) ?? sum(outputTokens?.text, outputTokens?.reasoning)
  if (input === undefined || output === undefined) return provider === 'offline' ? noTokens : undefined
  const cacheRead = Math.min(input, count(inputTokens?.cacheRead) ?? 0)
  const cacheWrite = Math.min(input - cacheRead, count(inputTokens?.cacheWrite) ?? 0)
  const reasoning = Math.min(output, count(outputTokens?.reasoning) ?? 0)
  return { ...noTokens, input: input - cacheRead - cacheWrite, cacheRead, cacheWrite, output: output - reasoning, reasoning }
}

const count = (value: number | undefined) => (Number.isSafeInteger(value) && value! >= 0 && value! <= tokensMax ? value : undefined) // A safe integer is a number.

function sum(first: number | undefined, ...rest: (number | undefined)[]): number | undefined {
  const head = count(first)
  return head === undefined ? undefined : rest.reduce<number>((total, part) => total + (count(part) ?? 0), head)
}
