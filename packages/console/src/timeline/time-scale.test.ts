import type { RunEvent } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { advance } from './advance.ts'
import { emptyTimeline } from './entry.ts'
import { makeTimeScale, waitedMs } from './time-scale.ts'

const start = Date.parse('2025-11-21T08:00:00.000Z')
const at = (ms: number) => new Date(start + ms).toISOString()
const step = { kind: 'step' as const, name: 's', attempt: 1 }
let seq = 0
const event = (ms: number, type: RunEvent['type'], data: object, op?: string) => ({ seq: seq++, type, data, at: at(ms), ...(op ? { op } : {}) }) as RunEvent
function timelineOf(...events: RunEvent[]) {
  return advance(
    emptyTimeline,
    events.map((one, i) => ({ ...one, seq: i })),
  )
}
const day = 86_400_000

test('time in which something was executing is drawn to scale', () => {
  const scale = makeTimeScale(
    timelineOf(
      event(0, 'run.started', { input: null }),
      event(0, 'step.started', step, '0'),
      event(1_000, 'step.completed', { ...step, output: 1 }, '0'),
      event(1_000, 'step.started', step, '1'),
      event(4_000, 'step.completed', { ...step, output: 1 }, '1'),
      event(4_000, 'run.completed', { output: 1 }),
    ),
    start + day,
  )
  expect([0, 1_000, 2_500, 4_000].map((ms) => scale.position(start + ms))).toEqual([0, 0.25, 0.625, 1])
  expect(scale.breaks).toEqual([])
})

test('a night of waiting is drawn narrow, and both sides of it stay readable', () => {
  const scale = makeTimeScale(
    timelineOf(
      event(0, 'run.started', { input: null }),
      event(0, 'step.started', step, '0'),
      event(1_000, 'step.completed', { ...step, output: 1 }, '0'),
      event(1_000, 'wait.created', { kind: 'timer', name: 'night', until: null }, '1'),
      event(day, 'wait.completed', { kind: 'timer', name: 'night', output: null }, '1'),
      event(day, 'step.started', step, '2'),
      event(day + 1_000, 'step.completed', { ...step, output: 1 }, '2'),
      event(day + 1_000, 'run.completed', { output: 1 }),
    ),
    start + 2 * day,
  )
  expect(scale.breaks).toHaveLength(1)
  expect(scale.breaks[0]!.width).toBeLessThan(0.15)
  expect(scale.position(start + 1_000)).toBeGreaterThan(0.4)
  expect(scale.position(start + day)).toBeLessThan(0.6)
})

test('a tool that waits for an approval inside is waiting, not busy', () => {
  const timeline = timelineOf(
    event(0, 'run.started', { input: null }),
    event(0, 'step.started', { ...step, kind: 'tool' }, '0'),
    event(0, 'step.started', step, '0.0'),
    event(1_000, 'step.completed', { ...step, output: 1 }, '0.0'),
    event(1_000, 'wait.created', { kind: 'approval', name: 'ok?', until: null }, '0.1'),
  )
  expect(makeTimeScale(timeline, start + day).breaks).toHaveLength(1)
})

test('positions never leave the scale and never go backwards', () => {
  const scale = makeTimeScale(
    timelineOf(
      event(0, 'run.started', { input: null }),
      event(50, 'step.started', step, '0'),
      event(90, 'step.failed', { ...step, failure: { message: 'x', retryable: true }, retryInMs: day }, '0'),
    ),
    start + day,
  )
  const positions = [-5, 0, 20, 50, 70, 90, 1_000, day / 2, day, 2 * day].map((ms) => scale.position(start + ms))
  expect(positions).toEqual(positions.toSorted((a, b) => a - b))
  expect([positions[0], positions.at(-1)]).toEqual([0, 1])
})

test('a run that has not begun has a scale all the same', () => {
  expect(makeTimeScale(emptyTimeline, start).position(start)).toBe(0)
})

test('waiting counts once however many waits are open, and until now while one is', () => {
  const timeline = timelineOf(
    event(0, 'run.started', { input: null }),
    event(1_000, 'wait.created', { kind: 'signal', name: 'a', until: null }, '0.0.0'),
    event(2_000, 'wait.created', { kind: 'timer', name: 'b', until: null }, '0.1.0'),
    event(4_000, 'wait.completed', { kind: 'timer', name: 'b', output: null }, '0.1.0'),
    event(5_000, 'wait.completed', { kind: 'signal', name: 'a', output: null }, '0.0.0'),
    event(7_000, 'wait.created', { kind: 'signal', name: 'c', until: null }, '1'),
  )
  expect(waitedMs(timeline, start + 10_000)).toBe(7_000)
})
