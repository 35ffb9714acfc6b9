import type { Duplex, Readable } from 'node:stream'
import type { ExecRequest, ExecResult, FilesRequest, FilesResult, SandboxKernel } from '@longhaul/protocol'

/** Limits that not every host can enforce, by the name that an operator accepts their absence with. */
export const gaps = {
  memory: 'hard memory limit of a whole sandbox',
  cpu: 'processor time limit',
  disk: 'hard disk limit',
  processes: 'process limit',
} as const
export type Gap = keyof typeof gaps
export const gapNames = Object.keys(gaps) as [Gap, ...Gap[]] // The table has some.

/** What this host can enforce. `missing` names each gap with the line that closes it. */
export type Capabilities = {
  driver: string
  /** Whose kernel answers the code inside: the host's own, one that the driver brings, or none, where no program runs. */
  kernel: SandboxKernel
  isUsable: boolean
  enforced: string[]
  missing: { what: string; remedy: string }[]
  gaps: Gap[]
  /** Programs that commands may count on: `sh`, `node`, `python3`. */
  languages: string[]
  /** What the operator gave sandboxes as their root, in place of this host's programs or what the driver brings. */
  root?: string
}

export type SandboxLimits = {
  memoryBytesMax: number
  processCountMax: number
  diskBytesMax: number
  fileCountMax: number
  /** Of stdout and stderr each, for one command. */
  outputBytesMax: number
}

/** A folder of the host's, seen inside at `dataPath(name)`, read-only. */
export type DataMount = { name: string; path: string }
export const dataPath = (name: string): string => `/data/${name}`
/** Of one sandbox. */
export const dataMountsMax = 16

/** The root of a sandbox in place of this host's programs: a folder that nobody changes, below the one that all sandboxes of the server share. */
export type ImageRoot = {
  /** As whoever named it knows it: a registry's reference, or a file. */
  name: string
  folder: string
  /** Who commands are inside. */
  uid: number
  gid: number
  /** What the environment of every command begins with. */
  env: Record<string, string>
  /** It is what the operator gave all sandboxes: this server's Node is in it, too, at `rootNode`. */
  isOperators?: boolean
}
/** Where this server's Node is in an operator's root: after its own programs. */
export const rootNode = '/run/longhaul/bin/node'

/** Nobody deletes it before `release`. */
export type HeldImage = { root: ImageRoot; release(): void }
/** Has it here, however often it went since: called each time that processes start in it. */
export type OpenImage = () => Promise<HeldImage>

export type CreateOptions = {
  /** The workspace belongs to this id: creating with the same id on the same machine finds the files again. */
  id: string
  /** Folder whose content a new workspace starts with. */
  seed?: string
  limits?: Partial<SandboxLimits>
  /** Only for drivers that `mountsFolders`; at most `dataMountsMax`. */
  mounts?: readonly DataMount[]
  /** Only for drivers that `takesImages`. Absent: the operator's root, or this host's programs. */
  image?: OpenImage | undefined
}

/** An archive on its way. Whoever takes it reads `stream` to its end and then waits for `done`, which rejects when it is not whole. */
export type TreeStream = { stream: Readable; done: Promise<void>; cancel(): void }

/** Whole trees of a workspace as tar archives. Paths are absolute and inside. */
export type Trees = {
  /** With `isFrozen` nothing in the sandbox moves until the archive is made. */
  pack(path: string, isFrozen: boolean): Promise<TreeStream>
  /** Laid out over what is there. Throws `over_limit` when the workspace has no room for it. */
  unpack(path: string, archive: Readable): Promise<void>
  /** Lays a copy of another sandbox's workspace out in this one, which is new and empty, as it is at one moment. What runs in this one may be ended. */
  copyFrom(source: Trees): Promise<void>
}

/** What a sandbox uses at this moment. Undefined is what this host does not count. */
export type SandboxStats = {
  isRunning: boolean
  memoryBytes: number | undefined
  cpuMs: number | undefined
  processCount: number | undefined
  diskBytes: number
  fileCount: number
}

/** `isPartial`: there was more than could be told; whoever needs to know looks again. */
export type Changes = { items: { path: string; change: 'changed' | 'removed' }[]; isPartial: boolean }
export type WatchOptions = { signal: AbortSignal; onReady(): void; onChanges(changes: Changes): void }

/** A way out: the proxy's socket lies in `folder`, which is shown inside, read-only, at `egressPath`. */
export type EgressDoor = { folder: string; open(env: Record<string, string>): void; close(): void }

export type ExecOptions = {
  signal: AbortSignal
  /** Output as it comes. */
  onOutput?(stream: 'stdout' | 'stderr', text: string): void
  /** Of stdout and stderr each, where another limit than the sandbox's is wanted. */
  outputBytesMax?: number
  /** Read as the command takes it, in place of the request's `stdin`; its end is the command's end of input. */
  input?: AsyncIterable<Uint8Array>
  /** False: output goes to `onOutput` alone, and the result holds none of it. */
  isKept?: boolean
}

/** One live sandbox. Every method rejects with a `StepFailure` that names cause and remedy. */
export type Sandbox = {
  readonly driver: string
  /** Its root, where that is not this host's programs. */
  readonly root?: Pick<ImageRoot, 'name' | 'isOperators'> | undefined
  /** Limits that this one lacks although its driver has them: it was made where there were none. */
  readonly lacks?: readonly Gap[]
  exec(request: ExecRequest, options: ExecOptions): Promise<ExecResult>
  files(request: FilesRequest): Promise<FilesResult>
  stats(): Promise<SandboxStats>
  /** Absent where the driver has no archives. */
  readonly trees?: Trees
  /** Absent where nothing inside could use a network. While it is open, commands get its variables and find the proxy at 127.0.0.1:3128. */
  readonly egress?: EgressDoor
  /** Tells what changes in a folder and below it, by paths in it, until `signal` aborts. Absent where nothing can be heard. */
  watch?(path: string, options: WatchOptions): Promise<void>
  /** A connection to what listens on this port inside. Absent where nothing inside could listen. */
  connect?(port: number): Promise<Duplex>
  /** Ends every process of it. The workspace stays. */
  stop(): Promise<void>
  /** Ends it and deletes its workspace. */
  destroy(): Promise<void>
}

/** Where the folder of an `EgressDoor` is, seen from inside. */
export const egressPath = '/run/longhaul/egress'

export type SandboxDriver = {
  readonly name: string
  /** Folders of the host's can be shown inside. */
  readonly mountsFolders?: boolean
  /** A sandbox can have another root than this host's programs. */
  readonly takesImages?: boolean
  probe(): Promise<Capabilities>
  create(options: CreateOptions): Promise<Sandbox>
  /** Deletes the workspace of this id, live or not. */
  remove(id: string): Promise<void>
  /** Removes what an earlier process that was killed left behind. Called once, before the first `create`. */
  sweep(): Promise<void>
  /** Starts what is to be ready ahead of time, once every driver on this folder was swept. */
  warm?(): void
  /** Ends all sandboxes of this process. */
  stop(): Promise<void>
}
