/**
 * Addresses at which others tell of events. A request counts once its signature is found right; then it starts a run or becomes a signal, once
 * for each event, with the access of whoever set the hook. What came of it is noted, and of what was refused nothing but that.
 */
import type { Asker, ChannelReply, Destination, Hook, HookAction, HookDelivery, HookScheme, Json } from '@longhaul/protocol'
import { type Audience, type Db, audienceOf, noteAudit } from '../db/index.ts'
import { type Engine, type WhyNotStart, sentByHook } from '../engine/index.ts'
import { type Caller, type Secrets, askerOf, sha256, whoIs } from '../identity/index.ts'
import { AppError, type Log, type RateLimit, monotonicMs, newId, openRateLimit, wallClock } from '../kernel/index.ts'
import * as store from './hook-store.ts'
import { isMessage, readMessage } from './channels.ts'
import { type Mapped, mapPayload, readPayload, valueAt } from './mapping.ts'
import { type Verdict, verify } from './signatures.ts'

export type HookSetting = {
  name: string
  agent: string
  namespace?: string | undefined
  scheme: HookScheme
  secret: string
  action: HookAction
  events?: string[] | undefined
  toleranceMs: number
}

export type HooksOptions = {
  db: Db
  log: Log
  secrets: Pick<Secrets, 'use' | 'versions'>
  engine: Pick<Engine, 'signal'>
  /** Whether the tenant has such an agent. */
  hasAgent(tenantId: string, agent: string): Promise<boolean>
  start(
    tenantId: string,
    asker: Asker,
    run: {
      agent: string
      namespace: string
      input: Json
      session?: string | undefined
      idempotencyKey: string
      destinations?: (Destination | ChannelReply)[]
      labels?: string[]
    },
  ): Promise<{ id: string }>
  /** Asked before an event starts a run. Absent: all may. */
  whyNotStart?: WhyNotStart
  /** Events that one hook takes on this server. */
  perMinute: number
  now?: () => number
}

export type HookRequest = { tenant: string; name: string; headers: Pick<Headers, 'get'>; body: Uint8Array }
export type HookAnswer = { outcome: HookDelivery['outcome']; runId: string | null } | { challenge: string }
export type Hooks = ReturnType<typeof openHooks>

const hooksMax = 1_000
const kept = { days: 30, refusedMax: 1_000 }
/** A secret that was read is used so long without another entry in the audit log. */
const secretKeptMs = 30_000
const secretsKeptMax = 10_000
/** Refusals of one hook that are noted. More would be a way to fill the database. */
const refusalsPerMinute = 60

/** The same whatever is wrong, so that nobody learns which hooks there are. */
const notTaken = () =>
  new AppError(
    'unauthenticated',
    'No hook here takes this request: there is none of this name, or the signature is not right. Whoever set it sees why: longhaul hooks deliveries',
  )

export function openHooks(options: HooksOptions) {
  const { db, log, secrets, engine, perMinute, now = () => wallClock().getTime() } = options
  const rate = openRateLimit(perMinute)
  const refusals: RateLimit = openRateLimit(refusalsPerMinute)
  const known = new Map<string, { until: number; value: Promise<string> }>()

  function secretOf({ id, asker, name, secret, agent, channel }: store.HookRow, tenantId: string): Promise<string> {
    const place = `${id} ${secret}`
    const found = known.get(place)
    if (found && found.until > monotonicMs()) return found.value
    const value = secrets.use(tenantId, secret, {
      who: { id: asker.id, name: asker.name },
      purpose: `hook ${name}`,
      ...(channel && { whyNot: ({ agents }) => (agents && !agents.includes(agent) ? `The secret ${secret} is not for the agent ${agent}.` : undefined) }),
    })
    // Whoever waits for it is told. That there is none is kept, too: asking is noted each time.
    value.catch((error: unknown) => void (error instanceof AppError && ['not_found', 'forbidden'].includes(error.code) ? undefined : known.delete(place)))
    known.delete(place)
    known.set(place, { until: monotonicMs() + secretKeptMs, value })
    if (known.size > secretsKeptMax) for (const oldest of known.keys().take(1)) known.delete(oldest)
    return value
  }

  /** False when an event of that key has been taken. */
  async function note(tenantId: string, hookId: string, delivery: Partial<store.NewDelivery> & Pick<HookDelivery, 'outcome'>): Promise<boolean> {
    return db.forTenant(tenantId).transaction(async (tx) => {
      const isNew = await store.insertDelivery(tx, { eventId: null, key: null, reason: null, runId: null, ...delivery, id: newId(), hookId })
      await store.pruneDeliveries(tx, hookId, kept)
      return isNew
    })
  }

  async function refuse(tenantId: string, hook: store.HookRow, reason: string, eventId: string | null = null): Promise<void> {
    log.warn('a webhook was refused', { tenantId, hook: hook.name, reason })
    if (!refusals.take(hook.id).isAllowed) return
    await note(tenantId, hook.id, { outcome: 'refused', reason, eventId }).catch((error: unknown) =>
      log.error('a refused webhook was not noted', { error, hook: hook.name, reason }),
    )
  }

  const found = (row: store.HookRow | undefined, name: string): store.HookRow => {
    if (!row) throw new AppError('not_found', `No hook ${name}.`)
    return row
  }

  /** One that is about a hook by its name, noted for the audit log in its transaction. */
  async function change(caller: Caller, name: string, verb: 'pause' | 'resume' | 'delete'): Promise<Hook> {
    const row = await db.forTenant(caller.tenantId).transaction(async (tx) => {
      const { fromVersion, channel, agent } = found(await store.findHook(tx, caller, name), name)
      if (fromVersion !== null && channel && verb === 'delete')
        throw new AppError(
          'conflict',
          `${name} comes from the folder of ${agent}, version ${fromVersion}. Pause it, or take it out of channels/ and deploy the agent.`,
        )
      if (fromVersion !== null && !channel && verb === 'resume')
        throw new AppError(
          'conflict',
          `${name} was declared by version ${fromVersion}, and is not by the live one. It comes back with a version that declares it.`,
        )
      const changed = found(await (verb === 'delete' ? store.deleteHook(tx, caller, name) : store.pauseHook(tx, caller, name, verb === 'pause')), name)
      await noteAudit(tx, { who: whoIs(caller), action: `hooks.${verb}`, target: name })
      return changed
    })
    return toHook(caller.tenantId, row)
  }

  /** What the event becomes. Throws what the start or the signal throws. */
  async function act(tenantId: string, hook: store.HookRow, payload: Json, key: string): Promise<{ outcome: 'started' | 'signalled'; runId: string }> {
    const said = hook.channel && readMessage(hook.channel, hook.name, payload)
    const mapped: Mapped = said ? { type: 'start', ...said } : mapPayload(hook.action, payload)
    const idempotencyKey = `hook ${hook.id} ${key}`
    const { agent, namespace, asker } = hook
    if (mapped.type === 'start') {
      const why = await options.whyNotStart?.({ tenantId, namespace, agent, input: mapped.input, asker, startedBy: { type: 'hook', name: hook.name } })
      if (why !== undefined) throw new AppError('forbidden', why)
      const run = await options.start(tenantId, asker, {
        agent,
        namespace,
        input: mapped.input,
        session: mapped.session,
        idempotencyKey,
        labels: said?.labels ?? [`hook:${hook.name}`], // Whoever signed it passes on what others wrote: an issue, a mail, a form.
        ...(said && { destinations: said.destinations }),
      })
      return { outcome: 'started', runId: run.id }
    }
    const audience: Audience = { ...audienceOf(tenantId, asker), agents: [agent], namespaces: [namespace], keyId: asker.id }
    const run = await engine.signal(audience, mapped.run, sentByHook(hook.name), mapped.signal, mapped.payload, idempotencyKey)
    return { outcome: 'signalled', runId: run.id }
  }

  return {
    async set(caller: Caller, setting: HookSetting): Promise<Hook> {
      const { tenantId } = caller
      const { namespace = caller.namespaces?.[0] ?? 'default', events = null, ...given } = setting
      if (!(await options.hasAgent(tenantId, setting.agent))) throw new AppError('not_found', `No agent ${setting.agent}.`)
      await secrets.versions(tenantId, setting.secret)
      const asker = askerOf(caller)
      const row = await db.forTenant(tenantId).transaction(async (tx) => {
        if ((await store.countOtherHooks(tx, setting.name)) >= hooksMax) throw new AppError('over_limit', `A tenant has at most ${hooksMax} hooks.`)
        const made = await store.upsertHook(tx, caller, {
          ...given,
          namespace,
          events,
          id: newId(),
          asker,
          setBy: asker.name,
          fromVersion: null,
          channel: null,
        })
        if (!made) throw new AppError('conflict', `The name ${setting.name} belongs to a hook that this key may not see. Take another.`)
        await noteAudit(tx, {
          who: whoIs(caller),
          action: 'hooks.set',
          target: setting.name,
          detail: { agent: setting.agent, scheme: setting.scheme, secret: setting.secret },
        })
        return made
      })
      return toHook(tenantId, row)
    },
    async list(caller: Caller, { limit, cursor }: { limit: number; cursor?: string | undefined }) {
      const rows = await store.listHooks(db.forTenant(caller.tenantId), caller, { limit: limit + 1, after: cursor })
      const items = rows.slice(0, limit).map((row) => toHook(caller.tenantId, row))
      return { items, next: rows.length > limit ? (items.at(-1)?.name ?? null) : null }
    },
    get: async (caller: Caller, name: string): Promise<Hook> =>
      toHook(caller.tenantId, found(await store.findHook(db.forTenant(caller.tenantId), caller, name), name)),
    pause: (caller: Caller, name: string) => change(caller, name, 'pause'),
    resume: (caller: Caller, name: string) => change(caller, name, 'resume'),
    delete: (caller: Caller, name: string) => change(caller, name, 'delete'),
    async deliveries(caller: Caller, name: string, page: store.DeliveryPage): Promise<HookDelivery[]> {
      const tenant = db.forTenant(caller.tenantId)
      const { id } = found(await store.findHook(tenant, caller, name), name)
      return store.listDeliveries(tenant, id, page)
    },

    /** What anybody may send. Throws `unauthenticated`, `over_limit`, `conflict`, `invalid`, or what the start or the signal throws. */
    async receive({ tenant: tenantId, name, headers, body }: HookRequest): Promise<HookAnswer> {
      const hook = await store.findOpenHook(db.forTenant(tenantId), name)
      if (!hook) throw notTaken()
      const secret = await secretOf(hook, tenantId).catch(async (error: unknown) => {
        if (!(error instanceof AppError && ['not_found', 'forbidden'].includes(error.code))) throw error
        await refuse(tenantId, hook, 'secret')
        throw notTaken()
      })
      const verdict = verify(hook.scheme, { headers, body, secret, nowMs: now(), toleranceMs: hook.toleranceMs })
      if (!verdict.isSigned) {
        await refuse(tenantId, hook, verdict.reason)
        throw notTaken()
      }
      const { isAllowed, retryAfterS } = rate.take(hook.id)
      if (!isAllowed) {
        await refuse(tenantId, hook, 'rate')
        throw new AppError('over_limit', `More than ${perMinute} events a minute. Try again in ${retryAfterS} s.`, undefined, retryAfterS)
      }
      let payload: Json
      try {
        payload = readPayload(body, headers.get('content-type'))
      } catch (error) {
        await refuse(tenantId, hook, 'payload')
        throw error
      }
      if (hook.scheme === 'slack' && textIn(payload, '/type') === 'url_verification') return { challenge: textIn(payload, '/challenge') ?? '' }
      const { key, eventId, type } = eventOf(hook.scheme, verdict, payload)
      if (hook.isPaused) {
        await refuse(tenantId, hook, 'paused', eventId)
        throw new AppError('conflict', 'This hook is paused. Try again later.')
      }
      // GitHub asks with a ping whether somebody is there: no event.
      if ((hook.events && !hook.events.includes(type ?? '')) || (hook.scheme === 'github' && type === 'ping')) {
        await note(tenantId, hook.id, { outcome: 'left', reason: 'event_type', eventId })
        return { outcome: 'left', runId: null }
      }
      if (hook.fromVersion !== null && (!hook.channel || !isMessage(hook.channel, payload))) {
        await note(tenantId, hook.id, { outcome: 'left', reason: 'no_message', eventId })
        return { outcome: 'left', runId: null }
      }
      const before = await store.findTaken(db.forTenant(tenantId), hook.id, key)
      if (before) {
        await note(tenantId, hook.id, { outcome: 'repeated', eventId, runId: before.runId })
        return { outcome: 'repeated', runId: before.runId }
      }
      const done = await act(tenantId, hook, payload, key).catch(async (error: unknown) => {
        if (error instanceof AppError && error.code !== 'unavailable') await refuse(tenantId, hook, error.code === 'invalid' ? 'mapping' : error.code, eventId)
        throw error
      })
      if (await note(tenantId, hook.id, { ...done, eventId, key })) return done
      await note(tenantId, hook.id, { outcome: 'repeated', eventId, runId: done.runId }) // Two came at once, and became one.
      return { outcome: 'repeated', runId: done.runId }
    },
  }
}

/** Which event this is and of which type, where the payload says it. */
function eventOf(scheme: HookScheme, { eventId, key, keyFrom, type }: Extract<Verdict, { isSigned: true }>, payload: Json) {
  const named = keyFrom === undefined ? undefined : textIn(payload, `/${keyFrom}`)
  const typeOf = type ?? (scheme === 'slack' ? textIn(payload, '/event/type') : undefined) ?? textIn(payload, '/type')
  const raw = named ?? key
  return { eventId: (named ?? eventId).slice(0, 200), key: raw.length > 64 ? sha256(raw) : raw, type: typeOf }
}

function textIn(payload: Json, pointer: string): string | undefined {
  try {
    const value = valueAt(pointer, payload)
    return typeof value === 'string' && value !== '' ? value : undefined
  } catch {
    return undefined
  }
}

const toHook = (tenantId: string, { setAt, ...row }: store.HookRow): Hook => ({ ...row, path: `/hooks/${tenantId}/${row.name}`, setAt: setAt.toISOString() })
