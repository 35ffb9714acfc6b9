/** People, from the invitation to the end of their logins, over the API with everything real behind it. */
import type { Json } from '@longhaul/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Sql, sql } from '../src/db/index.ts'
import { totpAt } from '../src/identity/totp.ts'
import { newId, silentLog } from '../src/kernel/index.ts'
import { type Bed, type BedCaller, openBed } from './support/api-bed.ts'
import { type Visitor, openVisitor, tokenOf } from './support/visitor.ts'

let bed: Bed
let boss: BedCaller
const password = 'correct horse battery staple'

beforeAll(async () => {
  bed = await openBed({
    listens: ({ run }) => [
      { type: 'op.wait', run, op: '0', kind: 'signal', name: 'news', timeoutMs: null },
      { type: 'run.idle', run, ops: ['0'] },
    ],
  })
  boss = await bed.caller('boss', { personalData: true })
})
afterAll(() => bed[Symbol.asyncDispose]())

/** As time or another server would change them. */
async function setLogins(statement: Sql): Promise<void> {
  await bed.db.rows(statement)
  bed.identities.logins.forget()
}

type Invited = { id: string; email: string; token: string }
async function invite(more: Record<string, Json> = {}, by = boss): Promise<Invited> {
  const email = `${newId()}@example.com`
  const { id, link } = (await (await by.ask('POST', '/v1/people', { email, roles: ['developer'], ...more })).json()) as { id: string; link: string }
  return { id, email, token: tokenOf(link) }
}
async function joined(more: Record<string, Json> = {}): Promise<Visitor & Invited> {
  const person = await invite(more)
  const visitor = openVisitor(bed)
  expect((await visitor.ask('POST', '/v1/sign-in/join', { token: person.token, password })).body).toEqual({ state: 'signed-in', ticket: null, factors: [] })
  await visitor.load()
  return { ...visitor, ...person }
}
const signIn = (visitor: Visitor, { email }: { email: string }, given = password, tenant = 'acme') =>
  visitor.ask('POST', '/v1/sign-in/password', { tenant, email, password: given })
const codeNow = (secret: string, later = 0) => totpAt(secret, Math.floor(Date.now() / 30_000) + later)

/** The codes after it stay good: each is for one use, and a later one may be given half a minute early. */
async function enrolled(more: Record<string, Json> = {}): Promise<Visitor & Invited & { secret: string; recoveryCodes: string[] }> {
  const person = await joined(more)
  const { secret } = (await person.ask('POST', '/v1/me/second-factor', { password })).body as { secret: string }
  const { body } = await person.ask('POST', '/v1/me/second-factor/confirm', { code: codeNow(secret, -1) })
  await person.load()
  return { ...person, secret, recoveryCodes: body['recoveryCodes'] as string[] }
}

describe('an invitation', () => {
  test('makes somebody who signs in, acts by their roles, and is named by audit and runs', async () => {
    const ada = await joined({ name: 'Ada', roles: ['operator', 'approver'] })
    expect((await ada.load()).body).toMatchObject({ tenantId: 'acme', person: { email: ada.email, name: 'Ada', state: 'active', hasSecondFactor: false } })
    const { body: run } = await ada.ask('POST', '/v1/runs', { agent: 'listens', input: 1 })
    expect(run).toMatchObject({ asker: { id: ada.id, name: 'Ada', isPerson: true } })
    expect((await ada.ask('POST', '/v1/keys', { name: 'k' })).status).toBe(403) // Neither of the roles may.
    await bed.policies.put(
      { ...boss, ...callerOf() },
      { name: 'no-cancel', text: `forbid (principal == Person::"${ada.id}", action == Action::"runs.cancel", resource);`, description: '' },
    )
    expect((await ada.ask('POST', `/v1/runs/${String(run['id'])}/cancel`, {})).body).toMatchObject({
      error: { code: 'forbidden', message: expect.stringContaining('no-cancel') },
    })
    await bed.audit.append()
    const entries = await bed.audit.list('acme', { limit: 50, who: ada.id })
    expect(entries.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual([
      'runs.cancel refused',
      'keys.create refused',
      'runs.start done',
      'logins.start done',
      'signin.join done',
    ])
    expect(new Set(entries.map(({ who }) => who.name))).toEqual(new Set(['Ada']))
  })

  test('works once, of two at once for one, and not after its time', async () => {
    const { token, id } = await invite()
    const both = await Promise.all([1, 2].map(() => openVisitor(bed).ask('POST', '/v1/sign-in/join', { token, password })))
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 404])
    const late = await invite()
    expect((await openVisitor(bed).ask('POST', '/v1/sign-in/link', { token: late.token })).body).toMatchObject({
      email: late.email,
      tenantId: 'acme',
      isNew: true,
    })
    await bed.db.rows(sql`update people set link_expires_at = clock_timestamp() where id = ${late.id}`)
    expect((await openVisitor(bed).ask('POST', '/v1/sign-in/link', { token: late.token })).status).toBe(404)
    expect((await openVisitor(bed).ask('POST', '/v1/sign-in/join', { token: late.token, password })).status).toBe(404)
    const [row] = await bed.db.rows<{ text: string }>(sql`select people::text as text from people where id = ${id}`)
    expect(row?.text).toContain('$argon2id$v=19$m=19456,t=2,p=1$')
    expect(row?.text).not.toContain(token)
    expect(row?.text).not.toContain(Buffer.from(token).toString('hex'))
  })

  test('gives nobody more than who sent it has, and a link is no way to become somebody mightier', async () => {
    const lead = await bed.caller('lead', { personalData: true }, { permissions: ['people:manage', 'runs:read'] })
    expect((await lead.ask('POST', '/v1/people', { email: 'x@example.com', roles: ['administrator'] })).status).toBe(403)
    const mighty = await invite({ roles: ['administrator'] })
    for (const [method, path, body] of [
      ['POST', `/v1/people/${mighty.id}/link`, {}],
      ['POST', `/v1/people/${mighty.id}`, { name: 'x' }],
      ['POST', `/v1/people/${mighty.id}/sign-out`, {}],
      ['DELETE', `/v1/people/${mighty.id}`, undefined],
    ] as const)
      expect((await lead.ask(method, path, body)).status).toBe(403)
    const dev = await bed.caller('dev-lead', { personalData: true }, { namespaces: ['dev'] })
    expect((await dev.ask('POST', '/v1/people', { email: 'y@example.com', roles: ['viewer'] })).status).toBe(403)
    expect((await dev.ask('POST', `/v1/people/${mighty.id}/link`, {})).status).toBe(404)
    expect((await dev.ask('POST', '/v1/people', { email: 'y@example.com', roles: ['viewer'], namespaces: ['dev'] })).status).toBe(200)
    expect(((await dev.read('/v1/people')) as { items: { email: string }[] }).items.map(({ email }) => email)).toEqual(['y@example.com'])
  })

  test('of an address that is taken is a conflict, and passwords that anybody would try are refused', async () => {
    const { email, token } = await invite()
    expect((await boss.ask('POST', '/v1/people', { email: email.toUpperCase(), roles: ['viewer'] })).status).toBe(409)
    for (const bad of ['short', 'aaaaaaaaaaaaaa', `${email}1`])
      expect((await openVisitor(bed).ask('POST', '/v1/sign-in/join', { token, password: bad })).status).toBe(400)
    expect((await openVisitor(bed).ask('POST', '/v1/sign-in/join', { token, password })).status).toBe(200)
  })
})

describe('signing in', () => {
  test('makes a new secret each time, in a cookie that scripts and other sites do not get', async () => {
    const ada = await joined()
    const browser = openVisitor(bed)
    browser.jar.set('__Host-longhaul', 'planted'.padEnd(43, 'x'))
    const { cookies } = await signIn(browser, ada)
    expect(cookies.map((line) => line.replace(/=[^;]+/, '='))).toEqual([
      '__Host-longhaul=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=34560000',
      '__Host-longhaul-device=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=34560000',
    ])
    expect(browser.login()).not.toBe('planted'.padEnd(43, 'x'))
    expect(browser.login()).not.toBe(ada.login())
    const [row] = await bed.db.rows<{ text: string }>(sql`select string_agg(logins::text, '') as text from logins`)
    expect(row?.text).not.toContain(browser.login())
  })

  test('tells nobody who there is: a wrong address and a wrong password answer the same', async () => {
    const ada = await joined()
    const wrong = await signIn(openVisitor(bed), ada, 'wrong password here')
    const nobody = await signIn(openVisitor(bed), { email: 'nobody@example.com' })
    const elsewhere = await signIn(openVisitor(bed), ada, password, 'globex')
    const tellOf = ({ status, body }: typeof wrong) => [status, { ...(body['error'] as object), requestId: '' }]
    expect(tellOf(nobody)).toEqual(tellOf(wrong))
    expect(tellOf(elsewhere)).toEqual(tellOf(wrong))
    expect(wrong.status).toBe(401)
    expect((await signIn(openVisitor(bed), ada)).status).toBe(200)
  })

  test('is slowed for whoever guesses, also with many at once, and not for the person, whom that shuts out of nothing', async () => {
    const ada = await joined()
    const guesser = openVisitor(bed, '198.51.100.7')
    const statuses = (await Promise.all(Array.from({ length: 30 }, (_, i) => signIn(guesser, ada, `guess number ${i}`)))).map(({ status }) => status)
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(6)
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(24)
    await bed.db.rows(sql`update guesses set blocked_until = clock_timestamp() + interval '1 minute' where account = ${ada.email}`) // The first pause is a second.
    // Not even the right one is looked at now. That is what makes guessing slow.
    const { status, body } = await signIn(guesser, ada)
    expect([status, body]).toMatchObject([429, { error: { code: 'over_limit', message: expect.stringMatching(/Try again in \d+ s/) } }])
    // From elsewhere she gets in, and from the guesser's own address with the browser that she has used before.
    expect((await signIn(openVisitor(bed, '203.0.113.5'), ada)).status).toBe(200)
    const known = openVisitor(bed, '198.51.100.7')
    known.jar.set('__Host-longhaul-device', ada.jar.get('__Host-longhaul-device') ?? '')
    expect((await signIn(known, ada)).status).toBe(200)
    // A mark of somebody else, or one that was made up, is worth nothing.
    for (const mark of [(await joined()).jar.get('__Host-longhaul-device') ?? '', 'a.b']) {
      const forged = openVisitor(bed, '198.51.100.7')
      forged.jar.set('__Host-longhaul-device', mark)
      expect((await signIn(forged, ada)).status).toBe(429)
    }
    await bed.audit.append()
    expect((await bed.audit.list('acme', { limit: 200, action: 'signin.password', outcome: 'refused' })).some(({ target }) => target === ada.id)).toBe(true)
  })

  test('is refused to the disabled and to people of a suspended tenant, and their logins end', async () => {
    const ada = await joined()
    await boss.ask('POST', `/v1/people/${ada.id}`, { isDisabled: true })
    expect((await ada.ask('GET', '/v1/me')).status).toBe(401)
    expect((await signIn(openVisitor(bed), ada)).body).toMatchObject({ error: { code: 'forbidden' } })
    await boss.ask('POST', `/v1/people/${ada.id}`, { isDisabled: false })
    expect((await signIn(openVisitor(bed), ada)).status).toBe(200)
    expect((await ada.ask('GET', '/v1/me')).status).toBe(401) // The old login does not come back.
  })
})

describe('a login', () => {
  test('is listed, and ends by sign-out, by its owner from elsewhere, by whoever manages people, by time and by idleness', async () => {
    const ada = await joined()
    const others = await Promise.all([1, 2, 3, 4].map(() => openVisitor(bed)))
    for (const each of others) await signIn(each, ada)
    const { items } = (await ada.ask('GET', '/v1/me/logins')).body as { items: { id: string; isThisOne: boolean }[] }
    expect(items).toHaveLength(5)
    expect(items.filter(({ isThisOne }) => isThisOne)).toHaveLength(1)
    const alive = async () => (await Promise.all([ada, ...others].map((each) => each.ask('GET', '/v1/me')))).filter(({ status }) => status === 200).length
    await others[0]?.load()
    const kept = others[0]?.login() ?? ''
    expect((await others[0]?.ask('POST', '/v1/me/sign-out'))?.status).toBe(200)
    expect(others[0]?.login()).toBe(undefined)
    others[0]?.jar.set('__Host-longhaul', kept) // Whoever copied the cookie has nothing.
    expect(await alive()).toBe(4)
    const secondLogin = ((await ada.ask('GET', '/v1/me/logins')).body as { items: typeof items }).items.find(({ isThisOne }) => !isThisOne)
    expect((await ada.ask('DELETE', `/v1/me/logins/${secondLogin?.id}`)).status).toBe(200)
    expect(await alive()).toBe(3)
    const stranger = await joined()
    const mine = ((await ada.ask('GET', '/v1/me/logins')).body as { items: { id: string }[] }).items.map(({ id }) => id)
    expect((await stranger.ask('DELETE', `/v1/me/logins/${mine[0]}`)).status).toBe(404)
    await setLogins(sql`update logins set expires_at = clock_timestamp() where id = ${mine[1]}`)
    expect(await alive()).toBe(2)
    await setLogins(sql`update logins set last_used_at = clock_timestamp() - interval '61 minutes' where id = ${mine[2]}`)
    expect(await alive()).toBe(1)
    expect(await (await boss.ask('POST', `/v1/people/${ada.id}/sign-out`)).json()).toMatchObject({ count: expect.any(Number) })
    expect(await alive()).toBe(0)
    await signIn(ada, ada)
    await boss.ask('DELETE', `/v1/people/${ada.id}`)
    expect(await alive()).toBe(0)
  })

  test('is not a key, nor a key a login, nor a browser’s cookie a program’s token', async () => {
    const ada = await joined()
    const headers = { authorization: `Bearer ${ada.login()}` }
    expect((await openVisitor(bed).ask('GET', '/v1/me', undefined, headers)).status).toBe(401)
    const other = openVisitor(bed)
    other.jar.set('__Host-longhaul', boss.secret)
    expect((await other.ask('GET', '/v1/runs')).status).toBe(401)
  })

  test('of others ends when the password changes, and a link that lay about stops working', async () => {
    const ada = await joined()
    const other = openVisitor(bed)
    await signIn(other, ada)
    const token = tokenOf(((await (await boss.ask('POST', `/v1/people/${ada.id}/link`, {})).json()) as { link: string }).link)
    expect((await ada.ask('POST', '/v1/me/password', { current: 'not this one', next: 'another good password' })).status).toBe(400)
    expect((await ada.ask('POST', '/v1/me/password', { current: password, next: 'another good password' })).status).toBe(200)
    expect((await ada.ask('GET', '/v1/me')).status).toBe(200)
    expect((await other.ask('GET', '/v1/me')).status).toBe(401)
    expect((await openVisitor(bed).ask('POST', '/v1/sign-in/link', { token })).status).toBe(404)
    expect((await signIn(openVisitor(bed), ada)).status).toBe(401)
    expect((await signIn(openVisitor(bed), ada, 'another good password')).status).toBe(200)
  })
})

describe('a second factor', () => {
  test('is asked for at sign-in; each code is good once, also for two at once', async () => {
    const ada = await enrolled()
    const begin = async () => {
      const visitor = openVisitor(bed, `192.0.2.${Math.trunc(performance.now()) % 200}`)
      const { body } = await signIn(visitor, ada)
      expect(body).toEqual({ state: 'second-factor', ticket: expect.any(String), factors: ['code'] })
      expect(visitor.login()).toBe(undefined) // Half a sign-in is none.
      return { visitor, ticket: String(body['ticket']) }
    }
    const [a, b] = [await begin(), await begin()]
    const code = codeNow(ada.secret)
    const statuses = await Promise.all([a, b].map(async ({ visitor, ticket }) => (await visitor.ask('POST', '/v1/sign-in/factor', { ticket, code })).status))
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 400])
    const c = await begin()
    expect((await c.visitor.ask('POST', '/v1/sign-in/factor', { ticket: c.ticket, code })).status).toBe(400) // Used.
    const recovery = ada.recoveryCodes[0] ?? ''
    expect((await c.visitor.ask('POST', '/v1/sign-in/factor', { ticket: c.ticket, code: recovery.toUpperCase() })).status).toBe(200)
    expect((await c.visitor.load()).body).toMatchObject({ recoveryCodesLeft: 9 })
    expect((await c.visitor.ask('POST', '/v1/sign-in/factor', { ticket: c.ticket, code: ada.recoveryCodes[1] ?? '' })).status).toBe(401) // The ticket is used up.
    const d = await begin()
    expect((await d.visitor.ask('POST', '/v1/sign-in/factor', { ticket: d.ticket, code: recovery })).status).toBe(400)
  })

  test('cannot be guessed: a ticket has five tries', async () => {
    const ada = await enrolled()
    const visitor = openVisitor(bed)
    const ticket = String((await signIn(visitor, ada)).body['ticket'])
    for (let i = 0; i < 5; i++) expect((await openVisitor(bed, `10.0.0.${i}`).ask('POST', '/v1/sign-in/factor', { ticket, code: '000000' })).status).toBe(400)
    expect((await openVisitor(bed, '10.0.1.1').ask('POST', '/v1/sign-in/factor', { ticket, code: codeNow(ada.secret) })).status).toBe(401)
  })

  test('lets sensitive operations through for five minutes; without one they are refused with what to do', async () => {
    const plain = await joined({ roles: ['administrator'] })
    expect((await plain.ask('POST', '/v1/keys', { name: 'mine' })).body).toMatchObject({
      error: { code: 'step_up_required', message: expect.stringContaining('longhaul me step-up') },
    })
    expect((await plain.ask('POST', '/v1/me/step-up', { code: '123456' })).status).toBe(409)
    const ada = await enrolled({ roles: ['administrator'] })
    const old = (minutes: number) =>
      setLogins(sql`update logins set stepped_up_at = clock_timestamp() - ${minutes} * interval '1 minute' where person_id = ${ada.id}`)
    expect((await ada.ask('POST', '/v1/keys', { name: 'mine' })).status).toBe(200) // It was just confirmed.
    await old(4)
    expect((await ada.ask('POST', '/v1/keys', { name: 'mine' })).status).toBe(200)
    await old(6)
    expect((await ada.ask('POST', '/v1/keys', { name: 'mine' })).status).toBe(403)
    expect((await ada.ask('GET', '/v1/keys')).status).toBe(200) // Reading is no reason to ask.
    expect((await ada.ask('POST', '/v1/me/step-up', { code: '000000' })).status).toBe(400)
    expect((await ada.ask('POST', '/v1/me/step-up', { code: codeNow(ada.secret) })).status).toBe(200)
    expect((await ada.ask('POST', '/v1/keys', { name: 'mine' })).status).toBe(200)
    // Of this login alone.
    const other = openVisitor(bed)
    const ticket = String((await signIn(other, ada)).body['ticket'])
    expect((await other.ask('POST', '/v1/sign-in/factor', { ticket, code: ada.recoveryCodes[0] ?? '' })).status).toBe(200)
    await other.load()
    await old(6)
    expect((await other.ask('POST', '/v1/me/step-up', { code: ada.recoveryCodes[1] ?? '' })).status).toBe(200)
    expect((await ada.ask('POST', '/v1/keys', { name: 'mine' })).status).toBe(403)
    expect((await other.ask('POST', '/v1/keys', { name: 'mine' })).status).toBe(200)
  })

  test('may be asked for by a policy, for what it says is worth it', async () => {
    const ada = await enrolled({ roles: ['operator'] })
    const text = 'forbid (principal is Person, action == Action::"runs.start", resource) when { context.input.priority == "high" && !context.isSteppedUp };'
    await bed.policies.put({ ...boss, ...callerOf() }, { name: 'high-with-factor', text, description: '' })
    const start = async (priority: string) => (await ada.ask('POST', '/v1/runs', { agent: 'listens', priority })).body
    await setLogins(sql`update logins set stepped_up_at = null where person_id = ${ada.id}`)
    expect(await start('normal')).toMatchObject({ id: expect.any(String) })
    expect(await start('high')).toMatchObject({ error: { code: 'step_up_required' } })
    await ada.ask('POST', '/v1/me/step-up', { code: codeNow(ada.secret) })
    expect(await start('high')).toMatchObject({ id: expect.any(String) })
    await bed.policies.delete({ ...boss, ...callerOf() }, 'high-with-factor')
  })

  test('is turned on with the password and off with the factor, and lost ones are reset by who manages people', async () => {
    const ada = await joined()
    expect((await ada.ask('POST', '/v1/me/second-factor', {})).status).toBe(400)
    expect((await ada.ask('POST', '/v1/me/second-factor', { password: 'not this one' })).status).toBe(400)
    const bea = await enrolled()
    expect((await bea.ask('POST', '/v1/me/second-factor', { password })).status).toBe(409) // One is in force.
    await setLogins(sql`update logins set stepped_up_at = null where person_id = ${bea.id}`)
    expect((await bea.ask('DELETE', '/v1/me/second-factor')).status).toBe(403)
    expect((await bea.ask('POST', '/v1/me/second-factor/recovery-codes')).status).toBe(403)
    await bea.ask('POST', '/v1/me/step-up', { code: codeNow(bea.secret) })
    const { body } = await bea.ask('POST', '/v1/me/second-factor/recovery-codes')
    expect(new Set([...(body['recoveryCodes'] as string[]), ...bea.recoveryCodes]).size).toBe(20)
    // A link alone is worth a password: the factor is still asked for.
    const link = async (more: { resetSecondFactor?: boolean }) =>
      tokenOf(((await (await boss.ask('POST', `/v1/people/${bea.id}/link`, more)).json()) as { link: string }).link)
    expect((await openVisitor(bed).ask('POST', '/v1/sign-in/join', { token: await link({}), password })).body).toMatchObject({ state: 'second-factor' })
    expect((await openVisitor(bed).ask('POST', '/v1/sign-in/join', { token: await link({ resetSecondFactor: true }), password })).body).toMatchObject({
      state: 'signed-in',
    })
    const [row] = await bed.db.rows<{ text: string }>(sql`select string_agg(people::text, '') as text from people`)
    expect(row?.text).not.toContain(bea.recoveryCodes[0])
    expect(row?.text).not.toContain(bea.secret)
  })

  test('keeps working when the master key is changed', async () => {
    const ada = await enrolled({ roles: ['administrator'] })
    const { openIdentities } = await import('../src/identity/index.ts')
    const { secretBytes, silentLog } = await import('../src/kernel/index.ts')
    const limits = { lifeMs: 1e6, idleMs: 1e6, stepUpMs: 1e6 }
    const ofBed = { db: bed.db, outbox: bed.outbox, log: silentLog, limits, secrets: bed.secrets, fetch: () => Promise.reject(new Error('No provider here.')) }
    const next = { current: secretBytes(32) }
    const reopened = openIdentities({ ...ofBed, masterKeys: { ...next, previous: bed.masterKeys.current } })
    await reopened.secondFactor.rewrapAll()
    const without = openIdentities({ ...ofBed, masterKeys: next })
    const caller = await without.logins.authenticate(ada.login() ?? '', 'browser')
    await without.secondFactor.stepUp(caller!, { code: codeNow(ada.secret) }, { address: 'x', agent: '', origin: 'http://localhost' })
    await openIdentities({ ...ofBed, masterKeys: { ...bed.masterKeys, previous: next.current } }).secondFactor.rewrapAll()
  })
})

describe('a program', () => {
  const begin = async () =>
    (await openVisitor(bed).ask('POST', '/v1/sign-in/device', { tenant: 'acme', name: 'longhaul on a laptop' })).body as {
      deviceCode: string
      userCode: string
    }
  const poll = async (deviceCode: string) => (await openVisitor(bed).ask('POST', '/v1/sign-in/device/poll', { deviceCode })).body

  test('gets a token of its own once a person has approved it, once', async () => {
    const ada = await joined({ roles: ['viewer'] })
    const { deviceCode, userCode } = await begin()
    expect(await poll(deviceCode)).toEqual({ state: 'pending', token: null, name: null })
    expect((await ada.ask('GET', `/v1/me/devices/${userCode.toLowerCase()}`)).body).toMatchObject({
      userCode,
      name: 'longhaul on a laptop',
      address: '192.0.2.1',
    })
    expect((await ada.ask('POST', `/v1/me/devices/${userCode}`, { approved: true })).status).toBe(200)
    expect((await ada.ask('POST', `/v1/me/devices/${userCode}`, { approved: false })).status).toBe(404) // The first answer counts.
    const both = await Promise.all([poll(deviceCode), poll(deviceCode)])
    const token = String(both.find(({ state }) => state === 'approved')?.['token'])
    expect(both.filter(({ state }) => state === 'approved')).toHaveLength(1)
    expect(token).toMatch(/^lp_/)
    const headers = { authorization: `Bearer ${token}` }
    expect((await openVisitor(bed).ask('GET', '/v1/me', undefined, headers)).body).toMatchObject({ person: { id: ada.id }, csrfToken: null })
    expect((await openVisitor(bed).ask('GET', '/v1/runs', undefined, headers)).status).toBe(200)
    const asCookie = openVisitor(bed)
    asCookie.jar.set('__Host-longhaul', token)
    expect((await asCookie.ask('GET', '/v1/me')).status).toBe(401)
    const { items } = (await ada.ask('GET', '/v1/me/logins')).body as { items: { id: string; kind: string; agent: string }[] }
    const program = items.find(({ kind }) => kind === 'program')
    expect(program?.agent).toBe('longhaul on a laptop')
    await ada.ask('DELETE', `/v1/me/logins/${program?.id}`)
    expect((await openVisitor(bed).ask('GET', '/v1/me', undefined, headers)).status).toBe(401)
  })

  test('gets nothing when it is denied, when nobody answers in time, and from a person of another tenant', async () => {
    const ada = await joined()
    const denied = await begin()
    await ada.ask('POST', `/v1/me/devices/${denied.userCode}`, { approved: false })
    expect(await poll(denied.deviceCode)).toEqual({ state: 'denied', token: null, name: null })
    const late = await begin()
    await bed.db.rows(sql`update tickets set expires_at = clock_timestamp() where user_code = ${late.userCode.replace('-', '')}`)
    expect((await ada.ask('POST', `/v1/me/devices/${late.userCode}`, { approved: true })).status).toBe(404)
    expect(await poll(late.deviceCode)).toMatchObject({ error: { code: 'not_found' } })
    const globex = await bed.caller('globex-boss', { personalData: true }, { tenantId: 'globex' })
    const { token } = await invite({}, globex)
    const eve = openVisitor(bed)
    await eve.ask('POST', '/v1/sign-in/join', { token, password })
    await eve.load()
    const { userCode } = await begin()
    expect((await eve.ask('GET', `/v1/me/devices/${userCode}`)).status).toBe(404)
    expect((await eve.ask('POST', `/v1/me/devices/${userCode}`, { approved: true })).status).toBe(404)
    expect((await ada.ask('GET', `/v1/me/devices/${userCode}`)).status).toBe(200)
  })
})

/** A caller for services that are asked directly. */
const callerOf = () => ({ keyId: boss.id, name: 'boss', tenantId: 'acme', askerId: undefined, permissions: [], access: { personalData: true } })

describe('a login that two servers know', () => {
  test('is asked for once a second, and is over at once here and soon there when it ends, changes, or its tenant is suspended', async () => {
    const { openIdentities } = await import('../src/identity/index.ts')
    let looks = 0
    const counted = { ...bed.db, rows: ((query) => (looks++, bed.db.rows(query))) as Bed['db']['rows'] }
    const { secrets, outbox, masterKeys } = bed
    const limits = { lifeMs: 86_400_000, idleMs: 3_600_000, stepUpMs: 300_000 }
    const there = openIdentities({
      db: counted,
      masterKeys,
      secrets,
      outbox,
      log: silentLog,
      limits,
      fetch: () => Promise.reject(new Error('Nobody is asked.')),
    })
    await there.start()
    try {
      const ada = await joined()
      const cookie = ada.login() ?? ''
      const isIn = async (at: typeof there) => (await at.logins.authenticate(cookie, 'browser')) !== undefined
      looks = 0
      expect(await Promise.all(Array.from({ length: 50 }, () => isIn(there)))).not.toContain(false)
      expect(looks).toBeLessThanOrEqual(2) // One look, and perhaps the next second's.
      expect(await isIn(bed.identities)).toBe(true)

      await boss.ask('POST', `/v1/people/${ada.id}`, { roles: ['viewer'] })
      const rolesAt = async (at: typeof there) => (await at.logins.authenticate(cookie, 'browser'))?.roles
      expect(await rolesAt(bed.identities)).toEqual(['viewer'])
      await expect.poll(() => rolesAt(there), { interval: 10 }).toEqual(['viewer'])

      expect((await ada.ask('POST', '/v1/me/sign-out')).status).toBe(200)
      expect(await isIn(bed.identities)).toBe(false)
      await expect.poll(() => isIn(there), { interval: 10 }).toBe(false)
    } finally {
      await there.stop()
    }
  })

  test('is not remembered from before its end by a look that was under way', async () => {
    const ada = await joined()
    const cookie = ada.login() ?? ''
    bed.identities.logins.forget()
    const [under] = await Promise.all([bed.identities.logins.authenticate(cookie, 'browser'), boss.ask('POST', `/v1/people/${ada.id}/sign-out`)])
    void under // Before or after: both are right.
    expect(await bed.identities.logins.authenticate(cookie, 'browser')).toBe(undefined)
  })
})
