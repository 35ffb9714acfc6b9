import { expect, test } from 'vitest'
import { type ScriptContext, everyone, fact, startEngine, tenantId } from '../../test/support/engine.ts'
import { checkJournals } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { type Db, sql } from '../db/index.ts'
import { findRun } from '../engine/index.ts'
import { silentLog } from '../kernel/index.ts'
import { openRetention } from './retention.ts'
import { deleteExpired } from './retention-store.ts'

const who = { tenantId, keyId: 'k', name: 'ada' }
const scripts = {
  code: async (ctx: ScriptContext) => ctx.step('work', () => 'done'),
  waits: (ctx: ScriptContext) => ctx.signal('go'),
  parent: async (ctx: ScriptContext) => {
    const { runId } = (await ctx.serve('run', 'code', { agent: 'code', input: null })) as { runId: string }
    return ctx.child(runId, 'code')
  },
}
const age = (db: Db, ids: string[], days: number) => db.rows(sql`update runs set ended_at = ended_at - ${days} * interval '1 day' where id = any(${ids})`)
const left = async (db: Db, ids: string[]) => {
  const found: string[] = []
  for (const id of ids) if (await findRun(db.forTenant(tenantId), everyone, id)) found.push(id)
  return found
}
const notes = (db: Db) =>
  db.rows<{ target: string; detail: { count: number; runs: { id: string; hash: string }[] } }>(
    sql`select target, detail from audit_notes where action = 'runs.delete' order by id`,
  )

test('runs are deleted with all that hangs on them when their time is up, and the audit log says which', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, scripts)
  const begin = async (agent: string) => (await e.start(agent)).id
  const [old, young, active] = [await begin('code'), await begin('code'), await begin('waits')]
  for (const id of [old, young]) await e.ended(id)
  await e.reaches(active, 'waiting')
  const other = await e.engine.startRun({ tenantId, namespace: 'legal', agent: 'code', version: 'v1', input: 1, asker: (await e.load(old)).asker })
  await e.ended(other.id)
  const [last] = await t.db.rows<{ hash: string }>(sql`select encode(hash, 'hex') as hash from events where run_id = ${old} order by seq desc limit 1`)
  await age(t.db, [old, other.id], 31)
  await age(t.db, [young], 29)
  const retention = openRetention({ db: t.db, log: silentLog, everyMs: 20 })
  await retention.start()
  try {
    // Nothing is deleted while nobody has said so; and one namespace is kept longer than the others.
    await retention.set(who, { namespace: 'legal', days: 3_650 })
    expect(await left(t.db, [old, young, active, other.id])).toHaveLength(4)
    await retention.set(who, { days: 30 })
    await fact(
      () => left(t.db, [old, young, active, other.id]),
      (ids) => ids.length === 3,
      'deletion',
    )
    expect(await left(t.db, [old, young, active, other.id])).toEqual([young, active, other.id])
    expect(await t.db.rows(sql`select from events where run_id = ${old}`)).toEqual([])
    expect(await notes(t.db)).toMatchObject([{ target: 'default', detail: { count: 1, runs: [{ id: old, hash: last?.hash }] } }])
    expect(await retention.list(tenantId, { limit: 10 })).toMatchObject([
      { namespace: null, days: 30, setBy: 'ada' },
      { namespace: 'legal', days: 3_650 },
    ])
    await retention.set(who, { days: null })
    expect(await retention.list(tenantId, { limit: 10 })).toHaveLength(1)
    expect(await t.db.rows(sql`select from audit_notes where action = 'retention.set'`)).toHaveLength(3)
  } finally {
    await retention.stop()
  }
  await checkJournals(t.db)
})

test('a run stays as long as it is somebody’s business: a parent until its children are deleted, one whose end is not told yet', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, scripts)
  const { id: parent } = await e.start('parent')
  await e.ended(parent)
  await fact(
    () => t.db.rows(sql`select from endings`),
    (owed) => owed.length === 0,
  )
  const [child] = await t.db.rows<{ id: string }>(sql`select id from runs where parent_id = ${parent}`)
  const { id: untold } = await e.start('code')
  await e.ended(untold)
  await t.db.rows(sql`
    insert into deliveries (tenant_id, id, run_id, n, agent, destination) values (${tenantId}, gen_random_uuid(), ${untold}, 0, 'code', '{}')`)
  const ids = [parent, child?.id ?? '', untold]
  await t.db.rows(sql`insert into retention (tenant_id, namespace, days, set_by) values (${tenantId}, '', 1, 'x')`)
  await age(t.db, ids, 2)
  const pass = () => deleteExpired(t.db.forTenant(tenantId), tenantId, 10)
  expect(await pass()).toBe(1)
  expect(await left(t.db, ids)).toEqual([parent, untold])
  expect(await pass()).toBe(1)
  expect(await left(t.db, ids)).toEqual([untold])
  expect(await pass()).toBe(0)
  await t.db.rows(sql`update deliveries set state = 'failed'`)
  expect(await pass()).toBe(1)
  expect(await t.db.rows(sql`select from deliveries`)).toEqual([])
  // Another tenant's rule is nobody else's.
  const { id } = await e.start('code')
  await e.ended(id)
  await age(t.db, [id], 2)
  await t.db.rows(sql`update retention set tenant_id = 'another'`)
  expect(await pass()).toBe(0)
  expect(await left(t.db, [id])).toEqual([id])
})

test('many are deleted a few at a time, each batch with its note, also by two servers at once', async () => {
  await using t = await makeDatabase({ poolMax: 10 })
  await using e = await startEngine(t.db, scripts)
  const ids = await Promise.all(Array.from({ length: 60 }, async () => (await e.start('code')).id))
  for (const id of ids) await e.ended(id)
  await age(t.db, ids, 2)
  await t.db.rows(sql`insert into retention (tenant_id, namespace, days, set_by) values (${tenantId}, '', 1, 'x')`)
  const pass = () => deleteExpired(t.db.forTenant(tenantId), tenantId, 20)
  const counts = [...(await Promise.all([pass(), pass()])), await pass(), await pass(), await pass()]
  expect(counts.reduce((sum, count) => sum + count)).toBe(60)
  expect(Math.max(...counts)).toBe(20)
  const named = (await notes(t.db)).flatMap(({ detail }) => detail.runs.map(({ id }) => id))
  expect(named.toSorted()).toEqual(ids.toSorted())
})
