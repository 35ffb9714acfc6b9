/** Opens the till. The contract is in `money.ts`. */
import type { Db } from '../../db/index.ts'
import { AppError, type Log, loop, monotonicMs, newId } from '../../kernel/index.ts'
import { deleteOldCounters, insertRefusal } from './budget-store.ts'
import { noTokens } from './buckets.ts'
import { type CounterKey, countersOf } from './budget.ts'
import type { Admission, Call, Hold, Outcome, Reservation } from './call.ts'
import type { PricedModel } from './catalogue.ts'
import { type CounterState, type Need, amountOf } from './decide.ts'
import { type Asking, type Desk, openDesk } from './desk.ts'
import { insertPrice } from './model-store.ts'
import type { Money } from './money.ts'
import { worstCost } from './rates.ts'
import { refusal } from './refusals.ts'
import { type ReservationRow, renewReservations } from './reserve-store.ts'
import { type PricedCall, bookingRow, inputTokensMaxOf } from './row.ts'
import { openSettler } from './settler.ts'
import { rollUp, sweep, takeOver } from './sweep.ts'
import { openTerms } from './terms.ts'

export type MoneyOptions = {
  db: Db
  log: Log
  /** How long a reservation of a process that is gone is kept. */
  leaseMs?: number
  sweepMs?: number
}

/** Of a model whose limit is not known. It is asked for no more, so it holds. */
const outputTokensUnknown = 32_768
/** A call is not cut down to less than this. */
const outputTokensMin = 256
const staleTries = 5
/** How long counters of windows and runs that have ended can be looked at. */
const countersKeptMs = 400 * 86_400_000

export function openMoney({ db, log, leaseMs = 30_000, sweepMs = 2_000 }: MoneyOptions): Money {
  const terms = openTerms(db)
  const settler = openSettler({ db, log })
  const desks = new Map<string, Desk>()
  /** Reservations of calls that are under way here, and the prices that the calls were admitted at. */
  const underWay = new Map<string, PricedCall & { admittedMs: number; isHeld: boolean }>()
  const knownPrices = new Set<string>()
  const toldRefusals = new Map<number, number>()

  const deskOf = (tenantId: string): Desk => {
    const desk = desks.get(tenantId) ?? openDesk({ db, tenantId, leaseMs, log, onOrphans: (rows) => rows.forEach(release) })
    desks.set(tenantId, desk)
    return desk
  }

  const release = ({ call }: ReservationRow) => void settler.settle({ ...(call.row as ReturnType<typeof bookingRow>), requests: 0 }) // We made the row.

  /** The rates are in the database before a call names them. */
  async function recordPrice(call: Call, priced: PricedModel): Promise<void> {
    const name = `${call.tenantId} ${priced.priceId}`
    if (knownPrices.has(name)) return
    await insertPrice(db, call.tenantId, call.model, priced)
    knownPrices.add(name)
  }

  function admitted(
    call: Call,
    { id, holds, priced, outputTokensMax }: { id: string; holds: Hold[]; priced: PricedModel | undefined; outputTokensMax: number | undefined },
  ): Admission {
    const admittedMs = monotonicMs()
    const priceId = priced?.priceId
    underWay.set(id, { id, call, price: priced?.price, priceId, outputTokensMax: outputTokensMax ?? null, admittedMs, isHeld: holds.length > 0 })
    return { isAdmitted: true, callId: id, reservation: { id, call, holds, priceId, admittedMs }, outputTokensMax }
  }

  function refused(reason: 'exhausted' | 'busy' | 'unpriced', call: Call, key: CounterKey, needed: number | null, state: CounterState | undefined): Admission {
    // A limit that was told of already is no news: a thousand callers at an empty budget write one event.
    if (state && reason !== 'busy' && toldRefusals.get(state.id) !== state.limit) {
      if (toldRefusals.size > 10_000) toldRefusals.clear()
      toldRefusals.set(state.id, state.limit)
      insertRefusal(db, state.id).catch((error: unknown) => log.warn('a refusal was not recorded', { error, budgetId: key.budget.id }))
    }
    const { unit, limit } = key.budget
    return { isAdmitted: false, refusal: refusal(reason, { key, unit, needed, state: state ?? { spent: 0, reserved: 0, limit }, model: call.model }) }
  }

  async function admitOnce(call: Call): Promise<Admission | 'stale'> {
    const known = await terms.of(call.tenantId)
    const priced = known.priceOf(call.model)
    if (priced) await recordPrice(call, priced)
    const counters = countersOf(call, known.budgets)
    if (counters.length === 0) return admitted(call, { id: newId(), holds: [], priced, outputTokensMax: call.outputTokensMax })
    const unpriced = priced ? undefined : counters.find(({ budget }) => budget.unit === 'usd')
    if (unpriced) return refused('unpriced', call, unpriced, null, undefined)
    const needs = counters.map(({ budget }) => needOf(budget.unit, call, priced))
    const isLimited = needs.some(({ perOutputToken }) => perOutputToken > 0)
    const output = call.outputTokensMax ?? known.factsOf(call.model)?.outputMax ?? outputTokensUnknown
    const id = newId()
    const asking: Asking = {
      counters,
      needs,
      output,
      outputMin: call.mayClamp === false ? output : Math.min(output, outputTokensMin),
      toRow: (holds, granted) => reservationRow(call, { id, holds, priced, outputTokensMax: isLimited ? granted : call.outputTokensMax }),
    }
    const answer = await deskOf(call.tenantId).ask(asking)
    if (answer.isHeld === 'stale') return 'stale'
    if (answer.isHeld) return admitted(call, { id, holds: answer.holds, priced, outputTokensMax: isLimited ? answer.output : call.outputTokensMax })
    const needed = amountOf({ counter: 0, ...answer.need }, asking.outputMin)
    return refused(answer.isBusy ? 'busy' : 'exhausted', call, answer.key, needed, answer.state)
  }

  function close(reservation: Reservation, outcome: Outcome) {
    const known = underWay.get(reservation.id)
    underWay.delete(reservation.id)
    const { id, call, priceId, admittedMs } = reservation
    const priced = known ?? { id, call, price: undefined, priceId, outputTokensMax: null }
    return bookingRow({ ...priced, durationMs: monotonicMs() - admittedMs }, outcome)
  }

  const renewals = loop({
    everyMs: leaseMs / 3,
    onError: (error) => log.warn('reservations were not renewed; it is tried again', { error }),
    async work() {
      const ids = [...underWay.values()].flatMap(({ id, isHeld }) => (isHeld ? [id] : []))
      if (ids.length > 0) await renewReservations(db, ids, leaseMs)
    },
  })
  const sweeps = loop({
    everyMs: sweepMs,
    onError: (error) => log.warn('the sweep of reservations and usage failed; it is tried again', { error }),
    async work() {
      const swept = await sweep(db, log)
      const rolled = await rollUp(db)
      return swept || rolled ? 0 : sweepMs
    },
  })

  const tidying = loop({
    everyMs: 3_600_000,
    onError: (error) => log.warn('old counters of budgets were not deleted; it is tried again', { error }),
    async work() {
      while ((await deleteOldCounters(db, countersKeptMs, 1_000)) === 1_000) continue
    },
  })

  return {
    async admit(call, { isRepeated = false } = {}) {
      if (isRepeated) {
        const taken = await takeOver(db, call, leaseMs)
        if (taken) return admitted(call, { ...taken, priced: (await terms.of(call.tenantId)).priceOf(call.model) })
      }
      for (let tries = 0; tries < staleTries; tries++) {
        const admission = await admitOnce(call)
        if (admission !== 'stale') return admission
        terms.forget(call.tenantId)
      }
      throw new AppError('unavailable', 'The budgets change faster than this call could be admitted. Try again.')
    },
    async settle(reservation, outcome) {
      const row = close(reservation, outcome)
      if (!isNothing(row, reservation)) await settler.settle(row)
      return row.cost === undefined ? null : row.cost / 1e9
    },
    async bookHit(call) {
      const marked = { ...call, tags: { ...call.tags, cache: 'hit' } }
      const row = bookingRow({ id: newId(), call: marked, price: undefined, priceId: undefined, outputTokensMax: null }, { type: 'used', tokens: noTokens })
      await settler.settle({ ...row, cost: 0 })
    },
    settlement(reservation, outcome) {
      const row = close(reservation, outcome)
      return { row: isNothing(row, reservation) ? undefined : JSON.stringify(row), costUsd: row.cost === undefined ? null : row.cost / 1e9 }
    },
    capabilitiesOf: async (tenantId, model) => (await terms.of(tenantId)).factsOf(model)?.capabilities ?? [],
    refresh: terms.forget,
    async start() {
      await renewals.start()
      await sweeps.start()
      await tidying.start()
    },
    async stop() {
      await tidying.stop()
      await sweeps.stop()
      await renewals.stop()
      await settler.stop()
    },
  }
}

const isNothing = ({ requests }: { requests: number }, { holds }: Reservation): boolean => requests === 0 && holds.length === 0

/** The worst case of a call on a budget of this unit. */
function needOf(unit: Need['unit'], call: Call, priced: PricedModel | undefined): Omit<Need, 'counter'> {
  const input = inputTokensMaxOf(call)
  if (unit === 'requests') return { unit, fixed: 1, perOutputToken: 0 }
  if (unit === 'tokens') return { unit, fixed: input, perOutputToken: 1 }
  return { unit, ...(priced ? worstCost(priced.price, input) : { fixed: 0, perOutputToken: 0 }) }
}

function reservationRow(
  call: Call,
  { id, holds, priced, outputTokensMax }: { id: string; holds: Hold[]; priced: PricedModel | undefined; outputTokensMax: number | undefined },
): ReservationRow {
  const { tenantId: tenant, runId: run = null, op = null, attempt = null } = call
  const row = bookingRow({ id, call, price: priced?.price, priceId: priced?.priceId, outputTokensMax: outputTokensMax ?? null }, { type: 'unheard' })
  return { tenant, id, run, op, attempt, holds, call: { row, outputTokensMax: outputTokensMax ?? null, priceId: priced?.priceId ?? null } }
}
