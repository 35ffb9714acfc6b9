/** Lists of a tenant's runs, approvals and whatever else follows them, as they change. What this node does is told at once, what others do within a second. */
import { type Audience, type Db, readPulse } from '../db/index.ts'
import { type Log, type Service, loop } from '../kernel/index.ts'
import { changedApprovals, changedRuns } from './change-store.ts'
import type { Watchers } from './watchers.ts'

type Rest<Store> = Store extends (db: never, ...rest: infer Rest) => unknown ? Rest : never

const pulseMs = 1_000

export function openLists({ db, log, watchers }: { db: Db; log: Log; watchers: Watchers }) {
  const pulses = new Map<string, string>()
  const of = ({ tenantId }: Audience) => db.forTenant(tenantId)

  /** One question for each tenant that somebody watches, however many do. */
  const service: Service = loop({
    everyMs: pulseMs,
    onError: (error) => log.warn('looking for changes failed; it is tried again', { error }),
    async work() {
      const watched = new Set(watchers.tenants())
      for (const tenantId of pulses.keys()) if (!watched.has(tenantId)) pulses.delete(tenantId)
      for (const tenantId of watched) {
        const pulse = await readPulse(db.forTenant(tenantId))
        const before = pulses.get(tenantId)
        pulses.set(tenantId, pulse)
        if (before !== pulse) watchers.wakeTenant(tenantId)
      }
    },
  })

  return {
    service,
    changedRuns: (...[audience, ...rest]: Rest<typeof changedRuns>) => changedRuns(of(audience), audience, ...rest),
    changedApprovals: (...[audience, ...rest]: Rest<typeof changedApprovals>) => changedApprovals(of(audience), audience, ...rest),
    watchTenant: watchers.watchTenant,
  }
}
export type Lists = Omit<ReturnType<typeof openLists>, 'service'>
