/** Two versions of an agent's code against each other, file by file. */
import { z } from 'zod'
import { VersionName } from './agents.ts'
import { codeFilesMax } from './deployments.ts'
import { operation } from './operation.ts'
import { Name } from './values.ts'

/** A file's text is given up to this size, in bytes. */
export const changedTextBytesMax = 500_000
/** All texts of one answer together have at most so many bytes; of what comes after them only the sizes are given. */
export const changedTextsBytesMax = 3_000_000

const CodeSide = z.object({
  bytes: z.number().int(),
  /** Null when the texts of the file are left out. */
  text: z.string().nullable(),
})

/** A file that one of the versions lacks, or that is another in it. */
export const CodeChange = z.object({
  path: z.string(),
  change: z.enum(['added', 'removed', 'changed']),
  before: CodeSide.nullable(),
  after: CodeSide.nullable(),
  /** Why the texts are left out: a side is no text, is larger than 500,000 bytes, or others before it have filled the answer. */
  omitted: z.enum(['binary', 'large', 'full']).nullable(),
})
export type CodeChange = z.infer<typeof CodeChange>

export const compareVersions = operation({
  id: 'versions.compare',
  summary: 'What changed in an agent’s code from another version to this one: which files, and their texts before and after.',
  http: ['GET', '/v1/agents/{agent}/versions/{version}/compare/{with}'],
  permission: 'agents:deploy',
  input: z.strictObject({ agent: Name, version: VersionName, with: VersionName }),
  output: z.object({ changes: z.array(CodeChange).max(2 * codeFilesMax), sameCount: z.number().int() }),
})
export const codeChangeOperations = [compareVersions]
