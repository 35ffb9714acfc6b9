/**
 * Where the calls of one tenant are admitted at this node. Those that come while a commit is under way are decided together and held by
 * the next one: a budget that two hundred callers share is one update of one row for all of them.
 *
 * What the counters are is known from the last statement, and may be old: another node admitted, a call was settled. So a call that seems not to fit is refused only after
 * the counters were read again, and what seems to fit is compared once more where it is written, with the rows locked.
 */
import { type Db, isConnectionLost, sqlState } from '../../db/index.ts'
import { AppError, type Log, sleep } from '../../kernel/index.ts'
import { type CounterKey, nameOfCounter } from './budget.ts'
import type { Hold } from './call.ts'
import { type CounterState, type Decision, type Need, type Wish, decide } from './decide.ts'
import { type ReservationRow, ensureCounters, existingReservations, readCounters, reserve } from './reserve-store.ts'

/** A call at the desk. `needs` are in the order of `counters`, without their numbers. */
export type Asking = {
  counters: readonly CounterKey[]
  needs: readonly Omit<Need, 'counter'>[]
  output: number
  outputMin: number
  /** The row to be written when it is let pass with so much output. */
  toRow(holds: Hold[], output: number): ReservationRow
}

export type Answer =
  | { isHeld: true; holds: Hold[]; output: number }
  /** `key` and `state` are the counter that it did not fit on. */
  | { isHeld: false; key: CounterKey; need: Omit<Need, 'counter'>; state: CounterState; isBusy: boolean }
  /** A budget was deleted meanwhile: the call has to be looked at anew. */
  | { isHeld: 'stale' }

export type Desk = { ask(asking: Asking): Promise<Answer> }

type Waiting = { asking: Asking; resolve(answer: Answer): void; reject(error: unknown): void }
type Seated = Waiting & { ids: number[] }

const batchMax = 500
const knownMax = 20_000
/** Tries of a batch before its calls go one by one. Near a limit that several nodes are at, each may find the counters changed. */
const batchTries = 3

export type DeskOptions = {
  db: Db
  tenantId: string
  leaseMs: number
  log: Log
  /** These may have been held, or may yet be: the answer was lost, and their calls were refused. */ onOrphans(rows: ReservationRow[]): void
}

export function openDesk({ db, tenantId, leaseMs, log, onOrphans }: DeskOptions): Desk {
  const queue: Waiting[] = []
  let isServing = false
  const numbers = new Map<string, number>()
  const states = new Map<number, CounterState>()

  async function serve(): Promise<void> {
    isServing = true
    await Promise.resolve() // What is asked in the same turn is decided together.
    while (queue.length > 0) {
      const batch = queue.splice(0, batchMax)
      await serveBatch(batch).catch((error: unknown) => batch.forEach(({ reject }) => reject(error)))
    }
    isServing = false
  }

  async function serveBatch(batch: Waiting[]): Promise<void> {
    let seated = await seat(batch)
    for (let tries = 0; seated.length > 0; tries++) {
      if (tries >= batchTries && seated.length > 1) {
        for (const one of seated) await serveBatch([one])
        return
      }
      seated = await decideAndHold(seated)
    }
  }

  /** Gives each its counters' numbers. */
  async function seat(batch: Waiting[]): Promise<Seated[]> {
    if (numbers.size > knownMax) {
      numbers.clear()
      states.clear()
    }
    const missing = new Map<string, CounterKey>()
    for (const { asking } of batch) for (const key of asking.counters) if (!numbers.has(nameOfCounter(key))) missing.set(nameOfCounter(key), key)
    if (missing.size > 0) {
      const found = await ensureCounters(db, tenantId, [...missing.values()])
      for (const [i, name] of [...missing.keys()].entries()) {
        const state = found[i]
        if (!state) continue
        numbers.set(name, state.id)
        states.set(state.id, state)
      }
    }
    return batch.flatMap((waiting) => {
      const ids = waiting.asking.counters.map((key) => numbers.get(nameOfCounter(key)))
      if (ids.every((id) => id !== undefined)) return [{ ...waiting, ids }]
      waiting.resolve({ isHeld: 'stale' })
      return []
    })
  }

  /** Answers those that are held or refused; returns those for which the counters turned out to be others than thought. */
  async function decideAndHold(seated: Seated[]): Promise<Seated[]> {
    const wishes = seated.map(({ asking, ids }): Wish => ({ ...asking, needs: asking.needs.map((need, i) => ({ ...need, counter: ids[i] ?? 0 })) }))
    let decisions = decide(wishes, new Map(states))
    const doubtful = new Set(decisions.flatMap((decision, i) => (decision.isFitting ? [] : (seated[i]?.ids ?? []))))
    if (doubtful.size > 0) {
      remember(doubtful, await readCounters(db, [...doubtful]))
      decisions = decide(wishes, new Map(states))
    }
    const fitting = seated.flatMap((one, i) => {
      const decision = decisions[i]
      return decision?.isFitting ? [{ one, decision, row: toRow(one, decision) }] : []
    })
    if (fitting.length > 0 && !(await hold(fitting.map(({ row }) => row)))) return dismiss(seated)
    for (const { one, decision, row } of fitting) one.resolve({ isHeld: true, holds: row.holds, output: decision.output })
    for (const [i, one] of seated.entries()) refuse(one, decisions[i])
    return []
  }

  function refuse({ asking, ids, resolve }: Seated, decision: Decision | undefined): void {
    if (!decision || decision.isFitting) return
    const at = ids.indexOf(decision.short.counter)
    const [key, need, state] = [asking.counters[at], asking.needs[at], states.get(decision.short.counter)]
    resolve(key && need && state ? { isHeld: false, key, need, state, isBusy: decision.isBusy } : { isHeld: 'stale' })
  }

  /** Sends away those whose counters are gone. */
  function dismiss(seated: Seated[]): Seated[] {
    return seated.filter(({ ids, resolve }) => {
      if (ids.every((id) => states.has(id))) return true
      resolve({ isHeld: 'stale' })
      return false
    })
  }

  /** True when all of it was written. False when the counters are others than thought; what they are is known then. */
  async function hold(rows: ReservationRow[]): Promise<boolean> {
    const deltas = new Map<number, number>()
    for (const { counter, amount } of rows.flatMap(({ holds }) => holds)) deltas.set(counter, (deltas.get(counter) ?? 0) + amount)
    for (let tries = 0; ; tries++) {
      try {
        const result = await reserve(db, { deltas, rows, leaseMs })
        remember(deltas.keys(), result.states)
        if (result.isDone) for (const [id, amount] of deltas) add(id, amount)
        return result.isDone
      } catch (error) {
        if (isConnectionLost(error)) return readBack(rows)
        if (!sqlState(error)?.startsWith('40') || tries >= 5) throw error // A deadlock or a serialization failure: nothing was written, once more.
      }
    }
  }

  /** The connection was lost: it was written or it was not. Nobody may call before we know. */
  async function readBack(rows: ReservationRow[]): Promise<boolean> {
    for (let tries = 0; tries < 5; tries++) {
      try {
        if ((await existingReservations(db, [rows[0]?.id ?? ''])).length > 0) return true
        break // Not there, or not yet: a statement may outlive its connection.
      } catch {
        await sleep(100 * 2 ** tries) // Still away. The last try's error is told below.
      }
    }
    onOrphans(rows)
    log.warn('the answer to an admission was lost; its calls are refused', { tenantId, callCount: rows.length })
    throw new AppError('unavailable', 'The database is not answering, so no budget can be asked. Try again.')
  }

  function remember(asked: Iterable<number>, found: readonly CounterState[]): void {
    for (const id of asked) states.delete(id)
    for (const state of found) states.set(state.id, state)
    if (states.size === numbers.size) return
    for (const [name, id] of numbers) if (!states.has(id)) numbers.delete(name)
  }

  function add(id: number, amount: number): void {
    const state = states.get(id)
    if (state) states.set(id, { ...state, reserved: state.reserved + amount })
  }

  return {
    ask: (asking) =>
      new Promise((resolve, reject) => {
        queue.push({ asking, resolve, reject })
        if (!isServing) void serve()
      }),
  }
}

const toRow = ({ asking, ids }: Seated, { amounts, output }: Extract<Decision, { isFitting: true }>): ReservationRow =>
  asking.toRow(
    asking.needs.map(({ unit }, i) => ({ counter: ids[i] ?? 0, unit, amount: amounts[i] ?? 0 })),
    output,
  )
