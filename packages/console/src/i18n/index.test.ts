import { expect, test } from 'vitest'
import { en } from './en.ts'
import { start as enStart } from './en/start.ts'
import { makeTranslate } from './index.ts'
import { zh } from './zh.ts'
import { start as zhStart } from './zh/start.ts'

const english = makeTranslate([enStart, en], 'en-GB')
const chinese = makeTranslate([zhStart, zh], 'zh-CN')

test('the count chooses between one and other, as the language does', () => {
  expect([0, 1, 2].map((count) => english('answer.rows', { count }))).toEqual(['0 rows', '1 row', '2 rows'])
  expect([1, 2].map((count) => chinese('timeline.retries', { count }).replace(/\d/, '#'))).toEqual(
    Array(2).fill(chinese('timeline.retries', { count: 3 }).replace('3', '#')),
  )
  expect(english('answer.rows')).toBe(' rows')
})

test('values stand where the text wants them, as they are; numbers are grouped where it says so', () => {
  expect(english('run.askedBy', { name: '<b>$&</b> {{name}}' })).toBe('asked by <b>$&</b> {{name}}')
  expect(english('timeline.steps', { count: 10_000 })).toBe('10,000 steps')
  expect(english('answer.cut', { shown: 3, total: 10_000 })).toBe('the first 3 of 10000 rows')
  expect(english('run.askedBy', { name: undefined })).toBe('asked by ')
})

test('a text that is missing shows its key', () => {
  expect(english('runs.title')).toBe('Runs')
  expect(english('runs.nothing' as 'runs.title')).toBe('runs.nothing')
})
