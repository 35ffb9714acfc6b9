/** Our prompt as the AI SDK's provider packages take it, and what a provider wants to see again on the next turn. */
import { createHash } from 'node:crypto'
import type {
  LanguageModelV4CallOptions,
  LanguageModelV4FilePart,
  LanguageModelV4FunctionTool,
  LanguageModelV4Message,
  LanguageModelV4TextPart,
  LanguageModelV4ToolResultPart,
  SharedV4ProviderOptions,
} from '@ai-sdk/provider'
import { JsonValue, type Message, type Prompt, type ToolDefinition } from '@longhaul/protocol'
import { z } from 'zod'
import { type GivenFiles, toFileParts } from './files.ts'

type AssistantPart = Extract<LanguageModelV4Message, { role: 'assistant' }>['content'][number]
type AssistantContent = Extract<Message, { role: 'assistant' }>['content']

/**
 * What a reply's `providerData` holds: the answer's parts in order, each either reasoning or a pointer into `content`, with the
 * provider's own notes on it. Signed reasoning is good for the model that wrote it and no other, hence `model`.
 */
export const ProviderData = z.object({
  model: z.string(),
  parts: z.array(
    z.union([
      z.object({ reasoning: z.string(), options: z.record(z.string(), z.record(z.string(), JsonValue)).optional() }),
      z.object({ content: z.number().int().min(0), options: z.record(z.string(), z.record(z.string(), JsonValue)).optional() }),
    ]),
  ),
})
export type ProviderData = z.infer<typeof ProviderData>

/**
 * Options of one model call. `model` is the resolved `provider/id`.
 * OpenAI is told not to keep the conversation: the journal does. Anthropic caches a prompt only when asked, and whoever brings
 * tools comes back with the same prompt and more; it may stream arguments unchecked, which is of no use where they are read whole.
 */
export function toCallOptions(prompt: Prompt, model: string, files: GivenFiles = new Map()): LanguageModelV4CallOptions {
  return {
    prompt: [
      ...(prompt.instructions ? [{ role: 'system' as const, content: prompt.instructions }] : []),
      ...joinResults(prompt.messages).flatMap((message) => toMessages(message, model, files)),
    ],
    ...(prompt.tools.length > 0 ? { tools: prompt.tools.map(toTool) } : {}),
    ...(prompt.outputTokensMax === undefined ? {} : { maxOutputTokens: prompt.outputTokensMax }),
    includeRawChunks: true, // Every event of the stream is a sign of life, whatever it says.
    providerOptions: {
      openai: { store: false },
      anthropic: { toolStreaming: false, ...(prompt.tools.length > 0 ? { cacheControl: { type: 'ephemeral' } } : {}) },
    },
  }
}

/** The results of parallel calls may be recorded one by one. Providers want all of them in the message after the calls. */
function joinResults(messages: readonly Message[]): Message[] {
  const joined: Message[] = []
  for (const message of messages) {
    const last = joined.at(-1)
    if (message.role === 'tool' && last?.role === 'tool') joined[joined.length - 1] = { role: 'tool', content: [...last.content, ...message.content] }
    else joined.push(message)
  }
  return joined
}

/** None for a message without content: providers refuse an empty one, and nothing is lost. */
function toMessages(message: Message, model: string, files: GivenFiles): LanguageModelV4Message[] {
  switch (message.role) {
    case 'user': {
      const content = message.content.flatMap((part): (LanguageModelV4TextPart | LanguageModelV4FilePart)[] =>
        part.type === 'attachment' ? toFileParts(part, model, files) : part.text === '' ? [] : [part],
      )
      return content.length > 0 ? [{ role: 'user', content }] : []
    }
    case 'assistant': {
      const content = restoreParts(message, model) ?? message.content.flatMap((part) => toAssistantParts(part, model))
      return content.length > 0 ? [{ role: 'assistant', content }] : []
    }
    case 'tool':
      return message.content.length > 0 ? [{ role: 'tool', content: message.content.map((part) => toToolResult(part, model)) }] : []
  }
}

function toAssistantParts(part: AssistantContent[number], model: string, options?: SharedV4ProviderOptions): AssistantPart[] {
  const providerOptions = options ? { providerOptions: options } : {}
  if (part.type === 'text') return part.text !== '' || options ? [{ type: 'text', text: part.text, ...providerOptions }] : []
  return [{ type: 'tool-call', toolCallId: wireId(part.toolCallId, model), toolName: part.toolName, input: part.input, ...providerOptions }]
}

/** The answer as its model gave it, reasoning included. Undefined when another model goes on, or the data is not what we wrote. */
function restoreParts(message: Extract<Message, { role: 'assistant' }>, model: string): AssistantPart[] | undefined {
  const parsed = ProviderData.safeParse(message.providerData)
  if (!parsed.success || parsed.data.model !== model) return undefined
  return parsed.data.parts.flatMap((part): AssistantPart[] => {
    const options = part.options as SharedV4ProviderOptions | undefined // The same shape; only the names of the JSON types differ.
    if ('reasoning' in part) return [{ type: 'reasoning', text: part.reasoning, ...(options ? { providerOptions: options } : {}) }]
    const content = message.content[part.content]
    return content ? toAssistantParts(content, model, options) : []
  })
}

type ToolResult = Extract<Message, { role: 'tool' }>['content'][number]

function toToolResult({ toolCallId, toolName, output, isError }: ToolResult, model: string): LanguageModelV4ToolResultPart {
  const kind = isError ? 'error-' : ''
  return {
    type: 'tool-result',
    toolCallId: wireId(toolCallId, model),
    toolName,
    output: typeof output === 'string' ? { type: `${kind}text` as const, value: output } : { type: `${kind}json` as const, value: output },
  }
}

function toTool({ name, description, inputSchema }: ToolDefinition): LanguageModelV4FunctionTool {
  return { type: 'function', name, description, inputSchema: inputSchema as LanguageModelV4FunctionTool['inputSchema'] } // Providers check schemas themselves.
}

/**
 * Some servers give out ids that others refuse (`functions.query:0`). A run may change its model, so such an id is replaced
 * by one that everybody takes, always the same one. A compatible server gets its own ids back.
 */
function wireId(id: string, model: string): string {
  if (model.startsWith('compatible/') || /^[a-zA-Z0-9_-]{1,64}$/.test(id)) return id
  return `call_${createHash('sha256').update(id).digest('hex').slice(0, 24)}`
}
