import type { Failure, RetryPolicy } from '@longhaul/protocol'

/** For steps that the server executes, unless the asker says otherwise: half a second to half a minute, about a minute in all. */
export const defaultRetry: RetryPolicy = { attemptsMax: 5, delayMsMin: 500, delayMsMax: 30_000 }

/** How long to wait before the next try, or null when there is none. Pure: the caller brings the dice. Full backoff with half of it random, so that many that failed together do not come back together. A pause that the failure itself asks for is kept. */
export function retryDelayMs(attempt: number, failure: Failure, policy: RetryPolicy, random: () => number): number | null {
  if (!failure.retryable || attempt >= policy.attemptsMax) return null
  const backoffMs = Math.min(policy.delayMsMax, policy.delayMsMin * 2 ** (attempt - 1))
  return Math.max(failure.retryAfterMs ?? 0, Math.round(backoffMs * (0.5 + random() / 2)))
}
