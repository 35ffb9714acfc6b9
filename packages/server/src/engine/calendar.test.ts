import type { Calendar } from '@longhaul/protocol'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { checkedCalendar, dueFires, firesFrom, nextFire } from './calendar.ts'

const at = (text: string) => Date.parse(text)
const cron = (text: string, timeZone = 'UTC'): Calendar => ({ kind: 'cron', cron: text, timeZone })
const next = (calendar: Calendar, from: string, count: number) =>
  firesFrom(calendar, nextFire(calendar, at(from)), count).map((ms) => new Date(ms).toISOString())

test('a daily fire stays at its hour through both changes of the clock, and happens once on each day', () => {
  // In Berlin 02:30 does not exist on 29 March 2026, and comes twice on 25 October.
  expect(next(cron('30 2 * * *', 'Europe/Berlin'), '2026-03-28T00:00:00Z', 3)).toEqual([
    '2026-03-28T01:30:00.000Z',
    '2026-03-29T01:00:00.000Z',
    '2026-03-30T00:30:00.000Z',
  ])
  expect(next(cron('30 2 * * *', 'Europe/Berlin'), '2026-10-24T00:00:00Z', 3)).toEqual([
    '2026-10-24T00:30:00.000Z',
    '2026-10-25T00:30:00.000Z',
    '2026-10-26T01:30:00.000Z',
  ])
  expect(next(cron('0 9 * * 1-5', 'America/New_York'), '2026-03-06T00:00:00Z', 2)).toEqual(['2026-03-06T14:00:00.000Z', '2026-03-09T13:00:00.000Z'])
})

test('a fire every half hour goes on evenly through both changes of the clock', () => {
  for (const from of ['2026-03-28T22:10:00Z', '2026-10-24T22:10:00Z']) {
    const fires = firesFrom(cron('*/30 * * * *', 'Europe/Berlin'), nextFire(cron('*/30 * * * *', 'Europe/Berlin'), at(from)), 12)
    expect(fires.slice(1).map((ms, i) => ms - (fires[i] ?? 0))).toEqual(Array(11).fill(1_800_000))
  }
})

test('this process’s clock has no say in it', () => {
  const calendars: Calendar[] = [cron('*/5 * * * *', 'Asia/Shanghai'), { kind: 'interval', everyMs: 60_000, from: '2026-01-01T00:00:00Z' }]
  const told = () =>
    calendars.map((calendar) => [
      next(calendar, '2026-05-05T05:05:05Z', 3),
      dueFires(calendar, { nextMs: at('2026-05-05T05:10:00Z'), nowMs: at('2026-05-05T06:00:00Z'), catchUp: 'one' }),
    ])
  const before = told()
  try {
    for (const hours of [-1, 1, 24 * 365]) {
      vi.useFakeTimers({ toFake: ['Date'], now: at('2026-05-05T05:05:05Z') + hours * 3_600_000 })
      expect(told()).toEqual(before)
    }
  } finally {
    vi.useRealTimers()
  }
})

test('what was missed is left out, made up for by the last, or by all, as the schedule says', () => {
  const calendar = cron('0 * * * *')
  const outage = { nextMs: at('2026-01-01T01:00:00Z'), nowMs: at('2026-01-01T04:30:00Z') }
  expect(dueFires(calendar, { ...outage, catchUp: 'skip' })).toEqual({ fires: [], missed: at('2026-01-01T04:00:00Z'), nextMs: at('2026-01-01T05:00:00Z') })
  expect(dueFires(calendar, { ...outage, catchUp: 'one' })).toEqual({ fires: [at('2026-01-01T04:00:00Z')], missed: null, nextMs: at('2026-01-01T05:00:00Z') })
  expect(dueFires(calendar, { ...outage, catchUp: 'all' }).fires).toEqual([1, 2, 3, 4].map((hour) => at(`2026-01-01T0${hour}:00:00Z`)))
  // A fire that is only a little late is no missed one, and makes up for those before it.
  const late = { nextMs: at('2026-01-01T01:00:00Z'), nowMs: at('2026-01-01T04:00:20Z') }
  for (const catchUp of ['skip', 'one'] as const) expect(dueFires(calendar, { ...late, catchUp }).fires).toEqual([at('2026-01-01T04:00:00Z')])
})

test('a long outage of a frequent schedule is not counted through, and all of it is made up for in parts', () => {
  const calendar: Calendar = { kind: 'interval', everyMs: 1_000, from: '2026-01-01T00:00:00Z' }
  const outage = { nextMs: at('2026-01-01T00:00:01Z'), nowMs: at('2026-02-01T00:00:00Z') }
  const { fires } = dueFires(calendar, { ...outage, catchUp: 'one' })
  expect(fires).toHaveLength(61)
  let nextMs: number | null = at('2026-01-31T23:55:00Z')
  const made: number[] = []
  while (nextMs !== null && nextMs <= outage.nowMs) {
    const part = dueFires(calendar, { nextMs, nowMs: outage.nowMs, catchUp: 'all' })
    expect(part.fires.length).toBeLessThanOrEqual(100)
    made.push(...part.fires)
    nextMs = part.nextMs
  }
  expect(made).toHaveLength(301)
  expect(new Set(made).size).toBe(301)
})

test('however it is looked at, no fire comes early, twice or out of order', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<Calendar>(cron('*/7 * * * *', 'Europe/Berlin'), cron('15 2 * * *', 'America/New_York'), {
        kind: 'interval',
        everyMs: 90_000,
        from: '2026-03-01T00:00:00Z',
      }),
      fc.constantFrom('skip' as const, 'one' as const, 'all' as const),
      fc.array(fc.integer({ min: 1, max: 7_200_000 }), { minLength: 1, maxLength: 20 }),
      (calendar, catchUp, pauses) => {
        let nowMs = at('2026-03-28T23:00:00Z')
        let nextMs = nextFire(calendar, nowMs)
        let last = nowMs
        for (const pause of pauses) {
          nowMs += pause
          if (nextMs === null) return
          const due = dueFires(calendar, { nextMs, nowMs, catchUp })
          for (const fire of due.fires) {
            expect(fire).toBeGreaterThan(last)
            expect(fire).toBeLessThanOrEqual(nowMs)
            last = fire
          }
          expect(due.nextMs ?? Infinity).toBeGreaterThan(last)
          nextMs = due.nextMs
        }
      },
    ),
    { numRuns: 60 },
  )
})

test('a calendar that never fires, or is none, is refused with what is wrong about it', () => {
  const refused = (calendar: Calendar) => {
    try {
      return checkedCalendar(calendar, at('2026-01-01T00:00:00Z')).nextMs
    } catch (error) {
      return String(error)
    }
  }
  expect(refused(cron('61 * * * *'))).toContain('Invalid value for minute')
  expect(refused(cron('0 0 30 2 *'))).toContain('never fires')
  expect(refused(cron('0 0 * * *', 'Mars/Olympus'))).toContain('no time zone "Mars/Olympus"')
  expect(refused(cron('* * * * * *'))).toContain('five fields')
  expect(refused({ kind: 'once', at: '2025-12-31T23:59:59Z' })).toContain('has passed')
  expect(refused({ kind: 'once', at: '2026-01-01T01:00:00+01:00' })).toContain('has passed')
  expect(refused(cron('@daily'))).toBe(at('2026-01-02T00:00:00Z'))
})
