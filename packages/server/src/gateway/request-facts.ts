/** What a route may look at in a request: bounded, and made only when a route asks. */
import { createHash } from 'node:crypto'
import type { Prompt } from '@longhaul/protocol'
import type { FaceCall } from './faces/face-call.ts'
import type { RequestFacts } from './models.ts'

const textMax = 2_000

type Fields = Record<string, unknown>
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {}) // An object has string keys.

export function factsOf({ face, body, isStream }: Pick<FaceCall, 'face' | 'body' | 'isStream'>): RequestFacts {
  const { bytes, fields: all } = body
  const content = all['messages'] ?? all['input']
  const last = list(content).findLast((message) => fields(message)['role'] === 'user')
  const format = fields(all['response_format'] ?? fields(all['text'])['format'] ?? fields(all['output_config'])['format'] ?? all['output_format'])['type']
  return {
    face,
    bytes: bytes.length,
    messageCount: list(content).length,
    toolCount: list(all['tools']).length,
    hasImages: bytes.includes('"image_url"') || bytes.includes('"input_image"') || bytes.includes('"type":"image"'),
    wantsJson: format === 'json_schema' || format === 'json_object',
    isStream,
    text: textOf(typeof content === 'string' ? content : fields(last)['content']).slice(0, textMax),
    template: templateOf(instructionsOf(all, content), list(all['tools']).map(toolName), all['response_format'] ?? all['text'] ?? all['output_config']),
  }
}

/** The same of an agent's prompt. */
export function factsOfPrompt({ messages, tools, instructions }: Prompt): RequestFacts {
  const last = messages.findLast(({ role }) => role === 'user')
  const text = last?.role === 'user' ? last.content.flatMap((part) => (part.type === 'text' ? part.text : [])).join('\n') : ''
  const bytes = messages.reduce(
    (sum, { content }) => sum + content.reduce((of, part) => of + ('text' in part ? part.text.length : 200), 0),
    instructions.length,
  )
  return {
    face: 'agent',
    bytes,
    messageCount: messages.length,
    toolCount: tools.length,
    hasImages: messages.some(
      ({ role, content }) => role === 'user' && content.some((part) => part.type === 'attachment' && part.mediaType.startsWith('image/')),
    ),
    wantsJson: false,
    isStream: true,
    text: text.slice(0, textMax),
    template: templateOf(
      instructions,
      tools.map(({ name }) => name),
      undefined,
    ),
  }
}

/** Numbers are left out: a date or a count in the instructions makes no other kind of request. */
function templateOf(instructions: string, tools: readonly string[], format: unknown): string {
  const words = instructions.slice(0, textMax).replace(/[0-9]+/g, '#')
  return createHash('sha256')
    .update(JSON.stringify([words, tools.toSorted(), format ?? null]))
    .digest('hex')
    .slice(0, 12)
}

function instructionsOf(all: Fields, content: unknown): string {
  const first = fields(list(content)[0])
  const isSystem = first['role'] === 'system' || first['role'] === 'developer'
  return textOf(all['system'] ?? all['instructions'] ?? (isSystem ? first['content'] : ''))
}

const toolName = (tool: unknown): string => String(fields(fields(tool)['function'])['name'] ?? fields(tool)['name'] ?? fields(tool)['type'] ?? '')

function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  return list(content)
    .flatMap((part) => fields(part)['text'] ?? [])
    .filter((text) => typeof text === 'string')
    .join('\n')
}
