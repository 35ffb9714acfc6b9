/** An answer in Anthropic's messages. Every event is named: the client drops those that are not. */
import { StepFailure } from '../../../kernel/index.ts'
import { type TokenBuckets, outputOf } from '../../money/index.ts'
import type { Block, Reason } from './blocks.ts'
import type { Naming, Writer } from './writer.ts'

const reasons: Record<Reason, string> = { stop: 'end_turn', length: 'max_tokens', 'content-filter': 'refusal', 'tool-calls': 'tool_use' }

export function toMessages(_: unknown, { id, model }: Naming): Writer {
  const common = { id: `msg_${id}`, type: 'message', role: 'assistant', model }
  let count = 0
  const named = (event: { type: string; [field: string]: unknown }): string => {
    count++
    return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
  }
  return {
    count: () => count,
    begin: () =>
      named({
        type: 'message_start',
        message: { ...common, content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 0, output_tokens: 0 } },
      }),
    write(event) {
      switch (event.type) {
        case 'open':
          return named({ type: 'content_block_start', index: event.block.index, content_block: emptyBlock(event.block) })
        case 'grow':
          return named({ type: 'content_block_delta', index: event.block.index, delta: deltaOf(event.block, event.delta) })
        case 'close': {
          const { block } = event
          const signed =
            block.kind === 'reasoning'
              ? named({ type: 'content_block_delta', index: block.index, delta: { type: 'signature_delta', signature: block.seal ?? '' } })
              : ''
          return signed + named({ type: 'content_block_stop', index: block.index })
        }
        case 'finish':
          return (
            named({ type: 'message_delta', delta: { stop_reason: reasons[event.reason], stop_sequence: null }, usage: usageOf(event.tokens) }) +
            named({ type: 'message_stop' })
          )
      }
    },
    whole: (blocks, { reason, tokens }) => ({
      ...common,
      content: blocks.map((block) => wholeBlock(block, model)),
      stop_reason: reasons[reason],
      stop_sequence: null,
      usage: usageOf(tokens),
    }),
  }
}

function emptyBlock(block: Block): object {
  if (block.kind === 'text') return { type: 'text', text: '' }
  if (block.kind === 'reasoning') return { type: 'thinking', thinking: '', signature: '' }
  return { type: 'tool_use', id: block.id, name: block.name, input: {} }
}

function deltaOf({ kind }: Block, delta: string): object {
  if (kind === 'text') return { type: 'text_delta', text: delta }
  return kind === 'reasoning' ? { type: 'thinking_delta', thinking: delta } : { type: 'input_json_delta', partial_json: delta }
}

function wholeBlock(block: Block, model: string): object {
  if (block.kind === 'text') return { type: 'text', text: block.text }
  if (block.kind === 'reasoning') return { type: 'thinking', thinking: block.text, signature: block.seal ?? '' }
  try {
    return { type: 'tool_use', id: block.id, name: block.name, input: JSON.parse(block.text) as unknown }
  } catch {
    throw new StepFailure({
      message: `${model} called the tool "${block.name.slice(0, 64)}" with arguments that are not JSON.`,
      code: 'bad_reply',
      retryable: true,
    })
  }
}

/** Anthropic's input leaves the cache out. What is not known is 0, as the field must be there. */
const usageOf = (tokens: TokenBuckets | undefined) => ({
  input_tokens: tokens ? tokens.input + tokens.inputAudio + tokens.inputImage : 0,
  cache_read_input_tokens: tokens?.cacheRead ?? 0,
  cache_creation_input_tokens: tokens ? tokens.cacheWrite + tokens.cacheWriteLong : 0,
  output_tokens: tokens ? outputOf(tokens) : 0,
})
