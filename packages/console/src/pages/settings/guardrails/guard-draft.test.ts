import type { Guard } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { emptyDraft, guardTypes, toDraft, toGuard } from './guard-draft.ts'

const guards: Guard[] = [
  { type: 'size', inputBytesMax: 1_000, outputTokensMax: 10 },
  { type: 'personal', kinds: ['email', 'iban'], on: 'both', action: 'mask', unreadFiles: 'block' },
  { type: 'secrets', on: 'answer', action: 'annotate' },
  { type: 'words', words: ['Project Heron', 'Heron'], on: 'request', action: 'block' },
  { type: 'schema', schema: { type: 'object' }, repair: false, action: 'annotate' },
  { type: 'moderation', model: 'openai/guard', policy: 'No advice on shares.', on: 'both', action: 'block' },
]

test('a guard of any type is the same after it was written out, and every type is among them', () => {
  for (const guard of guards) expect(toGuard(toDraft(guard))).toEqual({ guard })
  expect(new Set(guards.map(({ type }) => type))).toEqual(new Set(guardTypes))
})

test('what is not filled in yet is told with where it is', () => {
  expect(toGuard(emptyDraft('words'))).toMatchObject({ problem: expect.stringContaining('words') })
  expect(toGuard(emptyDraft('moderation'))).toMatchObject({ problem: expect.stringContaining('model') })
  expect(toGuard({ ...emptyDraft('schema'), schema: '{' })).toMatchObject({ problem: expect.stringContaining('schema') })
  expect(toGuard(emptyDraft('secrets'))).toEqual({ guard: { type: 'secrets', on: 'request', action: 'block' } })
})

test('a guard of answers says nothing of files in requests', () => {
  expect(toGuard({ ...emptyDraft('secrets'), on: 'answer', unreadFiles: 'block' })).toEqual({ guard: { type: 'secrets', on: 'answer', action: 'block' } })
})
