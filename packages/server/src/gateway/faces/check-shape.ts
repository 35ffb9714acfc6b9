/** Whether an answer is of the JSON Schema that was asked for: a small model's that is not goes to the next target of its route. */
import { StepFailure } from '../../kernel/index.ts'
import type { Target } from '../failover.ts'
import { whyNotShape } from '../shape.ts'
import type { FaceCall } from './face-call.ts'

type Fields = Record<string, unknown>
const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {}) // An object has string keys.
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

/** Throws a `StepFailure` when it is not. Without a schema, or with one that cannot be read, everything passes. */
export function checkShape({ face, body }: FaceCall, target: Target, whole: Buffer): void {
  const schema = schemaOf(body.fields)
  if (schema === undefined) return
  const word = lastWordOf(face, fields(JSON.parse(whole.toString('utf8'))))
  const why = word === undefined ? undefined : whyNotShape(word, schema)
  if (why === undefined) return
  throw new StepFailure({ message: `The answer of ${target.model} is not of the schema that was asked for: ${why}`, code: 'not_as_asked', retryable: true })
}

function schemaOf(request: Fields): unknown {
  const format = fields(
    request['response_format'] ?? fields(request['text'])['format'] ?? fields(request['output_config'])['format'] ?? request['output_format'],
  )
  return format['type'] === 'json_schema' ? (format['schema'] ?? fields(format['json_schema'])['schema']) : undefined
}

/** Undefined when the model calls a tool: it wants something first, and a schema is for its last word. */
export const lastWordOf = (face: FaceCall['face'], answer: Fields): string | undefined => (isCall(answer) ? undefined : textOf[face](answer))

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

const isCall = (answer: Fields): boolean =>
  list(fields(fields(list(answer['choices'])[0])['message'])['tool_calls']).length > 0 ||
  list(answer['content']).some((block) => fields(block)['type'] === 'tool_use') ||
  list(answer['output']).some((item) => fields(item)['type'] === 'function_call')
