import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { agentCommand } from '../../agent/chain.ts'
import { type AgentDriverOptions, agentDriver } from '../../agent/driver.ts'
import type { AgentHost } from '../../agent/host.ts'
import type { SandboxDriver } from '../../driver.ts'
import { prepareRuntime } from '../../host/runtime.ts'
import { findTools } from '../../host/tools.ts'
import { commandsAtOnceMax } from '../../limits.ts'
import { createTurns } from '../../turns.ts'
import type { ContainerParts } from './container.ts'
import { dockerEngine } from './engine.ts'
import { launch, removeContainer } from './launch.ts'
import { probeDocker } from './probe.ts'

export type DockerSettings = { socket?: string; image?: string; runtime?: string }
export type DockerOptions = AgentDriverOptions & DockerSettings

const labelName = 'longhaul.sandboxes'
const Containers = z.array(z.looseObject({ Id: z.string() }))
/** What Node reserves of its address space without using it. */
const reservedBytes = 16 * 1024 * 1024 * 1024

/** A container of an engine's for each sandbox, with our agent inside. Whose kernel it has is the runtime's doing, and found out by the probe. */
export function dockerDriver(options: DockerOptions): SandboxDriver {
  const { root, log, socket = '/var/run/docker.sock', image = 'node:24-bookworm', runtime: runtimeName = 'runc' } = options
  const { cpuCountMax = Math.max(1, availableParallelism() / 2) } = options
  const isRoot = process.getuid?.() === 0
  const engine = dockerEngine(socket)
  const isGvisor = /runsc|gvisor/.test(runtimeName)
  const parts: ContainerParts = {
    ...{ image, isGvisor, cpuCountMax },
    runtime: runtimeName,
    agent: join(root.path, '.runtime/agent.cjs'),
    label: { name: labelName, value: root.tag },
    ownUser: `${process.getuid?.()}:${process.getgid?.()}`,
  }

  async function prepare(newUser: AgentHost['newUser']): Promise<AgentHost> {
    const { tools } = findTools('du', isRoot)
    // The engine mounts for itself: nothing of ours needs to.
    const runtime = { ...(await prepareRuntime(root, tools, false)), isRoot }
    return {
      driver: 'docker',
      ...{ root, runtime, log, newUser },
      cgroups: { version: 'none', limits: {}, whyNot: 'the engine has them' },
      isMemoryHeld: true,
      disks: undefined,
      whyNoDisks: 'the driver docker mounts folders',
      starts: createTurns(availableParallelism()),
      hasPipes: false, // In gVisor a pipe of the host is none; and elsewhere it need not be one.
      createCgroup: () => undefined,
      agentCommand: ({ memoryBytesMax }) =>
        agentCommand('node', {
          holds: isGvisor ? 'namespaces' : 'marks',
          dataBytesMax: memoryBytesMax + reservedBytes,
          slotCount: commandsAtOnceMax,
          makesPipes: true,
        }),
      launch: async (asked) => launch(engine, parts, asked),
    }
  }

  /** Containers of an earlier server on this folder: those that were told to end when it did have ended, and wait to be removed. */
  async function sweepOwn(): Promise<void> {
    const filters = encodeURIComponent(JSON.stringify({ label: [`${labelName}=${root.tag}`] }))
    const left = Containers.parse(await engine.call('GET', `/containers/json?all=true&filters=${filters}`))
    for (const { Id } of left) await removeContainer(engine, Id)
    if (left.length > 0) log.warn('removed the containers of a killed server', { count: left.length })
  }

  return agentDriver(options, {
    name: 'docker',
    prepare,
    probe: ({ host, create }) => probeDocker({ engine, socket, image, runtime: runtimeName, isGvisor, isRoot, host, create }),
    sweepOwn,
  })
}
