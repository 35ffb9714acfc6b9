import fc from 'fast-check'
import { expect, test } from 'vitest'
import { outlineOf, patch } from './json-places.ts'

/** JSON as others write it: with spaces where they may be. */
function spaced(value: unknown, space: string): string {
  if (Array.isArray(value)) return `[${space}${value.map((item) => spaced(item, space)).join(`${space},${space}`)}${space}]`
  if (typeof value === 'object' && value !== null)
    return `{${space}${Object.entries(value)
      .map(([key, item]) => `${JSON.stringify(key)}${space}:${space}${spaced(item, space)}`)
      .join(`${space},${space}`)}${space}}`
  return JSON.stringify(value)
}

const depthOf = (value: unknown): number => (typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0)
const texts = fc.string({
  unit: fc.oneof(fc.constantFrom('"', '\\', '{', '}', '[', ']', ':', ',', ' ', '中', '😀', '\u0085'), fc.string({ unit: 'grapheme', maxLength: 1 })),
})
const objects = fc.dictionary(texts, fc.letrec((tie) => ({ value: fc.oneof({ depthSize: 'small' }, texts, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null), fc.array(tie('value'), { maxLength: 4 }), fc.dictionary(texts, tie('value'), { maxKeys: 4 })) })).value) // prettier-ignore

test('whatever the object, each field stands where it is said to, and the depth is the depth', () => {
  fc.assert(
    fc.property(objects, fc.constantFrom('', ' ', '\n\t', '\r\n  '), (made, space) => {
      const bytes = Buffer.from(space + spaced(made, space) + space)
      const object = JSON.parse(bytes.toString()) as Record<string, unknown>
      const { places, depth } = outlineOf(bytes.toString('latin1'))
      expect(places.map(({ key, start, end }) => [key, spaced(JSON.parse(bytes.subarray(start, end).toString()), '')])).toEqual(
        Object.entries(made).map(([key, value]) => [key, spaced(value, '')]),
      )
      for (const { start, end } of places) expect(bytes.subarray(start, end).toString().trim()).toBe(bytes.subarray(start, end).toString())
      expect(depth).toBe(depthOf(object))
    }),
    { numRuns: 1_000 },
  )
})

test('whatever the object, what is patched is changed or added, and nothing else is', () => {
  fc.assert(
    fc.property(objects, texts, texts, (made, key, text) => {
      const bytes = Buffer.from(JSON.stringify(made))
      const patched = patch(bytes, outlineOf(bytes.toString('latin1')).places, { [key]: JSON.stringify(text) })
      const expected = Object.defineProperty({ ...made }, key, { value: text, enumerable: true, configurable: true, writable: true })
      const entries = (object: object) => Object.entries(object).toSorted(([a], [b]) => (a < b ? -1 : 1))
      expect(entries(JSON.parse(patched.toString()) as object)).toEqual(entries(JSON.parse(JSON.stringify(expected)) as object))
    }),
    { numRuns: 1_000 },
  )
})

test('a million fields are no trouble', () => {
  const raw = `{${Array.from({ length: 1_000_000 }, (_, i) => `"${i}":0`).join()}}`
  expect(outlineOf(raw).places).toHaveLength(1_000_000)
})
