import { StepFailure } from '../kernel/index.ts'

/** What callers and models are told apart by: `cancelled`, `invalid`, `not_found`, `over_limit`, `not_permitted`, `sandbox_lost`, `sandbox_unavailable`; `interrupted` where nobody knows whether a command ran. */
export type FailureCode = 'cancelled' | 'invalid' | 'not_found' | 'over_limit' | 'not_permitted' | 'sandbox_lost' | 'sandbox_unavailable' | 'interrupted'

const retryableCodes: readonly FailureCode[] = ['sandbox_lost', 'sandbox_unavailable']

export function failure(code: FailureCode, message: string, cause?: unknown): StepFailure {
  return new StepFailure({ message: message.slice(0, 4_000), code, retryable: retryableCodes.includes(code) }, cause)
}
