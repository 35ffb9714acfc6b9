/** The calendar of a time zone, as the database knows it. No tables. */
import type { Budget } from '@longhaul/protocol'
import { type Tx, sql } from '../../db/index.ts'
import { windowOf } from './window-store.ts'

/** `weekday`: 1, a Monday, to 7. */
export type CalendarDay = { at: Date; endsAt: Date; weekday: number }
export type Calendar = { startsAt: Date | null; endsAt: Date | null; days: CalendarDay[] }

/** The window around an instant (`total` has none), and the days from so many before it to so many after it. */
export async function readCalendar(
  db: Tx,
  { now, timeZone, per, daysBefore, daysAfter }: { now: Date; timeZone: string; per: Exclude<Budget['per'], 'run'>; daysBefore: number; daysAfter: number },
): Promise<Calendar> {
  const days = await db.rows<CalendarDay>(sql`
    select (day + n * interval '1 day') at time zone ${timeZone} as at, (day + (n + 1) * interval '1 day') at time zone ${timeZone} as "endsAt",
      extract(isodow from day + n * interval '1 day')::int as weekday
    from (select date_trunc('day', ${now}::timestamptz at time zone ${timeZone}) as day) as today, generate_series(${-daysBefore}::int, ${daysAfter}::int) as n
    order by n`)
  if (per === 'total') return { startsAt: null, endsAt: null, days }
  const { startsAt, endsAt } = windowOf({ per: sql`${per}::text`, at: sql`${now}::timestamptz`, timeZone: sql`${timeZone}::text` })
  const [window] = await db.rows<{ startsAt: Date; endsAt: Date }>(sql`select ${startsAt} as "startsAt", ${endsAt} as "endsAt"`)
  return { startsAt: window?.startsAt ?? null, endsAt: window?.endsAt ?? null, days }
}
