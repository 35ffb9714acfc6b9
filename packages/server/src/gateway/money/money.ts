/** Admits model calls against budgets and settles them. The contract; `open-money.ts` keeps it. */
import type { Service } from '../../kernel/index.ts'
import type { Admission, Call, Outcome, Reservation } from './call.ts'

/**
 * What a model call passes on its way out and on its way back.
 *
 * ```ts
 * const admission = await money.admit({ tenantId, keyId, model: 'openai/gpt-5', inputBytes: body.length, outputTokensMax: 1_000 })
 * if (!admission.isAdmitted) throw budgetFailure(admission.refusal)
 * // … call the provider with admission.outputTokensMax …
 * await money.settle(admission.reservation, { type: 'used', tokens: readUsage('openai-chat', answer.usage) })
 * ```
 *
 * Every admitted call is settled exactly once, whatever becomes of it. One that is not, because its process died, is settled as `unknown` by any
 * node once its lease of half a minute has run out; `settle` after that changes nothing.
 */
export type Money = Service & {
  /**
   * Reserves the call's worst case on every budget that applies, in one transaction, before anything is sent: all or nothing. Admissions
   * of many callers share one commit. Where the worst case does not fit and the caller lets us, the output is cut to what is left.
   * A call with `runId`, `op` and `attempt` that was admitted before, by a node that is gone, takes its reservation over.
   * Rejects with an `AppError` `unavailable` when the database does not answer: then nothing may be called.
   */
  admit(call: Call, options?: { isRepeated?: boolean }): Promise<Admission>
  /**
   * Books what was used and frees the rest, in one transaction of its own. Calls inside a run are settled by the engine's flush instead, with the
   * row that `settlement` makes. Resolves when it is durable, with what it
   * cost; null where that is not known. Never rejects: what cannot be written now is written by the sweep.
   */
  settle(reservation: Reservation, outcome: Outcome): Promise<number | null>
  /** Counts a call that was answered from the cache: it uses no budget, costs nothing, and has the tag `cache=hit`. Never rejects. */
  bookHit(call: Call): Promise<void>
  /** What is known of what a model takes and gives, by the operators of this tenant or the catalogue. Empty: nothing. */
  capabilitiesOf(tenantId: string, model: string): Promise<readonly string[]>
  /** Budgets or prices of this tenant were changed here: the next call is admitted by the new ones. Other nodes notice within a second. */
  refresh(tenantId: string): void
  /**
   * The same as a row for `bookingSql`, for whoever settles in a transaction of their own. This process forgets the reservation.
   * No row: there is nothing to book.
   */
  settlement(reservation: Reservation, outcome: Outcome): { row: string | undefined; costUsd: number | null }
}
