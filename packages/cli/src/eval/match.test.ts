import fc from 'fast-check'
import { expect, test } from 'vitest'
import { matchesTable } from './match.ts'
import type { Rows } from './match.ts'

const matches = (truth: Rows, given: Rows, isOrdered = false) => matchesTable(truth, given, { tolerance: 0.005, isOrdered })
const truth: Rows = [
  ['EMEA', 100],
  ['APAC', 200],
  ['AMER', 300],
]

test('order of rows and columns and further columns are the answer’s own affair', () => {
  expect(
    matches(truth, [
      [300, 'amer'],
      [100.2, 'emea'],
      [200, 'apac'],
    ]),
  ).toBe(true)
  expect(
    matches(truth, [
      ['x', 'EMEA', 9, 100],
      ['y', 'APAC', 9, 200],
      ['z', 'AMER', 9, 300],
    ]),
  ).toBe(true)
})

test('other values, fewer or more rows, or one row used twice do not match', () => {
  expect(
    matches(truth, [
      ['EMEA', 100],
      ['APAC', 200],
      ['AMER', 310],
    ]),
  ).toBe(false)
  expect(
    matches(truth, [
      ['EMEA', 100],
      ['APAC', 200],
    ]),
  ).toBe(false)
  expect(matches(truth, [...truth, ['Other', 1]])).toBe(false)
  expect(
    matches(
      [
        ['a', 1],
        ['a', 1],
        ['b', 2],
      ],
      [
        ['a', 1],
        ['b', 2],
        ['b', 2],
      ],
    ),
  ).toBe(false)
})

test('values must stand in one column for all rows: they cannot be picked from wherever they fit', () => {
  expect(
    matches(
      [
        ['a', 1],
        ['b', 2],
      ],
      [
        ['a', 1, 9],
        ['b', 9, 2],
      ],
    ),
  ).toBe(false)
  expect(
    matches(
      [
        ['a', 1],
        ['b', 2],
      ],
      [
        ['a', 2, 1],
        ['b', 1, 2],
      ],
    ),
  ).toBe(true)
  expect(
    matches(
      [
        ['a', 1],
        ['b', 2],
      ],
      [
        ['a', 2],
        ['b', 1],
      ],
    ),
  ).toBe(false)
})

test('two columns of the truth need two columns of the answer', () => {
  expect(matches([[5, 5]], [[5]])).toBe(false)
  expect(matches([[5, 5]], [[5, 'x', 5]])).toBe(true)
})

test('where order counts it is looked at', () => {
  expect(matches(truth, truth, true)).toBe(true)
  expect(matches(truth, [truth[1] ?? [], truth[0] ?? [], truth[2] ?? []], true)).toBe(false)
})

test('rows within tolerance of each other do not take each other’s place', () => {
  // 1000 fits both, 1004 only the second: a greedy choice would give 1000 the wrong one.
  expect(matches([[1000], [1008]], [[1004], [1000]])).toBe(true)
  expect(matches([[1000], [1000], [1100]], [[1001], [1100], [1100]])).toBe(false)
})

test('no rows match no rows', () => {
  expect(matches([], [])).toBe(true)
  expect(matches([], [[1]])).toBe(false)
})

test('any table matches itself shuffled with columns added, and not once one value is changed beyond its tolerance', () => {
  const table = fc
    .integer({ min: 1, max: 4 })
    .chain((width) =>
      fc.array(
        fc.tuple(fc.constantFrom('a', 'b', 'c', '中'), ...Array.from({ length: width }, () => fc.integer({ min: 1, max: 40 }).map((n) => n * 1.1 ** n))),
        { minLength: 1, maxLength: 12 },
      ),
    )
  const shuffled = <T>(items: readonly T[], seed: number): T[] =>
    items
      .map((item, at) => [Math.sin(seed + at * 7.3), item] as const)
      .sort(([a], [b]) => a - b)
      .map(([, item]) => item)
  fc.assert(
    fc.property(table, fc.nat(), fc.nat(), (rows, seed, pick) => {
      const given = shuffled(rows, seed).map((row) => shuffled([...row, 'extra', 0.5], seed))
      expect(matches(rows, given)).toBe(true)
      const at = pick % given.length
      const changed = given.map((row, index) => (index === at ? row.map((cell) => (typeof cell === 'number' && cell > 1 ? cell * 1e6 : cell)) : row))
      expect(matches(rows, changed)).toBe(false)
    }),
    { numRuns: 500 },
  )
})
