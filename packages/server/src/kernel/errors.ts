import { type ErrorCode, type Failure, errorCodes } from '@longhaul/protocol'

/** An expected failure. Its message is for the caller, so it never holds a secret or a query. */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  /** When the same request may succeed, for `over_limit`. */
  readonly retryAfterS: number | undefined

  constructor(code: ErrorCode, message: string, cause?: unknown, retryAfterS?: number) {
    super(message, { cause })
    this.code = code
    this.retryAfterS = retryAfterS
  }
}

/** Anything not raised on purpose is `internal`: logged whole, shown to nobody. */
export function toAppError(error: unknown): AppError {
  return error instanceof AppError ? error : new AppError('internal', 'Internal error.', error)
}

/** A step's failure, thrown by whoever executes steps. `retryable` false ends the retries at once. */
export class StepFailure extends Error {
  override readonly name = 'StepFailure'
  readonly failure: Failure

  constructor(failure: Failure, cause?: unknown) {
    super(failure.message, { cause })
    this.failure = failure
  }
}

/** What to record for whatever was thrown while a step executed. Unknown errors may be retried. */
export function toFailure(error: unknown): Failure {
  if (error instanceof StepFailure) return error.failure
  if (error instanceof AppError) return { message: error.message, code: error.code, retryable: errorCodes[error.code].http >= 429 }
  const message = error instanceof Error ? error.message : String(error)
  return { message: message.slice(0, 20_000), retryable: true }
}
