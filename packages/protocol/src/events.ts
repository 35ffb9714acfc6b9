import { z } from 'zod'
import { ApprovalRule, RuleSource } from './approval-rules.ts'
import { ChildEnd } from './children.ts'
import { Failure } from './errors.ts'
import { parkReasons } from './states.ts'
import { stepNotes } from './step-notes.ts'
import { JsonValue, Usage } from './values.ts'

/**
 * An operation's place in its run: `"3"` is the fourth thing the code asked for, `"3.0"` the first thing asked for inside it
 * (a tool call that runs a command, a branch of `all`). Deterministic, so the same code asks for the same thing under the same path.
 */
export const OpPath = z.string().regex(/^\d{1,7}(\.\d{1,7}){0,9}$/)
export type OpPath = z.infer<typeof OpPath>

/**
 * Kinds of steps. The worker executes `step` and `tool`; the server executes the others for it.
 * `run` starts a child, `exec` is a command in the run's sandbox, `files` reads or writes there, `artifact` stores a file that the answer shows.
 * `connect` asks what tools the agent's connections have, `call` calls one of them, or a stock tool that needs the server's network.
 * `invoke` asks a custom agent's program; what that asks of us meanwhile is recorded inside it.
 */
export const stepKinds = ['step', 'tool', 'model', 'exec', 'files', 'artifact', 'connect', 'call', 'run', 'invoke'] as const
export const StepKind = z.enum(stepKinds)
export type StepKind = z.infer<typeof StepKind>

export const waitKinds = ['timer', 'signal', 'approval', 'run', 'operator'] as const
export const WaitKind = z.enum(waitKinds)
export type WaitKind = z.infer<typeof WaitKind>

/**
 * What a step or tool does outside. `none`: it only reads. `idempotent`: its callee honours the key that it is given. Both are executed again
 * when they were interrupted. `write`: never executed again on a guess. A tool that declares nothing fails when it was interrupted, and the model is told.
 */
export const effects = ['none', 'idempotent', 'write'] as const
export const Effect = z.enum(effects)
export type Effect = z.infer<typeof Effect>

/** Who decides a write that was interrupted: the check that its author declared, or a person. */
export const Decider = z.enum(['check', 'person'])
export type Decider = z.infer<typeof Decider>

/** What was decided: it took effect and came to this; it failed; it did not take effect and is executed again. */
export const doubtDecisions = ['completed', 'failed', 'execute'] as const
export const DoubtDecision = z.enum(doubtDecisions)
export type DoubtDecision = z.infer<typeof DoubtDecision>

/** Why a run waits for an operator: the code no longer matches the history, the run keeps ending its worker, its version's code does not load, somebody stopped it, or nobody knows whether a write took effect. */
export const ParkReason = z.enum(parkReasons)
export type ParkReason = z.infer<typeof ParkReason>

const op = OpPath.optional()
const stepHead = { kind: StepKind, name: z.string(), attempt: z.number().int().min(1) }

/** What each event carries in `data`. The journal is these, in order; everything else about a run is derived from them. */
export const eventData = {
  /** `labels`: whose words from outside the input holds. */
  'run.started': z.object({ input: JsonValue, labels: z.array(z.string()).optional() }),
  /** The worker that executed it is gone; the run goes on from its journal with another. `isSuspect` when its own code was executing at that moment. */
  'run.interrupted': z.object({ reason: z.enum(['worker_lost', 'worker_hung']), message: z.string(), isSuspect: z.boolean() }),
  'run.resumed': z.object({ by: z.string() }),
  /** With `continuedAs` it went on as that run, and its output is null. */
  'run.completed': z.object({ output: JsonValue, continuedAs: z.uuid().optional() }),
  /** Its history comes to what a run may have, and then fails. `continueAs` keeps it short. */
  'run.warned': z.object({ what: z.enum(['events', 'bytes']), count: z.number(), max: z.number() }),
  'run.failed': z.object({ failure: Failure }),
  'run.cancelled': z.object({ reason: z.string().optional(), by: z.string() }),
  /** `isChecked`: the author declared how to find out whether it took effect. */
  'step.started': z.object({
    ...stepHead,
    input: JsonValue.optional(),
    effect: Effect.optional(),
    isChecked: z.boolean().optional(),
    policy: stepNotes.policy,
  }),
  /** `labels`: of a model call, whose words from outside hold what was said to the run and given to the model with it. */
  'step.completed': z.object({
    ...stepHead,
    output: JsonValue,
    usage: Usage.optional(),
    durationMs: z.number().optional(),
    labels: z.array(z.string()).optional(),
    ...stepNotes,
  }),
  /** Its attempt is over, and there is another once one of these waits inside it has ended. Until then nothing of it executes anywhere. */
  'step.paused': z.object({ ...stepHead, waits: z.array(OpPath), durationMs: z.number().optional(), ...stepNotes }),
  'step.failed': z.object({ ...stepHead, failure: Failure, retryInMs: z.number().nullable(), durationMs: z.number().optional(), ...stepNotes }),
  /** A write began and how it ended is not known. It is not executed again until `needs` has decided. */
  'step.doubted': z.object({ ...stepHead, needs: Decider, message: z.string() }),
  /** The end of a doubt. `by` is `check`, or the name of the operator. `completed` and `failed` are followed by the step's own event. */
  'step.decided': z.object({ ...stepHead, decision: DoubtDecision, by: z.string() }),
  'wait.created': z.object({
    kind: WaitKind,
    name: z.string(),
    /** Instant at which the wait ends by itself. For `timer` its whole point, for others a time-out. */
    until: z.iso.datetime().nullable(),
    approvalId: z.uuid().optional(),
    /** The child that is waited for. */
    runId: z.uuid().optional(),
    reason: ParkReason.optional(),
    detail: JsonValue.optional(),
    /** Of an approval: who has to say yes, and by whose wish. */
    rule: ApprovalRule.optional(),
    ruleFrom: RuleSource.optional(),
  }),
  'wait.completed': z.object({ kind: WaitKind, name: z.string(), output: JsonValue, timedOut: z.boolean().optional() }),
  /** A child has ended that nobody waits for yet. */
  'child.ended': z.object({ end: ChildEnd }),
  /** `labels`: whose words from outside the payload holds. */
  'signal.received': z.object({ name: z.string(), payload: JsonValue, by: z.string(), labels: z.array(z.string()).optional() }),
} as const

export type EventType = keyof typeof eventData
export type EventData<Type extends EventType = EventType> = z.infer<(typeof eventData)[Type]>
export const eventTypes = Object.keys(eventData) as [EventType, ...EventType[]]

const variant = <Type extends EventType>(type: Type) =>
  z.object({ seq: z.number().int().min(0), type: z.literal(type), op, at: z.iso.datetime(), data: eventData[type] })

/** An immutable, numbered fact in a run's history. `seq` counts from 0 without gaps and is the `id` in the event stream. */
export const RunEvent = z.discriminatedUnion('type', [
  variant('run.started'),
  variant('run.interrupted'),
  variant('run.resumed'),
  variant('run.completed'),
  variant('run.failed'),
  variant('run.cancelled'),
  variant('step.started'),
  variant('step.completed'),
  variant('step.failed'),
  variant('step.paused'),
  variant('step.doubted'),
  variant('step.decided'),
  variant('wait.created'),
  variant('wait.completed'),
  variant('signal.received'),
  variant('child.ended'),
  variant('run.warned'),
])
export type RunEvent = z.infer<typeof RunEvent>

/** Frames of the live stream that are not history: gone after a reconnect, since the recorded step says it all. They have no `id`. */
export const LiveFrame = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text-delta'), op: OpPath, text: z.string() }),
  z.object({ type: z.literal('output-delta'), op: OpPath, stream: z.enum(['stdout', 'stderr']), text: z.string() }),
])
export type LiveFrame = z.infer<typeof LiveFrame>
