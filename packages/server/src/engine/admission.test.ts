/** Tools that a worker executes: let in, kept to limits, and counted out again. */
import { expect, test } from 'vitest'
import { fact, startEngine } from '../../test/support/engine.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import type { Admission } from './index.ts'

test('a tool that was let in is counted out once, whether it succeeds, fails or loses its worker, and its worker is told the limits', async () => {
  await using t = await makeDatabase()
  let inside = 0
  let leftCount = 0
  const admitTool = async (): Promise<Admission> => {
    inside++
    return { timeoutMs: 500, resultCharactersMax: 100, leave: () => void (inside--, leftCount++) }
  }
  const hangs = Promise.withResolvers<never>()
  await using e = await startEngine(
    t.db,
    {
      works: (ctx) => ctx.tool('one', {}, () => 'done'),
      fails: (ctx) => ctx.tool('one', {}, () => Promise.reject(new Error('no'))),
      hangs: (ctx) => ctx.tool('one', {}, () => hangs.promise),
    },
    { admitTool },
  )
  for (const agent of ['works', 'fails']) await e.ended((await e.start(agent)).id)
  expect([inside, leftCount]).toEqual([0, 2])
  expect(e.executions[0]?.frames.find(({ type }) => type === 'op.begun')).toMatchObject({ timeoutMs: 500, resultCharactersMax: 100 })
  await e.start('hangs')
  await fact(
    () => inside,
    (count) => count === 1,
  )
  e.loseWorker()
  await fact(
    () => leftCount,
    (count) => count === 3,
  )
})
