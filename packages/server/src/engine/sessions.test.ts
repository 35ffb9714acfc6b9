import { expect, test, vi } from 'vitest'
import { everyone, fact, startEngine } from '../../test/support/engine.ts'
import { checkJournals } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { sql } from '../db/index.ts'
import { type SessionTurn, releaseSessions } from './session-store.ts'

const toMessages = (turns: SessionTurn[]) =>
  turns.map(({ input, output }) => ({ role: 'user' as const, content: [{ type: 'text' as const, text: JSON.stringify([input, output]) }] }))

test('runs of a session are executed one at a time, in their order, and each knows the turns before it', async () => {
  await using t = await makeDatabase()
  let now = 0
  let most = 0
  const order: unknown[] = []
  const seen = new Map<unknown, unknown[]>()
  const script = {
    code: async (ctx: Parameters<Parameters<typeof startEngine>[1][string]>[0]) => {
      order.push(ctx.input)
      seen.set(
        ctx.input,
        ctx.run.messages.map((message) => JSON.parse(message.content[0]?.type === 'text' ? message.content[0].text : 'null') as unknown),
      )
      await ctx.step('s', async () => {
        most = Math.max(most, ++now)
        await new Promise((resolve) => setImmediate(resolve))
        now--
        return 1
      })
      return `answer ${String(ctx.input)}`
    },
  }
  await using a = await startEngine(t.db, script, { toMessages })
  await using b = await startEngine(t.db, script, { toMessages })
  const ids: string[] = []
  for (let i = 0; i < 8; i++) ids.push((await (i % 2 ? a : b).start('code', i, { session: 's' })).id)
  for (const id of ids) await a.ended(id)
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  expect(most).toBe(1)
  expect(seen.get(0)).toEqual([])
  expect(seen.get(3)).toEqual([
    [0, 'answer 0'],
    [1, 'answer 1'],
    [2, 'answer 2'],
  ])
  // Another session is independent of it.
  const other = await a.start('code', 'x', { session: 'other' })
  await a.ended(other.id)
  expect(seen.get('x')).toEqual([])
  await checkJournals(t.db)
})

test('the next run of a session starts although nobody was there to release it when the one before ended', async () => {
  await using t = await makeDatabase()
  const script = { code: async () => 1, waits: (ctx: { signal(name: string): Promise<never> }) => ctx.signal('go') }
  let next = ''
  {
    await using a = await startEngine(t.db, { code: script.code, waits: (ctx) => ctx.signal('go') })
    const { id } = await a.start('waits', null, { session: 's' })
    await a.reaches(id, 'waiting')
    next = (await a.start('waits', null, { session: 's' })).id
    expect(await a.load(next)).toMatchObject({ state: 'pending' })
    // Ended and not released, as after a crash in between.
    await a.stop()
    await t.db.rows(sql`update runs set state = 'failed', due_at = null where id = ${id}`)
  }
  await using b = await startEngine(t.db, { waits: async () => 'its turn' })
  expect(await b.ended(next)).toMatchObject({ output: 'its turn' })
})

test('a signal to a run that waits for its turn in a session does not bring its turn forward, and is kept', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: (ctx) => ctx.signal('go') })
  const first = await e.start('code', 1, { session: 's' })
  await e.reaches(first.id, 'waiting')
  const second = await e.start('code', 2, { session: 's' })
  await e.engine.signal(everyone, second.id, 'tester', 'go', 'early')
  // Were it up for claiming, it would be claimed before a run that is started later.
  await e.reaches((await e.start('code', 3)).id, 'waiting')
  expect(await e.load(second.id)).toMatchObject({ state: 'pending', startedAt: null })
  await e.engine.signal(everyone, first.id, 'tester', 'go', 'now')
  expect(await e.ended(first.id)).toMatchObject({ output: 'now' })
  expect(await e.ended(second.id)).toMatchObject({ output: 'early' })
})

test('two nodes that release a session at the same moment put up no run that one of them has claimed already', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, {})
  await e.stop()
  const id = '01a1fc93-cdf3-713d-aeaa-2ba3d0b7f6a4'
  await t.db.rows(sql`
    insert into runs (id, tenant_id, agent, version, session_id, state, input, asker) values (${id}, 'acme', 'code', 'v1', 's', 'pending', 'null', '{}')`)
  let released: Promise<boolean> | undefined
  await t.db.transaction(async (tx) => {
    await tx.rows(sql`update runs set due_at = clock_timestamp() where id = ${id}`)
    released = releaseSessions(t.db)
    await fact(
      async () =>
        (await Promise.race([released, new Promise((resolve) => setImmediate(resolve, 'waits'))])) === 'waits'
          ? (await t.db.rows(sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)).length > 0
          : true,
      (isSeen) => isSeen,
      'the other release',
    )
    await tx.rows(sql`update runs set state = 'running', node_id = gen_random_uuid(), epoch = 1, due_at = null where id = ${id}`)
  })
  await released
  expect(await t.db.rows(sql`select id from runs where due_at is not null`)).toEqual([])
  // The same look does release one that nobody has.
  await t.db.rows(sql`update runs set state = 'pending', node_id = null, due_at = null`)
  expect(await releaseSessions(t.db)).toBe(true)
  expect(await releaseSessions(t.db)).toBe(false)
})

test('turns of a session keep their order when they come in over a node whose clock is behind', async () => {
  await using t = await makeDatabase()
  const seen: unknown[] = []
  await using e = await startEngine(
    t.db,
    {
      async code(ctx) {
        seen.push([ctx.input, ctx.run.messages.length])
        return ctx.input
      },
    },
    { toMessages },
  )
  const ids: string[] = []
  try {
    for (const [i, hours] of [0, 2, 1].entries()) {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - hours * 3_600_000 })
      ids.push((await e.start('code', i, { session: 's' })).id)
      vi.useRealTimers()
    }
  } finally {
    vi.useRealTimers()
  }
  expect(ids.toSorted()).not.toEqual(ids)
  for (const id of ids) await e.ended(id)
  expect(seen).toEqual([
    [0, 0],
    [1, 1],
    [2, 2],
  ])
})
