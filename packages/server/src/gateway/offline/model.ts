// The planner behind the interface that every model of the AI SDK has, so that nothing else needs to know of it.
import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from '@ai-sdk/provider'
import { decide, type Move } from './decide.ts'
import { readTranscript } from './transcript.ts'

const deltaLength = 24

type Reply = { content: LanguageModelV4Content[]; finishReason: LanguageModelV4FinishReason; usage: LanguageModelV4Usage }

/** A rule-based stand-in for when no provider is configured. It is not a language model, costs nothing and keeps no state between calls. */
export function offlinePlanner(): LanguageModelV4 {
  return {
    specificationVersion: 'v4',
    provider: 'offline',
    modelId: 'offline/planner',
    supportedUrls: {},
    async doGenerate(options) {
      return { ...reply(options), warnings: [] }
    },
    async doStream(options) {
      return { stream: ReadableStream.from(parts(reply(options))) }
    },
  }
}

function reply(options: LanguageModelV4CallOptions): Reply {
  options.abortSignal?.throwIfAborted()
  const transcript = readTranscript(options)
  const move = decide(transcript)
  const content = contentOf(move, transcript.callCount)
  const finish = move.kind === 'call' ? 'tool-calls' : 'stop'
  return { content, finishReason: { unified: finish, raw: finish }, usage: usageOf(options, content) }
}

/** Ids count the calls of the conversation, so the same transcript always gets the same ones. */
const contentOf = (move: Move, callCount: number): LanguageModelV4Content[] =>
  move.kind === 'say'
    ? [{ type: 'text', text: move.text }]
    : move.calls.map(({ tool, input }, i) => ({ type: 'tool-call', toolCallId: `offline_${callCount + i + 1}`, toolName: tool, input: JSON.stringify(input) }))

/** Four bytes for a token: nothing is counted more exactly here, and nothing is charged. */
function usageOf({ prompt, tools }: LanguageModelV4CallOptions, content: readonly LanguageModelV4Content[]): LanguageModelV4Usage {
  const tokens = (value: unknown) => Math.ceil(Buffer.byteLength(JSON.stringify(value ?? '')) / 4)
  const input = tokens(prompt) + tokens(tools)
  const output = tokens(content)
  return {
    inputTokens: { total: input, noCache: input, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: output, text: output, reasoning: undefined },
  }
}

function* parts({ content, finishReason, usage }: Reply): Generator<LanguageModelV4StreamPart> {
  yield { type: 'stream-start', warnings: [] }
  for (const [index, part] of content.entries()) {
    if (part.type === 'text') {
      const id = String(index)
      yield { type: 'text-start', id }
      for (const delta of pieces(part.text)) yield { type: 'text-delta', id, delta }
      yield { type: 'text-end', id }
    } else if (part.type === 'tool-call') {
      yield { type: 'tool-input-start', id: part.toolCallId, toolName: part.toolName }
      yield { type: 'tool-input-delta', id: part.toolCallId, delta: part.input }
      yield { type: 'tool-input-end', id: part.toolCallId }
      yield part
    }
  }
  yield { type: 'finish', finishReason, usage }
}

/** By whole characters, so that none is cut in two. */
function* pieces(text: string): Generator<string> {
  const characters = [...text]
  for (let at = 0; at < characters.length; at += deltaLength) yield characters.slice(at, at + deltaLength).join('')
}
