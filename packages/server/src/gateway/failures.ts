/** What went wrong with a model call, as a failure that a person understands, that says whether to try again, and that holds no secret. */
import type { Failure } from '@longhaul/protocol'
import { StepFailure } from '../kernel/index.ts'
import { type CallContext, placeOf } from './providers.ts'
import { readReported, refusal } from './refusals.ts'
import type { WatchLimits, WhyStopped } from './watch.ts'
import { AnswerTooLarge, NotAModelServer } from './wire.ts'

/**
 * What provider packages throw keeps the whole request and sometimes the key, so nothing of it is passed on as a `cause`; only
 * the provider's own sentence is, with whatever looks like a key taken out.
 */
export function toStepFailure(error: unknown, context: CallContext): StepFailure {
  if (error instanceof StepFailure) return error
  const chain = causes(error)
  const reported = readReported(error)
  return new StepFailure(unusable(chain, context) ?? (reported ? refusal(reported, context) : (notReached(chain, context) ?? malformed(chain, context))))
}

export function whenStopped(why: WhyStopped, hasBegun: boolean, context: CallContext, limits: WatchLimits): StepFailure {
  if (why === 'aborted') return new StepFailure({ message: 'The model call was given up.', code: 'aborted', retryable: true })
  return new StepFailure({ message: slowness(why, hasBegun, context, limits), code: 'timeout', retryable: true })
}

function slowness(why: WhyStopped, hasBegun: boolean, { model, provider }: CallContext, limits: WatchLimits): string {
  if (why === 'overdue') return `${model} did not finish within ${seconds(limits.totalMsMax)}.`
  if (hasBegun) return `${model} went silent for ${seconds(limits.silenceMsMax)} in the middle of its answer.`
  return `${provider.label} did not answer within ${seconds(limits.firstMsMax ?? limits.silenceMsMax)}.`
}

/** Our own limits. */
function unusable(chain: Error[], context: CallContext): Failure | undefined {
  if (chain.some((error) => error instanceof AnswerTooLarge)) {
    return { message: `${context.model} sent an answer without end.`, code: 'too_large', retryable: true }
  }
  if (chain.some((error) => error instanceof NotAModelServer)) {
    const message = `${placeOf(context.provider)} answers with a web page. Check the base URL: it usually ends in /v1.`
    return { message, code: 'not_a_model_server', retryable: false }
  }
  return undefined
}

/** Node's and OpenSSL's words, as opposed to those that packages give to their own errors. */
const networkCode = /^(E[A-Z_]+|UND_ERR_[A-Z_]+|CERT_[A-Z_]+|[A-Z_]*SELF_SIGNED[A-Z_]*|UNABLE_TO_[A-Z_]+)$/

/** The connection failed: nobody there, or gone in the middle. */
function notReached(chain: Error[], { provider }: CallContext): Failure | undefined {
  const code = chain.flatMap((error) => ('code' in error && typeof error.code === 'string' ? [error.code] : [])).find((word) => networkCode.test(word))
  if (!code) return undefined
  const place = placeOf(provider)
  const hint = provider.isOwnServer
    ? `Is it running? ${provider.name === 'compatible' ? 'LONGHAUL_OPENAI_COMPATIBLE_BASE_URL' : 'LONGHAUL_MODEL_SERVERS'} names it.`
    : 'Is there a way to the internet from here?'
  switch (code) {
    case 'ECONNREFUSED':
      return { message: `Nobody answers at ${place} (connection refused). ${hint}`, code: 'unreachable', retryable: true }
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return { message: `${place} is not found (${code}). ${hint}`, code: 'unreachable', retryable: true }
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return { message: `There is no way to ${place} (${code}). ${hint}`, code: 'unreachable', retryable: true }
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO/.test(code)) {
    return { message: `The certificate of ${place} is not trusted (${code}). NODE_EXTRA_CA_CERTS can name the authority.`, code: 'untrusted', retryable: false }
  }
  return { message: `The connection to ${place} broke (${code}).`, code: 'interrupted', retryable: true }
}

/** Something came that is not an answer. Its text is not shown: it may be anything. */
function malformed(chain: Error[], { model }: CallContext): Failure {
  const name = chain[0]?.name ?? ''
  if (name === 'AI_UnsupportedFunctionalityError' || name === 'AI_InvalidPromptError') {
    return { message: `The prompt holds something that ${model} does not take.`, code: 'bad_request', retryable: false }
  }
  return { message: `${model} sent an answer that cannot be read${name.startsWith('AI_') ? ` (${name.slice(3)})` : ''}.`, code: 'bad_reply', retryable: true }
}

/** The error and what caused it, nearest first. Bounded, since a cause may be its own. */
function causes(error: unknown): Error[] {
  const chain: Error[] = []
  for (let at = error; at instanceof Error && chain.length < 10; at = at.cause) chain.push(at)
  return chain
}

const seconds = (ms: number) => (ms >= 1000 ? `${Math.round(ms / 1000)} s` : `${ms} ms`)
