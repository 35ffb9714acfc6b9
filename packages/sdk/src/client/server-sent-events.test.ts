import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eventStreamParser } from './server-sent-events.ts'
import type { ServerSentEvent } from './server-sent-events.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)
const parse = (text: string): ServerSentEvent[] => eventStreamParser().push(bytesOf(text))

test('an event ends with an empty line, whatever the line end is', () => {
  for (const end of ['\n', '\r', '\r\n']) expect(parse(`id: 7${end}event: a${end}data: x${end}${end}`)).toEqual([{ event: 'a', data: 'x', id: '7' }])
})

test('several data lines are one value, and only the first space after the colon is syntax', () => {
  expect(parse('data:a\ndata:  b\ndata\ndata: c\n\n')).toEqual([{ event: 'message', data: 'a\n b\n\nc', id: '' }])
})

test('comments, unknown fields, retry and empty events say nothing', () => {
  expect(parse(':\n: data: no\n\nretry: 5\nfoo: bar\nevent: lonely\n\n\n\ndata: yes\n\n')).toEqual([{ event: 'message', data: 'yes', id: '' }])
})

test('an event that was not ended by an empty line is not dispatched', () => {
  expect(parse('data: whole\n\nid: 2\ndata: half\n')).toEqual([{ event: 'message', data: 'whole', id: '' }])
})

test('an id stays for the events after it, and one with U+0000 is ignored', () => {
  expect(parse('id: 1\ndata: a\n\nid: 2\0\ndata: b\n\nid\ndata: c\n\n').map(({ id }) => id)).toEqual(['1', '1', ''])
})

test('a byte order mark is dropped at the start, only there, and also in pieces', () => {
  const parser = eventStreamParser()
  const bytes = bytesOf('\ufeffdata: a\ufeff\n\n')
  expect([...bytes].flatMap((byte) => parser.push(Uint8Array.of(byte)))).toEqual([{ event: 'message', data: 'a\ufeff', id: '' }])
})

test('where the bytes are split makes no difference', () => {
  const line = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => `data: ${text.replace(/[\r\n]/g, '')}`),
    fc.constantFrom('', '', ': comment', 'event: 事件', 'id: 3', 'data', 'data:🚚', 'x'),
  )
  const text = fc.array(fc.tuple(line, fc.constantFrom('\n', '\r', '\r\n'))).map((lines) => lines.map((pair) => pair.join('')).join(''))
  fc.assert(
    fc.property(text, fc.array(fc.nat(7), { minLength: 1 }), (source, sizes) => {
      // A lone CR before a line that starts with LF is one line end, split or not; the generator may make such a pair too.
      const bytes = bytesOf(source)
      const whole = eventStreamParser().push(bytes)
      const parser = eventStreamParser()
      const split: ServerSentEvent[] = []
      for (let at = 0, n = 0; at < bytes.length; n++) {
        const size = sizes[n % sizes.length] || 1
        split.push(...parser.push(bytes.slice(at, at + size)))
        at += size
      }
      expect(split).toEqual(whole)
      expect(whole).toEqual(reference(source))
    }),
    { numRuns: 1_000 },
  )
})

/** The standard's grammar in the plainest way, on the whole text at once. */
function reference(text: string): ServerSentEvent[] {
  const events: ServerSentEvent[] = []
  let [data, event, id]: [string[], string, string] = [[], '', '']
  const lines = text
    .replace(/^\ufeff/, '')
    .replace(/\r\n?/g, '\n')
    .split('\n')
    .slice(0, -1)
  for (const line of lines) {
    if (line === '') {
      if (data.length > 0) events.push({ event: event || 'message', data: data.join('\n'), id })
      ;[data, event] = [[], '']
      continue
    }
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
    if (field === 'data') data.push(value)
    if (field === 'event') event = value
    if (field === 'id') id = value
  }
  return events
}

test('a line of ten megabytes in small pieces is read in linear time', () => {
  const parser = eventStreamParser()
  const piece = bytesOf('x'.repeat(1_024))
  const startedAt = performance.now()
  parser.push(bytesOf('data: '))
  for (let i = 0; i < 10_240; i++) expect(parser.push(piece).length).toBe(0)
  const [event] = parser.push(bytesOf('\n\n'))
  expect(event?.data.length).toBe(10 * 1_024 * 1_024)
  expect(performance.now() - startedAt).toBeLessThan(5_000)
})
