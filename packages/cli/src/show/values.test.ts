import { expect, test } from 'vitest'
import { ago, bytes, cost, counted, duration, wholeNumber } from './values.ts'

test('durations have two figures that matter and carry over properly', () => {
  expect([0.4, 12.4, 999, 1_000, 59_949, 59_951, 119_600, 3_599_600, 7_260_000, 49 * 3_600_000].map(duration)).toEqual([
    '<1 ms',
    '12 ms',
    '999 ms',
    '1.0 s',
    '59.9 s',
    '1 min 0 s',
    '2 min 0 s',
    '1 h 0 min',
    '2 h 1 min',
    '2 days',
  ])
})

test('an unknown price is not zero', () => {
  expect([null, 0, 0.00001, 0.00123, 0.0999, 1.5, 1_234.567].map(cost)).toEqual(['cost unknown', '$0', '<$0.0001', '$0.0012', '$0.10', '$1.50', '$1234.57'])
})

test('counts agree with their noun', () => {
  expect([counted(1, 'row'), counted(0, 'row'), counted(12_000, 'row'), counted(2, 'try', 'tries')]).toEqual(['1 row', '0 rows', '12,000 rows', '2 tries'])
  expect(wholeNumber(1_234.5)).toBe('1,234.5')
  expect([999, 1_000, 12_400, 999_600, 1_500_000].map(bytes)).toEqual(['999 B', '1.0 kB', '12 kB', '1.0 MB', '1.5 MB'])
})

test('how long ago', () => {
  const now = Date.parse('2026-11-21T12:00:00Z')
  expect(['2026-11-21T11:59:55Z', '2026-11-21T11:59:00Z', '2026-11-21T10:00:00Z', '2026-11-11T12:00:00Z'].map((iso) => ago(iso, now))).toEqual([
    'just now',
    '1 min ago',
    '2 h ago',
    '10 days ago',
  ])
})
