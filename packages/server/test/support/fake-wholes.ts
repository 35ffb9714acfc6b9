/** Answers that are not streamed, in the three languages that have such, as the vendors' API references show them. */
import { type Dialect, type FakeAnswer, argumentsOf, reasonOf, usageOf } from './fake-dialects.ts'

export function wholeAnswer(dialect: Exclude<Dialect, 'google'>, answer: FakeAnswer, model: string): unknown {
  return wholes[dialect](answer, model)
}

const wholes: Record<Exclude<Dialect, 'google'>, (answer: FakeAnswer, model: string) => unknown> = {
  compatible(answer, model) {
    const usage = usageOf(answer)
    const calls = (answer.toolCalls ?? []).map((call) => ({ id: call.id, type: 'function', function: { name: call.name, arguments: argumentsOf(call) } }))
    return {
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1_780_000_000,
      model,
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: answer.text?.join('') ?? null,
            refusal: null,
            ...(answer.reasoning === undefined ? {} : { reasoning_content: answer.reasoning }),
            ...(calls.length > 0 ? { tool_calls: calls } : {}),
          },
          logprobs: null,
          finish_reason: { stop: 'stop', 'tool-calls': 'tool_calls', length: 'length', 'content-filter': 'content_filter' }[reasonOf(answer)],
        },
      ],
      ...(usage && {
        usage: {
          prompt_tokens: usage.input,
          completion_tokens: usage.output,
          total_tokens: usage.input + usage.output,
          prompt_tokens_details: { cached_tokens: usage.cachedInput },
          completion_tokens_details: { reasoning_tokens: usage.reasoning },
        },
      }),
    }
  },

  openai(answer, model) {
    const usage = usageOf(answer)
    const calls = (answer.toolCalls ?? []).map((call) => ({
      type: 'function_call',
      id: `fc_${call.id}`,
      call_id: call.id,
      name: call.name,
      arguments: argumentsOf(call),
      status: 'completed',
    }))
    const text = answer.text && {
      type: 'message',
      id: 'msg_1',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text: answer.text.join(''), annotations: [] }],
    }
    const cut = { length: 'max_output_tokens', 'content-filter': 'content_filter' }[reasonOf(answer) as 'length']
    return {
      id: 'resp_1',
      object: 'response',
      created_at: 1_780_000_000,
      model,
      status: cut ? 'incomplete' : 'completed',
      error: null,
      incomplete_details: cut ? { reason: cut } : null,
      output: [
        ...(answer.reasoning === undefined ? [] : [{ type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: `sealed:${answer.reasoning}` }]),
        ...(text ? [text] : []),
        ...calls,
      ],
      usage: usage && {
        input_tokens: usage.input,
        input_tokens_details: { cached_tokens: usage.cachedInput },
        output_tokens: usage.output,
        output_tokens_details: { reasoning_tokens: usage.reasoning },
        total_tokens: usage.input + usage.output,
      },
    }
  },

  anthropic(answer, model) {
    const usage = usageOf(answer)
    return {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model,
      content: [
        ...(answer.reasoning === undefined ? [] : [{ type: 'thinking', thinking: answer.reasoning, signature: `signed:${answer.reasoning}` }]),
        ...(answer.text ? [{ type: 'text', text: answer.text.join('') }] : []),
        ...(answer.toolCalls ?? []).map((call) => ({ type: 'tool_use', id: call.id, name: call.name, input: 'input' in call ? call.input : {} })),
      ],
      stop_reason: { stop: 'end_turn', 'tool-calls': 'tool_use', length: 'max_tokens', 'content-filter': 'refusal' }[reasonOf(answer)],
      stop_sequence: null,
      usage: usage
        ? {
            input_tokens: usage.input - usage.cachedInput,
            cache_read_input_tokens: usage.cachedInput,
            cache_creation_input_tokens: 0,
            output_tokens: usage.output,
          }
        : {},
    }
  },
}
