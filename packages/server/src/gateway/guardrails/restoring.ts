/** A stream of events in which the originals stand again in the place of what hid them, also where one is cut by the border of two events. */
import { dataOf } from '../faces/event-splitter.ts'
import { parseData } from '../faces/scanner.ts'
import type { Mask } from './mask.ts'
import { type Slot, type StreamFace, endsIn, slotsOf } from './slots.ts'
import { mapTexts } from './texts.ts'

type Fields = Record<string, unknown>

export type Restoring = {
  /** What goes to the caller for this event. */
  pass(event: Buffer): Buffer
  /** What was held back. */
  rest(): Buffer
  /** The texts so far, as the model gave them. */
  texts(): string[]
}

export function openRestoring(face: StreamFace, mask: Mask): Restoring {
  const texts = new Map<string, string[]>()
  const held = new Map<string, { text: string; slot: Slot }>()
  /** Events that came in between make the numbers of all that follow higher. */
  let inserted = 0

  const release = (prefix: string): Fields[] =>
    [...held].flatMap(([key, { text, slot }]) => {
      if (!key.startsWith(prefix)) return []
      held.delete(key)
      return [slot.alone(text)]
    })

  function write(event: Fields): Buffer {
    const numbered = typeof event['sequence_number'] === 'number' ? { ...event, sequence_number: event['sequence_number'] + inserted } : event
    return writeEvent(face, numbered)
  }

  function restore(slot: Slot): void {
    const pieces = texts.get(slot.key) ?? []
    pieces.push(slot.text)
    texts.set(slot.key, pieces)
    const text = (held.get(slot.key)?.text ?? '') + slot.text
    const open = mask.openEnd(text)
    if (open > 0) held.set(slot.key, { text: text.slice(text.length - open), slot })
    else held.delete(slot.key)
    slot.replace(mask.restore(text.slice(0, text.length - open)))
  }

  return {
    pass(event) {
      const data = parseData(dataOf(event))
      if (!data) return held.size > 0 && event.includes('[DONE]') ? Buffer.concat([this.rest(), event]) : event
      for (const slot of slotsOf[face](data)) restore(slot)
      const before = endsIn[face](data)
        .flatMap(release)
        .map((late) => {
          // It takes the number of the event before which it comes.
          const made = write('sequence_number' in data ? { ...late, sequence_number: data['sequence_number'] } : late)
          inserted++
          return made
        })
      const seen = mapTexts(data, (text, isFixed) => (isFixed ? text : mask.restore(text)))
      return Buffer.concat([...before, write(seen as Fields)]) // An object stays one.
    },
    rest: () => Buffer.concat(release('').map(write)),
    texts: () => [...texts.values()].map((pieces) => pieces.join('')),
  }
}

export const writeEvent = (face: StreamFace, event: Fields): Buffer =>
  Buffer.from(`${face === 'chat' ? '' : `event: ${event['type']}\n`}data: ${JSON.stringify(event)}\n\n`)
