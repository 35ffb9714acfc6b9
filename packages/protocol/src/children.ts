import { z } from 'zod'
import { Failure } from './errors.ts'
import { JsonValue, Name, Usd } from './values.ts'

/** A folder in an agent's `subagents/`. */
export const PartName = z
  .string()
  .max(64)
  .regex(/^[a-zA-Z0-9_-]+$/, 'must be letters, digits, "_" and "-"')

/** The part that calls one tool in place of the agent, with a `CallRequest` as its input. No folder can have its name. */
export const toolPart = ':tool'
/** Which part of its version a run executes. */
export const RunPart = z.union([PartName, z.literal(toolPart)])

/** Input of a `run` step: starts a run of an agent as this run's child. Its output is a `ChildStarted`. */
export const ChildRequest = z.strictObject({
  agent: Name,
  input: JsonValue.default(null),
  session: z.string().min(1).max(128).optional(),
  /** It goes on when its parent has ended. Any other child is cancelled then. */
  isDetached: z.boolean().default(false),
  /** A subagent of the parent's own version: the child is a run of that version, and executes this part of it. */
  part: PartName.optional(),
  /** What its model calls may cost. */
  costUsdMax: Usd.optional(),
})
export type ChildRequest = z.infer<typeof ChildRequest>

export const ChildStarted = z.object({ runId: z.uuid() })
export type ChildStarted = z.infer<typeof ChildStarted>

/** Whose words it has read: its parent has read them with what it comes to. */
const labels = z.array(z.string()).optional()

/** How a child ended: data for its parent, whatever it is. `runId` is the run that was started, also when it continued as others. */
export const ChildEnd = z.discriminatedUnion('state', [
  z.object({ runId: z.uuid(), state: z.literal('completed'), output: JsonValue, labels }),
  z.object({ runId: z.uuid(), state: z.literal('failed'), failure: Failure, labels }),
  z.object({ runId: z.uuid(), state: z.literal('cancelled') }),
])
export type ChildEnd = z.infer<typeof ChildEnd>
