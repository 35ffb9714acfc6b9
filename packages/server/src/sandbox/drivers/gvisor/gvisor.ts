import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { runProgram } from '../../../kernel/index.ts'
import { agentCommand } from '../../agent/chain.ts'
import { type AgentDriverOptions, agentDriver } from '../../agent/driver.ts'
import type { AgentHost } from '../../agent/host.ts'
import type { SandboxDriver, SandboxLimits } from '../../driver.ts'
import { type SandboxCgroup, createSandboxCgroup } from '../../host/cgroup.ts'
import { type CgroupHost, detectCgroups } from '../../host/cgroup-host.ts'
import { detectDisks } from '../../host/disk-image.ts'
import { etc, prepareRuntime, systemFolders } from '../../host/runtime.ts'
import { findTools } from '../../host/tools.ts'
import { commandsAtOnceMax } from '../../limits.ts'
import { createTurns } from '../../turns.ts'
import { type GvisorPlaces, launch, readable } from './launch.ts'
import { probeGvisor } from './probe.ts'

export type GvisorOptions = AgentDriverOptions & {
  /** Does without images for workspaces even where there could be some. */
  withoutDisks?: boolean
}

/** gVisor's kernel itself: its memory, the agent's, what lies in `/tmp`, and the threads with which it stands for the processes inside. */
const ownMemoryBytes = 128 * 1024 * 1024
const ownThreadCount = 512
/** Of the host, for one inside: with fewer, twenty processes that end as fast as they began took the kernel with them. */
const threadsPerProcess = 4

/** A kernel in user space, gVisor's: what runs inside never speaks to the host's. */
export function gvisorDriver(options: GvisorOptions): SandboxDriver {
  const { root, log, cpuCountMax = Math.max(1, availableParallelism() / 2), withoutDisks = false } = options
  const folder = join(root.path, '.gvisor')
  const places: GvisorPlaces = {
    rootfs: join(folder, 'rootfs'),
    state: join(folder, 'state'),
    bundles: join(folder, 'bundles'),
    agent: join(root.path, '.runtime/agent.cjs'),
  }

  async function prepare(newUser: AgentHost['newUser']): Promise<AgentHost> {
    const { program: runsc, tools } = findTools('runsc', true)
    const cgroups = detectCgroups(`${root.tag}-gvisor`)
    const runtime = await prepareRuntime(root, tools, true)
    const found = withoutDisks ? { whyNot: 'switched off' } : await detectDisks(runtime, root.path)
    await makePlaces()
    const parts = { runsc, socketFlag: await socketFlag(runsc), runtime, places }
    return {
      driver: 'gvisor',
      root,
      runtime,
      cgroups,
      disks: 'disks' in found ? found.disks : undefined,
      whyNoDisks: 'whyNot' in found ? found.whyNot : undefined,
      log,
      starts: createTurns(availableParallelism()),
      newUser,
      hasPipes: false, // A pipe of the host is none inside: the agent makes its own.
      createCgroup: (name, limits) => aroundKernel(cgroups, name, limits, cpuCountMax),
      agentCommand: () => agentCommand('/opt/longhaul/bin/node', { holds: 'namespaces', dataBytesMax: 0, slotCount: commandsAtOnceMax, makesPipes: true }),
      launch: (asked) => launch(parts, asked),
    }
  }

  async function makePlaces(): Promise<void> {
    for (const each of [places.state, places.bundles]) await mkdir(each, { recursive: true, mode: 0o700 })
    await rm(places.rootfs, { recursive: true, force: true })
    await makeRootfs(places.rootfs)
  }

  async function sweepOwn(): Promise<void> {
    for (const each of [places.state, places.bundles]) {
      await rm(each, { recursive: true, force: true })
      await mkdir(each, { recursive: true, mode: 0o700 })
    }
  }

  return agentDriver(options, { name: 'gvisor', mountsFolders: true, prepare, probe: probeGvisor, sweepOwn })
}

/** Groups around a kernel whose processes the host does not see: they bound and freeze all of it, and hold no command apart. */
function aroundKernel(cgroups: CgroupHost, name: string, limits: SandboxLimits, cpuCountMax: number): SandboxCgroup | undefined {
  const outer = ({ memoryBytesMax, processCountMax }: Pick<SandboxLimits, 'memoryBytesMax' | 'processCountMax'>) => ({
    memoryBytesMax: memoryBytesMax + ownMemoryBytes,
    processCountMax: threadsPerProcess * processCountMax + ownThreadCount,
  })
  const cgroup = createSandboxCgroup(cgroups, name, outer(limits), cpuCountMax)
  return (
    cgroup && {
      ...cgroup,
      waiting: () => [],
      command: () => undefined,
      setLimits: (changed) => cgroup.setLimits(outer(changed)),
      usage: () => ({ ...cgroup.usage(), processCount: undefined }), // Threads of the kernel's own.
    }
  )
}

async function socketFlag(runsc: string): Promise<string> {
  const { stdout, stderr } = await runProgram(runsc, ['flags'])
  return /^\s+-host-uds\b/m.test(stdout + stderr) ? '--host-uds=open' : '--fsgofer-host-uds'
}

/** Empty but for a made-up `/etc`, links as the host has them, and the places to mount on. */
async function makeRootfs(rootfs: string): Promise<void> {
  const { link, bind } = systemFolders()
  const folders = ['/proc', '/dev', '/tmp', '/workspace', '/data', '/copy', '/etc', '/run/longhaul/egress', '/opt/longhaul/bin']
  for (const path of [...bind, ...folders, ...readable]) await mkdir(join(rootfs, path), { recursive: true })
  for (const [target, path] of link) {
    await mkdir(dirname(join(rootfs, path)), { recursive: true })
    if (!existsSync(join(rootfs, path))) await symlink(target, join(rootfs, path))
  }
  for (const [name, text] of Object.entries(etc)) await writeFile(join(rootfs, 'etc', name), text)
  for (const path of ['opt/longhaul/bin/node', 'run/longhaul/agent.cjs']) await writeFile(join(rootfs, path), '')
  if (existsSync('/etc/ld.so.cache')) await writeFile(join(rootfs, 'etc/ld.so.cache'), await readFile('/etc/ld.so.cache'))
}
