/** A model's streamed parts as blocks that open, grow and close: what every face's language is written from. */
import type { LanguageModelV4StreamPart, SharedV4ProviderMetadata } from '@ai-sdk/provider'
import { StepFailure } from '../../../kernel/index.ts'
import type { TokenBuckets } from '../../money/index.ts'
import { isBrokenOff } from '../../finish.ts'
import { toBuckets } from '../../usage.ts'
import { isSignatureOfCall, seal } from './seal.ts'
import { wireId } from './wire-id.ts'

export type Block =
  | { kind: 'text'; index: number; text: string }
  /** `seal` is what the same model wants to see again, if anything. */
  | { kind: 'reasoning'; index: number; text: string; seal: string | undefined }
  /** `text` is the input, as JSON. */
  | { kind: 'call'; index: number; text: string; id: string; name: string }

export type Reason = 'stop' | 'length' | 'content-filter' | 'tool-calls'

export type BlockEvent =
  | { type: 'open'; block: Block }
  | { type: 'grow'; block: Block; delta: string }
  | { type: 'close'; block: Block }
  | { type: 'finish'; reason: Reason; tokens: TokenBuckets | undefined }

export type BlockReader = {
  /** Throws a `StepFailure` when the model says that it failed. */
  read(part: LanguageModelV4StreamPart): BlockEvent[]
  blocks: readonly Block[]
  isFinished(): boolean
}

export function readBlocks(model: string): BlockReader {
  const blocks: Block[] = []
  const open = new Map<string, { block: Block; metadata: SharedV4ProviderMetadata | undefined }>()
  let isFinished = false

  const begin = (key: string, block: Block): BlockEvent[] => {
    blocks.push(block)
    open.set(key, { block, metadata: undefined })
    return [{ type: 'open', block }]
  }
  const grow = (key: string, delta: string): BlockEvent[] => {
    const found = open.get(key)
    if (!found || delta === '') return []
    found.block.text += delta
    return [{ type: 'grow', block: found.block, delta }]
  }
  const note = (key: string, metadata: SharedV4ProviderMetadata | undefined): void => {
    const found = open.get(key)
    if (found && metadata) found.metadata = { ...found.metadata, ...metadata }
  }
  const close = (key: string): BlockEvent[] => {
    const found = open.get(key)
    if (!found) return []
    open.delete(key)
    if (found.block.kind === 'reasoning') found.block.seal = seal(model, found.metadata)
    return [{ type: 'close', block: found.block }]
  }
  const call = (id: string, name: string, metadata: SharedV4ProviderMetadata | undefined): BlockEvent[] => {
    const signature: Block | undefined = isSignatureOfCall(metadata)
      ? { kind: 'reasoning', index: blocks.length, text: '', seal: seal(model, metadata, true) }
      : undefined
    if (signature) blocks.push(signature)
    const before: BlockEvent[] = signature
      ? [
          { type: 'open', block: signature },
          { type: 'close', block: signature },
        ]
      : []
    return [...before, ...begin(`call ${id}`, { kind: 'call', index: blocks.length, text: '', id: wireId(id), name })]
  }
  const text = (kind: 'text' | 'reasoning', id: string): BlockEvent[] => {
    if (open.has(`${kind} ${id}`)) return []
    return begin(`${kind} ${id}`, kind === 'text' ? { kind, index: blocks.length, text: '' } : { kind, index: blocks.length, text: '', seal: undefined })
  }

  function read(part: LanguageModelV4StreamPart): BlockEvent[] {
    switch (part.type) {
      case 'reasoning-start':
      case 'reasoning-delta': {
        const events = text('reasoning', part.id)
        note(`reasoning ${part.id}`, part.providerMetadata)
        return part.type === 'reasoning-delta' ? [...events, ...grow(`reasoning ${part.id}`, part.delta)] : events
      }
      case 'reasoning-end':
        note(`reasoning ${part.id}`, part.providerMetadata)
        return close(`reasoning ${part.id}`)
      case 'text-delta': // A block without a word is none, so it opens with the first.
        return part.delta === '' ? [] : [...text('text', part.id), ...grow(`text ${part.id}`, part.delta)]
      case 'text-end':
        return close(`text ${part.id}`)
      case 'tool-input-start':
        return call(part.id, part.toolName, part.providerMetadata)
      case 'tool-input-delta':
        return grow(`call ${part.id}`, part.delta)
      case 'tool-call': {
        const key = `call ${part.toolCallId}`
        const events = open.has(key) ? [] : call(part.toolCallId, part.toolName, part.providerMetadata)
        const isEmpty = open.get(key)?.block.text === ''
        return [...events, ...(isEmpty ? grow(key, part.input.trim() === '' ? '{}' : part.input) : []), ...close(key)]
      }
      case 'finish': {
        const { unified } = part.finishReason
        if (isBrokenOff(part.finishReason))
          throw new StepFailure({ message: `${model} broke off in the middle of its answer.`, code: 'interrupted', retryable: true })
        if (unified === 'error')
          throw new StepFailure({ message: `${model} reported a failure in the middle of its answer.`, code: 'provider_error', retryable: true })
        isFinished = true
        const closing = [...open.keys()].flatMap(close)
        const hasCalls = blocks.some(({ kind }) => kind === 'call')
        const reason = unified === 'length' || unified === 'content-filter' ? unified : hasCalls ? 'tool-calls' : 'stop'
        return [...closing, { type: 'finish', reason, tokens: toBuckets(model.slice(0, model.indexOf('/')), part.usage) }]
      }
      case 'error':
        throw part.error
      default:
        return []
    }
  }
  return { read, blocks, isFinished: () => isFinished }
}
