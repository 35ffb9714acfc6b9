// Civil dates as ISO strings, periods as half-open ranges of them, and a fiscal year that may start in any month.

/** `2026-03-31`. Strings sort and compare as dates. */
export type Day = string

export type Unit = 'day' | 'week' | 'month' | 'quarter' | 'half' | 'year'
export type System = 'fiscal' | 'calendar'

/** From `from` up to, but not including, `to`. `unit` is set when it is exactly one of that unit; `count` when it is several. */
export type Period = { from: Day; to: Day; unit?: Unit; system?: System; count?: number }

/** `namedAfter`: whether FY2026 is the fiscal year that starts or the one that ends in 2026. */
export type FiscalYear = { startMonth: number; namedAfter: 'start' | 'end' }

const monthsIn = { month: 1, quarter: 3, half: 6, year: 12 } as const

const parts = (day: Day): [number, number, number] => [Number(day.slice(0, 4)), Number(day.slice(5, 7)), Number(day.slice(8, 10))]

export function dayOf(year: number, month: number, date: number): Day {
  return new Date(Date.UTC(year, month - 1, date)).toISOString().slice(0, 10)
}

export function isDay(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && dayOf(...parts(text)) === text
}

export function addDays(day: Day, count: number): Day {
  const [year, month, date] = parts(day)
  return dayOf(year, month, date + count)
}

/** The same date some months away, or that month's last day when it has no such date. */
export function addMonths(day: Day, count: number): Day {
  const [year, month, date] = parts(day)
  const last = new Date(Date.UTC(year, month - 1 + count + 1, 0)).getUTCDate()
  return dayOf(year, month + count, Math.min(date, last))
}

export function addUnits(day: Day, unit: Unit, count: number): Day {
  if (unit === 'day') return addDays(day, count)
  if (unit === 'week') return addDays(day, 7 * count)
  return addMonths(day, monthsIn[unit] * count)
}

/** First day of the unit that holds `day`. Weeks start on Monday. */
export function startOf(day: Day, unit: Unit, system: System, fiscal: FiscalYear): Day {
  const [year, month, date] = parts(day)
  if (unit === 'day') return day
  if (unit === 'week') return addDays(day, -((new Date(Date.UTC(year, month - 1, date)).getUTCDay() + 6) % 7))
  const first = system === 'fiscal' ? fiscal.startMonth : 1
  const into = (month - first + 12) % 12
  return dayOf(year, month - (into % monthsIn[unit]), 1)
}

/** The unit that holds `day`, moved by `offset` units. */
export function unitAt(day: Day, unit: Unit, offset: number, system: System, fiscal: FiscalYear): Period {
  const from = addUnits(startOf(day, unit, system, fiscal), unit, offset)
  return { from, to: addUnits(from, unit, 1), unit, system }
}

/** The year called `name`: 2026, or FY2026. */
export function yearCalled(name: number, system: System, fiscal: FiscalYear): Period {
  if (system === 'calendar') return { from: dayOf(name, 1, 1), to: dayOf(name + 1, 1, 1), unit: 'year', system }
  const starts = fiscal.namedAfter === 'end' && fiscal.startMonth > 1 ? name - 1 : name
  return { from: dayOf(starts, fiscal.startMonth, 1), to: dayOf(starts + 1, fiscal.startMonth, 1), unit: 'year', system }
}

/** Part `number` (from 1) of a year: its second quarter, its first half. */
export function partOfYear(year: Period, unit: 'quarter' | 'half', number: number): Period {
  const from = addUnits(year.from, unit, number - 1)
  return { from, to: addUnits(from, unit, 1), unit, ...(year.system && { system: year.system }) }
}

/** The month `month` (1–12) that lies in a year-long period. */
export function monthIn(year: Period, month: number): Period {
  const [first, startMonth] = parts(year.from)
  const from = dayOf(month >= startMonth ? first : first + 1, month, 1)
  return { from, to: addMonths(from, 1), unit: 'month', system: 'calendar' }
}

/** The period just before, of the same length: one quarter back for a quarter, n days back for n days. */
export function previousOf(period: Period): Period {
  if (period.unit) {
    const from = addUnits(period.from, period.unit, -(period.count ?? 1))
    return { ...period, from, to: period.from }
  }
  const months = wholeMonths(period)
  if (months) return { ...period, from: addMonths(period.from, -months), to: period.from }
  return { ...period, from: addDays(period.from, -daysIn(period)), to: period.from }
}

export function yearBefore(period: Period): Period {
  return { ...period, from: addMonths(period.from, -12), to: addMonths(period.to, -12) }
}

export function daysIn(period: Period): number {
  return Math.round((Date.parse(period.to) - Date.parse(period.from)) / 86_400_000)
}

/** How many whole calendar months a period is, or 0 when it does not begin and end with a month. */
export function wholeMonths(period: Period): number {
  const [fromYear, fromMonth, fromDate] = parts(period.from)
  const [toYear, toMonth, toDate] = parts(period.to)
  return fromDate === 1 && toDate === 1 ? (toYear - fromYear) * 12 + toMonth - fromMonth : 0
}

/** `FY2026` and `Q3` for a fiscal period that is one; the year's name follows `namedAfter`. */
export function fiscalName(period: Period, fiscal: FiscalYear): { year: number; part?: number } {
  const yearStart = startOf(period.from, 'year', 'fiscal', fiscal)
  const [start] = parts(yearStart)
  const year = fiscal.namedAfter === 'end' && fiscal.startMonth > 1 ? start + 1 : start
  const [fromYear, fromMonth] = parts(period.from)
  const into = (fromYear - start) * 12 + fromMonth - fiscal.startMonth
  if (period.unit === 'quarter') return { year, part: into / 3 + 1 }
  if (period.unit === 'half') return { year, part: into / 6 + 1 }
  return { year }
}
