import { RollbackGuard, type VersionRecord } from '@longhaul/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { leastShare, whyRollBack } from './rollback-guard.ts'

const guard = RollbackGuard.parse({})
const record = (runCount: number, failedCount: number, more: Partial<VersionRecord> = {}): VersionRecord => ({
  version: 'other',
  runCount,
  failedCount,
  durationMsMedian: null,
  costUsdMean: null,
  ...more,
})

test('a version that fails far more often than the one before goes, one that fails as often stays', () => {
  expect(whyRollBack(guard, record(3, 3), record(100, 0))).toBe('3 of 3 runs failed, 0 of 100 with other; at most 10 % more are allowed')
  expect(whyRollBack(guard, record(3, 0), record(100, 0))).toBeUndefined()
  expect(whyRollBack(guard, record(100, 50), record(100, 50))).toBeUndefined()
  expect(whyRollBack(guard, record(100, 80), record(100, 50))).toContain('80 of 100')
})

test('few runs decide nothing: not before the least number, and not by one that fails among some', () => {
  expect(whyRollBack(guard, record(2, 2), record(0, 0))).toBeUndefined()
  expect(whyRollBack(guard, record(3, 1), record(0, 0))).toBeUndefined()
  expect(whyRollBack(guard, record(3, 2), record(0, 0))).toContain('2 of 3')
})

test('duration and cost are looked at when asked, and from twenty runs of each on', () => {
  const slow = { durationMsMedian: 3_000, costUsdMean: 0.02 }
  const usual = { durationMsMedian: 1_000, costUsdMean: 0.01 }
  expect(whyRollBack(guard, record(50, 0, slow), record(50, 0, usual))).toBeUndefined()
  const strict = { ...guard, durationRatioMax: 2 }
  expect(whyRollBack(strict, record(50, 0, slow), record(50, 0, usual))).toBe(
    'the median duration is 3000 ms, 1000 ms before; at most 2 times as much is allowed',
  )
  expect(whyRollBack(strict, record(19, 0, slow), record(50, 0, usual))).toBeUndefined()
  expect(whyRollBack({ ...guard, costRatioMax: 1.5 }, record(20, 0, slow), record(20, 0, usual))).toContain('mean cost is 0.02 USD')
  expect(whyRollBack({ ...guard, costRatioMax: 2 }, record(20, 0, slow), record(20, 0, usual))).toBeUndefined()
})

test('the least likely share is never above the share itself, rises with failures, and nears the share with many runs', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (runCount, share) => {
      const failed = Math.floor(share * runCount)
      const least = leastShare(failed, runCount)
      expect(least).toBeGreaterThanOrEqual(0)
      expect(least).toBeLessThanOrEqual(failed / runCount + 1e-12)
      if (failed > 0) expect(least).toBeGreaterThan(leastShare(failed - 1, runCount))
      expect(leastShare(failed * 100, runCount * 100)).toBeGreaterThanOrEqual(least - 1e-12)
    }),
  )
  // By hand: 8 of 10 at z = 1.645 gives 0.541.
  expect(leastShare(8, 10)).toBeCloseTo(0.541, 3)
})

test('a score that falls further than it may decides alone, and only against the same suite', () => {
  const scored = (passedCount: number, suite = 'answers') => record(0, 0, { scores: { [suite]: { passedCount, caseCount: 20 } } })
  const strict = { ...guard, scoreDropMax: 0.05 }
  expect(whyRollBack(strict, scored(17), scored(19))).toBe('17 of 20 cases of answers passed, 19 of 20 with other; at most 5 % fewer are allowed')
  expect(whyRollBack(strict, scored(18), scored(19))).toBeUndefined()
  expect(whyRollBack(guard, scored(0), scored(19))).toBeUndefined()
  expect(whyRollBack(strict, scored(0), scored(19, 'other-questions'))).toBeUndefined()
})
