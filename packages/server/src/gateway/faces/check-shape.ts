/** Whether an answer is what was asked for, as far as schemas tell: a small model's that is not goes to the next target of its route. */
import { whyNotShape } from '../shape.ts'
import type { FaceCall } from './face-call.ts'

type Fields = Record<string, unknown>
const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {}) // An object has string keys.
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

/** `why` when it is not. Undefined: nothing was asked for that could be checked. */
export type Verdict = { isFit: boolean; why?: string }

/** Calls of tools by their arguments, anything else by the schema that was asked for. */
export function judgeAnswer({ face, body }: FaceCall, whole: Buffer): Verdict | undefined {
  const schema = schemaOf(body.fields)
  const tools = list(body.fields['tools'])
  if (schema === undefined && tools.length === 0) return undefined
  const answer = fields(JSON.parse(whole.toString('utf8')))
  return judgeSaid({ body }, { text: textOf[face](answer), calls: callsOf(answer) })
}

/** The same of what was said in a stream. `depth`: whether arguments are looked at, too. */
export function judgeSaid(
  { body }: Pick<FaceCall, 'body'>,
  said: { text: string; calls: readonly Call[] },
  depth: 'name' | 'arguments' = 'arguments',
): Verdict | undefined {
  const schema = schemaOf(body.fields)
  if (said.calls.length > 0) return judgeCalls(said.calls, list(body.fields['tools']), depth)
  if (schema === undefined) return undefined
  const why = whyNotShape(said.text, schema)
  return why === undefined ? { isFit: true } : { isFit: false, why }
}

/** Whether a request says of which shape its answer should be. */
export const asksForShape = ({ body: { fields: all } }: Pick<FaceCall, 'body'>): boolean => schemaOf(all) !== undefined || list(all['tools']).length > 0

function judgeCalls(calls: readonly Call[], tools: readonly unknown[], depth: 'name' | 'arguments'): Verdict {
  const offered = new Map(tools.map((tool) => [namedOf(tool)['name'], namedOf(tool)]))
  for (const { name, input } of calls) {
    const tool = offered.get(name)
    if (!tool) return { isFit: false, why: `it calls ${JSON.stringify(String(name).slice(0, 64))}, which was not offered.` }
    const why = depth === 'name' ? undefined : whyNotShape(input, tool['parameters'] ?? tool['input_schema'] ?? {})
    if (why !== undefined) return { isFit: false, why: `its call of ${String(name).slice(0, 64)}: ${why}` }
  }
  return { isFit: true }
}

const namedOf = (tool: unknown): Fields => (fields(tool)['function'] === undefined ? fields(tool) : fields(fields(tool)['function']))

/** `input`: the arguments as JSON. */
type Call = { name: unknown; input: string }

const callsOf = (answer: Fields): Call[] => [
  ...list(fields(fields(list(answer['choices'])[0])['message'])['tool_calls']).map((call) => asCall(fields(fields(call)['function']))),
  ...list(answer['content']).flatMap((block) =>
    fields(block)['type'] === 'tool_use' ? [{ name: fields(block)['name'], input: JSON.stringify(fields(block)['input'] ?? null) }] : [],
  ),
  ...list(answer['output']).flatMap((item) => (fields(item)['type'] === 'function_call' ? [asCall(fields(item))] : [])),
]
const asCall = (named: Fields): Call => ({ name: named['name'], input: String(named['arguments'] ?? '') })

export function schemaOf(request: Fields): unknown {
  const format = fields(
    request['response_format'] ?? fields(request['text'])['format'] ?? fields(request['output_config'])['format'] ?? request['output_format'],
  )
  return format['type'] === 'json_schema' ? (format['schema'] ?? fields(format['json_schema'])['schema']) : undefined
}

/** Undefined when the model calls a tool: it wants something first, and a schema is for its last word. */
export const lastWordOf = (face: FaceCall['face'], answer: Fields): string | undefined => (callsOf(answer).length > 0 ? undefined : textOf[face](answer))

const textOf: Record<FaceCall['face'], (answer: Fields) => string> = {
  chat: (answer) => String(fields(fields(list(answer['choices'])[0])['message'])['content'] ?? ''),
  messages: (answer) => textsOf(answer['content']),
  responses: (answer) =>
    list(answer['output'])
      .map((item) => textsOf(fields(item)['content']))
      .join(''),
  embeddings: () => '',
}
const textsOf = (content: unknown): string =>
  list(content)
    .map((part) => fields(part)['text'])
    .filter((text) => typeof text === 'string')
    .join('')
