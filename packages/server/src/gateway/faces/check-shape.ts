/** Whether an answer is of the JSON Schema that was asked for: a small model's that is not goes to the next target of its route. */
import { StepFailure } from '../../kernel/index.ts'
import { z } from 'zod'
import type { Target } from '../failover.ts'
import type { FaceCall } from './face-call.ts'

type Fields = Record<string, unknown>
const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {}) // An object has string keys.
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

/** Throws a `StepFailure` when it is not. Without a schema, or with one that cannot be read, everything passes. */
export function checkShape({ face, body }: FaceCall, target: Target, whole: Buffer): void {
  const schema = schemaOf(body.fields)
  if (schema === undefined) return
  const answer = fields(JSON.parse(whole.toString('utf8')))
  if (isCall(answer)) return // It wants something first; the schema is for its last word.
  const why = whyNot(textOf[face](answer), schema)
  if (why === undefined) return
  throw new StepFailure({ message: `The answer of ${target.model} is not of the schema that was asked for: ${why}`, code: 'not_as_asked', retryable: true })
}

function schemaOf(request: Fields): unknown {
  const format = fields(
    request['response_format'] ?? fields(request['text'])['format'] ?? fields(request['output_config'])['format'] ?? request['output_format'],
  )
  return format['type'] === 'json_schema' ? (format['schema'] ?? fields(format['json_schema'])['schema']) : undefined
}

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

function whyNot(text: string, schema: unknown): string | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'it is not JSON.'
  }
  const check = readable(schema)
  const parsed = check?.safeParse(value)
  if (!parsed || parsed.success) return undefined
  const [issue] = parsed.error.issues
  return `${issue?.path.join('.') || 'the answer'}: ${issue?.message ?? 'does not fit'}.`
}

function readable(schema: unknown): z.ZodType | undefined {
  try {
    return z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]) // It throws at what it cannot read.
  } catch {
    return undefined // A schema that only the provider understands: then it judges alone.
  }
}
