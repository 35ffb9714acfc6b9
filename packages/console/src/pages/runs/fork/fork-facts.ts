import type { Entry, Timeline } from '../../../timeline/index.ts'

/** Places in the order of the code: `"10"` after `"9.1"`. */
export function comparePlaces(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? -1) - (right[i] ?? -1)
    if (difference !== 0) return difference
  }
  return 0
}

/** Steps and waits that a run can be forked at, as they stand in the code. */
export const forkable = ({ entries }: Timeline): Entry[] =>
  [...entries.values()].filter(({ subject }) => subject.type === 'step' || subject.type === 'wait').sort((a, b) => comparePlaces(a.key, b.key))

/** The first model call that a fork from there makes anew, or the last one that was made: whose instructions and model it begins with. */
export function modelCallAt(timeline: Timeline, op: string | undefined): Entry | undefined {
  const calls = forkable(timeline).filter(({ subject }) => subject.type === 'step' && subject.kind === 'model')
  return calls.find(({ key }) => op === undefined || comparePlaces(key, op) >= 0) ?? calls.at(-1)
}
