/** Books settlements of this node: those that come while a commit is under way go into the next one. What the database does not take now is kept and sent again. */
import { type Db, isConnectionLost, sqlState } from '../../db/index.ts'
import { AppError, type Log, sleep } from '../../kernel/index.ts'
import { type BookingRow, book } from './settle-store.ts'

export type Settler = {
  /** Resolves when it is booked, or given up: then the sweep books an estimate. */
  settle(row: BookingRow): Promise<void>
  /** Returns once everything is booked, or the database does not answer. */
  stop(): Promise<void>
}

const batchMax = 500
const queueMax = 100_000

export function openSettler({ db, log }: { db: Db; log: Log }): Settler {
  const queue: { row: BookingRow; done(): void }[] = []
  let running: Promise<void> | undefined
  let isStopping = false

  async function drain(): Promise<void> {
    await Promise.resolve()
    while (queue.length > 0) {
      const batch = queue.splice(0, batchMax)
      await bookAll(batch.map(({ row }) => row))
      for (const { done } of batch) done()
    }
    running = undefined
  }

  /** A row that was booked already is recognised, so sending it again after an answer that was lost is safe. */
  async function bookAll(rows: BookingRow[]): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        return await book(db, rows)
      } catch (error) {
        const willPass = error instanceof AppError || isConnectionLost(error) || /^(25|40|53|55|57|58)/.test(sqlState(error) ?? '')
        if (!willPass && rows.length > 1) {
          for (const row of rows) await bookAll([row]) // One of them is at fault, and no other shall wait for it.
          return
        }
        if (!willPass || isStopping)
          return log.error('a settlement was not booked; it will be, as an estimate', { error, reservationIds: rows.map(({ id }) => id) })
        if (tries % 20 === 0) log.warn('settlements cannot be booked now; it is tried again', { error })
        await sleep(Math.min(1_000, 20 * 2 ** Math.min(tries, 6)))
      }
    }
  }

  return {
    settle(row) {
      if (queue.length >= queueMax) {
        log.error('too many settlements wait for the database; one is left to the sweep', { reservationId: row.id })
        return Promise.resolve()
      }
      return new Promise((done) => {
        queue.push({ row, done })
        running ??= drain()
      })
    },
    async stop() {
      isStopping = true
      await running
    },
  }
}
