/** What went wrong with a model call, as a failure that a person understands, that says whether to try again, and that holds no secret. */
import { APICallError } from '@ai-sdk/provider'
import { type Failure, storableText } from '@longhaul/protocol'
import { AppError, StepFailure, wallClock } from '../kernel/index.ts'
import type { Provider } from './providers.ts'
import type { WhyStopped } from './watch.ts'
import { AnswerTooLarge, NotAModelServer } from './wire.ts'

/** `model` is `provider/id`. */
export type CallContext = { provider: Provider; model: string }

/** What providers tell of a failure, in whichever shape: a response's status, or an error event in the stream. */
type Reported = { status: number | undefined; word: string | undefined; message: string; headers: Record<string, string>; reasons: readonly string[] }

/**
 * The thrown things keep the whole request and sometimes the key, so nothing of them is passed on as a `cause`; only the
 * provider's own sentence is, with whatever looks like a key taken out.
 */
export function toStepFailure(error: unknown, context: CallContext): StepFailure {
  if (error instanceof StepFailure) return error
  if (error instanceof AppError) return new StepFailure({ message: error.message, code: error.code, retryable: false })
  const chain = causes(error)
  const fail = (failure: Failure) => new StepFailure(failure)
  if (chain.some((cause) => cause instanceof AnswerTooLarge))
    return fail({ message: `${context.model} sent an answer without end.`, code: 'too_large', retryable: true })
  if (chain.some((cause) => cause instanceof NotAModelServer)) {
    return fail({
      message: `${place(context)} answers with a web page. Check the base URL: it usually ends in /v1.`,
      code: 'not_a_model_server',
      retryable: false,
    })
  }
  const reported = read(error)
  if (reported) return fail(refused(reported, context))
  return fail(notReached(chain, context) ?? malformed(chain, context))
}

export function whenStopped(why: WhyStopped, hasBegun: boolean, context: CallContext, limits: { silenceMsMax: number; totalMsMax: number }): StepFailure {
  const { label } = context.provider
  if (why === 'aborted') return new StepFailure({ message: 'The model call was given up.', code: 'aborted', retryable: true })
  if (why === 'overdue')
    return new StepFailure({ message: `${context.model} did not finish within ${seconds(limits.totalMsMax)}.`, code: 'timeout', retryable: true })
  const message = hasBegun
    ? `${context.model} went silent for ${seconds(limits.silenceMsMax)} in the middle of its answer.`
    : `${label} did not answer within ${seconds(limits.silenceMsMax)}.`
  return new StepFailure({ message, code: 'timeout', retryable: true })
}

/** The provider said no, or that it cannot. */
function refused(reported: Reported, context: CallContext): Failure {
  const { provider, model } = context
  const said = quote(reported.message, provider.secrets)
  const { status, word } = reported
  const retryAfterMs = parseRetryAfter(reported.headers, wallClock())
  const later = { retryable: true, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  const words = [word, ...reported.reasons]
  const has = (...names: string[]) => names.some((name) => words.includes(name))

  if (has('insufficient_quota', 'billing_hard_limit_reached', 'billing_error') || status === 402) {
    return {
      message: `${provider.label} says that the account has no credit left. Add credit there, or choose another model with LONGHAUL_MODEL.`,
      code: 'no_credit',
      retryable: false,
    }
  }
  if (status === 401 || has('API_KEY_INVALID', 'authentication_error', 'invalid_api_key')) {
    return { message: `${provider.label} does not accept the key. Check ${provider.keySetting}.`, code: 'key_refused', retryable: false }
  }
  if (status === 403 || has('permission_error')) {
    return {
      message: `${provider.label} does not let this key use ${model}${said}. Use another key in ${provider.keySetting}, or another model.`,
      code: 'not_allowed',
      retryable: false,
    }
  }
  if (status === 404 || has('not_found_error', 'model_not_found')) {
    return {
      message: `${place(context)} has no model "${idOf(model)}"${said}. Check the name in LONGHAUL_MODEL or in the agent${provider.name === 'compatible' ? ', and that the base URL ends in /v1' : ''}.`,
      code: 'no_such_model',
      retryable: false,
    }
  }
  if (status === 429 || has('rate_limit_error', 'rate_limit_exceeded')) {
    return { message: `${provider.label} refused ${model}: too many requests or tokens at once${said}.`, code: 'rate_limited', ...later }
  }
  if (status === 413)
    return {
      message: `The prompt is too large for ${model}${said}. Start a new session, or let the agent read less at once.`,
      code: 'bad_request',
      retryable: false,
    }
  if (status !== undefined && status >= 300 && status < 400) {
    return {
      message: `${place(context)} redirects elsewhere, which is not followed with a key. Set the base URL to the final address.`,
      code: 'redirected',
      retryable: false,
    }
  }
  if (
    has('invalid_request_error', 'context_length_exceeded') ||
    (status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 409 && status !== 425)
  ) {
    return { message: `${provider.label} refused the request for ${model}${said || ' without a reason'}.`, code: 'bad_request', retryable: false }
  }
  return { message: `${provider.label} failed at ${model}${status ? ` (${status})` : ''}${said}.`, code: 'provider_error', ...later }
}

/** The connection failed: nobody there, or gone in the middle. */
function notReached(chain: Error[], context: CallContext): Failure | undefined {
  const code = chain
    .map((error) => ('code' in error && typeof error.code === 'string' ? error.code : undefined))
    .find(
      (found) => found !== undefined && /^(E[A-Z]+|UND_ERR_[A-Z_]+|CERT_[A-Z_]+|DEPTH_ZERO_[A-Z_]+|[A-Z_]*SELF_SIGNED[A-Z_]*|UNABLE_TO_[A-Z_]+)$/.test(found),
    )
  if (!code) return undefined
  const where = place(context)
  const hint =
    context.provider.name === 'compatible' ? 'Is it running? LONGHAUL_OPENAI_COMPATIBLE_BASE_URL names it' : 'Is there a way to the internet from here'
  if (code === 'ECONNREFUSED')
    return { message: `Nobody answers at ${where} (connection refused). ${hint}${hint.endsWith('it') ? '.' : '?'}`, code: 'unreachable', retryable: true }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return { message: `${where} is not found (${code}). ${hint}${hint.endsWith('it') ? '.' : '?'}`, code: 'unreachable', retryable: true }
  if (/CERT|SELF_SIGNED|UNABLE_TO/.test(code))
    return { message: `The certificate of ${where} is not trusted (${code}). NODE_EXTRA_CA_CERTS can name the authority.`, code: 'untrusted', retryable: false }
  return { message: `The connection to ${where} broke (${code}).`, code: 'interrupted', retryable: true }
}

/** Something came that is not an answer. Its text is not shown: it may be anything. */
function malformed(chain: Error[], { model }: CallContext): Failure {
  const name = chain[0]?.name ?? ''
  if (name === 'AI_UnsupportedFunctionalityError' || name === 'AI_InvalidPromptError') {
    return { message: `The prompt holds something that ${model} does not take.`, code: 'bad_request', retryable: false }
  }
  return { message: `${model} sent an answer that cannot be read${name.startsWith('AI_') ? ` (${name.slice(3)})` : ''}.`, code: 'bad_reply', retryable: true }
}

function read(error: unknown): Reported | undefined {
  if (APICallError.isInstance(error)) {
    const body = record(error.data) ?? record(parse(error.responseBody))
    const inner = record(body?.['error']) ?? record(record(body?.['response'])?.['error']) ?? body
    if (error.statusCode === undefined && !inner) return undefined // Never reached anyone.
    if (error.statusCode !== undefined && error.statusCode < 300 && !inner) return undefined // Broke while the answer was read.
    return {
      status: error.statusCode,
      word: wordOf(inner),
      message: text(inner?.['message']) ?? '',
      headers: error.responseHeaders ?? {},
      reasons: reasonsOf(inner),
    }
  }
  const event = record(error)
  if (error instanceof Error || !event)
    return typeof error === 'string' ? { status: undefined, word: undefined, message: error, headers: {}, reasons: [] } : undefined
  const status = event['statusCode'] ?? (Number.isInteger(event['code']) ? event['code'] : undefined)
  return {
    status: typeof status === 'number' ? status : undefined,
    word: wordOf(event),
    message: text(event['message']) ?? '',
    headers: {},
    reasons: [...reasonsOf(record(event['data'])), text(event['type']) ?? ''],
  }
}

const wordOf = (body: Record<string, unknown> | undefined) => text(body?.['code']) ?? text(body?.['type'])

/** OpenAI and Anthropic have one word, Google a list of details with reasons; all of them are for machines. */
function reasonsOf(body: Record<string, unknown> | undefined): string[] {
  const details = Array.isArray(body?.['details']) ? body['details'] : []
  return [text(body?.['type']), text(body?.['status']), ...details.map((detail) => text(record(detail)?.['reason']))].filter((reason) => reason !== undefined)
}

const retryAfterMsMax = 60 * 60 * 1000

/** Seconds, milliseconds or a date. An answer that is past, senseless or longer than an hour is as good as none. */
export function parseRetryAfter(headers: Record<string, string>, now: Date): number | undefined {
  const seconds = headers['retry-after']
  const ms =
    headers['retry-after-ms'] !== undefined
      ? Number(headers['retry-after-ms'])
      : seconds === undefined
        ? NaN
        : /^\s*-?[\d.]+\s*$/.test(seconds)
          ? Number(seconds) * 1000
          : Date.parse(seconds) - now.getTime()
  return ms > 0 && ms <= retryAfterMsMax ? Math.ceil(ms) : undefined
}

/** The provider's sentence, made safe to show: one line, bounded, no key and nothing that looks like one. */
function quote(message: string, secrets: readonly string[]): string {
  let clean = storableText(message)
  for (const secret of secrets)
    for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')]) clean = clean.replaceAll(form, '[key]')
  clean = clean
    .replace(/\b(?:sk|pk|rk|key|AIza)[-_A-Za-z0-9*.]{8,}/g, '[key]')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
  if (clean === '') return ''
  return `: "${clean.length > 500 ? `${clean.slice(0, 500)}…` : clean}"`
}

/** The error and what caused it, nearest first. Bounded, since a cause may be its own. */
function causes(error: unknown): Error[] {
  const chain: Error[] = []
  for (let at = error; at instanceof Error && chain.length < 10; at = at.cause) chain.push(at)
  return chain
}

const place = ({ provider }: CallContext) => (provider.name === 'compatible' && provider.address ? provider.address : provider.label)
const idOf = (model: string) => model.slice(model.indexOf('/') + 1)
const seconds = (ms: number) => (ms >= 1000 ? `${Math.round(ms / 1000)} s` : `${ms} ms`)
const text = (value: unknown) => (typeof value === 'string' ? value : undefined)
const record = (value: unknown) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined) // An object has string keys.

function parse(body: string | undefined): unknown {
  try {
    return JSON.parse(body ?? '')
  } catch {
    return undefined // An error page is not JSON; the status says enough.
  }
}
