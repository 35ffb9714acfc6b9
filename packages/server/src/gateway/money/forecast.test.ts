import { expect, test } from 'vitest'
import { type PastDay, type Stretch, foresee, reachedMs } from './forecast.ts'

const dayMs = 86_400_000
/** Days in a row, the first of them a Monday. */
const past = (amounts: readonly number[]): PastDay[] => amounts.map((amount, n) => ({ weekday: (n % 7) + 1, amount }))
const ahead = (count: number, firstShare = 1): Stretch[] =>
  Array.from({ length: count }, (_, n) => ({ weekday: (n % 7) + 1, share: n === 0 ? firstShare : 1, startMs: n * dayMs, endMs: (n + 1) * dayMs }))

test('fewer than three whole days forecast nothing; three are a mean with a wide margin', () => {
  expect(foresee(past([10, 20]), ahead(5))).toEqual({ method: 'none', each: [], sums: [] })
  const { method, each, sums } = foresee(past([10, 20, 30]), ahead(2))
  expect(method).toBe('days')
  // Mean 20, deviation 10, t = 1.85: a day lies within 10 × √(1 + 1/3) × 1.85 of it.
  expect(each[0]).toEqual({ expected: 20, low: 0, high: 41 })
  expect(sums.map(({ expected }) => expected)).toEqual([20, 40])
})

test('days that are all alike have no margin, and a part of a day is a part of it', () => {
  const { each, sums } = foresee(past(Array.from({ length: 10 }, () => 100)), ahead(3, 0.25))
  expect(each.map(({ expected }) => expected)).toEqual([25, 100, 100])
  expect(sums.at(-1)).toEqual({ expected: 225, low: 225, high: 225 })
})

test('from two weeks on each weekday is expected to be as it was, so that weekends are no surprise', () => {
  const week = [100, 100, 100, 100, 100, 10, 0]
  expect(foresee(past([...week, ...week].slice(0, 13)), ahead(7)).method).toBe('days')
  const { method, each, sums } = foresee(past([...week, ...week]), ahead(9))
  expect(method).toBe('weekdays')
  expect(each.map(({ expected }) => expected)).toEqual([...week, 100, 100])
  expect(sums.at(-1)).toEqual({ expected: 710, low: 710, high: 710 })
})

test('what falls within the band four times out of five does so: days drawn from one distribution', () => {
  let seed = 1
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
  const draw = () => Array.from({ length: 12 }, random).reduce((sum, each) => sum + each, 0) * 1_000 // Near enough to normal.
  for (const historyDays of [4, 28]) {
    let within = 0
    for (let trial = 0; trial < 2_000; trial++) {
      const { sums } = foresee(past(Array.from({ length: historyDays }, draw)), ahead(10))
      const came = Array.from({ length: 10 }, draw).reduce((sum, each) => sum + each, 0)
      const last = sums.at(-1)
      if (last && came >= last.low && came <= last.high) within += 1
    }
    expect(within / 2_000, `${historyDays} days`).toBeGreaterThan(0.77)
    expect(within / 2_000, `${historyDays} days`).toBeLessThan(0.84)
  }
})

test('a limit is reached within the day that comes to it, at once where it is spent, and not at all where there is room', () => {
  const stretches = ahead(3)
  expect(reachedMs(150, 0, stretches, [100, 200, 300])).toBe(1.5 * dayMs)
  expect(reachedMs(150, 50, stretches, [100, 200, 300])).toBe(dayMs)
  expect(reachedMs(50, 60, stretches, [100, 200, 300])).toBe(0)
  expect(reachedMs(500, 60, stretches, [100, 200, 300])).toBeUndefined()
  expect(reachedMs(50, 0, stretches, [0, 0, 0])).toBeUndefined()
})
