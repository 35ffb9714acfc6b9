/** When two values mean the same, however they were written. */
import type { Cell } from '@longhaul/protocol'
import type { z } from 'zod'

export type CellValue = z.infer<typeof Cell>

export function sameCell(truth: CellValue, given: CellValue, tolerance: number): boolean {
  if (isNothing(truth) || isNothing(given)) return isNothing(truth) && isNothing(given)
  if (typeof truth === 'number' || typeof given === 'number') {
    const [a, b] = [numberOf(truth), numberOf(given)]
    return a !== undefined && b !== undefined && sameNumber(a, b, tolerance)
  }
  return normalText(truth) === normalText(given)
}

/** Relative to the truth, so that an answer cannot widen its own tolerance. The absolute part only forgives what binary fractions do. */
export const sameNumber = (truth: number, given: number, tolerance: number): boolean => Math.abs(truth - given) <= tolerance * Math.abs(truth) + 1e-9

const isNothing = (value: CellValue): boolean => value === null || (typeof value === 'string' && /^\s*(–|-|—|null)?\s*$/i.test(value))

/** A text counts as a number only as a whole: `1,234.50`, `$1,234`, `12%` (twelve), never `Q3` or `00123-A`. */
export function numberOf(value: CellValue): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value !== 'string') return undefined
  const text = value
    .trim()
    .replace(/^([-−]?)\s*(?:US\$|[$€£¥￥])\s*/, '$1')
    .replace(/\s*[%％]$/, '')
    .replace('−', '-')
  return /^-?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text.replaceAll(',', '')) : undefined
}

function normalText(value: CellValue): string {
  const text = String(value).normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase()
  return normalDate(text) ?? text
}

/** Dates in one form: a midnight is its day, the first of a month its month, and quarters have one spelling. */
export function normalDate(text: string): string | undefined {
  const day =
    /^(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?(?:[t ]00:00(?::00(?:\.0+)?)?(?:z|[+-]00:?00)?)?$/i.exec(text) ??
    /^(\d{4})年(\d{1,2})月(?:(\d{1,2})日)?$/.exec(text)
  if (day) {
    const [, year, month = '', date = '1'] = day
    return `${year}-${month.padStart(2, '0')}${Number(date) === 1 ? '' : `-${date.padStart(2, '0')}`}`
  }
  const quarter =
    /^(\d{4})[- ]?q([1-4])$/i.exec(text) ??
    /^q([1-4])[- ](\d{4})$/i.exec(text)?.map((part, at, all) => [part, all[2], all[1]][at] ?? part) ??
    /^(\d{4})年第?([1-4一二三四])季度$/.exec(text)
  if (!quarter) return undefined
  const [, year, number = ''] = quarter
  return `${year}-q${'一二三四'.includes(number) ? '一二三四'.indexOf(number) + 1 : number}`
}
