/** A provider said no, or that it cannot: what that means, from its status and its own words for machines, never from its prose. */
import { APICallError } from '@ai-sdk/provider'
import { type Failure, storableText } from '@longhaul/protocol'
import { wallClock } from '../kernel/index.ts'
import { type CallContext, idOf, placeOf } from './providers.ts'

/** What a provider tells of a failure, be it a response or an error event in the stream. `words` are its types, codes and reasons. */
export type Reported = { status: number | undefined; words: readonly string[]; message: string; headers: Record<string, string> }

type Told = CallContext & { label: string; keySetting: string; place: string; said: string; status: number | undefined }
type Kind = { code: string; retryable: boolean; statuses: readonly number[]; words: readonly string[]; say(told: Told): string }

/** The first that fits counts: a word is more exact than a status, so what shares a status with others comes before them. */
const kinds: readonly Kind[] = [
  {
    code: 'no_credit',
    retryable: false,
    statuses: [402],
    words: ['insufficient_quota', 'billing_hard_limit_reached', 'billing_error'],
    say: ({ label }) => `${label} says that the account has no credit left. Add credit there, or choose another model with LONGHAUL_MODEL.`,
  },
  {
    code: 'key_refused',
    retryable: false,
    statuses: [401],
    words: ['API_KEY_INVALID', 'authentication_error', 'invalid_api_key'],
    say: ({ label, keySetting }) => `${label} does not accept the key. Check ${keySetting}.`,
  },
  {
    code: 'not_allowed',
    retryable: false,
    statuses: [403],
    words: ['permission_error'],
    say: ({ label, model, keySetting, said }) => `${label} does not let this key use ${model}${said}. Use another key in ${keySetting}, or another model.`,
  },
  {
    code: 'no_such_model',
    retryable: false,
    statuses: [404],
    words: ['not_found_error', 'model_not_found'],
    say: ({ place, model, provider, said }) =>
      `${place} has no model "${idOf(model)}"${said}. Check the name in LONGHAUL_MODEL or in the agent${provider.isOwnServer ? ', and that the base URL ends in /v1' : ''}.`,
  },
  {
    code: 'rate_limited',
    retryable: true,
    statuses: [429],
    words: ['rate_limit_error', 'rate_limit_exceeded'],
    say: ({ label, model, said }) => `${label} refused ${model}: too many requests or tokens at once${said}.`,
  },
  {
    code: 'too_long',
    retryable: false,
    statuses: [413],
    words: ['context_length_exceeded', 'request_too_large'],
    say: ({ model, said }) => `The prompt is too long for ${model}${said}. Start a new session, or let the agent read less at once.`,
  },
  {
    code: 'redirected',
    retryable: false,
    statuses: [301, 302, 303, 307, 308],
    words: [],
    say: ({ place }) => `${place} redirects elsewhere, which is not followed with a key. Set the base URL to the final address.`,
  },
]

/** Requests that came at a bad moment. Every other 4xx would be refused again. */
const transient = [408, 409, 425]

export function refusal(reported: Reported, context: CallContext): Failure {
  const { label, keySetting, secrets } = context.provider
  const { status } = reported
  const told = { ...context, label, keySetting, place: placeOf(context.provider), said: quote(reported.message, secrets), status }
  const kind =
    kinds.find(({ words }) => words.some((word) => reported.words.includes(word))) ??
    kinds.find(({ statuses }) => status !== undefined && statuses.includes(status))
  if (kind) return { message: kind.say(told), code: kind.code, retryable: kind.retryable, ...pause(kind.retryable, reported) }

  const isRefused = reported.words.includes('invalid_request_error') || (status !== undefined && status >= 400 && status < 500 && !transient.includes(status))
  if (isRefused)
    return { message: `${label} refused the request for ${context.model}${told.said || ' without a reason'}.`, code: 'bad_request', retryable: false }
  const message = `${label} failed at ${context.model}${status ? ` (${status})` : ''}${told.said}.`
  return { message, code: 'provider_error', retryable: true, ...pause(true, reported) }
}

function pause(isRetryable: boolean, { headers }: Reported): { retryAfterMs?: number } {
  const retryAfterMs = isRetryable ? parseRetryAfter(headers, wallClock()) : undefined
  return retryAfterMs === undefined ? {} : { retryAfterMs }
}

const retryAfterMsMax = 60 * 60 * 1000

/** Seconds, milliseconds or a date. One that is past, senseless or further away than an hour is as good as none. */
export function parseRetryAfter(headers: Record<string, string>, now: Date): number | undefined {
  const ms = Number(headers['retry-after-ms'] ?? NaN)
  const wait = headers['retry-after'] ?? ''
  const asked = !Number.isNaN(ms) ? ms : /^\s*-?[\d.]+\s*$/.test(wait) ? Number(wait) * 1000 : Date.parse(wait) - now.getTime()
  return asked > 0 && asked <= retryAfterMsMax ? Math.ceil(asked) : undefined
}

/** Undefined when nobody reported anything: the call never got through, or broke off, or what came is not of the protocol. */
export function readReported(error: unknown): Reported | undefined {
  if (APICallError.isInstance(error)) {
    const body = record(error.data) ?? record(parse(error.responseBody))
    const inner = record(body?.['error']) ?? record(record(body?.['response'])?.['error']) ?? body
    const isRefused = error.statusCode !== undefined && error.statusCode >= 300
    if (!isRefused && !inner) return undefined
    return { status: error.statusCode, words: wordsOf(inner), message: text(inner?.['message']) ?? '', headers: error.responseHeaders ?? {} }
  }
  if (typeof error === 'string') return { status: undefined, words: [], message: error, headers: {} }
  const event = error instanceof Error ? undefined : record(error)
  if (!event) return undefined
  const status = [event['statusCode'], event['code']].find((value) => typeof value === 'number')
  return { status, words: [...wordsOf(event), ...wordsOf(record(event['data']))], message: text(event['message']) ?? '', headers: {} }
}

/** OpenAI and Anthropic have a type and a code, Google a status and a list of details with reasons. */
export function wordsOf(body: Record<string, unknown> | undefined): string[] {
  const details = Array.isArray(body?.['details']) ? body['details'] : []
  const words = [body?.['code'], body?.['type'], body?.['status'], ...details.map((detail) => record(detail)?.['reason'])]
  return words.filter((word) => typeof word === 'string')
}

/** The provider's sentence, made safe to show: one line, bounded, without a key or what looks like one. */
function quote(message: string, secrets: readonly string[]): string {
  let clean = storableText(message.slice(0, 10_000))
  for (const secret of secrets) {
    for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')]) clean = clean.replaceAll(form, '[key]')
  }
  clean = clean
    .replace(/\b(?:sk|pk|rk|key|AIza)[-_A-Za-z0-9*.]{8,}/g, '[key]')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
  if (clean === '') return ''
  return `: "${clean.length > 500 ? `${clean.slice(0, 500)}…` : clean}"`
}

const text = (value: unknown) => (typeof value === 'string' ? value : undefined)
const record = (value: unknown) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined) // An object has string keys.

function parse(body: string | undefined): unknown {
  try {
    return JSON.parse(body ?? '')
  } catch {
    return undefined // An error page is not JSON; the status says enough.
  }
}
