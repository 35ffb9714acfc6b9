/** What a driver lends to the sandboxes whose commands an agent inside starts. Everything else about them is the same for all drivers. */
import type { Readable, Writable } from 'node:stream'
import type { Log } from '../../kernel/index.ts'
import type { DataMount, ImageRoot, SandboxLimits } from '../driver.ts'
import type { SandboxCgroup } from '../host/cgroup.ts'
import type { CgroupHost } from '../host/cgroup-host.ts'
import type { DiskHost, DiskMount } from '../host/disk-image.ts'
import type { Runtime } from '../host/runtime.ts'
import type { ProcessIdentity } from '../processes.ts'
import type { Root } from '../root.ts'
import type { Turns } from '../turns.ts'

export type AgentHost = {
  driver: string
  root: Root
  runtime: Runtime
  cgroups: CgroupHost
  /** Makes disk limits hard; undefined where this host cannot. */
  disks: DiskHost | undefined
  /** Why it cannot. */
  whyNoDisks: string | undefined
  log: Log
  /** How many sandboxes are started at once: more would only slow each other down, until none is ready in time. */
  starts: Turns
  /** For an agent to be ready; absent: 15 s. */
  startsWithinMs?: number
  /** A host user for a new workspace; undefined when the server is not root. */
  newUser(name: string): number | undefined
  /** Pipes for the streams of commands lie in the sandbox's folder, where the driver shows them to the inside. */
  hasPipes: boolean
  /** An engine holds the memory limit: nobody needs to look. */
  isMemoryHeld?: boolean
  /** Control groups for one sandbox, with what the driver itself needs in them; undefined where there are none. */
  createCgroup(name: string, limits: SandboxLimits): SandboxCgroup | undefined
  /** The agent's command line inside, with this root or this host's. */
  agentCommand(limits: SandboxLimits, image: ImageRoot | undefined): readonly string[]
  /** Lays out what launches with an image need. Throws `sandbox_unavailable` where this host cannot have it. */
  prepareForImages?(): Promise<void>
  launch(options: LaunchOptions): Promise<Launched>
}

export type LaunchOptions = {
  /** The sandbox's folder on the host, with `workspace` and `egress`. */
  folder: string
  /** Host user of everything inside; undefined when the server is not root: then it is the server's own. */
  user: number | undefined
  joinFiles: readonly string[]
  limits: SandboxLimits
  /** Another folder, that can be written at `/copy`; as the launching user sees it after `runtime.seen`. */
  copyTo?: string
  /** File systems that are mounted before anything of the sandbox begins, for it alone. Needs a stage. */
  disks?: readonly DiskMount[]
  /** Folders of the host's that are shown inside, read-only. */
  mounts?: readonly DataMount[]
  /** Its root, in place of this host's programs. */
  image?: ImageRoot
  /** Nothing but the workspace, and `copyTo`, can be written. */
  hasNoTmp?: boolean
  /** What runs inside. It holds nothing about the host, so it may be seen there. */
  command: readonly string[]
}

/** What the agent starts commands by. */
export type OwnProgram = 'sh' | 'prlimit'

export type AgentSettings = {
  /** How the server's side of a command holds together what it starts: control groups, a process namespace, or a mark. */
  holds: 'groups' | 'namespaces' | 'marks'
  dataBytesMax: number
  slotCount: number
  /** The pipes for commands are not there yet. */
  makesPipes: boolean
  /** The first process is another one, which ends everything when the agent that ends in order tells it to. */
  endsFirstProcess?: boolean
  /** How programs of ours are started where the root has none, or others. Absent: from where this host has them. */
  programs?: Record<OwnProgram, readonly string[]>
  /** What every command's environment begins with, over the agent's own. */
  env?: Record<string, string>
}

/** A sandbox's processes, seen from outside. */
export type Launched = {
  input: Writable
  output: Readable
  /** The first and the last of what the driver's program or the command said before it went wrong. */
  complaints(): string
  /** Resolves when nothing of the sandbox is left, with the exit code of its command; null when a signal ended it. */
  exited: Promise<number | null>
  /** The outermost process, for the record that a later start sweeps by. */
  outer: ProcessIdentity
  /** Ends all of it. */
  kill(): void
  /** Where an engine has the processes, in place of control groups of ours. */
  engine?: { group: SandboxCgroup; usage(): Promise<ReturnType<SandboxCgroup['usage']>> }
}
