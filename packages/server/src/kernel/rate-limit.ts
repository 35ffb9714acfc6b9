/** How often a key may ask: a bucket that fills evenly and holds some seconds' worth, so that a page that loads much at once is no offence. */
import { monotonicMs } from './clock.ts'

export type Taken = { isAllowed: boolean; isFirstRefusal: boolean; headers: Record<string, string>; retryAfterS: number }
export type RateLimit = {
  perMinute: number
  /** `perMinute`: for keys that have one of their own. */
  take(keyId: string, perMinute?: number): Taken
}

type Bucket = { level: number; at: number; refusedAt: number }

const keptMax = 20_000
const noteEveryMs = 60_000

/** Counts on this node alone. `now` is a monotonic clock in milliseconds; a full bucket holds what fills in `holdsS`. */
export function openRateLimit(perMinuteOfAll: number, now: () => number = monotonicMs, holdsS = 10): RateLimit {
  const buckets = new Map<string, Bucket>()
  return {
    perMinute: perMinuteOfAll,
    take(keyId, perMinute = perMinuteOfAll) {
      const capacity = Math.max(1, Math.ceil((perMinute * holdsS) / 60))
      const perMs = perMinute / 60_000
      const at = now()
      const found = buckets.get(keyId) ?? { level: capacity, at, refusedAt: -Infinity }
      const level = Math.min(capacity, found.level + (at - found.at) * perMs)
      const isAllowed = level >= 1
      const isFirstRefusal = !isAllowed && at - found.refusedAt > noteEveryMs
      const left = isAllowed ? level - 1 : level
      buckets.delete(keyId) // And back at the end, as the one used last.
      buckets.set(keyId, { level: left, at, refusedAt: isFirstRefusal ? at : found.refusedAt })
      if (buckets.size > keptMax) for (const [oldest] of buckets.entries().take(1)) buckets.delete(oldest)
      const retryAfterS = Math.max(1, Math.ceil((1 - left) / perMs / 1_000))
      const resetS = Math.ceil((capacity - left) / perMs / 1_000)
      return {
        isAllowed,
        isFirstRefusal,
        retryAfterS,
        headers: { 'ratelimit-limit': String(perMinute), 'ratelimit-remaining': String(Math.floor(left)), 'ratelimit-reset': String(resetS) },
      }
    },
  }
}
