import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { type AgentDriverOptions, agentDriver } from '../../agent/driver.ts'
import { agentCommand } from '../../agent/chain.ts'
import type { AgentHost } from '../../agent/host.ts'
import type { SandboxDriver } from '../../driver.ts'
import { createSandboxCgroup } from '../../host/cgroup.ts'
import { type CgroupHost, detectCgroups, favourMoves } from '../../host/cgroup-host.ts'
import { detectDisks } from '../../host/disk-image.ts'
import { findTools } from '../../host/tools.ts'
import { prepareRuntime } from '../../host/runtime.ts'
import { ownProgram, prepareOwnPrograms } from '../../host/own-programs.ts'
import { commandsAtOnceMax } from '../../limits.ts'
import { createTurns } from '../../turns.ts'
import { launch } from './launch.ts'
import { probeBwrap } from './probe.ts'
import { seccompFilter } from './seccomp/filter.ts'

export type BwrapOptions = AgentDriverOptions & {
  /** Whether it may have this host's kernel favour moves of processes between control groups. Default true. */
  favoursMoves?: boolean | undefined
  /** Does without control groups even where there are some. For tests of what is left then. */
  withoutCgroups?: boolean
  /** Does without images for workspaces even where there could be some. */
  withoutDisks?: boolean
}

/** Node reserves half a gigabyte for each of its threads, which counts towards RLIMIT_DATA: the limit can only be a backstop behind the watch. */
const reservedBytes = 16 * 1024 * 1024 * 1024

/** Linux namespaces through bubblewrap. See README.md for what is guaranteed and how. */
export function bwrapDriver(options: BwrapOptions): SandboxDriver {
  const { root, log, cpuCountMax = Math.max(1, availableParallelism() / 2), favoursMoves = true, withoutCgroups = false, withoutDisks = false } = options
  const isRoot = process.getuid?.() === 0
  let preparingOwn: Promise<void> | undefined

  async function prepare(newUser: AgentHost['newUser']): Promise<AgentHost> {
    const { program: bwrap, tools } = findTools('bwrap', isRoot)
    const detected: CgroupHost = withoutCgroups ? { version: 'none', limits: {}, whyNot: 'switched off' } : detectCgroups(root.tag)
    const cgroups = favoursMoves ? await favourMoves(detected, tools.mount) : detected
    const architecture = process.arch === 'arm64' ? 'arm64' : 'x64' // The probe refuses others before.
    const runtime = await prepareRuntime(root, tools, isRoot)
    const found = withoutDisks ? { whyNot: 'switched off' } : await detectDisks(runtime, root.path)
    const filter = seccompFilter({ architecture, isMemoryAccounted: cgroups.limits.memory !== undefined })
    const parts = { bwrap, runtime, filter, hasProcessLimit: !cgroups.limits.pids }
    return {
      driver: 'bwrap',
      root,
      runtime,
      cgroups,
      disks: 'disks' in found ? found.disks : undefined,
      whyNoDisks: 'whyNot' in found ? found.whyNot : undefined,
      log,
      starts: createTurns(2 * availableParallelism()),
      newUser,
      hasPipes: true,
      createCgroup: (name, limits) => createSandboxCgroup(cgroups, name, limits, cpuCountMax),
      prepareForImages: () =>
        (preparingOwn ??= prepareOwnPrograms(join(root.path, '.runtime')).catch((error: unknown) => {
          preparingOwn = undefined // Whoever comes next tries again.
          throw error
        })),
      agentCommand: ({ memoryBytesMax }, image) =>
        agentCommand('/run/longhaul/node-x', {
          holds: cgroups.kill ? 'groups' : 'marks',
          dataBytesMax: memoryBytesMax + reservedBytes,
          slotCount: commandsAtOnceMax,
          makesPipes: false,
          ...(image && { programs: { sh: ownProgram('sh'), prlimit: ownProgram('prlimit') }, env: image.env }),
        }),
      launch: (asked) => launch(parts, asked),
    }
  }

  return agentDriver(options, {
    name: 'bwrap',
    mountsFolders: true,
    takesImages: true,
    prepare,
    probe: ({ host, create }) => probeBwrap({ isRoot, host, create, ownRoot: options.ownRoot }),
  })
}
