import { z } from 'zod'
import { Destination } from './destinations.ts'
import { Failure } from './errors.ts'
import { DoubtDecision, OpPath, ParkReason, RunEvent, StepKind, WaitKind } from './events.ts'
import { LaneKey, Priority } from './limits.ts'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { RunState } from './run-state.ts'
import { Asker, JsonValue, Name, Usage } from './values.ts'

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
    /** Absent: the key's first namespace, or `default`. */
    namespace: Name.optional(),
    input: JsonValue.default(null),
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
  summary: 'Runs, newest first.',
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
})

/** Runs of an agent in a state: those under way whenever they began, and those begun since the instant asked for. */
export const RunCount = z.object({ agent: z.string(), state: RunState, count: z.number().int(), sinceCount: z.number().int() })
export type RunCount = z.infer<typeof RunCount>

export const countRuns = operation({
  id: 'runs.count',
  summary: 'How many runs each agent has in each state: those under way, and those begun since an instant. Counts the newest 100,000 of each.',
  http: ['GET', '/v1/run-counts'],
  permission: 'runs:read',
  input: z.strictObject({ since: z.iso.datetime({ offset: true }), namespace: Name.optional(), agent: Name.optional() }),
  output: z.object({ items: z.array(RunCount), isCut: z.boolean() }),
})

export const listRunEvents = operation({
  id: 'runs.events',
  summary: 'A run’s history from a number on, oldest first. With `Accept: text/event-stream` it streams until the run ends, and goes on after `Last-Event-ID`.',
  http: ['GET', '/v1/runs/{runId}/events'],
  permission: 'runs:read',
  input: z.strictObject({ runId, after: z.coerce.number().int().min(-1).default(-1), limit: z.coerce.number().int().min(1).max(1_000).default(500) }),
  output: z.object({ items: z.array(RunEvent), next: z.number().int().nullable() }),
})

/** A row of the journal as it was written: `data` is its very text. `hash` is the SHA-256 of the hash before it (empty for the first) and of this row. */
export const JournalEntry = z.object({
  seq: z.number().int(),
  epoch: z.number().int(),
  at: z.iso.datetime(),
  type: z.string(),
  op: z.string().nullable(),
  data: z.string(),
  hash: z.string(),
})
export type JournalEntry = z.infer<typeof JournalEntry>

export const exportRun = operation({
  id: 'runs.export',
  summary: 'A run’s journal from a number on, with the hashes that chain it, to be kept and verified elsewhere.',
  http: ['GET', '/v1/runs/{runId}/journal'],
  permission: 'runs:read',
  isSensitive: () => true,
  input: z.strictObject({ runId, after: z.coerce.number().int().min(-1).default(-1), limit: z.coerce.number().int().min(1).max(1_000).default(500) }),
  output: z.object({ items: z.array(JournalEntry), next: z.number().int().nullable() }),
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

export const runOperations = [startRun, getRun, listRuns, countRuns, listRunEvents, exportRun, getStep, cancelRun, retryRun, decideStep, signalRun]
