import type { RunEvent } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { advance } from './advance.ts'
import { emptyTimeline } from './entry.ts'
import { toRows } from './rows.ts'
import type { RowFilter } from './rows.ts'

const start = Date.parse('2025-11-21T08:00:00.000Z')
const at = (seq: number) => new Date(start + seq * 10).toISOString()
const started = (seq: number, op: string, kind: 'tool' | 'exec' | 'model' | 'step', name: string): RunEvent => ({
  seq,
  type: 'step.started',
  op,
  at: at(seq),
  data: { kind, name, attempt: 1 },
})
const completed = (seq: number, op: string, kind: 'tool' | 'exec' | 'model' | 'step', name: string): RunEvent => ({
  seq,
  type: 'step.completed',
  op,
  at: at(seq),
  data: { kind, name, attempt: 1, output: null },
})

/** A turn that calls two tools side by side, then one that calls a single tool: every call runs in a branch of its own. */
const timeline = advance(emptyTimeline, [
  started(0, '0', 'model', 'm'),
  completed(1, '0', 'model', 'm'),
  started(2, '1.0.0', 'tool', 'bash'),
  started(3, '1.0.0.0', 'exec', 'ls'),
  started(4, '1.1.0', 'tool', 'query'),
  completed(5, '1.0.0.0', 'exec', 'ls'),
  completed(6, '1.0.0', 'tool', 'bash'),
  {
    seq: 7,
    type: 'step.failed',
    op: '1.1.0',
    at: at(7),
    data: { kind: 'tool', name: 'query', attempt: 1, failure: { message: 'x', retryable: false }, retryInMs: null },
  },
  started(8, '2', 'model', 'm'),
  completed(9, '2', 'model', 'm'),
  started(10, '3.0.0', 'tool', 'chart'),
])
const lines = (filter: RowFilter = 'all', collapsed: string[] = []) =>
  toRows(timeline, new Map(collapsed.map((key) => [key, true])), filter).map((row) => `${' '.repeat(row.depth)}${row.entry.key} ${row.entry.name || 'branch'}`)

test('side-by-side work is a group; side-by-side work of one is just that work', () => {
  expect(lines()).toEqual(['0 m', '1 branch', ' 1.0.0 bash', '  1.0.0.0 ls', ' 1.1.0 query', '2 m', '3.0.0 chart'])
})

test('a collapsed line keeps its place and hides what is inside', () => {
  expect(lines('all', ['1.0.0'])).toEqual(['0 m', '1 branch', ' 1.0.0 bash', ' 1.1.0 query', '2 m', '3.0.0 chart'])
  expect(lines('all', ['1'])).toEqual(['0 m', '1 branch', '2 m', '3.0.0 chart'])
})

test('a tool that is nothing but its one command starts closed, unless that went wrong; what the reader opened stays open', () => {
  const run = (exitCode: number | null, more: RunEvent[] = []) =>
    advance(emptyTimeline, [
      started(0, '0', 'tool', 'bash'),
      started(1, '0.0', 'exec', 'ls'),
      ...(exitCode === null
        ? []
        : [{ ...completed(2, '0.0', 'exec', 'ls'), data: { kind: 'exec', name: 'ls', attempt: 1, output: { exitCode } } } as RunEvent]),
      ...more,
    ])
  const keys = (...args: Parameters<typeof toRows>) => toRows(...args).map((row) => row.entry.key)
  expect(keys(run(0), new Map())).toEqual(['0'])
  expect(keys(run(null), new Map())).toEqual(['0'])
  expect(keys(run(1), new Map())).toEqual(['0', '0.0'])
  expect(keys(run(0, [started(3, '0.1', 'exec', 'ls')]), new Map())).toEqual(['0', '0.0', '0.1'])
  expect(keys(run(0), new Map(), 'exec')).toEqual(['0', '0.0'])
  expect(keys(run(0), new Map([['0', false]]))).toEqual(['0', '0.0'])
})

test('side-by-side work is told in the order of the code, whichever part began first', () => {
  const swapped = advance(emptyTimeline, [
    started(0, '0.1.0', 'step', 'second'),
    started(1, '0.0.0', 'step', 'first'),
    started(2, '0.10.0', 'step', 'eleventh'),
  ])
  expect(toRows(swapped, new Map()).map((row) => row.entry.name)).toEqual(['', 'first', 'second', 'eleventh'])
})

test('a filter keeps the parents of what it finds, so that one sees where it was', () => {
  expect(lines('exec')).toEqual(['1 branch', ' 1.0.0 bash', '  1.0.0.0 ls'])
  expect(lines('model')).toEqual(['0 m', '2 m'])
  expect(lines('problem')).toEqual(['1 branch', ' 1.1.0 query'])
})

test('a group lasts from its first to its last part and stands as the worst of them', () => {
  const group = toRows(timeline, new Map()).find((row) => row.entry.key === '1')
  expect(group).toMatchObject({ state: 'failed', startedAt: start + 20, endedAt: start + 70 })
})

test('ten thousand steps are folded and laid out in well under a second', () => {
  const events = Array.from({ length: 20_000 }, (_, seq) =>
    seq % 2 === 0 ? started(seq, String(seq / 2), 'step', 's') : completed(seq, String((seq - 1) / 2), 'step', 's'),
  )
  const from = performance.now()
  const rows = toRows(advance(emptyTimeline, events), new Map())
  expect(rows).toHaveLength(10_000)
  expect(performance.now() - from).toBeLessThan(1_000)
})
