import fc from 'fast-check'
import { expect, test } from 'vitest'
import { layOut } from './table.ts'
import type { TableValue } from './table.ts'
import { columnsOf } from './text.ts'

const drawn = (...[columns, rows, width]: Parameters<typeof layOut>) => {
  const { head, rule, rows: lines } = layOut(columns, rows, width)
  return `\n${[head, rule, ...lines].join('\n')}\n`
}
const numbers = (values: TableValue[]) =>
  layOut(
    [{ name: 'n', isNumber: true }],
    values.map((value) => [value]),
    80,
  ).rows.map((row) => row.trim())

test('numbers stand right-aligned with thousands separators, whatever alphabet stands beside them', () => {
  expect(
    drawn(
      [{ name: '地区' }, { name: 'ARR', isNumber: true }, { name: 'share', isNumber: true }],
      [
        ['North America', 21_400_120, 44.4],
        ['亚太地区', 9_702_651, 20],
        [null, 5_000, null],
      ],
      80,
    ),
  ).toBe(`
地区                  ARR  share
────────────────────────────────
North America  21,400,120   44.4
亚太地区        9,702,651   20.0
–                   5,000      –
`)
})

test('a column has as many decimals as it needs, and none that nobody reads', () => {
  expect(numbers([0.4432, 0.1])).toEqual(['0.4432', '0.1000'])
  expect(numbers([123.456, 1])).toEqual(['123.46', '1.00'])
  expect(numbers([21_400_120.5, 15_010_233.25])).toEqual(['21,400,121', '15,010,233'])
  expect(numbers([21_400_120.5, 0.5])).toEqual(['21,400,120.5', '0.5'])
  expect(numbers([0.1 + 0.2])).toEqual(['0.300000'])
  expect(numbers([-1_234, 0])).toEqual(['-1,234', '0'])
  expect(numbers([1e21, 1.5e-9])).toEqual(['1e+21', '1.5e-9'])
})

test('years and ids keep their plain form', () => {
  const one = (name: string, value: number) => layOut([{ name, isNumber: true }], [[value]], 80).rows[0]?.trim()
  expect([one('fiscal_year', 2_027), one('年份', 2_026), one('account_id', 12_345), one('accountId', 12_345)]).toEqual(['2027', '2026', '12345', '12345'])
  expect([one('years_total', 12_345), one('paid', 12_345)]).toEqual(['12,345', '12,345'])
})

test('a table too wide for the terminal loses text first, then columns at the right, never a number', () => {
  const columns = [{ name: 'customer' }, { name: 'owner' }, { name: 'revenue', isNumber: true }]
  const rows = [
    ['Kestrel Logistics and Transport Holding', 'Ann', 1_234_567],
    ['华东第一运输与仓储有限责任公司', 'Bo', 89],
  ]
  expect(drawn(columns, rows, 36)).toBe(`
customer            owner    revenue
────────────────────────────────────
Kestrel Logistics…  Ann    1,234,567
华东第一运输与仓…   Bo            89
`)
})

test('the narrow one keeps the columns it has room for and names the others', () => {
  const wide = layOut([{ name: 'a' }, { name: 'b', isNumber: true }, { name: 'c' }, { name: 'd' }], [['x'.repeat(30), 123_456, 'y'.repeat(30), 'z']], 22)
  expect(wide.hidden).toEqual(['c', 'd'])
  expect(wide.isCut).toBe(true)
  expect(wide.rows).toEqual([`${'x'.repeat(12)}…  123,456`])
})

test('no line is ever wider than asked, as long as one number fits, and no number is ever cut', () => {
  const value = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.constantFrom('中文字符', '🚚', ''), fc.constant(null))
  const table = fc.integer({ min: 1, max: 7 }).chain((width) =>
    fc.record({
      columns: fc.array(fc.record({ name: fc.string({ maxLength: 15 }), isNumber: fc.boolean() }), { minLength: width, maxLength: width }),
      rows: fc.array(fc.array(value, { minLength: width, maxLength: width }), { maxLength: 8 }),
      amounts: fc.array(fc.integer({ min: -1e9, max: 1e9 }), { minLength: 8, maxLength: 8 }),
    }),
  )
  fc.assert(
    fc.property(table, fc.integer({ min: 30, max: 100 }), ({ columns, rows, amounts }, width) => {
      const typed = rows.map((row, at) => row.map((cell, column) => (columns[column]?.isNumber ? (amounts[at] ?? 0) : cell)))
      const { head, rule, rows: lines, hidden } = layOut(columns, typed, width)
      for (const line of [head, rule, ...lines]) expect(columnsOf(line)).toBeLessThanOrEqual(width)
      const shown = columns.length - hidden.length
      const [first] = columns.slice(0, shown).flatMap((column, at) => (column.isNumber && !/id$|year/i.test(column.name) ? [at] : []))
      if (first !== undefined) for (const [at, row] of typed.entries()) expect(lines[at]).toContain(Number(row[first]).toLocaleString('en-US'))
    }),
    { numRuns: 1_000 },
  )
})
