/** The cases that a route is evaluated on: calls that were logged, or outcomes that somebody brings along. */
import type { Route, evaluateRoute } from '@longhaul/protocol'
import type { z } from 'zod'
import { usdOf } from '../money/index.ts'
import type { RequestFacts } from '../models.ts'
import type { Estimate } from './estimate.ts'
import { type Case, type Tried, evaluate } from './evaluate.ts'
import { usualLearning } from './learned.ts'
import type { LoggedCall } from './outcome-store.ts'
import { taskOf } from './task.ts'

type Input = z.output<(typeof evaluateRoute)['input']>
type Output = z.input<(typeof evaluateRoute)['output']>
type Given = NonNullable<Input['outcomes']>[number]

const casesMin = 20

export function evaluateRouteOn(
  route: Route,
  { tolerance, explore, outcomes }: Pick<Input, 'tolerance' | 'explore' | 'outcomes'>,
  calls: readonly LoggedCall[],
  blank: RequestFacts,
): Output {
  const models = route.targets.map(({ model }) => model)
  const learning = {
    tolerance: tolerance ?? route.learning?.tolerance ?? usualLearning.tolerance,
    explore: explore ?? route.learning?.explore ?? usualLearning.explore,
  }
  const found = outcomes ? outcomes.map((given) => caseOfGiven(given, models, route.escalate, blank)) : calls.map((call) => caseOfCall(call, models))
  const cases = found.filter((one) => typeof one !== 'string')
  const skipped = Map.groupBy(
    found.filter((one) => typeof one === 'string'),
    (why) => why,
  )
  const head = {
    basis: outcomes ? ('given' as const) : ('calls' as const),
    cases: cases.length,
    skipped: [...skipped].map(([why, all]) => ({ why, cases: all.length })),
    learning,
  }
  if (models.length < 2) return { ...head, policies: [], gain: null, notes: ['The route has one target: there is nothing to choose.'] }
  if (cases.length < casesMin) return { ...head, policies: [], gain: null, notes: [`With fewer than ${casesMin} cases nothing can be said.`] }
  const { policies, gain } = evaluate(cases, models, learning)
  return {
    ...head,
    policies: policies.map(({ policy, quality, cost, shares, recovered, effective }) => ({
      policy,
      quality: toInterval(quality),
      costUsd: cost ? toInterval(cost) : null,
      shares: models.map((model, place) => ({ model, share: shares[place] ?? 0 })),
      recovered: recovered ?? null,
      effectiveCases: Math.round(effective),
    })),
    gain: toInterval(gain),
    notes: outcomes
      ? []
      : notesOfCalls(
          policies.map(({ effective }) => effective),
          route,
        ),
  }
}

/** A mean of nothing is not known. */
const toInterval = ({ mean, low, high }: Estimate) => (Number.isFinite(mean) ? { mean, low, high } : null)

function notesOfCalls(effective: readonly number[], { escalate }: Route): string[] {
  return [
    'Only one model was asked in each call, so calls are weighted by the chance with which their model was drawn.',
    ...(effective.some((count) => count < 30)
      ? ['Some models were drawn so seldom that their figures rest on fewer than 30 calls: look at the intervals.']
      : []),
    ...(escalate ? ['Quality and cost are those of the first model asked: escalation makes both higher.'] : []),
  ]
}

function caseOfCall({ model, task, kind, difficulty, chance, good, cost }: LoggedCall, models: readonly string[]): Case | string {
  const place = models.indexOf(model)
  if (place === -1) return 'of a model that is no target of the route any more'
  if (chance === null) return 'its model was not drawn: a session or another answer decided'
  if (good === null) return 'nobody knows how it went'
  const tried: Tried = { good, cost: cost === null ? undefined : usdOf(cost), lesson: good }
  return { task: { task, kind, difficulty }, chance, tried: models.map((_, at) => (at === place ? tried : undefined)) }
}

function caseOfGiven({ task, text, difficulty, results }: Given, models: readonly string[], escalates: boolean, blank: RequestFacts): Case | string {
  const found = models.map((model) => results.find((result) => result.model === model))
  if (found.some((result) => result === undefined)) return 'without a result for each target of the route'
  const told = taskOf({ agent: undefined }, { ...blank, text, bytes: text.length, template: task })
  return { task: { ...told, difficulty: difficulty ?? told.difficulty }, tried: found.map((_, first) => climb(found, first, escalates)) }
}

/** An answer that is seen not to be what was asked for goes on to the next stronger model, and both are paid. */
function climb(found: readonly (Given['results'][number] | undefined)[], first: number, escalates: boolean): Tried {
  let cost: number | undefined = 0
  let good = 0
  for (const result of found.slice(first)) {
    cost = cost === undefined || result?.costUsd === undefined ? undefined : cost + result.costUsd
    good = result?.good ?? 0
    if (!escalates || result?.isFit !== false) break
  }
  return { good, cost, lesson: found[first]?.isFit === false ? 0 : (found[first]?.good ?? 0) }
}
