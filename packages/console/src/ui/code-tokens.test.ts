import { expect, test } from 'vitest'
import { jsonTokens, sqlTokens } from './code-tokens.ts'

const roles = (tokens: { text: string; role: string }[]) => tokens.filter(({ role }) => role !== 'plain').map(({ text, role }) => `${role}:${text}`)

test('SQL words, texts, numbers and comments are told apart', () => {
  expect(roles(sqlTokens("SELECT a.from_day, 'it''s' -- where\nFROM t WHERE x >= 1.5e3 /* select */"))).toEqual([
    'keyword:SELECT',
    "string:'it''s'",
    'comment:-- where',
    'keyword:FROM',
    'keyword:WHERE',
    'number:1.5e3',
    'comment:/* select */',
  ])
})

test('a quoted name is no keyword and an unclosed text ends with the source', () => {
  expect(roles(sqlTokens(`"select" 'open`))).toEqual(["string:'open"])
})

test('keys and values of JSON are told apart', () => {
  expect(roles(jsonTokens('{"a": "b\\"c", "n": -1.5, "t": true}'))).toEqual([
    'keyword:"a":',
    'string:"b\\"c"',
    'keyword:"n":',
    'number:-1.5',
    'keyword:"t":',
    'number:true',
  ])
})

test('nothing is lost or added, whatever the source', () => {
  for (const source of ["select '", '/* ', '{"a', '--', 'a\u0000b 年度 \ud83d\ude00 \'"\'"']) {
    expect(
      sqlTokens(source)
        .map(({ text }) => text)
        .join(''),
    ).toBe(source)
    expect(
      jsonTokens(source)
        .map(({ text }) => text)
        .join(''),
    ).toBe(source)
  }
})
