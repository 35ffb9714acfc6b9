import { describe, expect, test } from 'vitest'
import { numberStyleOf, sortRows, toCsv } from './answer-table.ts'

const column = (name: string, type: 'text' | 'number' = 'number') => ({ name, type })

describe('sorting a table', () => {
  const rows = [
    ['b', 2],
    ['a', null],
    ['c', 10],
    ['d', 2],
  ]

  test('numbers sort as numbers, and equal ones keep their order', () => {
    expect(sortRows(rows, { column: 1, isDescending: false }, 'en').map(([name]) => name)).toEqual(['b', 'd', 'c', 'a'])
  })
  test('what is missing comes last in both directions', () => {
    expect(sortRows(rows, { column: 1, isDescending: true }, 'en').map(([name]) => name)).toEqual(['c', 'b', 'd', 'a'])
  })
  test('without a sort the rows stay as the query gave them', () => {
    expect(sortRows(rows, null, 'en')).toBe(rows)
  })
})

describe('writing numbers', () => {
  test('all numbers of a column have the same decimals', () => {
    const write = numberStyleOf(column('arr'), [4211908.1, 12, null])
    expect([write(4211908.1, 'en'), write(12, 'en')]).toEqual(['4,211,908.1', '12.0'])
  })
  test('whole numbers have none, long fractions two, shares below one four', () => {
    expect(numberStyleOf(column('count'), [1200, 3])(1200, 'en')).toBe('1,200')
    expect(numberStyleOf(column('avg'), [10 / 3])(10 / 3, 'en')).toBe('3.33')
    expect(numberStyleOf(column('share'), [1 / 3])(1 / 3, 'en')).toBe('0.3333')
  })
  test('years and ids are names, not amounts', () => {
    expect(numberStyleOf(column('year'), [2025])(2025, 'en')).toBe('2025')
    expect(numberStyleOf(column('account_id'), [1000442])(1000442, 'en')).toBe('1000442')
    expect(numberStyleOf(column('revenue'), [2025])(2025, 'en')).toBe('2,025')
  })
})

describe('CSV', () => {
  test('quotes what needs it and keeps exact values', () => {
    expect(
      toCsv({
        columns: [column('name', 'text'), column('n')],
        rows: [
          ['a "b", c', 0.1],
          ['line\nbreak', null],
        ],
      }),
    ).toBe('name,n\r\n"a ""b"", c",0.1\r\n"line\nbreak",')
  })
  test('a text that a spreadsheet would run as a formula is defused, a negative number is not touched', () => {
    expect(toCsv({ columns: [column('x', 'text')], rows: [['=HYPERLINK("http://x")'], [-5], ['-5']] })).toBe(`x\r\n"'=HYPERLINK(""http://x"")"\r\n-5\r\n'-5`)
  })
})
