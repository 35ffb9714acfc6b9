import type { RunEvent } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { advance, emptyTimeline } from '../../../timeline/index.ts'
import { comparePlaces, forkable, modelCallAt } from './fork-facts.ts'

const at = '2026-11-27T10:00:00.000Z'
const step = (seq: number, op: string, kind: 'model' | 'tool'): RunEvent => ({ seq, type: 'step.started', op, at, data: { kind, name: kind, attempt: 1 } })
const timeline = advance(emptyTimeline, [
  { seq: 0, type: 'run.started', at, data: { input: 'x' } },
  step(1, '0', 'model'),
  step(2, '2', 'tool'),
  step(3, '1.1', 'tool'),
  step(4, '10', 'model'),
])

test('places are in the order of the code, not of the letters', () => {
  expect(['10', '9.1', '9', '2', '9.0.3'].toSorted(comparePlaces)).toEqual(['2', '9', '9.0.3', '9.1', '10'])
})

test('a run is forked at steps, and not at what happened to it as a whole or at a branch that no event tells of', () => {
  expect(forkable(timeline).map(({ key }) => key)).toEqual(['0', '1.1', '2', '10'])
})

test('a fork begins with the instructions of the first model call that it makes anew, or of the last one there was', () => {
  expect(modelCallAt(timeline, undefined)?.key).toBe('0')
  expect(modelCallAt(timeline, '0')?.key).toBe('0')
  expect(modelCallAt(timeline, '1.1')?.key).toBe('10')
  expect(modelCallAt(timeline, '11')?.key).toBe('10')
  expect(modelCallAt(emptyTimeline, undefined)).toBeUndefined()
})
