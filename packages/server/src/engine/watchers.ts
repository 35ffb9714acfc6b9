/** Who watches a run here, or all of a tenant's: streams, and requests that wait for what comes of them. */
import type { LiveFrame } from '@longhaul/protocol'
import type { Log } from '../kernel/index.ts'

export type Watcher = { onWake(): void; onLive(frame: LiveFrame): void }

export type Watchers = {
  watch(runId: string, watcher: Watcher): () => void
  wake(runId: string): void
  live(runId: string, frame: LiveFrame): void
  /** Told when something may have changed in the tenant's lists. */
  watchTenant(tenantId: string, onWake: () => void): () => void
  wakeTenant(tenantId: string): void
  /** Those that are watched. */
  tenants(): Iterable<string>
}

export function openWatchers(log: Log): Watchers {
  const runs = makeGroups<Watcher>((error, runId) => log.warn('somebody who watches a run failed', { error, runId }))
  const tenants = makeGroups<() => void>((error, tenantId) => log.warn('somebody who watches a list failed', { error, tenantId }))
  return {
    watch: runs.add,
    wake: (runId) => runs.tell(runId, (watcher) => watcher.onWake()),
    live: (runId, frame) => runs.tell(runId, (watcher) => watcher.onLive(frame)),
    watchTenant: tenants.add,
    wakeTenant: (tenantId) => tenants.tell(tenantId, (onWake) => onWake()),
    tenants: tenants.names,
  }
}

/** A member at fault is its own affair, never that of whom it watches. */
function makeGroups<Member>(onFault: (error: unknown, name: string) => void) {
  const groups = new Map<string, Set<Member>>()
  return {
    names: () => groups.keys(),
    add(name: string, member: Member): () => void {
      const group = groups.get(name) ?? new Set()
      groups.set(name, group.add(member))
      return () => {
        group.delete(member)
        if (group.size === 0 && groups.get(name) === group) groups.delete(name)
      }
    },
    tell(name: string, tell: (member: Member) => void): void {
      for (const member of groups.get(name) ?? []) {
        try {
          tell(member)
        } catch (error) {
          onFault(error, name)
        }
      }
    },
  }
}
