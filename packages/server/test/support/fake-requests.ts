/** What real providers refuse in a request, so that a fake does not forgive what they would not. */
import type { Dialect } from './fake-dialects.ts'

type Fields = Record<string, unknown>

/** Why the provider would answer 400, or undefined. */
export function whyRefused(dialect: Dialect, body: unknown): string | undefined {
  const fields = asFields(body)
  return checks[dialect](fields)
}

const asFields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {})
const list = (value: unknown): Fields[] => (Array.isArray(value) ? value.map(asFields) : [])

const checks: Record<Dialect, (body: Fields) => string | undefined> = {
  openai(body) {
    if (typeof body['model'] !== 'string') return 'model is required'
    if (typeof body['input'] === 'string') return undefined
    const items = list(body['input'])
    if (items.length === 0) return 'input is required'
    const calls = items.filter((item) => item['type'] === 'function_call').map((item) => String(item['call_id']))
    const outputs = items.filter((item) => item['type'] === 'function_call_output').map((item) => String(item['call_id']))
    if (list(body['tools']).some((tool) => asFields(tool['parameters'])['type'] !== 'object')) return 'tools: parameters must be of type object'
    return unpaired(calls, outputs)
  },

  anthropic(body) {
    if (!Number.isInteger(body['max_tokens'])) return 'max_tokens: Field required'
    const messages = list(body['messages'])
    if (messages[0]?.['role'] !== 'user') return 'messages: first message must use the "user" role'
    let open: string[] = []
    for (const [i, message] of messages.entries()) {
      const blocks = list(message['content'])
      if (typeof message['content'] !== 'string' && blocks.length === 0) return `messages.${i}: content must not be empty`
      if (i > 0 && message['role'] === messages[i - 1]?.['role']) return `messages.${i}: roles must alternate`
      if (blocks.some((block) => block['type'] === 'text' && !/\S/.test(String(block['text']))))
        return 'messages: text content blocks must contain non-whitespace text'
      const results = blocks.filter((block) => block['type'] === 'tool_result').map((block) => String(block['tool_use_id']))
      if (open.toSorted().join() !== results.toSorted().join()) return `messages.${i}: tool_use ids were found without tool_result blocks immediately after`
      open = blocks.filter((block) => block['type'] === 'tool_use').map((block) => String(block['id']))
      if (open.some((id) => !/^[a-zA-Z0-9_-]+$/.test(id))) return `messages.${i}: tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'`
    }
    return open.length > 0 ? 'messages: the last tool_use has no tool_result' : undefined
  },

  google(body) {
    const contents = list(body['contents'])
    if (contents.length === 0) return 'contents is not specified'
    for (const [i, content] of contents.entries()) {
      const parts = list(content['parts'])
      if (parts.length === 0) return `contents[${i}].parts must not be empty`
      const calls = parts.filter((part) => part['functionCall']).length
      const answers = list(contents[i + 1]?.['parts']).filter((part) => part['functionResponse']).length
      if (calls !== answers) return 'the number of function response parts is not equal to the number of function call parts'
    }
    return undefined
  },

  compatible(body) {
    const messages = list(body['messages'])
    if (messages.length === 0) return 'messages is required'
    const calls = messages.flatMap((message) => list(message['tool_calls']).map((call) => String(call['id'])))
    const outputs = messages.filter((message) => message['role'] === 'tool').map((message) => String(message['tool_call_id']))
    return unpaired(calls, outputs)
  },
}

function unpaired(calls: string[], outputs: string[]): string | undefined {
  if (calls.toSorted().join() === outputs.toSorted().join()) return undefined
  return `tool calls ${calls.join(', ') || '(none)'} do not match tool outputs ${outputs.join(', ') || '(none)'}`
}
