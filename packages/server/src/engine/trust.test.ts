import type { Json } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { Trust } from './trust.ts'

const completed = (kind: string, output: Json) => ({ type: 'step.completed' as const, op: '0', data: { kind, name: 'it', attempt: 1, output, durationMs: 1 } })

test('what the sandbox of a run has reached labels the run; what a worker says of its own steps does not', () => {
  const trust = new Trust()
  trust.apply(completed('exec', { stdout: '', labels: ['web:shop.test'] }))
  trust.apply(completed('files', { action: 'read', labels: ['web:other.test'] }))
  trust.apply(completed('step', { labels: ['web:made.up'] }))
  expect([...trust.labels]).toEqual(['web:shop.test', 'web:other.test'])
})
