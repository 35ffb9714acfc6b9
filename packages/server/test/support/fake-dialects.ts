/**
 * The four wire protocols that the fake provider speaks, written from the vendors' API references: what a request of each looks like
 * (refused like the real one refuses it) and what a streamed answer looks like, event by event.
 */
import type { Json } from '@longhaul/protocol'

export const dialects = ['openai', 'anthropic', 'google', 'compatible'] as const
export type Dialect = (typeof dialects)[number]

export type FakeToolCall = { id: string; name: string; input: Json } | { id: string; name: string; rawInput: string }

export type FakeAnswer = {
  /** Each piece is sent as a delta of its own. */
  text?: readonly string[]
  reasoning?: string
  toolCalls?: readonly FakeToolCall[]
  finish?: 'stop' | 'tool-calls' | 'length' | 'content-filter'
  /** `input` and `output` as we count them: with what was cached, with reasoning. `missing` leaves all of it out. */
  usage?: { input: number; cachedInput?: number; output: number; reasoning?: number } | 'missing'
}

/** One event of the stream, as the bytes that go out. */
export type Event = string

const data = (value: unknown): Event => `data: ${JSON.stringify(value)}\n\n`
const named = (value: { type: string }): Event => `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`
export const argumentsOf = (call: FakeToolCall) => ('rawInput' in call ? call.rawInput : JSON.stringify(call.input))
/** Arguments come in pieces, cut where it hurts. */
const pieces = (text: string) => (text.length > 2 ? [text.slice(0, Math.floor(text.length / 2)), text.slice(Math.floor(text.length / 2))] : [text])
export const reasonOf = (answer: FakeAnswer) => answer.finish ?? (answer.toolCalls?.length ? 'tool-calls' : 'stop')
export const usageOf = (answer: FakeAnswer) =>
  answer.usage === 'missing' ? undefined : { cachedInput: 0, reasoning: 0, ...(answer.usage ?? { input: 10, output: 5 }) }

export function dialectOf(method: string, path: string): Dialect | undefined {
  if (method !== 'POST') return undefined
  if (path === '/v1/responses') return 'openai'
  if (path === '/v1/messages' || path === '/v1/messages/count_tokens') return 'anthropic'
  if (/^\/v1(beta\/openai)?\/(chat\/completions|embeddings)$/.test(path)) return 'compatible'
  return /^\/v1beta\/models\/[^/]+:streamGenerateContent\?alt=sse$/.test(path) ? 'google' : undefined
}

/** The key that came with the request, from the header of the dialect. */
export function keyOf(dialect: Dialect, headers: Record<string, string | string[] | undefined>): string | undefined {
  const header = { openai: 'authorization', compatible: 'authorization', anthropic: 'x-api-key', google: 'x-goog-api-key' }[dialect]
  return String(headers[header] ?? '').replace(/^Bearer /, '') || undefined
}

export const answerEvents: Record<Dialect, (answer: FakeAnswer, model: string) => Event[]> = {
  openai(answer, model) {
    const usage = usageOf(answer)
    const response = { id: 'resp_1', object: 'response', created_at: 1_780_000_000, model, output: [], service_tier: 'default' }
    const events: { type: string; [field: string]: unknown }[] = [
      { type: 'response.created', response: { ...response, status: 'in_progress' } },
      { type: 'response.in_progress', response: { ...response, status: 'in_progress' } },
    ]
    let at = 0
    if (answer.reasoning !== undefined) {
      const item = { type: 'reasoning', id: `rs_${at}`, encrypted_content: `sealed:${answer.reasoning}`, summary: [] }
      events.push({ type: 'response.output_item.added', output_index: at, item: { ...item, encrypted_content: null } })
      events.push({ type: 'response.output_item.done', output_index: at++, item })
    }
    if (answer.text) {
      const item = { type: 'message', id: `msg_${at}`, role: 'assistant', status: 'in_progress', content: [] as unknown[] }
      const place = { item_id: item.id, output_index: at, content_index: 0 }
      const part = (text: string) => ({ type: 'output_text', text, annotations: [] })
      events.push({ type: 'response.output_item.added', output_index: at, item })
      events.push({ type: 'response.content_part.added', ...place, part: part('') })
      for (const delta of answer.text) events.push({ type: 'response.output_text.delta', ...place, delta })
      events.push({ type: 'response.output_text.done', ...place, text: answer.text.join('') })
      events.push({ type: 'response.content_part.done', ...place, part: part(answer.text.join('')) })
      events.push({ type: 'response.output_item.done', output_index: at++, item: { ...item, status: 'completed', content: [part(answer.text.join(''))] } })
    }
    for (const call of answer.toolCalls ?? []) {
      const item = { type: 'function_call', id: `fc_${at}`, call_id: call.id, name: call.name, arguments: '', status: 'in_progress' }
      const place = { item_id: item.id, output_index: at }
      events.push({ type: 'response.output_item.added', output_index: at, item })
      for (const delta of pieces(argumentsOf(call))) events.push({ type: 'response.function_call_arguments.delta', ...place, delta })
      events.push({ type: 'response.function_call_arguments.done', ...place, arguments: argumentsOf(call) })
      events.push({ type: 'response.output_item.done', output_index: at++, item: { ...item, arguments: argumentsOf(call), status: 'completed' } })
    }
    const incomplete = { length: 'max_output_tokens', 'content-filter': 'content_filter' }[reasonOf(answer) as 'length']
    events.push({
      type: incomplete ? 'response.incomplete' : 'response.completed',
      response: {
        ...response,
        status: incomplete ? 'incomplete' : 'completed',
        incomplete_details: incomplete ? { reason: incomplete } : null,
        usage: usage && {
          input_tokens: usage.input,
          input_tokens_details: { cached_tokens: usage.cachedInput },
          output_tokens: usage.output,
          output_tokens_details: { reasoning_tokens: usage.reasoning },
          total_tokens: usage.input + usage.output,
        },
      },
    })
    return events.map((event, sequence) => named({ ...event, sequence_number: sequence } as { type: string }))
  },

  anthropic(answer, model) {
    const usage = usageOf(answer)
    const input = usage && { input_tokens: usage.input - usage.cachedInput, cache_read_input_tokens: usage.cachedInput, cache_creation_input_tokens: 0 }
    const events: { type: string; [field: string]: unknown }[] = [
      {
        type: 'message_start',
        message: {
          id: 'msg_1',
          type: 'message',
          role: 'assistant',
          model,
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { ...input, output_tokens: usage ? 1 : undefined },
        },
      },
      { type: 'ping' },
    ]
    let index = 0
    const block = (start: unknown, deltas: unknown[]) => {
      events.push({ type: 'content_block_start', index, content_block: start })
      for (const delta of deltas) events.push({ type: 'content_block_delta', index, delta })
      events.push({ type: 'content_block_stop', index: index++ })
    }
    if (answer.reasoning !== undefined) {
      block({ type: 'thinking', thinking: '', signature: '' }, [
        { type: 'thinking_delta', thinking: answer.reasoning },
        { type: 'signature_delta', signature: `signed:${answer.reasoning}` },
      ])
    }
    if (answer.text)
      block(
        { type: 'text', text: '' },
        answer.text.map((text) => ({ type: 'text_delta', text })),
      )
    for (const call of answer.toolCalls ?? []) {
      block(
        { type: 'tool_use', id: call.id, name: call.name, input: {} },
        pieces(argumentsOf(call)).map((partial_json) => ({ type: 'input_json_delta', partial_json })),
      )
    }
    const stop_reason = { stop: 'end_turn', 'tool-calls': 'tool_use', length: 'max_tokens', 'content-filter': 'refusal' }[reasonOf(answer)]
    events.push({ type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: usage ? { output_tokens: usage.output } : {} })
    events.push({ type: 'message_stop' })
    return events.map(named)
  },

  google(answer, model) {
    const usage = usageOf(answer)
    const chunk = (parts: unknown[], more: object = {}) =>
      data({ candidates: [{ index: 0, content: { role: 'model', parts }, ...more }], modelVersion: model, responseId: 'r1' })
    const finishReason = { stop: 'STOP', 'tool-calls': 'STOP', length: 'MAX_TOKENS', 'content-filter': 'SAFETY' }[reasonOf(answer)]
    const signature = answer.reasoning === undefined ? {} : { thoughtSignature: `signed:${answer.reasoning}` }
    const calls = (answer.toolCalls ?? []).map((call, i) => ({
      functionCall: { id: call.id, name: call.name, args: 'rawInput' in call ? call.rawInput : call.input },
      ...(i === 0 ? signature : {}),
    }))
    const last = { candidates: [{ index: 0, content: { role: 'model', parts: [{ text: '' }] }, finishReason }], modelVersion: model, responseId: 'r1' }
    return [
      ...(answer.text ?? []).map((text) => chunk([{ text }])),
      ...(calls.length > 0 ? [chunk(calls)] : []),
      data({
        ...last,
        ...(usage && {
          usageMetadata: {
            promptTokenCount: usage.input,
            cachedContentTokenCount: usage.cachedInput,
            candidatesTokenCount: usage.output - usage.reasoning,
            thoughtsTokenCount: usage.reasoning,
            totalTokenCount: usage.input + usage.output,
          },
        }),
      }),
    ]
  },

  compatible(answer, model) {
    const usage = usageOf(answer)
    const chunk = (delta: object, finish_reason: string | null = null) =>
      data({ id: 'c1', object: 'chat.completion.chunk', created: 1_780_000_000, model, choices: [{ index: 0, delta, finish_reason }] })
    const finish_reason = { stop: 'stop', 'tool-calls': 'tool_calls', length: 'length', 'content-filter': 'content_filter' }[reasonOf(answer)]
    return [
      chunk({ role: 'assistant', content: '' }),
      ...(answer.reasoning === undefined ? [] : [chunk({ reasoning_content: answer.reasoning })]),
      ...(answer.text ?? []).map((content) => chunk({ content })),
      ...(answer.toolCalls ?? []).flatMap((call, index) => [
        chunk({ tool_calls: [{ index, id: call.id, type: 'function', function: { name: call.name, arguments: '' } }] }),
        ...pieces(argumentsOf(call)).map((text) => chunk({ tool_calls: [{ index, function: { arguments: text } }] })),
      ]),
      chunk({}, finish_reason),
      ...(usage
        ? [
            data({
              id: 'c1',
              object: 'chat.completion.chunk',
              created: 1_780_000_000,
              model,
              choices: [], // The usage comes in a chunk without choices.
              usage: {
                prompt_tokens: usage.input,
                completion_tokens: usage.output,
                total_tokens: usage.input + usage.output,
                prompt_tokens_details: { cached_tokens: usage.cachedInput },
                completion_tokens_details: { reasoning_tokens: usage.reasoning },
              },
            }),
          ]
        : []),
      'data: [DONE]\n\n',
    ]
  },
}

/** An error inside a stream that began well. */
export function errorEvent(dialect: Dialect, { message, type }: { message: string; type: string }): Event {
  switch (dialect) {
    case 'openai':
      return named({ type: 'error', code: type, message, param: null, sequence_number: 99 } as { type: string })
    case 'anthropic':
      return named({ type: 'error', error: { type, message } } as { type: string })
    case 'google':
      return data({ error: { code: 503, status: type, message } })
    case 'compatible':
      return data({ error: { message, type, code: null } })
  }
}

/** The body of an error response. `type` is the provider's own word for it. */
export function errorBody(dialect: Dialect, status: number, { message, type }: { message: string; type: string }): unknown {
  switch (dialect) {
    case 'openai':
    case 'compatible':
      return { error: { message, type, param: null, code: type } }
    case 'anthropic':
      return { type: 'error', error: { type, message } }
    case 'google':
      return {
        error: {
          code: status,
          message,
          status: type,
          details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: type, domain: 'googleapis.com' }],
        },
      }
  }
}
