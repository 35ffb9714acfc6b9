/** What a model answered, read from the bytes that its caller was sent. For people who look at it: what cannot be read is left out. */
import type { Json, ModelReply } from '@longhaul/protocol'
import { dataOf, splitEvents } from './event-splitter.ts'
import type { FaceName } from './face.ts'
import { parseData } from './scanner.ts'

type Reply = Pick<ModelReply, 'content' | 'finishReason'>
type Fields = Record<string, unknown>
type Call = { id: string; name: string; text: string }

export function readReply(face: FaceName, isStream: boolean, bytes: Buffer): Reply {
  if (face === 'embeddings') return { content: [], finishReason: 'stop' }
  const events = isStream ? eventsOf(bytes) : [fieldsOf(parseData(bytes.toString()))]
  const { texts, calls, finish } = face === 'chat' ? readChat(events) : face === 'responses' ? readResponses(events) : readMessages(events)
  const text = texts.join('')
  const content: Reply['content'] = [
    ...(text === '' ? [] : [{ type: 'text' as const, text }]),
    ...calls.map(({ id, name, text: input }) => ({ type: 'tool-call' as const, toolCallId: id, toolName: name, input: jsonOf(input) })),
  ]
  return { content, finishReason: calls.length > 0 ? 'tool-calls' : (finishes[finish] ?? 'other') }
}

type Read = { texts: string[]; calls: Call[]; finish: string }

const finishes: Record<string, Reply['finishReason']> = {
  ...{ stop: 'stop', end_turn: 'stop', stop_sequence: 'stop', completed: 'stop' },
  ...{ length: 'length', max_tokens: 'length', max_output_tokens: 'length', content_filter: 'content-filter', refusal: 'content-filter' },
}

/** Whole answers have `message` where pieces have `delta`. */
function readChat(events: Fields[]): Read {
  const read: Read = { texts: [], calls: [], finish: '' }
  const places = new Map<unknown, Call>()
  for (const event of events) {
    const choice = fieldsOf(listOf(event['choices'])[0])
    const said = fieldsOf(choice['delta'] ?? choice['message'])
    read.texts.push(textOf(said['content']))
    for (const [at, each] of listOf(said['tool_calls']).map(fieldsOf).entries()) {
      const { name, arguments: pieces } = fieldsOf(each['function'])
      const place = each['index'] ?? at
      const call = places.get(place) ?? { id: textOf(each['id']), name: textOf(name), text: '' }
      call.text += textOf(pieces)
      if (!places.has(place)) read.calls.push(call)
      places.set(place, call)
    }
    read.finish = textOf(choice['finish_reason']) || read.finish
  }
  return read
}

/** The last event of a stream has the whole answer. */
function readResponses(events: Fields[]): Read {
  const last = events.findLast((event) => 'response' in event || 'output' in event) ?? {}
  const whole = fieldsOf(last['response'] ?? last)
  const items = listOf(whole['output']).map(fieldsOf)
  const finish = textOf(fieldsOf(whole['incomplete_details'])['reason']) || textOf(whole['status'])
  const texts = items.flatMap((item) => listOf(item['content']).map((part) => textOf(fieldsOf(part)['text'])))
  return {
    // Of a stream that broke off there are only the pieces.
    texts: items.length > 0 ? texts : events.flatMap((event) => (event['type'] === 'response.output_text.delta' ? [textOf(event['delta'])] : [])),
    calls: (items.length > 0 ? items : begunItems(events)).flatMap((item) =>
      item['type'] === 'function_call' ? [{ id: textOf(item['call_id']), name: textOf(item['name']), text: textOf(item['arguments']) }] : [],
    ),
    finish,
  }
}

/** Those that a stream has begun with so far, the finished ones instead where they are there. */
function begunItems(events: Fields[]): Fields[] {
  const items = new Map<unknown, Fields>()
  for (const event of events) if (event['item'] !== undefined) items.set(event['output_index'], fieldsOf(event['item']))
  return [...items.values()]
}

function readMessages(events: Fields[]): Read {
  const read: Read = { texts: [], calls: [], finish: '' }
  const blocks = new Map<unknown, Call>()
  const take = (block: Fields, place: unknown) => {
    if (block['type'] === 'text') read.texts.push(textOf(block['text']))
    if (block['type'] !== 'tool_use') return
    const isWhole = Object.keys(fieldsOf(block['input'])).length > 0
    const call = { id: textOf(block['id']), name: textOf(block['name']), text: isWhole ? JSON.stringify(block['input']) : '' }
    blocks.set(place, call)
    read.calls.push(call)
  }
  for (const event of events) {
    for (const [at, block] of listOf(event['content']).entries()) take(fieldsOf(block), at)
    if (event['type'] === 'content_block_start') take(fieldsOf(event['content_block']), event['index'])
    const delta = fieldsOf(event['delta'])
    read.texts.push(textOf(delta['text']))
    const call = blocks.get(event['index'])
    if (call) call.text += textOf(delta['partial_json'])
    read.finish = textOf(delta['stop_reason']) || textOf(event['stop_reason']) || read.finish
  }
  return read
}

function eventsOf(bytes: Buffer): Fields[] {
  const splitter = splitEvents()
  return [...splitter.push(bytes), splitter.rest()].map((event) => fieldsOf(parseData(dataOf(event))))
}

const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}) // An object that is no array.
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

function jsonOf(text: string): Json {
  try {
    return JSON.parse(text) as Json // It is JSON then.
  } catch {
    return text // A model may write what is none.
  }
}
