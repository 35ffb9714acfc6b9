import { z } from 'zod'
import { VersionName } from './agents.ts'
import { PromptChoice } from './connections.ts'
import { Destination } from './destinations.ts'
import { EgressConnection } from './egress.ts'
import { attachmentsMax } from './attachment-refs.ts'
import { Failure } from './errors.ts'
import { DoubtDecision, LiveFrame, OpPath, ParkReason, RunEvent, StepKind, WaitKind } from './events.ts'
import { LaneKey, Priority } from './limits.ts'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { runStates } from './run-state.ts'
import { stepNotes } from './step-notes.ts'
import { Asker, JsonValue, Name, Usage } from './values.ts'

export const RunState = z.enum(runStates)
export type RunState = z.infer<typeof RunState>

/** Why a run is waiting, and until when. */
export const Wait = z.object({
  kind: WaitKind,
  name: z.string(),
  until: z.iso.datetime().nullable(),
  approvalId: z.uuid().optional(),
  /** The child that it waits for. */
  runId: z.uuid().optional(),
  reason: ParkReason.optional(),
  /** The step that is in doubt. */
  op: OpPath.optional(),
  detail: JsonValue.optional(),
})
export type Wait = z.infer<typeof Wait>

/** What is different in a fork from its step on. `model` and `instructions` are those of every model call that it makes itself. */
export const ForkChanges = z.strictObject({
  input: JsonValue.optional(),
  version: z.string().min(1).max(128).optional(),
  model: z.string().min(1).max(200).optional(),
  instructions: z.string().max(200_000).optional(),
  outputTokensMax: z.number().int().min(1).max(1_000_000).optional(),
})
export type ForkChanges = z.infer<typeof ForkChanges>

/** Where a fork comes from: the run, and the step that it goes on from. Its first `eventCount` events are the recorded prefix. */
export const Fork = z.object({
  runId: z.uuid(),
  op: OpPath.nullable(),
  eventCount: z.number().int(),
  /** Of the other run: its code and its prompts know it, and nothing of the fork gets into it. */
  session: z.string().nullable(),
  changes: ForkChanges,
  /** Its writes take effect. Otherwise they are withheld. */
  isLive: z.boolean(),
  /** The other run had executed commands or written files before that step. What they left is not in the fork's workspace, which begins as the version's. */
  isWithoutFiles: z.boolean().optional(),
})
export type Fork = z.infer<typeof Fork>

/** It was read in from a file and is never executed. `runId` and `hash` are its id and its last hash where it was executed. */
export const Imported = z.object({ runId: z.uuid(), hash: z.string(), by: z.string(), at: z.iso.datetime() })
export type Imported = z.infer<typeof Imported>

/** What a run has taken of the workers that executed its code, as far as it is written: with each wait and at its end. */
export const Compute = z.object({
  /** Processor time. Of what a worker took in a second, the runs whose code may have been executing have equal parts. */
  cpuMs: z.number(),
  /** Resident memory by time, in megabytes (10⁶ bytes) by seconds. Of a worker's, its runs have equal parts. */
  memoryMbS: z.number(),
})
export type Compute = z.infer<typeof Compute>

export const Run = z.object({
  id: z.uuid(),
  namespace: z.string(),
  agent: z.string(),
  version: z.string(),
  state: RunState,
  input: JsonValue,
  output: JsonValue.nullable(),
  failure: Failure.nullable(),
  wait: Wait.nullable(),
  session: z.string().nullable(),
  /** The run that started it, and the place of the step that did. */
  parent: z.object({ runId: z.uuid(), op: OpPath }).nullable(),
  /** The run that it went on as. */
  continuedAs: z.uuid().nullable(),
  asker: Asker,
  usage: Usage,
  compute: Compute,
  /** Absent: it is none. */
  fork: Fork.optional(),
  imported: Imported.optional(),
  /** What it, or a run that it comes from, would write is recorded instead of executed. */
  withholdsWrites: z.boolean().optional(),
  /** Whose words from outside it has read, or was given: `web:example.com`, `tool_server:crm.example.com`. Policies decide by them. Absent: nobody's. */
  labels: z.array(z.string()).optional(),
  eventCount: z.number().int(),
  createdAt: z.iso.datetime(),
  startedAt: z.iso.datetime().nullable(),
  endedAt: z.iso.datetime().nullable(),
})
export type Run = z.infer<typeof Run>

const runId = z.uuid()
const RunRef = z.strictObject({ runId })

export const whenBusyWays = ['queue', 'steer', 'interrupt', 'reject'] as const
export const WhenBusy = z.enum(whenBusyWays)
export type WhenBusy = z.infer<typeof WhenBusy>

export const startRun = operation({
  id: 'runs.start',
  summary: 'Start a run of an agent. With an idempotency key the same request returns the same run.',
  http: ['POST', '/v1/runs'],
  permission: 'runs:write',
  input: z.strictObject({
    agent: Name,
    /** Start it on the version of this name, instead of the live one. */
    preview: Name.optional(),
    /** Start it on this version. One that is neither live nor a canary takes the permission agents:deploy. */
    version: VersionName.optional(),
    /** Absent: the key's first namespace, or `default`. */
    namespace: Name.optional(),
    input: JsonValue.default(null),
    /** Begin with this prompt of a tool server: its text, and after it the input, a text or nothing. All of it is recorded as the input's `message`, and the run is labelled with whose words they are. */
    prompt: PromptChoice.optional(),
    /**
     * Files that were sent before. The input is recorded as an object then: its words under `message`, and under `attachments` what is known of each file.
     */
    attachments: z.array(z.uuid()).min(1).max(attachmentsMax).optional(),
    session: z.string().min(1).max(128).optional(),
    /**
     * When a run of the session is under way: `queue` (the default) waits for it; `steer` gives the input to its next model call, and answers with that run; `interrupt` cancels it
     * first; `reject` is a conflict. Only runs of the same key are steered or interrupted; another's is waited for.
     */
    whenBusy: WhenBusy.optional(),
    idempotencyKey: z.string().min(1).max(128).optional(),
    laneKey: LaneKey.optional(),
    priority: Priority.optional(),
    startAt: z.iso.datetime({ offset: true }).optional(),
    delayMs: z.number().int().min(0).max(315_360_000_000).optional(),
    /** Where its end is told. */
    destinations: z.array(Destination).max(10).default([]),
  }),
  output: Run,
})

export const getRun = operation({ id: 'runs.get', summary: 'One run.', http: ['GET', '/v1/runs/{runId}'], permission: 'runs:read', input: RunRef, output: Run })

export const listRuns = operation({
  id: 'runs.list',
  summary: 'Runs, newest first. As a stream: each that begins or comes into another state, as it is then.',
  http: ['GET', '/v1/runs'],
  permission: 'runs:read',
  input: z.strictObject({
    ...PageInput,
    namespace: Name.optional(),
    agent: Name.optional(),
    state: RunState.optional(),
    session: z.string().max(128).optional(),
    parent: z.uuid().optional(),
    /** Only runs with this in their input. Each page looks through 2,000 runs at most, so one may hold fewer than `limit` and yet have a next. */
    search: z.string().min(1).max(200).optional(),
  }),
  output: pageOf(Run),
  frame: Run,
})

/** Runs of an agent in a state: those under way whenever they began, and those begun since the instant asked for. */
export const RunCount = z.object({
  agent: z.string(),
  state: RunState,
  count: z.number().int(),
  sinceCount: z.number().int(),
  /** What those begun since then have taken of workers. */
  sinceCompute: Compute,
})
export type RunCount = z.infer<typeof RunCount>

export const countRuns = operation({
  id: 'runs.count',
  summary:
    'How many runs each agent has in each state, those under way and those begun since an instant, and what these took of workers. Counts the newest 100,000 of each.',
  http: ['GET', '/v1/run-counts'],
  permission: 'runs:read',
  input: z.strictObject({ since: z.iso.datetime({ offset: true }), namespace: Name.optional(), agent: Name.optional() }),
  output: z.object({ items: z.array(RunCount), isCut: z.boolean() }),
})

export const listRunEvents = operation({
  id: 'runs.events',
  summary: 'A run’s history from a number on, oldest first. As a stream: to the run’s end, with what happens live in between.',
  http: ['GET', '/v1/runs/{runId}/events'],
  permission: 'runs:read',
  input: z.strictObject({ runId, after: z.coerce.number().int().min(-1).default(-1), limit: z.coerce.number().int().min(1).max(1_000).default(500) }),
  output: z.object({ items: z.array(RunEvent), next: z.number().int().nullable() }),
  frame: z.union([RunEvent, LiveFrame]),
  isStreamFirst: true,
})

export const listRunConnections = operation({
  id: 'runs.connections',
  summary: 'Every attempt of a run to reach something from its sandbox, newest first. Kept for thirty days.',
  http: ['GET', '/v1/runs/{runId}/connections'],
  permission: 'runs:read',
  input: z.strictObject({ runId, ...PageInput }),
  output: pageOf(EgressConnection),
})

/** A row of the journal as it was written: `data` is its very text. `hash` is the SHA-256 of the hash before it (empty for the first) and of this row. */
export const JournalEntry = z.object({
  seq: z.number().int(),
  epoch: z.number().int(),
  at: z.iso.datetime(),
  type: z.string().max(64),
  op: OpPath.nullable(),
  data: z.string().max(40_000_000),
  hash: z.string().max(128),
})
export type JournalEntry = z.infer<typeof JournalEntry>

export const exportRun = operation({
  id: 'runs.export',
  summary: 'A run’s journal from a number on, with the hashes that chain it, to be kept and verified elsewhere.',
  http: ['GET', '/v1/runs/{runId}/journal'],
  permission: 'runs:read',
  input: z.strictObject({ runId, after: z.coerce.number().int().min(-1).default(-1), limit: z.coerce.number().int().min(1).max(1_000).default(500) }),
  output: z.object({ items: z.array(JournalEntry), next: z.number().int().nullable() }),
})

export const importRun = operation({
  id: 'runs.import',
  summary: 'Take in an exported run that has ended, to be read. It is verified first, gets an id of its own, is marked as imported and never executed.',
  http: ['POST', '/v1/runs/import'],
  permission: 'runs:operate',
  bodyBytesMax: 64 * 1024 * 1024,
  input: z.strictObject({
    agent: Name,
    version: z.string().min(1).max(128),
    /** Absent: the key's first namespace, or `default`. */
    namespace: Name.optional(),
    /** The id under which it was exported. */
    exportedAs: z.uuid(),
    journal: z.array(JournalEntry).min(1).max(100_000),
  }),
  output: Run,
})

export const getStep = operation({
  id: 'runs.step',
  summary: 'One step in full: its input as the callee saw it (for a model call the exact prompt) and what came back.',
  http: ['GET', '/v1/runs/{runId}/steps/{op}'],
  permission: 'runs:read',
  input: z.strictObject({ runId, op: OpPath }),
  output: z.object({
    op: OpPath,
    kind: StepKind,
    name: z.string(),
    attempt: z.number().int(),
    input: JsonValue.nullable(),
    output: JsonValue.nullable(),
    failure: Failure.nullable(),
    startedAt: z.iso.datetime().nullable(),
    endedAt: z.iso.datetime().nullable(),
    durationMs: z.number().nullable(),
    /** Of a tool call what policies said of it; of a model call the route that it took, with the failed tries of all attempts; of a command or files which folders its sandbox was shown. */
    ...stepNotes,
  }),
})

export const cancelRun = operation({
  id: 'runs.cancel',
  summary: 'Cancel a run. A run that has ended stays as it is.',
  http: ['POST', '/v1/runs/{runId}/cancel'],
  permission: 'runs:operate',
  input: z.strictObject({ runId, reason: z.string().max(500).optional() }),
  output: Run,
})

export const retryRun = operation({
  id: 'runs.retry',
  summary: 'Take up a run again that waits for an operator (diverged or poison).',
  http: ['POST', '/v1/runs/{runId}/retry'],
  permission: 'runs:operate',
  input: RunRef,
  output: Run,
})

export const forkRun = operation({
  id: 'runs.fork',
  summary:
    'Go on from a step of a run as a new run, with another input, version, model or instructions. What was recorded before is taken over and costs nothing; what it would write is withheld unless it is live.',
  http: ['POST', '/v1/runs/{runId}/fork'],
  permission: 'runs:write',
  input: z.strictObject({
    runId,
    /** The first step that is executed anew. Absent: from the beginning. */
    op: OpPath.optional(),
    changes: ForkChanges.default({}),
    /** Its writes take effect. Needs the permission `runs:operate`. */
    isLive: z.boolean().default(false),
  }),
  output: Run,
})

const compared = z.object({ outcome: z.string(), value: JsonValue, input: JsonValue })
/** What one of the runs did where the other did something else or nothing. `value` is the result or the failure; input and value are cut where they are long. */
export const ComparedStep = z.object({ op: OpPath, kind: StepKind, name: z.string(), a: compared.nullable(), b: compared.nullable() })
const comparedRun = z.object({
  runId: z.uuid(),
  state: RunState,
  usage: Usage,
  withheldCount: z.number().int(),
  output: JsonValue.nullable(),
  failure: Failure.nullable(),
})

export const compareRuns = operation({
  id: 'runs.compare',
  summary: 'What two runs did differently: steps, answer, tokens and money. What a fork took over from the other counts for neither.',
  http: ['GET', '/v1/runs/{runId}/compare/{with}'],
  permission: 'runs:read',
  input: z.strictObject({ runId, with: z.uuid() }),
  output: z.object({
    a: comparedRun,
    b: comparedRun,
    /** Events that one took over from the other. */
    prefixCount: z.number().int(),
    sameCount: z.number().int(),
    differentCount: z.number().int(),
    /** The first thousand. */
    different: z.array(ComparedStep),
    isSameAnswer: z.boolean(),
  }),
})

export const decideStep = operation({
  id: 'runs.decide',
  summary:
    'Decide a write that is in doubt: `completed` with what it came to, `failed`, or `execute` it again. The first decision counts; another one is a conflict.',
  http: ['POST', '/v1/runs/{runId}/steps/{op}/decision'],
  permission: 'runs:write',
  input: z.strictObject({
    runId,
    op: OpPath,
    decision: DoubtDecision,
    /** For `completed`: what the step came to, as its code would have returned it. */
    output: JsonValue.default(null),
    /** For `failed`: what the code is told. */
    message: z.string().min(1).max(2_000).optional(),
  }),
  output: Run,
})

export const signalRun = operation({
  id: 'runs.signal',
  summary: 'Send data into a run. Kept until the run asks for a signal of that name.',
  http: ['POST', '/v1/runs/{runId}/signals/{name}'],
  permission: 'runs:write',
  input: z.strictObject({ runId, name: z.string().min(1).max(128), payload: JsonValue.default(null), idempotencyKey: z.string().min(1).max(128).optional() }),
  output: Run,
})

export const runOperations = [
  startRun,
  getRun,
  listRuns,
  countRuns,
  listRunEvents,
  listRunConnections,
  exportRun,
  importRun,
  forkRun,
  compareRuns,
  getStep,
  cancelRun,
  retryRun,
  decideStep,
  signalRun,
]
