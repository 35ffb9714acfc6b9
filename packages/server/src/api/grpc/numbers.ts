/**
 * Numbers of fields, given once and for ever. A field that is gone leaves its number reserved; one whose type changes is another field with another number, so that
 * what an older client reads is never read as something else. They are kept in `field-numbers.json`, which `npm run generate` only ever adds to.
 */
import type { Field, Message } from './shapes.ts'

/** By message, each number that was ever given, in the order of the giving: the first is 1. */
export type Numbers = Readonly<Record<string, readonly string[]>>
export type NumberedField = Field & { number: number }
export type NumberedMessage = Omit<Message, 'fields'> & { fields: NumberedField[]; reserved: number[] }

const signature = ({ json, type, isRepeated }: Field): string => `${json} ${isRepeated ? 'repeated ' : ''}${type}`

/** What was given before, and what has come since. */
export function extendNumbers(before: Numbers, messages: readonly Message[]): Numbers {
  const after: Record<string, readonly string[]> = { ...before }
  for (const { name, fields } of messages) {
    const given = before[name] ?? []
    after[name] = [...given, ...fields.map(signature).filter((each) => !given.includes(each))]
  }
  return Object.fromEntries(Object.entries(after).toSorted(([one], [other]) => (one < other ? -1 : 1)))
}

/** Throws when a field has none: `npm run generate` was forgotten. */
export function numbered(messages: readonly Message[], numbers: Numbers): NumberedMessage[] {
  return messages.map((message) => {
    const given = numbers[message.name] ?? []
    const numberOf = (at: number) => (at < 18_999 ? at + 1 : at + 1_001) // 19,000 to 19,999 belong to protocol buffers themselves.
    const fields = message.fields.map((field) => {
      const at = given.indexOf(signature(field))
      if (at === -1) throw new Error(`The field ${field.json} of ${message.name} has no number yet. Run npm run generate.`)
      return { ...field, number: numberOf(at) }
    })
    const used = new Set(fields.map(({ number }) => number))
    return { ...message, fields, reserved: given.map((_, at) => numberOf(at)).filter((number) => !used.has(number)) }
  })
}
