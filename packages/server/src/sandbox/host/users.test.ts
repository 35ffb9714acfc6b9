import { expect, test } from 'vitest'
import { chooseUser, userRange } from './users.ts'

test('on a host, users are taken from where nobody else takes them', () => {
  expect(userRange('         0          0 4294967295\n')).toEqual({ first: 0x7000_0000, count: 0x0fff_0000 })
})

test('in a container, they are taken from the upper half of what it has, below nobody', () => {
  expect(userRange('0 100000 65536\n')).toEqual({ first: 32_768, count: 32_766 })
  expect(userRange('0 1000 1\n1 100000 65536\n')).toEqual({ first: 32_769, count: 32_765 })
  expect(userRange('0 1000 1\n')).toBeUndefined()
})

test("a workspace gets the same user again, and never another's", () => {
  const range = { first: 100, count: 3 }
  const first = chooseUser(range, 'a', new Set())
  expect(chooseUser(range, 'a', new Set())).toBe(first)
  const second = chooseUser(range, 'a', new Set([first]))
  const third = chooseUser(range, 'a', new Set([first, second]))
  expect([first, second, third].toSorted((one, other) => one - other)).toEqual([100, 101, 102])
  expect(() => chooseUser(range, 'a', new Set([first, second, third]))).toThrow(/taken/)
})
