/** A client's side of a call whose answer is looked at, held back, or given back what was hidden from the model. */
import { lastWordOf } from '../faces/check-shape.ts'
import type { Client } from '../faces/client.ts'
import { dataOf, splitEvents } from '../faces/event-splitter.ts'
import type { FaceCall } from '../faces/face-call.ts'
import { parseData } from '../faces/scanner.ts'
import type { Guarding } from './guarding.ts'
import { openRestoring, writeEvent } from './restoring.ts'
import { type StreamFace, beginsCall, slotsOf } from './slots.ts'
import { mapTexts } from './texts.ts'

type Fields = Record<string, unknown>

export type GuardedClient = {
  client: Client
  /** When the call is over. Sends what was held, or says why the model has to be asked again. Throws when the answer may not be given. */
  finish(isRepaired: boolean): Promise<{ repair: string; said: string } | undefined>
}

export function guardClient(client: Client, call: FaceCall, guarding: Guarding): GuardedClient {
  const { face } = call
  if (face === 'embeddings' || (!guarding.readsAnswer && guarding.mask.isEmpty()))
    return { client: { ...client, begin: (status, headers) => client.begin(status, noted(headers, guarding)) }, finish: async () => undefined }
  if (call.isStream && !guarding.needsWhole) return passing(client, face, guarding)
  return holding(client, call, face, guarding)
}

const noted = (headers: Record<string, string | number>, guarding: Guarding, ...more: string[]): Record<string, string | number> => {
  const notes = [...more, ...guarding.notes()]
  return notes.length > 0 ? { ...headers, 'x-longhaul-guardrails': notes.join(', ') } : headers
}

function passing(client: Client, face: StreamFace, guarding: Guarding): GuardedClient {
  const splitter = splitEvents()
  const restoring = openRestoring(face, guarding.mask)
  const pass = (bytes: Buffer | string) => Buffer.concat(splitter.push(toBuffer(bytes)).map((event) => restoring.pass(event)))
  return {
    client: {
      signal: client.signal,
      hasBegun: client.hasBegun,
      drained: client.drained,
      begin: (status, headers) => client.begin(status, noted(headers, guarding)),
      write(bytes) {
        const out = pass(bytes)
        return out.length === 0 || client.write(out)
      },
      end(bytes) {
        const out = bytes === undefined ? Buffer.alloc(0) : pass(bytes)
        const left = splitter.rest()
        client.end(Buffer.concat([out, ...(left.length > 0 ? [restoring.pass(left)] : []), restoring.rest()]))
      },
    },
    async finish() {
      if (guarding.readsAnswer) await guarding.answer({ value: restoring.texts(), lastWord: undefined })
      return undefined
    },
  }
}

function holding(client: Client, call: FaceCall, face: StreamFace, guarding: Guarding): GuardedClient {
  let begun: { status: number; headers: Record<string, string | number> } | undefined
  const chunks: Buffer[] = []
  return {
    client: {
      signal: client.signal,
      hasBegun: () => begun !== undefined,
      drained: async () => {},
      begin: (status, headers) => void (begun = { status, headers }),
      write: (bytes) => chunks.push(toBuffer(bytes)) > 0, // Bounded by the largest answer.
      end: (bytes) => void (bytes !== undefined && chunks.push(toBuffer(bytes))),
    },
    async finish(isRepaired) {
      if (!begun || client.signal.aborted) return undefined
      const { status, headers } = begun
      const bytes = Buffer.concat(chunks)
      const taken = call.isStream ? takeStream(face, bytes) : takeWhole(face, bytes)
      const judged = await guarding.answer({ value: taken.value, lastWord: taken.lastWord, isRepaired })
      if ('repair' in judged) return { repair: judged.repair, said: taken.lastWord ?? '' }
      const body = taken.write(mapTexts(judged.value, (text, isFixed) => (isFixed ? text : guarding.mask.restore(text))))
      client.begin(status, { ...noted(headers, guarding, ...(call.isStream ? ['held'] : [])), 'content-length': body.length })
      client.end(body)
      return undefined
    },
  }
}

type Taken = { value: unknown; lastWord: string | undefined; write(value: unknown): Buffer }

const answerFields = { chat: 'choices', responses: 'output', messages: 'content' } as const

function takeWhole(face: StreamFace, bytes: Buffer): Taken {
  const answer = JSON.parse(bytes.toString('utf8')) as Fields // `readWhole` has seen that it is one.
  const field = answerFields[face]
  return {
    value: { [field]: answer[field] },
    lastWord: lastWordOf(face, answer),
    write: (value) => Buffer.from(JSON.stringify({ ...answer, ...(value as Fields) })),
  }
}

/** All pieces of a text stand where its first one stood, so that nothing hides between two. */
function takeStream(face: StreamFace, bytes: Buffer): Taken {
  const splitter = splitEvents()
  const raw = [...splitter.push(bytes), splitter.rest()].filter((event) => event.length > 0)
  const events = raw.map((event): Buffer | Fields => parseData(dataOf(event)) ?? event)
  const data = events.filter((event): event is Fields => !Buffer.isBuffer(event))
  const slots = data.flatMap((event) => slotsOf[face](event))
  const texts = new Map<string, string>()
  for (const { key, text } of slots) texts.set(key, (texts.get(key) ?? '') + text)
  const word = [...new Set(slots.filter(({ kind }) => kind === 'text').map(({ key }) => key))].map((key) => texts.get(key)).join('')
  const isCall = data.some(beginsCall) || slots.some(({ kind }) => kind === 'call')
  for (const { key, replace } of slots) {
    replace(texts.get(key) ?? '')
    texts.delete(key)
  }
  return {
    value: data,
    lastWord: isCall ? undefined : word,
    write(value) {
      const now = (value as Fields[]).values() // As many as went in.
      return Buffer.concat(events.map((event) => (Buffer.isBuffer(event) ? event : writeEvent(face, now.next().value as Fields))))
    },
  }
}

const toBuffer = (bytes: Buffer | string): Buffer => (typeof bytes === 'string' ? Buffer.from(bytes) : bytes)
