import { expect, test } from 'vitest'
import { diffLines } from './diff-lines.ts'
import { countLines, diffRows } from './diff-rows.ts'

const none: ReadonlySet<number> = new Set()
const shown = (before: string, after: string, layout: 'unified' | 'split', open = none) =>
  diffRows(diffLines(before, after), layout, open).map((row) =>
    row.kind === 'fold' ? `… ${row.count}` : [row.before, row.after].map((side) => (side ? `${side.number}${side.text}` : '')).join('|'),
  )

test('side by side, what replaced a line stands beside it; unified, after it', () => {
  expect(shown('a\nb\nc\nd', 'a\nx\ny\nz\nd', 'split')).toEqual(['1a|1a', '2b|2x', '3c|3y', '|4z', '4d|5d'])
  expect(shown('a\nb\nc\nd', 'a\nx\ny\nz\nd', 'unified')).toEqual(['1a|1a', '2b|', '3c|', '|2x', '|3y', '|4z', '4d|5d'])
})

test('lines that are folded are counted in the numbers after them, and stand there when opened', () => {
  const text = (last: string) => [...Array.from({ length: 20 }, (_, i) => `=${i}`), last].join('\n')
  const folded = shown(text('a'), text('b'), 'unified')
  expect(folded).toEqual(['… 17', '18=17|18=17', '19=18|19=18', '20=19|20=19', '21a|', '|21b'])
  expect(shown(text('a'), text('b'), 'unified', new Set([0]))).toHaveLength(22)
})

test('lines that came and went are counted', () => {
  expect(countLines(diffLines('a\nb\nc', 'a\nx'))).toEqual({ added: 1, removed: 2 })
})

test('two long texts that have nothing in common are shown as replaced, within moments', () => {
  const text = (name: string) => Array.from({ length: 20_000 }, (_, i) => `${name} ${i}`).join('\n')
  expect(countLines(diffLines(text('old'), text('new')))).toEqual({ added: 20_000, removed: 20_000 })
})
