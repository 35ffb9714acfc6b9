import { expect, test } from 'vitest'
import { startEngine } from '../../test/support/engine.ts'
import { checkJournals, watchJournal } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { sql } from '../db/index.ts'

const three = async (ctx: { step(name: string, work: () => number): Promise<unknown> }) =>
  [await ctx.step('a', () => 1), await ctx.step('b', () => 2), await ctx.step('c', () => 3)] as number[]

test('a run executes its steps in order, each recorded once, and ends with its output', async () => {
  await using t = await makeDatabase()
  await watchJournal(t.db)
  await using e = await startEngine(t.db, { three })
  const started = await e.start('three', { n: 1 })
  expect(started).toMatchObject({ state: 'running', input: { n: 1 }, agent: 'three', eventCount: 1 })
  const run = await e.ended(started.id)
  expect(run).toMatchObject({ state: 'completed', output: [1, 2, 3], failure: null, wait: null, eventCount: 5 })
  expect((await e.events(run.id)).map(({ type }) => type)).toEqual(['run.started', 'step.completed', 'step.completed', 'step.completed', 'run.completed'])
  expect(await checkJournals(t.db)).toEqual({ runCount: 1, eventCount: 5 })
})

test('an interrupted run goes on after its last recorded step, which is not executed again', async () => {
  await using t = await makeDatabase()
  const counts = new Map<string, number>()
  let release = () => {}
  const gate = new Promise<void>((resolve) => (release = resolve))
  await using e = await startEngine(t.db, {
    async code(ctx) {
      const count = (name: string) => () => {
        counts.set(name, (counts.get(name) ?? 0) + 1)
        return name
      }
      await ctx.step('first', count('first'))
      await ctx.step('second', async () => {
        count('second')()
        if (counts.get('second') === 1) {
          release()
          return new Promise<never>(() => {})
        }
        return null
      })
      return 'done'
    },
  })
  const { id } = await e.start('code')
  await gate
  e.loseWorker()
  expect(await e.ended(id)).toMatchObject({ state: 'completed', input: null, output: 'done' })
  expect(Object.fromEntries(counts)).toEqual({ first: 1, second: 2 })
  expect((await e.events(id)).map(({ type }) => type)).toEqual(['run.started', 'step.completed', 'run.interrupted', 'step.completed', 'run.completed'])
  await checkJournals(t.db)
})

test('the checks of the journal see an event that was changed, one that is missing and an epoch that went back', async () => {
  for (const tamper of [
    sql`update events set data = '{"kind":"step","name":"b","attempt":1,"output":99}' where seq = 2`,
    sql`delete from events where seq = 3`,
    sql`update events set epoch = 0 where seq = 2`,
    sql`insert into journal_writes (action, run_id, seq, epoch, xid) select 'UPDATE', run_id, seq, epoch, '1' from events limit 1`,
  ]) {
    await using t = await makeDatabase()
    await using e = await startEngine(t.db, { three })
    await e.ended((await e.start('three')).id)
    await checkJournals(t.db)
    await watchJournal(t.db)
    await t.db.rows(tamper)
    await expect(checkJournals(t.db)).rejects.toThrow()
  }
})
