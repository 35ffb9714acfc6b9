/** Sandboxes that callers make, name and keep: usable with nothing but a key. */
import { z } from 'zod'
import { Egress, EgressConnection, ShownEgress } from './egress.ts'
import { ImageReference } from './images.ts'
import { operation } from './operation.ts'
import { SandboxDriverName, SandboxKernel } from './sandbox-policy.ts'
import { PageInput, pageOf } from './page.ts'
import { SandboxLimitsInput } from './sandbox-limits.ts'
import { ExecResult, FilesResult } from './sandboxes.ts'
import { sandboxStates } from './states.ts'
import { TemplateRef } from './templates.ts'
import { Name } from './values.ts'

/** `active`: its workspace is on a server's disk. `released`: it was idle, and its workspace is in a snapshot until the next use. `stopped`: gone for good. */
export const SandboxInfo = z.object({
  id: z.uuid(),
  name: z.string().nullable(),
  state: z.enum(sandboxStates),
  driver: z.string(),
  /** Whose kernel answers the code inside: the host's own is `shared`. */
  kernel: SandboxKernel,
  /** What was asked for and cannot be enforced where it runs. */
  notEnforced: z.array(z.string()),
  /** Its root, by its reference; null: what the server gives to all. */
  image: z.string().nullable(),
  limits: z.object({ memoryBytesMax: z.number(), processCountMax: z.number(), diskBytesMax: z.number(), fileCountMax: z.number() }),
  egress: ShownEgress.nullable(),
  env: z.record(z.string(), z.string()),
  /** The snapshot, sandbox or version of a template that it began as a copy of. */
  madeFrom: z.object({ snapshotId: z.uuid().optional(), sandboxId: z.uuid().optional(), templateId: z.uuid().optional() }),
  diskBytes: z.number().int(),
  ttlMs: z.number().int(),
  createdAt: z.iso.datetime(),
  usedAt: z.iso.datetime(),
  /** When it ends unless it is used before. */
  expiresAt: z.iso.datetime(),
})
export type SandboxInfo = z.infer<typeof SandboxInfo>

export const Snapshot = z.object({
  id: z.uuid(),
  name: z.string().nullable(),
  sandboxId: z.uuid(),
  /** The root of sandboxes that begin with it, by its reference; null: what the server gives to all. */
  image: z.string().nullable(),
  /** As it is stored. */
  bytes: z.number().int(),
  digest: z.string(),
  createdAt: z.iso.datetime(),
})
export type Snapshot = z.infer<typeof Snapshot>

/** A command that outlives the request which started it. The last million characters of its output are kept while the server runs. */
export const SandboxProcess = z.object({
  id: z.uuid(),
  sandboxId: z.uuid(),
  command: z.string(),
  state: z.enum(['running', 'exited', 'killed', 'failed']),
  exitCode: z.number().int().nullable(),
  signal: z.string().nullable(),
  isTimedOut: z.boolean(),
  isTruncated: z.boolean(),
  /** Why it could not be started, or what the sandbox has to say about its end. */
  message: z.string().nullable(),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
})
export type SandboxProcess = z.infer<typeof SandboxProcess>

export const OutputPiece = z.object({ seq: z.number().int(), stream: z.enum(['stdout', 'stderr']), text: z.string() })
export type OutputPiece = z.infer<typeof OutputPiece>

/** The sandbox's id, or its name. */
const sandboxId = z.string().min(1).max(63)
const SandboxRef = z.strictObject({ sandboxId })
const ProcessRef = z.strictObject({ sandboxId, processId: z.uuid() })
const path = z.string().min(1).max(4_096)
const ttlMs = z
  .number()
  .int()
  .min(60_000)
  .max(365 * 24 * 3_600_000)
  .optional()
const env = z.record(z.string().min(1).max(256), z.string().max(32_000)).refine((given) => Object.keys(given).length <= 200, 'at most 200 variables')

const commandFields = {
  sandboxId,
  /** A line for the shell. Either this, or `cmd` and `args`. */
  script: z.string().min(1).max(200_000).optional(),
  cmd: z.string().min(1).max(4_096).optional(),
  args: z.array(z.string().max(131_071)).max(1_000).optional(),
  cwd: path.optional(),
  env: env.optional(),
  stdin: z.string().max(1_000_000).optional(),
}
const hasOneCommand = ({ script, cmd, args }: { script?: string | undefined; cmd?: string | undefined; args?: string[] | undefined }) =>
  (script === undefined) !== (cmd === undefined) && (args === undefined || cmd !== undefined)
const oneCommand = 'give either script, or cmd with its args'

export const createSandbox = operation({
  id: 'sandboxes.create',
  summary: 'Make a sandbox. With `ifExists: "use"` the one of that name is returned when there is one.',
  http: ['POST', '/v1/sandboxes'],
  permission: 'sandboxes:write',
  input: z
    .strictObject({
      name: Name.optional(),
      ifExists: z.enum(['fail', 'use']).default('fail'),
      /** A snapshot's id or name to begin with. */
      snapshot: z.string().min(1).max(63).optional(),
      /** A template to begin with: its newest version that is ready, or the version after an `@`. */
      template: TemplateRef.optional(),
      limits: SandboxLimitsInput.optional(),
      /** Its root, in place of the server's programs. Absent: what the snapshot or template has. */
      image: ImageReference.optional(),
      /** Where it is to run, among what the operator allows. */
      driver: SandboxDriverName.optional(),
      env: env.optional(),
      egress: Egress.optional(),
      ttlMs,
    })
    .refine(({ snapshot, template }) => snapshot === undefined || template === undefined, 'give either snapshot or template'),
  output: SandboxInfo,
})

export const listSandboxes = operation({
  id: 'sandboxes.list',
  summary: 'Sandboxes, newest first; those that were stopped only when asked for.',
  http: ['GET', '/v1/sandboxes'],
  permission: 'sandboxes:read',
  input: z.strictObject({ ...PageInput, state: z.enum(sandboxStates).optional() }),
  output: pageOf(SandboxInfo),
})

export const getSandbox = operation({
  id: 'sandboxes.get',
  summary: 'One sandbox.',
  http: ['GET', '/v1/sandboxes/{sandboxId}'],
  permission: 'sandboxes:read',
  input: SandboxRef,
  output: SandboxInfo,
})

export const execInSandbox = operation({
  id: 'sandboxes.exec',
  summary: 'Run one command to its end.',
  http: ['POST', '/v1/sandboxes/{sandboxId}/exec'],
  permission: 'sandboxes:write',
  input: z.strictObject({ ...commandFields, timeoutMs: z.number().int().min(1).max(600_000).default(60_000) }).refine(hasOneCommand, oneCommand),
  output: ExecResult,
})

export const startProcess = operation({
  id: 'sandboxes.start',
  summary: 'Start a command and return at once. Its output can be read, and followed, later.',
  http: ['POST', '/v1/sandboxes/{sandboxId}/processes'],
  permission: 'sandboxes:write',
  input: z
    .strictObject({
      ...commandFields,
      timeoutMs: z
        .number()
        .int()
        .min(1)
        .max(7 * 24 * 3_600_000)
        .default(3_600_000),
      /** Its input stays open for `sandboxes.input`. */
      isInputOpen: z.boolean().default(false),
    })
    .refine(({ stdin, isInputOpen }) => !isInputOpen || stdin === undefined, 'give either stdin or isInputOpen')
    .refine(hasOneCommand, oneCommand),
  output: SandboxProcess,
})

export const listProcesses = operation({
  id: 'sandboxes.processes',
  summary: 'Commands that were started and run, or ended a while ago; newest first.',
  http: ['GET', '/v1/sandboxes/{sandboxId}/processes'],
  permission: 'sandboxes:read',
  input: SandboxRef,
  output: z.object({ items: z.array(SandboxProcess) }),
})

export const readOutput = operation({
  id: 'sandboxes.output',
  summary: 'What a command wrote after a piece that the caller has. As a stream: to the command’s end.',
  http: ['GET', '/v1/sandboxes/{sandboxId}/processes/{processId}/output'],
  permission: 'sandboxes:read',
  input: z.strictObject({ sandboxId, processId: z.uuid(), after: z.coerce.number().int().min(-1).default(-1) }),
  output: z.object({
    process: SandboxProcess,
    items: z.array(OutputPiece),
    /** Pieces between `after` and the first of these that are no longer kept. */
    droppedCount: z.number().int(),
  }),
  frame: z.union([OutputPiece, z.object({ count: z.number().int() }), SandboxProcess, z.object({})]),
})

export const giveInput = operation({
  id: 'sandboxes.input',
  summary: 'Give a command that was started with `isInputOpen` more to read, or end its input. Waits while the command has much to read already.',
  http: ['POST', '/v1/sandboxes/{sandboxId}/processes/{processId}/input'],
  permission: 'sandboxes:write',
  input: z.strictObject({
    sandboxId,
    processId: z.uuid(),
    /** At most half a million bytes. */
    base64: z.string().max(700_000).default(''),
    isEnd: z.boolean().default(false),
  }),
  output: SandboxProcess,
})

export const killProcess = operation({
  id: 'sandboxes.kill',
  summary: 'End a command and everything that it started. One that has ended stays as it is.',
  http: ['POST', '/v1/sandboxes/{sandboxId}/processes/{processId}/kill'],
  permission: 'sandboxes:write',
  input: ProcessRef,
  output: SandboxProcess,
})

export const writeFiles = operation({
  id: 'sandboxes.write',
  summary: 'Write files. Folders above them are made.',
  http: ['POST', '/v1/sandboxes/{sandboxId}/files'],
  permission: 'sandboxes:write',
  input: z.strictObject({
    sandboxId,
    files: z
      .array(z.strictObject({ path, base64: z.string().max(12_000_000) }))
      .min(1)
      .max(1_000),
  }),
  output: z.object({ count: z.number().int() }),
})

export const readFile = operation({
  id: 'sandboxes.read',
  summary: 'Read one file, or its beginning.',
  http: ['GET', '/v1/sandboxes/{sandboxId}/files/content'],
  permission: 'sandboxes:read',
  input: z.strictObject({ sandboxId, path, bytesMax: z.coerce.number().int().min(1).max(8_000_000).default(1_000_000) }),
  output: FilesResult.options[1].omit({ action: true, labels: true }),
})

export const listFiles = operation({
  id: 'sandboxes.files',
  summary: 'What lies in a folder.',
  http: ['GET', '/v1/sandboxes/{sandboxId}/files'],
  permission: 'sandboxes:read',
  input: z.strictObject({ sandboxId, path: path.default('.') }),
  output: FilesResult.options[2].omit({ action: true, labels: true }),
})

export const FileChanges = z.object({
  /** Paths in the folder. */
  items: z.array(z.object({ path: z.string(), change: z.enum(['changed', 'removed']) })),
  /** There was more than could be told: whoever needs to know looks again. */
  isPartial: z.boolean(),
})
export type FileChanges = z.infer<typeof FileChanges>

export const watchFiles = operation({
  id: 'sandboxes.watch',
  summary: 'What changes in a folder and below it, from now on: the first changes within `waitMs`, if there are any. As a stream: all of them.',
  http: ['GET', '/v1/sandboxes/{sandboxId}/files/changes'],
  permission: 'sandboxes:read',
  input: z.strictObject({ sandboxId, path: path.default('.'), waitMs: z.coerce.number().int().min(1).max(30_000).default(10_000) }),
  output: FileChanges,
  frame: z.union([FileChanges, z.object({})]),
})

export const snapshotSandbox = operation({
  id: 'sandboxes.snapshot',
  summary: 'Keep the workspace as it is at one moment. New sandboxes can begin with it.',
  http: ['POST', '/v1/sandboxes/{sandboxId}/snapshots'],
  permission: 'sandboxes:write',
  input: z.strictObject({ sandboxId, name: Name.optional() }),
  output: Snapshot,
})

export const forkSandbox = operation({
  id: 'sandboxes.fork',
  summary: 'A new sandbox with a copy of the workspace as it is at one moment, with the same limits, environment and ways out.',
  http: ['POST', '/v1/sandboxes/{sandboxId}/fork'],
  permission: 'sandboxes:write',
  input: z.strictObject({ sandboxId, name: Name.optional(), ttlMs }),
  output: SandboxInfo,
})

export const setSandboxEgress = operation({
  id: 'sandboxes.egress',
  summary: 'Say anew what may leave; null closes every way out. Connections that are open and no longer allowed are cut.',
  http: ['POST', '/v1/sandboxes/{sandboxId}/egress'],
  permission: 'sandboxes:write',
  input: z.strictObject({ sandboxId, egress: Egress.nullable() }),
  output: SandboxInfo,
})

export const listConnections = operation({
  id: 'sandboxes.connections',
  summary: 'Every attempt to leave the sandbox, newest first.',
  http: ['GET', '/v1/sandboxes/{sandboxId}/connections'],
  permission: 'sandboxes:read',
  input: z.strictObject({ sandboxId, ...PageInput }),
  output: pageOf(EgressConnection),
})

export const getSandboxStats = operation({
  id: 'sandboxes.stats',
  summary: 'What the sandbox uses at this moment. Null is what this host does not count.',
  http: ['GET', '/v1/sandboxes/{sandboxId}/stats'],
  permission: 'sandboxes:read',
  input: SandboxRef,
  output: z.object({
    isRunning: z.boolean(),
    memoryBytes: z.number().nullable(),
    cpuMs: z.number().nullable(),
    processCount: z.number().nullable(),
    diskBytes: z.number(),
    fileCount: z.number(),
    egressBytes: z.number(),
    egressRequests: z.number(),
  }),
})

export const linkPort = operation({
  id: 'sandboxes.link',
  summary: 'An address that shows what listens on a port inside, to whoever has it, until it expires or the server is restarted.',
  http: ['POST', '/v1/sandboxes/{sandboxId}/links'],
  permission: 'sandboxes:write',
  input: z.strictObject({
    sandboxId,
    port: z.number().int().min(1).max(65_535),
    expiresInMs: z
      .number()
      .int()
      .min(1_000)
      .max(7 * 24 * 3_600_000)
      .default(3_600_000),
  }),
  output: z.object({ /** Below the server's own address. */ path: z.string(), expiresAt: z.iso.datetime() }),
})

export const releaseSandbox = operation({
  id: 'sandboxes.release',
  summary: 'End what runs in it and put its workspace away in a snapshot. The next use brings it back. One that is put away stays as it is.',
  http: ['POST', '/v1/sandboxes/{sandboxId}/release'],
  permission: 'sandboxes:write',
  input: SandboxRef,
  output: SandboxInfo,
})

export const stopSandbox = operation({
  id: 'sandboxes.stop',
  summary: 'End a sandbox and delete its workspace. Its snapshots stay. One that has ended stays as it is.',
  http: ['POST', '/v1/sandboxes/{sandboxId}/stop'],
  permission: 'sandboxes:write',
  input: SandboxRef,
  output: SandboxInfo,
})

export const listSnapshots = operation({
  id: 'snapshots.list',
  summary: 'Snapshots, newest first.',
  http: ['GET', '/v1/snapshots'],
  permission: 'sandboxes:read',
  input: z.strictObject(PageInput),
  output: pageOf(Snapshot),
})

export const deleteSnapshot = operation({
  id: 'snapshots.delete',
  summary: 'Delete a snapshot, by id or name. Sandboxes that were made from it stay.',
  http: ['DELETE', '/v1/snapshots/{snapshotId}'],
  permission: 'sandboxes:write',
  input: z.strictObject({ snapshotId: z.string().min(1).max(63) }),
  output: Snapshot,
})

export const sandboxOperations = [
  createSandbox,
  listSandboxes,
  getSandbox,
  execInSandbox,
  startProcess,
  listProcesses,
  readOutput,
  giveInput,
  killProcess,
  writeFiles,
  readFile,
  listFiles,
  watchFiles,
  snapshotSandbox,
  forkSandbox,
  setSandboxEgress,
  listConnections,
  getSandboxStats,
  linkPort,
  releaseSandbox,
  stopSandbox,
  listSnapshots,
  deleteSnapshot,
]
