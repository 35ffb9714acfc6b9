import { ModelFacts } from '@longhaul/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cloudProviders } from '../providers.ts'
import { type TokenBuckets, noTokens, inputOf, outputOf } from './buckets.ts'
import { catalogue, catalogueCostUsd, findModelFacts, priceOn } from './catalogue.ts'
import { costOf, worstCost } from './rates.ts'

const today = new Date('2026-11-15T12:00:00Z')
const million = { ...noTokens, input: 1_000_000 }
const short = { ...noTokens, input: 100_000, output: 10_000 }
const cost = (model: string, tokens: TokenBuckets = short, at = today) => catalogueCostUsd(model, tokens, at)

test('the catalogue is what the schema says, each model is there once, and the main providers are', () => {
  for (const facts of catalogue.models) expect(ModelFacts.parse(facts)).toEqual(facts)
  expect(new Set(catalogue.models.map(({ model }) => model)).size).toBe(catalogue.models.length)
  for (const provider of ['openai', 'anthropic', 'google', 'deepseek', 'qwen', 'moonshot', 'zhipu', 'mistral', 'groq'])
    expect(catalogue.models.filter(({ model, prices }) => model.startsWith(`${provider}/`) && prices.length > 0).length, provider).toBeGreaterThan(0)
})

test('each kind of token has its own rate', () => {
  expect(
    cost('anthropic/claude-sonnet-5-5', {
      ...noTokens,
      input: 300_000,
      cacheRead: 600_000,
      cacheWrite: 60_000,
      cacheWriteLong: 40_000,
      output: 150_000,
      reasoning: 50_000,
    }),
  ).toBeCloseTo(0.3 * 2 + 0.6 * 0.1 + 0.06 * 2.5 + 0.04 * 4 + 0.2 * 10, 9)
})

test('a long prompt is billed at the long rates, all of it, and one of exactly the limit is not', () => {
  const at = (input: number) => cost('openai/gpt-6.1-terra', { ...noTokens, input, output: 1_000_000 })
  expect(at(272_000)).toBe(5.272)
  expect(at(272_001)).toBe(8.044002)
})

test('a price that changes on a day counts from that day, an operator’s before the catalogue’s', () => {
  expect(cost('google/gemini-3.8-flash', million, new Date('2026-12-31T23:59:59Z'))).toBe(0.75)
  expect(cost('google/gemini-3.8-flash', million, new Date('2027-01-01T00:00:00Z'))).toBe(1.5)
  const overrides = [{ model: 'google/gemini-3.8-flash', since: '2026-12-01', facts: { price: { input: 9, output: 9 }, outputMax: 5 } }]
  expect(priceOn('google/gemini-3.8-flash', overrides, '2026-11-30')).toMatchObject({ price: { input: 0.75 } })
  expect(priceOn('google/gemini-3.8-flash', overrides, '2027-02-01')).toMatchObject({ price: { input: 9 }, source: 'operator' })
  expect(findModelFacts('google/gemini-3.8-flash', overrides)).toMatchObject({ outputMax: 5 })
})

test('a dated snapshot costs what its model costs; a smaller sister has a price of her own', () => {
  expect(cost('openai/gpt-5-2025-08-07')).toBe(cost('openai/gpt-5'))
  expect(cost('anthropic/claude-sonnet-4-5-20250929')).toBe(cost('anthropic/claude-sonnet-4-5'))
  expect(cost('openai/gpt-5-mini')).not.toBe(cost('openai/gpt-5'))
  expect(cost('anthropic/claude-opus-5-5')).not.toBe(cost('anthropic/claude-opus-5'))
})

test('no price is guessed', () => {
  expect(cost('openai/gpt-99')).toBeNull()
  expect(cost('openai/gpt-5-turbo')).toBeNull()
  expect(cost('compatible/gpt-5')).toBeNull()
})

test('the offline stand-in costs nothing', () => expect(cost('offline/planner')).toBe(0))

test('each provider has a price for its usual model', () => {
  for (const [name, { model }] of Object.entries(cloudProviders)) expect(cost(`${name}/${model}`), model).toBeGreaterThan(0)
})

test('no call within its bounds costs more than its worst case, whatever buckets its tokens fall into', () => {
  const bucket = fc.nat(400_000)
  const tokens: fc.Arbitrary<TokenBuckets> = fc.record({
    input: bucket,
    cacheRead: bucket,
    cacheWrite: bucket,
    cacheWriteLong: bucket,
    inputAudio: bucket,
    inputImage: bucket,
    output: bucket,
    reasoning: bucket,
    outputAudio: bucket,
    outputImage: bucket,
  })
  const prices = catalogue.models.flatMap((facts) => facts.prices)
  fc.assert(
    fc.property(fc.constantFrom(...prices), tokens, fc.nat(1_000), (price, used, more) => {
      const worst = worstCost(price, inputOf(used) + more)
      expect(costOf(price, used)).toBeLessThanOrEqual(Math.ceil(worst.fixed + worst.perOutputToken * outputOf(used)))
    }),
    { numRuns: 5_000 },
  )
})
