/** Queues of messages about the ends of runs, as programs outside fetch them. */
import type { QueueMessage } from '@longhaul/protocol'
import type { Audience, Db } from '../db/index.ts'
import { monotonicMs, sleep } from '../kernel/index.ts'
import { type Settled, type Take, deleteMessages, extendMessages, insertMessage, listQueues, takeMessages } from './queue-store.ts'

/** How often somebody who waits looks for messages that another server has put there. */
const lookEveryMs = 500

export type Receipts = { queue: string; receipts: string[] }
type Outcome = { done: Settled[]; left: string[] }

/** `stopping`: whoever waits for a message is answered that there is none. */
export function openQueues({ db, stopping }: { db: Db; stopping: AbortSignal }) {
  /** Those who wait for a message here, and are told of one that this server puts on a queue. */
  const waiting = new Set<() => void>()
  const outcome = ({ receipts }: Receipts, done: Settled[]): Outcome => {
    const settled = new Set(done.map(({ receipt }) => receipt))
    return { done, left: receipts.filter((receipt) => !settled.has(receipt)) }
  }
  return {
    async put(message: Parameters<typeof insertMessage>[1]): Promise<void> {
      await insertMessage(db.forTenant(message.tenantId), message)
      for (const wake of waiting) wake()
    },
    async receive(audience: Audience, by: string, { waitMs, ...take }: Take & { waitMs: number }): Promise<{ items: QueueMessage[] }> {
      for (const until = monotonicMs() + waitMs; ;) {
        const woken = new AbortController()
        const wake = () => woken.abort()
        waiting.add(wake) // Before the look, so that nothing comes between.
        stopping.addEventListener('abort', wake)
        try {
          const items = await takeMessages(db.forTenant(audience.tenantId), audience, by, take)
          const leftMs = until - monotonicMs()
          if (items.length > 0 || leftMs <= 0 || stopping.aborted) return { items }
          await sleep(Math.min(leftMs, lookEveryMs), woken.signal)
        } finally {
          waiting.delete(wake)
          stopping.removeEventListener('abort', wake)
        }
      }
    },
    acknowledge: async (audience: Audience, given: Receipts) => outcome(given, await deleteMessages(db.forTenant(audience.tenantId), audience, given)),
    extend: async (audience: Audience, given: Receipts & { visibilityMs: number }) =>
      outcome(given, await extendMessages(db.forTenant(audience.tenantId), audience, given)),
    list: (audience: Audience, page: { limit: number; after?: string | undefined }) => listQueues(db.forTenant(audience.tenantId), audience, page),
  }
}
export type Queues = ReturnType<typeof openQueues>
