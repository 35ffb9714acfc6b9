/** Custom agents: programs in any language that answer `POST /invocations` and `GET /ping`, as their folder declares them in `agent/agent.json`. */
import { z } from 'zod'
import { ApprovalRule } from './approval-rules.ts'
import { CalendarFeed, CommandConnection, ConnectionName, Database, HostPattern, MailRecipient, ToolLimits, ToolPattern } from './connections.ts'
import { Effect } from './events.ts'
import { ImageName } from './images.ts'
import { RunLimits } from './limits.ts'
import { AskField, serverToolNames } from './tool-calls.ts'
import { JsonValue } from './values.ts'

const { command, args, env, egress, memoryBytesMax } = CommandConnection.shape

export const CustomAgent = z
  .strictObject({
    kind: z.literal('custom'),
    description: z.string().min(1).max(2_000),
    examples: z.array(z.string().max(300)).max(20).default([]),
    /** A program of the sandbox, such as `node` or `python3`, or the path of one in the folder `agent/`, in a copy of which it starts. With an image: one of it, in place of its own. */
    command: command.optional(),
    args,
    env,
    /** Its sandbox's root, in place of this host's programs. */
    image: ImageName.optional(),
    /** Where it listens, on its own loopback interface. */
    port: z.number().int().min(1_024).max(65_535).default(8_080),
    /** What may leave its sandbox besides what it asks of us. */
    egress,
    memoryBytesMax,
    /** What an invocation does outside. `write` is never repeated on a guess: an invocation that was interrupted waits for a person to decide. */
    effect: Effect.default('write'),
    /** How long it may take until it answers `GET /ping` for the first time. */
    startMsMax: z.number().int().min(1_000).max(600_000).default(60_000),
    /** How long one invocation may take. */
    answerMsMax: z.number().int().min(1_000).max(28_800_000).default(900_000),
    /** An instance that nobody has asked for so long is released, unless it says `HealthyBusy`. */
    idleMs: z.number().int().min(1_000).max(28_800_000).default(900_000),
    stockTools: z.array(z.enum(serverToolNames)).default([]),
    allowedHosts: z.array(HostPattern).max(200).default([]),
    mailRecipients: z.array(MailRecipient).max(200).default([]),
    databases: z.record(ConnectionName, Database).default({}),
    calendars: z.record(ConnectionName, CalendarFeed).default({}),
    toolLimits: z.record(ToolPattern, ToolLimits).default({}),
    runLimits: RunLimits.optional(),
  })
  .refine(({ command, image }) => command !== undefined || image !== undefined, {
    path: ['command'],
    error: 'or image is missing: name a program, or an image of one',
  })
export type CustomAgent = z.infer<typeof CustomAgent>

/** Input of an `invoke` step: what the run was asked, and what the folder declares of its effect. */
export const InvokeRequest = z.strictObject({ input: JsonValue, effect: Effect })
export type InvokeRequest = z.infer<typeof InvokeRequest>

/** What a custom agent's program asks people, as `approval()` of an agent in code does: a yes or no, and what whoever says yes fills in. */
export const ProgramQuestion = z.strictObject({
  title: z.string().min(1).max(128),
  detail: JsonValue.optional(),
  fields: z
    .array(AskField.partial({ title: true, isRequired: true }))
    .min(1)
    .max(50)
    .optional(),
  rule: ApprovalRule.optional(),
  /** It expires then. Absent: never. */
  timeoutMs: z
    .number()
    .int()
    .min(1_000)
    .max(366 * 86_400_000)
    .optional(),
})
export type ProgramQuestion = z.infer<typeof ProgramQuestion>
