import type { Asked } from './ask-case.ts'
import type { Case } from './cases.ts'
import type { Verdict } from './judge.ts'

export type Result = { test: Case; verdict: Verdict } & Omit<Asked, 'outcome'>
export type Score = { passed: number; total: number }
export type Scores = Score & { byLanguage: Record<string, Score>; byTag: Record<string, Score> }

export function scoresOf(results: Result[]): Scores {
  return { ...scoreOf(results), byLanguage: scoresBy(results, ({ test }) => [test.language]), byTag: scoresBy(results, ({ test }) => test.tags) }
}

const scoreOf = (results: Result[]): Score => ({ passed: results.filter(({ verdict }) => verdict.isPassed).length, total: results.length })

function scoresBy(results: Result[], groupsOf: (result: Result) => string[]): Record<string, Score> {
  const groups = Map.groupBy(
    results.flatMap((result) => groupsOf(result).map((group) => ({ group, result }))),
    ({ group }) => group,
  )
  return Object.fromEntries([...groups].sort(([a], [b]) => a.localeCompare(b)).map(([group, members]) => [group, scoreOf(members.map(({ result }) => result))]))
}

/** `57` counts cases, `95%` the share of those that were asked. */
export function parseMinimum(text: string): ((score: Score) => boolean) | undefined {
  const [, digits, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text) ?? []
  if (digits === undefined) return undefined
  const least = Number(digits)
  if (percent) return least <= 100 ? ({ passed, total }) => passed * 100 >= least * total : undefined
  return Number.isInteger(least) ? ({ passed }) => passed >= least : undefined
}
