import { availableParallelism } from 'node:os'
import { existsSync, statSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Log } from '../../../kernel/index.ts'
import type { CreateOptions, Sandbox, SandboxDriver, SandboxLimits } from '../../driver.ts'
import { defaultLimits } from '../../limits.ts'
import { poolPrefix } from '../../paths.ts'
import { killRecorded } from '../../records.ts'
import { removeTree } from '../../remove-tree.ts'
import { copySeed } from '../../seed.ts'
import { type Root, removeOrphans, sandboxFolders } from '../../root.ts'
import { type BwrapHost, warnOfSkipped } from '../../agent/agent-life.ts'
import { sweepCgroups } from '../../host/cgroup.ts'
import { type CgroupHost, detectCgroups, removeBases } from '../../host/cgroup-host.ts'
import { detectDisks, mountedPath } from '../../host/disk-image.ts'
import { type Pool, type Warm, createPool } from '../../agent/pool.ts'
import { findTools, probeBwrap } from './probe.ts'
import { prepareRuntime, removeStage } from '../../host/runtime.ts'
import { createBwrapSandbox } from '../../agent/sandbox.ts'
import { seccompFilter } from './seccomp/filter.ts'
import { createTurns } from '../../turns.ts'
import { chooseUser, userRange } from '../../host/users.ts'

export type BwrapOptions = {
  root: Root
  log: Log
  /** A sandbox without a request for so long gives its processes back. */
  idleMs?: number
  /** A workspace that nobody used for so long is deleted at the next start. */
  orphanAgeMs?: number
  /** Of processor time that one sandbox may use; fractions are possible. */
  cpuCountMax?: number
  /** Does without control groups even where there are some. For tests of what is left then. */
  withoutCgroups?: boolean
  /** Does without images for workspaces even where there could be some. */
  withoutDisks?: boolean
  /** Sandboxes that are started ahead of time, once the driver was swept. */
  poolSize?: number
}

const day = 24 * 60 * 60 * 1_000

/** Linux namespaces through bubblewrap. See README.md for what is guaranteed and how. */
export function bwrapDriver({
  root,
  log,
  idleMs = 60_000,
  orphanAgeMs = 30 * day,
  cpuCountMax = Math.max(1, availableParallelism() / 2),
  withoutCgroups = false,
  withoutDisks = false,
  poolSize = 0,
}: BwrapOptions): SandboxDriver {
  const isRoot = process.getuid?.() === 0
  const live = new Map<string, Promise<Sandbox>>()
  const users = new Map<string, number>()
  let preparing: Promise<BwrapHost> | undefined
  let pool: Pool | undefined

  async function prepare(): Promise<BwrapHost> {
    const tools = findTools(isRoot)
    const cgroups: CgroupHost = withoutCgroups ? { version: 'none', limits: {}, whyNot: 'switched off' } : detectCgroups(root.tag)
    const architecture = process.arch === 'arm64' ? 'arm64' : 'x64' // The probe refuses others before.
    const runtime = await prepareRuntime(root, tools, isRoot)
    const found = withoutDisks ? { whyNot: 'switched off' } : await detectDisks(runtime, root.path)
    return {
      root,
      runtime,
      cgroups,
      disks: 'disks' in found ? found.disks : undefined,
      whyNoDisks: 'whyNot' in found ? found.whyNot : undefined,
      filter: seccompFilter({ architecture, isMemoryAccounted: cgroups.limits.memory !== undefined }),
      log,
      starts: createTurns(2 * availableParallelism()),
      cpuCountMax,
      newUser: (name) => (isRoot ? newUser(name) : undefined),
    }
  }

  const host = () => (preparing ??= prepare())

  function newUser(name: string): number {
    const range = userRange()
    if (!range) throw new Error('This container has too few user numbers for sandboxes; the probe reports it.')
    if (users.size === 0) for (const folder of sandboxFolders(root)) users.set(folder, statSync(join(folder, 'workspace'), { throwIfNoEntry: false })?.uid ?? 0)
    const user = chooseUser(range, name, new Set(users.values()))
    users.set(join(root.path, name), user)
    return user
  }

  async function create({ id, seed, limits }: CreateOptions): Promise<Sandbox> {
    const folder = root.folderOf(id)
    const before = await live.get(folder)?.catch(() => undefined) // Its own caller was told why.
    await before?.stop()
    const asked = { ...defaultLimits, ...limits }
    const creating = host().then(async (ready) => {
      const warm = existsSync(folder) ? undefined : await takeWarm(ready, folder, asked, seed)
      return createBwrapSandbox({
        host: ready,
        folder,
        limits: asked,
        seed,
        idleMs,
        onStopped() {
          if (live.get(folder) === creating) live.delete(folder)
        },
        onDestroyed: () => users.delete(folder),
        ...(warm && { warm }),
      })
    })
    live.set(folder, creating)
    try {
      return await creating
    } catch (error) {
      live.delete(folder)
      throw error
    }
  }

  /**
   * A sandbox from the pool, made into what was asked for; undefined where there is none, or none could be made so. It gets its name
   * last, by a rename of its folder (its mounts follow): a crash before that leaves a folder of the pool's, never half a workspace.
   */
  async function takeWarm(ready: BwrapHost, folder: string, limits: SandboxLimits, seed: string | undefined): Promise<Warm | undefined> {
    if (!pool || !mayBecome(ready, limits)) return undefined
    const warm = pool.take()
    if (!warm) return undefined
    const from = warm.place.folder
    try {
      warm.live.cgroup?.setLimits({ ...limits, cpuCountMax })
      // Nothing of anybody's has run in there yet, so the server may write into it.
      const workspace = ready.disks ? mountedPath(ready.runtime, from, warm.live.outer.pid) : join(from, 'workspace')
      if (seed !== undefined) warnOfSkipped(ready, seed, await copySeed(seed, workspace, warm.user, limits))
      if (warm.user !== undefined) users.set(folder, warm.user)
      await rename(from, folder)
      warm.place.folder = folder
      users.delete(from)
      return warm
    } catch (error) {
      warm.live.kill('it could not be prepared')
      await warm.live.gone
      await removeTree(warm.place.folder)
      users.delete(from)
      users.delete(folder)
      throw error
    }
  }

  async function sweep(): Promise<void> {
    const count = await killRecorded(root)
    const ready = await host()
    const { cgroups } = ready
    for (const folder of sandboxFolders(root)) if (basename(folder).startsWith(poolPrefix)) await removeTree(folder)
    const groups = await sweepCgroups(cgroups)
    const devices = (await ready.disks?.sweep(root.path)) ?? 0
    const orphans = await removeOrphans(root, orphanAgeMs)
    if (count + groups + devices + orphans > 0) log.warn('swept what a killed server left', { processes: count, groups, devices, workspacesTooOld: orphans })
    if (poolSize === 0) return
    pool = createPool({ host: ready, size: poolSize, limits: defaultLimits, onDropped: (folder) => users.delete(folder) })
    void pool.fill()
  }

  async function remove(id: string): Promise<void> {
    const folder = root.folderOf(id)
    const known = await live.get(folder)?.catch(() => undefined) // Its own caller was told why.
    if (known) return known.destroy()
    await removeTree(folder)
    users.delete(folder)
  }

  async function stop(): Promise<void> {
    await pool?.stop()
    await Promise.all([...live.values()].map(async (each) => (await each.catch(() => undefined))?.stop()))
    live.clear()
    const ready = await preparing?.catch(() => undefined) // Nothing was prepared; whoever asked for it was told why.
    if (!ready) return
    removeStage(ready.runtime)
    removeBases(ready.cgroups)
  }

  return { name: 'bwrap', probe: () => probeBwrap({ isRoot, host, create }), create, remove, sweep, stop }
}

/** Whether limits can still be changed to these: what control groups hold can, what processes inherited cannot. */
function mayBecome({ cgroups, disks }: BwrapHost, limits: SandboxLimits): boolean {
  const isSame = (names: (keyof SandboxLimits)[]) => names.every((name) => limits[name] === defaultLimits[name])
  return (
    isSame(disks ? ['diskBytesMax', 'fileCountMax'] : ['diskBytesMax']) &&
    (isSame(['memoryBytesMax', 'processCountMax']) || (cgroups.limits.memory !== undefined && cgroups.limits.pids !== undefined))
  )
}
