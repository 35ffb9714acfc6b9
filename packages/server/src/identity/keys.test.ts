import { permissions } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { makeDatabase } from '../../test/support/postgres.ts'
import { sql } from '../db/index.ts'
import { silentLog } from '../kernel/index.ts'
import { type Caller, type NewKey, openKeys, whyNotGrant } from './keys.ts'

const all: NewKey = { name: 'everything', permissions: [...permissions], access: { personalData: true } }

async function makeKeys() {
  const t = await makeDatabase()
  const keys = openKeys({ db: t.db, log: silentLog })
  return {
    ...t,
    keys,
    async [Symbol.asyncDispose]() {
      await keys.stop()
      await t[Symbol.asyncDispose]()
    },
  }
}

test('a secret leads to its key, anything else to nobody', async () => {
  await using t = await makeKeys()
  const { secret, ...key } = await t.keys.createFirst('acme', {
    name: 'reader',
    permissions: ['runs:read'],
    access: { regions: ['EMEA'], personalData: false },
  })
  expect(secret).toMatch(/^lh_[\w-]{43}$/)
  expect(await t.keys.authenticate(secret)).toEqual({
    keyId: key.id,
    tenantId: 'acme',
    askerId: key.id,
    name: 'reader',
    permissions: ['runs:read'],
    access: { regions: ['EMEA'], personalData: false },
  })
  const other = secret.endsWith('A') ? 'B' : 'A'
  for (const wrong of ['', 'lh_', secret.slice(0, -1) + other, secret.slice(3), `${secret}x`, secret.toLowerCase(), `${secret}\n`])
    expect(await t.keys.authenticate(wrong), wrong).toBe(undefined)
})

test('the database holds nothing that could be used as a key', async () => {
  await using t = await makeKeys()
  const { secret } = await t.keys.createFirst('acme', all)
  await t.keys.authenticate(secret)
  const [row] = await t.db.rows<{ text: string }>(sql`select keys::text as text from keys`)
  expect(row?.text).toContain('everything')
  for (const form of [secret, secret.slice(3), Buffer.from(secret).toString('hex'), Buffer.from(secret.slice(3), 'base64url').toString('hex')])
    expect(row?.text).not.toContain(form)
})

test('a revoked key is refused at once, also by a look-up that was under way', async () => {
  await using t = await makeKeys()
  const { secret, id } = await t.keys.createFirst('acme', all)
  expect(await t.keys.authenticate(secret)).toBeDefined()
  await t.keys.delete('acme', id)
  expect(await t.keys.authenticate(secret)).toBe(undefined)

  const second = await t.keys.createFirst('acme', all)
  const underWay = t.keys.authenticate(second.secret)
  await t.keys.delete('acme', second.id)
  await underWay // Its answer may be either; it must not be remembered.
  expect(await t.keys.authenticate(second.secret)).toBe(undefined)
})

test('what was read before a revocation does not come back after it', async () => {
  await using t = await makeDatabase()
  let hold = async () => {}
  const slow = {
    ...t.db,
    rows: async <Row>(query: Parameters<typeof t.db.rows>[0]) => {
      const rows = await t.db.rows<Row>(query)
      if (query.toQuery().text.includes('where secret_hash')) await hold()
      return rows
    },
  }
  const keys = openKeys({ db: slow, log: silentLog })
  const { secret, id } = await keys.createFirst('acme', all)
  const release = Promise.withResolvers<void>()
  const isRead = Promise.withResolvers<void>()
  hold = () => {
    isRead.resolve()
    return release.promise
  }
  const underWay = keys.authenticate(secret)
  await isRead.promise // The row is in hand: this is the race, held open.
  await keys.delete('acme', id)
  release.resolve()
  await underWay
  expect(await keys.authenticate(secret)).toBe(undefined)
  await keys.stop()
})

test('another server notices a revocation within a second', async () => {
  await using t = await makeKeys()
  const other = openKeys({ db: t.db, log: silentLog })
  const { secret, id } = await t.keys.createFirst('acme', all)
  expect(await other.authenticate(secret)).toBeDefined()
  await t.keys.delete('acme', id)
  const from = performance.now()
  await expect.poll(() => other.authenticate(secret), { interval: 20, timeout: 3_000 }).toBe(undefined)
  expect(performance.now() - from).toBeLessThan(1_200)
  await other.stop()
})

test('keys of one tenant are invisible and untouchable to another', async () => {
  await using t = await makeKeys()
  const { id, secret } = await t.keys.createFirst('acme', all)
  expect(await t.keys.list('other')).toEqual([])
  await expect(t.keys.delete('other', id)).rejects.toMatchObject({ code: 'not_found' })
  expect(await t.keys.authenticate(secret)).toBeDefined()
  expect((await t.keys.list('acme')).map((key) => key.id)).toEqual([id])
  expect(Object.keys((await t.keys.list('acme'))[0] ?? {})).toEqual(['id', 'name', 'permissions', 'access', 'createdAt', 'lastUsedAt'])
})

test('a key that would be worth more than its maker is not made', async () => {
  await using t = await makeKeys()
  const { secret } = await t.keys.createFirst('acme', { ...all, permissions: ['keys:manage'] })
  const maker = await t.keys.authenticate(secret)
  await expect(t.keys.create(maker!, { ...all, permissions: ['keys:manage', 'runs:read'] })).rejects.toMatchObject({ code: 'forbidden' })
  expect(await t.keys.list('acme')).toHaveLength(1)
  const made = await t.keys.create(maker!, { ...all, permissions: ['keys:manage'] })
  expect(await t.keys.authenticate(made.secret)).toMatchObject({ tenantId: 'acme', permissions: ['keys:manage'] })
})

test('a use is noted, and not again within the same minute', async () => {
  await using t = await makeKeys()
  const { secret } = await t.keys.createFirst('acme', all)
  const usedAt = async () => {
    await t.keys.authenticate(secret)
    await t.keys.stop()
    return (await t.keys.list('acme'))[0]?.lastUsedAt
  }
  const first = await usedAt()
  expect(first).toBeTruthy()
  const fresh = openKeys({ db: t.db, log: silentLog }) // Without the cache: it asks the database.
  await fresh.authenticate(secret)
  await fresh.stop()
  expect(await usedAt()).toBe(first)
  await t.db.rows(sql`update keys set last_used_at = last_used_at - interval '61 seconds'`)
  const later = openKeys({ db: t.db, log: silentLog })
  await later.authenticate(secret)
  await later.stop()
  const [row] = await t.db.rows<{ isRecent: boolean }>(sql`select last_used_at > clock_timestamp() - interval '30 seconds' as "isRecent" from keys`)
  expect(row?.isRecent).toBe(true)
})

test.each<[string, Partial<Caller>, Partial<NewKey>, RegExp | undefined]>([
  ['the same', {}, {}, undefined],
  ['less', {}, { permissions: ['runs:read'], access: { regions: ['EMEA'], personalData: false } }, undefined],
  ['a permission more', { permissions: ['keys:manage'] }, { permissions: ['keys:manage', 'runs:read'] }, /runs:read/],
  ['no limit where the maker has one', { access: { regions: ['EMEA'], personalData: true } }, {}, /regions: EMEA/],
  ['another region', { access: { regions: ['EMEA'], personalData: true } }, { access: { regions: ['EMEA', 'APAC'], personalData: true } }, /regions: EMEA/],
  ['one of the regions', { access: { regions: ['EMEA', 'APAC'], personalData: true } }, { access: { regions: ['APAC'], personalData: true } }, undefined],
  ['personal data', { access: { personalData: false } }, {}, /personal data/],
])('a key asked for with %s than its maker is granted only if that is no more', (_, caller, key, refusal) => {
  const why = whyNotGrant({ permissions: [...permissions], access: { personalData: true }, ...caller }, { ...all, ...key })
  if (refusal) expect(why).toMatch(refusal)
  else expect(why).toBe(undefined)
})
