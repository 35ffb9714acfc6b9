/** Puts the parts together that sandboxes have beyond their driver: callers' own, templates, those of runs. */
import { join } from 'node:path'
import { openArchives } from './archives.ts'
import { type EgressParts, egressProxies } from './egress/index.ts'
import { openHosted } from './hosted.ts'
import type { Images } from './images/images.ts'
import type { Sandboxes } from './sandboxes.ts'
import { openLive } from './live.ts'
import { type SandboxQuotasOf, openPlaces } from './places.ts'
import { openReaper } from './reaper.ts'
import { type RunSandboxes, openRunSandboxes } from './run-sandboxes.ts'
import { type SandboxService, sandboxService } from './service.ts'
import { type Templates, openTemplates } from './templates.ts'

/** Another `reach` than the public one in tests alone. */
export type ManagedOptions = EgressParts & {
  sandboxes: Sandboxes
  images: Pick<Images, 'open' | 'hold'>
  /** Where snapshots' archives go. */
  blobFolder: string
  /** Of each tenant. */
  countMax: number
  diskBytesMax: number
  /** Of how many at once, by tenant and namespace. Absent: none. */
  quotasOf?: SandboxQuotasOf
  /** A sandbox that was given no time of its own ends when it was not used for so long. */
  ttlMs: number
  /** Unused for so long, a workspace goes into a snapshot. */
  releaseMs: number
  /** A version of a template that was not used for so long is deleted, where a newer one is ready or it failed. */
  templateKeepMs: number
  /** How often that is looked at. */
  everyMs?: number
}

export type ManagedSandboxes = {
  readonly service: SandboxService
  readonly templates: Templates
  readonly runs: RunSandboxes
  start(): Promise<void>
  /** Looks after them at once. */
  wake(): void
  /** Ends every process and every way out. Workspaces and rows stay. */
  stop(): Promise<void>
}

export function openManaged({
  db,
  log,
  sandboxes,
  images,
  blobFolder,
  countMax,
  diskBytesMax,
  quotasOf = async () => ({}),
  ttlMs,
  releaseMs,
  templateKeepMs,
  everyMs,
  packages,
  reach,
}: ManagedOptions): ManagedSandboxes {
  const archives = openArchives(join(blobFolder, 'snapshots'))
  const openProxy = egressProxies({ db, log, packages, reach })
  const live = openLive({ db, log, sandboxes, images, archives, openProxy })
  const hosted = openHosted({ db, log, sandboxes, packages, reach })
  const quota = { countMax, diskBytesMax }
  const templates = openTemplates({ db, log, hosted, images, archives, home: sandboxes.home, quota, keepMs: templateKeepMs })
  const places = openPlaces({ db, log, home: sandboxes.home, quotasOf })
  const runs = openRunSandboxes({ db, log, sandboxes, images, templates, openProxy, places })
  const reaper = openReaper({ db, log, live, archives, templates, home: sandboxes.home, releaseMs, ...(everyMs !== undefined && { everyMs }) })
  const service = sandboxService({ db, log, sandboxes, live, archives, templates, quota, quotasOf, ttlMs })
  return {
    service,
    templates,
    runs,
    async start() {
      await places.start()
      await templates.start()
      await reaper.start()
    },
    wake: reaper.wake,
    async stop() {
      await reaper.stop()
      await templates.stop()
      await runs.stop()
      await places.stop()
      await live.stop()
    },
  }
}
