import { expect, test } from 'vitest'
import { costUsd } from './prices.ts'
import { cloudProviders } from './providers.ts'

const million = { input: 1_000_000, cachedInput: 0, cacheWrite: 0, output: 0 }
const short = { input: 100_000, cachedInput: 0, cacheWrite: 0, output: 10_000 }
const today = new Date('2026-11-15T12:00:00Z')

test('each kind of token has its own rate', () => {
  expect(costUsd('anthropic/claude-sonnet-5-5', { input: 1_000_000, cachedInput: 600_000, cacheWrite: 100_000, output: 200_000 }, today)).toBe(
    0.3 * 2 + 0.6 * 0.1 + 0.1 * 2.5 + 0.2 * 10,
  )
})

test('a long prompt is billed at the long rates, all of it, and one of exactly the limit is not', () => {
  const at = (input: number) => costUsd('openai/gpt-6.1-terra', { input, cachedInput: 0, cacheWrite: 0, output: 1_000_000 }, today)
  expect(at(272_000)).toBe(5.272)
  expect(at(272_001)).toBe(8.044002)
})

test('a price that changes on a day counts from that day', () => {
  expect(costUsd('google/gemini-3.8-flash', million, new Date('2026-12-31T23:59:59Z'))).toBe(0.75)
  expect(costUsd('google/gemini-3.8-flash', million, new Date('2027-01-01T00:00:00Z'))).toBe(1.5)
})

test('a dated snapshot costs what its model costs; a smaller sister has a price of her own', () => {
  expect(costUsd('openai/gpt-5-2025-08-07', short, today)).toBe(costUsd('openai/gpt-5', short, today))
  expect(costUsd('anthropic/claude-sonnet-4-5-20250929', short, today)).toBe(costUsd('anthropic/claude-sonnet-4-5', short, today))
  expect(costUsd('openai/gpt-5-mini', short, today)).not.toBe(costUsd('openai/gpt-5', short, today))
  expect(costUsd('anthropic/claude-opus-5-5', short, today)).not.toBe(costUsd('anthropic/claude-opus-5', short, today))
})

test('no price is guessed', () => {
  expect(costUsd('openai/gpt-99', short, today)).toBeNull()
  expect(costUsd('openai/gpt-5-turbo', short, today)).toBeNull()
  expect(costUsd('compatible/gpt-5', short, today)).toBeNull()
})

test('the offline stand-in costs nothing', () => expect(costUsd('offline/planner', short, today)).toBe(0))

test('each provider has a price for its usual model', () => {
  for (const [name, { model }] of Object.entries(cloudProviders)) expect(costUsd(`${name}/${model}`, short, today), model).toBeGreaterThan(0)
})
