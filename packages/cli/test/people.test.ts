import { mkdtemp, readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startFakeApi, uuid } from './support/fake-api.ts'
import { command } from './support/run-command.ts'

const at = '2026-11-21T03:00:00.000Z'
const person = {
  ...{ id: uuid(7), email: 'ada@example.com', name: 'Ada', roles: ['developer', 'approver'], namespaces: ['prod'], agents: null },
  ...{ access: { personalData: false }, state: 'active', hasSecondFactor: true, createdAt: at, lastSeenAt: at },
}
const me = {
  tenantId: 'default',
  person,
  csrfToken: null,
  hasPassword: true,
  factors: ['code'],
  recoveryCodesLeft: 9,
  steppedUpUntil: null,
  approvalMails: true,
}
const passkey = { id: uuid(9), name: 'phone', host: 'longhaul.example.com', isSynced: true, createdAt: at, lastUsedAt: null }
const sso = {
  ...{
    issuer: 'https://login.example.com',
    clientId: 'longhaul',
    scopes: ['email', 'groups'],
    rolesClaim: 'groups',
    roles: { platform: ['developer', 'approver'] },
  },
  ...{ createsPeople: true, updatedAt: at },
}
const mail = {
  ...{ id: uuid(9), kind: 'invitation', personId: uuid(7), email: 'ada@example.com', language: 'en', state: 'failed', attempt: 12 },
  ...{ failure: 'It answered 550', dueAt: null, createdAt: at, endedAt: at },
}
const answers = {
  'devices.start': { deviceCode: 'd', userCode: 'BCDF-GHJK', address: '/device?code=BCDF-GHJK', expiresInMs: 5_000, intervalMs: 1 },
  'devices.poll': { state: 'approved', token: 'lp_token', name: 'Ada' },
  'me.get': me,
  'me.stepup': { ...me, steppedUpUntil: at },
  'me.enroll': { secret: 'ABCDEFGH', uri: 'otpauth://totp/x' },
  'me.confirm': { recoveryCodes: ['aaaa-bbbb'] },
  'me.signout': { count: 1 },
  'passkeys.list': { items: [passkey] },
  'passkeys.rename': { ...passkey, name: 'my phone' },
  'passkeys.delete': passkey,
  'logins.list': {
    items: [
      { id: uuid(8), kind: 'program', agent: 'longhaul on a laptop', address: '192.0.2.1', isThisOne: false, createdAt: at, lastUsedAt: at, expiresAt: at },
    ],
  },
  'sso.get': sso,
  'sso.set': sso,
  'sso.delete': sso,
  'people.list': { items: [person], next: null },
  'people.invite': { ...person, link: '/join#token=once', linkExpiresAt: at, isMailed: false },
  'people.link': { ...person, link: '/join#token=again', linkExpiresAt: at, isMailed: true },
  'mails.list': { items: [mail], next: null },
  'mails.retry': { ...mail, state: 'pending' },
  'people.update': person,
  'people.signout': { count: 2 },
  'people.delete': person,
}

test('login shows where to allow it, keeps the token for that address alone, and commands use it until logout', async () => {
  await using api = await startFakeApi({ answers })
  const home = await mkdtemp(join(tmpdir(), 'longhaul-home-'))
  const env = { HOME: home }
  const ran = await command(undefined, ['login', '--url', api.url], { env })
  expect([ran.exit, ran.err]).toEqual([0, ''])
  expect(ran.out).toContain(`${api.url}/device?code=BCDF-GHJK`)
  expect(ran.out).toContain('signed in')
  expect(ran.out).not.toContain('lp_token')
  const file = join(home, '.longhaul', 'logins.json')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ current: api.url })
  api.requests.length = 0
  await command(undefined, ['me', 'show'], { env })
  expect(api.requests.at(-1)?.headers.authorization).toBe('Bearer lp_token')
  expect((await command(undefined, ['me', 'show', '--url', 'http://127.0.0.1:9'], { env })).err).toContain('There is no key for http://127.0.0.1:9')
  await command(undefined, ['me', 'show', '--key', 'lh_mine'], { env })
  expect(api.requests.at(-1)?.headers.authorization).toBe('Bearer lh_mine')
  // The fake does not know the token, as a server that has ended the login does not.
  const out = await command(undefined, ['logout'], { env })
  expect([out.exit, out.err]).toEqual([0, ''])
  expect((await command(undefined, ['me', 'show'], { env })).err).toContain('No server is known here')
})

test('people are invited, found by their address, and every command says what it did', async () => {
  await using api = await startFakeApi({ answers })
  const last = () => api.requests.at(-1)
  const invited = await command(api, [
    'people',
    'invite',
    'ada@example.com',
    '--name',
    'Ada',
    '--role',
    'developer',
    '--namespace',
    'prod',
    '--no-personal-data',
  ])
  expect(invited.out).toContain(`${api.url}/join#token=once`)
  expect(last()?.body).toEqual({ email: 'ada@example.com', name: 'Ada', roles: ['developer'], namespaces: ['prod'], access: { personalData: false } })
  expect(invited.out).toContain('Send it to them')
  expect((await command(api, ['people', 'link', 'ada@example.com', '--language', 'zh'])).out).toContain('by mail')
  expect(last()?.body).toEqual({ language: 'zh' })
  expect((await command(api, ['mails', 'list', '--state', 'failed'])).out).toMatch(/ada@example.com +invitation +failed +12 .*It answered 550/)
  expect(last()?.path).toBe('/v1/mails?limit=50&state=failed')
  expect((await command(api, ['mails', 'retry', uuid(9).slice(-8)])).out).toContain('The mail to ada@example.com is sent again.')
  expect(last()?.path).toBe(`/v1/mails/${uuid(9)}/retry`)
  expect((await command(api, ['people', 'list'])).out).toMatch(/ada@example.com +Ada +active +on .*developer, approver · in prod · no personal data/s)
  await command(api, ['people', 'update', 'ada@example.com', '--role', 'viewer', '--everywhere'])
  expect(last()).toMatchObject({ path: `/v1/people/${uuid(7)}`, body: { roles: ['viewer'], namespaces: null, agents: null } })
  expect((await command(api, ['people', 'disable', 'ada@example.com'])).out).toContain('signed out everywhere')
  expect(last()?.body).toEqual({ isDisabled: true })
  expect((await command(api, ['people', 'link', 'ADA@example.com', '--reset-second-factor'])).out).toContain('/join#token=again')
  expect(last()?.body).toEqual({ resetSecondFactor: true })
  expect((await command(api, ['people', 'sign-out', uuid(7)])).out).toContain('2 logins have ended')
  expect((await command(api, ['people', 'delete', uuid(7).slice(-8)])).out).toContain('is removed')
  const wrong = await command(api, ['people', 'invite', 'x@example.com', '--role', 'develper'])
  expect([wrong.exit, wrong.err]).toEqual([2, expect.stringContaining('Did you mean developer?')])
  expect((await command(api, ['people', 'invite', 'x@example.com'])).exit).toBe(2)
  expect((await command(api, ['people', 'delete', 'nobody@example.com'])).exit).toBe(5)
})

test('oneself: the factor, the codes, the logins', async () => {
  await using api = await startFakeApi({ answers })
  expect((await command(api, ['me', 'show'])).out).toContain('code, 9 recovery codes left')
  expect((await command(api, ['me', 'step-up'], { stdin: '123456\n' })).out).toContain(`counts until ${at}`)
  expect(api.requests.at(-1)?.body).toEqual({ code: '123456' })
  expect((await command(api, ['me', 'enroll'], { stdin: '123456' })).out).toMatch(/otpauth:.*aaaa-bbbb/s)
  expect((await command(api, ['me', 'logins'])).out).toContain('longhaul on a laptop')
  expect((await command(api, ['me', 'step-up'])).exit).toBe(2)
})

test('one’s own passkeys are listed, renamed and taken away by the end of their id', async () => {
  await using api = await startFakeApi({ answers })
  expect((await command(api, ['me', 'passkeys'])).out).toMatch(/phone +never .*longhaul\.example\.com +several devices/s)
  await command(api, ['me', 'rename-passkey', uuid(9).slice(-6), 'my phone'])
  expect(api.requests.at(-1)).toMatchObject({ path: `/v1/me/passkeys/${uuid(9)}`, body: { name: 'my phone' } })
  expect((await command(api, ['me', 'delete-passkey', uuid(9)])).out).toContain('is taken away')
  expect(await command(api, ['me', 'delete-passkey', 'ffffff'])).toMatchObject({ exit: 5, err: expect.stringContaining('No passkey ffffff') })
})

test('single sign-on is set with its secret from standard input, shown without it, and ended', async () => {
  await using api = await startFakeApi({ answers })
  const last = () => api.requests.at(-1)
  const about = ['sso', 'set', '--issuer', sso.issuer, '--client-id', 'longhaul']
  const set = await command(api, [...about, '--scope', 'groups', '--claim', 'groups', '--map', 'cn=platform=developer,approver', '--create-people'], {
    stdin: 'hush\n',
  })
  expect([set.exit, set.err]).toEqual([0, ''])
  expect(last()?.body).toEqual({
    ...{ issuer: sso.issuer, clientId: 'longhaul', clientSecret: 'hush', scopes: ['groups'], rolesClaim: 'groups' },
    ...{ roles: { 'cn=platform': ['developer', 'approver'] }, createsPeople: true },
  })
  expect(set.out).toMatch(/platform → developer, approver/)
  expect(set.out).not.toContain('hush')
  expect(set.out).toContain(`${api.url}/sign-in/return`)
  await command(api, [...about, '--keep-secret'])
  expect(last()?.body).toEqual({ issuer: sso.issuer, clientId: 'longhaul', rolesClaim: null, roles: {}, createsPeople: false })
  const wrong = await command(api, [...about, '--claim', 'groups', '--map', 'platform=developr'])
  expect(wrong.err).toContain('Did you mean developer?')
  expect((await command(api, ['sso', 'get', '--json'])).out).toContain('"createsPeople":true')
  expect((await command(api, ['sso', 'delete'])).out).toContain('destroyed')
})
