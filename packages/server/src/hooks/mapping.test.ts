import { expect, test } from 'vitest'
import { mapPayload, readPayload, valueAt } from './mapping.ts'

/** The document and the pointers of RFC 6901, section 5. */
const document = { foo: ['bar', 'baz'], '': 0, 'a/b': 1, 'c%d': 2, 'e^f': 3, 'g|h': 4, 'i\\j': 5, 'k"l': 6, ' ': 7, 'm~n': 8 }
test.each([
  ['', document],
  ['/foo', ['bar', 'baz']],
  ['/foo/0', 'bar'],
  ['/', 0],
  ['/a~1b', 1],
  ['/c%d', 2],
  ['/e^f', 3],
  ['/g|h', 4],
  ['/i\\j', 5],
  ['/k"l', 6],
  ['/ ', 7],
  ['/m~0n', 8],
])('the pointer %j', (pointer, value) => {
  expect(valueAt(pointer, document)).toEqual(value)
})

test.each(['/nothing', '/foo/2', '/foo/-', '/foo/00', '/foo/length', '/foo/bar', '/constructor', '/__proto__', '/foo/0/0'])('%s has nothing', (pointer) => {
  expect(() => valueAt(pointer, document)).toThrow(/nothing there/)
})

test('a run’s input is the payload, a place in it, or an object of places', () => {
  const payload = { issue: { title: 'Broken', number: 7 }, thread: 9 }
  expect(mapPayload({ type: 'start', input: '' }, payload)).toEqual({ type: 'start', input: payload, session: undefined })
  expect(mapPayload({ type: 'start', input: { title: '/issue/title', n: '/issue/number' }, session: '/thread' }, payload)).toEqual({
    type: 'start',
    input: { title: 'Broken', n: 7 },
    session: '9',
  })
  expect(mapPayload({ type: 'start', input: '/issue', session: 'one' }, payload)).toMatchObject({ input: payload.issue, session: 'one' })
  expect(() => mapPayload({ type: 'start', input: '', session: '/issue' }, payload)).toThrow(/must be a text/)
})

test('a signal goes to the run that is named or that the payload names', () => {
  const run = '0195e0d6-5c1e-7000-8000-000000000001'
  expect(mapPayload({ type: 'signal', run: '/run', signal: 'paid', payload: '/sum' }, { run, sum: 3 })).toEqual({
    type: 'signal',
    run,
    signal: 'paid',
    payload: 3,
  })
  expect(() => mapPayload({ type: 'signal', run: '/run', signal: 'paid', payload: '' }, { run: 'last' })).toThrow(/the id of a run/)
})

test('payloads are JSON or forms, and nothing that could not be stored', () => {
  const read = (text: string | Buffer, type: string | null = 'application/json') => readPayload(Buffer.from(text as string), type)
  expect(read('{"a":1}')).toEqual({ a: 1 })
  expect(read('')).toBeNull()
  expect(read('command=%2Fask&text=why+not', 'application/x-www-form-urlencoded; charset=utf-8')).toEqual({ command: '/ask', text: 'why not' })
  expect(read('payload=%7B%22type%22%3A%22block_actions%22%7D', 'application/x-www-form-urlencoded')).toEqual({ type: 'block_actions' })
  for (const bad of ['{', '"\\u0000"', '['.repeat(2_000) + ']'.repeat(2_000), Buffer.from([0xff, 0xfe])]) expect(() => read(bad)).toThrow()
})
