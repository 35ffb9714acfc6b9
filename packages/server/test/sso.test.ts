/** Single sign-on over the API, at a real OpenID provider on this machine. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Json } from '@longhaul/protocol'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { sql } from '../src/db/index.ts'
import { rolesFrom } from '../src/identity/sso.ts'
import { newId } from '../src/kernel/index.ts'
import { openEgress } from '../src/tools/index.ts'
import { type Bed, type BedCaller, openBed } from './support/api-bed.ts'
import { type Account, clientSecret, openProvider } from './support/openid-provider.ts'
import { type Visitor, openVisitor } from './support/visitor.ts'

let bed: Bed
let boss: BedCaller
let provider: Awaited<ReturnType<typeof openProvider>>
/** What the operator has opened. */
const opened: string[] = []
const egress = openEgress({ privateHosts: opened, setting: 'LONGHAUL_SSO_PRIVATE_HOSTS' })

beforeAll(async () => {
  provider = await openProvider(['http://localhost/sign-in/return'])
  opened.push(new URL(provider.issuer).host)
  const fetch = async (url: string, init: RequestInit) => provider.through(url, await egress.fetch(url, init, { hosts: ['*'], bytesMax: 1e6 }))
  bed = await openBed({}, (files) => files, 'virtual', fetch)
  boss = await bed.caller('boss', { personalData: true })
  await set({})
})
afterEach(() => {
  provider.tamper()
  provider.name()
})
afterAll(async () => {
  await bed[Symbol.asyncDispose]()
  await egress.stop()
  await provider[Symbol.asyncDispose]()
})

let arrivals = 0
/** Each from an address of its own: requests of one are limited. */
const arrive = () => openVisitor(bed, `192.0.2.${++arrivals}`)
const set = async (more: Record<string, Json>, by = boss) => {
  const response = await by.ask('POST', '/v1/sso', { issuer: provider.issuer, clientId: 'longhaul', clientSecret, ...more })
  return { status: response.status, text: await response.text() }
}
const byGroups = { scopes: ['email', 'profile', 'groups'], rolesClaim: 'groups', roles: { ops: ['operator', 'approver'], devs: ['developer'] } }
const somebody = (more: Partial<Account> = {}): Account => ({ sub: newId(), email: `${newId()}@example.com`, email_verified: true, name: 'Ada', ...more })
const invite = async ({ email }: Account, roles = ['viewer']) =>
  ((await (await boss.ask('POST', '/v1/people', { email: email ?? '', roles })).json()) as { id: string }).id

async function begin(visitor: Visitor): Promise<string> {
  const { body, status } = await visitor.ask('POST', '/v1/sign-in/sso', { tenant: 'acme' })
  expect([status, body]).toEqual([200, { address: expect.any(String) }])
  return String(body['address'])
}
async function signIn(who: Account, visitor = arrive(), change = (query: string) => query) {
  provider.become(who)
  const query = change(await provider.visit(await begin(visitor)))
  const answer = await visitor.ask('POST', '/v1/sign-in/return', { query })
  return { ...answer, visitor, query, message: (answer.body['error'] as { message?: string } | undefined)?.message ?? '' }
}

describe('somebody who was invited', () => {
  test('signs in, is the same person the next time although the address changed, and has a login like any other', async () => {
    const ada = somebody()
    const id = await invite(ada)
    const first = await signIn(ada)
    expect(first.body).toEqual({ state: 'signed-in', ticket: null, factors: [] })
    expect((await first.visitor.load()).body).toMatchObject({ tenantId: 'acme', hasPassword: false, person: { id, state: 'active', roles: ['viewer'] } })
    const again = await signIn({ ...ada, email: 'married@example.com' })
    expect((await again.visitor.load()).body).toMatchObject({ person: { id, email: ada.email } })
    expect(again.visitor.login()).not.toBe(first.visitor.login())
  })

  test('is asked for the second factor that they have here', async () => {
    const ada = somebody()
    const id = await invite(ada)
    await bed.db.rows(sql`update people set totp_confirmed = true where id = ${id}`)
    const { body, visitor } = await signIn(ada)
    expect(body).toEqual({ state: 'second-factor', ticket: expect.any(String), factors: ['code'] })
    expect(visitor.login()).toBe(undefined)
  })

  test('is nobody while disabled, nor by an address that is not verified or belongs to another account by now', async () => {
    const [off, typed, kept] = [somebody(), somebody({ email_verified: false }), somebody()]
    await boss.ask('POST', `/v1/people/${await invite(off)}`, { isDisabled: true })
    await Promise.all([invite(typed), invite(kept)])
    expect(await signIn(off)).toMatchObject({ status: 403, message: expect.stringContaining('disabled') })
    expect(await signIn(typed)).toMatchObject({ status: 403, message: expect.stringContaining('verified') })
    expect((await signIn(kept)).status).toBe(200)
    expect(await signIn({ ...kept, sub: newId() })).toMatchObject({ status: 403, message: expect.stringContaining('another account') })
  })
})

describe('somebody unknown', () => {
  test('is refused, and nobody is made', async () => {
    const eve = somebody()
    expect(await signIn(eve)).toMatchObject({ status: 403, message: expect.stringContaining('was invited') })
    expect(JSON.stringify(await boss.read('/v1/people?limit=200'))).not.toContain(eve.email)
  })

  test('becomes a person where that is set, with the roles that the claim comes to, at each sign-in anew', async () => {
    await set({ ...byGroups, createsPeople: true })
    const ada = somebody({ groups: ['ops', 'all-staff'] })
    const { visitor } = await signIn(ada)
    expect((await visitor.load()).body).toMatchObject({ person: { email: ada.email, name: 'Ada', roles: ['operator', 'approver'] } })
    await signIn({ ...ada, groups: ['devs'] })
    expect((await visitor.load()).body).toMatchObject({ person: { roles: ['developer'] } }) // Also where they were signed in.
    expect(await signIn({ ...ada, groups: ['all-staff'] })).toMatchObject({ status: 403, message: expect.stringContaining('no role') })
    expect(await signIn(somebody({ groups: [] }))).toMatchObject({ status: 403 })
    await set({ ...byGroups, createsPeople: false })
    expect(await signIn(somebody({ groups: ['ops'] }))).toMatchObject({ status: 403, message: expect.stringContaining('was invited') })
    await set({})
  })

  test('gets no roles from a claim of another kind', () => {
    const settings = { rolesClaim: 'groups', roles: { ops: ['operator' as const] } }
    for (const groups of ['ops', ['x', 'ops']]) expect(rolesFrom(settings, { all: { groups } })).toEqual(['operator'])
    for (const groups of [null, 7, { ops: true }, [['ops']], 'OPS', undefined]) expect(rolesFrom(settings, { all: { groups } })).toEqual([])
    expect(rolesFrom({ rolesClaim: 'constructor', roles: { ops: ['operator'] } }, { all: {} })).toEqual([])
  })
})

describe('what is not believed', () => {
  const omit = (claims: Record<string, Json>, name: string) => Object.fromEntries(Object.entries(claims).filter(([each]) => each !== name))
  const hour = 3_600
  const now = () => Math.floor(Date.now() / 1_000)
  test.each<[string, Parameters<typeof provider.tamper>[0], string]>([
    ['another nonce', ({ header, claims }) => ({ token: { header, claims: { ...claims, nonce: 'n' } } }), 'nonce'],
    ['no nonce', ({ header, claims }) => ({ token: { header, claims: omit(claims, 'nonce') } }), 'nonce'],
    ['another audience', ({ header, claims }) => ({ token: { header, claims: { ...claims, aud: 'shop' } } }), 'aud'],
    ['another issuer', ({ header, claims }) => ({ token: { header, claims: { ...claims, iss: 'https://evil.example.com' } } }), 'iss'],
    ['a time that is over', ({ header, claims }) => ({ token: { header, claims: { ...claims, iat: now() - 2 * hour, exp: now() - hour } } }), 'exp'],
    ['a key that is not the provider’s', (token) => ({ token, by: 'another key' }), 'signature'],
    ['no signature', ({ claims }) => ({ token: { header: { alg: 'none' }, claims }, by: 'nobody' }), ''],
  ])('%s', async (_, change, word) => {
    const ada = somebody()
    await invite(ada)
    provider.tamper((token) => ({ token })) // The control: the same way, and nothing changed.
    expect((await signIn(ada)).status).toBe(200)
    provider.tamper(change)
    const refused = await signIn(ada)
    expect(refused).toMatchObject({ status: 401, message: expect.stringContaining(word) })
    expect(refused.visitor.login()).toBe(undefined)
  })

  test.each(['token_endpoint', 'jwks_uri', 'userinfo_endpoint'])('a provider whose discovery names a private %s: nobody is asked there', async (endpoint) => {
    const ada = somebody()
    await invite(ada)
    const asked: string[] = []
    const inside = createServer((request, response) => {
      asked.push(request.url ?? '')
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
    await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve))
    const host = `127.0.0.1:${(inside.address() as AddressInfo).port}`
    try {
      provider.name({ [endpoint]: `http://${host}/metadata` })
      const refused = await signIn(ada)
      expect([refused.status, refused.message]).toEqual([503, expect.stringContaining('LONGHAUL_SSO_PRIVATE_HOSTS')])
      expect(refused.visitor.login()).toBe(undefined)
      expect(asked).toEqual([])
      opened.push(host) // The control: it is asked once the operator has opened it.
      expect((await signIn(ada)).status).toBe(401)
      expect(asked).toEqual(['/metadata'])
    } finally {
      opened.splice(opened.indexOf(host), 1)
      inside.close()
    }
  })

  test('another state, somebody else’s way back, a query that was used, one that took too long', async () => {
    const ada = somebody()
    await invite(ada)
    expect((await signIn(ada, arrive(), (query) => query.replace(/state=[^&]+/, 'state=x'))).status).toBe(401)
    // Login CSRF: what one browser began is no sign-in for another.
    const [mine, victim] = [arrive(), arrive()]
    const query = await provider.visit(await begin(mine))
    expect((await victim.ask('POST', '/v1/sign-in/return', { query })).status).toBe(401)
    await begin(victim)
    expect((await victim.ask('POST', '/v1/sign-in/return', { query })).status).toBe(401)
    const cookie = mine.jar.get('__Host-longhaul-sso') ?? ''
    expect((await mine.ask('POST', '/v1/sign-in/return', { query })).status).toBe(200)
    mine.jar.set('__Host-longhaul-sso', cookie)
    expect((await mine.ask('POST', '/v1/sign-in/return', { query })).status).toBe(401)
    const late = arrive()
    const lateQuery = await provider.visit(await begin(late))
    await bed.db.rows(sql`update tickets set expires_at = clock_timestamp() where kind = 'sso'`)
    expect((await late.ask('POST', '/v1/sign-in/return', { query: lateQuery })).status).toBe(401)
  })

  test('a code of another sign-in, or one that was used: the provider is asked with our verifier', async () => {
    const ada = somebody()
    await invite(ada)
    provider.become(ada)
    const stolen = new URLSearchParams(await provider.visit(await begin(arrive()))).get('code') ?? ''
    const put = (code: string) => (query: string) => query.replace(/code=[^&]+/, `code=${code}`)
    expect(await signIn(ada, arrive(), put(stolen))).toMatchObject({ status: 401, message: expect.stringContaining('invalid_grant') })
    const good = await signIn(ada)
    expect(good.status).toBe(200)
    const used = new URLSearchParams(good.query).get('code') ?? ''
    expect(await signIn(ada, arrive(), put(used))).toMatchObject({ status: 401, message: expect.stringContaining('invalid_grant') })
    expect(await signIn(ada, arrive(), (query) => query.replace(/code=[^&]+/, 'error=access_denied'))).toMatchObject({ status: 401 })
  })
})

describe('setting it', () => {
  test('is for administrators of the whole tenant, and asks the provider first', async () => {
    const lead = await bed.caller('lead', { personalData: true }, { permissions: ['people:manage', 'secrets:manage'] })
    const dev = await bed.caller('dev', { personalData: true }, { namespaces: ['dev'] })
    for (const by of [lead, dev]) expect((await set({}, by)).status).toBe(403)
    expect((await lead.ask('DELETE', '/v1/sso')).status).toBe(403)
    expect(await set({ issuer: `${provider.issuer}/elsewhere` })).toMatchObject({
      status: 503,
      text: expect.stringContaining('did not answer as an OpenID provider'),
    })
    expect((await set({ createsPeople: true })).status).toBe(400)
    expect((await set({ rolesClaim: 'groups' })).status).toBe(400)
  })

  test('never shows the secret, stores it sealed, and sends it to no other provider', async () => {
    expect((await set({})).text).not.toContain(clientSecret)
    expect(await (await boss.ask('GET', '/v1/sso')).text()).not.toContain(clientSecret)
    const kept = await boss.ask('POST', '/v1/sso', { issuer: provider.issuer, clientId: 'longhaul' })
    expect(kept.status).toBe(200)
    for (const other of [{ issuer: 'https://evil.example.com' }, { clientId: 'other' }])
      expect((await boss.ask('POST', '/v1/sso', { issuer: provider.issuer, clientId: 'longhaul', ...other })).status).toBe(400)
    const [row] = await bed.db.rows<{ text: string }>(sql`select string_agg(t::text, '') as text from (select * from single_sign_on) t`)
    expect(row?.text).not.toContain(clientSecret)
    await bed.audit.append()
    expect((await bed.audit.list('acme', { limit: 1, action: 'secrets.use' }))[0]).toMatchObject({
      target: 'sso-client-secret',
      detail: { purpose: 'single sign-on' },
    })
  })

  test('reaches no private address that the operator has not opened: not the issuer, not what it names', async () => {
    opened.length = 0
    expect(await set({})).toMatchObject({ status: 503, text: expect.stringContaining('LONGHAUL_SSO_PRIVATE_HOSTS') })
    for (const issuer of ['http://169.254.169.254', 'http://[::1]:9', 'http://localhost:9']) expect((await set({ issuer })).status).toBe(503)
    expect((await arrive().ask('POST', '/v1/sign-in/sso', { tenant: 'acme' })).status).toBe(503)
    opened.push(new URL(provider.issuer).host)
    expect((await set({})).status).toBe(200)
  })

  test('ends with its removal, which destroys the secret', async () => {
    const visitor = arrive()
    const query = await provider.visit(await begin(visitor))
    expect((await boss.ask('DELETE', '/v1/sso')).status).toBe(200)
    expect((await boss.ask('GET', '/v1/sso')).status).toBe(404)
    expect((await boss.ask('GET', '/v1/secrets/sso-client-secret')).status).toBe(404)
    expect((await visitor.ask('POST', '/v1/sign-in/return', { query })).status).toBe(401)
    expect((await visitor.ask('POST', '/v1/sign-in/sso', { tenant: 'acme' })).status).toBe(404)
    await set({})
  })
})
