/** A list as it changes: each thing that has changed since the cursor once, as it is now, then whatever changes. */
import type { z } from 'zod'
import type { ChangePage } from '../db/index.ts'
import { AppError, type Log, monotonicMs, sleep } from '../kernel/index.ts'
import { makeBell } from './bell.ts'
import { type Following, type Frame, type Frames, heartbeatMs as usualHeartbeatMs, retryMs } from './server-sent-events.ts'

type ListStream<Item> = Following & {
  /** The name of its frames, and what they hold. */
  event: string
  shape: z.ZodType<Item>
  read(page: { cursor: string | undefined; limit: number }): Promise<ChangePage<Item>>
  /** `onWake` is called when there may be changes. Call the result to end it. */
  subscribe(onWake: () => void): () => void
  log: Log
  pollMs?: number
  heartbeatMs?: number
}

/** An item may hold a megabyte, so this bounds what a client that reads slowly costs. */
const limit = 50
/** However often things change: whoever follows a list has each no more often than that. */
const gatherMs = 50
const pendingMsMax = 1_000

/** Rejects, before anything is told, when the cursor is none. */
export async function streamList<Item>(options: ListStream<Item>): Promise<Frames> {
  return makeFrames(options, await options.read({ cursor: options.after, limit }))
}

async function* makeFrames<Item>(
  { event, shape, read, subscribe, end, log, pollMs = 5_000, heartbeatMs = usualHeartbeatMs }: ListStream<Item>,
  first: ChangePage<Item>,
): Frames {
  const bell = makeBell(end)
  const unsubscribe = subscribe(bell.ring)
  let page: ChangePage<Item> | undefined = first
  let pendingMs = gatherMs / 2
  let toldAt = -Infinity
  try {
    while (page) {
      const { items, next, isPending, isReset }: ChangePage<Item> = page
      const frames: Frame[] = items.map(({ item, cursor }) => ({ event, cursor, data: shape.parse(item) }))
      if (isReset) frames.unshift({ event: 'reset', data: {} })
      // Whoever comes back need not look again through what did not concern it.
      if (isReset || monotonicMs() - toldAt >= heartbeatMs) frames.push({ event: 'mark', data: {}, cursor: next })
      if (frames.length > 0) {
        yield frames
        toldAt = monotonicMs()
      }
      if (end.aborted) return
      pendingMs = isPending ? Math.min(pendingMsMax, pendingMs * 2) : gatherMs / 2
      if (isPending) await sleep(pendingMs, end)
      else if (items.length < limit) await bell.wait(Math.min(pollMs, heartbeatMs))
      if (!isPending && items.length > 0 && items.length < limit) await sleep(gatherMs, end)
      page = await readPatiently(read, next, end)
    }
  } catch (error) {
    // It has begun long since. The client comes back and is then told.
    log.error('a stream of a list broke off', { error, event })
  } finally {
    unsubscribe()
  }
}

/** Outlasts a database that is away for a while. Undefined when the stream ended meanwhile. */
async function readPatiently<Item>(read: ListStream<Item>['read'], cursor: string, end: AbortSignal): Promise<ChangePage<Item> | undefined> {
  while (!end.aborted) {
    try {
      return await read({ cursor, limit })
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'unavailable')) throw error
      await sleep(retryMs, end)
    }
  }
  return undefined
}
