/** A day, as the number of days since 1970-01-01: what DuckDB stores for a DATE, and what is quick to reckon with. */
export type Day = number

const msPerDay = 86_400_000

export const day = (iso: string): Day => Date.parse(`${iso}T00:00:00Z`) / msPerDay
export const toIso = (value: Day): string => new Date(value * msPerDay).toISOString().slice(0, 10)

/** 0 is Monday, 6 is Sunday. */
export const weekday = (value: Day): number => (((value + 3) % 7) + 7) % 7
export const month = (value: Day): number => new Date(value * msPerDay).getUTCMonth() + 1

/** The same day of the month, `count` months on. For days until the 28th, which every month has. */
export function addMonths(value: Day, count: number): Day {
  const date = new Date(value * msPerDay)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + count, date.getUTCDate()) / msPerDay
}

export function firstOfMonth(value: Day): Day {
  const date = new Date(value * msPerDay)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) / msPerDay
}

/** The business began; the first invoices, usage and tickets that the warehouse holds; the last full day; the day on which every question is asked. */
export const began = day('2021-02-01')
export const dataFrom = day('2023-11-01')
export const completeUntil = day('2026-11-17')
export const today = day('2026-11-18')
