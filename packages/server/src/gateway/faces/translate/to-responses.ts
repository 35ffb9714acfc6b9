/** An answer in OpenAI's responses. Events are numbered, and the last one says how it ended; there is no `[DONE]`. */
import type { FaceCall } from '../face-call.ts'
import { type TokenBuckets, inputOf, outputOf } from '../../money/index.ts'
import type { Block } from './blocks.ts'
import type { Finish, Naming, Writer } from './writer.ts'

export function toResponses({ body: { fields } }: Pick<FaceCall, 'body'>, { id, model, createdAtSeconds }: Naming): Writer {
  const common = {
    id: `resp_${id}`,
    object: 'response',
    created_at: createdAtSeconds,
    model,
    error: null,
    instructions: fields['instructions'] ?? null,
    metadata: fields['metadata'] ?? {},
    parallel_tool_calls: fields['parallel_tool_calls'] ?? true,
    temperature: fields['temperature'] ?? null,
    top_p: fields['top_p'] ?? null,
    tool_choice: fields['tool_choice'] ?? 'auto',
    tools: fields['tools'] ?? [],
    text: fields['text'] ?? { format: { type: 'text' } },
    store: false,
  }
  const started = { ...common, status: 'in_progress', incomplete_details: null, output: [], usage: null }
  const done: Block[] = []
  let count = 0
  const named = (event: { type: string; [field: string]: unknown }): string =>
    `event: ${event.type}\ndata: ${JSON.stringify({ ...event, sequence_number: count++ })}\n\n`
  const finished = (blocks: readonly Block[], { reason, tokens }: Finish) => ({
    ...common,
    status: reason === 'length' || reason === 'content-filter' ? 'incomplete' : 'completed',
    incomplete_details: reason === 'length' ? { reason: 'max_output_tokens' } : reason === 'content-filter' ? { reason: 'content_filter' } : null,
    output: blocks.map((block) => itemOf(block, id)),
    usage: tokens ? usageOf(tokens) : null,
  })

  return {
    count: () => count,
    begin: () => named({ type: 'response.created', response: started }) + named({ type: 'response.in_progress', response: started }),
    write(event) {
      if (event.type === 'finish') {
        const response = finished(
          done.toSorted((a, b) => a.index - b.index),
          event,
        )
        return named({ type: `response.${response.status}`, response })
      }
      const { block } = event
      const place = { item_id: itemId(block, id), output_index: block.index }
      switch (event.type) {
        case 'open':
          return named({ type: 'response.output_item.added', output_index: block.index, item: openItem(block, id) }) + opened(block, place, named)
        case 'grow':
          return grown(block, event.delta, place, named)
        case 'close':
          done.push(block)
          return closed(block, place, named) + named({ type: 'response.output_item.done', output_index: block.index, item: itemOf(block, id) })
      }
    },
    whole: finished,
  }
}

type Named = (event: { type: string; [field: string]: unknown }) => string
type Place = { item_id: string; output_index: number }

function opened({ kind }: Block, place: Place, named: Named): string {
  if (kind === 'text') return named({ type: 'response.content_part.added', ...place, content_index: 0, part: textPart('') })
  return kind === 'reasoning'
    ? named({ type: 'response.reasoning_summary_part.added', ...place, summary_index: 0, part: { type: 'summary_text', text: '' } })
    : ''
}

function grown({ kind }: Block, delta: string, place: Place, named: Named): string {
  if (kind === 'text') return named({ type: 'response.output_text.delta', ...place, content_index: 0, delta, logprobs: [] })
  if (kind === 'reasoning') return named({ type: 'response.reasoning_summary_text.delta', ...place, summary_index: 0, delta })
  return named({ type: 'response.function_call_arguments.delta', ...place, delta })
}

function closed(block: Block, place: Place, named: Named): string {
  const { kind, text } = block
  if (kind === 'text') {
    return (
      named({ type: 'response.output_text.done', ...place, content_index: 0, text, logprobs: [] }) +
      named({ type: 'response.content_part.done', ...place, content_index: 0, part: textPart(text) })
    )
  }
  if (kind === 'reasoning') {
    return (
      named({ type: 'response.reasoning_summary_text.done', ...place, summary_index: 0, text }) +
      named({ type: 'response.reasoning_summary_part.done', ...place, summary_index: 0, part: { type: 'summary_text', text } })
    )
  }
  return named({ type: 'response.function_call_arguments.done', ...place, name: block.name, arguments: text })
}

const textPart = (text: string) => ({ type: 'output_text', text, annotations: [], logprobs: [] })

const prefixes = { text: 'msg', reasoning: 'rs', call: 'fc' } as const
const itemId = ({ kind, index }: Block, id: string): string => `${prefixes[kind]}_${id}_${index}`

function openItem(block: Block, id: string): object {
  if (block.kind === 'text') return { type: 'message', id: itemId(block, id), role: 'assistant', status: 'in_progress', content: [] }
  if (block.kind === 'reasoning') return { type: 'reasoning', id: itemId(block, id), summary: [] }
  return { type: 'function_call', id: itemId(block, id), call_id: block.id, name: block.name, arguments: '', status: 'in_progress' }
}

function itemOf(block: Block, id: string): object {
  const { text } = block
  if (block.kind === 'text') return { type: 'message', id: itemId(block, id), role: 'assistant', status: 'completed', content: [textPart(text)] }
  if (block.kind === 'call') return { type: 'function_call', id: itemId(block, id), call_id: block.id, name: block.name, arguments: text, status: 'completed' }
  return {
    type: 'reasoning',
    id: itemId(block, id),
    summary: text === '' ? [] : [{ type: 'summary_text', text }],
    ...(block.seal === undefined ? {} : { encrypted_content: block.seal }),
  }
}

const usageOf = (tokens: TokenBuckets) => ({
  input_tokens: inputOf(tokens),
  input_tokens_details: { cached_tokens: tokens.cacheRead },
  output_tokens: outputOf(tokens),
  output_tokens_details: { reasoning_tokens: tokens.reasoning },
  total_tokens: inputOf(tokens) + outputOf(tokens),
})
