import { availableParallelism } from 'node:os'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../../../kernel/index.ts'
import type { CreateOptions, Sandbox, SandboxDriver } from '../../driver.ts'
import { defaultLimits } from '../../limits.ts'
import { killRecorded } from '../../records.ts'
import { type Root, removeOrphans, sandboxFolders } from '../../root.ts'
import type { BwrapHost } from './agent-life.ts'
import { sweepCgroups } from './cgroup.ts'
import { type CgroupHost, detectCgroups, removeBases } from './cgroup-host.ts'
import { findTools, probeBwrap } from './probe.ts'
import { prepareRuntime, removeStage } from './runtime.ts'
import { createBwrapSandbox } from './sandbox.ts'
import { seccompFilter } from './seccomp/filter.ts'
import { chooseUser, userRange } from './users.ts'

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
}: BwrapOptions): SandboxDriver {
  const isRoot = process.getuid?.() === 0
  const live = new Map<string, Promise<Sandbox>>()
  const users = new Map<string, number>()
  let preparing: Promise<BwrapHost> | undefined

  async function prepare(): Promise<BwrapHost> {
    const tools = findTools(isRoot)
    const cgroups: CgroupHost = withoutCgroups ? { version: 'none', limits: {}, whyNot: 'switched off' } : detectCgroups(root.tag)
    const architecture = process.arch === 'arm64' ? 'arm64' : 'x64' // The probe refuses others before.
    return {
      root,
      runtime: await prepareRuntime(root, tools, isRoot),
      cgroups,
      filter: seccompFilter({ architecture, isMemoryAccounted: cgroups.limits.memory !== undefined }),
      log,
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
    const creating = host().then((ready) =>
      createBwrapSandbox({
        host: ready,
        folder,
        limits: { ...defaultLimits, ...limits },
        seed,
        idleMs,
        onStopped() {
          if (live.get(folder) === creating) live.delete(folder)
        },
        onDestroyed: () => users.delete(folder),
      }),
    )
    live.set(folder, creating)
    try {
      return await creating
    } catch (error) {
      live.delete(folder)
      throw error
    }
  }

  async function sweep(): Promise<void> {
    const count = await killRecorded(root)
    const { cgroups } = await host()
    const groups = await sweepCgroups(cgroups)
    const orphans = await removeOrphans(root, orphanAgeMs)
    if (count + groups + orphans > 0) log.warn('swept what a killed server left', { processes: count, groups, workspacesTooOld: orphans })
  }

  async function stop(): Promise<void> {
    await Promise.all([...live.values()].map(async (each) => (await each.catch(() => undefined))?.stop()))
    live.clear()
    const ready = await preparing?.catch(() => undefined) // Nothing was prepared; whoever asked for it was told why.
    if (!ready) return
    removeStage(ready.runtime)
    removeBases(ready.cgroups)
  }

  return { name: 'bwrap', probe: () => probeBwrap({ isRoot, host, create }), create, sweep, stop }
}
