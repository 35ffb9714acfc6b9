import { createHash } from 'node:crypto'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AuditEntry, auditHash, checkChain, firstHash } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { makeDatabase } from '../../test/support/postgres.ts'
import { Sql, noteAudit, sql } from '../db/index.ts'
import { createLog, silentLog } from '../kernel/index.ts'
import { openAudit, sha256 } from './audit.ts'
import { openSigner } from './signer.ts'

const boss = { id: 'k', name: 'boss' }

async function makeAudit(log = silentLog) {
  const t = await makeDatabase()
  const dataDir = await mkdtemp(join(tmpdir(), 'audit-'))
  const audit = openAudit({ db: t.db, signer: await openSigner(dataDir), log })
  return {
    ...t,
    audit,
    dataDir,
    async note(count: number, tenantId = 'acme') {
      for (let i = 0; i < count; i++)
        await audit.note(tenantId, { who: boss, action: 'runs.start', target: `run-${i}`, detail: { i, nested: { b: 1, a: [0.5, null] } } })
      await audit.append()
    },
    async [Symbol.asyncDispose]() {
      await t[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true })
    },
  }
}

test('notes become a chain of their tenant, each once, in order, and it verifies', async () => {
  await using t = await makeAudit()
  await t.note(3)
  await t.note(2, 'globex')
  await t.note(2)
  const entries = await t.audit.read('acme', 0, 100)
  expect(entries.map(({ seq, target }) => [seq, target])).toEqual([1, 2, 3, 4, 5].map((seq, at) => [seq, `run-${at % 3}`]))
  expect(entries[0]).toMatchObject({ who: boss, action: 'runs.start', outcome: 'done', detail: { i: 0, nested: { b: 1, a: [0.5, null] } } })
  expect(await t.audit.verify('acme')).toMatchObject({
    isIntact: true,
    entryCount: 5,
    pendingCount: 0,
    problem: null,
    head: { seq: 5, hash: entries[4]?.hash },
  })
  expect(await t.audit.verify('globex')).toMatchObject({ isIntact: true, entryCount: 2 })
  expect(await t.audit.verify('nobody')).toMatchObject({ isIntact: true, entryCount: 0 })
})

test('an effect that is rolled back leaves no note, and one that is committed leaves its own', async () => {
  await using t = await makeAudit()
  const act = (fails: boolean) =>
    t.db.forTenant('acme').transaction(async (tx) => {
      await tx.rows(sql`insert into sessions (tenant_id, agent, id) values ('acme', 'a', ${String(fails)})`)
      await noteAudit(tx, { who: boss, action: 'act', target: String(fails) })
      if (fails) throw new Error('no')
    })
  await expect(act(true)).rejects.toThrow('no')
  await act(false)
  await t.audit.append()
  expect((await t.audit.read('acme', 0, 10)).map(({ target }) => target)).toEqual(['false'])
})

test('appenders of many nodes take each note exactly once', async () => {
  await using t = await makeAudit()
  for (let round = 0; round < 3; round++) {
    await Promise.all(Array.from({ length: 40 }, (_, i) => t.audit.note('acme', { who: boss, action: 'act', target: `${round}-${i}` })))
    await Promise.all(Array.from({ length: 6 }, () => t.audit.append()))
  }
  await t.audit.append()
  const targets = (await t.audit.read('acme', 0, 1_000)).map(({ target }) => target)
  expect(targets).toHaveLength(120)
  expect(new Set(targets).size).toBe(120)
  expect((await t.audit.verify('acme')).isIntact).toBe(true)
})

/** Whoever owns the tables can do all of this; a server's roles cannot, as the test after it shows. */
const tampering: [what: string, statement: string, problem: RegExp, needsHead: boolean][] = [
  ['an edit', `update audit_entries set target = 'run-9' where seq = 2`, /Entry 2 was changed/, false],
  ['an edit of who', `update audit_entries set who_name = 'nobody' where seq = 5`, /Entry 5 was changed/, false],
  ['a deletion', `delete from audit_entries where seq = 3`, /Entry 3 is missing/, false],
  [
    'a deletion that was closed up',
    `delete from audit_entries where seq = 3; update audit_entries set seq = seq - 1 where seq > 3`,
    /Entry 3 was changed/,
    false,
  ],
  [
    'a change of order',
    `update audit_entries set seq = 100 where seq = 2; update audit_entries set seq = 2 where seq = 3; update audit_entries set seq = 3 where seq = 100`,
    /Entry 2 was changed/,
    false,
  ],
  ['a cut end', `delete from audit_entries where seq > 3`, /the chain ends at 3/, false],
  [
    'a cut end with its row',
    `delete from audit_entries where seq > 3; update audit_heads set seq = 3, hash = (select hash from audit_entries where seq = 3)`,
    /ends at 3, and the head that was kept is at 5/,
    true,
  ],
  ['a deletion of everything', `delete from audit_entries; delete from audit_heads`, /ends at 0, and the head that was kept is at 5/, true],
]

test.each(tampering)('%s is detected', async (_, statement, problem, needsHead) => {
  await using t = await makeAudit()
  await t.note(5)
  const kept = await t.audit.head('acme')
  expect(await t.audit.verify('acme', kept)).toMatchObject({ isIntact: true })
  await t.owner.rows(new Sql([statement], []))
  // Without a head that was kept elsewhere these two look as if nothing had ever been there.
  expect((await t.audit.verify('acme')).isIntact).toBe(needsHead)
  const verdict = await t.audit.verify('acme', kept)
  expect(verdict).toMatchObject({ isIntact: false, problem: expect.stringMatching(problem) })
})

test('a chain that was written anew with right hashes is detected by a head that was kept', async () => {
  await using t = await makeAudit()
  await t.note(5)
  const kept = await t.audit.head('acme')
  let hash = firstHash
  for (const entry of await t.audit.read('acme', 0, 10)) {
    const forged = { ...entry, ...(entry.seq === 2 && { target: 'run-9' }) }
    hash = auditHash(sha256, hash, 'acme', forged)
    await t.owner.rows(sql`update audit_entries set target = ${forged.target}, hash = ${hash} where seq = ${entry.seq} and tenant_id = 'acme'`)
  }
  await t.owner.rows(sql`update audit_heads set hash = ${hash}`)
  expect((await t.audit.verify('acme')).isIntact).toBe(true) // What hashes alone can say.
  expect(await t.audit.verify('acme', kept)).toMatchObject({ isIntact: false, problem: expect.stringContaining('written anew') })
  await t.note(3) // It goes on, and stays detected.
  expect(await t.audit.verify('acme', kept)).toMatchObject({ isIntact: false, problem: expect.stringContaining('up to entry 5 was written anew') })
})

test('a head that was not signed here, or was changed, is refused', async () => {
  await using t = await makeAudit()
  await t.note(2)
  const kept = await t.audit.head('acme')
  for (const change of [{ seq: 1 }, { hash: firstHash }, { tenantId: 'globex' }, { signature: Buffer.alloc(64).toString('base64') }, { signature: 'x' }])
    await expect(t.audit.verify('acme', { ...kept, ...change })).rejects.toMatchObject({ code: 'invalid' })
  const stranger = await mkdtemp(join(tmpdir(), 'audit-'))
  const others = openAudit({ db: t.db, signer: await openSigner(stranger), log: silentLog })
  await expect(t.audit.verify('acme', await others.head('acme'))).rejects.toMatchObject({ code: 'invalid' })
  await rm(stranger, { recursive: true })
})

test('no role of a server can change or remove what is in the chain', async () => {
  await using t = await makeAudit()
  await t.note(2)
  const tenant = t.db.forTenant('acme')
  for (const db of [tenant, t.db]) {
    await expect(db.rows(sql`update audit_entries set target = 'x'`)).rejects.toThrow('permission denied')
    await expect(db.rows(sql`delete from audit_entries`)).rejects.toThrow('permission denied')
    await expect(db.rows(sql`truncate audit_entries`)).rejects.toThrow('permission denied')
  }
  await expect(
    tenant.rows(
      sql`insert into audit_entries (tenant_id, seq, at, who_name, action, outcome, detail, hash) values ('acme', 3, now(), 'x', 'x', 'done', '{}', 'x')`,
    ),
  ).rejects.toThrow('permission denied')
  await expect(tenant.rows(sql`delete from audit_notes`)).rejects.toThrow('permission denied')
  await expect(tenant.rows(sql`update audit_heads set seq = 0`)).rejects.toThrow('permission denied')
})

test('heads go into the program’s log, which is taken elsewhere, and the key is its owner’s alone', async () => {
  const heads: unknown[] = []
  await using t = await makeAudit(createLog((_, message, data) => message === 'audit head' && heads.push(data['head'])))
  await t.note(2)
  await t.audit.start()
  await expect.poll(() => heads.length, { timeout: 10_000 }).toBe(1)
  await t.audit.stop()
  expect(heads[0]).toMatchObject({ tenantId: 'acme', seq: 2, signature: expect.any(String) })
  expect((await stat(join(t.dataDir, 'audit-key.pem'))).mode & 0o777).toBe(0o600)
})

test('an export verifies offline, entry by entry', async () => {
  await using t = await makeAudit()
  await t.note(4)
  const exported = JSON.parse(JSON.stringify(await t.audit.read('acme', 0, 10))) as AuditEntry[]
  const hash = (text: string) => createHash('sha256').update(text).digest('hex')
  const check = (entries: AuditEntry[]) => checkChain(hash, 'acme').add(entries)
  expect(check(exported)).toBe(undefined)
  expect(checkChain(hash, 'globex').add(exported)).toMatch(/Entry 1 was changed/)
  expect(check([...exported.slice(0, 1), ...exported.slice(2)])).toMatch(/Entry 2 is missing/)
})

test('is listed by who, what, how it went and when', async () => {
  await using t = await makeAudit()
  await t.note(2)
  await t.audit.note('acme', { who: { id: 'other', name: 'other' }, action: 'keys.list', outcome: 'refused', detail: {} })
  await t.audit.append()
  const [last] = await t.audit.list('acme', { limit: 1 })
  const found = async (filter: Omit<Parameters<typeof t.audit.list>[1], 'limit'>) =>
    (await t.audit.list('acme', { limit: 10, ...filter })).map(({ seq }) => seq)
  expect(await found({})).toEqual([3, 2, 1])
  expect(await found({ who: 'other', action: 'keys.list', outcome: 'refused' })).toEqual([3])
  expect(await found({ from: last?.at })).toEqual([3])
  expect(await found({ to: last?.at })).toEqual([2, 1])
  expect(await found({ from: '2020-01-01T00:00:00Z', to: '2020-02-01T00:00:00Z' })).toEqual([])
})
