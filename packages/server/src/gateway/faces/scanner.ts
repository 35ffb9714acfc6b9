/** Watches a provider's stream as it passes: where it ends, what it used, whether it failed. What it need not understand it does not read. */
import type { TokenBuckets } from '../money/index.ts'

export type Seen =
  /** Words, calls, or anything unknown: passed on as it is, or as `instead`. */
  | { type: 'content'; instead?: Buffer }
  /** Says only that an answer will come, or nothing at all. */
  | { type: 'preamble'; instead?: Buffer }
  /** Not for this caller, who did not ask for it. */
  | { type: 'hidden' }
  /** The provider failed in the middle. `error` is its own object. */
  | { type: 'error'; error: unknown }

export type Scanner = {
  see(event: Buffer): Seen
  /** The provider's own sign of completion has come. */
  isComplete(): boolean
  tokens(): TokenBuckets | undefined
}

export function parseData(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined // An object that is no array.
  } catch {
    return undefined // Not for us to judge: the client reads it as it came.
  }
}

/** Whether an event holds nothing but comments. */
export const isComment = (event: Buffer): boolean => event[0] === 0x3a && !event.includes('data:')
