import { expect, test } from 'vitest'
import { addMonths, day, firstOfMonth, toIso, weekday } from './calendar.ts'

test('days are reckoned as the calendar has them', () => {
  expect(toIso(addMonths(day('2026-01-28'), 1))).toBe('2026-02-28')
  expect(toIso(addMonths(day('2025-11-15'), 14))).toBe('2027-01-15')
  expect(toIso(firstOfMonth(day('2024-02-29')))).toBe('2024-02-01')
  expect([weekday(day('2026-11-16')), weekday(day('2026-11-22'))]).toEqual([0, 6])
})
