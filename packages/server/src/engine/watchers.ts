/** Who watches a run here: streams, and requests that wait for what comes of them. */
import type { LiveFrame } from '@longhaul/protocol'
import type { Log } from '../kernel/index.ts'

export type Watcher = { onWake(): void; onLive(frame: LiveFrame): void }

export type Watchers = {
  watch(runId: string, watcher: Watcher): () => void
  wake(runId: string): void
  live(runId: string, frame: LiveFrame): void
}

export function openWatchers(log: Log): Watchers {
  const watchers = new Map<string, Set<Watcher>>()

  /** A watcher at fault is its own affair, never the run's. */
  function tellWatchers(runId: string, tell: (watcher: Watcher) => void): void {
    for (const watcher of watchers.get(runId) ?? []) {
      try {
        tell(watcher)
      } catch (error) {
        log.warn('somebody who watches a run failed', { error, runId })
      }
    }
  }

  return {
    watch(runId, watcher) {
      const watching = watchers.get(runId) ?? new Set()
      watchers.set(runId, watching.add(watcher))
      return () => {
        watching.delete(watcher)
        if (watching.size === 0) watchers.delete(runId)
      }
    },
    wake: (runId) => tellWatchers(runId, (watcher) => watcher.onWake()),
    live: (runId, frame) => tellWatchers(runId, (watcher) => watcher.onLive(frame)),
  }
}
