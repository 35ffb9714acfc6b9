import type { TablePart } from '@longhaul/protocol'
import { formatNumber } from '../../ui/format.ts'

type Column = TablePart['columns'][number]
type Cell = TablePart['rows'][number][number]
export type Sort = { column: number; isDescending: boolean }

/** Sorts by one column; equal cells keep their order, and what is missing comes last either way. */
export function sortRows(rows: TablePart['rows'], sort: Sort | null, locale: string): TablePart['rows'] {
  if (!sort) return rows
  const collator = new Intl.Collator(locale, { numeric: true })
  const direction = sort.isDescending ? -1 : 1
  return rows.toSorted((rowA, rowB) => {
    const a = rowA[sort.column] ?? null
    const b = rowB[sort.column] ?? null
    if (a === null || b === null) return Number(a === null) - Number(b === null)
    if (typeof a === 'number' && typeof b === 'number') return direction * (a - b)
    return direction * collator.compare(String(a), String(b))
  })
}

/** How the numbers of a column are written: with the same decimals, so that points line up, and as digits alone when they are names (years, ids). */
export function numberStyleOf(column: Column, values: readonly Cell[]): (value: number, locale: string) => string {
  const numbers = values.filter((value) => typeof value === 'number')
  if (/(^|_)(id|year|fiscal_year|zip|no)$|年份?$|编号$/i.test(column.name) && numbers.every(Number.isInteger)) return String
  const largest = Math.max(0, ...numbers.map(Math.abs))
  const decimals = Math.min(largest >= 1 ? 2 : 4, Math.max(0, ...numbers.map(decimalsOf)))
  return (value, locale) => formatNumber(value, locale, decimals)
}

function decimalsOf(value: number): number {
  for (let decimals = 0; decimals < 4; decimals++) if (Math.abs(value - Number(value.toFixed(decimals))) < 1e-9 * Math.max(1, Math.abs(value))) return decimals
  return 4
}

/** RFC 4180, with the exact values. A leading `=`, `+`, `-` or `@` of a text is defused: spreadsheets would run it as a formula. */
export function toCsv({ columns, rows }: Pick<TablePart, 'columns' | 'rows'>): string {
  const field = (cell: Cell): string => {
    if (cell === null) return ''
    const text = typeof cell === 'string' && /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : String(cell)
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
  return [columns.map(({ name }) => name), ...rows].map((row) => row.map(field).join(',')).join('\r\n')
}
