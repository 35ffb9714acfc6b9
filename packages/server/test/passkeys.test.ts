/** Passkeys over the API, with an authenticator in software that can be told to lie. */
import type { Json } from '@longhaul/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Sql, sql } from '../src/db/index.ts'
import { totpAt } from '../src/identity/totp.ts'
import { newId } from '../src/kernel/index.ts'
import { type Bed, type BedCaller, openBed } from './support/api-bed.ts'
import { type Authenticator, makeAuthenticator } from './support/authenticator.ts'
import { type Visitor, openVisitor, tokenOf } from './support/visitor.ts'

let bed: Bed
const bosses = new Map<string, BedCaller>()
const password = 'correct horse battery staple'

beforeAll(async () => {
  bed = await openBed({})
  for (const tenant of ['acme', 'globex']) bosses.set(tenant, await bed.caller(`${tenant}-boss`, { personalData: true }, { tenantId: tenant }))
})
afterAll(() => bed[Symbol.asyncDispose]())

/** As time or another server would change them. */
async function setLogins(statement: Sql): Promise<void> {
  await bed.db.rows(statement)
  bed.identities.logins.forget()
}

type Somebody = Visitor & { id: string; email: string }
let arrivals = 0
/** Each from an address of its own: requests of one are limited. */
const arrive = () => openVisitor(bed, `198.51.100.${++arrivals % 250}`)

async function joined(tenant = 'acme', roles = ['administrator']): Promise<Somebody> {
  const email = `${newId()}@example.com`
  const { id, link } = (await (await bosses.get(tenant)!.ask('POST', '/v1/people', { email, roles })).json()) as { id: string; link: string }
  const visitor = arrive()
  expect((await visitor.ask('POST', '/v1/sign-in/join', { token: tokenOf(link), password })).status).toBe(200)
  await visitor.load()
  return { ...visitor, id, email }
}
const optionsOf = ({ body }: { body: Record<string, unknown> }) => body['options'] as Record<string, unknown>
const begin = async (visitor: Visitor, ticket?: string) =>
  optionsOf(await visitor.ask('POST', '/v1/sign-in/passkey/start', ticket === undefined ? {} : { ticket }))
const finish = (visitor: Visitor, passkey: Json) => visitor.ask('POST', '/v1/sign-in/passkey', { passkey })
const signInWithPassword = (visitor: Visitor, { email }: Somebody) => visitor.ask('POST', '/v1/sign-in/password', { tenant: 'acme', email, password })

async function add(person: Somebody, key: Authenticator, lie = {}, more: Record<string, Json> = { password }) {
  const options = optionsOf(await person.ask('POST', '/v1/me/passkeys/start', more))
  return person.ask('POST', '/v1/me/passkeys', { name: 'a phone', credential: key.create(options, lie) })
}
async function withPasskey(tenant = 'acme', key = makeAuthenticator()) {
  const person = await joined(tenant)
  const { status, body } = await add(person, key)
  expect(status).toBe(200)
  return { ...person, key, passkeyId: (body['passkey'] as { id: string }).id, recoveryCodes: body['recoveryCodes'] as string[] }
}

describe('a passkey', () => {
  test('is made, named, listed, signs in without a name or a password, and steps up by that', async () => {
    const ada = await withPasskey()
    expect(ada.recoveryCodes).toHaveLength(10)
    expect((await ada.ask('POST', `/v1/me/passkeys/${ada.passkeyId}`, { name: 'my phone' })).status).toBe(200)
    const { body } = await ada.ask('GET', '/v1/me/passkeys')
    expect(body).toEqual({
      items: [{ id: ada.passkeyId, name: 'my phone', host: 'localhost', isSynced: false, createdAt: expect.any(String), lastUsedAt: null }],
    })
    expect((await ada.load()).body).toMatchObject({ factors: ['passkey'], person: { hasSecondFactor: true } })

    const visitor = arrive()
    const options = await begin(visitor)
    expect(options).toMatchObject({ rpId: 'localhost', userVerification: 'required', allowCredentials: [] })
    expect((await finish(visitor, ada.key.get(options))).body).toEqual({ state: 'signed-in', ticket: null, factors: [] })
    expect((await visitor.load()).body).toMatchObject({ tenantId: 'acme', person: { id: ada.id }, steppedUpUntil: expect.any(String) })
    expect((await visitor.ask('POST', '/v1/keys', { name: 'mine' })).status).toBe(200)
    await bed.audit.append()
    const used = await bed.audit.list('acme', { limit: 10, action: 'passkeys.use' })
    expect(used[0]).toMatchObject({ outcome: 'done', target: ada.passkeyId })
  })

  test('that its owner’s other devices share counts nothing, and is told to be shared', async () => {
    const ada = await withPasskey('acme', makeAuthenticator({ isSynced: true }))
    expect((await ada.ask('GET', '/v1/me/passkeys')).body).toMatchObject({ items: [{ isSynced: true }] })
    for (let i = 0; i < 2; i++) {
      const visitor = arrive()
      expect((await finish(visitor, ada.key.get(await begin(visitor)))).status).toBe(200)
    }
  })

  test('belongs to its owner: others neither see, rename nor remove it', async () => {
    const ada = await withPasskey()
    for (const stranger of [await withPasskey(), await withPasskey('globex')]) {
      expect((await stranger.ask('POST', `/v1/me/passkeys/${ada.passkeyId}`, { name: 'x' })).status).toBe(404)
      expect((await stranger.ask('DELETE', `/v1/me/passkeys/${ada.passkeyId}`)).status).toBe(404)
      expect(JSON.stringify((await stranger.ask('GET', '/v1/me/passkeys')).body)).not.toContain(ada.passkeyId)
    }
    expect((await ada.ask('DELETE', `/v1/me/passkeys/${ada.passkeyId}`)).status).toBe(200)
    const visitor = arrive()
    expect((await finish(visitor, ada.key.get(await begin(visitor)))).status).toBe(401)
    expect((await ada.load()).body).toMatchObject({ factors: [], recoveryCodesLeft: 0 })
  })
})

describe('signing in with a passkey is refused', () => {
  const lies: [string, object, RegExp][] = [
    ['from a page of another origin', { origin: 'http://evil.example' }, /origin/],
    ['from another port of this machine', { origin: 'http://localhost:1' }, /origin/],
    ['for another relying party', { host: 'evil.example' }, /RP ID/],
    ['without a look at who holds it', { isVerified: false }, /User verification/],
    ['with what was signed to make a passkey', { type: 'webauthn.create' }, /type/],
    ['when its counter did not go on', { counter: 1 }, /counter/],
  ]
  test.each(lies)('%s', async (_, lie, why) => {
    const ada = await withPasskey() // Its counter is 1.
    const visitor = arrive()
    const { status, body } = await finish(visitor, ada.key.get(await begin(visitor), lie))
    expect([status, body]).toMatchObject([401, { error: { code: 'unauthenticated' } }])
    expect(visitor.login()).toBe(undefined)
    await bed.audit.append()
    const [note] = await bed.audit.list('acme', { limit: 1, action: 'passkeys.use', outcome: 'refused' })
    expect(note).toMatchObject({ target: ada.passkeyId, detail: { why: expect.stringMatching(why) } })
    expect((await finish(visitor, ada.key.get(await begin(visitor)))).status).toBe(200) // The control.
  })

  test('in a frame of somebody else', async () => {
    const ada = await withPasskey()
    const visitor = arrive()
    expect((await finish(visitor, ada.key.get(await begin(visitor), { crossOrigin: true }))).status).toBe(401)
  })

  test('when it is sent again, or by two at once', async () => {
    const ada = await withPasskey('acme', makeAuthenticator({ isSynced: true })) // No counter would tell.
    const signed = ada.key.get(await begin(arrive()))
    expect((await finish(arrive(), signed)).status).toBe(200)
    expect((await finish(arrive(), signed)).status).toBe(401)
    const other = ada.key.get(await begin(arrive()))
    const statuses = (await Promise.all([finish(arrive(), other), finish(arrive(), other)])).map(({ status }) => status)
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 401])
  })

  test('with a challenge that is not ours, has run out, or was made for something else', async () => {
    const ada = await withPasskey()
    const visitor = arrive()
    expect((await finish(visitor, ada.key.get(await begin(visitor), { challenge: 'x'.repeat(43) }))).status).toBe(401)
    const options = await begin(visitor)
    await bed.db.rows(sql`update tickets set expires_at = clock_timestamp() where kind = 'passkey sign-in'`)
    expect((await finish(visitor, ada.key.get(options))).status).toBe(401)
    for (const path of ['/v1/me/step-up/passkey', '/v1/me/passkeys/start'])
      expect((await finish(visitor, ada.key.get(optionsOf(await ada.ask('POST', path, path.endsWith('start') ? {} : undefined))))).status).toBe(401)
    expect((await ada.ask('POST', '/v1/me/step-up', { passkey: ada.key.get(await begin(visitor)) })).status).toBe(400)
    expect((await finish(visitor, ada.key.get(await begin(visitor)))).status).toBe(200)
  })

  test('with a key that says it is somebody else’s, of this tenant or of another', async () => {
    const ada = await withPasskey()
    const visitor = arrive()
    for (const other of [await withPasskey(), await withPasskey('globex')]) {
      const handle = Buffer.from(ada.id.replaceAll('-', ''), 'hex').toString('base64url')
      expect((await finish(visitor, other.key.get(await begin(visitor), { handle }))).status).toBe(401)
      expect((await finish(visitor, other.key.get(await begin(visitor)))).status).toBe(200) // As themselves they may.
      expect((await visitor.load()).body).toMatchObject({ person: { id: other.id } })
    }
  })

  test('when another person has registered a key under the same id: each is let in as themselves', async () => {
    const ada = await withPasskey()
    const twin = await withPasskey('globex')
    await bed.db.rows(sql`update passkeys set credential_id = ${ada.key.id} where id = ${twin.passkeyId}`)
    const visitor = arrive()
    expect((await finish(visitor, ada.key.get(await begin(visitor)))).status).toBe(200)
    expect((await visitor.load()).body).toMatchObject({ person: { id: ada.id } })
  })

  test('for somebody disabled', async () => {
    const ada = await withPasskey()
    const visitor = arrive()
    await bosses.get('acme')!.ask('POST', `/v1/people/${ada.id}`, { isDisabled: true })
    expect((await finish(visitor, ada.key.get(await begin(visitor)))).status).toBe(403)
  })
})

describe('as a second factor a passkey', () => {
  const ticketOf = async (visitor: Visitor, person: Somebody) => {
    const { body } = await signInWithPassword(visitor, person)
    expect(body).toMatchObject({ state: 'second-factor', factors: ['passkey'] })
    return String(body['ticket'])
  }
  test('is asked for after the password, and only its owner’s does', async () => {
    const [ada, bea] = [await withPasskey(), await withPasskey()]
    const visitor = arrive()
    const ticket = await ticketOf(visitor, ada)
    const options = await begin(visitor, ticket)
    expect(options['allowCredentials']).toEqual([{ id: ada.key.id, transports: ['internal'], type: 'public-key' }])
    expect((await visitor.ask('POST', '/v1/sign-in/factor', { ticket, passkey: bea.key.get(options) })).status).toBe(400)
    const good = ada.key.get(await begin(visitor, ticket))
    expect((await visitor.ask('POST', '/v1/sign-in/factor', { ticket, passkey: good, code: '123456' })).status).toBe(400) // One of them.
    expect((await visitor.ask('POST', '/v1/sign-in/factor', { ticket, passkey: good })).body).toMatchObject({ state: 'signed-in' })
  })

  test('has recovery codes standing in for it, and is taken away by who manages people when it is lost', async () => {
    const ada = await withPasskey()
    const visitor = arrive()
    const ticket = await ticketOf(visitor, ada)
    expect((await visitor.ask('POST', '/v1/sign-in/factor', { ticket, code: ada.recoveryCodes[0] ?? '' })).status).toBe(200)
    const { link } = (await (await bosses.get('acme')!.ask('POST', `/v1/people/${ada.id}/link`, { resetSecondFactor: true })).json()) as { link: string }
    expect((await arrive().ask('POST', '/v1/sign-in/join', { token: tokenOf(link), password })).body).toMatchObject({ state: 'signed-in' })
    expect((await finish(arrive(), ada.key.get(await begin(arrive())))).status).toBe(401)
  })

  test('steps up for five minutes, and stands beside an authenticator', async () => {
    const ada = await withPasskey()
    const other = await withPasskey()
    const forget = () => setLogins(sql`update logins set stepped_up_at = clock_timestamp() - interval '6 minutes'`)
    await forget()
    expect((await ada.ask('POST', '/v1/keys', { name: 'mine' })).body).toMatchObject({ error: { code: 'step_up_required' } })
    const ask = async (by: Visitor) => optionsOf(await by.ask('POST', '/v1/me/step-up/passkey'))
    expect((await ada.ask('POST', '/v1/me/step-up', { passkey: other.key.get(await ask(other)) })).status).toBe(400)
    expect((await ada.ask('POST', '/v1/me/step-up', { passkey: ada.key.get(await ask(ada)) })).status).toBe(200)
    expect((await ada.ask('POST', '/v1/keys', { name: 'mine' })).status).toBe(200)

    const { secret } = (await ada.ask('POST', '/v1/me/second-factor', {})).body as { secret: string }
    const code = totpAt(secret, Math.floor(Date.now() / 30_000))
    expect((await ada.ask('POST', '/v1/me/second-factor/confirm', { code })).status).toBe(200)
    expect((await ada.load()).body).toMatchObject({ factors: ['code', 'passkey'], recoveryCodesLeft: 10 })
    expect((await ada.ask('DELETE', `/v1/me/passkeys/${ada.passkeyId}`)).status).toBe(200)
    expect((await ada.load()).body).toMatchObject({ factors: ['code'], recoveryCodesLeft: 10 })
  })
})

describe('making one', () => {
  test('takes the password, and the second factor of whoever has one: an open browser is not enough', async () => {
    const ada = await joined()
    expect((await ada.ask('POST', '/v1/me/passkeys/start', {})).status).toBe(400)
    expect((await ada.ask('POST', '/v1/me/passkeys/start', { password: 'not this one' })).status).toBe(400)
    expect((await add(ada, makeAuthenticator())).status).toBe(200)
    await setLogins(sql`update logins set stepped_up_at = null where person_id = ${ada.id}`)
    for (const path of ['/v1/me/passkeys/start', '/v1/me/second-factor'])
      expect((await ada.ask('POST', path, { password })).body).toMatchObject({ error: { code: 'step_up_required' } })
    await setLogins(sql`update logins set stepped_up_at = clock_timestamp() where person_id = ${ada.id}`)
    expect((await add(ada, makeAuthenticator(), {}, {})).body).toMatchObject({ recoveryCodes: [] })
  })

  test('is refused from elsewhere, for elsewhere, twice, unverified, and with somebody else’s challenge', async () => {
    const [ada, bea] = [await joined(), await joined()]
    for (const lie of [{ origin: 'http://evil.example' }, { host: 'evil.example' }, { isVerified: false }, { type: 'webauthn.get' }])
      expect((await add(ada, makeAuthenticator(), lie)).status).toBe(400)
    const options = optionsOf(await ada.ask('POST', '/v1/me/passkeys/start', { password }))
    const credential = makeAuthenticator().create(options)
    expect((await bea.ask('POST', '/v1/me/passkeys', { name: 'x', credential })).status).toBe(400)
    expect((await ada.ask('POST', '/v1/me/passkeys', { name: 'x', credential })).status).toBe(400) // Used up by that.
    const key = makeAuthenticator()
    const again = optionsOf(await ada.ask('POST', '/v1/me/passkeys/start', { password }))
    expect((await ada.ask('POST', '/v1/me/passkeys', { name: 'x', credential: key.create(again) })).status).toBe(200)
    expect((await ada.ask('POST', '/v1/me/passkeys', { name: 'x', credential: key.create(again) })).status).toBe(400)
    expect((await add(ada, key, {}, {})).status).toBe(409) // The very same key.
  })

  test('at an address of digits says where to go instead', async () => {
    const { body, status } = await arrive().ask('POST', '/v1/sign-in/passkey/start', {}, { host: '127.0.0.1:8080' })
    expect([status, body]).toMatchObject([409, { error: { message: expect.stringContaining('http://localhost:8080') } }])
  })
})
