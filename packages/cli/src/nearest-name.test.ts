import { expect, test } from 'vitest'
import { editsBetween, nearNames } from './nearest-name.ts'

test('edits are insertions, deletions, replacements and swapped neighbours', () => {
  expect([
    editsBetween('analyst', 'analyst'),
    editsBetween('analist', 'analyst'),
    editsBetween('anlayst', 'analyst'),
    editsBetween('', 'abc'),
    editsBetween('kitten', 'sitting'),
  ]).toEqual([0, 1, 1, 3, 3])
})

test('near names come best first, and far ones not at all', () => {
  expect(nearNames('analist', ['hello', 'analyst', 'analysts', 'catalyst'])).toEqual(['analyst', 'analysts'])
  expect(nearNames('support', ['customer-support', 'analyst'])).toEqual(['customer-support'])
  expect(nearNames('zzz', ['hello', 'analyst'])).toEqual([])
})
