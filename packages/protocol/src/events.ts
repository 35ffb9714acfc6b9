import { z } from 'zod'
import { Failure } from './errors.ts'
import { JsonValue, Usage } from './values.ts'

/**
 * An operation's place in its run: `"3"` is the fourth thing the code asked for, `"3.0"` the first thing asked for inside it
 * (a tool call that runs a command, a branch of `all`). Deterministic, so the same code asks for the same thing under the same path.
 */
export const OpPath = z.string().regex(/^\d{1,7}(\.\d{1,7}){0,9}$/)
export type OpPath = z.infer<typeof OpPath>

/**
 * Kinds of steps. The worker executes `step` and `tool`; the server executes the others for it.
 * `exec` is a command in the run's sandbox, `files` reads or writes there, `artifact` stores a file that the answer shows.
 * `connect` asks what tools the agent's connections have, `call` calls one of them, or a stock tool that needs the server's network.
 */
export const stepKinds = ['step', 'tool', 'model', 'exec', 'files', 'artifact', 'connect', 'call'] as const
export const StepKind = z.enum(stepKinds)
export type StepKind = z.infer<typeof StepKind>

export const waitKinds = ['timer', 'signal', 'approval', 'operator'] as const
export const WaitKind = z.enum(waitKinds)
export type WaitKind = z.infer<typeof WaitKind>

/** Why a run waits for an operator: the code no longer matches the history, the run keeps ending its worker, or its version's code does not load. */
export const parkReasons = ['diverged', 'poison', 'broken'] as const
export const ParkReason = z.enum(parkReasons)
export type ParkReason = z.infer<typeof ParkReason>

const op = OpPath.optional()
const stepHead = { kind: StepKind, name: z.string(), attempt: z.number().int().min(1) }

/** What each event carries in `data`. The journal is these, in order; everything else about a run is derived from them. */
export const eventData = {
  'run.started': z.object({ input: JsonValue }),
  /** The worker that executed it is gone; the run goes on from its journal with another. `isSuspect` when its own code was executing at that moment. */
  'run.interrupted': z.object({ reason: z.enum(['worker_lost', 'worker_hung']), message: z.string(), isSuspect: z.boolean() }),
  'run.resumed': z.object({ by: z.string() }),
  'run.completed': z.object({ output: JsonValue }),
  'run.failed': z.object({ failure: Failure }),
  'run.cancelled': z.object({ reason: z.string().optional(), by: z.string() }),
  'step.started': z.object({ ...stepHead, input: JsonValue.optional() }),
  'step.completed': z.object({ ...stepHead, output: JsonValue, usage: Usage.optional(), durationMs: z.number().optional() }),
  'step.failed': z.object({ ...stepHead, failure: Failure, retryInMs: z.number().nullable(), durationMs: z.number().optional() }),
  'wait.created': z.object({
    kind: WaitKind,
    name: z.string(),
    /** Instant at which the wait ends by itself. For `timer` its whole point, for others a time-out. */
    until: z.iso.datetime().nullable(),
    approvalId: z.uuid().optional(),
    reason: ParkReason.optional(),
    detail: JsonValue.optional(),
  }),
  'wait.completed': z.object({ kind: WaitKind, name: z.string(), output: JsonValue, timedOut: z.boolean().optional() }),
  'signal.received': z.object({ name: z.string(), payload: JsonValue, by: z.string() }),
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
  variant('wait.created'),
  variant('wait.completed'),
  variant('signal.received'),
])
export type RunEvent = z.infer<typeof RunEvent>

/** Frames of the live stream that are not history: gone after a reconnect, since the recorded step says it all. They have no `id`. */
export const LiveFrame = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text-delta'), op: OpPath, text: z.string() }),
  z.object({ type: z.literal('output-delta'), op: OpPath, stream: z.enum(['stdout', 'stderr']), text: z.string() }),
])
export type LiveFrame = z.infer<typeof LiveFrame>

export const isLiveFrame = (frame: RunEvent | LiveFrame): frame is LiveFrame => frame.type === 'text-delta' || frame.type === 'output-delta'
