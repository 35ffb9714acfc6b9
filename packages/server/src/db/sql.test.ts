import { expect, test } from 'vitest'
import { identifier, join, now, sql } from './sql.ts'

test('values become parameters and nested pieces are numbered in one go', () => {
  const due = sql`due_at <= ${now} + ${5} * interval '1 ms'`
  expect(sql`select * from runs where ${due} and id = ${'x'} and ${due}`.toQuery()).toEqual({
    text: "select * from runs where due_at <= clock_timestamp() + $1 * interval '1 ms' and id = $2 and due_at <= clock_timestamp() + $3 * interval '1 ms'",
    values: [5, 'x', 5],
  })
})

test('a value that looks like SQL stays a value', () => {
  expect(sql`select ${"'; drop table runs --"}`.toQuery()).toEqual({ text: 'select $1', values: ["'; drop table runs --"] })
})

test('only a plain name becomes an identifier', () => {
  expect(sql`drop table ${identifier('runs')}`.toQuery().text).toBe('drop table "runs"')
  for (const name of ['runs"; --', '', 'a b', 'a'.repeat(64), '1a']) expect(() => identifier(name)).toThrow('not a plain SQL name')
})

test('pieces are joined, none and one included', () => {
  expect(join([sql`a = ${1}`, sql`b = ${2}`], sql` and `).toQuery()).toEqual({ text: 'a = $1 and b = $2', values: [1, 2] })
  expect(sql`(${join([sql`a`])})`.toQuery().text).toBe('(a)')
  expect(join([]).toQuery()).toEqual({ text: '', values: [] })
})
