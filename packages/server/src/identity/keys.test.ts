import { permissions, roles } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { makeDatabase } from '../../test/support/postgres.ts'
import { sql } from '../db/index.ts'
import { silentLog } from '../kernel/index.ts'
import { whyNotGrant } from './grant.ts'
import { type Caller, type NewKey, openKeys } from './keys.ts'

/** Of a tenant, with no limits. */
const administratorOf = (tenantId: string): Caller => ({ tenantId, askerId: undefined, keyId: 'k', name: 'boss', permissions, access: { personalData: true } })
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
  await t.keys.delete(administratorOf('acme'), id)
  expect(await t.keys.authenticate(secret)).toBe(undefined)

  const second = await t.keys.createFirst('acme', all)
  const underWay = t.keys.authenticate(second.secret)
  await t.keys.delete(administratorOf('acme'), second.id)
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
  await keys.delete(administratorOf('acme'), id)
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
  await t.keys.delete(administratorOf('acme'), id)
  const from = performance.now()
  await expect.poll(() => other.authenticate(secret), { interval: 20, timeout: 3_000 }).toBe(undefined)
  expect(performance.now() - from).toBeLessThan(1_200)
  await other.stop()
})

test('keys of one tenant are invisible and untouchable to another', async () => {
  await using t = await makeKeys()
  const { id, secret } = await t.keys.createFirst('acme', all)
  expect(await t.keys.list(administratorOf('other'))).toEqual([])
  await expect(t.keys.delete(administratorOf('other'), id)).rejects.toMatchObject({ code: 'not_found' })
  expect(await t.keys.authenticate(secret)).toBeDefined()
  expect((await t.keys.list(administratorOf('acme'))).map((key) => key.id)).toEqual([id])
  expect(Object.keys((await t.keys.list(administratorOf('acme')))[0] ?? {})).toEqual([
    'id',
    'name',
    'permissions',
    'role',
    'namespaces',
    'agents',
    'access',
    'createdAt',
    'expiresAt',
    'lastUsedAt',
  ])
})

test('a key that would be worth more than its maker is not made', async () => {
  await using t = await makeKeys()
  const { secret } = await t.keys.createFirst('acme', { ...all, permissions: ['keys:manage'] })
  const maker = await t.keys.authenticate(secret)
  await expect(t.keys.create(maker!, { ...all, permissions: ['keys:manage', 'runs:read'] })).rejects.toMatchObject({ code: 'forbidden' })
  expect(await t.keys.list(administratorOf('acme'))).toHaveLength(1)
  const made = await t.keys.create(maker!, { ...all, permissions: ['keys:manage'] })
  expect(await t.keys.authenticate(made.secret)).toMatchObject({ tenantId: 'acme', permissions: ['keys:manage'] })
})

test('a use is noted, and not again within the same minute', async () => {
  await using t = await makeKeys()
  const { secret } = await t.keys.createFirst('acme', all)
  const usedAt = async () => {
    await t.keys.authenticate(secret)
    await t.keys.stop()
    return (await t.keys.list(administratorOf('acme')))[0]?.lastUsedAt
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
  ['all namespaces', { namespaces: ['dev'] }, {}, /namespaces: dev/],
  ['another namespace', { namespaces: ['dev'] }, { namespaces: ['dev', 'prod'] }, /namespaces: dev/],
  ['one of the namespaces', { namespaces: ['dev', 'prod'] }, { namespaces: ['prod'] }, undefined],
  ['all agents', { agents: ['analyst'] }, {}, /agents: analyst/],
  ['no end', { expiresAt: '2030-01-01T00:00:00.000Z' }, {}, /outlive/],
  ['a later end', { expiresAt: '2030-01-01T00:00:00.000Z' }, { expiresAt: '2030-01-01T00:00:01.000Z' }, /outlive/],
  ['an earlier end', { expiresAt: '2030-01-01T00:00:00.000Z' }, { expiresAt: '2029-01-01T00:00:00.000Z' }, undefined],
])('a key asked for with %s than its maker is granted only if that is no more', (_, caller, key, refusal) => {
  const why = whyNotGrant(
    { permissions: [...permissions], access: { personalData: true }, ...caller },
    { ...all, ...key, permissions: key.permissions ?? permissions },
  )
  if (refusal) expect(why).toMatch(refusal)
  else expect(why).toBe(undefined)
})

test('a key with a role may do what the role may, within its namespaces and agents', async () => {
  await using t = await makeKeys()
  const { secret, permissions: listed } = await t.keys.create(administratorOf('acme'), {
    name: 'night-shift',
    role: 'operator',
    namespaces: ['prod'],
    agents: ['analyst'],
    access: { personalData: true },
  })
  expect(listed).toEqual([])
  expect(await t.keys.authenticate(secret)).toMatchObject({ roles: ['operator'], permissions: [...roles.operator], namespaces: ['prod'], agents: ['analyst'] })
  // Deploying, approving and operating are rights of three.
  const rights = ['agents:deploy', 'approvals:decide', 'runs:operate'] as const
  for (const [role, right] of [
    ['developer', 'agents:deploy'],
    ['approver', 'approvals:decide'],
    ['operator', 'runs:operate'],
  ] as const)
    expect(rights.filter((each) => (roles[role] as readonly string[]).includes(each))).toEqual([right])
})

test('whoever is limited to a namespace neither sees, rotates nor revokes keys that reach further', async () => {
  await using t = await makeKeys()
  const boss = administratorOf('acme')
  const limited: Caller = { ...boss, namespaces: ['dev'] }
  const wide = await t.keys.create(boss, all)
  const narrow = await t.keys.create(limited, { ...all, namespaces: ['dev'] })
  await expect(t.keys.create(limited, all)).rejects.toMatchObject({ code: 'forbidden' })
  expect((await t.keys.list(limited)).map(({ id }) => id)).toEqual([narrow.id])
  await expect(t.keys.delete(limited, wide.id)).rejects.toMatchObject({ code: 'not_found' })
  await expect(t.keys.rotate(limited, wide.id, 0)).rejects.toMatchObject({ code: 'not_found' })
  await t.keys.delete(limited, narrow.id)
  expect(await t.keys.list(boss)).toHaveLength(1)
})

test('an expired key is nobody’s, at once, also from memory', async () => {
  await using t = await makeKeys()
  const [soon] = await t.db.rows<{ at: Date }>(sql`select clock_timestamp() + interval '400 ms' as at`)
  const { secret } = await t.keys.create(administratorOf('acme'), { ...all, expiresAt: soon?.at.toISOString() })
  expect(await t.keys.authenticate(secret)).toBeDefined()
  await expect.poll(() => t.keys.authenticate(secret), { timeout: 5_000, interval: 20 }).toBe(undefined)
  const [row] = await t.db.rows<{ isPast: boolean }>(sql`select clock_timestamp() >= ${soon?.at} as "isPast"`)
  expect(row?.isPast).toBe(true)
  expect(await t.keys.list(administratorOf('acme'))).toEqual([])
})

test('a rotated key and its successor work side by side for the overlap, and no longer', async () => {
  await using t = await makeKeys()
  const boss = administratorOf('acme')
  const old = await t.keys.create(boss, { ...all, role: 'viewer', permissions: [], namespaces: ['dev'] })
  const next = await t.keys.rotate(boss, old.id, 3_600_000)
  expect(next).toMatchObject({ name: old.name, role: 'viewer', namespaces: ['dev'], expiresAt: null })
  const both = await Promise.all([old, next].map(({ secret }) => t.keys.authenticate(secret)))
  expect(both.map((caller) => caller?.roles)).toEqual([['viewer'], ['viewer']])
  expect((await t.keys.list(boss)).find(({ id }) => id === old.id)?.expiresAt).toBeTruthy()
  const last = await t.keys.rotate(boss, next.id, 0)
  expect(await t.keys.authenticate(next.secret)).toBe(undefined)
  expect(await t.keys.authenticate(last.secret)).toBeDefined()
})

test('a suspended tenant’s keys are refused with the reason', async () => {
  await using t = await makeKeys()
  const { secret } = await t.keys.createFirst('acme', all)
  expect(await t.keys.authenticate(secret)).toBeDefined()
  await t.db.rows(sql`insert into tenants (id, is_suspended) values ('acme', true)`)
  t.keys.forgetTenant('acme')
  await expect(t.keys.authenticate(secret)).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('suspended') })
})
