import { expect, test } from 'vitest'
import { diffLines, foldSame } from './diff-lines.ts'

const signs = { same: ' ', added: '+', removed: '-' }
const shown = (before: string, after: string) => diffLines(before, after).map(({ kind, text }) => signs[kind] + text)

test('lines that stayed, went and came stand in the order of the text', () => {
  expect(shown('a\nb\nc\nd', 'a\nx\nc\ny\nd')).toEqual([' a', '-b', '+x', ' c', '+y', ' d'])
  expect(shown('', 'a\nb')).toEqual(['+a', '+b'])
  expect(shown('a\nb', '')).toEqual(['-a', '-b'])
  expect(shown('a\na\na', 'a\na')).toEqual([' a', ' a', '-a'])
  expect(shown('same', 'same')).toEqual([' same'])
})

test('both texts can be put together again from it, whatever they are', () => {
  let seed = 1
  const chance = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below
  for (let round = 0; round < 200; round++) {
    const text = () => Array.from({ length: chance(12) + 1 }, () => 'abc'[chance(3)]).join('\n')
    const [before, after] = [text(), text()]
    const lines = diffLines(before, after)
    const joined = (without: string) =>
      lines
        .filter(({ kind }) => kind !== without)
        .map((line) => line.text)
        .join('\n')
    expect([joined('added'), joined('removed')]).toEqual([before, after])
  }
})

test('of long stretches that are the same only what is near a change is shown, and nothing is lost', () => {
  const text = (changed: string) => Array.from({ length: 40 }, (_, i) => (i === 20 ? changed : `line ${i}`)).join('\n')
  const lines = diffLines(text('a'), text('b'))
  const parts = foldSame(lines)
  expect(parts.map(({ lines: { length }, isFolded }) => [length, isFolded])).toEqual([
    [17, true],
    [8, false],
    [16, true],
  ])
  expect(parts.flatMap((part) => part.lines)).toEqual(lines)
  expect(foldSame(diffLines('a\nb\nc', 'a\nb\nd')).every(({ isFolded }) => !isFolded)).toBe(true)
  expect(foldSame([])).toEqual([])
})
