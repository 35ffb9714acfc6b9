import type { Db } from '../db/index.ts'
import { type Log, type Service, loop } from '../kernel/index.ts'
import type { Archives } from './archives.ts'
import { deleteOldConnections } from './connection-store.ts'
import type { LiveSandboxes } from './live.ts'
import { listExpired, listIdle, recordStop } from './sandbox-store.ts'
import { deleteSnapshot, knownSnapshots } from './snapshot-store.ts'
import type { Templates } from './templates.ts'

export type ReaperOptions = {
  db: Db
  log: Log
  live: LiveSandboxes
  archives: Archives
  templates: Pick<Templates, 'collect'>
  /** Which server's sandboxes. */
  home: string
  /** Unused for so long, a workspace goes into a snapshot. */
  releaseMs: number
  everyMs?: number
}

const atOnce = 20
const connectionsKeptMs = 30 * 24 * 3_600_000
/** An archive gets its row within this, or was left by a crash. */
const strayAgeMs = 3_600_000

/** Ends sandboxes whose time is over, puts idle ones away, and deletes what nobody will ask for any more. */
export function openReaper({ db, log, live, archives, templates, home, releaseMs, everyMs = 15_000 }: ReaperOptions): Service & { wake(): void } {
  return loop({
    everyMs,
    onError: (error) => log.error('sandboxes could not be looked after', { error }),
    async work(signal) {
      for (const row of await listExpired(db, home, atOnce)) {
        if (signal.aborted) return
        if (!(await recordStop(db, row))) continue
        await live.end(row.id)
        if (row.snapshotId !== null) {
          await deleteSnapshot(db, row.tenantId, row.snapshotId)
          await archives.remove(row.snapshotId)
        }
        log.info('sandbox ended: its time was over', { tenantId: row.tenantId, sandboxId: row.id })
      }
      for (const row of await listIdle(db, home, releaseMs, atOnce)) {
        if (signal.aborted) return
        const isReleased = await live.release(row).catch((error: unknown) => {
          log.warn('an idle sandbox could not be put away', { sandboxId: row.id, error })
          return false
        })
        if (isReleased) log.info('idle sandbox put away', { tenantId: row.tenantId, sandboxId: row.id })
      }
      await templates.collect()
      const old = (await archives.old(strayAgeMs)).slice(0, 1_000)
      const known = new Set(old.length > 0 ? await knownSnapshots(db, old) : [])
      for (const id of old) if (!known.has(id)) await archives.remove(id)
      await deleteOldConnections(db, connectionsKeptMs, 10_000)
    },
  })
}
