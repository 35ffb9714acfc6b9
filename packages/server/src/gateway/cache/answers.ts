/** Answers that are kept for the next one who asks the same: in a store, for all servers where it is shared, and the latest of them in memory. */
import { type Log, type Service, loop, monotonicMs } from '../../kernel/index.ts'
import type { KeptAnswer } from './answer-store.ts'
import type { AnswerStore, NewAnswer } from './stores.ts'

export type Answers = Service & {
  /** Never rejects: a cache that cannot be asked has nothing. */
  find(tenantId: string, key: Buffer): Promise<KeptAnswer | undefined>
  /** The same from memory alone. */
  recall(tenantId: string, key: Buffer): KeptAnswer | undefined
  /** Resolves when other servers can find it too. Never rejects. */
  keep(tenantId: string, answer: NewAnswer): Promise<void>
  /** Runs `work` unless somebody on this server is at the same already: then resolves, without a result, when that one is done, however it ended. */
  alone<Result>(tenantId: string, key: Buffer, work: () => Promise<Result>): Promise<Result | undefined>
  /** Forgets all of a tenant's. Other servers may give what they hold in memory for `memoryMsMax` more. */
  clear(tenantId: string): Promise<{ deleted: number }>
}

/** The longest that an answer is given without a look into a store that other servers write to. */
const memoryMsMax = 5_000
const memoryBytesMax = 32 * 1024 * 1024
/** Where there is nothing behind it. */
const memoryBytesAlone = 256 * 1024 * 1024
const sweepMs = 60_000
const sweepMax = 1_000

type Remembered = { tenantId: string; answer: KeptAnswer; at: number; until: number }

export function openAnswers({ store, log }: { store: AnswerStore; log: Log }): Answers {
  const bytesMax = store.isShared ? memoryBytesMax : memoryBytesAlone
  const memory = new Map<string, Remembered>()
  let memoryBytes = 0
  const underWay = new Map<string, Promise<unknown>>()
  const placeOf = (tenantId: string, key: Buffer) => `${key.toString('base64')} ${tenantId}`

  function forget(place: string): void {
    memoryBytes -= memory.get(place)?.answer.body.length ?? 0
    memory.delete(place)
  }
  function remember(tenantId: string, key: Buffer, answer: KeptAnswer): void {
    const place = placeOf(tenantId, key)
    const at = monotonicMs()
    forget(place)
    memory.set(place, { tenantId, answer, at, until: at + Math.min(answer.leftMs, store.isShared ? memoryMsMax : Infinity) })
    memoryBytes += answer.body.length
    for (const oldest of memory.keys()) {
      if (memoryBytes <= bytesMax) break
      forget(oldest)
    }
  }

  function recall(tenantId: string, key: Buffer): KeptAnswer | undefined {
    const known = memory.get(placeOf(tenantId, key))
    if (!known || known.until <= monotonicMs()) return undefined
    const sinceMs = monotonicMs() - known.at
    return { ...known.answer, ageMs: known.answer.ageMs + sinceMs, leftMs: known.answer.leftMs - sinceMs }
  }

  const sweeps = loop({
    everyMs: sweepMs,
    onError: (error) => log.warn('expired answers were not deleted; it is tried again', { error }),
    async work() {
      const now = monotonicMs()
      for (const [place, { until }] of memory) if (until <= now) forget(place)
      return (await store.sweep(sweepMax)) === sweepMax ? 0 : sweepMs
    },
  })

  return {
    async find(tenantId, key) {
      const known = recall(tenantId, key)
      if (known) return known
      try {
        const found = await store.find(tenantId, key)
        if (found) remember(tenantId, key, found)
        return found
      } catch (error) {
        log.warn('the cache of answers could not be asked', { tenantId, error })
        return undefined
      }
    },
    recall,
    async keep(tenantId, answer) {
      const { key, ttlMs, model, headers, body } = answer
      remember(tenantId, key, { model, headers, body, ageMs: 0, leftMs: ttlMs })
      await store.replace(tenantId, answer).catch((error: unknown) => log.warn('an answer was not kept', { tenantId, error }))
    },
    async alone(tenantId, key, work) {
      const place = placeOf(tenantId, key)
      const other = underWay.get(place)
      if (other) return void (await other)
      const mine = work()
      const ended = mine.then(
        () => {},
        () => {}, // Whoever waits makes the call itself.
      )
      underWay.set(place, ended)
      void ended.then(() => underWay.delete(place))
      return mine
    },
    async clear(tenantId) {
      let forgotten = 0
      for (const [place, remembered] of memory) {
        if (remembered.tenantId !== tenantId) continue
        forget(place)
        forgotten++
      }
      const deleted = await store.clear(tenantId)
      return { deleted: store.isShared ? deleted : forgotten }
    },
    start: sweeps.start,
    async stop() {
      await sweeps.stop()
      await store.stop()
    },
  }
}
