import { columnsOf, cut, oneLine, padEnd, padStart } from './text.ts'

/** `isWhole`: never cut, such as an id that somebody may copy. */
export type Column = { name: string; isNumber?: boolean; isWhole?: boolean }
export type TableValue = string | number | boolean | null
export type LaidOut = { head: string; rule: string; rows: string[]; isCut: boolean; hidden: string[] }

const gap = '  '
const textColumnsMin = 10

/**
 * Lays out a table in so many columns of a terminal. Numbers stand right-aligned, with thousands separators and with as many decimals
 * as the column needs. When it does not fit, wide text is cut, never a number; when that is not enough, columns at the right are left out.
 */
export function layOut(columns: Column[], rows: TableValue[][], width: number): LaidOut {
  const cells = columns.map((column, at) =>
    columnCells(
      column,
      rows.map((row) => row[at] ?? null),
    ),
  )
  const natural = columns.map(({ name }, at) => Math.max(1, columnsOf(oneLine(name)), ...(cells[at] ?? []).map(columnsOf)))
  const least = natural.map((wide, at) => (columns[at]?.isNumber || columns[at]?.isWhole ? wide : Math.min(wide, textColumnsMin)))

  let shown = columns.length
  while (shown > 1 && total(least.slice(0, shown)) > width) shown--
  const widths = fit(natural.slice(0, shown), least.slice(0, shown), width)

  const line = (texts: string[]) =>
    texts
      .map((text, at) => alignedTo(widths[at] ?? 0, columns[at]?.isNumber ?? false, text, at === shown - 1))
      .join(gap)
      .trimEnd()
  const names = columns.map(({ name }) => oneLine(name))
  return {
    head: line(names.slice(0, shown)),
    rule: '─'.repeat(total(widths)),
    rows: rows.map((_, row) => line(cells.slice(0, shown).map((column) => column[row] ?? ''))),
    isCut: widths.some((wide, at) => wide < (natural[at] ?? 0)),
    hidden: names.slice(shown),
  }
}

const total = (widths: number[]): number => widths.reduce((sum, width) => sum + width, 0) + gap.length * Math.max(0, widths.length - 1)

function alignedTo(width: number, isNumber: boolean, text: string, isLast: boolean): string {
  const fitting = cut(text, width)
  if (isNumber) return padStart(fitting, width)
  return isLast ? fitting : padEnd(fitting, width)
}

/** Takes from the widest text column first, so that narrow ones stay whole as long as possible. */
function fit(natural: number[], least: number[], width: number): number[] {
  const widths = [...natural]
  for (let over = total(widths) - width; over > 0; over--) {
    let widest = -1
    for (const [at, wide] of widths.entries()) if (wide > (least[at] ?? 0) && wide > (widths[widest] ?? 0)) widest = at
    if (widest < 0) return widths.map((wide) => Math.min(wide, width)) // One column alone that is too wide, or numbers only.
    widths[widest] = (widths[widest] ?? 0) - 1
  }
  return widths
}

function columnCells(column: Column, values: TableValue[]): string[] {
  const format = column.isNumber ? numberFormat(column.name, values) : String
  return values.map((value) => (value === null ? '–' : typeof value === 'number' ? format(value) : oneLine(String(value))))
}

/** Years and ids are numbers that nobody counts with: they keep their plain form. */
function isLabel(name: string, numbers: number[]): boolean {
  if (/(^|[_\s])id$/i.test(name) || /[a-z]I[dD]$/.test(name)) return true
  return /year|年/i.test(name) && numbers.every((value) => Number.isInteger(value) && value >= 1_000 && value <= 2_999)
}

function numberFormat(name: string, values: TableValue[]): (value: number) => string {
  const numbers = values.filter((value) => typeof value === 'number')
  if (isLabel(name, numbers)) return String
  const needed = Math.max(0, ...numbers.map(decimalsOf))
  const sizes = numbers.filter((value) => value !== 0).map(Math.abs)
  const [least, most] = [Math.min(...sizes), Math.max(0, ...sizes)]
  const decimals = Math.min(needed, least >= 1_000 ? 0 : most >= 100 ? 2 : most >= 1 ? 4 : 6)
  const format = new Intl.NumberFormat('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
  return (value) => (Math.abs(value) >= 1e15 || (value !== 0 && Math.abs(value) < 10 ** -decimals / 2) ? String(value) : format.format(value))
}

function decimalsOf(value: number): number {
  const [, fraction = '', exponent] = /^-?\d+(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? []
  return Math.max(0, fraction.length - Number(exponent ?? 0))
}
