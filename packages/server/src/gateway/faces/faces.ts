/** The model gateway over HTTP. No framework: between the caller's socket and the provider's stand only the checks. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Caller } from '../../identity/index.ts'
import { AppError, type Log, StepFailure, monotonicMs, newId, toFailure } from '../../kernel/index.ts'
import { answerCached } from '../cache/answer-cached.ts'
import type { Answers } from '../cache/answers.ts'
import { planCache } from '../cache/plan.ts'
import type { Similar } from '../cache/similar.ts'
import type { CallLog } from '../calls/call-log.ts'
import type { CallRecording } from '../calls/recording.ts'
import { callTargets } from '../failover.ts'
import { guardClient } from '../guardrails/guard-client.ts'
import { guardedCall, repairCall } from '../guardrails/guarded-call.ts'
import type { Guardrails } from '../guardrails/guardrails.ts'
import type { Guarding } from '../guardrails/guarding.ts'
import type { Asked, Models } from '../models.ts'
import { type TokenBuckets, outputOf } from '../money/index.ts'
import { factsOf } from '../request-facts.ts'
import { type Attempting, makeAttempt } from './attempt.ts'
import { type Client, clientOf } from './client.ts'
import { countTokens } from './count-tokens.ts'
import { type Endpoint, findEndpoint, ownsPath } from './endpoints.ts'
import { type Refused, type Vendor, errorBody, retryHeaders, toRefused } from './face.ts'
import { type FaceCall, readCall } from './face-call.ts'
import { type Ledger, noLedger } from './ledger.ts'
import { listModels } from './list-models.ts'
import { ProviderRefusal } from './relay.ts'
import { type CallingRun, type Telling, tellRun } from './tell-run.ts'
import { drainBytesMax, parseBody, readBytes, refuse } from './request-body.ts'

/** `run`: the secret is that of a program which executes this run, and what it asks is told to it. */
export type FaceCaller = Caller & { run?: CallingRun | undefined }

export type FacesOptions = {
  models: Models
  /** Whose secret this is; undefined when it is nobody's. */
  authenticate(secret: string): Promise<FaceCaller | undefined>
  /** Throws when the request names a host, or comes from a page, that this server does not answer to. */
  checkAddress?(host: string | undefined, origin: string | undefined): void
  /** Names of routes of this tenant, for the list of models. */
  routeNames?(tenantId: string): Promise<readonly string[]>
  ledger?: Ledger | undefined
  /** Without it nothing is kept. */
  answers?: Answers | undefined
  /** Without it answers are kept for the same words alone. */
  similar?: Similar | undefined
  guardrails?: Pick<Guardrails, 'begin'> | undefined
  /** Where calls that belong to no run are logged. Absent: nowhere. */
  callLog?: Pick<CallLog, 'begin'> | undefined
  bodyBytesMax: number
  log: Log
}

export type Faces = {
  /** Whether the address belongs to the faces. */
  owns(path: string | undefined): boolean
  /** Answers, whatever comes. Resolves when the request is over. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>
}

/** Facts of a call that its one line in the log tells. */
type Facts = Record<string, unknown>

export function openFaces(options: FacesOptions): Faces {
  return {
    owns: (path) => path !== undefined && ownsPath(path),
    async handle(request, response) {
      const startedAt = monotonicMs()
      const requestId = newId()
      const client = clientOf(response)
      const facts: Facts = { requestId, method: request.method, path: (request.url ?? '').slice(0, 200) }
      const vendor: Vendor = request.url?.startsWith('/anthropic/') ? 'anthropic' : 'openai'
      const logged: Logged = {}
      try {
        await serve({ request, client, requestId, facts, options, logged })
      } catch (error) {
        await refuseCall({ error, request, response, client, vendor, requestId, facts, log: options.log })
      }
      facts['status'] = response.statusCode
      facts['ms'] = Math.round((monotonicMs() - startedAt) * 10) / 10
      logged.recording?.ended(endOf(facts, response.statusCode, monotonicMs() - startedAt))
      options.log.info('model request', facts)
    },
  }
}

/** Where a call is recorded, once it is known what is asked. */
type Logged = { recording?: CallRecording | undefined }
type Serving = { request: IncomingMessage; client: Client; requestId: string; facts: Facts; options: FacesOptions; logged: Logged }

function endOf(facts: Facts, status: number, durationMs: number): Parameters<CallRecording['ended']>[0] {
  const { code, target, cache } = facts
  return {
    answeredBy: typeof target === 'string' ? target : undefined,
    outcome: code === 'aborted' ? 'aborted' : code === undefined ? 'answered' : 'failed',
    status,
    code: typeof code === 'string' ? code : undefined,
    isKeptAnswer: cache === 'hit',
    durationMs,
  }
}

async function serve({ request, client, requestId, facts, options, logged }: Serving): Promise<void> {
  options.checkAddress?.(request.headers.host, header(request, 'origin'))
  const endpoint = findEndpoint(request.method ?? '', request.url ?? '')
  const caller = await admit(request, options)
  Object.assign(facts, { tenantId: caller.tenantId, keyId: caller.keyId })
  if (endpoint.type === 'models') return sendModels(endpoint, { client, requestId, caller, options })
  const body = parseBody(await readBytes(request, options.bodyBytesMax))
  const call = readCall(endpoint.face, body)
  Object.assign(facts, { model: call.model, isStream: call.isStream })
  const isCall = endpoint.type !== 'count'
  const telling = caller.run && isCall ? tellRun(client, call, caller.run) : undefined
  if (isCall && !caller.run) logged.recording = options.callLog?.begin(startOf(request, requestId, call, caller), client)
  try {
    await answerAdmitted(
      { request, client: telling?.client ?? logged.recording?.client ?? client, requestId, facts, options, logged, call, caller, telling },
      endpoint,
    )
    telling?.ended(String(facts['target'] ?? call.model))
  } catch (error) {
    telling?.failed(error)
    throw error
  }
}

const startOf = (request: IncomingMessage, id: string, call: FaceCall, caller: FaceCaller): Parameters<CallLog['begin']>[0] => ({
  ...{ id, tenantId: caller.tenantId, namespace: namespaceOf(caller), keyId: caller.keyId, call },
  session: sessionOf(request, caller),
  tags: tagsOf(header(request, 'x-longhaul-tags')),
})

async function answerAdmitted(admitted: Omit<Answering, 'asked' | 'outputTokensCap'>, endpoint: Endpoint): Promise<void> {
  const { request, client, requestId, options, call, caller } = admitted
  const asked = askedOf(request, call, caller)
  const guarding = await options.guardrails?.begin({
    ...{ tenantId: caller.tenantId, keyId: caller.keyId, model: call.model, namespace: namespaceOf(caller), requestId, signal: client.signal },
  })
  const guarded = guarding ? await guardedCall(call, guarding) : call
  if (endpoint.type === 'count') return countTokens({ call: guarded, asked, client, models: options.models, headers: forwarded(request, call), requestId })
  const answering: Answering = { ...admitted, call: guarded, asked, outputTokensCap: guarding?.outputTokensMax }
  await (guarding ? answerGuarded(answering, guarding) : answerCall(answering))
}

type Answering = Serving & { call: FaceCall; asked: Asked; caller: FaceCaller; telling: Telling | undefined; outputTokensCap: number | undefined }

/** The answer goes through the guards on its way to the caller; one that is not of its schema is asked for once more. */
async function answerGuarded(answering: Answering, guarding: Guarding): Promise<void> {
  const { client, facts } = answering
  let { call } = answering
  for (const isRepaired of [false, true]) {
    const guarded = guardClient(client, call, guarding)
    await answerCall({ ...answering, call, client: guarded.client })
    const again = await guarded.finish(isRepaired)
    facts['guards'] = guarding.notes()
    if (!again) return
    call = repairCall(call, again.said, again.repair)
  }
}

async function answerCall({ request, client, requestId, facts, options, logged, call, asked, caller, telling, outputTokensCap }: Answering): Promise<void> {
  const { models, ledger = noLedger, log } = options
  const { targets, climbs, cache, route } = await models.resolve(call.model, asked)
  const account = {
    tenantId: caller.tenantId,
    namespace: namespaceOf(caller),
    keyId: caller.keyId,
    session: asked.session,
    tags: asked.tags,
    ...accountOf(caller),
  }
  const headers = forwarded(request, call)
  let isWhole = false
  /** Resolves with the model that answered, if all of its answer came. */
  const make = async (to: Client): Promise<string | undefined> => {
    const attempting: Attempting = {
      ...{ call, client: to, models, ledger, requestId, climbs, holdsStreams: route?.holdsStreams ?? false, route, account, headers, outputTokensCap },
      onSettled(outcome, target, outputTokensMax, costUsd) {
        telling?.settled(outcome, costUsd)
        logged.recording?.settled(outcome, costUsd)
        isWhole = outcome.type === 'used' && !outcome.isFailed && !isAtLimit(outcome.tokens, outputTokensMax)
        Object.assign(facts, { target: target.model, outcome: outcome.type, ...('tokens' in outcome ? { tokens: outcome.tokens } : {}) })
      },
    }
    const ended = await callTargets(targets, {
      health: models.health,
      name: call.model,
      // A client that tries again is a loop already.
      mayRepeat: !(Number(header(request, 'x-stainless-retry-count')) > 0),
      signal: client.signal,
      attempt: (attempt) => makeAttempt(attempt, attempting),
      onFailed: ({ target, number }, { code, message }) => log.debug('model attempt failed', { requestId, target: target.model, number, code, message }),
    })
    Object.assign(facts, { target: ended.target.model, attempts: ended.attempts })
    if (ended.cutBy) {
      telling?.cut(ended.cutBy)
      Object.assign(facts, { code: ended.cutBy.code, isCut: true })
    } else if (client.signal.aborted) facts['code'] = 'aborted'
    return isWhole && !ended.cutBy ? ended.target.model : undefined
  }
  const names = targets.map(({ model }) => model)
  const plan = options.answers && planCache({ call, rule: cache, wish: header(request, 'x-longhaul-cache'), targets: names, headers })
  if (!options.answers || !plan) return void (await make(client))
  const kept = await answerCached({
    ...{ plan, answers: options.answers, similar: options.similar, tenantId: caller.tenantId, client, requestId, call: make },
    account: { ...account, user: call.user },
  })
  facts['cache'] = kept ? 'hit' : 'miss'
  if (!kept) return
  facts['target'] = kept.model
  await ledger.bookHit({ ...account, user: call.user, model: kept.model, inputBytes: call.body.bytes.length })
}

const accountOf = ({ run }: FaceCaller) => run && { agent: run.agent, version: run.version, runId: run.id, session: run.session }

/** It may have been cut there, by a limit that was this caller's or this budget's. Embeddings have none. */
const isAtLimit = (tokens: TokenBuckets, outputTokensMax: number | undefined): boolean =>
  outputTokensMax !== undefined && outputTokensMax > 0 && outputOf(tokens) >= outputTokensMax

/** `Authorization: Bearer` as OpenAI's clients send it, or `x-api-key` as Anthropic's do. */
async function admit(request: IncomingMessage, { authenticate }: FacesOptions): Promise<FaceCaller> {
  const [, bearer] = /^Bearer +(\S+) *$/i.exec(header(request, 'authorization') ?? '') ?? []
  const secret = header(request, 'x-api-key') ?? bearer
  if (secret === undefined) throw refuse('unauthenticated', 'A key of Longhaul is needed: Authorization: Bearer lh_… or x-api-key: lh_…')
  const caller = await authenticate(secret)
  if (!caller) throw refuse('unauthenticated', 'This key is not one of Longhaul, or it was revoked. Make one with: longhaul keys create.')
  if (!caller.permissions.includes('models:call')) throw refuse('forbidden', `This needs the permission models:call, which the key ${caller.name} lacks.`)
  return caller
}

function sendModels(
  { id, vendor }: Extract<Endpoint, { type: 'models' }>,
  { client, requestId, caller, options }: { client: Client; requestId: string; caller: Caller; options: FacesOptions },
): Promise<void> {
  const names = async () => [...((await options.routeNames?.(caller.tenantId)) ?? []), 'default']
  return listModels({ id, vendor, names, models: options.models, tenantId: caller.tenantId }).then((answer) => {
    const text = JSON.stringify(answer)
    client.begin(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      'x-request-id': requestId,
      'x-content-type-options': 'nosniff',
    })
    client.end(text)
  })
}

function askedOf(request: IncomingMessage, call: FaceCall, caller: FaceCaller): Asked {
  return {
    tenantId: caller.tenantId,
    namespace: namespaceOf(caller),
    keyId: caller.keyId,
    keyName: caller.name,
    ...(caller.run && { agent: caller.run.agent, runId: caller.run.id }),
    session: sessionOf(request, caller),
    user: call.user,
    tags: tagsOf(header(request, 'x-longhaul-tags')),
    request: () => factsOf(call),
  }
}

/** A run stays with its model. */
const sessionOf = (request: IncomingMessage, { run }: FaceCaller): string | undefined => (header(request, 'x-longhaul-session') ?? run?.id)?.slice(0, 200)

/** The one that the key is limited to. What belongs to several, or to none, is booked in `default`. */
const namespaceOf = ({ namespaces }: Caller): string => (namespaces?.length === 1 && namespaces[0]) || 'default'

const tagsMax = 16

/** `team=search, stage=test` */
function tagsOf(text: string | undefined): Record<string, string> | undefined {
  if (text === undefined) return undefined
  const pairs = text.split(',').map((pair) => pair.split('=').map((part) => part.trim()))
  if (pairs.length > tagsMax || pairs.some(([name, value, ...more]) => !name || !value || more.length > 0 || name.length > 64 || value.length > 64)) {
    throw refuse('bad_request', `x-longhaul-tags: must be at most ${tagsMax} pairs such as "team=search, stage=test", each part of at most 64 characters.`)
  }
  return Object.fromEntries(pairs) as Record<string, string> // Pairs, as was just seen.
}

const betaHeaders = { messages: ['anthropic-version', 'anthropic-beta'], others: ['openai-beta'] } as const
const usualHeaders: Readonly<Record<string, string>> = { 'user-agent': 'longhaul' }
const messagesHeaders: Readonly<Record<string, string>> = { 'user-agent': 'longhaul', 'anthropic-version': '2023-06-01' }

/** Nothing of the caller's travels on but what the language needs: no key, no cookie, no address. Most send nothing of it and share one. */
function forwarded(request: IncomingMessage, { face }: FaceCall): Readonly<Record<string, string>> {
  const isMessages = face === 'messages'
  let headers = isMessages ? messagesHeaders : usualHeaders
  for (const name of isMessages ? betaHeaders.messages : betaHeaders.others) {
    const value = header(request, name)
    if (value !== undefined) headers = { ...headers, [name]: value.slice(0, 1_000) }
  }
  return headers
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}

type Refusing = {
  error: unknown
  request: IncomingMessage
  response: ServerResponse
  client: Client
  vendor: Vendor
  requestId: string
  facts: Facts
  log: Log
}

/** The error in the caller's own language. After an answer has begun there is nothing more to say here: its last event said it. */
async function refuseCall({ error, request, response, client, vendor, requestId, facts, log }: Refusing): Promise<void> {
  const isExpected = error instanceof StepFailure || (error instanceof AppError && error.code !== 'internal')
  const failure = isExpected ? toFailure(error) : { message: 'Internal error.', code: 'internal', retryable: false }
  facts['code'] = failure.code
  if (!isExpected) log.error('model request failed', { requestId, error })
  if (client.hasBegun()) return client.end()
  if (client.signal.aborted && failure.code === 'aborted') return
  const refused = inOwnWords(error, toRefused(vendor, failure))
  const text = JSON.stringify(errorBody(vendor, refused, requestId))
  // A body that has not been read to its end leaves the connection in the middle of a request.
  const isUnread = !request.complete
  client.begin(refused.status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'x-request-id': requestId,
    'x-content-type-options': 'nosniff',
    ...(refused.status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    ...(isUnread ? { connection: 'close' } : {}),
    ...retryHeaders(refused),
  })
  client.end(text)
  if (isUnread) drain(request, response)
}

/** OpenAI's errors also name the field, and have codes that programs look at. */
function inOwnWords(error: unknown, refused: Refused): Refused {
  if (!(error instanceof ProviderRefusal) || (refused.status !== 400 && refused.status !== 404)) return refused
  const { param, code } = error.error
  return { ...refused, status: error.status === 422 ? 422 : refused.status, param: shortText(param) ?? null, code: shortText(code) ?? refused.code }
}

const shortText = (value: unknown) => (typeof value === 'string' && value.length <= 200 ? value : undefined)

/** Most clients listen only when they have sent all. Bounded in bytes, and in time by the server's own limit for a request. */
function drain(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > drainBytesMax) response.destroy()
  })
  request.resume()
}
