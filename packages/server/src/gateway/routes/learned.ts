/**
 * How likely each target of a route is to do a request well, from what became of calls like it; and who is therefore asked first. Pure.
 *
 * For each model a logistic regression whose offset is the cold start: what all its calls have in common, how hard they look, their class of words and their task each
 * move the odds, as far as calls have shown it. Without calls nothing is moved; a task that is new is judged by its class and by how hard it looks.
 */
import type { Task } from './task.ts'

/** Calls of one model that are alike, and how many of them went well. */
export type Lesson = { model: string; task: string; kind: string; band: number; count: number; good: number }

/** `hoped`: what it may well be, as far as calls of this task have not shown otherwise. `count`: calls of this task that are known of. */
export type Expectation = { rate: number; hoped: number; count: number }

export type Lessons = {
  expect(model: string, task: Task): Expectation
  /** One more call. Rates between 0 and 1 count in part. */
  add(model: string, task: Task, good: number): void
}

const bands = 5
export const bandOf = (difficulty: number): number => Math.min(bands - 1, Math.floor(difficulty * bands))
const middleOf = (band: number): number => (band + 0.5) / bands

/** The smallest model is believed to fail three times as often as the strongest, and both the more often the harder it looks. */
const smallFailure = 0.6
const strongFailure = 0.2
export const coldRate = (difficulty: number, place: number, placeCount: number): number =>
  1 - difficulty * (smallFailure - (placeCount < 2 ? 0 : (place / (placeCount - 1)) * (smallFailure - strongFailure)))

/** How strongly each is held back, in calls at even odds times four. */
const pull = { model: 1, difficulty: 2, kind: 3, task: 0.7 }
const sweeps = 8
/** In deviations of what is not known yet: a smaller model gets the benefit of the doubt until it has been seen at a task. */
const hope = 1
/** With fewer calls of a model than this, all in all, the cold start is believed more than it is hoped beyond. */
const hopeFrom = 40

type Cell = { task: string; kind: string; band: number; count: number; good: number }
type Student = { cells: Map<string, Cell>; count: number; unread: number; fit: Fit }
type Fit = { base: number; slope: number; kinds: Map<string, number>; tasks: Map<string, number> }

/** `models`: the route's targets, from the small to the strong. */
export function learn(lessons: readonly Lesson[], models: readonly string[]): Lessons {
  const students = new Map<string, Student>(models.map((model) => [model, { cells: new Map(), count: 0, unread: 0, fit: nothingLearned() }]))
  const offsets = new Map(models.map((model, place) => [model, (difficulty: number) => oddsOf(coldRate(difficulty, place, models.length))]))
  const noted = new Map<string, number>()

  function note(model: string, { task, kind, band, count, good }: Cell): void {
    const student = students.get(model)
    if (!student) return // It is no target any more.
    const name = JSON.stringify([task, kind, band])
    const cell = student.cells.get(name) ?? { task, kind, band, count: 0, good: 0 }
    student.cells.set(name, { ...cell, count: cell.count + count, good: cell.good + good })
    student.count += count
    student.unread += count
    const ofTask = JSON.stringify([model, task])
    noted.set(ofTask, (noted.get(ofTask) ?? 0) + count)
  }
  for (const { model, ...cell } of lessons) note(model, cell)

  return {
    expect(model, { task, kind, difficulty }) {
      const [student, offset] = [students.get(model), offsets.get(model)]
      if (!student || !offset) return { rate: 0, hoped: 0, count: 0 }
      // A single call changes little once there are many.
      if (student.unread > student.count / 20) {
        student.fit = fit([...student.cells.values()], (band) => offset(middleOf(band)))
        student.unread = 0
      }
      const { base, slope, kinds, tasks } = student.fit
      const odds = offset(difficulty) + base + slope * (difficulty - 0.5) + (kinds.get(kind) ?? 0) + (tasks.get(task) ?? 0)
      const count = noted.get(JSON.stringify([model, task])) ?? 0
      const rate = rateOf(odds)
      const doubt = 1 / Math.sqrt(pull.task + count * rate * (1 - rate))
      return { rate, hoped: rateOf(odds + hope * Math.min(1, student.count / hopeFrom) * doubt), count: Math.round(count) }
    },
    add: (model, { task, kind, difficulty }, good) => note(model, { task, kind, band: bandOf(difficulty), count: 1, good }),
  }
}

const nothingLearned = (): Fit => ({ base: 0, slope: 0, kinds: new Map(), tasks: new Map() })
const rateOf = (odds: number): number => 1 / (1 + Math.exp(-odds))
const oddsOf = (rate: number): number => Math.log(Math.min(0.99, Math.max(0.01, rate)) / (1 - Math.min(0.99, Math.max(0.01, rate))))

/** Newton's steps, one coefficient after the other. */
function fit(cells: readonly Cell[], offset: (band: number) => number): Fit {
  const found = nothingLearned()
  const rows = cells.map((cell) => ({ ...cell, lean: middleOf(cell.band) - 0.5, odds: offset(cell.band) }))
  const step = (of: typeof rows, value: number, held: number, factorOf: (row: (typeof rows)[number]) => number): number => {
    let slope = -held * value
    let curve = held
    for (const row of of) {
      const rate = rateOf(row.odds)
      slope += (row.good - row.count * rate) * factorOf(row)
      curve += row.count * rate * (1 - rate) * factorOf(row) ** 2
    }
    const change = Math.max(-2, Math.min(2, slope / curve))
    for (const row of of) row.odds += change * factorOf(row)
    return value + change
  }
  const byKind = Map.groupBy(rows, ({ kind }) => kind)
  const byTask = Map.groupBy(rows, ({ task }) => task)
  for (let sweep = 0; sweep < sweeps; sweep++) {
    found.base = step(rows, found.base, pull.model, () => 1)
    found.slope = step(rows, found.slope, pull.difficulty, ({ lean }) => lean)
    for (const [kind, of] of byKind)
      found.kinds.set(
        kind,
        step(of, found.kinds.get(kind) ?? 0, pull.kind, () => 1),
      )
    for (const [task, of] of byTask)
      found.tasks.set(
        task,
        step(of, found.tasks.get(task) ?? 0, pull.task, () => 1),
      )
  }
  return found
}

export type Learning = { tolerance: number; explore: number }
/** `tolerance`: how much less likely success may be with a smaller model. `explore`: the share of choices that are drawn, without which nothing is learned of who is never asked. */
export const usualLearning: Learning = { tolerance: 0.05, explore: 0.05 }

/** The smallest target that may well be about as good as the best of them is expected to be. */
export function choose(expected: readonly Expectation[], tolerance: number): number {
  const best = Math.max(...expected.map(({ rate }) => rate))
  return expected.findIndex(({ rate, hoped }) => rate === best || hoped >= best - tolerance)
}

/** With which chance each target is asked first. */
export function chancesOf(chosen: number, count: number, explore: number): number[] {
  const other = count < 2 ? 0 : explore / (count - 1)
  return Array.from({ length: count }, (_, place) => (place === chosen ? 1 - other * (count - 1) : other))
}
