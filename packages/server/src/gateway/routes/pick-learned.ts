/** Who is asked first on a route that learns. Pure: the caller brings the lessons, the session's place and the dice. */
import type { Judged } from './pick.ts'
import { type Expectation, type Learning, type Lessons, chancesOf, choose } from './learned.ts'
import type { Task } from './task.ts'

export type LearnedOrder = {
  judged: Judged[]
  /** How many of them, from the first on, are each stronger than the one before: an answer that is not as asked goes on to the next of these. */
  climbs: number
  /** With which chance the first was drawn; absent where there was no choice. */
  chance: number | undefined
}

type Picking = {
  /** From the small to the strong. */
  models: readonly string[]
  task: Task
  lessons: Lessons
  learning: Learning
  /** The model that answered last in this session: no smaller one follows it. */
  lastModel: string | undefined
  /** The step is tried again: whoever answered it before was not good enough. */
  isAgain: boolean
  random(): number
}

export function pickLearned({ models, task, lessons, learning, lastModel, isAgain, random }: Picking): LearnedOrder {
  const expected = models.map((model) => lessons.expect(model, task))
  const chosen = choose(expected, learning.tolerance)
  const last = lastModel === undefined ? -1 : models.indexOf(lastModel)
  const floor = Math.min(models.length - 1, last === -1 ? (isAgain ? 1 : 0) : last + (isAgain ? 1 : 0))
  const isFree = last === -1 && !isAgain && models.length > 1
  const chances = chancesOf(chosen, models.length, learning.explore)
  const first = isFree ? draw(chances, random()) : Math.max(chosen, floor)
  const why = whyFirst({ models, expected, chosen, first, isAgain, learning, lastModel: last === -1 ? undefined : lastModel })
  const upwards = models.map((_, place) => place).slice(first)
  const downwards = models.map((_, place) => place).slice(0, first)
  const order = [...upwards, ...downwards.toReversed()]
  return {
    judged: order.map((place, n) => ({
      model: models[place] ?? '',
      isAsked: true,
      why: n === 0 ? why : `${place > first ? 'the next stronger one' : 'a smaller one, when no other answers'}; ${saidOf(models[place], expected[place])}`,
    })),
    climbs: upwards.length,
    chance: isFree ? chances[first] : undefined,
  }
}

function draw(chances: readonly number[], dice: number): number {
  let at = dice
  const found = chances.findIndex((chance) => (at -= chance) < 0)
  return found === -1 ? chances.length - 1 : found
}

const saidOf = (model: string | undefined, { rate, count }: Expectation = { rate: 0, hoped: 0, count: 0 }) =>
  `${model} is expected to do well in ${Math.round(rate * 100)} of 100 (${count === 0 ? 'none of this task seen' : `${count} of this task seen`})`

type Reasons = {
  models: readonly string[]
  expected: readonly Expectation[]
  chosen: number
  first: number
  isAgain: boolean
  learning: Learning
  lastModel: string | undefined
}

function whyFirst({ models, expected, chosen, first, isAgain, learning, lastModel }: Reasons): string {
  const best = expected.reduce((found, { rate }, place) => (rate > (expected[found]?.rate ?? 0) ? place : found), 0)
  const reasons = [saidOf(models[first], expected[first])]
  if (best !== first) reasons.push(saidOf(models[best], expected[best]))
  if (first === chosen) reasons.push(`it is the smallest within ${Math.round(learning.tolerance * 100)} points of the best`)
  else if (isAgain && first > chosen) reasons.push('the step is tried again, so a stronger one is asked')
  else if (lastModel !== undefined) reasons.push(`the session goes on with ${lastModel}`)
  else reasons.push('drawn, to learn how it does')
  return reasons.join('; ')
}
