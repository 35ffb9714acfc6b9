import type { RunEvent } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { advance } from './advance.ts'
import { emptyTimeline } from './entry.ts'
import { toRows } from './rows.ts'
import type { RowFilter } from './rows.ts'

const start = Date.parse('2025-11-21T08:00:00.000Z')
const at = (seq: number) => new Date(start + seq * 10).toISOString()
const started = (seq: number, op: string, kind: 'tool' | 'exec' | 'model' | 'step', name: string): RunEvent => ({ seq, type: 'step.started', op, at: at(seq), data: { kind, name, attempt: 1 } })
const completed = (seq: number, op: string, kind: 'tool' | 'exec' | 'model' | 'step', name: string): RunEvent => ({ seq, type: 'step.completed', op, at: at(seq), data: { kind, name, attempt: 1, output: null } })

/** A turn that calls two tools side by side, then one that calls a single tool: every call runs in a branch of its own. */
const timeline = advance(emptyTimeline, [
  started(0, '0', 'model', 'm'), completed(1, '0', 'model', 'm'),
  started(2, '1.0.0', 'tool', 'bash'), started(3, '1.0.0.0', 'exec', 'ls'), started(4, '1.1.0', 'tool', 'query'),
  completed(5, '1.0.0.0', 'exec', 'ls'), completed(6, '1.0.0', 'tool', 'bash'),
  { seq: 7, type: 'step.failed', op: '1.1.0', at: at(7), data: { kind: 'tool', name: 'query', attempt: 1, failure: { message: 'x', retryable: false }, retryInMs: null } },
  started(8, '2', 'model', 'm'), completed(9, '2', 'model', 'm'),
  started(10, '3.0.0', 'tool', 'chart'),
])
const lines = (filter: RowFilter = 'all', collapsed: string[] = []) => toRows(timeline, new Set(collapsed), filter).map((row) => `${' '.repeat(row.depth)}${row.entry.key} ${row.entry.name || 'branch'}`)

test('side-by-side work is a group; side-by-side work of one is just that work', () => {
  expect(lines()).toEqual(['0 m', '1 branch', ' 1.0.0 bash', '  1.0.0.0 ls', ' 1.1.0 query', '2 m', '3.0.0 chart'])
})

test('a collapsed line keeps its place and hides what is inside', () => {
  expect(lines('all', ['1.0.0'])).toEqual(['0 m', '1 branch', ' 1.0.0 bash', ' 1.1.0 query', '2 m', '3.0.0 chart'])
  expect(lines('all', ['1'])).toEqual(['0 m', '1 branch', '2 m', '3.0.0 chart'])
})

test('a filter keeps the parents of what it finds, so that one sees where it was', () => {
  expect(lines('exec')).toEqual(['1 branch', ' 1.0.0 bash', '  1.0.0.0 ls'])
  expect(lines('model')).toEqual(['0 m', '2 m'])
  expect(lines('problem')).toEqual(['1 branch', ' 1.1.0 query'])
})

test('a group lasts from its first to its last part and stands as the worst of them', () => {
  const group = toRows(timeline, new Set()).find((row) => row.entry.key === '1')
  expect(group).toMatchObject({ state: 'failed', startedAt: start + 20, endedAt: start + 70 })
})

test('ten thousand steps are folded and laid out in well under a second', () => {
  const events = Array.from({ length: 20_000 }, (_, seq) => (seq % 2 === 0 ? started(seq, String(seq / 2), 'step', 's') : completed(seq, String((seq - 1) / 2), 'step', 's')))
  const from = performance.now()
  const rows = toRows(advance(emptyTimeline, events), new Set())
  expect(rows).toHaveLength(10_000)
  expect(performance.now() - from).toBeLessThan(1_000)
})
