/** Where the pieces of a streamed answer's texts stand in its events. */
import type { FaceName } from '../faces/face.ts'

type Fields = Record<string, unknown>
const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {}) // An object has string keys.
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

export type Slot = {
  /** The same for all pieces of one text. */
  key: string
  kind: 'text' | 'call' | 'other'
  text: string
  replace(text: string): void
  /** An event that has this piece and nothing else. */
  alone(text: string): Fields
}

export type StreamFace = Exclude<FaceName, 'embeddings'>

/** Of one event. */
export const slotsOf: Record<StreamFace, (event: Fields) => Slot[]> = { chat: chatSlots, messages: messagesSlots, responses: responsesSlots }

/** Texts whose pieces are complete with this event: by the beginning of their key. */
export const endsIn: Record<StreamFace, (event: Fields) => string[]> = {
  chat: (event) => list(event['choices']).flatMap((choice) => (fields(choice)['finish_reason'] ? [`${fields(choice)['index']}.`] : [])),
  messages: (event) => (event['type'] === 'content_block_delta' || event['type'] === 'ping' ? [] : ['']),
  responses: (event) => (typeof event['delta'] === 'string' ? [] : ['']),
}

const words: Readonly<Record<string, Slot['kind']>> = { content: 'text', refusal: 'other', reasoning_content: 'other', reasoning: 'other' }

function chatSlots(event: Fields): Slot[] {
  const { usage: _, ...rest } = event
  return list(event['choices']).flatMap((one) => {
    const choice = fields(one)
    const index = choice['index']
    const delta = fields(choice['delta'])
    const alone = (piece: Fields) => ({ ...rest, choices: [{ index, delta: piece, finish_reason: null }] })
    const spoken = Object.keys(words).flatMap((name): Slot[] => {
      const text = delta[name]
      if (typeof text !== 'string') return []
      return [
        { key: `${index}.${name}`, kind: words[name] ?? 'other', text, replace: (now) => void (delta[name] = now), alone: (now) => alone({ [name]: now }) },
      ]
    })
    const called = list(delta['tool_calls']).flatMap((call): Slot[] => {
      const made = fields(fields(call)['function'])
      const text = made['arguments']
      if (typeof text !== 'string') return []
      const place = fields(call)['index']
      return [
        {
          ...{ key: `${index}.call.${place}`, kind: 'call', text, replace: (now) => void (made['arguments'] = now) },
          alone: (now) => alone({ tool_calls: [{ index: place, function: { arguments: now } }] }),
        },
      ]
    })
    return [...spoken, ...called]
  })
}

const pieces: Readonly<Record<string, Slot['kind']>> = { text: 'text', partial_json: 'call', thinking: 'other' }

function messagesSlots(event: Fields): Slot[] {
  if (event['type'] !== 'content_block_delta') return []
  const delta = fields(event['delta'])
  return Object.keys(pieces).flatMap((name): Slot[] => {
    const text = delta[name]
    if (typeof text !== 'string') return []
    return [
      {
        ...{ key: `${event['index']}.${name}`, kind: pieces[name] ?? 'other', text, replace: (now) => void (delta[name] = now) },
        alone: (now) => ({ ...event, delta: { ...delta, [name]: now } }),
      },
    ]
  })
}

function responsesSlots(event: Fields): Slot[] {
  const text = event['delta']
  const type = String(event['type'])
  if (typeof text !== 'string') return []
  const kind = type === 'response.output_text.delta' ? 'text' : type.includes('arguments') || type.includes('tool_call') ? 'call' : 'other'
  const key = [type, event['item_id'], event['output_index'], event['content_index'], event['summary_index']].join('.')
  return [{ key, kind, text, replace: (now) => void (event['delta'] = now), alone: (now) => ({ ...event, delta: now }) }]
}

/** An event that begins a call of a tool, which may have no arguments that stream. */
export const beginsCall = (event: Fields): boolean =>
  fields(event['content_block'])['type'] === 'tool_use' ||
  fields(event['item'])['type'] === 'function_call' ||
  list(event['choices']).some((choice) => list(fields(fields(choice)['delta'])['tool_calls']).length > 0)
