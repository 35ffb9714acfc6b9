/** The log of model calls outside of runs. Written in batches beside the calls; texts are in the database under the tenant's key alone. */
import type {
  CallPrivacy,
  CallPrivacyRule,
  LoggedCall,
  LoggedCallWithTexts,
  getCall,
  listCallPrivacy,
  listCalls,
  revealCall,
  setCallPrivacy,
} from '@longhaul/protocol'
import { storableText } from '@longhaul/protocol'
import type { z } from 'zod'
import { type Db, noteAudit } from '../../db/index.ts'
import { type Caller, type TenantCipher, type TenantKeys, whoIs } from '../../identity/index.ts'
import { AppError, type Log, type Service, loop, monotonicMs } from '../../kernel/index.ts'
import type { Client } from '../faces/client.ts'
import { cursorOf, readCursor } from '../money/index.ts'
import {
  type CallRow,
  type PrivacyRow,
  type SealedTexts,
  type StoredCall,
  deleteExpiredCalls,
  findCall,
  insertCalls,
  listCalls as readCalls,
  listPrivacy,
  shortenLife,
  upsertPrivacy,
} from './call-store.ts'
import { type CallRecording, type CallStart, type RecordedCall, recordCall } from './recording.ts'
import { maskTexts, readTexts } from './texts.ts'

type Input<Of extends { input: z.ZodType }> = z.output<Of['input']>
type Page<Item> = { items: Item[]; next: string | null }

export type CallLog = Service & {
  /** A call begins. Never rejects and never waits. */
  begin(start: CallStart, client: Client): CallRecording
  /** What the caller may see: see `isCallFor`. */
  list(caller: Caller, input: Input<typeof listCalls>): Promise<Page<LoggedCall>>
  /** Throws `not_found`. */
  get(caller: Caller, input: Input<typeof getCall>): Promise<LoggedCallWithTexts>
  /** Notes it in the audit log, then returns everything. Throws `not_found`. */
  reveal(caller: Caller, input: Input<typeof revealCall>): Promise<LoggedCallWithTexts>
  listPrivacy(tenantId: string, input: Input<typeof listCallPrivacy>): Promise<Page<CallPrivacyRule>>
  setPrivacy(caller: Caller, input: Input<typeof setCallPrivacy>): Promise<CallPrivacyRule>
}

/** Where no rule says otherwise. What is written down unasked must do no harm when it is read. */
const usualRule = { privacy: 'masked' as CallPrivacy, days: 30 }
/** After a kill, calls of so long before are missing: the longest that one waits here while the database answers. */
const flushMs = 200
const batchMax = 200
const waitingMax = 20_000
/** Of one that cannot be written although others can. */
const triesMax = 60
const retryMs = 1_000
const rulesMs = 1_000
const rulesMax = 1_000
const tenantsMax = 10_000
const sweepMs = 600_000
const sweepMax = 1_000

type Waiting = { recorded: RecordedCall; tries: number }

export type CallLogOptions = {
  db: Db
  keys: TenantKeys
  log: Log
  /** What is held of calls under way, and of those that wait for the database. Of others there is everything but what was said. */
  heldBytesMax?: number
}

export function openCallLog({ db, keys, log, heldBytesMax = 64 * 1024 * 1024 }: CallLogOptions): CallLog {
  let waiting: Waiting[] = []
  let heldBytes = 0
  let lostCount = 0
  const rules = new Map<string, { all: Promise<PrivacyRow[]>; untilMs: number }>()

  const held = {
    take(count: number) {
      if (heldBytes + count > heldBytesMax) return false
      heldBytes += count
      return true
    },
  }

  const drop = ({ heldBytes: freed }: RecordedCall) => void (heldBytes -= freed)

  function add(recorded: RecordedCall): void {
    if (waiting.length >= waitingMax) {
      drop(recorded)
      lostCount++
      return
    }
    waiting.push({ recorded, tries: 0 })
    if (waiting.length === batchMax) writing.wake()
  }

  function rulesOf(tenantId: string): Promise<PrivacyRow[]> {
    const known = rules.get(tenantId)
    if (known && known.untilMs > monotonicMs()) return known.all
    const all = listPrivacy(db.forTenant(tenantId), { limit: rulesMax })
    all.catch(() => rules.delete(tenantId)) // Whoever asked hears of it; the next one asks again.
    if (rules.size >= tenantsMax) rules.clear()
    rules.set(tenantId, { all, untilMs: monotonicMs() + rulesMs })
    return all
  }

  async function write(tenantId: string, calls: readonly RecordedCall[]): Promise<void> {
    const found = await rulesOf(tenantId)
    const ruleOf = (namespace: string) => found.find((rule) => rule.namespace === namespace) ?? found.find((rule) => rule.namespace === '') ?? usualRule
    const ruled = calls.map((recorded) => ({ recorded, rule: ruleOf(recorded.start.namespace) }))
    const cipher = ruled.some(({ rule }) => rule.privacy !== 'none') ? await keys.of(tenantId) : undefined
    const texts = ruled.flatMap(({ recorded, rule }) => (rule.privacy === 'none' || !cipher ? [] : [{ id: recorded.start.id, ...sealTexts(cipher, recorded) }]))
    const rows = ruled.map(({ recorded, rule }) => toRow(recorded, rule))
    await db.forTenant(tenantId).transaction((tx) => insertCalls(tx, rows, texts))
  }

  /** Returns how many could not be written. */
  async function flush(): Promise<number> {
    const batch = waiting.slice(0, batchMax)
    const failed = new Set<Waiting>()
    for (const [tenantId, of] of Map.groupBy(batch, ({ recorded }) => recorded.start.tenantId)) {
      try {
        await write(
          tenantId,
          of.map(({ recorded }) => recorded),
        )
      } catch (error) {
        log.warn('model calls could not be logged now; it is tried again', { tenantId, callCount: of.length, error })
        for (const one of of) if (++one.tries < triesMax) failed.add(one)
      }
    }
    const gone = batch.filter((one) => !failed.has(one))
    for (const { recorded } of gone) drop(recorded)
    lostCount += gone.filter(({ tries }) => tries >= triesMax).length
    waiting = [...waiting.slice(batch.length), ...failed] // Others go before those that failed.
    if (lostCount > 0) log.error('model calls were not logged: the database did not take them in time', { callCount: lostCount })
    lostCount = 0
    return failed.size
  }

  const writing = loop({
    everyMs: flushMs,
    onError: (error) => log.error('the log of model calls failed', { error }),
    async work() {
      if ((await flush()) > 0) return retryMs
      return waiting.length >= batchMax ? 0 : flushMs
    },
  })
  const sweeps = loop({
    everyMs: sweepMs,
    onError: (error) => log.warn('model calls whose time is up were not deleted; it is tried again', { error }),
    work: async () => ((await deleteExpiredCalls(db, sweepMax)) === sweepMax ? 0 : sweepMs),
  })

  async function show(tenantId: string, found: StoredCall & SealedTexts, isRevealed: boolean): Promise<LoggedCallWithTexts> {
    const { request, answer, isCut, ...call } = found
    const isMasked = call.privacy === 'masked' && !isRevealed
    if (!request && !answer) return { ...toCall(call), request: null, answer: null, isCut, isMasked }
    const cipher = await keys.of(tenantId)
    const opened = readTexts(
      call,
      request ? cipher.open(nameOf(call.id, 'request'), request) : undefined,
      answer ? cipher.open(nameOf(call.id, 'answer'), answer) : undefined,
    )
    return { ...toCall(call), ...(isMasked ? maskTexts(opened) : opened), isCut, isMasked }
  }
  const noCall = (id: string) => new AppError('not_found', `No model call ${id}.`)

  return {
    begin: (start, client) => recordCall(start, client, held, add),
    async list(caller, { cursor, limit, costUsdMin, costUsdMax, ...filter }) {
      const costs = { costMin: toNanodollars(costUsdMin), costMax: toNanodollars(costUsdMax) }
      const found = await readCalls(db.forTenant(caller.tenantId), caller, { ...filter, ...costs, before: readCursor(cursor), limit })
      return { items: found.map(toCall), next: cursorOf(found, limit) }
    },
    async get(caller, { callId }) {
      const found = await findCall(db.forTenant(caller.tenantId), caller, callId)
      if (!found) throw noCall(callId)
      return show(caller.tenantId, found, false)
    },
    async reveal(caller, { callId, reason }) {
      const found = await db.forTenant(caller.tenantId).transaction(async (tx) => {
        const call = await findCall(tx, caller, callId)
        if (!call) throw noCall(callId)
        await noteAudit(tx, { who: whoIs(caller), action: 'calls.reveal', target: callId, detail: { reason, ofKey: call.keyId } })
        return call
      })
      return show(caller.tenantId, found, true)
    },
    // The cursor of what holds for all others is empty: an empty text is none to go on after, so it is marked.
    async listPrivacy(tenantId, { limit, cursor }) {
      const found = await listPrivacy(db.forTenant(tenantId), { limit: limit + 1, after: cursor?.slice(1) })
      return { items: found.slice(0, limit).map(toRule), next: found.length > limit ? `:${found[limit - 1]?.namespace ?? ''}` : null }
    },
    async setPrivacy(caller, { namespace, privacy, days }) {
      const set = await db.forTenant(caller.tenantId).transaction(async (tx) => {
        const rule = await upsertPrivacy(tx, { namespace: namespace ?? '', privacy, days, setBy: caller.name })
        await shortenLife(tx, namespace ?? '', days)
        await noteAudit(tx, { who: whoIs(caller), action: 'callPrivacy.set', target: namespace ?? null, detail: { privacy, days } })
        return rule
      })
      rules.delete(caller.tenantId)
      return toRule(set)
    },
    async start() {
      await writing.start()
      await sweeps.start()
    },
    async stop() {
      await sweeps.stop()
      await writing.stop()
      while (waiting.length > 0 && (await flush()) === 0) continue
      if (waiting.length > 0) log.error('model calls were not logged before the end', { callCount: waiting.length })
    },
  }
}

const toNanodollars = (usd: number | undefined): number | undefined => (usd === undefined ? undefined : Math.round(usd * 1e9))
const nameOf = (callId: string, side: 'request' | 'answer'): string => `calls/${callId}/${side}`

function sealTexts(cipher: TenantCipher, { start: { id }, request, answer, isCut }: RecordedCall): SealedTexts {
  return {
    request: request ? cipher.seal(nameOf(id, 'request'), request) : null,
    answer: answer ? cipher.seal(nameOf(id, 'answer'), answer) : null,
    isCut,
  }
}

/** Callers' own words, made such that the database takes them. */
const storable = (text: string): string => storableText(text.slice(0, 200))

function toRow({ start, at, end, input, output, isEstimated, costUsd }: RecordedCall, { privacy, days }: { privacy: CallPrivacy; days: number }): CallRow {
  const { id, namespace, keyId, session, tags, call } = start
  return {
    ...{ id, namespace, keyId, input, output, isEstimated, privacy, days },
    at: at.toISOString(),
    user: call.user === undefined ? null : storable(call.user),
    session: session === undefined ? null : storable(session),
    face: call.face,
    isStream: call.isStream,
    model: storable(call.model),
    answeredBy: end.answeredBy === undefined ? null : storable(end.answeredBy),
    outcome: end.outcome,
    status: end.status,
    code: end.code ?? null,
    isKeptAnswer: end.isKeptAnswer,
    cost: toNanodollars(costUsd ?? undefined) ?? null,
    durationMs: Math.round(end.durationMs),
    tags: tags ? Object.fromEntries(Object.entries(tags).map(([name, value]) => [storable(name), storable(value)])) : null,
  }
}

function toCall(stored: StoredCall): LoggedCall {
  const { at, cursorAt: _, input, output, cost, tags, ...call } = stored
  return { ...call, at: at.toISOString(), inputTokens: input, outputTokens: output, costUsd: cost === null ? null : cost / 1e9, tags: tags ?? {} }
}

const toRule = ({ namespace, setAt, ...rule }: PrivacyRow): CallPrivacyRule => ({
  ...rule,
  namespace: namespace === '' ? null : namespace,
  setAt: setAt.toISOString(),
})
