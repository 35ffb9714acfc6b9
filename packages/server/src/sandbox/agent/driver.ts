/** A driver whose sandboxes have our agent inside: which are live, which are warm, and what an earlier server left. */
import { existsSync, statSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Log } from '../../kernel/index.ts'
import type { Capabilities, CreateOptions, OpenImage, Sandbox, SandboxDriver, SandboxLimits } from '../driver.ts'
import { sweepCgroups } from '../host/cgroup.ts'
import { removeBases } from '../host/cgroup-host.ts'
import { mountedPath } from '../host/disk-image.ts'
import { removeStage } from '../host/runtime.ts'
import { chooseUser, userRange } from '../host/users.ts'
import { defaultLimits } from '../limits.ts'
import { poolPrefix } from '../paths.ts'
import { killRecorded } from '../records.ts'
import { removeTree } from '../remove-tree.ts'
import { type Root, removeOrphans, sandboxFolders } from '../root.ts'
import { copySeed } from '../seed.ts'
import { warnOfSkipped } from './agent-life.ts'
import type { AgentHost } from './host.ts'
import { type Pool, type Warm, createPool } from './pool.ts'
import { createAgentSandbox } from './sandbox.ts'

export type AgentDriverOptions = {
  root: Root
  log: Log
  /** A sandbox without a request for so long gives its processes back. */
  idleMs?: number
  /** A workspace that nobody used for so long is deleted at the next start. */
  orphanAgeMs?: number
  /** Of processor time that one sandbox may use; fractions are possible. */
  cpuCountMax?: number
  /** Sandboxes that are started ahead of time, once the driver was swept. */
  poolSize?: number
  /** The root of sandboxes that are given none, in place of this host's programs. Only for drivers that `takesImages`. */
  ownRoot?: OpenImage | undefined
}

/** What tells one such driver from another. */
export type AgentDriverParts = {
  name: string
  /** Its launches show folders of the host's inside. */
  mountsFolders?: boolean
  /** Its launches take another root. */
  takesImages?: boolean
  prepare(newUser: AgentHost['newUser']): Promise<AgentHost>
  /** What it creates has this host's programs unless it is given an image. */
  probe(parts: { host(): Promise<AgentHost>; create(options: CreateOptions): Promise<Sandbox> }): Promise<Capabilities>
  /** Removes what only this driver leaves behind. */
  sweepOwn?(host: AgentHost): Promise<void>
}

/** Host users by workspace. Drivers on one folder share them: no two workspaces have the same. */
const usersByRoot = new WeakMap<Root, Map<string, number>>()
function usersOf(root: Root): Map<string, number> {
  const known = usersByRoot.get(root) ?? new Map<string, number>()
  usersByRoot.set(root, known)
  return known
}

const day = 24 * 60 * 60 * 1_000

export function agentDriver(
  { root, log, idleMs = 60_000, orphanAgeMs = 30 * day, poolSize = 0, ownRoot }: AgentDriverOptions,
  { name, mountsFolders = false, takesImages = false, prepare, probe, sweepOwn }: AgentDriverParts,
): SandboxDriver {
  const isRoot = process.getuid?.() === 0
  const live = new Map<string, Promise<Sandbox>>()
  const users = usersOf(root)
  let preparing: Promise<AgentHost> | undefined
  let pool: Pool | undefined

  const host = () => (preparing ??= prepare((name) => (isRoot ? newUser(name) : undefined)))

  function newUser(name: string): number {
    const range = userRange()
    if (!range) throw new Error('This container has too few user numbers for sandboxes; the probe reports it.')
    if (users.size === 0) for (const folder of sandboxFolders(root)) users.set(folder, statSync(join(folder, 'workspace'), { throwIfNoEntry: false })?.uid ?? 0)
    const user = chooseUser(range, name, new Set(users.values()))
    users.set(join(root.path, name), user)
    return user
  }

  /** `isWarmUsable`: what it is to have is what the pool's have. */
  async function create({ id, seed, limits, mounts = [], image }: CreateOptions, isWarmUsable = false): Promise<Sandbox> {
    const folder = root.folderOf(id)
    const before = await live.get(folder)?.catch(() => undefined) // Its own caller was told why.
    await before?.stop()
    const asked = { ...defaultLimits, ...limits }
    const creating = host().then(async (ready) => {
      const warm = isWarmUsable && !existsSync(folder) ? await takeWarm(ready, folder, asked, seed) : undefined
      return createAgentSandbox({
        host: ready,
        folder,
        limits: asked,
        seed,
        shown: { mounts, image },
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
  async function takeWarm(ready: AgentHost, folder: string, limits: SandboxLimits, seed: string | undefined): Promise<Warm | undefined> {
    if (!pool || !mayBecome(ready, limits)) return undefined
    const warm = pool.take()
    if (!warm) return undefined
    const from = warm.place.folder
    try {
      warm.live.cgroup?.setLimits(limits)
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
    const left = await killRecorded(root)
    const count = left.length
    // Whoever of them is not quite gone may still read from these: what a later command writes there would be theirs.
    for (const folder of left) await rm(join(folder, 'pipes'), { recursive: true, force: true })
    const ready = await host()
    for (const folder of sandboxFolders(root)) if (basename(folder).startsWith(poolPrefix)) await removeTree(folder)
    const groups = await sweepCgroups(ready.cgroups)
    const devices = (await ready.disks?.sweep(root.path)) ?? 0
    await sweepOwn?.(ready)
    const orphans = await removeOrphans(root, orphanAgeMs)
    if (count + groups + devices + orphans > 0) log.warn('swept what a killed server left', { processes: count, groups, devices, workspacesTooOld: orphans })
    if (poolSize > 0) pool = createPool({ host: ready, size: poolSize, limits: defaultLimits, image: ownRoot, onDropped: (folder) => users.delete(folder) })
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

  return {
    ...{ name, mountsFolders, takesImages, remove, sweep, stop },
    probe: () => probe({ host, create }),
    create: (options) => create({ ...options, image: options.image ?? ownRoot }, options.image === undefined && (options.mounts ?? []).length === 0),
    warm: () => void pool?.fill(),
  }
}

/** Whether limits can still be changed to these: what control groups hold can, what processes inherited cannot. */
function mayBecome({ cgroups, disks }: AgentHost, limits: SandboxLimits): boolean {
  const isSame = (names: (keyof SandboxLimits)[]) => names.every((name) => limits[name] === defaultLimits[name])
  return (
    isSame(disks ? ['diskBytesMax', 'fileCountMax'] : ['diskBytesMax']) &&
    (isSame(['memoryBytesMax', 'processCountMax']) || (cgroups.limits.memory !== undefined && cgroups.limits.pids !== undefined))
  )
}
