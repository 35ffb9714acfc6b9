/** Whether a table says what the truth says. Names and order of columns are the answer's own affair; the values are not. */
import { sameCell } from './cells.ts'
import type { CellValue } from './cells.ts'

export type Rows = readonly (readonly CellValue[])[]
type MatchOptions = { tolerance: number; isOrdered: boolean }

/**
 * True when some choice of distinct columns of `given` makes its rows, as many as the truth has, the truth's rows: each matched by a row of
 * its own, in the same order if that counts. One choice holds for all rows, so values cannot be picked together from wherever they fit.
 */
export function matchesTable(truth: Rows, given: Rows, options: MatchOptions): boolean {
  if (truth.length !== given.length) return false
  if (truth.length === 0) return true
  const wanted = truth[0]?.length ?? 0
  const columns = Math.max(...given.map((row) => row.length))

  const fits = (column: number, candidate: number): boolean => {
    const cells = truth.map((row) => row[column] ?? null)
    const others = given.map((row) => row[candidate] ?? null)
    if (options.isOrdered) return cells.every((cell, row) => sameCell(cell, others[row] ?? null, options.tolerance))
    return cells.every((cell) => others.some((other) => sameCell(cell, other, options.tolerance)))
  }
  const candidates = Array.from({ length: wanted }, (_, column) =>
    Array.from({ length: columns }, (_, candidate) => candidate).filter((candidate) => fits(column, candidate)),
  )

  const choose = (column: number, chosen: number[]): boolean => {
    if (column === wanted) return matchesRows(truth, given, chosen, options)
    return (candidates[column] ?? []).some((candidate) => !chosen.includes(candidate) && choose(column + 1, [...chosen, candidate]))
  }
  return choose(0, [])
}

function matchesRows(truth: Rows, given: Rows, chosen: readonly number[], { tolerance, isOrdered }: MatchOptions): boolean {
  const same = (row: number, other: number) =>
    chosen.every((candidate, column) => sameCell(truth[row]?.[column] ?? null, given[other]?.[candidate] ?? null, tolerance))
  if (isOrdered) return truth.every((_, row) => same(row, row))
  return pairsUp(truth.length, same)
}

/**
 * Pairs each left item with a right one of its own, if that can be done at all: two rows within tolerance of each other must not
 * take the one place that a third needs (augmenting paths, the walk kept on a stack of our own so that long tables do not overflow).
 */
function pairsUp(count: number, same: (left: number, right: number) => boolean): boolean {
  const takenBy = Array.from({ length: count }, () => -1)
  for (let start = 0; start < count; start++) {
    const cameFrom = new Map<number, number>()
    const queue = [start]
    let free = -1
    for (let at = 0; at < queue.length && free < 0; at++) {
      const left = queue[at] ?? 0
      for (let right = 0; right < count; right++) {
        if (cameFrom.has(right) || !same(left, right)) continue
        cameFrom.set(right, left)
        const holder = takenBy[right] ?? -1
        if (holder < 0) {
          free = right
          break
        }
        queue.push(holder)
      }
    }
    if (free < 0) return false
    for (let right = free; ;) {
      const left = cameFrom.get(right) ?? start
      const before = takenBy.indexOf(left)
      takenBy[right] = left
      if (left === start) break
      right = before
    }
  }
  return true
}
