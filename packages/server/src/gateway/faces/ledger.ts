/** Where calls are admitted against budgets and booked: what the faces need of it. */
import type { RouteNote } from '../money/index.ts'
import type { Outcome } from './spent.ts'

export type LedgerCall = {
  tenantId: string
  namespace: string
  keyId: string
  /** Of a call that is made in a run. */
  agent?: string | undefined
  version?: string | undefined
  runId?: string | undefined
  user?: string | undefined
  session?: string | undefined
  tags?: Record<string, string> | undefined
  /** `provider/model`, as it is about to be called. */
  model: string
  inputBytes: number
  inputTokensMax?: number | undefined
  outputTokensMax?: number | undefined
  route?: RouteNote | undefined
}

/** `callId`: by which the call is found in the usage. */
export type Admitted = { isAdmitted: true; reservation: unknown; outputTokensMax: number | undefined; callId?: string | undefined }
/** `refillsAt` is an instant in ISO 8601, or null when it never does. */
export type NotAdmitted = { isAdmitted: false; refusal: { message: string; refillsAt: string | null } }

export type Ledger = {
  /** Before each request to a provider. Rejects when it cannot be known: then nothing may be called. */
  admit(call: LedgerCall): Promise<Admitted | NotAdmitted>
  /** Exactly once after it, whatever became of it. Never rejects. Resolves with what it cost; null where that is not known. */
  settle(reservation: unknown, outcome: Outcome): Promise<number | null>
  /** A call that was answered without a model: it costs nothing, and is counted. Never rejects. */
  bookHit(call: LedgerCall): Promise<void>
}

/** Without budgets: everything is admitted, and the log is all that is booked. */
export const noLedger: Ledger = {
  admit: async ({ outputTokensMax }) => ({ isAdmitted: true, reservation: undefined, outputTokensMax }),
  settle: async () => null,
  bookHit: async () => {},
}
