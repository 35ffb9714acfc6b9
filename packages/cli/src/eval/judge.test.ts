import type { AnswerPart } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { Case } from './cases.ts'
import { judge, rowsInShort } from './judge.ts'

type Row = (string | number | null)[]
const table = (rows: Row[]): AnswerPart => ({
  type: 'table',
  columns: (rows[0] ?? []).map((_, at) => ({ name: `c${at}`, type: 'text' as const })),
  rows,
  rowCount: rows.length,
})
const why = (options: { text?: string; parts?: AnswerPart[]; truth?: Row[]; expect?: object; access?: object; problem?: string }) => {
  const test = Case.parse({
    id: 'x',
    question: 'How many?',
    language: 'en',
    access: options.access,
    expect: options.expect ?? { answerable: true, truth_sql: 'select 1' },
  })
  const outcome = options.problem === undefined ? { answer: { text: options.text ?? '', parts: options.parts ?? [] } } : { problem: options.problem }
  const verdict = judge(test, outcome, test.expect.answerable ? { columns: [], rows: options.truth ?? [] } : undefined)
  return verdict.isPassed ? 'passed' : verdict.why
}

test('a table must say what the truth says', () => {
  const truth: Row[] = [
    ['EMEA', 1],
    ['APAC', 2],
  ]
  expect(
    why({
      truth,
      parts: [
        table([
          ['APAC', 2],
          ['EMEA', 1],
        ]),
      ],
    }),
  ).toBe('passed')
  expect(why({ truth, parts: [table([['other', 9]]), table(truth)] })).toBe('passed')
  expect(
    why({
      truth,
      parts: [
        table([
          ['APAC', 1],
          ['EMEA', 2],
        ]),
      ],
    }),
  ).toBe('the values differ')
  expect(
    why({
      truth,
      parts: [
        table([
          ['APAC', 2],
          ['EMEA', 1],
        ]),
      ],
      expect: { answerable: true, truth_sql: 'x', ordered: true },
    }),
  ).toBe('the values or their order differ')
  expect(why({ truth, parts: [table([['EMEA', 1]])] })).toBe('it has 1 rows and not 2')
  expect(why({ truth, text: 'EMEA 1, APAC 2' })).toBe('there is no table')
  expect(why({ truth, text: "I can't answer that offline." })).toBe('it refused')
  expect(why({ truth, problem: 'the run failed: x' })).toBe('the run failed: x')
})

test('a single number may stand in the sentence or among others in one row, but not somewhere in a long table', () => {
  const truth: Row[] = [[48_200_000]]
  expect(why({ truth, text: 'It was $48.2 million.' })).toBe('passed')
  expect(why({ truth, text: 'See the table.', parts: [table([['Q3', 48_200_000, 12]])] })).toBe('passed')
  expect(
    why({
      truth,
      text: 'See the table.',
      parts: [
        table([
          ['a', 1],
          ['b', 48_200_000],
        ]),
      ],
    }),
  ).toBe('it has 2 rows and not 1')
  expect(why({ truth, text: 'It was $47 million.' })).toBe('there is no table')
})

test('a refusal has no table, says so, and presents no number', () => {
  const expected = { answerable: false }
  expect(why({ expect: expected, text: "I can't answer that offline: there is no weather in the warehouse." })).toBe('passed')
  expect(why({ expect: expected, text: "I can't answer that offline.", parts: [table([[1]])] })).toBe('it shows a table')
  expect(why({ expect: expected, text: 'There is nothing.' })).toBe('it does not say that it cannot answer')
  expect(why({ expect: expected, text: "I can't answer that, but probably $4,000." })).toBe('it presents a number: $4,000')
})

test('an answer under a limit must tell of it', () => {
  const truth: Row[] = [[7]]
  expect(why({ truth, text: '7, limited to Europe.', access: { regions: ['Europe'] } })).toBe('passed')
  expect(why({ truth, text: '7.', access: { regions: ['Europe'] } })).toBe('the text does not mention the limit')
  expect(why({ truth, text: '7.', access: { personalData: true } })).toBe('passed')
})

test('rows in short', () => {
  expect([
    rowsInShort([]),
    rowsInShort([[48_200_000.123]]),
    rowsInShort([
      ['a', 1],
      ['b', null],
    ]),
    rowsInShort(Array.from({ length: 6 }, (_, at) => [at])),
  ]).toEqual(['no rows', '48,200,000.123', '2 rows: a 1 | b –', '6 rows: 0 | 1 | 2 | 3 | …'])
})
