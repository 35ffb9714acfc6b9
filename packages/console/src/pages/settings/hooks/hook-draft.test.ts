import { expect, test } from 'vitest'
import { toAction, toDraft } from './hook-draft.ts'

const start = toDraft(undefined)

test.each([
  ['', ''],
  ['/event/text', '/event/text'],
  ['title=/issue/title\n  body = /issue/body \n', { title: '/issue/title', body: '/issue/body' }],
])('what is written as %j is taken from the payload as %j', (mapping, input) => {
  expect(toAction({ ...start, mapping })).toEqual({ action: { type: 'start', input } })
})

test('an action is the same after it was written out', () => {
  for (const action of [
    { type: 'start' as const, input: { title: '/issue/title' }, session: '/event/channel' },
    { type: 'signal' as const, run: '/data/run', signal: 'paid', payload: '/data' },
  ])
    expect(toAction(toDraft(action))).toEqual({ action })
})

test('what is no place, or lacks its run, is told with where it is', () => {
  expect(toAction({ ...start, mapping: 'issue.title' })).toMatchObject({ problem: expect.stringContaining('input') })
  expect(toAction({ ...start, type: 'signal', signal: 'paid' })).toMatchObject({ problem: expect.stringContaining('run') })
})
