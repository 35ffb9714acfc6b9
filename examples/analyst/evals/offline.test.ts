// The offline planner against every question that is asked without limits: from question to SQL to rows, without a server around it.
// `npx longhaul eval examples/analyst` asks them as people do, the limited ones and those with names to look up among them.
import { beforeAll, expect, test } from 'vitest'
import { join } from 'node:path'
import { loadCases, type Case } from '../../../packages/cli/src/eval/cases.ts'
import { matchesTable } from '../../../packages/cli/src/eval/match.ts'
import { compilerFor } from '../../../packages/server/src/gateway/offline/testing.ts'
import { truth } from './truth.ts'

const { compile } = compilerFor(join(import.meta.dirname, '..', 'agent', 'sandbox', 'workspace', 'semantic'))
type Outcome = 'right' | 'refused' | 'wrong'

let outcomes: { asked: Case; outcome: Outcome }[]
beforeAll(async () => {
  const cases = (await loadCases(join(import.meta.dirname, '..'))).filter(({ access }) => access === undefined)
  outcomes = []
  for (const asked of cases) outcomes.push({ asked, outcome: await answer(asked) })
}, 300_000)

async function answer({ question, expect: expected }: Case): Promise<Outcome> {
  const compiled = compile(question)
  if ('problem' in compiled) return expected.answerable ? 'refused' : 'right'
  if (!expected.answerable || expected.truth_sql === undefined) return 'wrong'
  const [wanted, given] = [(await truth(expected.truth_sql)).rows, (await truth(compiled.query.sql)).rows]
  const isRight = matchesTable(wanted, given, { tolerance: expected.tolerance, isOrdered: expected.ordered })
  return isRight ? 'right' : 'wrong'
}

const idsOf = (wanted: Outcome) => outcomes.flatMap(({ asked, outcome }) => (outcome === wanted ? [asked.id] : []))

test('no answer is wrong: what is not understood is refused', () => expect(idsOf('wrong')).toEqual([]))
test('of a hundred questions at least 98 are answered, those set to be hard left out', () => {
  const plain = outcomes.filter(({ asked }) => !asked.tags.includes('hard'))
  expect(plain.length).toBeGreaterThan(200)
  expect(plain.filter(({ outcome }) => outcome === 'right').length / plain.length, `refused: ${idsOf('refused').join(', ')}`).toBeGreaterThanOrEqual(0.98)
})
