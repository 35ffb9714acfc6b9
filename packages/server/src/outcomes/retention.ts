/** Runs that have ended are kept as long as their namespace says, and deleted then: in the background, a few in each transaction, with a note in the audit log. */
import type { Retention } from '@longhaul/protocol'
import { type Db, noteAudit } from '../db/index.ts'
import { type Log, type Service, loop, wallClock } from '../kernel/index.ts'
import { deleteExpired, deleteRetention, listRetention, tenantsWithRetention, upsertRetention } from './retention-store.ts'

/** Small, so that neither the transaction nor its entry in the audit log is long. */
const batchMax = 50
/** Between full batches: whoever works with the database goes before. */
const pauseMs = 50

export type RetentionService = Service & {
  set(who: { tenantId: string; keyId: string; name: string }, setting: { namespace?: string | undefined; days: number | null }): Promise<Retention>
  list(tenantId: string, page: { limit: number; after?: string | undefined }): Promise<Retention[]>
}

export function openRetention({ db, log, everyMs = 60_000 }: { db: Db; log: Log; everyMs?: number }): RetentionService {
  const deleting = loop({
    everyMs,
    onError: (error) => log.warn('runs whose time is up could not be deleted; it is tried again', { error }),
    async work() {
      let isMore = false
      for (const tenantId of await tenantsWithRetention(db)) {
        const count = await deleteExpired(db.forTenant(tenantId), tenantId, batchMax)
        if (count > 0) log.info('runs whose time was up were deleted', { tenantId, count })
        isMore ||= count > 0 // Also of a batch that was not full: a parent goes after its children.
      }
      return isMore ? pauseMs : everyMs
    },
  })
  return {
    start: deleting.start,
    stop: deleting.stop,
    async set({ tenantId, keyId, name }, { namespace, days }) {
      const set = await db.forTenant(tenantId).transaction(async (tx) => {
        await noteAudit(tx, { who: { id: keyId, name }, action: 'retention.set', target: namespace ?? null, detail: { days } })
        if (days !== null) return upsertRetention(tx, tenantId, name, namespace ?? '', days)
        await deleteRetention(tx, tenantId, namespace ?? '')
        return { namespace: namespace ?? null, days: null, setBy: name, setAt: wallClock().toISOString() }
      })
      deleting.wake()
      return set
    },
    list: (tenantId, page) => listRetention(db.forTenant(tenantId), tenantId, page),
  }
}
