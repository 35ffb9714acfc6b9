/** An answer in OpenAI's chat completions. */
import type { FaceCall } from '../face-call.ts'
import { type TokenBuckets, inputOf, outputOf } from '../../money/index.ts'
import type { Block, Reason } from './blocks.ts'
import type { Naming, Writer } from './writer.ts'

const reasons: Record<Reason, string> = { stop: 'stop', length: 'length', 'content-filter': 'content_filter', 'tool-calls': 'tool_calls' }

export function toChat({ wantsUsage }: Pick<FaceCall, 'wantsUsage'>, { id, model, createdAtSeconds }: Naming): Writer {
  const common = { id: `chatcmpl-${id}`, created: createdAtSeconds, model }
  /** Calls are counted apart from other blocks. */
  const callIndex = new Map<Block, number>()
  let count = 0

  const chunk = (choices: object[], usage?: object): string => {
    count++
    return `data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', choices, ...(wantsUsage ? { usage: usage ?? null } : {}) })}\n\n`
  }
  const delta = (fields: object, reason: string | null = null): string => chunk([{ index: 0, delta: fields, logprobs: null, finish_reason: reason }])

  return {
    count: () => count,
    begin: () => delta({ role: 'assistant', content: '' }),
    write(event) {
      switch (event.type) {
        case 'open': {
          const { block } = event
          if (block.kind !== 'call') return ''
          callIndex.set(block, callIndex.size)
          return delta({ tool_calls: [{ index: callIndex.get(block), id: block.id, type: 'function', function: { name: block.name, arguments: '' } }] })
        }
        case 'grow':
          if (event.block.kind === 'text') return delta({ content: event.delta })
          if (event.block.kind === 'reasoning') return delta({ reasoning_content: event.delta })
          return delta({ tool_calls: [{ index: callIndex.get(event.block), function: { arguments: event.delta } }] })
        case 'close':
          return ''
        case 'finish':
          return delta({}, reasons[event.reason]) + (wantsUsage && event.tokens ? chunk([], usageOf(event.tokens)) : '') + 'data: [DONE]\n\n'
      }
    },
    whole(blocks, { reason, tokens }) {
      const text = (kind: 'text' | 'reasoning') => blocks.flatMap((block) => (block.kind === kind ? [block.text] : [])).join('')
      const calls = blocks.flatMap((block) =>
        block.kind === 'call' ? [{ id: block.id, type: 'function', function: { name: block.name, arguments: block.text } }] : [],
      )
      const message = {
        role: 'assistant',
        content: blocks.some(({ kind }) => kind === 'text') || calls.length === 0 ? text('text') : null,
        refusal: null,
        ...(text('reasoning') === '' ? {} : { reasoning_content: text('reasoning') }),
        ...(calls.length > 0 ? { tool_calls: calls } : {}),
      }
      const choices = [{ index: 0, message, logprobs: null, finish_reason: reasons[reason] }]
      return { ...common, object: 'chat.completion', choices, ...(tokens ? { usage: usageOf(tokens) } : {}) }
    },
  }
}

/** OpenAI's totals include everything. */
const usageOf = (tokens: TokenBuckets) => ({
  prompt_tokens: inputOf(tokens),
  completion_tokens: outputOf(tokens),
  total_tokens: inputOf(tokens) + outputOf(tokens),
  prompt_tokens_details: { cached_tokens: tokens.cacheRead, audio_tokens: tokens.inputAudio },
  completion_tokens_details: { reasoning_tokens: tokens.reasoning, audio_tokens: tokens.outputAudio },
})
