import { expect, test } from 'vitest'
import { openBreaker, openHealth, openRetryBudget } from './health.ts'
import { openKeyRing } from './key-ring.ts'

function makeClock() {
  let at = 1_000
  return { now: () => at, pass: (ms: number) => void (at += ms) }
}
const fail = (breaker: ReturnType<typeof openBreaker>, times: number) => {
  for (let i = 0; i < times; i++) {
    breaker.begin()
    breaker.failed()
  }
}

test('a breaker opens after five failures in a row, lets one probe through, and doubles its pause when that fails', () => {
  const clock = makeClock()
  const breaker = openBreaker(clock.now)
  fail(breaker, 4)
  expect(breaker.waitMs()).toBe(0)
  fail(breaker, 1)
  expect(breaker.waitMs()).toBe(2_000)
  clock.pass(2_000)
  expect(breaker.waitMs()).toBe(0)
  breaker.begin()
  expect(breaker.waitMs()).toBeGreaterThan(0) // Only one at a time.
  breaker.failed()
  expect(breaker.waitMs()).toBe(4_000)
  clock.pass(4_000)
  breaker.begin()
  breaker.succeeded()
  expect(breaker.waitMs()).toBe(0)
  fail(breaker, 4)
  expect(breaker.waitMs()).toBe(0) // A recovered target has a clean sheet.
})

test('a breaker opens when half of the calls fail, and not when a third do', () => {
  for (const [every, isOpen] of [
    [2, true],
    [3, false],
  ] as const) {
    const breaker = openBreaker(makeClock().now)
    for (let i = 1; i <= 30 && breaker.waitMs() === 0; i++) {
      breaker.begin()
      if (i % every === 0) breaker.failed()
      else breaker.succeeded()
    }
    expect(breaker.waitMs() > 0).toBe(isOpen)
  }
})

test('a probe whose caller leaves makes room for the next', () => {
  const clock = makeClock()
  const breaker = openBreaker(clock.now)
  fail(breaker, 5)
  clock.pass(2_000)
  breaker.begin()
  breaker.ended()
  expect(breaker.waitMs()).toBe(0)
})

test('the pause of a breaker has an end', () => {
  const clock = makeClock()
  const breaker = openBreaker(clock.now)
  fail(breaker, 5)
  for (let i = 0; i < 20; i++) {
    clock.pass(breaker.waitMs())
    fail(breaker, 1)
  }
  expect(breaker.waitMs()).toBe(60_000)
})

test('repeats are at most a fifth of the calls, and ten', () => {
  const budget = openRetryBudget()
  let spent = 0
  for (let i = 0; i < 1_000; i++) {
    budget.earn()
    while (budget.spend()) spent++
  }
  expect(spent).toBeLessThanOrEqual(210)
  expect(spent).toBeGreaterThanOrEqual(200)
})

test('names that callers make up do not fill the memory', () => {
  const health = openHealth()
  const first = health.breakerOf('model 0')
  fail(first, 5)
  expect(health.breakerOf('model 0')).toBe(first)
  for (let i = 1; i <= 1_000; i++) health.breakerOf(`model ${i}`)
  expect(health.breakerOf('model 0')).not.toBe(first)
})

test('keys take turns; one that rests is left out for its model, or for all', () => {
  const clock = makeClock()
  const ring = openKeyRing(['a', 'b', 'c'], clock.now)
  expect([ring.next('m'), ring.next('m'), ring.next('m'), ring.next('m')]).toEqual(['a', 'b', 'c', 'a'])
  ring.rest('b', 1_000, 'm')
  expect([ring.next('m'), ring.next('m')]).toEqual(['c', 'a'])
  expect(ring.next('other')).toBe('b')
  ring.rest('a', 500)
  ring.rest('c', 700, 'm')
  expect([ring.next('m'), ring.restingMs('m')]).toEqual([undefined, 500])
  clock.pass(500)
  expect([ring.restingMs('m'), ring.next('m')]).toEqual([0, 'a'])
})
