/** Puts the parts of callers' own sandboxes together. */
import { join } from 'node:path'
import type { Db } from '../db/index.ts'
import type { Log } from '../kernel/index.ts'
import { openArchives } from './archives.ts'
import { type Reach, egressProxies } from './egress/index.ts'
import type { Sandboxes } from './sandboxes.ts'
import { openLive } from './live.ts'
import { openReaper } from './reaper.ts'
import { type SandboxService, sandboxService } from './service.ts'

export type ManagedOptions = {
  db: Db
  log: Log
  sandboxes: Sandboxes
  /** Where snapshots' archives go. */
  blobFolder: string
  /** Of each tenant. */
  countMax: number
  diskBytesMax: number
  /** A sandbox that was given no time of its own ends when it was not used for so long. */
  ttlMs: number
  /** Unused for so long, a workspace goes into a snapshot. */
  releaseMs: number
  /** How often that is looked at. */
  everyMs?: number
  /** Another way to the world than the real one: for tests. */
  reach?: Reach
}

export type ManagedSandboxes = {
  readonly service: SandboxService
  start(): Promise<void>
  /** Looks after them at once. */
  wake(): void
  /** Ends every process and every way out. Workspaces and rows stay. */
  stop(): Promise<void>
}

export function openManaged({ db, log, sandboxes, blobFolder, countMax, diskBytesMax, ttlMs, releaseMs, everyMs, reach }: ManagedOptions): ManagedSandboxes {
  const archives = openArchives(join(blobFolder, 'snapshots'))
  const live = openLive({ db, log, sandboxes, archives, openProxy: egressProxies({ db, log, ...(reach && { reach }) }) })
  const reaper = openReaper({ db, log, live, archives, home: sandboxes.home, releaseMs, ...(everyMs !== undefined && { everyMs }) })
  const service = sandboxService({ db, log, sandboxes, live, archives, quota: { countMax, diskBytesMax }, ttlMs })
  return {
    service,
    start: reaper.start,
    wake: reaper.wake,
    async stop() {
      await reaper.stop()
      await live.stop()
    },
  }
}
