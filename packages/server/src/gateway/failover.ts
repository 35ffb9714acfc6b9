/** One call over the targets that could answer it. The only place that tries anything again. */
import type { Failure } from '@longhaul/protocol'
import { type Cancellation, StepFailure, random, sleep } from '../kernel/index.ts'
import type { Health } from './health.ts'
import type { CallContext } from './providers.ts'

/** A provider's model that may answer. */
export type Target = CallContext

/** `place`: the target's among those that may be asked. */
export type Attempt = { target: Target; key: string; number: number; place: number }

export type FailoverOptions<Result> = {
  health: Health
  /** What the caller asked for: calls of one name share a budget of repeats. */
  name: string
  /** Whether the same target may be asked again. Inside a run it may not: the engine's retry policy is the loop there. */
  mayRepeat: boolean
  signal: Cancellation
  /**
   * One request. Throws a `StepFailure` while nothing has been given to the caller; from then on it returns, whatever happens, and
   * `cutBy` says what broke the answer off.
   */
  attempt(attempt: Attempt): Promise<Result & { cutBy?: Failure | undefined }>
  onFailed?(attempt: Attempt, failure: Failure): void
}

/** A pause that a provider asks for is waited for here when it is no longer; otherwise the caller is told of it. */
const pauseMsMax = 2_000
const repeatsMax = 2
const keyRestMs = 5_000
const keyRestMsMax = 300_000
/** A key that was refused is not asked again for a while: an operator has to do something first. */
const refusedKeyRestMs = 60_000

/** What lies in the request itself: every target would refuse it. */
const final = ['bad_request', 'empty_prompt', 'aborted', 'broken_prefix', 'request_blocked']
/** Signs of a target that does not work, as opposed to one that does not want. */
const faults = ['provider_error', 'unreachable', 'interrupted', 'timeout', 'bad_reply', 'empty_reply', 'too_large', 'untrusted']
const keyFaults = ['key_refused', 'no_credit']

/** The first answer that begins. Rejects with the failure of the last target, or with how long all of them rest. */
export async function callTargets<Result extends object>(
  targets: readonly Target[],
  options: FailoverOptions<Result>,
): Promise<Result & { cutBy?: Failure | undefined; target: Target; attempts: number }> {
  const { health, signal } = options
  const budget = health.budgetOf(options.name)
  budget.earn()
  let number = 0
  let last: StepFailure | undefined
  for (let round = 0; round <= (options.mayRepeat ? repeatsMax : 0); round++) {
    let pauseMs = Infinity
    for (const [place, target] of targets.entries()) {
      for (let tries = 0; tries < target.provider.keys.count; tries++) {
        const breaker = health.breakerOf(target.model)
        const key = breaker.waitMs() > 0 ? undefined : target.provider.keys.next(target.model)
        if (key === undefined) break
        if (number > 0 && !budget.spend()) throw last ?? allResting(targets, health)
        breaker.begin()
        const attempt = { target, key, number: ++number, place }
        try {
          const result = await options.attempt(attempt)
          if (signal.aborted) breaker.ended()
          else if (result.cutBy) breaker.failed()
          else breaker.succeeded()
          return { ...result, target, attempts: number }
        } catch (error) {
          if (!(error instanceof StepFailure)) {
            breaker.ended()
            throw error
          }
          const { failure } = error
          if (faults.includes(failure.code ?? '') && !signal.aborted) breaker.failed()
          else breaker.ended()
          options.onFailed?.(attempt, failure)
          if (final.includes(failure.code ?? '') || signal.aborted) throw error
          last = withPause(error)
          pauseMs = Math.min(pauseMs, pauseAfter(last.failure))
          if (!restKey(attempt, failure)) break
        }
      }
    }
    if (!last) throw allResting(targets, health)
    if (pauseMs > pauseMsMax) break
    if (round < repeatsMax && options.mayRepeat) await sleep(pauseMs + 100 * 2 ** round * (0.5 + random() / 2), signal)
    if (signal.aborted) break
  }
  throw last ?? allResting(targets, health)
}

/** How long the key rests is how long the caller should, when the provider named no time. */
function withPause(error: StepFailure): StepFailure {
  const { failure } = error
  return failure.code === 'rate_limited' && failure.retryAfterMs === undefined ? new StepFailure({ ...failure, retryAfterMs: keyRestMs }) : error
}

/** When the same target may be asked again. After a time-out not at all: the caller has waited long enough. */
function pauseAfter({ code, retryable, retryAfterMs = 0 }: Failure): number {
  return retryable && code !== 'timeout' ? retryAfterMs : Infinity
}

/** True when it is the key that was refused, so that another one may do. */
function restKey({ target, key }: Attempt, { code, retryAfterMs }: Failure): boolean {
  if (code === 'rate_limited') {
    target.provider.keys.rest(key, Math.min(keyRestMsMax, retryAfterMs ?? keyRestMs), target.model)
    return true
  }
  if (!keyFaults.includes(code ?? '')) return false
  if (target.provider.keys.count > 1) target.provider.keys.rest(key, refusedKeyRestMs) // A single one is asked again: nobody else could answer.
  return true
}

function allResting(targets: readonly Target[], health: Health): StepFailure {
  const waits = targets.map((target) => {
    const outage = health.breakerOf(target.model).waitMs()
    return { target, isOutage: outage > 0, ms: Math.max(outage, target.provider.keys.restingMs(target.model)) }
  })
  const soonest = waits.reduce((best, wait) => (wait.ms < best.ms ? wait : best))
  const retryAfterMs = Math.max(1, Math.ceil(soonest.ms))
  const seconds = `${Math.ceil(retryAfterMs / 1000)} s`
  const { label } = soonest.target.provider
  if (!soonest.isOutage) {
    return new StepFailure({
      message: `${label} limits ${soonest.target.model} just now. It is asked again in ${seconds}.`,
      code: 'rate_limited',
      retryable: true,
      retryAfterMs,
    })
  }
  return new StepFailure({
    message: `${soonest.target.model} failed again and again, so it is left alone for a moment. It is tried again in ${seconds}.`,
    code: 'out_of_service',
    retryable: true,
    retryAfterMs,
  })
}
