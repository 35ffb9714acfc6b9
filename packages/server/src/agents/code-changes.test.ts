import { changedTextBytesMax, changedTextsBytesMax } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { codeChanges } from './code-changes.ts'

const code = (files: Record<string, string | Buffer>) => ({
  version: '000000000000',
  files: Object.entries(files).map(([path, content]) => ({ path, content: Buffer.from(content) })),
})
const sides = (text: string) => ({ bytes: text.length, text })

test('says of each file whether it was added, removed or changed, with its texts, and counts what stayed', () => {
  const before = code({ 'agent/agent.ts': 'one', 'agent/gone.ts': 'gone', 'agent/same.ts': 'same' })
  const after = code({ 'agent/agent.ts': 'two', 'agent/new.ts': 'new', 'agent/same.ts': 'same' })
  expect(codeChanges(before, after)).toEqual({
    changes: [
      { path: 'agent/agent.ts', change: 'changed', before: sides('one'), after: sides('two'), omitted: null },
      { path: 'agent/gone.ts', change: 'removed', before: sides('gone'), after: null, omitted: null },
      { path: 'agent/new.ts', change: 'added', before: null, after: sides('new'), omitted: null },
    ],
    sameCount: 1,
  })
  expect(codeChanges(after, after)).toEqual({ changes: [], sameCount: 3 })
})

test('what is no text is named, and not shown', () => {
  const found = codeChanges(code({ 'a.bin': Buffer.from([1, 0, 2]), 'b.txt': 'text' }), code({ 'a.bin': 'text now', 'b.txt': Buffer.from([0xff, 0xfe]) }))
  expect(found.changes.map(({ path, omitted, before, after }) => [path, omitted, before?.text, after?.text])).toEqual([
    ['a.bin', 'binary', null, null],
    ['b.txt', 'binary', null, null],
  ])
  expect(found.changes[0]).toMatchObject({ before: { bytes: 3 }, after: { bytes: 8 } })
})

test('a file up to the limit is shown, one byte more is not; the answer as a whole stays within its own', () => {
  const just = 'x'.repeat(changedTextBytesMax)
  const changes = codeChanges(code({}), code({ a: just, b: `${just}x` })).changes
  expect(changes.map(({ path, omitted }) => [path, omitted])).toEqual([
    ['a', null],
    ['b', 'large'],
  ])
  const many = codeChanges(code({}), code(Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`${at}`, just])))).changes
  const shown = many.filter(({ omitted }) => omitted === null)
  expect(shown.reduce((sum, { after }) => sum + (after?.bytes ?? 0), 0)).toBe(changedTextsBytesMax)
  expect(many.slice(shown.length).map(({ omitted }) => omitted)).toEqual(Array.from({ length: 9 - shown.length }, () => 'full'))
})
