import { z } from 'zod'
import { ApprovalRule } from './approval-rules.ts'
import { AgentManifest } from './agents.ts'
import { RunPart } from './children.ts'
import { Failure } from './errors.ts'
import { Decider, Effect, OpPath, StepKind } from './events.ts'
import { Message } from './models.ts'
import { Asker, JsonValue } from './values.ts'

/**
 * The protocol between the server and its workers: one WebSocket per worker, opened by the worker with a token bound to
 * one version. A message is a JSON array of frames, so that a burst costs one system call. `docs/reference/worker-protocol.md`
 * tells the whole conversation.
 */
export const workerProtocolVersion = 1
export const messageBytesMax = 16 * 1024 * 1024

const run = z.uuid()

/** Retries of a step: the n-th failure waits `delayMsMin · 2^(n-1)`, at most `delayMsMax`, times a random 0.5 to 1. */
export const RetryPolicy = z.object({
  attemptsMax: z.number().int().min(1).max(1_000),
  delayMsMin: z.number().int().min(0),
  delayMsMax: z.number().int().min(0),
})
export type RetryPolicy = z.infer<typeof RetryPolicy>

/** A result in the run's history, in the order in which results were recorded. Replay gives results to the code in this order. */
export const HistoryEntry = z.discriminatedUnion('type', [
  z.object({ type: z.literal('completed'), op: OpPath, kind: z.string(), name: z.string(), output: JsonValue }),
  z.object({ type: z.literal('failed'), op: OpPath, kind: z.string(), name: z.string(), failure: Failure }),
  /** Asked for before but without a result: started steps (`attempt` is the try to make next) and open waits. Only for the comparison with the code. */
  z.object({
    type: z.literal('open'),
    op: OpPath,
    kind: z.string(),
    name: z.string(),
    attempt: z.number().int(),
    /** It is in doubt: not to be executed until this has decided. */
    doubt: Decider.optional(),
  }),
])
export type HistoryEntry = z.infer<typeof HistoryEntry>

export const ServerFrame = z.discriminatedUnion('type', [
  /** Execute the run from the top. `history` follows in `run.history` frames, `historyLength` entries in all. */
  z.object({
    type: z.literal('run.start'),
    run,
    agent: z.string(),
    version: z.string(),
    input: JsonValue,
    asker: Asker,
    session: z.string().nullable(),
    /** Which subagent of the version it is a run of, or `:tool`: a call of one tool. Absent: the agent itself. */
    part: RunPart.optional(),
    /** What the run's model calls may cost, as the run that started it has it. */
    costUsdMax: z.number().min(0).optional(),
    /** Its writes are withheld: every step and tool that does not declare the effect `none` asks with `op.begin`, and is answered with its failure. */
    withholdsWrites: z.boolean().optional(),
    messages: z.array(Message),
    /** The agent that was handed the conversation, as the last run of the session said. */
    handedTo: z.string().optional(),
    createdAt: z.iso.datetime(),
    historyLength: z.number().int(),
  }),
  z.object({ type: z.literal('run.history'), run, entries: z.array(HistoryEntry) }),
  /** A result of an operation, in the order in which results were recorded. For `step` and `tool` it is the acknowledgement, without the output that the worker has. */
  z.object({ type: z.literal('op.completed'), run, op: OpPath, output: JsonValue.optional() }),
  z.object({ type: z.literal('op.failed'), run, op: OpPath, failure: Failure }),
  /** The intent is recorded: go ahead and execute the tool. */
  z.object({
    type: z.literal('op.begun'),
    run,
    op: OpPath,
    /** Limits of this call that are narrower than its code's own may be. */
    timeoutMs: z.number().int().optional(),
    resultCharactersMax: z.number().int().optional(),
  }),
  /** The failure is recorded; try again after the delay. */
  z.object({ type: z.literal('op.retry'), run, op: OpPath, attempt: z.number().int(), delayMs: z.number() }),
  /** Forget the run without a word: it waits and gave its place back, or was cancelled, or is another's now. */
  z.object({ type: z.literal('run.release'), run, reason: z.enum(['waiting', 'cancelled', 'superseded', 'ended']) }),
  /**
   * Until then code of the author's may begin: steps, tools, checks. In milliseconds of the machine's monotonic clock, which both
   * processes share. Whoever stops runs waits this time out, so that nothing begins after the stop has been answered.
   */
  z.object({ type: z.literal('licence'), untilMs: z.number() }),
  /** Say when no code of the run, which was released, executes any more. */
  z.object({ type: z.literal('run.yield'), run }),
  /** To a worker that was started before its code was there: it is now. Load it. */
  z.object({ type: z.literal('load') }),
  /** Take no more runs, finish nothing new, exit when told by the closing of the connection. */
  z.object({ type: z.literal('drain') }),
])
export type ServerFrame = z.infer<typeof ServerFrame>

export const WorkerFrame = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('hello'),
    protocol: z.literal(workerProtocolVersion),
    manifest: AgentManifest.nullable(),
    problem: z.string().max(20_000).nullable(),
    pid: z.number().int(),
  }),
  /** Ask for an operation that the server executes: `model`, `exec`, `files`, `artifact`, `connect`, `call`, `run`, `invoke`. */
  z.object({ type: z.literal('op'), run, op: OpPath, kind: StepKind, name: z.string().min(1).max(128), input: JsonValue, retry: RetryPolicy.optional() }),
  /** Ask for a wait. `until` is absolute for replay's sake only in the journal; here it is a duration from now. */
  z.object({
    type: z.literal('op.wait'),
    run,
    op: OpPath,
    kind: z.enum(['timer', 'signal', 'approval', 'run']),
    /** The child that a wait of kind `run` is for. */
    target: z.uuid().optional(),
    name: z.string().min(1).max(128),
    timeoutMs: z
      .number()
      .min(0)
      .max(10 * 366 * 86_400_000)
      .nullable(),
    detail: JsonValue.optional(),
    /** Of an approval: who has to say yes. */
    rule: ApprovalRule.optional(),
  }),
  /**
   * Record the intent to execute a tool or a write here, with its input. Answered by `op.begun`. For a step in doubt whose check has found
   * that it did not take effect, `attempt` is the next one.
   */
  z.object({
    type: z.literal('op.begin'),
    run,
    op: OpPath,
    kind: z.enum(['step', 'tool']),
    name: z.string().min(1).max(128),
    attempt: z.number().int(),
    input: JsonValue,
    /** Of a tool: absent is not `none`, see `Effect`. */
    effect: Effect.optional(),
    isChecked: z.boolean().optional(),
  }),
  /** How the write ended is not known here. `needs` says who decides; nothing is executed until then. */
  z.object({
    type: z.literal('op.doubt'),
    run,
    op: OpPath,
    kind: z.enum(['step', 'tool']),
    name: z.string().min(1).max(128),
    attempt: z.number().int(),
    needs: Decider,
    message: z.string().max(20_000),
  }),
  /** Record what a step or tool executed here came to. Answered by `op.completed`, or `op.retry` / `op.failed`. For a step in doubt it is what the check found. */
  z.object({
    type: z.literal('op.done'),
    run,
    op: OpPath,
    kind: z.enum(['step', 'tool']),
    name: z.string().min(1).max(128),
    attempt: z.number().int(),
    output: JsonValue,
    durationMs: z.number(),
  }),
  z.object({
    type: z.literal('op.error'),
    run,
    op: OpPath,
    kind: z.enum(['step', 'tool']),
    name: z.string().min(1).max(128),
    attempt: z.number().int(),
    failure: Failure,
    retry: RetryPolicy.optional(),
    durationMs: z.number(),
  }),
  /** Nothing of the run executes here: its code waits for `ops`, all of them asked for and unanswered. The server may release it. */
  z.object({ type: z.literal('run.idle'), run, ops: z.array(OpPath) }),
  z.object({ type: z.literal('run.completed'), run, output: JsonValue }),
  z.object({ type: z.literal('run.failed'), run, failure: Failure }),
  /** The code goes on as a new run of the same agent, with this input and an empty history. */
  z.object({ type: z.literal('run.continued'), run, input: JsonValue }),
  /** The code asked for something other than the history says. The run is parked with this as the reason. */
  z.object({ type: z.literal('run.diverged'), run, op: OpPath, recorded: z.string(), asked: z.string() }),
  /** Nothing of the run executes here any more. Answers `run.yield`. */
  z.object({ type: z.literal('run.yielded'), run }),
  /** Something is to begin, and the licence has run out. Answered by `licence`. */
  z.object({ type: z.literal('admit') }),
  /** Every second, and in front of each frame that ends a run's turn. `cpuMs`: processor time of the process since it began. `memoryBytes`: what it has resident; it is looked at every second. */
  z.object({ type: z.literal('heartbeat'), cpuMs: z.number().min(0).optional(), memoryBytes: z.number().int().min(0).optional() }),
  z.object({ type: z.literal('log'), run: run.optional(), level: z.enum(['debug', 'info', 'warn', 'error']), message: z.string().max(10_000) }),
])
export type WorkerFrame = z.infer<typeof WorkerFrame>
