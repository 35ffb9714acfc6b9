import type { Json, Run, RunEvent } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { compareEvents } from './compare.ts'

const at = '2026-11-27T10:00:00.000Z'
const run = (id: string) => ({ id, state: 'completed', output: null, failure: null }) as unknown as Run // What is looked at.
const side = (id: string, ...steps: [kind: 'exec' | 'model' | 'step', output: Json][]) => ({
  run: run(id),
  events: steps.map(([kind, output], seq): RunEvent => ({ seq, type: 'step.completed', op: String(seq), at, data: { kind, name: kind, attempt: 1, output } })),
})

test('a command that took longer and an answer that cost more are the same; whatever else differs is not', () => {
  const command = (durationMs: number, stdout: string) => ({ exitCode: 0, stdout, durationMs })
  const answer = (input: number) => ({ content: [], usage: { input } })
  const a = side('a', ['exec', command(12, 'x')], ['model', answer(1)], ['exec', command(1, 'x')], ['step', { durationMs: 1 }])
  const b = side('b', ['exec', command(40, 'x')], ['model', answer(2)], ['exec', command(1, 'y')], ['step', { durationMs: 2 }])
  const { sameCount, different } = compareEvents(a, b)
  expect([sameCount, different.map(({ op }) => op)]).toEqual([2, ['2', '3']]) // A step's own durationMs is what its author returned.
})
