/** Windows of budgets by the calendar of a time zone, also where its clock is changed. */
import { afterAll, describe, expect, test } from 'vitest'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { readCalendar } from './forecast-store.ts'

const database = await makeDatabase()
afterAll(() => database[Symbol.asyncDispose]())

type Per = 'hour' | 'day' | 'week' | 'month'
const windowAt = async (per: Per, timeZone: string, at: string | Date) => {
  const { startsAt, endsAt } = await readCalendar(database.db, { now: new Date(at), timeZone, per, daysBefore: 0, daysAfter: 0 })
  return [startsAt?.toISOString(), endsAt?.toISOString()] as [string, string]
}

describe('at changes of the clock', () => {
  test.each<[string, Per, string, string, [string, string]]>([
    ['a day of 23 hours', 'day', 'Europe/Berlin', '2026-03-29T12:00:00Z', ['2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z']],
    ['a day of 25 hours', 'day', 'Europe/Berlin', '2026-10-25T12:00:00Z', ['2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z']],
    ['a month with an hour less', 'month', 'America/New_York', '2026-03-31T12:00:00Z', ['2026-03-01T05:00:00.000Z', '2026-04-01T04:00:00.000Z']],
    ['the first of two hours with one name', 'hour', 'Europe/Berlin', '2026-10-25T00:30:00Z', ['2026-10-25T00:00:00.000Z', '2026-10-25T01:00:00.000Z']],
    ['the second', 'hour', 'Europe/Berlin', '2026-10-25T01:30:00Z', ['2026-10-25T01:00:00.000Z', '2026-10-25T02:00:00.000Z']],
    ['the hour before one that is left out', 'hour', 'Europe/Berlin', '2026-03-29T00:30:00Z', ['2026-03-29T00:00:00.000Z', '2026-03-29T01:00:00.000Z']],
    ['hours of zones off the hour', 'hour', 'Asia/Kolkata', '2026-03-29T00:40:00Z', ['2026-03-29T00:30:00.000Z', '2026-03-29T01:30:00.000Z']],
    ['a day with two midnights', 'day', 'America/Havana', '2026-11-01T04:30:00Z', ['2026-11-01T04:00:00.000Z', '2026-11-02T05:00:00.000Z']],
    ['the day before it', 'day', 'America/Havana', '2026-11-01T03:30:00Z', ['2026-10-31T04:00:00.000Z', '2026-11-01T04:00:00.000Z']],
    ['a day without a midnight', 'day', 'America/Havana', '2026-03-08T06:00:00Z', ['2026-03-08T05:00:00.000Z', '2026-03-09T04:00:00.000Z']],
  ])('%s', async (_, per, timeZone, at, expected) => expect(await windowAt(per, timeZone, at)).toEqual(expected))

  test.each<[string, string[], Per[]]>([
    ['Europe/Berlin', ['2026-03-29T01:00:00Z', '2026-10-25T01:00:00Z'], ['hour', 'day', 'week', 'month']],
    ['America/New_York', ['2026-03-08T07:00:00Z', '2026-11-01T06:00:00Z'], ['hour', 'day', 'week', 'month']],
    ['America/Havana', ['2026-03-08T05:00:00Z', '2026-11-01T05:00:00Z'], ['hour', 'day', 'week', 'month']],
    ['America/Santiago', ['2026-04-05T03:00:00Z', '2026-09-06T04:00:00Z'], ['hour', 'day', 'week', 'month']],
    ['Australia/Lord_Howe', ['2026-04-04T15:00:00Z', '2026-10-03T15:30:00Z'], ['day', 'week', 'month']],
    ['Asia/Shanghai', ['2026-03-01T00:00:00Z'], ['hour', 'day', 'week', 'month']],
  ])('%s: each instant is in one window, and the next begins where it ends', { timeout: 60_000 }, async (timeZone, changes, pers) => {
    for (const change of changes)
      for (let minutes = -150; minutes <= 150; minutes += 25)
        for (const per of pers) {
          const at = new Date(Date.parse(change) + minutes * 60_000)
          const [startsAt, endsAt] = await windowAt(per, timeZone, at)
          expect(startsAt <= at.toISOString() && at.toISOString() < endsAt, `${per} of ${at.toISOString()}: ${startsAt} to ${endsAt}`).toBe(true)
          expect((await windowAt(per, timeZone, startsAt))[0]).toBe(startsAt)
          expect((await windowAt(per, timeZone, endsAt))[0]).toBe(endsAt)
          expect((await windowAt(per, timeZone, new Date(Date.parse(endsAt) - 1)))[0]).toBe(startsAt)
        }
  })
})
