/** What one attempt used, and what is booked of it. */
import { type Outcome, type TokenBuckets, outputOf } from '../money/index.ts'

/** About four bytes make a token. Good enough to answer how long a prompt is, and to book a call whose provider said nothing. */
export const tokensOfBytes = (bytes: number): number => Math.ceil(bytes / 4)

export type Spent = {
  /** The request has reached a provider, or the stand-in: from here on it may cost something. */
  isSent: boolean
  /** The provider answered with a refusal, which costs nothing. */
  isRefused: boolean
  /** As the provider told it, so far. */
  tokens: TokenBuckets | undefined
  /** How much of an answer has come, about. */
  outputBytes: number
  /** The answer came to its end, although it was thrown away. */
  isWhole?: boolean
  /** Whether the answer was what was asked for, where that was checked. */
  verdict?: 'fits' | 'misfits'
}

export const nothingSpent = (): Spent => ({ isSent: false, isRefused: false, tokens: undefined, outputBytes: 0 })

/** What becomes of the reservation of an attempt. */
export type { Outcome }

export function outcomeOf(spent: Spent, isComplete: boolean): Outcome {
  const { tokens, outputBytes, verdict } = spent
  if (!spent.isSent || spent.isRefused) return { type: 'never-happened' }
  if (tokens && (isComplete || spent.isWhole)) return { type: 'used', tokens, verdict }
  if (!tokens) return { type: 'unknown', outputBytes, verdict }
  // Anthropic counts the input when it begins and the output when it ends: of an answer that broke off, the second is missing.
  const seen = Math.max(0, tokensOfBytes(outputBytes) - outputOf(tokens))
  return { type: 'used', tokens: { ...tokens, output: tokens.output + seen }, isFailed: true, verdict }
}
