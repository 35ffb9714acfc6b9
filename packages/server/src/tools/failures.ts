/** What went wrong on the way to a tool server, as data that says whether trying again may help. */
import { type Failure, storableText } from '@longhaul/protocol'
import { StepFailure } from '../kernel/index.ts'

export const messageLengthMax = 4_000

/** The request cannot have reached anybody, so it is safe to send again. */
const neverSent = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/
const cutOff = /^(ECONNRESET|EPIPE|ETIMEDOUT|UND_ERR_\w+)$/

/** A network error as a failure; undefined when it is none. `isRepeatable`: doing it twice does no harm. */
export function networkFailure(error: unknown, who: string, isRepeatable: boolean): StepFailure | undefined {
  const code = causes(error).flatMap((cause) => ('code' in cause && typeof cause.code === 'string' ? cause.code : []))
  const never = code.find((one) => neverSent.test(one))
  if (never) return failed('away', `${who} cannot be reached (${never}).`, true, error)
  const cut = code.find((one) => cutOff.test(one))
  return cut === undefined ? undefined : failed('away', `The connection to ${who} was lost (${cut}).${isRepeatable ? '' : unknownOutcome}`, isRepeatable, error)
}

/** A refusal by HTTP. `retryAfter` is the header's text. */
export function httpFailure(
  status: number,
  who: string,
  { detail = '', retryAfter = null, isRepeatable }: { detail?: string; retryAfter?: string | null; isRepeatable: boolean },
): StepFailure {
  const said = detail.trim() === '' ? '' : ` It says: ${detail.trim().slice(0, 1_000)}`
  if (status === 401 || status === 403) return failed('credentials', `${who} does not accept our credentials (HTTP ${status}). Check its secret.${said}`, false)
  if (status === 429 || status === 503) return failed('away', `${who} asks for patience (HTTP ${status}).${said}`, true, undefined, pauseMs(retryAfter))
  if (status >= 500) return failed('away', `${who} failed (HTTP ${status}).${said}${isRepeatable ? '' : unknownOutcome}`, isRepeatable)
  return failed('http_error', `${who} refused the request (HTTP ${status}).${said}`, false)
}

export function failed(code: string, message: string, retryable = false, cause?: unknown, retryAfterMs?: number): StepFailure {
  const failure: Failure = { code, message: storableText(message).slice(0, messageLengthMax), retryable, ...(retryAfterMs !== undefined && { retryAfterMs }) }
  return new StepFailure(failure, cause)
}

/** An error and what caused it, the outermost first. */
export function causes(error: unknown): Error[] {
  const found: Error[] = []
  for (let at = error; at instanceof Error && found.length < 10; at = at.cause) found.push(at)
  return found
}

export const unknownOutcome = ' Whether it did what was asked is not known, so it is not asked again.'

function pauseMs(retryAfter: string | null): number | undefined {
  const seconds = retryAfter === null ? Number.NaN : Number(retryAfter)
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1_000, 300_000) : undefined
}
