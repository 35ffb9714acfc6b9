/** One attempt at one target: admitted, made in the language that the target speaks, and settled. */
import { StepFailure, wallClock } from '../../kernel/index.ts'
import type { Attempt, Target } from '../failover.ts'
import type { Models, Resolved } from '../models.ts'
import type { Client } from './client.ts'
import type { FaceName } from './face.ts'
import { type FaceCall, bytesFor, inputTokensMax } from './face-call.ts'
import type { Ledger, LedgerCall } from './ledger.ts'
import { asksForShape, judgeAnswer } from './check-shape.ts'
import { type Gate, openGate } from './gate-client.ts'
import { type Ended, type RelayCall, relayStream, relayWhole } from './relay.ts'
import { scanChat } from './scan-chat.ts'
import { scanMessages } from './scan-messages.ts'
import { scanResponses } from './scan-responses.ts'
import type { Scanner } from './scanner.ts'
import { type Outcome, type Spent, nothingSpent, outcomeOf } from './spent.ts'
import { answerTranslated } from './translated.ts'
import { readWhole } from './whole-answers.ts'

export type Attempting = {
  call: FaceCall
  client: Client
  models: Models
  ledger: Ledger
  /** Whose call it is. */
  account: Pick<LedgerCall, 'tenantId' | 'namespace' | 'keyId' | 'session' | 'tags' | 'agent' | 'version' | 'runId'>
  /** Of the caller's, those that the provider should see. */
  headers: Readonly<Record<string, string>>
  requestId: string
  /** An answer that is not what was asked for is refused here, as long as another target could do better: so many of the first ones. */
  climbs: number
  /** Streamed answers are held until all of them was looked at, where another target could do better; otherwise until they have begun. */
  holdsStreams: boolean
  route: Resolved['route']
  /** The most that guards let it ask for. */
  outputTokensCap: number | undefined
  /** `outputTokensMax`: what it was admitted with. `costUsd`: null where no price is known. */
  onSettled(outcome: Outcome, target: Target, outputTokensMax: number | undefined, costUsd: number | null): void
}

export async function makeAttempt({ target, key, number, place }: Attempt, attempting: Attempting): Promise<Ended> {
  const { call, client, ledger, account, onSettled } = attempting
  const wanted = Math.min(call.outputTokensMax ?? Infinity, attempting.outputTokensCap ?? Infinity)
  const admission = await ledger.admit({
    ...account,
    user: call.user,
    model: target.model,
    inputBytes: call.body.bytes.length,
    inputTokensMax: inputTokensMax(call),
    outputTokensMax: call.face === 'embeddings' ? 0 : Number.isFinite(wanted) ? wanted : undefined,
    route: attempting.route?.note(target.model),
  })
  if (!admission.isAdmitted) throw overBudget(admission.refusal)
  attempting.route?.asking(target.model)
  const spent = nothingSpent()
  const gate = gateOf(target, place, attempting)
  let isComplete = false
  try {
    const made = { target, key, number, place, spent, outputTokensMax: admission.outputTokensMax, callId: admission.callId }
    const ended = await answer(made, gate ? { ...attempting, client: gate.client } : attempting)
    spent.isWhole = !ended.cutBy && !client.signal.aborted
    const given = gate ? gate.finish(ended, ({ isFit }) => (spent.verdict = isFit ? 'fits' : 'misfits')) : ended
    isComplete = !given.cutBy && !client.signal.aborted
    return given
  } catch (error) {
    if (error instanceof StepFailure && error.failure.code === 'not_as_asked') spent.verdict = 'misfits'
    throw error
  } finally {
    const outcome = outcomeOf(spent, isComplete)
    const costUsd = await ledger.settle(admission.reservation, outcome)
    onSettled(outcome, target, admission.outputTokensMax, costUsd)
  }
}

/** Only where a better target could be asked instead, of streams that can be judged. */
function gateOf(target: Target, place: number, { call, client, climbs, holdsStreams, route }: Attempting): Gate | undefined {
  if (!call.isStream || !route || place + 1 >= climbs || call.face === 'embeddings' || !asksForShape(call)) return undefined
  return openGate(client, call, target.model, holdsStreams ? 'whole' : 'first')
}

/** When the budget is full again is told, but not as a time to try again: it may be a month. */
function overBudget({ message, refillsAt }: { message: string; refillsAt: string | null }): StepFailure {
  const waitMs = refillsAt === null ? Infinity : Date.parse(refillsAt) - wallClock().getTime()
  return new StepFailure({ message, code: 'over_budget', retryable: false, ...(waitMs > 0 && waitMs < 60_000 ? { retryAfterMs: waitMs } : {}) })
}

type Made = Attempt & { spent: Spent; outputTokensMax: number | undefined; callId: string | undefined }

function answer(
  { target, key, number, place, spent, outputTokensMax, callId }: Made,
  { call, client, models, headers, requestId, climbs, route }: Attempting,
): Promise<Ended> {
  const answerHeaders = {
    'x-request-id': requestId,
    'x-content-type-options': 'nosniff',
    'x-longhaul-model': encodeURI(target.model),
    'x-longhaul-attempts': String(number),
    ...(callId === undefined ? {} : { 'x-longhaul-call': callId }),
  }
  const limits = call.isStream ? models.limits : { ...models.limits, firstMsMax: Math.min(models.limits.totalMsMax, models.limits.silenceMsMax * wholeFactor) }
  const check = (whole: Buffer) => {
    const verdict = route && !call.isStream ? judgeAnswer(call, whole) : undefined
    if (!verdict) return
    spent.verdict = verdict.isFit ? 'fits' : 'misfits'
    if (verdict.isFit || place + 1 >= climbs) return
    spent.isWhole = true
    throw new StepFailure({ message: `The answer of ${target.model} is not what was asked for: ${verdict.why}`, code: 'not_as_asked', retryable: true })
  }
  const base = target.provider.speaks[call.face]
  if (base === undefined) return answerTranslated({ call, target, key, client, models, spent, outputTokensMax, answerHeaders, limits, check })
  const relayed: RelayCall = {
    face: call.face,
    target,
    key,
    base,
    path: paths[call.face],
    headers,
    body: bytesFor(call, target, outputTokensMax),
    client,
    answerHeaders,
    limits,
    answerBytesMax: models.answerBytesMax,
    spent,
  }
  if (call.isStream && call.face !== 'embeddings') return relayStream({ ...relayed, scanner: scanners[call.face](call) })
  return relayWhole({
    ...relayed,
    read(bytes, fields) {
      const whole = readWhole(call, target, spent, { bytes, fields })
      check(whole)
      return whole
    },
  })
}

/** An answer that comes whole is silent until it is finished. */
const wholeFactor = 5

const paths: Record<FaceName, string> = { chat: '/chat/completions', responses: '/responses', messages: '/messages', embeddings: '/embeddings' }
const scanners: Record<Exclude<FaceName, 'embeddings'>, (call: FaceCall) => Scanner> = { chat: scanChat, responses: scanResponses, messages: scanMessages }
