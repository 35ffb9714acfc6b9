import { availableParallelism } from 'node:os'
import { join, relative } from 'node:path'
import { z } from 'zod'
import { agentCommand } from '../../agent/chain.ts'
import { type AgentDriverOptions, agentDriver } from '../../agent/driver.ts'
import type { AgentHost } from '../../agent/host.ts'
import type { SandboxDriver } from '../../driver.ts'
import { prepareRuntime } from '../../host/runtime.ts'
import { findTools } from '../../host/tools.ts'
import { commandsAtOnceMax } from '../../limits.ts'
import { createTurns } from '../../turns.ts'
import { type ClusterSettings, cluster } from './cluster.ts'
import { launch, removePod } from './launch.ts'
import type { PodParts } from './pod.ts'
import { probeKubernetes } from './probe.ts'

export type KubernetesSettings = ClusterSettings & {
  /** A claim that server and sandboxes share: workspaces lie on it. */
  claim: string
  /** Where the server has it mounted; the sandboxes' folder is below. */
  claimFolder: string
  image: string
  runtimeClass?: string | undefined
  node?: string | undefined
}
export type KubernetesOptions = AgentDriverOptions & KubernetesSettings

const labelName = 'longhaul.dev/sandboxes'
const Pods = z.looseObject({ items: z.array(z.looseObject({ metadata: z.looseObject({ name: z.string() }) })) })
/** What Node reserves of its address space without using it. */
const reservedBytes = 16 * 1024 * 1024 * 1024

/** A pod for each sandbox, with our agent inside. Its kernel is the runtime class's doing, and found out by the probe. */
export function kubernetesDriver(options: KubernetesOptions): SandboxDriver {
  const { root, log, claim, claimFolder, image, runtimeClass, node, cpuCountMax = Math.max(1, availableParallelism() / 2) } = options
  const isRoot = process.getuid?.() === 0
  const api = cluster(options)
  const isGvisor = /runsc|gvisor/.test(runtimeClass ?? '')
  const parts: PodParts = {
    ...{ image, runtimeClass, isGvisor, node, claim, claimFolder, cpuCountMax },
    agent: join(root.path, '.runtime/agent.cjs'),
    label: { name: labelName, value: root.tag },
    ownUser: { user: process.getuid?.() ?? 0, group: process.getgid?.() ?? 0 },
  }

  async function prepare(newUser: AgentHost['newUser']): Promise<AgentHost> {
    const { tools } = findTools('du', isRoot)
    const runtime = { ...(await prepareRuntime(root, tools, false)), isRoot }
    return {
      driver: 'kubernetes',
      ...{ root, runtime, log, newUser },
      cgroups: { version: 'none', limits: {}, whyNot: 'the cluster has them' },
      isMemoryHeld: true,
      disks: undefined,
      whyNoDisks: 'the driver kubernetes mounts folders of a claim',
      starts: createTurns(8),
      startsWithinMs: 150_000,
      hasPipes: false,
      createCgroup: () => undefined,
      agentCommand: ({ memoryBytesMax }) =>
        agentCommand('node', {
          holds: isGvisor ? 'namespaces' : 'marks',
          dataBytesMax: memoryBytesMax + reservedBytes,
          slotCount: commandsAtOnceMax,
          makesPipes: true,
          endsFirstProcess: true,
        }),
      launch: async (asked) => launch(api, parts, asked),
    }
  }

  /** Pods of an earlier server on this folder. */
  async function sweepOwn(): Promise<void> {
    const { items } = Pods.parse(await api.call('GET', `/pods?labelSelector=${encodeURIComponent(`${labelName}=${root.tag}`)}`))
    for (const { metadata } of items) await removePod(api, metadata.name)
    if (items.length > 0) log.warn('removed the pods of a killed server', { count: items.length })
  }

  return agentDriver(options, {
    name: 'kubernetes',
    prepare,
    probe: ({ host, create }) => probeKubernetes({ api, parts, isRoot, isOnClaim: !relative(claimFolder, root.path).startsWith('..'), host, create }),
    sweepOwn,
  })
}
