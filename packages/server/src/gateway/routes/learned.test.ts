import { describe, expect, test } from 'vitest'
import { type Case, diceOf, evaluate } from './evaluate.ts'
import { meanOf } from './estimate.ts'
import { bandOf, chancesOf, choose, learn } from './learned.ts'
import { pickLearned } from './pick-learned.ts'
import type { Task } from './task.ts'

const models = ['a/small', 'b/large']
const taskOf = (task: string, difficulty = 0.3, kind = 'other'): Task => ({ task, kind, difficulty })
const lesson = (model: string, { task, kind, difficulty }: Task, good: number, count: number) => ({ model, task, kind, band: bandOf(difficulty), good, count })

const pick = (task: Task, lessons = learn([], models), more: Partial<Parameters<typeof pickLearned>[0]> = {}) =>
  pickLearned({ models, task, lessons, learning: { tolerance: 0.1, explore: 0 }, lastModel: undefined, isAgain: false, random: () => 0.5, ...more })

describe('who is asked first', () => {
  test('without any call: the small one for what looks easy, the strong one for what looks hard', () => {
    expect(pick(taskOf('new', 0.2)).judged.map(({ model }) => model)).toEqual(['a/small', 'b/large'])
    expect(pick(taskOf('new', 0.8))).toMatchObject({ climbs: 1, judged: [{ model: 'b/large' }, { model: 'a/small' }] })
  })

  test('what became of calls of a task counts more than how it looks, for that task', () => {
    const [badly, well] = [taskOf('badly', 0.1), taskOf('well', 0.9)]
    const lessons = learn(
      [lesson('a/small', badly, 2, 20), lesson('b/large', badly, 19, 20), lesson('a/small', well, 20, 20), lesson('b/large', well, 20, 20)],
      models,
    )
    expect(pick(badly, lessons).judged[0]).toMatchObject({ model: 'b/large', why: expect.stringContaining('20 of this task seen') })
    expect(pick(well, lessons).judged[0]?.model).toBe('a/small')
  })

  test('a task that is new is judged by others of its class, and one that is known is not', () => {
    const lessons = learn(
      ['x', 'y', 'z'].map((task) => lesson('a/small', taskOf(task, 0.1, 'code'), 0, 10)),
      models,
    )
    expect(pick(taskOf('new', 0.1, 'code'), lessons).judged[0]?.model).toBe('b/large')
    const known = learn(
      [...['x', 'y'].map((task) => lesson('a/small', taskOf(task, 0.1, 'code'), 0, 10)), lesson('a/small', taskOf('k', 0.1, 'code'), 60, 60)],
      models,
    )
    expect(pick(taskOf('k', 0.1, 'code'), known).judged[0]?.model).toBe('a/small')
  })

  test('no smaller one follows in a session, a stronger one may; a step that is tried again goes up', () => {
    const [easy, hard] = [taskOf('t', 0.1), taskOf('t', 0.9)]
    expect(pick(easy, learn([], models), { lastModel: 'b/large' })).toMatchObject({
      chance: undefined,
      judged: [{ model: 'b/large', why: expect.stringContaining('session') }, {}],
    })
    expect(pick(hard, learn([], models), { lastModel: 'a/small' }).judged[0]?.model).toBe('b/large')
    expect(pick(easy, learn([], models), { lastModel: 'a/small', isAgain: true }).judged[0]).toMatchObject({
      model: 'b/large',
      why: expect.stringContaining('tried again'),
    })
    expect(pick(easy, learn([], models), { lastModel: 'gone/model' }).judged[0]?.model).toBe('a/small')
  })

  test('a share is drawn, with the chance that is told', () => {
    const learning = { tolerance: 0.1, explore: 0.2 }
    const drawn = Array.from({ length: 100 }, (_, i) => pick(taskOf('t', 0.1), learn([], models), { learning, random: () => (i + 0.5) / 100 }))
    expect(drawn.filter(({ judged }) => judged[0]?.model === 'b/large')).toHaveLength(20)
    for (const { judged, chance } of drawn) expect(chance).toBeCloseTo(judged[0]?.model === 'a/small' ? 0.8 : 0.2)
    for (const count of [1, 2, 5]) expect(chancesOf(0, count, 0.3).reduce((a, b) => a + b)).toBeCloseTo(1)
    expect(
      choose(
        [
          { rate: 0.9, hoped: 0.9, count: 0 },
          { rate: 0.95, hoped: 0.95, count: 0 },
        ],
        0.06,
      ),
    ).toBe(0)
    expect(
      choose(
        [
          { rate: 0.9, hoped: 0.9, count: 0 },
          { rate: 0.95, hoped: 0.95, count: 0 },
        ],
        0.04,
      ),
    ).toBe(1)
  })
})

/** Made-up outcomes: in half of ten tasks the small model is nearly as good, in the others it is bad; difficulty says nothing of it. */
function cases(count: number, rateOf: (place: number, task: number) => number, seed: number): Case[] {
  const dice = diceOf(seed)
  return Array.from({ length: count }, () => {
    const task = Math.floor(dice() * 10)
    const tried = models.map((_, place) => {
      const good = dice() < rateOf(place, task) ? 1 : 0
      return { good, cost: place === 0 ? 0.001 : 0.01, lesson: good }
    })
    return { task: taskOf(`t${task}`, dice()), tried }
  })
}
const byTask = (place: number, task: number) => (place === 1 ? 0.92 : task < 5 ? 0.9 : 0.3)
const byNothing = (place: number) => (place === 1 ? 0.9 : 0.6)
const learning = { tolerance: 0.05, explore: 0.05 }
const of = (result: ReturnType<typeof evaluate>, name: string) => result.policies.find(({ policy }) => policy === name) ?? expect.fail(name)

describe('evaluation', () => {
  test('where tasks differ, what is learned is better than a lot at the same cost, and cheaper than the strong model', () => {
    const result = evaluate(cases(4_000, byTask, 1), models, learning)
    expect(result.gain.low).toBeGreaterThan(0.04)
    expect(of(result, 'learned').recovered).toBeGreaterThan(0.85)
    expect(of(result, 'learned').cost?.mean ?? NaN).toBeLessThan(0.75 * (of(result, 'always b/large').cost?.mean ?? NaN))
    expect(of(result, 'always a/small')).toMatchObject({ recovered: 0, shares: [1, 0] })
    expect(of(result, 'random').shares).toEqual([0.5, 0.5])
  })

  test('where they do not, it says so: nothing is learned from the case that it is tried on', () => {
    for (const seed of [1, 2, 3]) {
      const { gain } = evaluate(cases(2_000, byNothing, seed), models, { tolerance: 0.2, explore: 0.3 })
      expect(gain.low).toBeLessThan(0.005)
      expect(gain.high).toBeGreaterThan(-0.005)
    }
  })

  test('from calls of which each asked one model, the same is found within its interval', () => {
    const full = cases(6_000, byTask, 4)
    const dice = diceOf(5)
    const logged = full.map(({ task, tried }): Case => {
      const isSmall = dice() < 0.7
      return { task, chance: isSmall ? 0.7 : 0.3, tried: tried.map((one, place) => ((place === 0) === isSmall ? one : undefined)) }
    })
    const [truth, found] = [evaluate(full, models, learning), evaluate(logged, models, learning)]
    for (const policy of ['always a/small', 'always b/large', 'random', 'keywords']) {
      expect(of(found, policy).quality.low).toBeLessThan(of(truth, policy).quality.mean)
      expect(of(found, policy).quality.high).toBeGreaterThan(of(truth, policy).quality.mean)
      expect(of(found, policy).cost?.mean).toBeCloseTo(of(truth, policy).cost?.mean ?? NaN, 3)
    }
    expect(of(found, 'learned').quality.low).toBeGreaterThan(of(found, 'random').quality.high)
    expect(found.gain.low).toBeGreaterThan(0.04)
    expect(of(found, 'always b/large').effective).toBeLessThan(0.4 * 6_000)
  })

  test('an interval of 95 % holds the truth about that often', () => {
    const dice = diceOf(9)
    const hits = Array.from({ length: 400 }, () => {
      const values = Array.from({ length: 200 }, () => (dice() < 0.7 ? 1 : 0))
      const { low, high } = meanOf(
        values,
        values.map(() => 1),
      )
      return low <= 0.7 && 0.7 <= high
    }).filter(Boolean).length
    expect(hits / 400).toBeGreaterThan(0.91)
    expect(hits / 400).toBeLessThan(0.985)
  })
})
