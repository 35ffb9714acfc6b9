import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { monotonicMs, sleep } from '../../kernel/index.ts'
import type { SandboxLimits } from '../driver.ts'
import { basesOf, type CgroupHost, childGroups, type Hierarchy } from './cgroup-host.ts'

/** The control groups of one sandbox. */
export type SandboxCgroup = {
  /** The launcher joins these before anything of the sandbox runs, so no process ever starts outside. */
  readonly joinFiles: string[]
  /** Processes that are in the sandbox but in no command's group: the agent's, and commands that wait for their place. */
  waiting(): number[]
  /** A group for one command, or undefined where commands cannot be kept apart. */
  command(name: string): CommandCgroup | undefined
  /** New limits for what runs already: what was started ahead of time gets those of whoever takes it. */
  setLimits(limits: Limits): void
  /** Stops or continues every process in it. False where these groups cannot. */
  setFrozen(isFrozen: boolean): Promise<boolean>
  /** Memory that is held and processor time that was used, where they are counted. */
  usage(): { memoryBytes: number | undefined; cpuMs: number | undefined; processCount: number | undefined }
  /** How often the kernel ended a process because the memory limit was reached. */
  memoryKills(): number
  /** Ends every process in the sandbox and removes its groups. */
  remove(): Promise<void>
}

export type CommandCgroup = {
  add(pid: number): Promise<void>
  /** SIGKILL to everything in it. Resolves when it is empty, or after two seconds with false. */
  kill(): Promise<boolean>
  isEmpty(): boolean
  remove(): void
}

export type Limits = Pick<SandboxLimits, 'memoryBytesMax' | 'processCountMax'>
/** bwrap's two processes and the agent with its threads. */
const ownProcessCount = 24
const agentGroup = 'agent'
const killWaitMs = 2_000
const freezeWaitMs = 1_000

export function createSandboxCgroup(host: CgroupHost, name: string, limits: Limits, cpuCountMax: number): SandboxCgroup | undefined {
  if (basesOf(host).length === 0) return undefined
  const groups = basesOf(host).map((base) => join(base, name))
  for (const group of groups) mkdirSync(group, { recursive: true })
  const set = (limits: Limits) => setLimits(host, name, limits, cpuCountMax)
  set(limits)
  const kill = host.kill && { ...host.kill, base: join(host.kill.base, name) }
  if (kill) mkdirSync(join(kill.base, agentGroup), { recursive: true })
  const leaves = groups.map((group) => (group === kill?.base ? join(group, agentGroup) : group))

  return {
    joinFiles: leaves.map((group) => join(group, 'cgroup.procs')),
    waiting: () => (kill ? processesIn(join(kill.base, agentGroup)) : []),
    command: (command) => kill && createCommandCgroup(kill, command),
    setLimits: set,
    setFrozen: (isFrozen) => (kill ? setFrozen(kill.base, isFrozen) : Promise.resolve(false)),
    usage: () => usageOf(host, name),
    memoryKills: () => memoryKills(host.limits.memory, name),
    async remove() {
      for (const group of groups) await removeGroup(group)
    },
  }
}

/** Ends what a killed server left running in our groups, and removes them. Returns how many sandboxes there were. */
export async function sweepCgroups(host: CgroupHost): Promise<number> {
  const names = new Set<string>()
  for (const base of basesOf(host)) {
    for (const name of childGroups(base)) {
      names.add(name)
      await removeGroup(join(base, name))
    }
  }
  return names.size
}

function setLimits({ limits: at }: CgroupHost, name: string, limits: Limits, cpuCountMax: number): void {
  const set = (hierarchy: Hierarchy | undefined, file: string, value: string | number) => {
    if (hierarchy) writeFileSync(join(hierarchy.base, name, file), String(value))
  }
  const setIfThere = (hierarchy: Hierarchy | undefined, file: string, value: string | number) => {
    if (hierarchy && existsSync(join(hierarchy.base, name, file))) set(hierarchy, file, value)
  }
  set(at.pids, 'pids.max', limits.processCountMax + ownProcessCount)
  const periodUs = 100_000
  const quotaUs = Math.round(cpuCountMax * periodUs)
  if (at.cpu?.version === 'v2') set(at.cpu, 'cpu.max', `${quotaUs} ${periodUs}`)
  else {
    set(at.cpu, 'cpu.cfs_period_us', periodUs)
    set(at.cpu, 'cpu.cfs_quota_us', quotaUs)
  }
  if (at.memory?.version === 'v2') {
    set(at.memory, 'memory.max', limits.memoryBytesMax)
    setIfThere(at.memory, 'memory.swap.max', 0) // Not there without swap accounting.
    // Commands' own groups get the controllers too: the kernel then ends a whole command and spares the agent.
    writeFileSync(join(at.memory.base, name, 'cgroup.subtree_control'), '+memory')
  } else if (at.memory) {
    const swapToo = () => setIfThere(at.memory, 'memory.memsw.limit_in_bytes', limits.memoryBytesMax)
    // It may at no moment be less than the limit of memory alone: it goes first where more is given, and last where less is.
    const isMore = limits.memoryBytesMax > Number(readFileSync(join(at.memory.base, name, 'memory.limit_in_bytes'), 'utf8'))
    if (isMore) swapToo()
    set(at.memory, 'memory.limit_in_bytes', limits.memoryBytesMax)
    if (!isMore) swapToo()
  }
}

function createCommandCgroup(parent: Hierarchy, name: string): CommandCgroup {
  const group = join(parent.base, name)
  mkdirSync(group)
  const oomGroup = join(group, 'memory.oom.group')
  if (existsSync(oomGroup)) writeFileSync(oomGroup, '1')
  return {
    add: (pid) => writeFile(join(group, 'cgroup.procs'), String(pid)),
    kill: () => killGroup(group),
    isEmpty: () => processesIn(group).length === 0,
    remove: () => removeQuietly(group),
  }
}

/** Kills until nothing is left: at once where the kernel can, else with forks forbidden first, so that the group can only shrink. */
async function killGroup(group: string): Promise<boolean> {
  const deadline = monotonicMs() + killWaitMs
  for (let round = 0; ; round++) {
    const pids = treeOf(group).flatMap(processesIn)
    if (pids.length === 0) return true
    if (monotonicMs() > deadline) return false
    if (existsSync(join(group, 'cgroup.kill'))) tryWrite(join(group, 'cgroup.kill'), '1')
    else {
      tryWrite(join(group, 'pids.max'), '0')
      for (const pid of pids) trySignal(pid)
    }
    await sleep(Math.min(1 + round, 20))
  }
}

async function removeGroup(group: string): Promise<void> {
  await killGroup(group)
  const deadline = monotonicMs() + killWaitMs
  while (existsSync(group)) {
    for (const each of treeOf(group).toReversed()) removeQuietly(each)
    if (!existsSync(group) || monotonicMs() > deadline) return
    await sleep(5) // A dying process keeps its group busy for a moment.
  }
}

/** `group` and all groups below it, parents first. */
function treeOf(group: string): string[] {
  return [group, ...childGroups(group).flatMap((name) => treeOf(join(group, name)))]
}

function memoryKills(memory: Hierarchy | undefined, name: string): number {
  if (!memory) return 0
  const text = readText(join(memory.base, name, memory.version === 'v2' ? 'memory.events' : 'memory.oom_control'))
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0)
}

/** Version 2 can do it with or without controllers. Resolves once nothing in the group runs any more. */
async function setFrozen(group: string, isFrozen: boolean): Promise<boolean> {
  const file = join(group, 'cgroup.freeze')
  if (!existsSync(file)) return false
  tryWrite(file, isFrozen ? '1' : '0')
  const deadline = monotonicMs() + freezeWaitMs
  while (isFrozen && !/^frozen 1$/m.test(readText(join(group, 'cgroup.events')))) {
    if (!existsSync(file) || monotonicMs() > deadline) return false
    await sleep(1)
  }
  return true
}

function usageOf({ limits: at }: CgroupHost, name: string): ReturnType<SandboxCgroup['usage']> {
  const read = (hierarchy: Hierarchy | undefined, v1: string, v2: string) =>
    hierarchy && readText(join(hierarchy.base, name, hierarchy.version === 'v2' ? v2 : v1))
  const number = (text: string | undefined) => (text ? Number(text) : undefined)
  const cpuUs = /^usage_usec (\d+)$/m.exec(read(at.cpu, 'cpu.stat', 'cpu.stat') ?? '')?.[1]
  return {
    memoryBytes: number(read(at.memory, 'memory.usage_in_bytes', 'memory.current')),
    processCount: number(read(at.pids, 'pids.current', 'pids.current')),
    cpuMs: cpuUs === undefined ? undefined : Number(cpuUs) / 1_000,
  }
}

function processesIn(group: string): number[] {
  return readText(join(group, 'cgroup.procs')).split('\n').filter(Boolean).map(Number)
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // The group is gone, and with it all that was in it.
  }
}

function tryWrite(path: string, text: string): void {
  try {
    writeFileSync(path, text)
  } catch {
    // Gone, or this kernel has no such file; the caller looks at what is left and tries again.
  }
}

function trySignal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}

function removeQuietly(group: string): void {
  try {
    rmdirSync(group)
  } catch {
    // Busy for another moment, or already gone.
  }
}
