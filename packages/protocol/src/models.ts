import { z } from 'zod'
import { AttachmentRef } from './attachments.ts'
import { OpPath } from './events.ts'
import { JsonValue, Usage } from './values.ts'

export const TextContent = z.object({ type: z.literal('text'), text: z.string() })
/** A file of the user's, by reference. What the model is given of it is decided when it is asked, and its bytes are in no journal. */
export const AttachmentContent = AttachmentRef.extend({ type: z.literal('attachment') })
export const ToolCallContent = z.object({ type: z.literal('tool-call'), toolCallId: z.string(), toolName: z.string(), input: JsonValue })
/** `isError`: the tool failed, and `output` is the text that tells the model why. */
export const ToolResultContent = z.object({
  type: z.literal('tool-result'),
  toolCallId: z.string(),
  toolName: z.string(),
  output: JsonValue,
  isError: z.boolean().default(false),
})

export const Message = z.discriminatedUnion('role', [
  z.object({ role: z.literal('user'), content: z.array(z.discriminatedUnion('type', [TextContent, AttachmentContent])) }),
  /** `providerData` belongs to the gateway: see `ModelReply`. */
  z.object({
    role: z.literal('assistant'),
    content: z.array(z.discriminatedUnion('type', [TextContent, ToolCallContent])),
    providerData: JsonValue.optional(),
  }),
  z.object({ role: z.literal('tool'), content: z.array(ToolResultContent) }),
])
export type Message = z.infer<typeof Message>

export const ToolDefinition = z.object({ name: z.string().min(1).max(64), description: z.string().max(4_000), inputSchema: JsonValue })
export type ToolDefinition = z.infer<typeof ToolDefinition>

/**
 * Input of a `model` step. `prefix` is the path of an earlier model step of the run: its whole prompt and its answer come
 * first, then `append`. So a conversation of n turns stores its n messages once, not n times.
 * `instructions` and `tools` are those of the prefix unless given.
 */
export const ModelRequest = z.object({
  model: z.string().max(200),
  prefix: OpPath.optional(),
  instructions: z.string().max(200_000).optional(),
  tools: z.array(ToolDefinition).max(128).optional(),
  append: z.array(Message).max(1_000),
  outputTokensMax: z.number().int().min(1).max(1_000_000).optional(),
  /** The same prompt, of any run of the tenant, may be answered with what it was answered in the last so many seconds, for nothing. Absent: a model is asked. */
  cacheSeconds: z
    .number()
    .int()
    .min(1)
    .max(30 * 86_400)
    .optional(),
  /** What was said in the session meanwhile, for this run, comes after `append`. The reply says what that was. */
  mayBeSteered: z.boolean().optional(),
})
export type ModelRequest = z.infer<typeof ModelRequest>

/** The prompt as the model sees it, rebuilt from the journal. `getStep` answers with it for a model step. */
export const Prompt = z.object({
  model: z.string(),
  instructions: z.string(),
  tools: z.array(ToolDefinition),
  messages: z.array(Message),
  outputTokensMax: z.number().int().optional(),
  cacheSeconds: z.number().int().optional(),
})
export type Prompt = z.infer<typeof Prompt>

/**
 * Output of a `model` step. `model` is what answered: the alias `default` is resolved when the step runs.
 * `providerData` is what the same model wants to see again with this answer (signed or encrypted reasoning). Only the gateway reads it.
 */
export const ModelReply = z.object({
  model: z.string(),
  content: z.array(z.discriminatedUnion('type', [TextContent, ToolCallContent])),
  finishReason: z.enum(['stop', 'tool-calls', 'length', 'content-filter', 'other']),
  usage: Usage,
  providerData: JsonValue.optional(),
  /** It was given without a model: the answer to the same prompt before. */
  isKept: z.boolean().optional(),
  /** Messages that arrived while the run was under way, and that the model saw at the end of this prompt. */
  steeredBy: z.array(Message).max(1_000).optional(),
})
export type ModelReply = z.infer<typeof ModelReply>
