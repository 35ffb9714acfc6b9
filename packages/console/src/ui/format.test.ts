import { describe, expect, test } from 'vitest'
import { formatBytes, formatCount, formatDuration, formatRelative, formatUsd } from './format.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

describe('durations', () => {
  test.each([
    [0, '0 ms'],
    [0.3, '<1 ms'],
    [38.4, '38 ms'],
    [999.4, '999 ms'],
    [999.6, '1.00 s'],
    [4_213, '4.21 s'],
    [9_999, '10.0 s'],
    [42_130, '42.1 s'],
    [59_960, '1 min'],
    [3 * minute + 12 * second, '3 min 12 s'],
    [hour, '1 h'],
    [2 * hour + 4 * minute + 40 * second, '2 h 5 min'],
    [3 * day + 4 * hour, '3 d 4 h'],
    [-5, '0 ms'],
  ])('%d ms is %s', (ms, text) => expect(formatDuration(ms, 'en-GB')).toBe(text))

  test('speak Chinese where the reader does', () => expect(formatDuration(2 * hour + 4 * minute, 'zh-CN')).toBe('2 小时 4 分'))
})

describe('money', () => {
  test.each([
    [0, '$0.00'],
    [0.0337, '$0.034'],
    [0.00042, '$0.00042'],
    [0.5, '$0.50'],
    [1234.5, '$1,234.50'],
  ])('%d is %s', (usd, text) => expect(formatUsd(usd, 'en-GB')).toBe(text))
})

describe('counts and bytes', () => {
  test.each([
    [18_600, '18,600'],
    [1_234_567, '1.2M'],
  ])('%d tokens are %s', (count, text) => expect(formatCount(count, 'en-GB').toUpperCase()).toBe(text))
  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [18_204, '18.2 kB'],
    [8_000_000, '8.0 MB'],
  ])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes, 'en-GB')).toBe(text))
})

test('times are told from now, in both directions, and far ones by date', () => {
  const now = Date.parse('2025-11-21T08:00:00Z')
  expect(formatRelative(now - 3 * minute, now, 'en-GB')).toBe('3 min ago')
  expect(formatRelative(now + 2 * hour, now, 'en-GB')).toBe('in 2 hr')
  expect(formatRelative(now - day, now, 'en-GB')).toBe('yesterday')
  expect(formatRelative(now - 40 * day, now, 'en-GB')).toBe('12 Oct 2025')
})
