/** What others left behind: reservations of processes that are gone, and rows of usage that no rollup counts yet. */
import { type Db, sqlState } from '../../db/index.ts'
import { type Log, newId } from '../../kernel/index.ts'
import type { Call, Hold } from './call.ts'
import { lockLapsedReservations, lockReservationsOfStep, renameReservation } from './reserve-store.ts'
import { type BookingRow, book, bookInterrupted } from './settle-store.ts'
import { rollUpUsage } from './usage-store.ts'

const sweptMax = 200
const rolledMax = 5_000

const rowOf = ({ row }: { row: unknown }): BookingRow => row as BookingRow // Written by `reservationRow` and nobody else.

/** Books lapsed calls as what they probably used. True when there may be more. */
export async function sweep(db: Db, log: Log, limit = sweptMax): Promise<boolean> {
  const swept = await db.transaction(async (tx) => {
    const lapsed = await lockLapsedReservations(tx, limit)
    if (lapsed.length > 0)
      await book(
        tx,
        lapsed.map(({ call }) => rowOf(call)),
      )
    return lapsed
  })
  if (swept.length > 0)
    log.warn('calls whose process is gone were booked as estimates', { reservationIds: swept.slice(0, 20).map(({ id }) => id), callCount: swept.length })
  return swept.length === limit
}

/** True when there may be more. */
export async function rollUp(db: Db): Promise<boolean> {
  try {
    return (await rollUpUsage(db, rolledMax)) === rolledMax
  } catch (error) {
    if (sqlState(error)?.startsWith('40')) return true // Two nodes at it: once more.
    throw error
  }
}

/**
 * An earlier execution of this step holds something: this one goes on with it, under a new id, so that whoever had it before can settle nothing any more. That one's call may have
 * been made and is booked as an estimate. Undefined when there is nothing to take over.
 */
export async function takeOver(db: Db, call: Call, leaseMs: number): Promise<{ id: string; holds: Hold[]; outputTokensMax: number | undefined } | undefined> {
  const { tenantId, runId, op, attempt } = call
  if (runId === undefined || op === undefined) return undefined
  return db.transaction(async (tx) => {
    const held = await lockReservationsOfStep(tx, tenantId, runId, op)
    const same = held.findLast((reservation) => reservation.attempt === attempt)
    const others = held.filter((reservation) => reservation !== same)
    if (others.length > 0)
      await book(
        tx,
        others.map((other) => rowOf(other.call)),
      )
    if (!same) return undefined
    const id = newId()
    const row = rowOf(same.call)
    await renameReservation(tx, { id: same.id, newId: id, call: { ...same.call, row: { ...row, id } }, leaseMs })
    const amounts = { usd: row.cost ?? 0, tokens: row.tokens, requests: row.requests }
    await bookInterrupted(
      tx,
      row,
      same.holds.map(({ counter, unit }) => ({ counter, amount: amounts[unit] })),
    )
    return { id, holds: same.holds, outputTokensMax: same.call.outputTokensMax ?? undefined }
  })
}
