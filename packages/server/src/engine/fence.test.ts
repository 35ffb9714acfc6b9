import { expect, test } from 'vitest'
import { type ScriptContext, asker, fact, startEngine } from '../../test/support/engine.ts'
import { checkJournals, watchJournal } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { type Db, type Tx, sql } from '../db/index.ts'
import { newId } from '../kernel/index.ts'
import { eventRow } from './run/event-row.ts'
import { claimChosen, readLanes, startCursor } from './lane-store.ts'

/** What is due and not locked by another, made the node's. */
async function claimRuns(tx: Tx, nodeId: string, limit: number) {
  const { lanes } = await readLanes(tx, startCursor(), limit)
  const ids = lanes.flatMap(({ waiting }) => waiting.map(({ id }) => id)).slice(0, limit)
  const [node] = await tx.rows<{ fence: number }>(sql`select fence::int from nodes where id = ${nodeId}`)
  return (await claimChosen(tx, { nodeId, fence: node?.fence ?? 0, ids })) ?? []
}

/** A step that ends when it is let go, and the same step again that ends at once. */
function gates() {
  const open: (() => void)[] = []
  return {
    code: (ctx: ScriptContext) => ctx.step('held', () => new Promise<number>((resolve) => open.push(() => resolve(open.length)))),
    open,
  }
}

const expireLease = (db: Tx, nodeId: string) => db.rows(sql`update nodes set lease_until = clock_timestamp() - interval '1 second' where id = ${nodeId}`)
const writesOf = (db: Db, epoch: number) => db.rows<{ seq: number }>(sql`select seq from journal_writes where epoch = ${epoch}`)

test('a node that was taken for dead writes nothing of the runs that were taken over, and serves new ones under a new name', async () => {
  await using t = await makeDatabase()
  await watchJournal(t.db)
  const slow = gates()
  await using a = await startEngine(t.db, { code: slow.code })
  const { id } = await a.start('code')
  await fact(
    () => slow.open,
    (found) => found.length === 1,
  )
  await using b = await startEngine(t.db, { code: async (ctx) => ctx.step('held', () => 'by b') }, { leaseMs: 2_000 })
  await expireLease(t.db, await a.nodeId())
  expect(await b.ended(id)).toMatchObject({ state: 'completed', output: 'by b' })
  const before = (await writesOf(t.db, 1)).length
  // The old owner wakes up and wants to record its own result.
  slow.open[0]?.()
  await fact(
    () => a.logged,
    (lines) => lines.some(({ message }) => message.startsWith('node gives up its runs')),
    'log',
  )
  expect(await writesOf(t.db, 1)).toHaveLength(before)
  expect(await b.load(id)).toMatchObject({ output: 'by b' })
  expect(a.executions[0]?.frames.at(-1)).toMatchObject({ type: 'run.release', reason: 'superseded' })
  expect(a.engine.stats().activeCount).toBe(0)
  const next = await a.start('code')
  await fact(
    () => slow.open,
    (found) => found.length === 2,
  )
  slow.open[1]?.()
  expect(await a.ended(next.id)).toMatchObject({ state: 'completed', output: 2 })
  await checkJournals(t.db)
})

test('a flush in flight while a takeover commits writes nothing', async () => {
  await using t = await makeDatabase()
  await watchJournal(t.db)
  const slow = gates()
  await using a = await startEngine(t.db, { code: slow.code })
  const { id } = await a.start('code')
  await fact(
    () => slow.open,
    (found) => found.length === 1,
  )
  const nodeId = await a.nodeId()
  await t.db.transaction(async (tx) => {
    await tx.rows(sql`update nodes set is_dead = true, fence = fence + 1 where id = ${nodeId}`)
    slow.open[0]?.()
    // PostgreSQL has the flush already, waiting for the row that the takeover holds.
    await fact(
      () => waiting(t.db, 'with fence as'),
      (count) => count === 1,
      'number of waiting flushes',
    )
    await tx.rows(sql`update runs set node_id = null, due_at = clock_timestamp() where node_id = ${nodeId}`)
  })
  await fact(
    () => slow.open,
    (found) => found.length === 2,
  )
  slow.open[1]?.()
  expect(await a.ended(id)).toMatchObject({ state: 'completed', output: 2 })
  expect(await writesOf(t.db, 1)).toHaveLength(1)
  expect((await a.events(id)).filter(({ type }) => type === 'step.completed')).toHaveLength(1)
  await checkJournals(t.db)
})

test('a takeover waits for no flush, and the next look finds what one kept it from', async () => {
  await using t = await makeDatabase()
  const slow = gates()
  await using a = await startEngine(t.db, { code: slow.code })
  const { id } = await a.start('code')
  await fact(
    () => slow.open,
    (found) => found.length === 1,
  )
  await using b = await startEngine(t.db, { code: async () => 'by b' }, { leaseMs: 2_000 })
  const nodeId = await a.nodeId()
  await expireLease(t.db, nodeId)
  await t.db.transaction(async (tx) => {
    const [held] = await tx.rows<{ isDead: boolean }>(sql`select is_dead as "isDead" from nodes where id = ${nodeId} for update`)
    if (held?.isDead) return // It was quicker than this test.
    expect(await t.db.rows(sql`select from runs where id = ${id} and node_id = ${nodeId}`)).toHaveLength(1)
  })
  expect(await b.ended(id)).toMatchObject({ output: 'by b' })
})

const waiting = async (db: Db, text: string) =>
  (await db.rows(sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and position(${text} in query) > 0`)).length

test('of two nodes that claim at the same time each gets other runs, and never more than asked for', async () => {
  await using t = await makeDatabase()
  await using a = await startEngine(t.db, {})
  await using b = await startEngine(t.db, {})
  for (const { engine } of [a, b]) await engine.stop()
  await t.db.rows(sql`update nodes set is_dead = false`)
  await t.db.rows(sql`
    insert into runs (id, tenant_id, agent, version, state, input, asker, due_at)
    select gen_random_uuid(), 'acme', 'code', 'v1', 'pending', 'null', '{}', clock_timestamp() from generate_series(1, 60)`)
  const [nodeId, otherId] = [await a.nodeId(), await b.nodeId()]
  // With the plans that made a subquery with `limit` claim many times its limit.
  for (const setting of [
    sql`set local enable_hashjoin = off`,
    sql`set local enable_mergejoin = off`,
    sql`set local enable_material = off`,
    sql`set local enable_nestloop = off`,
  ]) {
    await t.db.transaction(async (one) => {
      await one.rows(setting)
      const first = await claimRuns(one, nodeId, 7)
      const second = await t.db.transaction((other) => claimRuns(other, otherId, 7))
      expect(first).toHaveLength(7)
      expect(second).toHaveLength(7)
      expect(new Set([...first, ...second].map(({ id }) => id)).size).toBe(14)
      expect(first.every(({ epoch }) => epoch === 1)).toBe(true)
    })
  }
  expect(await t.db.rows(sql`select from runs where node_id is not null`)).toHaveLength(56)
  expect(await claimRuns(t.db, nodeId, 100)).toHaveLength(4)
  expect(await claimRuns(t.db, nodeId, 100)).toHaveLength(0)
})

test('a run that somebody executes is claimed by nobody, whatever its due time says', async () => {
  await using t = await makeDatabase()
  const slow = gates()
  await using a = await startEngine(t.db, { code: slow.code })
  const { id } = await a.start('code')
  await t.db.rows(sql`update runs set due_at = clock_timestamp() where id = ${id}`)
  expect(await claimRuns(t.db, await a.nodeId(), 10)).toEqual([])
  await fact(
    () => slow.open,
    (found) => found.length === 1,
  )
  slow.open[0]?.()
  expect(await a.ended(id)).toMatchObject({ output: 1 })
})

test('a node that claims is buried after its claim, which the burial then finds', async () => {
  await using t = await makeDatabase()
  await watchJournal(t.db)
  await using a = await startEngine(t.db, { code: async () => 'by a' })
  const nodeId = await a.nodeId()
  await a.engine.stop()
  await t.db.rows(sql`update nodes set is_dead = false where id = ${nodeId}`)
  const id = await insertDue(t.db)
  await using stack = new AsyncDisposableStack()
  await expireLease(t.db, nodeId)
  const b = await t.db.transaction(async (tx) => {
    expect(await claimRuns(tx, nodeId, 1)).toHaveLength(1)
    const other = stack.use(await startEngine(t.db, { code: async () => 'by b' }, { leaseMs: 2_000 }))
    // It has looked for the dead, and for runs, before it executes this.
    expect(await other.ended((await other.start('code')).id)).toMatchObject({ output: 'by b' })
    expect(await t.db.rows(sql`select from nodes where id = ${nodeId} and is_dead`)).toEqual([])
    return other
  })
  expect(await b.ended(id)).toMatchObject({ output: 'by b' })
  await checkJournals(t.db)
})

async function insertDue(db: Db): Promise<string> {
  const id = newId()
  const { hash } = eventRow({ runId: id, tenantId: 'acme', epoch: 0, seq: 0, previousHash: '' }, { type: 'run.started', data: { input: null } })
  await db.rows(
    sql`insert into runs (id, tenant_id, agent, version, state, input, asker, due_at) values (${id}, 'acme', 'code', 'v1', 'pending', 'null', ${JSON.stringify(asker)}, clock_timestamp())`,
  )
  await db.rows(
    sql`insert into events (run_id, seq, tenant_id, epoch, at, type, data, hash) values (${id}, 0, 'acme', 0, clock_timestamp(), 'run.started', '{"input":null}', ${`\\x${hash}`})`,
  )
  return id
}

test('a claim whose answer comes after its node was buried is dropped: the runs are another’s', async () => {
  await using t = await makeDatabase()
  await watchJournal(t.db)
  let hold: Promise<void> | undefined
  const db: Db = {
    ...t.db,
    async transaction<Result>(work: (tx: Tx) => Promise<Result>) {
      const result = await t.db.transaction(work)
      if (hold && typeof result === 'object' && result !== null && 'runs' in result && Array.isArray(result.runs) && result.runs.length > 0) await hold
      return result
    },
  }
  await using a = await startEngine(db, { code: async (ctx) => (await ctx.sleep('nap', 1_100), ctx.step('s', () => 'by a')) }, { leaseMs: 800 })
  const { id } = await a.start('code')
  await a.reaches(id, 'waiting')
  let release = () => {}
  hold = new Promise((resolve) => (release = resolve))
  await fact(
    () => t.db.rows(sql`select from runs where id = ${id} and node_id is not null`),
    (rows) => rows.length === 1,
    'claim',
  )
  await using b = await startEngine(t.db, { code: async (ctx) => (await ctx.sleep('nap', 1_100), ctx.step('s', () => 'by b')) }, { leaseMs: 800 })
  await t.db.rows(sql`update nodes set is_dead = true, fence = fence + 1 where id = ${await a.nodeId()}`)
  await fact(
    () => a.logged,
    (lines) => lines.some(({ message }) => message.startsWith('node gives up its runs')),
    'log',
  )
  expect(await b.ended(id)).toMatchObject({ output: 'by b' })
  const count = a.executions.length
  release()
  hold = undefined
  const { id: next } = await a.start('code')
  await a.ended(next)
  expect(a.executions.slice(count).every(({ assignment }) => assignment.id === next)).toBe(true)
  await checkJournals(t.db)
})
