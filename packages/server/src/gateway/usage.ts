import type { LanguageModelV4Usage } from '@ai-sdk/provider'
import type { Usage } from '@longhaul/protocol'
import { type TokenBuckets, type UsageDialect, noTokens, readUsage } from './money/index.ts'
import { costUsd } from './prices.ts'
import type { ProviderName } from './providers.ts'

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

const dialects: Record<ProviderName, UsageDialect | undefined> = {
  openai: 'openai-responses',
  anthropic: 'anthropic',
  google: 'google',
  compatible: 'openai-chat',
  offline: undefined,
}

/** The provider's own report where it is kept, since it knows more kinds of tokens; else the package's reading of it. */
export function toBuckets(provider: ProviderName, reported: LanguageModelV4Usage | undefined): TokenBuckets | undefined {
  const dialect = dialects[provider]
  const read = dialect && readUsage(dialect, reported?.raw)
  if (read) return read
  const [input, output] = [count(reported?.inputTokens.total), count(reported?.outputTokens.total)]
  if (input === undefined || output === undefined) return provider === 'offline' ? noTokens : undefined
  const cacheRead = Math.min(input, count(reported?.inputTokens.cacheRead) ?? 0)
  const cacheWrite = Math.min(input - cacheRead, count(reported?.inputTokens.cacheWrite) ?? 0)
  const reasoning = Math.min(output, count(reported?.outputTokens.reasoning) ?? 0)
  return { ...noTokens, input: input - cacheRead - cacheWrite, cacheRead, cacheWrite, output: output - reasoning, reasoning }
}

const count = (value: number | undefined) => (Number.isSafeInteger(value) && value! >= 0 && value! <= tokensMax ? value : undefined) // A safe integer is a number.

function sum(first: number | undefined, ...rest: (number | undefined)[]): number | undefined {
  const head = count(first)
  return head === undefined ? undefined : rest.reduce<number>((total, part) => total + (count(part) ?? 0), head)
}
