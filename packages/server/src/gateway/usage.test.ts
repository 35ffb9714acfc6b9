import type { LanguageModelV4Usage } from '@ai-sdk/provider'
import { Usage } from '@longhaul/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toUsage } from './usage.ts'

const at = new Date('2026-11-15T00:00:00Z')
const model = 'anthropic/claude-sonnet-5-5'
const none = { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined, text: undefined, reasoning: undefined }
const usage = (input: Partial<LanguageModelV4Usage['inputTokens']>, output: Partial<LanguageModelV4Usage['outputTokens']>): LanguageModelV4Usage => ({
  inputTokens: { ...none, ...input },
  outputTokens: { ...none, ...output },
})

test('input includes what was cached, output includes reasoning, and cache writes are paid for', () => {
  expect(toUsage(model, usage({ total: 1_000, cacheRead: 400, cacheWrite: 100 }, { total: 50, reasoning: 30 }), at)).toEqual({
    input: 1_000,
    cachedInput: 400,
    output: 50,
    costUsd: 0.00179, // 500 at 2, 400 at 0.1, 100 at 2.5, 50 at 10, per million.
  })
})

test('a total that is missing is summed up from its parts', () => {
  expect(toUsage(model, usage({ noCache: 500, cacheRead: 400 }, { text: 20, reasoning: 30 }), at)).toMatchObject({ input: 900, cachedInput: 400, output: 50 })
})

test('a count that nobody reported makes the cost unknown, except where nothing costs', () => {
  expect(toUsage(model, undefined, at)).toEqual({ input: 0, cachedInput: 0, output: 0, costUsd: null })
  expect(toUsage(model, usage({ total: 1_000 }, {}), at)).toEqual({ input: 1_000, cachedInput: 0, output: 0, costUsd: null })
  expect(toUsage('offline/planner', undefined, at).costUsd).toBe(0)
})

test('whatever is reported, the record is valid, and no part is larger than its whole', () => {
  const count = fc.option(fc.oneof(fc.integer(), fc.double(), fc.nat(10_000)), { nil: undefined })
  const part = fc.record({ total: count, noCache: count, cacheRead: count, cacheWrite: count, text: count, reasoning: count })
  fc.assert(
    fc.property(part, part, (input, output) => {
      const recorded = Usage.parse(toUsage(model, usage(input, output), at))
      expect(recorded.cachedInput).toBeLessThanOrEqual(recorded.input)
    }),
    { numRuns: 1_000 },
  )
})
