/**
 * What a route that learns would have come to on calls that were made, beside asking always the small model, always the strong one, or anybody. Pure.
 *
 * The calls are gone through in their order, and each is judged by what was known before it: nothing is learned from what it is then tried on. Where every model was
 * tried on a case, quality and cost are counted; where only one was asked, as in production, calls are weighted by the chance with which each model was drawn.
 */
import { type Estimate, differenceOf, meanOf } from './estimate.ts'
import { type Learning, type Lessons, chancesOf, choose, learn } from './learned.ts'
import type { Task } from './task.ts'

/** What came of asking each model first, in the order of the route; undefined where it was not asked. `lesson`: what is learned of the first one asked. */
export type Tried = { good: number; cost: number | undefined; lesson: number }
export type Case = {
  task: Task
  tried: readonly (Tried | undefined)[]
  /** With which chance the one that was asked was drawn. Absent: all were tried. */ chance?: number
}

export type PolicyResult = {
  policy: string
  quality: Estimate
  /** In dollars a call; absent when a model has no price. */
  cost: Estimate | undefined
  shares: number[]
  /** Of the difference in quality between the small and the strong model: 0 is the small one's, 1 the strong one's. Absent when the strong one is not better. */
  recovered: number | undefined
  /** So many calls chosen by this policy itself would tell as much. */
  effective: number
}
export type Evaluation = {
  policies: PolicyResult[]
  /** The quality of what is learned, less that of drawing by lot as often for each model: at the same cost. */
  gain: Estimate
}

/** The chance of each model to be asked first. */
type Policy = { name: string; chances(one: Case, lessons: Lessons): number[] }

export function evaluate(cases: readonly Case[], models: readonly string[], learning: Learning): Evaluation {
  const count = models.length
  const nothing = learn([], models)
  const by = (lessons: Lessons, task: Task, explore: number) =>
    chancesOf(
      choose(
        models.map((model) => lessons.expect(model, task)),
        learning.tolerance,
      ),
      count,
      explore,
    )
  const policies: Policy[] = [
    { name: 'learned', chances: ({ task }, lessons) => by(lessons, task, learning.explore) },
    { name: 'keywords', chances: ({ task }) => by(nothing, task, 0) },
    ...models.map((model, place) => ({ name: `always ${model}`, chances: () => chancesOf(place, count, 0) })),
    { name: 'random', chances: () => models.map(() => 1 / count) },
  ]
  const lessons = learn([], models)
  const dice = diceOf(1)
  const chosen = new Map<string, number[][]>(policies.map(({ name }) => [name, []]))
  for (const one of cases) {
    for (const { name, chances } of policies) chosen.get(name)?.push(chances(one, lessons))
    teach(lessons, one, models, chosen.get('learned')?.at(-1) ?? [], dice())
  }
  const outcomes = policies.map(({ name }) => ({ name, ...outcomeOf(cases, chosen.get(name) ?? []) }))
  const [learned] = outcomes
  const lot = outcomeOf(
    cases,
    cases.map(() => learned?.shares ?? []),
  )
  const qualityOf = (place: number) => outcomes.find(({ name }) => name === `always ${models[place]}`)?.quality.mean ?? NaN
  const gap = qualityOf(count - 1) - qualityOf(0)
  return {
    policies: outcomes.map(({ name, quality, cost, shares }) => ({
      policy: name,
      quality: intervalOf(quality),
      cost: cost && intervalOf(cost),
      shares,
      recovered: gap > 0 ? (quality.mean - qualityOf(0)) / gap : undefined,
      effective: quality.effective,
    })),
    gain: learned ? differenceOf(learned.quality, lot.quality) : { mean: NaN, low: NaN, high: NaN },
  }
}

const intervalOf = ({ mean, low, high }: Estimate): Estimate => ({ mean, low, high })

/** As in production only what came of the one that was asked is learned. */
function teach(lessons: Lessons, one: Case, models: readonly string[], chances: readonly number[], dice: number): void {
  let at = dice
  const drawn = one.chance === undefined ? chances.findIndex((chance) => (at -= chance) < 0) : one.tried.findIndex((tried) => tried !== undefined)
  const tried = one.tried[drawn]
  const model = models[drawn]
  if (tried && model !== undefined) lessons.add(model, one.task, tried.lesson)
}

function outcomeOf(cases: readonly Case[], chances: readonly (readonly number[])[]) {
  const goods: number[] = []
  const costs: (number | undefined)[] = []
  const weights: number[] = []
  for (const [i, { tried, chance }] of cases.entries()) {
    const by = chances[i] ?? []
    // Of a case in which all were tried, what the policy can expect; of another, what came, as often as the policy would have chosen it.
    const sum = (of: (tried: Tried) => number | undefined) => {
      let total: number | undefined = 0
      for (const [place, one] of tried.entries()) {
        const share = chance === undefined ? (by[place] ?? 0) : 1
        if (!one || share === 0) continue
        const value = of(one)
        total = total === undefined || value === undefined ? undefined : total + share * value
      }
      return total
    }
    goods.push(sum(({ good }) => good) ?? NaN)
    costs.push(sum(({ cost }) => cost))
    weights.push(chance === undefined ? 1 : (by[tried.findIndex((one) => one !== undefined)] ?? 0) / chance)
  }
  const isPriced = costs.every((cost, i) => cost !== undefined || weights[i] === 0)
  const count = chances[0]?.length ?? 0
  return {
    quality: meanOf(goods, weights),
    cost: isPriced
      ? meanOf(
          costs.map((cost) => cost ?? 0),
          weights,
        )
      : undefined,
    shares: Array.from({ length: count }, (_, place) => chances.reduce((sum, by) => sum + (by[place] ?? 0), 0) / Math.max(1, chances.length)),
  }
}

/** The same dice each time, so that the same cases have the same result. */
export function diceOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32
  }
}
