// What both languages' readers of time share: what a phrase stands for, before it is known what for.
import {
  addDays,
  addMonths,
  dayOf,
  monthIn,
  partOfYear,
  startOf,
  unitAt,
  yearCalled,
  type Day,
  type FiscalYear,
  type Period,
  type System,
  type Unit,
} from './calendar.ts'
import type { Token } from './tokens.ts'

/** What the semantic layer says about time. `system` is what quarter and year mean when nothing is said. */
export type Calendar = { today: Day; completeUntil: Day; dataFrom: Day; fiscal: FiscalYear; system: System }

/** A phrase read from tokens; `next` is the first token after it. */
export type Read<T> = { value: T; next: number }

export type TimePhrase = {
  period: Period
  /** A moment of the period was meant: "at the end of", "as of". */
  edge?: 'start' | 'end'
  /** "Month end" without saying of which. */
  isBare?: boolean
  /** Both ends of a range, since "from Q1 to Q2" is a range for tickets and a comparison for growth. */
  pair?: [Period, Period]
  /** Open towards one side. */
  open?: 'since' | 'until'
  /** So long ago: a moment for a state, a whole unit for a sum. */
  ago?: { unit: Unit; count: number }
  /** A month or quarter whose year was not said, to be read again in the year of its neighbour. */
  inYear?: (year: Period) => Period
  /** Said by its distance from now: last month, 上季度. */
  isRelative?: boolean
  /** What "since" was said of. */
  since?: { period: Period; isRelative: boolean }
  /** "today" itself, rather than a word for the present state of things. */
  saidToday?: boolean
  /** The year that was said, for that neighbour. */
  year?: Period
  /** "The last two years": months in a row for a sum, full years where each is asked for. */
  years?: Period
}

export type YearRef = { period: Period; /** Years from now, when it was said so. */ offset?: number; isBare?: boolean; saidSystem?: System }

export const whole = (period: Period): TimePhrase => ({ period })
export const dayPeriod = (day: Day): Period => ({ from: day, to: addDays(day, 1), unit: 'day' })

/** The last such part of a year that is over. */
export function latestPart(calendar: Calendar, unit: 'quarter' | 'half', number: number, system: System): Period {
  const isOver = (period: Period) => period.to <= addDays(calendar.completeUntil, 1)
  const thisYear = unitAt(calendar.today, 'year', 0, system, calendar.fiscal)
  const candidate = partOfYear(thisYear, unit, number)
  return isOver(candidate) ? candidate : { ...candidate, from: addMonths(candidate.from, -12), to: addMonths(candidate.to, -12) }
}

export function latestMonth(calendar: Calendar, month: number): Period {
  const thisYear = unitAt(calendar.today, 'year', 0, 'calendar', calendar.fiscal)
  const candidate = monthIn(thisYear, month)
  return candidate.to <= addDays(calendar.completeUntil, 1)
    ? candidate
    : { ...candidate, from: addMonths(candidate.from, -12), to: addMonths(candidate.to, -12) }
}

/** A month of a year: of the calendar year, unless that year was called fiscal. */
export function monthOf(calendar: Calendar, year: YearRef, month: number): Period {
  const isCalendar = year.saidSystem !== 'fiscal'
  if (isCalendar && year.offset !== undefined) return monthIn(unitAt(calendar.today, 'year', year.offset, 'calendar', calendar.fiscal), month)
  return monthIn(year.period, month)
}

/** A quarter or half of a year. A bare number then means the year as the business counts for a quarter, the calendar's for a half. */
export function partOf(calendar: Calendar, year: YearRef, unit: 'quarter' | 'half', number: number, said?: System): Period {
  const system = said ?? year.saidSystem ?? (unit === 'half' && year.isBare ? 'calendar' : calendar.system)
  if (year.offset !== undefined) return partOfYear(unitAt(calendar.today, 'year', year.offset, system, calendar.fiscal), unit, number)
  if (year.isBare) return partOfYear(yearCalled(Number(year.period.from.slice(0, 4)), system, calendar.fiscal), unit, number)
  return partOfYear(year.period, unit, number)
}

/** The last `count` full units before the present one; days count up to the last complete day, years as twelve months each. */
export function rolling(calendar: Calendar, unit: Unit, count: number, said?: System): Period {
  if (unit === 'day') {
    const to = addDays(calendar.completeUntil, 1)
    return { from: addDays(to, -count), to, unit, count }
  }
  if (unit === 'year' || unit === 'half') return rolling(calendar, 'month', count * (unit === 'year' ? 12 : 6))
  const system = said ?? calendar.system
  const to = startOf(calendar.today, unit, system, calendar.fiscal)
  return { from: unitAt(to, unit, -count, system, calendar.fiscal).from, to, unit, count, system }
}

/** "The last three years": twelve months each, and beside them the full years that are over. */
export function rollingYears(calendar: Calendar, count: number, said?: System): TimePhrase {
  const system = said ?? calendar.system
  const to = startOf(calendar.today, 'year', system, calendar.fiscal)
  const years: Period = { from: unitAt(to, 'year', -count, system, calendar.fiscal).from, to, unit: 'year', count, system }
  return { period: said ? years : rolling(calendar, 'year', count), years }
}

/** The last such day that there has been. */
export function latestDay(calendar: Calendar, month: number, date: number): Period | undefined {
  const year = Number(calendar.today.slice(0, 4))
  const day = numberedDay(year, month, date)
  return day && day.from <= calendar.today ? day : numberedDay(year - 1, month, date)
}

export const numberedDay = (year: number, month: number, date: number): Period | undefined => {
  if (month < 1 || month > 12 || date < 1 || date > 31) return undefined
  const day = dayOf(year, month, date)
  return Number(day.slice(5, 7)) === month ? dayPeriod(day) : undefined
}

/** Four digits that can be a year. */
export function yearNumber(token: Token | undefined): number | undefined {
  if (token?.kind !== 'number' || !/^\d{4}$/.test(token.norm)) return undefined
  const year = Number(token.norm)
  return year >= 1990 && year <= 2100 ? year : undefined
}

/** A year in two or four digits, as after FY. */
export function shortYear(token: Token | undefined): number | undefined {
  if (token?.kind !== 'number') return undefined
  return /^\d{2}$/.test(token.norm) ? 2000 + Number(token.norm) : yearNumber(token)
}

export const bareYear = (calendar: Calendar, year: number): YearRef => ({ period: yearCalled(year, 'calendar', calendar.fiscal), isBare: true })
export const fiscalYear = (calendar: Calendar, year: number): YearRef => ({ period: yearCalled(year, 'fiscal', calendar.fiscal), saidSystem: 'fiscal' })
export const calendarYear = (calendar: Calendar, year: number): YearRef => ({ period: yearCalled(year, 'calendar', calendar.fiscal), saidSystem: 'calendar' })

export function relativeYear(calendar: Calendar, offset: number, said?: System): YearRef {
  return { period: unitAt(calendar.today, 'year', offset, said ?? calendar.system, calendar.fiscal), offset, ...(said && { saidSystem: said }) }
}
