/** One request as its caller made it, and as it goes on to a provider. */
import type { Target } from '../failover.ts'
import { idOf } from '../providers.ts'
import type { FaceName } from './face.ts'
import { patch } from './json-places.ts'
import { type FaceBody, refuse } from './request-body.ts'

export type FaceCall = {
  face: FaceName
  body: FaceBody
  /** As the caller wrote it. */
  model: string
  isStream: boolean
  /** The caller asked for the usage at the end of a stream of chat completions. */
  wantsUsage: boolean
  /** What the caller asked for at most. */
  outputTokensMax: number | undefined
  /** Which field says so. */
  limitField: string
  /** The person for whom it is made. */
  user: string | undefined
}

type Fields = Record<string, unknown>
const record = (value: unknown): Fields | undefined => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined) // An object that is no array.

const limitFields: Record<FaceName, readonly string[]> = {
  chat: ['max_completion_tokens', 'max_tokens'],
  responses: ['max_output_tokens'],
  messages: ['max_tokens'],
  embeddings: [],
}
const contentFields: Record<FaceName, string> = { chat: 'messages', responses: 'input', messages: 'messages', embeddings: 'input' }

/** Checks what we need to know ourselves. All else is for the provider to judge. */
export function readCall(face: FaceName, body: FaceBody): FaceCall {
  const { fields } = body
  const model = fields['model']
  if (typeof model !== 'string' || model === '') throw refuse('bad_request', 'model: must be a text, such as "openai/gpt-5" or the name of a route.')
  if (model.length > 200) throw refuse('unknown_model', 'There is no model with so long a name.')
  const isStream = fields['stream'] ?? false
  if (typeof isStream !== 'boolean') throw refuse('bad_request', 'stream: must be true or false.')
  const content = fields[contentFields[face]]
  const isGiven = Array.isArray(content) || ((face === 'responses' || face === 'embeddings') && typeof content === 'string')
  const isElsewhere =
    face === 'responses' && (fields['prompt'] !== undefined || fields['previous_response_id'] !== undefined || fields['conversation'] !== undefined)
  if (!isGiven && !(content === undefined && isElsewhere))
    throw refuse('bad_request', `${contentFields[face]}: must be a list${face === 'responses' || face === 'embeddings' ? ' or a text' : ''}.`)
  if (Array.isArray(content) && content.length === 0) throw refuse('bad_request', `${contentFields[face]}: must not be empty.`)
  checkTools(fields['tools'])
  const limitField = limitFields[face].find((name) => fields[name] !== undefined && fields[name] !== null)
  const limit = limitField === undefined ? undefined : fields[limitField]
  if (limit !== undefined && (typeof limit !== 'number' || !Number.isSafeInteger(limit) || limit < 1))
    throw refuse('bad_request', `${limitField}: must be a whole number above 0.`)
  const user = fields['user'] ?? fields['safety_identifier'] ?? record(fields['metadata'])?.['user_id']
  return {
    face,
    body,
    model,
    isStream,
    wantsUsage: record(fields['stream_options'])?.['include_usage'] === true,
    outputTokensMax: limit,
    limitField: limitField ?? limitFields[face][0] ?? '',
    user: typeof user === 'string' && user !== '' ? user.slice(0, 200) : undefined,
  }
}

function checkTools(tools: unknown): void {
  if (tools === undefined || tools === null) return
  if (!Array.isArray(tools)) throw refuse('bad_request', 'tools: must be a list.')
  for (const [i, tool] of tools.entries()) {
    const fields = record(tool)
    if (!fields) throw refuse('bad_request', `tools.${i}: must be an object.`)
    const named = record(fields['function']) ?? fields
    const schema = named['parameters'] ?? named['input_schema']
    if (schema === undefined || schema === null) continue
    const type = record(schema)?.['type']
    if (!record(schema) || (type !== undefined && type !== 'object')) {
      throw refuse(
        'bad_request',
        `tools.${i}: the schema of ${JSON.stringify(String(named['name'] ?? 'the tool').slice(0, 64))} must be a JSON Schema of type "object".`,
      )
    }
  }
}

/** The bytes for this provider: as they came, but for the model's name, the counting of tokens, and a limit that a budget lowers. */
export function bytesFor(call: FaceCall, target: Target, outputTokensMax: number | undefined): Buffer {
  const changes: Record<string, string> = { model: JSON.stringify(idOf(target.model)) }
  if (call.face === 'chat' && call.isStream && !call.wantsUsage && !target.provider.countsUnasked) {
    changes['stream_options'] = JSON.stringify({ ...record(call.body.fields['stream_options']), include_usage: true })
  }
  if (call.limitField !== '' && outputTokensMax !== undefined && outputTokensMax < (call.outputTokensMax ?? Infinity)) {
    const knowsNewName = call.outputTokensMax !== undefined || call.face !== 'chat' || target.provider.name === 'openai' || target.provider.name === 'azure'
    changes[knowsNewName ? call.limitField : 'max_tokens'] = String(outputTokensMax)
  }
  return patch(call.body.bytes, call.body.places, changes)
}

const mediaBytesMin = 2_000
/** No provider takes more for one image; audio and documents of that size cost about as much. */
const mediaTokens = 8_000

/**
 * The most tokens that the body can be: undefined when its bytes are bound enough. Images travel in it as base64, which is no text, so a
 * bound by bytes would reserve a hundred times of what they cost.
 */
export function inputTokensMax({ body: { bytes, fields } }: FaceCall): number | undefined {
  if (bytes.length < mediaBytesMin || !(bytes.includes('base64') || bytes.includes('"input_audio"') || bytes.includes('"data"'))) return undefined
  let media = 0
  let mediaBytes = 0
  const look = (value: unknown): void => {
    if (typeof value === 'string') {
      if (value.length < mediaBytesMin || !/^(data:[\w/+.-]+;base64,)?[A-Za-z0-9+/=_-]+$/.test(value.slice(0, 400))) return
      media += 1 + Math.floor(value.length / 1_000_000)
      mediaBytes += value.length
    } else if (Array.isArray(value)) value.forEach(look)
    else if (value !== null && typeof value === 'object') Object.values(value).forEach(look)
  }
  look(fields)
  return media === 0 ? undefined : bytes.length - mediaBytes + media * mediaTokens
}
