/** What differs between the languages that callers may speak to us. */
import type { Failure } from '@longhaul/protocol'

export type FaceName = 'chat' | 'responses' | 'messages' | 'embeddings'

/** Whose client it is: that decides the shape of errors and of the list of models. */
export type Vendor = 'openai' | 'anthropic'

export type Refused = {
  status: number
  /** The vendor's own words for it. */
  type: string
  code: string | null
  message: string
  /** Of OpenAI's errors: the field that is wrong. */
  param?: string | null | undefined
  retryAfterMs?: number | undefined
  /** Whether the client's own repeats are welcome. */
  mayRetry: boolean
}

type Kind = { status: number; openai: string; anthropic: string; code?: string }

const operator: Kind = { status: 502, openai: 'server_error', anthropic: 'api_error' }
const wrong: Kind = { status: 400, openai: 'invalid_request_error', anthropic: 'invalid_request_error' }

/**
 * A failure's code, as each vendor would say it. A key of ours that a provider refuses is not the caller's: 401 would send them looking
 * at the wrong key.
 */
const kinds: Record<string, Kind> = {
  unauthenticated: { status: 401, openai: 'invalid_request_error', anthropic: 'authentication_error', code: 'invalid_api_key' },
  forbidden: { status: 403, openai: 'permission_error', anthropic: 'permission_error' },
  no_such_address: { status: 404, openai: 'invalid_request_error', anthropic: 'not_found_error', code: 'unknown_url' },
  no_such_method: { status: 405, openai: 'invalid_request_error', anthropic: 'invalid_request_error' },
  unknown_model: { status: 404, openai: 'invalid_request_error', anthropic: 'not_found_error', code: 'model_not_found' },
  no_such_model: { status: 404, openai: 'invalid_request_error', anthropic: 'not_found_error', code: 'model_not_found' },
  bad_request: wrong,
  empty_prompt: wrong,
  cut_off: wrong,
  unsupported: { ...wrong, code: 'unsupported' },
  request_blocked: { ...wrong, code: 'request_blocked' },
  answer_blocked: { ...wrong, code: 'answer_blocked' },
  too_long: { ...wrong, code: 'context_length_exceeded' },
  body_too_large: { status: 413, openai: 'invalid_request_error', anthropic: 'request_too_large' },
  slow_body: { status: 408, openai: 'invalid_request_error', anthropic: 'invalid_request_error' },
  bad_media_type: { ...wrong, status: 415 },
  rate_limited: { status: 429, openai: 'rate_limit_error', anthropic: 'rate_limit_error', code: 'rate_limit_exceeded' },
  over_budget: { status: 429, openai: 'insufficient_quota', anthropic: 'rate_limit_error', code: 'insufficient_quota' },
  key_refused: operator,
  not_allowed: operator,
  no_credit: operator,
  redirected: operator,
  not_a_model_server: operator,
  untrusted: operator,
  out_of_service: { status: 503, openai: 'server_error', anthropic: 'overloaded_error', code: 'out_of_service' },
  unreachable: { status: 503, openai: 'server_error', anthropic: 'api_error' },
  unavailable: { status: 503, openai: 'server_error', anthropic: 'api_error' },
  timeout: { status: 504, openai: 'server_error', anthropic: 'timeout_error' },
  internal: { status: 500, openai: 'server_error', anthropic: 'api_error' },
}

/** Everything else that a provider may do wrong. */
const providersFault: Kind = { status: 502, openai: 'server_error', anthropic: 'api_error' }

/**
 * A pause that was not waited for here is the client's to keep. Anything else was tried again already, or would fail again, so the
 * clients' own repeats, two for each call, are declined.
 */
export function toRefused(vendor: Vendor, failure: Failure): Refused {
  const kind = kinds[failure.code ?? ''] ?? providersFault
  const { retryAfterMs } = failure
  const mayRetry = failure.retryable && retryAfterMs !== undefined
  return { status: kind.status, type: kind[vendor], code: kind.code ?? failure.code ?? null, message: failure.message, retryAfterMs, mayRetry }
}

export function errorBody(vendor: Vendor, { type, code, message, param = null }: Refused, requestId: string): object {
  return vendor === 'openai' ? { error: { message, type, param, code } } : { type: 'error', error: { type, message }, request_id: requestId }
}

/** The headers that the vendors' clients look at before they try again. They wait no longer than a minute. */
export function retryHeaders({ mayRetry, retryAfterMs }: Refused): Record<string, string> {
  const should = { 'x-should-retry': String(mayRetry) }
  return retryAfterMs === undefined ? should : { ...should, 'retry-after-ms': String(retryAfterMs), 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }
}

/** An answer that broke off after it had begun says so in its own language, as its last event. */
export function errorEvent(face: FaceName, failure: Failure, sequence: number): string {
  const vendor = face === 'messages' ? 'anthropic' : 'openai'
  const { type, code, message } = toRefused(vendor, failure)
  switch (face) {
    case 'messages':
      return `event: error\ndata: ${JSON.stringify({ type: 'error', error: { type, message } })}\n\n`
    case 'responses':
      return `event: error\ndata: ${JSON.stringify({ type: 'error', code: code ?? type, message, param: null, sequence_number: sequence })}\n\n`
    case 'chat':
    case 'embeddings':
      return `data: ${JSON.stringify({ error: { message, type, param: null, code } })}\n\n`
  }
}
