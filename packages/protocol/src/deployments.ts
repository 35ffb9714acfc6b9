/** Versions of an agent's code, and which of them new runs get. */
import { z } from 'zod'
import { AgentManifest, VersionName } from './agents.ts'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { Name } from './values.ts'

/** At most this many bytes of code, before they are packed. */
export const codeBytesMax = 20_000_000
export const codeFilesMax = 5_000

/** What lies in an agent's folder and is no code: results of a build, packages, tests, questions, what a person keeps beside it. */
export const isNoCode = (path: string): boolean =>
  /(^|\/)(node_modules|evals|\.git|\.longhaul|longhaul-answers|dist)(\/|$)|^tests\/|\.test\.ts$|(^|\/)\.(DS_Store|env[^/]*)$/.test(path)

/** A file of an agent's folder. Its path is relative to the folder that contains `agent/`, with slashes. */
export const CodeFile = z.strictObject({
  path: z
    .string()
    .min(1)
    .max(300)
    .refine(
      (path) => !path.startsWith('/') && !path.includes('\\') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
      'must be a relative path without . and ..',
    ),
  base64: z.string().max(Math.ceil(codeBytesMax / 3) * 4),
})
export type CodeFile = z.infer<typeof CodeFile>

/** An immutable snapshot of an agent's code, named by the digest of that code. */
export const Version = z.object({
  agent: Name,
  version: z.string(),
  /** `starting` until a worker has loaded the code; `broken` when it does not load, with the reason in `problem`. */
  status: z.enum(['starting', 'ready', 'broken']),
  problem: z.string().nullable(),
  /** Whether new runs get it, and how many of a hundred. */
  deployment: z.enum(['live', 'canary']).nullable(),
  share: z.number().int().nullable(),
  /** Runs that are under way or wait on it. They stay on it to their end. */
  activeRunCount: z.number().int(),
  createdAt: z.iso.datetime(),
})
export type Version = z.infer<typeof Version>

/**
 * When a deployment is taken back by itself. The new version's runs of the first `windowMs` are held against those of the version it
 * replaced or accompanies, of as long before and since.
 */
export const RollbackGuard = z.strictObject({
  windowMs: z.number().int().min(10_000).max(604_800_000).default(3_600_000),
  /** Nothing is decided before so many of its runs have ended. */
  runsMin: z.number().int().min(1).max(10_000).default(3),
  /** By how much its share of failed runs may exceed the other's. */
  failureShareMax: z.number().min(0).max(1).default(0.1),
  /** How many times the other's median duration its own may be. Looked at from 20 runs of each on. */
  durationRatioMax: z.number().min(1).max(100).optional(),
  /** How many times the other's mean cost its own may be. Looked at from 20 runs of each on. */
  costRatioMax: z.number().min(1).max(100).optional(),
  /** By how much the share of passed cases of its newest evaluation may be below that of the other's newest of the same suite. */
  scoreDropMax: z.number().min(0).max(1).optional(),
})
export type RollbackGuard = z.infer<typeof RollbackGuard>

/** How the runs of a version fared. A run that waits for an operator counts as failed. */
export const VersionRecord = z.object({
  version: z.string(),
  runCount: z.number().int(),
  failedCount: z.number().int(),
  durationMsMedian: z.number().nullable(),
  costUsdMean: z.number().nullable(),
  /** The newest evaluation of each suite, by its name. */
  scores: z.record(z.string(), z.object({ passedCount: z.number().int(), caseCount: z.number().int() })).optional(),
})
export type VersionRecord = z.infer<typeof VersionRecord>

const canarySubjects = z.array(z.string().min(1).max(128)).max(200).default([])
/** Whom a canary is for whatever its share, and whom it is not for: sessions by their name, people and keys by their id. `never` goes first. */
export const CanarySubjects = z.strictObject({ always: canarySubjects, never: canarySubjects })
export type CanarySubjects = z.infer<typeof CanarySubjects>

export const deploymentStates = ['live', 'canary', 'superseded', 'rolled_back'] as const
export const Deployment = z.object({
  id: z.uuid(),
  agent: Name,
  version: z.string(),
  share: z.number().int(),
  /** Of a canary that names some. */
  canarySubjects: CanarySubjects.nullable(),
  state: z.enum(deploymentStates),
  /** The version that was live before it. */
  replaced: z.string().nullable(),
  guard: RollbackGuard.nullable(),
  /** What the decision to take it back was based on. */
  evidence: z.object({ rule: z.string(), own: VersionRecord, other: VersionRecord }).nullable(),
  reason: z.string().nullable(),
  madeBy: z.string(),
  createdAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
})
export type Deployment = z.infer<typeof Deployment>

const agent = Name

export const createVersion = operation({
  id: 'versions.create',
  summary:
    'Upload an agent’s code. It is loaded by a worker before the answer is sent; no run gets it until it is deployed. The same code is the same version.',
  http: ['POST', '/v1/agents/{agent}/versions'],
  permission: 'agents:deploy',
  bodyBytesMax: codeBytesMax * 1.4,
  input: z.strictObject({
    agent,
    files: z.array(CodeFile).min(1).max(codeFilesMax),
    /** More versions of it follow soon: for ten minutes a worker waits for the next one, so that it is loaded without a start. */
    expectsMore: z.boolean().default(false),
  }),
  output: Version,
})
export const listVersions = operation({
  id: 'versions.list',
  summary: 'Versions of an agent, newest first.',
  http: ['GET', '/v1/agents/{agent}/versions'],
  permission: 'agents:read',
  input: z.strictObject({ agent, limit: PageInput.limit }),
  output: z.object({ items: z.array(Version) }),
})
export const getVersion = operation({
  id: 'versions.get',
  summary: 'One version: what it says about itself, and how its runs of the last seven days fared.',
  http: ['GET', '/v1/agents/{agent}/versions/{version}'],
  permission: 'agents:read',
  input: z.strictObject({ agent, version: VersionName }),
  output: Version.extend({ manifest: AgentManifest.nullable(), record: VersionRecord }),
})
export const createDeployment = operation({
  id: 'deployments.create',
  summary:
    'Give a version to new runs: to all, or as a canary to a share of them and to whom it names. Sessions stay with what they get. Runs that have begun stay on their version.',
  http: ['POST', '/v1/agents/{agent}/deployments'],
  permission: 'agents:deploy',
  input: z.strictObject({
    agent,
    version: VersionName,
    /** Of a hundred new runs. 0 is for a canary that only those get whom it names. */
    share: z.number().int().min(0).max(100).default(100),
    canarySubjects: CanarySubjects.optional(),
    guard: RollbackGuard.nullable().optional(),
    reason: z.string().max(1_000).optional(),
  }),
  output: Deployment,
})
export const listDeployments = operation({
  id: 'deployments.list',
  summary: 'What was deployed when and by whom, newest first.',
  http: ['GET', '/v1/agents/{agent}/deployments'],
  permission: 'agents:read',
  input: z.strictObject({ agent, ...PageInput }),
  output: pageOf(Deployment),
})
export const rollBack = operation({
  id: 'deployments.rollback',
  summary: 'Take back the canary, or else the live version: the one before it gets all new runs again.',
  http: ['POST', '/v1/agents/{agent}/rollback'],
  permission: 'agents:deploy',
  input: z.strictObject({ agent, reason: z.string().max(1_000).optional() }),
  output: Deployment,
})
/** A version's runs that are under way. They stay on it. */
const PinnedRuns = z.object({ version: z.string(), runningCount: z.number().int(), waitingCount: z.number().int() })
export const DeployPlan = z.object({
  agent: Name,
  version: z.string(),
  pinned: z.array(PinnedRuns),
  /** Sessions that had a run within the last `sessionsWithinMs`: their next one gets the version, once it is live. */
  sessionCount: z.number().int(),
  sessionsWithinMs: z.number().int(),
  /** The newest of the runs under way, to be tried against the new code: 100 at most. */
  runIds: z.array(z.uuid()),
})
export type DeployPlan = z.infer<typeof DeployPlan>
export const planDeployment = operation({
  id: 'deployments.plan',
  summary: 'What giving a version to new runs would mean: which runs stay on which version, and how many sessions move.',
  http: ['GET', '/v1/agents/{agent}/versions/{version}/plan'],
  permission: 'agents:read',
  input: z.strictObject({ agent, version: VersionName }),
  output: DeployPlan,
})
export const deploymentOperations = [planDeployment, createVersion, listVersions, getVersion, createDeployment, listDeployments, rollBack]
