import type { Json } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { Trust, sentByHook } from './trust.ts'

const completed = (kind: string, output: Json) => ({ type: 'step.completed' as const, op: '0', data: { kind, name: 'it', attempt: 1, output, durationMs: 1 } })

test('a signal that came as a webhook labels the run, one that somebody sent does not', () => {
  const trust = new Trust()
  trust.apply({ type: 'signal.received', data: { name: 'go', payload: 'now', by: 'ada' } })
  trust.apply({ type: 'signal.received', data: { name: 'go', payload: 'now', by: 'webhook' } })
  expect([...trust.labels]).toEqual([])
  trust.apply({ type: 'signal.received', data: { name: 'go', payload: 'now', by: sentByHook('issues') } })
  expect([...trust.labels]).toEqual(['hook:issues'])
})

test('what was said to a run labels it as its sender says, a signal at once and what a model call takes with that', () => {
  const trust = new Trust()
  trust.apply({ type: 'signal.received', data: { name: 'go', payload: 'now', by: 'run 7', labels: ['hook:issues'] } })
  trust.apply({ type: 'step.completed', op: '0', data: { kind: 'model', name: 'it', attempt: 1, output: null, durationMs: 1, labels: ['tool_server:rail'] } })
  trust.apply({ type: 'step.completed', op: '1', data: { kind: 'step', name: 'it', attempt: 1, output: null, durationMs: 1, labels: ['web:made.up'] } })
  expect([...trust.labels]).toEqual(['hook:issues', 'tool_server:rail'])
})

test('what the sandbox of a run has reached labels the run; what a worker says of its own steps does not', () => {
  const trust = new Trust()
  trust.apply(completed('exec', { stdout: '', labels: ['web:shop.test'] }))
  trust.apply(completed('files', { action: 'read', labels: ['web:other.test'] }))
  trust.apply(completed('step', { labels: ['web:made.up'] }))
  expect([...trust.labels]).toEqual(['web:shop.test', 'web:other.test'])
})
