import { describe, expect, test } from 'vitest'
import { numberAt } from './numerals.ts'
import { correctSpelling, editDistance } from './spelling.ts'
import { looseStem, singular, tokenize } from './tokens.ts'

describe('tokens', () => {
  test('words, numbers and Han characters stand apart, whatever is between them', () => {
    expect(tokenize("Europe's Q3'26 ARR超过10万").map((token) => token.norm)).toEqual(['europe', 'q', '3', "'", '26', 'arr', '超', '过', '10', '万'])
  })
  test('dates and grouped numbers stay whole', () => expect(tokenize('2026-3-5: 1,234.5').map((token) => token.norm)).toEqual(['2026-03-05', ':', '1234.5']))
  test('accents and full-width forms make no difference', () => expect(tokenize('Café ＡＲＲ').map((token) => token.norm)).toEqual(['cafe', 'arr']))
  test.each([
    ['companies', 'company'],
    ['boxes', 'box'],
    ['churches', 'church'],
    ['statuses', 'status'],
    ['sales', 'sales'],
    ['business', 'business'],
    ['people', 'person'],
    ['tickets', 'ticket'],
  ])('%s is one or several %s', (word, one) => expect(singular(word)).toBe(one))
  test('forms of a verb meet, verbs that differ do not', () => {
    expect(new Set(['churn', 'churned', 'churning', 'churns'].map(looseStem)).size).toBe(1)
    expect(new Set(['resolve', 'resolved', 'resolving'].map(looseStem)).size).toBe(1)
    expect(looseStem('sell')).toBe(looseStem('sold'))
    expect(looseStem('opened')).not.toBe(looseStem('operated'))
  })
})

describe('numbers', () => {
  const valueOf = (text: string) => {
    const tokens = tokenize(text)
    const read = numberAt(tokens, 0)
    return read && read.length === tokens.length ? [read.value, ...(read.unit ? [read.unit] : [])] : undefined
  }
  test.each<[string, number, string?]>([
    ['12', 12],
    ['1,000', 1000],
    ['100k', 100_000],
    ['1.5 million', 1_500_000],
    ['$2M', 2_000_000, 'money'],
    ['$500,000', 500_000, 'money'],
    ['50%', 50, 'percent'],
    ['ten', 10],
    ['twenty-five', 25],
    ['twelve thousand', 12_000],
    ['3 bn', 3e9],
    ['三', 3],
    ['十二', 12],
    ['二十', 20],
    ['一百二十', 120],
    ['三千五百', 3500],
    ['10万', 100_000],
    ['十万', 100_000],
    ['两百万', 2_000_000],
    ['1.2亿', 1.2e8],
    ['50万美元', 500_000, 'money'],
    ['百分之五十', 50, 'percent'],
    ['二〇二五', 2025],
  ])('%s', (text, value, unit) => expect(valueOf(text)).toEqual([value, ...(unit ? [unit] : [])]))
  test.each(['万', 'customers', 'k', '亿元'])('%s is none', (text) => expect(numberAt(tokenize(text), 0)).toBeUndefined())
  test('a letter that stands apart is no scale', () => expect(numberAt(tokenize('5 m'), 0)).toEqual({ value: 5, length: 1 }))
})

describe('spelling', () => {
  const vocabulary = new Set(['region', 'customer', 'enterprise', 'ticket', 'channel', 'revenue', 'mid', 'market', 'churned'])
  const correct = (text: string) => correctSpelling(tokenize(text), vocabulary).map((token) => token.norm)
  test.each([
    ['regoin', 'region'],
    ['custmers', 'customer'],
    ['enterprize', 'enterprise'],
    ['tikcets', 'ticket'],
    ['revenu', 'revenue'],
    ['Septmber', 'september'],
    ['regional', 'region'],
  ])('%s is read as %s', (written, read) => expect(correct(written)).toEqual([read]))
  test.each(['banana', 'legion', 'cat', 'churning', 'midmarket', 'channels', 'profit'])('%s is left alone', (word) =>
    expect(correctSpelling(tokenize(word), vocabulary)[0]?.misspelt).toBeUndefined(),
  )
  test('neighbours exchanged are nearer than two letters wrong', () => {
    expect(editDistance('regoin', 'region')).toBe(0.9)
    expect(editDistance('abcd', 'abcd')).toBe(0)
    expect(editDistance('abcd', 'acbx')).toBe(1.9)
  })
})
