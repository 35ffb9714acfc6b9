// What has been said and done so far, read from the prompt of one call. The planner remembers nothing by itself.
import type { LanguageModelV4CallOptions, LanguageModelV4Prompt, LanguageModelV4ToolResultOutput } from '@ai-sdk/provider'

export type ToolOffer = { name: string; description: string; schema: unknown }
export type Done = { tool: string; input: unknown; output: unknown; isError: boolean }
export type Transcript = {
  /** What was asked, oldest first; the last one is to be answered. */
  questions: string[]
  tools: ToolOffer[]
  /** Tool calls since the last question that have a result, in order. */
  done: Done[]
  /** All tool calls there ever were, for ids that never repeat. */
  callCount: number
}

export function readTranscript({ prompt, tools }: Pick<LanguageModelV4CallOptions, 'prompt' | 'tools'>): Transcript {
  const lastQuestion = prompt.findLastIndex((message) => message.role === 'user')
  const results = resultsOf(prompt)
  const calls = prompt.flatMap((message, at) =>
    message.role === 'assistant' ? message.content.flatMap((part) => (part.type === 'tool-call' ? [{ ...part, at }] : [])) : [],
  )
  const done = calls.flatMap(({ at, toolCallId, toolName, input }) => {
    const result = results.get(toolCallId)
    return result && at > lastQuestion ? [{ tool: toolName, input: typeof input === 'string' ? fromJson(input) : input, ...result }] : []
  })
  const offers = (tools ?? []).flatMap((tool) =>
    tool.type === 'function' ? [{ name: tool.name, description: tool.description ?? '', schema: tool.inputSchema as unknown }] : [],
  )
  const questions = prompt.flatMap((message) =>
    message.role === 'user'
      ? [
          message.content
            .flatMap((part) => (part.type === 'text' ? part.text : []))
            .join('\n')
            .trim(),
        ]
      : [],
  )
  return { questions: questions.filter((text) => text !== ''), tools: offers, done, callCount: calls.length }
}

function resultsOf(prompt: LanguageModelV4Prompt): Map<string, { output: unknown; isError: boolean }> {
  const parts = prompt.flatMap((message) =>
    message.role === 'tool' || message.role === 'assistant' ? message.content.flatMap((part) => (part.type === 'tool-result' ? [part] : [])) : [],
  )
  return new Map(
    parts.map((part) => [
      part.toolCallId,
      { output: plain(part.output), isError: part.output.type.startsWith('error') || part.output.type === 'execution-denied' },
    ]),
  )
}

/** A tool's output as text or JSON, however it was wrapped. Text that is JSON counts as JSON. */
function plain(output: LanguageModelV4ToolResultOutput): unknown {
  switch (output.type) {
    case 'text':
    case 'error-text':
      return fromJson(output.value)
    case 'json':
    case 'error-json':
      return output.value
    case 'execution-denied':
      return output.reason ?? 'The call was denied.'
    case 'content':
      return fromJson(output.value.flatMap((part) => (part.type === 'text' ? part.text : [])).join('\n'))
  }
}

function fromJson(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return text
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text // Text that only begins like JSON is text.
  }
}

/** The result of an earlier call with exactly this input, or undefined if it was not made. `times` counts repeated calls. */
export function resultOf({ done }: Transcript, tool: string, input: unknown): { output: unknown; isError: boolean; times: number } | undefined {
  const wanted = JSON.stringify(input)
  const found = done.filter((call) => call.tool === tool && JSON.stringify(call.input) === wanted)
  const last = found.at(-1)
  return last && { output: last.output, isError: last.isError, times: found.length }
}

/** Whether a tool that is offered has such an input. */
export function takes({ tools }: Transcript, tool: string, input: string): boolean {
  const schema = tools.find(({ name }) => name === tool)?.schema
  const properties = typeof schema === 'object' && schema !== null && 'properties' in schema ? schema.properties : undefined
  return typeof properties === 'object' && properties !== null && input in properties
}
