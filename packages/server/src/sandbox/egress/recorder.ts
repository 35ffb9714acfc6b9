import type { Db } from '../../db/index.ts'
import { type Log, after } from '../../kernel/index.ts'
import { type ConnectionRow, insertConnections } from '../connection-store.ts'

/** Writes down who went where, many at once, a moment later. */
export type Recorder = {
  add(row: ConnectionRow): void
  /** Resolves when everything that was added is written, or could not be. */
  flush(): Promise<void>
}

const lateMs = 500
const atOnceMax = 500
/** While the database is away no more than this is held; what goes beyond is counted and told. */
const heldMax = 20_000

export function createRecorder(db: Db, log: Log): Recorder {
  let waiting: ConnectionRow[] = []
  let writing: Promise<void> = Promise.resolve()
  let cancelTimer: (() => void) | undefined
  let lostCount = 0

  async function write(): Promise<void> {
    cancelTimer?.()
    cancelTimer = undefined
    while (waiting.length > 0) {
      const rows = waiting.slice(0, atOnceMax)
      try {
        await insertConnections(db, rows)
        waiting = waiting.slice(rows.length)
      } catch (error) {
        log.warn('connections of sandboxes not recorded yet', { error, count: waiting.length, lostCount })
        return later()
      }
    }
  }

  const later = () => {
    cancelTimer ??= after(lateMs, () => void flush(), false)
  }
  const flush = () => (writing = writing.then(write))
  return {
    add(row) {
      if (waiting.length >= heldMax) return void lostCount++
      waiting.push(row)
      later()
    },
    flush,
  }
}
