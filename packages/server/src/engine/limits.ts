/** Limits on what may run at once and begin in a time: which of them a lane is under, and their token buckets. Pure. */
import type { Scope } from './lanes.ts'

/** An empty name covers all; the lane key `*` covers each lane key by itself. */
export type Limit = Scope & { id: string; runningMax: number | null; startsPerSecond: number | null; startsPerMinute: number | null }

export const covers = (over: Scope, scope: Scope): boolean =>
  over.tenantId === scope.tenantId &&
  (over.namespace === '' || over.namespace === scope.namespace) &&
  (over.agent === '' || over.agent === scope.agent) &&
  (over.laneKey === '' || over.laneKey === scope.laneKey || (over.laneKey === '*' && scope.laneKey !== ''))

/** What a lane is counted with under this limit: with nobody else for `*`. */
export const groupOf = (limit: Limit, scope: Scope): string => (limit.laneKey === '*' ? scope.laneKey : '')

/** Holds as many starts as the limit allows in its time, and fills evenly: no more than twice the limit begin in any such time. */
export type Bucket = { second: number; minute: number; atMs: number }

export const fullBucket = ({ startsPerSecond, startsPerMinute }: Limit, nowMs: number): Bucket => ({
  second: Math.max(1, startsPerSecond ?? 0),
  minute: Math.max(1, startsPerMinute ?? 0),
  atMs: nowMs,
})

/** The bucket as it is now. A limit that was lowered meanwhile spills what is too much. */
export function refill(limit: Limit, bucket: Bucket, nowMs: number): Bucket {
  const full = fullBucket(limit, nowMs)
  const passedMs = Math.max(0, nowMs - bucket.atMs)
  return {
    second: Math.min(full.second, bucket.second + ((limit.startsPerSecond ?? 0) * passedMs) / 1_000),
    minute: Math.min(full.minute, bucket.minute + ((limit.startsPerMinute ?? 0) * passedMs) / 60_000),
    atMs: Math.max(nowMs, bucket.atMs),
  }
}

/** Starts that the bucket has, null when the limit is not on starts. */
export function startsIn({ startsPerSecond, startsPerMinute }: Limit, { second, minute }: Bucket): number | null {
  if (startsPerSecond === null && startsPerMinute === null) return null
  return Math.floor(Math.min(startsPerSecond === null ? Infinity : second, startsPerMinute === null ? Infinity : minute))
}

export const spend = ({ second, minute, atMs }: Bucket, count: number): Bucket => ({ second: second - count, minute: minute - count, atMs })

/** Milliseconds until the bucket has a start again. */
export function refilledInMs({ startsPerSecond, startsPerMinute }: Limit, { second, minute }: Bucket): number {
  const until = (perMs: number | null, tokens: number) => (perMs === null || tokens >= 1 ? 0 : (1 - tokens) / perMs)
  return Math.max(until(startsPerSecond && startsPerSecond / 1_000, second), until(startsPerMinute && startsPerMinute / 60_000, minute))
}
