import { expect, test } from 'vitest'
import { makeDatabase } from '../../test/support/postgres.ts'
import { openStatementNames } from './statement-names.ts'
import { sql } from './sql.ts'

test('a text gets its name the third time, and never another', () => {
  const nameOf = openStatementNames()
  expect(['a', 'a', 'a', 'b', 'a', 'b', 'b'].map(nameOf)).toEqual([undefined, undefined, 's1', undefined, 's1', undefined, 's2'])
})

test('names are bounded, and so is what is counted', () => {
  const nameOf = openStatementNames()
  const named = Array.from({ length: 5_000 }, (_, at) => `text ${at}`).filter((text) => nameOf(text) ?? nameOf(text) ?? nameOf(text))
  expect(named).toHaveLength(250)
  expect(nameOf('text 0')).toBe('s1')
})

test('the database plans a repeated statement once per connection, and follows a table that changes', async () => {
  await using t = await makeDatabase({ poolMax: 1, as: 'owner' })
  const prepared = () =>
    t.db.rows<{ statement: string; count: number }>(sql`select statement, (generic_plans + custom_plans)::int as count from pg_prepared_statements`)
  await t.db.rows(sql`create table things (n int, name text)`)
  const find = (n: number) => t.db.rows(sql`select n, name from things where n = ${n}`)
  for (const n of [1, 2, 3]) expect(await find(n)).toEqual([])
  expect(await prepared()).toEqual([{ statement: 'select n, name from things where n = $1', count: 1 }])
  await t.db.rows(sql`insert into things values (4, 'four')`)
  await t.db.rows(sql`alter table things add column more text default 'x'`)
  await t.db.rows(sql`create index on things (n)`)
  expect(await find(4)).toEqual([{ n: 4, name: 'four' }])
  // One that fails leaves the connection and the name good.
  const divide = (by: number) => t.db.transaction((tx) => tx.rows<{ n: number }>(sql`select 10 / ${by}::int as n`))
  for (const by of [0, 0, 0, 0]) await expect(divide(by)).rejects.toThrow('division')
  expect(await divide(5)).toEqual([{ n: 2 }])
  expect((await prepared()).map(({ count }) => count)).toEqual([2, 1]) // Plans that could not be made are not counted.
})
