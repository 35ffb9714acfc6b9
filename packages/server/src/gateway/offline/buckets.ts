// Periods cut to what the data hold, and long periods cut into units.
import { addDays, addUnits, fiscalName, startOf, unitAt, type Day, type FiscalYear, type Period, type System, type Unit } from './calendar.ts'
import { rolling, type Calendar } from './time-reading.ts'

/** One period as a query takes it: sums run from `first` to `last`, states are those of `at`. */
export type Bucket = { label: string; period: Period; first: Day; last: Day; at: Day; isOpen: boolean }

export function bucketOf(period: Period, calendar: Calendar): Bucket {
  const end = addDays(period.to, -1)
  const isOpen = end > calendar.completeUntil && !(period.unit === 'day' && !period.count)
  return {
    label: labelOf(period, calendar.fiscal),
    period,
    first: period.from,
    last: end > calendar.completeUntil && period.from <= calendar.completeUntil ? calendar.completeUntil : end,
    at: end > calendar.today ? calendar.today : end,
    isOpen,
  }
}

/** The units that a period consists of, as far as they have begun. */
export function bucketsOf(period: Period, unit: Unit, system: System, calendar: Calendar, isState: boolean): Bucket[] {
  const buckets: Bucket[] = []
  const lastDay = isState ? calendar.today : calendar.completeUntil
  for (
    let from = startOf(period.from, unit, system, calendar.fiscal);
    from < period.to && from <= lastDay && buckets.length < 4_000;
    from = addUnits(from, unit, 1)
  ) {
    const whole: Period = { from, to: addUnits(from, unit, 1), unit, system }
    const isCut = whole.from < period.from || whole.to > period.to
    const cut = isCut ? { from: whole.from < period.from ? period.from : whole.from, to: whole.to > period.to ? period.to : whole.to } : whole
    buckets.push({ ...bucketOf(cut, calendar), label: labelOf(whole, calendar.fiscal) })
  }
  return buckets
}

/** How far back one looks "over time" when nothing is said. */
export function defaultSpan(unit: Unit, calendar: Calendar, said?: System): Period {
  if (unit === 'year') {
    const system = said ?? calendar.system
    const first = startOf(calendar.dataFrom, 'year', system, calendar.fiscal)
    const from = first < calendar.dataFrom ? addUnits(first, 'year', 1) : first
    const to = unitAt(calendar.today, 'year', 0, system, calendar.fiscal).from
    return { from, to: to > from ? to : addUnits(from, 'year', 1) }
  }
  const counts: Record<Exclude<Unit, 'year'>, number> = { day: 30, week: 12, month: 12, quarter: 8, half: 4 }
  return rolling(calendar, unit === 'half' ? 'quarter' : unit, unit === 'half' ? 8 : counts[unit], said)
}

export const clipped = (period: Period, buckets: readonly Bucket[]): Period => {
  const to = addDays(buckets.at(-1)?.last ?? addDays(period.to, -1), 1)
  return to === period.to ? period : { from: period.from, to }
}

/** 2026-03 · FY2027 Q3 · 2025 Q1 · FY2026 · 2026-03-05. */
export function labelOf(period: Period, fiscal: FiscalYear): string {
  const { unit, system, from } = period
  const isPlainYear = fiscal.startMonth === 1
  if ((period.count ?? 1) > 1 || unit === undefined) return `${from} – ${addDays(period.to, -1)}`
  if (unit === 'month') return from.slice(0, 7)
  if (unit === 'day' || unit === 'week') return from
  const name =
    system === 'fiscal'
      ? fiscalName(period, fiscal)
      : { year: Number(from.slice(0, 4)), part: Math.floor((Number(from.slice(5, 7)) - 1) / (unit === 'half' ? 6 : 3)) + 1 }
  const year = system === 'fiscal' && !isPlainYear ? `FY${name.year}` : String(name.year)
  if (unit === 'year') return year
  return `${year} ${unit === 'quarter' ? 'Q' : 'H'}${name.part ?? 1}`
}
