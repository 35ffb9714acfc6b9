import type { UsageGroup } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { healthOf } from './health.ts'

const group = (model: string, calls: number, failedCalls: number) =>
  ({ by: { provider: model.split('/')[0], model }, calls, failedCalls }) as unknown as UsageGroup

test('a model is as well as its calls of the hour went; without calls nothing is known', () => {
  const groups = [group('openai/a', 20, 0), group('openai/b', 20, 2), group('openai/c', 20, 10)]
  expect(['openai/a', 'openai/b', 'openai/c', 'openai/d'].map((model) => healthOf(groups, model).tone)).toEqual(['good', 'warn', 'bad', 'idle'])
  expect(healthOf(groups, 'openai/b')).toMatchObject({ calls: 20, failed: 2 })
})
