import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { startEngine } from '../../test/support/engine.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { type Db, sql } from '../db/index.ts'

const resultBytes = 2_000

test('storage grows with what is new and by nothing else: a step of a long run takes as much as one of a short run', async () => {
  await using t = await makeDatabase()
  await using a = await startEngine(t.db, {
    // Bytes that cannot be compressed, so that what is stored twice is seen twice.
    steps: async (ctx) => {
      for (let i = 0; i < Number(ctx.input); i++) await ctx.step('s', () => randomBytes(resultBytes / 2).toString('hex'))
      return null
    },
  })
  const grownBy = async (steps: number): Promise<number> => {
    const before = await bytesOf(t.db)
    await a.ended((await a.start('steps', steps)).id, 30_000)
    return ((await bytesOf(t.db)) - before) / steps
  }
  await grownBy(100) // Tables and indexes have their first pages.
  const short = await grownBy(100)
  const long = await grownBy(1_000)
  expect(long).toBeLessThan(short * 1.1)
  // Hexadecimal digits compress to not much less than half, and a row and its index entries have their own bytes.
  expect(long).toBeGreaterThan(resultBytes / 2)
  expect(long).toBeLessThan(resultBytes * 1.5 + 500)
})

/** Of every table, with indexes and what is stored out of line. */
async function bytesOf(db: Db): Promise<number> {
  const [row] = await db.rows<{ bytes: number }>(sql`
    select sum(pg_total_relation_size(oid))::double precision as bytes from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`)
  const bytes = row?.bytes ?? NaN
  return bytes
}
