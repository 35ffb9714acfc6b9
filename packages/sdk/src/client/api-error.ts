import { errorCodes } from '@longhaul/protocol/plain'
import type { ErrorCode } from '@longhaul/protocol'

/** A request that did not work out. `status` is 0 when no answer came at all; then nobody knows whether the request was carried out. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: ErrorCode
  readonly status: number
  readonly requestId: string | undefined
  /** How long the server asked to be left alone. */
  readonly retryAfterMs: number | undefined

  constructor(
    code: ErrorCode,
    message: string,
    about: { status?: number; requestId?: string | undefined; retryAfterMs?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: about.cause })
    this.code = code
    this.status = about.status ?? 0
    this.requestId = about.requestId
    this.retryAfterMs = about.retryAfterMs
  }
}

/** Whether the same request may well succeed a moment later: nobody answered, or the answer was "not now". */
export const isPassing = ({ code, status }: ApiError): boolean => code === 'unavailable' || status === 408 || status === 429

/** Reads the error that a response stands for. A response that no Longhaul server wrote, such as a proxy's, is named by its status. */
export async function errorFromResponse(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '') // The status alone says enough when the body is cut off.
  const about = { status: response.status, retryAfterMs: retryAfterMs(response.headers.get('retry-after')) }
  const body = errorBody(text)
  if (body) return new ApiError(body.code, body.message, { ...about, requestId: body.requestId ?? response.headers.get('x-request-id') ?? undefined })
  const said = text.trim() && !text.trimStart().startsWith('<') ? `: ${text.trim().slice(0, 200)}` : ''
  return new ApiError(codeOfStatus(response.status), `The server answered ${response.status}${said}`, about)
}

function errorBody(text: string): { code: ErrorCode; message: string; requestId: string | undefined } | undefined {
  try {
    const error: unknown = JSON.parse(text)?.error
    if (typeof error !== 'object' || error === null) return undefined
    const { code, message, requestId } = error as Record<string, unknown> // An object, and each field is looked at below.
    if (typeof code !== 'string' || !Object.hasOwn(errorCodes, code) || typeof message !== 'string') return undefined
    return { code: code as ErrorCode, message, requestId: typeof requestId === 'string' ? requestId : undefined } // A key of the catalogue, as just checked.
  } catch {
    return undefined // Not JSON, so not our server's.
  }
}

function codeOfStatus(status: number): ErrorCode {
  if (status === 502 || status === 504) return 'unavailable'
  for (const [code, { http }] of Object.entries(errorCodes)) if (http === status) return code as ErrorCode // `Object.entries` forgets the type of keys.
  return status < 500 ? 'invalid' : 'internal'
}

function retryAfterMs(header: string | null): number | undefined {
  const seconds = Number(header ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1_000, 60_000) : undefined
}
