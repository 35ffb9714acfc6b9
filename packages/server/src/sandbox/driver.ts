import type { ExecRequest, ExecResult, FilesRequest, FilesResult } from '@longhaul/protocol'

/** What this host can enforce. `missing` names each gap with the line that closes it. */
export type Capabilities = {
  driver: string
  isUsable: boolean
  enforced: string[]
  missing: { what: string; remedy: string }[]
  /** Programs that commands may count on: `sh`, `node`, `python3`. */
  languages: string[]
}

export type SandboxLimits = {
  memoryBytesMax: number
  processCountMax: number
  diskBytesMax: number
  fileCountMax: number
  /** Of stdout and stderr each, for one command. */
  outputBytesMax: number
}

export type CreateOptions = {
  /** The workspace belongs to this id: creating with the same id on the same machine finds the files again. */
  id: string
  /** Folder whose content a new workspace starts with. */
  seed?: string
  limits?: Partial<SandboxLimits>
}

export type ExecOptions = {
  signal: AbortSignal
  /** Output as it comes. */
  onOutput?(stream: 'stdout' | 'stderr', text: string): void
}

/** One live sandbox. Every method rejects with a `StepFailure` that names cause and remedy. */
export type Sandbox = {
  readonly driver: string
  exec(request: ExecRequest, options: ExecOptions): Promise<ExecResult>
  files(request: FilesRequest): Promise<FilesResult>
  /** Ends every process of it. The workspace stays. */
  stop(): Promise<void>
  /** Ends it and deletes its workspace. */
  destroy(): Promise<void>
}

export type SandboxDriver = {
  readonly name: string
  probe(): Promise<Capabilities>
  create(options: CreateOptions): Promise<Sandbox>
  /** Removes what an earlier process that was killed left behind. Called once, before the first `create`. */
  sweep(): Promise<void>
  /** Ends all sandboxes of this process. */
  stop(): Promise<void>
}
