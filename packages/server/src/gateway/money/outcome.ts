import type { TokenBuckets } from './buckets.ts'
import type { Outcome } from './call.ts'

/** Failures of calls that reached no model, or were turned away by it: nothing is billed. Those of `provider_error` that had begun to answer are not among them. */
const neverHappened: ReadonlySet<string> = new Set([
  'unknown_model',
  'empty_prompt',
  'broken_prefix',
  'key_refused',
  'not_allowed',
  'no_credit',
  'no_such_model',
  'bad_request',
  'too_long',
  'redirected',
  'not_a_model_server',
  'untrusted',
  'rate_limited',
  'unreachable',
])

/** What came was the model's own doing, and of no use. */
const notAnswers: ReadonlySet<string> = new Set(['bad_reply', 'empty_reply', 'cut_off', 'not_as_asked'])

/** How a failed call is settled: by what the provider still said it used, as nothing when it never happened, else as an estimate from what had come. */
export function outcomeOfFailure(code: string | undefined, { tokens, outputBytes }: { tokens: TokenBuckets | undefined; outputBytes: number }): Outcome {
  const verdict = notAnswers.has(code ?? '') ? 'misfits' : undefined
  if (tokens) return { type: 'used', tokens, isFailed: true, verdict }
  if (outputBytes === 0 && (neverHappened.has(code ?? '') || code === 'provider_error')) return { type: 'never-happened' }
  return { type: 'unknown', outputBytes, verdict }
}
