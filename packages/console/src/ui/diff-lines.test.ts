import { expect, test } from 'vitest'
import { diffLines } from './diff-lines.ts'

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
