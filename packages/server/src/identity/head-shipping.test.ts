import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AuditEntry, type AuditHead, auditHash, checkChain, firstHash } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { makeDatabase } from '../../test/support/postgres.ts'
import { openReceiver, secret } from '../../test/support/receiver.ts'
import { sql } from '../db/index.ts'
import { silentLog, wallClock } from '../kernel/index.ts'
import { postWebhook } from '../outcomes/index.ts'
import { openAudit, sha256 } from './audit.ts'
import { type HeadTarget, fileTarget, openHeadShipping, webhookTarget } from './head-shipping.ts'
import { openSigner } from './signer.ts'

const boss = { id: 'k', name: 'boss' }
const retry = { delayMsMin: 5, delayMsMax: 20 }
const webhookTo = (url: string): HeadTarget =>
  webhookTarget(url, sha256, (id, body) => postWebhook({ url, id, body, secret, reach: 'loopback', nowMs: wallClock().getTime() }))

async function makeBed(targets: (dataDir: string) => HeadTarget[]) {
  const t = await makeDatabase()
  const dataDir = await mkdtemp(join(tmpdir(), 'heads-'))
  const audit = openAudit({ db: t.db, signer: await openSigner(dataDir), log: silentLog })
  const shipper = openHeadShipping({ headsOf: audit.heads, targets: targets(dataDir), everyMs: 3_600_000, log: silentLog, retry })
  return {
    ...t,
    ...{ audit, shipper, dataDir },
    status: async (tenantId = 'acme') => shipper.statusOf(await audit.head(tenantId)),
    async note(count: number, tenantId = 'acme') {
      for (let i = 0; i < count; i++) await audit.note(tenantId, { who: boss, action: 'runs.start', target: `run-${i}` })
      await audit.append()
    },
    async [Symbol.asyncDispose]() {
      await shipper.stop()
      await t[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true })
    },
  }
}

test('heads of all tenants arrive signed, are sent again until they do, and the lag is told meanwhile', async () => {
  await using receiver = await openReceiver((count) => ({ status: count <= 2 ? 503 : 204, text: 'not now' }))
  await using bed = await makeBed(() => [webhookTo(receiver.url)])
  await bed.note(3)
  await bed.note(1, 'globex')
  expect(await bed.status()).toEqual({ target: `webhook ${new URL(receiver.url).host}`, lastAt: null, behind: 3, problem: null })
  await bed.shipper.start()
  await expect.poll(() => receiver.received.length).toBe(3)
  await expect.poll(() => bed.status()).toMatchObject({ lastAt: expect.any(String), behind: 0, problem: null })
  expect(receiver.received.map(({ isSigned, body }) => [isSigned, body.type])).toEqual(Array.from({ length: 3 }, () => [true, 'audit.heads']))
  const { heads } = receiver.received[2]!.body.data as { heads: AuditHead[] }
  expect(heads.map(({ tenantId, seq }) => [tenantId, seq])).toEqual([
    ['acme', 3],
    ['globex', 1],
  ])
  for (const head of heads) expect(await bed.audit.verify(head.tenantId, head)).toMatchObject({ isIntact: true })
  await expect(bed.audit.verify('acme', { ...heads[0]!, seq: 2 })).rejects.toMatchObject({ code: 'invalid' })

  // Only what has moved is sent.
  await bed.note(2, 'globex')
  expect(await bed.status('globex')).toMatchObject({ behind: 2 })
  bed.shipper.wake()
  await expect.poll(() => receiver.received.length).toBe(4)
  expect((receiver.received[3]!.body.data as { heads: AuditHead[] }).heads).toMatchObject([{ tenantId: 'globex', seq: 3 }])
})

test('one target that fails keeps none of the others; what is told is of the one that is furthest behind', async () => {
  await using receiver = await openReceiver(() => ({ status: 500, text: 'broken' }))
  await using bed = await makeBed((dataDir) => [fileTarget(join(dataDir, 'heads.jsonl')), webhookTo(receiver.url)])
  await bed.note(2)
  await bed.shipper.start()
  await expect.poll(() => receiver.received.length).toBeGreaterThan(2)
  expect((await readFile(join(bed.dataDir, 'heads.jsonl'), 'utf8')).split('\n')).toHaveLength(2) // One head, once.
  await expect.poll(() => bed.status()).toMatchObject({ behind: 2, problem: expect.stringContaining('500: broken') })
  await expect(fileTarget('/nowhere/heads.jsonl').send([])).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/^\/nowhere.* cannot be written/),
  })
})

test('a chain that its owner wrote anew from the middle on shows by any head that was shipped after there, and by none from before', async () => {
  await using bed = await makeBed((dataDir) => [fileTarget(join(dataDir, 'heads.jsonl'))])
  await bed.note(2)
  await bed.shipper.start()
  const lines = async () => (await readFile(join(bed.dataDir, 'heads.jsonl'), 'utf8').catch(() => '')).trim().split('\n').filter(Boolean)
  await expect.poll(async () => (await lines()).length).toBe(1)
  await bed.note(3)
  bed.shipper.wake()
  await expect.poll(async () => (await lines()).length).toBe(2)
  const heads = (await lines()).map((line) => JSON.parse(line) as AuditHead)
  const check = async (...kept: AuditHead[]) => {
    const chain = checkChain(sha256, 'acme', ...kept)
    return chain.add(await bed.audit.read('acme', 0, 100)) ?? chain.end()
  }
  expect(await check(...heads)).toBeUndefined()

  // Whoever owns the tables can make a chain whose hashes all fit.
  let hash = firstHash
  for (const entry of await bed.audit.read('acme', 0, 100)) {
    const changed: AuditEntry = entry.seq >= 4 ? { ...entry, target: 'another' } : entry
    hash = auditHash(sha256, hash, 'acme', changed)
    await bed.owner.rows(sql`update audit_entries set target = ${changed.target}, hash = ${hash} where tenant_id = 'acme' and seq = ${entry.seq}`)
  }
  await bed.owner.rows(sql`update audit_heads set hash = ${hash} where tenant_id = 'acme'`)
  expect(await bed.audit.verify('acme')).toMatchObject({ isIntact: true })
  expect(await check(heads[0]!)).toBeUndefined()
  expect(await check(...heads)).toMatch(/^The chain up to entry 5 was written anew/)
  await bed.owner.rows(sql`delete from audit_entries where tenant_id = 'acme' and seq > 2`)
  expect(await check(...heads)).toMatch(/^The end is missing: the chain ends at 2, and the head that was kept is at 5/)
})
