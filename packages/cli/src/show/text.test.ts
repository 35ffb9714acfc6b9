import fc from 'fast-check'
import { expect, test } from 'vitest'
import { columnsOf, cut, oneLine, padEnd, padStart, printable, wrap } from './text.ts'

test('East Asian characters and emoji take two columns, combining marks and colours none', () => {
  expect(['abc', '中文', 'é', 'e\u0301', '🚚', '👩‍🔧', '\u001b[31mred\u001b[0m', 'ｶﾅ', ''].map(columnsOf)).toEqual([3, 4, 1, 1, 2, 2, 3, 2, 0])
})

test('cut keeps whole characters and says that something is gone', () => {
  expect(cut('short', 5)).toBe('short')
  expect(cut('a longer text', 8)).toBe('a longe…')
  expect(cut('年度经常性收入', 8)).toBe('年度经…')
  expect(cut('年度经常性收入', 7)).toBe('年度经…')
  expect(cut('👩‍🔧👩‍🔧👩‍🔧', 5)).toBe('👩‍🔧👩‍🔧…')
  expect(cut('abc', 0)).toBe('')
})

test('padding counts columns, not characters', () => {
  expect(padEnd('地区', 6) + '|').toBe('地区  |')
  expect(padStart('地区', 6)).toBe('  地区')
})

test('lines break at spaces, between Chinese characters, and never before a closing mark', () => {
  expect(wrap('the quick brown fox', 10)).toEqual(['the quick', 'brown fox'])
  expect(wrap('上季度各地区的经常性收入是多少？', 12)).toEqual(['上季度各地区', '的经常性收入', '是多少？'])
  expect(wrap('北美地区增长，欧洲下降。', 12)).toEqual(['北美地区增', '长，欧洲下', '降。'])
  expect(wrap('one\n\n  two three', 8)).toEqual(['one', '', '  two', '  three'])
  expect(wrap('a b c d e f', 5, 2)).toEqual(['a b c', '  d e', '  f'])
  expect(wrap('abcdefghij', 4)).toEqual(['abcd', 'efgh', 'ij'])
})

test('no line that was wrapped or cut is too wide, and wrapping loses nothing but spaces', () => {
  const anything = fc
    .array(fc.oneof(fc.constantFrom(' ', '，', '。', 'a', 'longer-word', '中', '文字', '🚚', '1,234'), fc.string({ unit: 'grapheme', maxLength: 6 })), {
      maxLength: 30,
    })
    .map((parts) => printable(parts.join('')).replaceAll('\n', ''))
  fc.assert(
    fc.property(anything, fc.integer({ min: 4, max: 40 }), (text, columns) => {
      expect(columnsOf(cut(text, columns))).toBeLessThanOrEqual(columns)
      const lines = wrap(text.trim(), columns)
      // A closing mark stays with its character even where that makes the line a little wider.
      for (const line of lines) expect(columnsOf(line.replace(/[，。、；：？！）」』】》％…,.;:?!)\]%]+$/u, ''))).toBeLessThanOrEqual(columns)
      expect(lines.join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''))
    }),
    { numRuns: 2_000 },
  )
})

test('nothing in a text from elsewhere can move the cursor, colour, rename the window or reverse what is read', () => {
  expect(printable('a\u001b[2Jb\u001b[31;1mc\u001b]0;title\u0007d\u001b]8;;http://x\u001b\\e\u009b1mf\rg\bh\u202ei\u0000')).toBe('abcdef\nghi')
  expect(printable('tab\tand\r\nline')).toBe('tab  and\nline')
  expect(oneLine(' a\n  b\u001b[0m\tc ')).toBe('a b c')
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/.test(printable(text))))
})
