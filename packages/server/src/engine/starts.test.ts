import { expect, test } from 'vitest'
import { everyone, fact, startEngine } from '../../test/support/engine.ts'
import { makeFaulty } from '../../test/support/faulty-db.ts'
import { checkJournals } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { sql } from '../db/index.ts'

test('fifty concurrent starts under one key are one run, and it is executed once', async () => {
  await using t = await makeDatabase({ poolMax: 10 })
  let executed = 0
  const code = async () => ++executed
  await using a = await startEngine(t.db, { code })
  await using b = await startEngine(t.db, { code })
  const runs = await Promise.all(Array.from({ length: 50 }, (_, i) => (i % 2 ? a : b).start('code', { same: true }, { idempotencyKey: 'key' })))
  expect(new Set(runs.map(({ id }) => id)).size).toBe(1)
  await a.ended(runs[0]?.id ?? '')
  expect(executed).toBe(1)
  expect(await t.db.rows(sql`select from runs`)).toHaveLength(1)
  await checkJournals(t.db)
})

test('the same key with another input or session is a conflict, for another agent or tenant another run', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: async () => 1, other: async () => 2 })
  const first = await e.start('code', { a: 1 }, { idempotencyKey: 'key' })
  await expect(e.start('code', { a: 2 }, { idempotencyKey: 'key' })).rejects.toMatchObject({ code: 'conflict' })
  await expect(e.start('code', { a: 1 }, { idempotencyKey: 'key', session: 's' })).rejects.toMatchObject({ code: 'conflict' })
  expect((await e.start('code', { a: 1 }, { idempotencyKey: 'key' })).id).toBe(first.id)
  const others = [
    await e.start('other', { a: 1 }, { idempotencyKey: 'key' }),
    await e.engine.startRun({ tenantId: 'another', agent: 'code', version: 'v1', input: { a: 1 }, asker: first.asker, idempotencyKey: 'key' }),
  ]
  expect(new Set([first.id, ...others.map(({ id }) => id)]).size).toBe(3)
})

test.each(['lost-before', 'lost-after', 'abandoned'] as const)('a start whose flush was %s is one run, also when the caller repeats it', async (fault) => {
  await using t = await makeDatabase()
  const db = makeFaulty(t.db)
  let executed = 0
  await using e = await startEngine(db, { code: async () => ++executed })
  db.faults.push(fault)
  const [one, two] = await Promise.all([e.start('code', 1, { idempotencyKey: 'key' }), e.start('code', 1, { idempotencyKey: 'key' })])
  expect(one?.id).toBe(two?.id)
  expect((await e.start('code', 1, { idempotencyKey: 'key' })).id).toBe(one?.id)
  expect(await e.ended(one?.id ?? '')).toMatchObject({ output: 1 })
  expect(db.hitCount).toBe(1)
  await Promise.all(db.abandoned)
  expect(await t.db.rows(sql`select from runs`)).toHaveLength(1)
})

test('a start whose connection PostgreSQL ends while the flush waits for a lock is one run', async () => {
  await using t = await makeDatabase()
  let executed = 0
  await using e = await startEngine(t.db, { code: async () => ++executed })
  let started: ReturnType<typeof e.start> | undefined
  await t.db.transaction(async (tx) => {
    await tx.rows(sql`select from nodes for update`)
    started = e.start('code', 1, { idempotencyKey: 'key' })
    const [found] = await fact(
      () =>
        t.db.rows<{ pid: number }>(
          sql`select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%with fence as%'`,
        ),
      (rows) => rows.length === 1,
      'waiting flush',
    )
    await t.owner.rows(sql`select pg_terminate_backend(${found?.pid})`)
  })
  const run = await started
  expect(await e.ended(run?.id ?? '')).toMatchObject({ output: 1 })
  expect(await t.db.rows(sql`select from runs`)).toHaveLength(1)
})

test('no more runs are here at once than are allowed; the others wait in the database and all end', async () => {
  await using t = await makeDatabase()
  let now = 0
  let most = 0
  await using e = await startEngine(
    t.db,
    {
      code: (ctx) =>
        ctx.step('s', async () => {
          most = Math.max(most, ++now)
          await new Promise((resolve) => setImmediate(resolve))
          now--
          return 1
        }),
    },
    { activeMax: 5 },
  )
  const runs = await Promise.all(Array.from({ length: 60 }, () => e.start('code')))
  expect(runs.filter(({ state }) => state === 'pending').length).toBe(55)
  expect(e.engine.stats().activeCount).toBeLessThanOrEqual(5)
  for (const { id } of runs) await e.ended(id)
  expect(most).toBeLessThanOrEqual(5)
  await checkJournals(t.db)
})

test('texts beside values that the database cannot hold are refused where they come in', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: (ctx) => ctx.approval('yes?') })
  const { id } = await e.start('code')
  const { wait } = await e.reaches(id, 'waiting')
  for (const bad of ['a\u0000b', 'half \ud83d']) {
    const calls = [
      e.start('code', 1, { idempotencyKey: bad }),
      e.start('code', 1, { session: bad }),
      e.engine.cancel(everyone, id, 'tester', bad),
      e.engine.signal(everyone, id, 'tester', bad, 1),
      e.engine.signal(everyone, id, 'tester', 'ok', 1, bad),
      e.engine.signal(everyone, id, 'tester', 'ok', bad),
      e.engine.decide(everyone, 'tester', { approvalId: wait?.approvalId ?? '', approved: true, comment: bad }),
    ]
    for (const result of await Promise.allSettled(calls)) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'invalid' } })
  }
  expect(await e.load(id)).toMatchObject({ state: 'waiting' })
  await e.engine.decide(everyone, 'tester', { approvalId: wait?.approvalId ?? '', approved: true, comment: 'a whole 😀' })
  expect(await e.ended(id)).toMatchObject({ output: { comment: 'a whole 😀' } })
})
