import { z } from 'zod'
import { FilePart } from './answer.ts'

const path = z.string().min(1).max(4_096)

/** Input of an `exec` step: one command in the run's sandbox. Give `script` for a shell line or `cmd` and `args` for a program. */
export const ExecRequest = z.union([
  z.strictObject({
    script: z.string().min(1).max(200_000),
    cwd: path.optional(),
    env: z.record(z.string(), z.string()).optional(),
    stdin: z.string().max(1_000_000).optional(),
    timeoutMs: z.number().int().min(1).max(3_600_000).default(60_000),
  }),
  z.strictObject({
    cmd: z.string().min(1).max(4_096),
    args: z.array(z.string().max(131_071)).max(1_000).default([]),
    cwd: path.optional(),
    env: z.record(z.string(), z.string()).optional(),
    stdin: z.string().max(1_000_000).optional(),
    timeoutMs: z.number().int().min(1).max(3_600_000).default(60_000),
  }),
])
export type ExecRequest = z.infer<typeof ExecRequest>

/** In a run whose sandbox has a way out: the hosts that it has reached so far, as `web:host`. What lies in the sandbox may be their words. */
const ReadLabels = z.array(z.string().max(300)).max(200)

/** `exitCode` is null when a signal ended it. Output past the limit is left out and `isTruncated` set. */
export const ExecResult = z.object({
  exitCode: z.number().int().nullable(),
  signal: z.string().nullable(),
  stdout: z.string(),
  stderr: z.string(),
  isTruncated: z.boolean(),
  isTimedOut: z.boolean(),
  durationMs: z.number(),
  /** Which driver it ran in: `bwrap`, `virtual`, … */
  driver: z.string(),
  /** What this sandbox's limits ask for and this host could not enforce while the command ran. */
  notEnforced: z.array(z.string()).default([]),
  labels: ReadLabels.exactOptional(),
  /** In a run, of each stream that was longer: all of it, or its first 8 MB. */
  whole: z
    .array(FilePart.omit({ title: true }))
    .max(2)
    .exactOptional(),
})
export type ExecResult = z.infer<typeof ExecResult>

/** Input of a `files` step. Paths are relative to `/workspace`. Contents are base64. */
export const FilesRequest = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('write'),
    files: z
      .array(z.strictObject({ path, base64: z.string() }))
      .min(1)
      .max(1_000),
  }),
  z.strictObject({ action: z.literal('read'), path, bytesMax: z.number().int().min(1).max(8_000_000).default(1_000_000) }),
  z.strictObject({ action: z.literal('list'), path }),
])
export type FilesRequest = z.infer<typeof FilesRequest>

export const FilesResult = z.discriminatedUnion('action', [
  z.object({ action: z.literal('write'), count: z.number().int() }),
  z.object({ action: z.literal('read'), base64: z.string(), bytes: z.number().int(), isTruncated: z.boolean(), labels: ReadLabels.exactOptional() }),
  z.object({
    action: z.literal('list'),
    entries: z.array(z.object({ name: z.string(), type: z.enum(['file', 'directory', 'other']), bytes: z.number().int() })),
    labels: ReadLabels.exactOptional(),
  }),
])
export type FilesResult = z.infer<typeof FilesResult>

/** Input of an `artifact` step: a file made by a tool, kept for the answer. At most 8 MB. Its output is a `FilePart`. */
export const ArtifactRequest = z.strictObject({
  name: z.string().min(1).max(200),
  mediaType: z.string().min(1).max(100),
  title: z.string().max(300).optional(),
  base64: z.string().max(11_200_000),
})
export type ArtifactRequest = z.infer<typeof ArtifactRequest>
