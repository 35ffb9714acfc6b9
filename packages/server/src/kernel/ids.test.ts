import { afterEach, expect, test, vi } from 'vitest'
import { newId } from './ids.ts'

afterEach(() => {
  vi.useRealTimers()
})

test('ids are UUIDs of version 7 that sort in the order of their making, thousands in a millisecond and with a clock that is set back a little', () => {
  const at = Date.now() + 60_000
  vi.useFakeTimers({ now: at })
  const many = (count: number) => Array.from({ length: count }, newId)
  const ids = many(10_000)
  vi.setSystemTime(at - 500)
  ids.push(...many(10))
  vi.setSystemTime(at + 1_000)
  ids.push(newId())
  expect(ids.toSorted()).toEqual(ids)
  expect(new Set(ids).size).toBe(ids.length)
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(parseInt((ids.at(-1) ?? '').replaceAll('-', '').slice(0, 12), 16)).toBe(at + 1_000)
})
