/** Collects the stream of one model call into a reply. The one place where streamed parts are understood. */
import type { LanguageModelV4StreamPart, LanguageModelV4ToolCall, SharedV4ProviderMetadata } from '@ai-sdk/provider'
import { type Json, type ModelReply, storableText, whyNotJson } from '@longhaul/protocol'
import { StepFailure } from '../kernel/index.ts'
import type { ProviderData } from './prompt.ts'
import { isBrokenOff } from './finish.ts'
import { toUsage } from './usage.ts'

type Finish = Extract<LanguageModelV4StreamPart, { type: 'finish' }>
type Metadata = SharedV4ProviderMetadata | undefined
type TextPiece = { type: 'text' | 'reasoning'; id: string; text: string; metadata: Metadata }
type Piece = TextPiece | { type: 'tool-call'; call: LanguageModelV4ToolCall; metadata: Metadata }
type Content = ModelReply['content'][number]

export type ReplyCollector = {
  /** Takes everything but errors, which are the caller's. */
  add(part: LanguageModelV4StreamPart): void
  /** The whole reply. Throws a `StepFailure` when what came is not one. */
  finish(at: Date): ModelReply
}

export function collectReply(model: string, onText: (delta: string) => void, onFinish: (finish: Finish) => void = () => {}): ReplyCollector {
  const pieces: Piece[] = []
  const open = new Map<string, TextPiece>()
  const emit = wholeCharacters(onText)
  let finish: Finish | undefined

  function pieceOf(type: TextPiece['type'], id: string): TextPiece {
    const known = open.get(`${type} ${id}`)
    if (known) return known
    const piece: TextPiece = { type, id, text: '', metadata: undefined }
    pieces.push(piece)
    open.set(`${type} ${id}`, piece)
    return piece
  }

  return {
    add(part) {
      switch (part.type) {
        case 'text-start':
        case 'text-delta':
        case 'text-end':
        case 'reasoning-start':
        case 'reasoning-delta':
        case 'reasoning-end': {
          const type = part.type.startsWith('text') ? 'text' : 'reasoning'
          const piece = pieceOf(type, part.id)
          piece.metadata = merge(piece.metadata, part.providerMetadata)
          if ('delta' in part) {
            piece.text += part.delta
            if (type === 'text') emit(part.delta)
          }
          if (part.type.endsWith('-end')) open.delete(`${type} ${part.id}`) // The same id may begin anew further on.
          return
        }
        case 'tool-call':
          pieces.push({ type: 'tool-call', call: part, metadata: part.providerMetadata })
          return
        case 'finish':
          finish = part
          onFinish(part)
      }
    },
    finish(at) {
      if (!finish || isBrokenOff(finish.finishReason)) {
        throw new StepFailure({ message: `${model} broke off in the middle of its answer.`, code: 'interrupted', retryable: true })
      }
      if (finish.finishReason.unified === 'error')
        throw new StepFailure({ message: `${model} reported a failure in the middle of its answer.`, code: 'provider_error', retryable: true })
      const { content, providerData } = toContent(model, pieces, finish.finishReason.unified === 'length')
      const finishReason = reasonOf(finish, content)
      if (content.length === 0 && finishReason !== 'length' && finishReason !== 'content-filter') {
        throw new StepFailure({ message: `${model} gave an empty answer.`, code: 'empty_reply', retryable: true })
      }
      return { model, content, finishReason, usage: toUsage(model, finish.usage, at), ...(providerData ? { providerData } : {}) }
    },
  }
}

function reasonOf(finish: Finish, content: Content[]): ModelReply['finishReason'] {
  const { unified } = finish.finishReason
  if (unified === 'length' || unified === 'content-filter') return unified
  if (content.some((part) => part.type === 'tool-call')) return 'tool-calls' // Some servers say `stop` all the same.
  return unified === 'stop' || unified === 'tool-calls' ? 'stop' : 'other'
}

function toContent(model: string, pieces: Piece[], isCut: boolean): { content: Content[]; providerData: Json | undefined } {
  const content: Content[] = []
  const parts: ProviderData['parts'] = []
  for (const piece of pieces) {
    const options = piece.metadata && Object.keys(piece.metadata).length > 0 ? { options: piece.metadata as ProviderData['parts'][number]['options'] } : {}
    if (piece.type === 'reasoning') parts.push({ reasoning: storableText(piece.text), ...options })
    else if (piece.type === 'tool-call') {
      parts.push({ content: content.length, ...options })
      content.push(toToolCall(model, piece.call, isCut))
    } else if (piece.text !== '') {
      parts.push({ content: content.length, ...options })
      content.push({ type: 'text', text: storableText(piece.text) })
    }
  }
  const isPlain = parts.every((part) => 'content' in part && !part.options)
  // Through text, because a provider's notes may hold `undefined`, which the journal would not give back.
  return { content, providerData: isPlain ? undefined : (JSON.parse(JSON.stringify({ model, parts } satisfies ProviderData)) as Json) }
}

function toToolCall(model: string, call: LanguageModelV4ToolCall, isCut: boolean): Content {
  const fail = (why: string) => {
    if (isCut) {
      const message = `${model} reached the limit of its output in the middle of a call of the tool "${shown(call.toolName)}". Raise outputTokensMax.`
      return new StepFailure({ message, code: 'cut_off', retryable: false })
    }
    return new StepFailure({ message: `${model} called the tool "${shown(call.toolName)}" with ${why}.`, code: 'bad_reply', retryable: true })
  }
  // A name that providers refuse in a history would end the run at the next turn. One that is only unknown is the agent's to answer.
  if (!/^[a-zA-Z0-9_-]{1,64}$/.test(call.toolName)) throw fail('a name that is not one')
  const input = parseInput(call.input)
  if (input === undefined) throw fail('arguments that are not JSON')
  const why = whyNotJson(input)
  if (why) throw fail(`arguments that cannot be stored: ${why.slice(0, 200)}`)
  return { type: 'tool-call', toolCallId: call.toolCallId, toolName: call.toolName, input }
}

/** A tool without arguments is called with nothing, `null` or `{}`, depending on the model. */
function parseInput(text: string): Json | undefined {
  if (text.trim() === '') return {}
  try {
    const value = JSON.parse(text, (_, inner: unknown) => (typeof inner === 'string' ? storableText(inner) : inner)) as Json
    return value === null ? {} : value
  } catch {
    return undefined // Not JSON, or nested too deep for the parser: the caller says so.
  }
}

const shown = (name: string) => storableText(name.slice(0, 64))

function merge(known: Metadata, more: Metadata): Metadata {
  if (!known || !more) return known ?? more
  const merged = { ...known }
  for (const [provider, notes] of Object.entries(more)) merged[provider] = { ...merged[provider], ...notes }
  return merged
}

/** Passes text on without ever splitting a character between two calls: half a surrogate pair waits for the other half. */
function wholeCharacters(emit: (delta: string) => void): (delta: string) => void {
  let held = ''
  return (delta) => {
    const text = held + delta
    const isSplit = /[\ud800-\udbff]$/.test(text)
    held = isSplit ? text.slice(-1) : ''
    const whole = isSplit ? text.slice(0, -1) : text
    if (whole !== '') emit(whole)
  }
}
