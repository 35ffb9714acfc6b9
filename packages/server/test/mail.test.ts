/** Mail to people, over the API, with a real SMTP server at the other end. */
import type { Json } from '@longhaul/protocol'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { sql } from '../src/db/index.ts'
import { totpAt } from '../src/identity/totp.ts'
import { type Service, newId, silentLog } from '../src/kernel/index.ts'
import { openMailer } from '../src/mail/index.ts'
import { type Bed, type BedCaller, openBed, until } from './support/api-bed.ts'
import { type Smtp, headerOf, plainTextOf, startSmtp } from './support/smtp-server.ts'
import { openVisitor } from './support/visitor.ts'

let bed: Bed
let boss: BedCaller
let smtp: Smtp
const mailers: Service[] = []
const password = 'correct horse battery staple'
const publicUrl = 'https://longhaul.example.com'

beforeAll(async () => {
  smtp = await startSmtp({ user: { name: 'longhaul', password: 'smtp-password' } })
  bed = await openBed({}, undefined, undefined, undefined, true)
  boss = await bed.caller('boss', { personalData: true })
})
afterEach(async () => {
  await Promise.all(mailers.splice(0).map((mailer) => mailer.stop()))
  smtp.refuse(0, 0)
  smtp.slow(0)
})
afterAll(async () => {
  await bed[Symbol.asyncDispose]()
  await smtp[Symbol.asyncDispose]()
})

async function startMailer({ url = smtp.url.replace('//', '//longhaul:smtp-password@'), attemptsMax = 12 } = {}): Promise<void> {
  const mailer = openMailer({
    ...{ db: bed.db, log: silentLog, outbox: bed.outbox, recipientOf: bed.identities.signIn.recipientOf },
    smtp: { url, from: 'Longhaul <longhaul@example.com>', publicUrl },
    pollMs: 20,
    backoff: { attemptsMax, delayMsMin: 5, delayMsMax: 20 },
  })
  mailers.push(mailer)
  await mailer.start()
}
type Invited = { id: string; email: string; link: string; isMailed: boolean }
async function invite(more: Record<string, Json> = {}): Promise<Invited> {
  const answer = await boss.ask('POST', '/v1/people', { email: `${newId()}@example.com`, roles: ['developer'], name: 'Ada', ...more })
  return (await answer.json()) as Invited
}
const join = (token: string, given = password) => openVisitor(bed).ask('POST', '/v1/sign-in/join', { token, password: given })
/** From somewhere else each time, unless a test is about that. */
let visitors = 0
const askForReset = (email: string, address = `198.51.100.${visitors++}`, more: Record<string, Json> = {}) =>
  openVisitor(bed, address).ask('POST', '/v1/sign-in/reset', { tenant: 'acme', email, ...more })
const linkIn = (text: string): string => /https:\/\/\S+/.exec(text)?.[0] ?? ''
const tokenIn = (text: string): string => linkIn(text).split('#token=')[1] ?? ''
const mailsOf = (personId: string) =>
  bed.db.rows<{ id: string; state: string; attempt: number; failure: string | null }>(
    sql`select id, state, attempt, failure from mails where person_id = ${personId} order by id`,
  )
const ended = (personId: string) =>
  until(
    () => mailsOf(personId),
    (found) => found.length > 0 && found.every(({ state }) => state !== 'pending'),
  )

test('an invitation comes by mail with the link that whoever invited sees, in the language that was asked for', async () => {
  await startMailer()
  const [ada, li] = [await invite(), await invite({ name: '李雷', language: 'zh' })]
  expect(ada).toMatchObject({ isMailed: true })
  const [english, chinese] = [(await smtp.to(ada.email))[0]!, (await smtp.to(li.email))[0]!]
  expect(linkIn(plainTextOf(english))).toBe(`${publicUrl}${ada.link}`)
  expect(plainTextOf(english)).toContain('Hello Ada,')
  expect(headerOf(english, 'Subject')).toBe('Your invitation to Longhaul at longhaul.example.com')
  expect(headerOf(english, 'From')).toBe('Longhaul <longhaul@example.com>')
  expect(plainTextOf(chinese)).toContain('李雷，您好')
  expect(linkIn(plainTextOf(chinese))).toBe(`${publicUrl}${li.link}`)
  expect((await join(tokenIn(plainTextOf(english)))).body).toMatchObject({ state: 'signed-in' })
  expect(await ended(ada.id)).toMatchObject([{ state: 'sent', attempt: 1 }])
})

test('the database holds no link, and a mail is there if and only if what it tells of is', async () => {
  const ada = await invite()
  const token = ada.link.split('#token=')[1]!
  const [{ text } = { text: '' }] = await bed.db.rows<{ text: string }>(
    sql`select (select string_agg(mails::text, '') from mails) || (select string_agg(people::text, '') from people) as text`,
  )
  expect(text).toContain(ada.id) // The control.
  for (const form of [token, Buffer.from(token).toString('hex'), Buffer.from(token, 'base64url').toString('hex')]) expect(text).not.toContain(form)
  const before = (await bed.db.rows(sql`select id from mails`)).length
  expect((await boss.ask('POST', '/v1/people', { email: ada.email, roles: ['viewer'] })).status).toBe(409)
  expect((await bed.db.rows(sql`select id from mails`)).length).toBe(before)
  await bed.db.rows(sql`delete from people where id = ${ada.id}`)
})

test('several servers send each mail once', async () => {
  const people = await Promise.all(Array.from({ length: 12 }, () => invite()))
  smtp.slow(300) // The others look meanwhile.
  await Promise.all([startMailer(), startMailer(), startMailer()])
  await Promise.all(people.map(({ id }) => ended(id)))
  expect(people.map(({ email }) => smtp.received.filter(({ to }) => to.includes(email)).length)).toEqual(people.map(() => 1))
})

test('a server that is away or says later is asked again, with the same link and Message-ID', async () => {
  const gone = await startSmtp()
  await gone[Symbol.asyncDispose]()
  const ada = await invite()
  await startMailer({ url: gone.url })
  await until(
    () => mailsOf(ada.id),
    ([mail]) => (mail?.attempt ?? 0) >= 2 && mail?.failure !== null,
  )
  await mailers.splice(0)[0]?.stop()
  smtp.refuse(451, 1)
  await bed.db.rows(sql`update mails set due_at = clock_timestamp() where person_id = ${ada.id}`)
  await startMailer()
  const [mail] = await smtp.to(ada.email)
  expect(linkIn(plainTextOf(mail!))).toBe(`${publicUrl}${ada.link}`)
  const [row] = await ended(ada.id)
  expect(row).toMatchObject({ state: 'sent', failure: null })
  expect(row?.attempt).toBeGreaterThanOrEqual(4)
  expect(headerOf(mail!, 'Message-ID')).toBe(`<${row?.id}@example.com>`)
})

test('what is refused for good is on the list, and is sent when somebody says so', async () => {
  smtp.refuse(550, 1)
  const ada = await invite()
  await startMailer()
  expect(await ended(ada.id)).toMatchObject([{ state: 'failed', attempt: 1 }])
  const { items } = await boss.read<{ items: { id: string; personId: string; email: string; failure: string }[] }>('/v1/mails?state=failed')
  const mail = items.find(({ personId }) => personId === ada.id)
  expect(mail).toMatchObject({ email: ada.email, failure: expect.stringContaining('not now') })
  expect((await boss.ask('POST', `/v1/mails/${mail?.id}/retry`)).status).toBe(200)
  expect(await smtp.to(ada.email)).toHaveLength(1)
  expect(await ended(ada.id)).toMatchObject([{ state: 'sent' }])
  expect((await boss.ask('POST', `/v1/mails/${mail?.id}/retry`)).status).toBe(409)
})

test('it is given up after the last attempt; a wrong password for the server does not show', async () => {
  const ada = await invite()
  await startMailer({ url: smtp.url.replace('//', '//longhaul:wrong-smtp-password@'), attemptsMax: 3 })
  const [mail] = await ended(ada.id)
  expect(mail).toMatchObject({ state: 'failed', attempt: 3, failure: expect.stringContaining('Invalid login') })
  expect(mail?.failure).not.toContain('wrong-smtp-password')
})

test('a link that opens nothing any more is not sent', async () => {
  const ada = await invite()
  const newer = (await (await boss.ask('POST', `/v1/people/${ada.id}/link`, {})).json()) as Invited
  expect((await mailsOf(ada.id)).map(({ state }) => state)).toEqual(['pending', 'pending'])
  await startMailer()
  expect((await ended(ada.id)).map(({ state }) => state)).toEqual(['dropped', 'sent'])
  expect((await smtp.to(ada.email)).map((mail) => linkIn(plainTextOf(mail)))).toEqual([`${publicUrl}${newer.link}`])
})

test('somebody who manages some people sees the mails of those', async () => {
  const mine = await invite({ namespaces: ['dev'] })
  const other = await invite()
  const lead = await bed.caller('dev-lead', { personalData: true }, { namespaces: ['dev'] })
  const { items } = await lead.read<{ items: { personId: string }[] }>('/v1/mails?limit=200')
  expect(items.map(({ personId }) => personId)).toContain(mine.id)
  expect(items.map(({ personId }) => personId)).not.toContain(other.id)
  const [mail] = await mailsOf(other.id)
  expect((await lead.ask('POST', `/v1/mails/${mail?.id}/retry`)).status).toBe(404)
})

async function joined(): Promise<Invited & { visitor: ReturnType<typeof openVisitor> }> {
  const person = await invite()
  const visitor = openVisitor(bed)
  await visitor.ask('POST', '/v1/sign-in/join', { token: person.link.split('#token=')[1]!, password })
  await visitor.load()
  return { ...person, visitor }
}

test('a reset comes by mail, works once, ends other logins, and asks for the second factor as before', async () => {
  const ada = await joined()
  await startMailer() // The invitation is used by now, and not sent any more.
  const { secret } = (await ada.visitor.ask('POST', '/v1/me/second-factor', { password })).body as { secret: string }
  const code = (later: number) => totpAt(secret, Math.floor(Date.now() / 30_000) + later)
  expect((await ada.visitor.ask('POST', '/v1/me/second-factor/confirm', { code: code(0) })).body).toMatchObject({ recoveryCodes: expect.any(Array) })
  expect((await ada.visitor.ask('GET', '/v1/me')).status).toBe(200)

  expect((await askForReset(ada.email.toUpperCase())).body).toEqual({ goodForMs: 1_800_000 })
  const mail = (await smtp.to(ada.email))[0]!
  expect(headerOf(mail, 'Subject')).toBe('Your password for Longhaul at longhaul.example.com')
  const token = tokenIn(plainTextOf(mail))
  expect((await openVisitor(bed).ask('POST', '/v1/sign-in/link', { token })).body).toMatchObject({ email: ada.email, isNew: false })
  expect((await ada.visitor.ask('GET', '/v1/me')).status).toBe(200) // Asking changes nothing.

  const both = await Promise.all([join(token, 'another long password'), join(token, 'another long password')])
  expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 404])
  const answer = both.find(({ status }) => status === 200)!.body
  expect(answer).toMatchObject({ state: 'second-factor', ticket: expect.any(String) })
  expect((await ada.visitor.ask('GET', '/v1/me')).status).toBe(401)
  const signIn = (given: string) => openVisitor(bed).ask('POST', '/v1/sign-in/password', { tenant: 'acme', email: ada.email, password: given })
  expect((await signIn(password)).status).toBe(401)
  expect((await signIn('another long password')).body).toMatchObject({ state: 'second-factor' })
  expect((await openVisitor(bed).ask('POST', '/v1/sign-in/factor', { ticket: String(answer['ticket']), code: code(1) })).body).toMatchObject({
    state: 'signed-in',
  })
})

test('the answer is the same whoever there is, and mail goes only to who has a password', async () => {
  await startMailer()
  const [ada, invited, off] = [await joined(), await invite(), await joined()]
  await boss.ask('POST', `/v1/people/${off.id}`, { isDisabled: true })
  const answers = []
  const times = []
  for (const email of [ada.email, 'nobody@example.com', invited.email, off.email]) {
    const from = performance.now()
    answers.push(await askForReset(email))
    times.push(performance.now() - from)
  }
  expect(answers.map(({ status, body }) => [status, body])).toEqual(answers.map(() => [200, { goodForMs: 1_800_000 }]))
  expect(Math.min(...times)).toBeGreaterThanOrEqual(295)
  const kinds = await bed.db.rows<{ personId: string; kind: string }>(sql`select person_id as "personId", kind from mails where kind = 'reset'`)
  const asked = kinds.filter(({ personId }) => [ada.id, invited.id, off.id].includes(personId))
  expect(asked).toEqual([{ personId: ada.id, kind: 'reset' }])
})

test('asking is limited by source, and a mailbox is not filled from many sources', async () => {
  const ada = await joined()
  const statuses = []
  for (let i = 0; i < 7; i++) statuses.push((await askForReset('nobody@example.com', '203.0.113.7')).status)
  expect(statuses.slice(0, 5)).toEqual([200, 200, 200, 200, 200])
  expect(statuses).toContain(429)
  await Promise.all(Array.from({ length: 8 }, () => askForReset(ada.email)))
  expect((await mailsOf(ada.id)).length).toBe(1 + 3) // The invitation, and as many as are good at once.
  const signIn = await openVisitor(bed).ask('POST', '/v1/sign-in/password', { tenant: 'acme', email: ada.email, password })
  expect(signIn.status).toBe(200) // Nobody is shut out by that.
})

test('a reset is of no use after its time, after another link, after a new password, and to who was disabled', async () => {
  const tokenFor = async ({ id }: Invited): Promise<string> => {
    const [mail] = await bed.db.rows<{ id: string }>(sql`select id from mails where person_id = ${id} and kind = 'reset' order by id desc limit 1`)
    return bed.outbox.secretOf(mail?.id ?? '')
  }
  const asked = async () => {
    const person = await joined()
    await askForReset(person.email)
    return { person, token: await tokenFor(person) }
  }
  const spoil: ((person: Awaited<ReturnType<typeof joined>>) => Promise<unknown>)[] = [
    ({ id }) => bed.db.rows(sql`update tickets set expires_at = clock_timestamp() where person_id = ${id}`),
    ({ id }) => boss.ask('POST', `/v1/people/${id}/link`, {}),
    ({ visitor }) => visitor.ask('POST', '/v1/me/password', { current: password, next: 'a password that is new' }),
    ({ id }) => boss.ask('POST', `/v1/people/${id}`, { isDisabled: true }),
  ]
  for (const act of spoil) {
    const { person, token } = await asked()
    expect((await openVisitor(bed).ask('POST', '/v1/sign-in/link', { token })).status).toBe(200) // The control.
    await act(person)
    expect((await join(token)).status).toBe(404)
  }
})

test('a device that was allowed before a reset does not get its token after it', async () => {
  const ada = await joined()
  const { deviceCode, userCode } = (await openVisitor(bed).ask('POST', '/v1/sign-in/device', { tenant: 'acme', name: 'a program' })).body
  expect((await ada.visitor.ask('POST', `/v1/me/devices/${String(userCode)}`, { approved: true })).status).toBe(200)
  await askForReset(ada.email)
  const [mail] = await bed.db.rows<{ id: string }>(sql`select id from mails where person_id = ${ada.id} and kind = 'reset'`)
  expect((await join(bed.outbox.secretOf(mail?.id ?? ''), 'another long password')).status).toBe(200)
  expect((await openVisitor(bed).ask('POST', '/v1/sign-in/device/poll', { deviceCode: String(deviceCode) })).status).toBe(404)
})
