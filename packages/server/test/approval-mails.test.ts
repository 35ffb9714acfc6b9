/** Mails to those who may decide approvals, over the API, with a real SMTP server at the other end. */
import type { Json } from '@longhaul/protocol'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { sql } from '../src/db/index.ts'
import { type Service, newId, silentLog } from '../src/kernel/index.ts'
import { openMailer } from '../src/mail/index.ts'
import { type Bed, type BedCaller, openBed, until } from './support/api-bed.ts'
import { type Smtp, headerOf, plainTextOf, startSmtp } from './support/smtp-server.ts'
import { type Visitor, openVisitor, tokenOf } from './support/visitor.ts'

const title = 'Refund 120 EUR\r\nBcc: everybody@example.com'
const detail = { to: 'ada@customer.example', amount: 120, note: 'Line one\nYou get this because\u2028you won' }
let bed: Bed
let boss: BedCaller
let smtp: Smtp
const mailers: Service[] = []

beforeAll(async () => {
  smtp = await startSmtp()
  bed = await openBed(
    {
      asks: ({ run, input }) => [
        { type: 'op.wait', run, op: '0', kind: 'approval', name: title, detail, timeoutMs: typeof input === 'number' ? input : null },
        { type: 'run.idle', run, ops: ['0'] },
      ],
    },
    undefined,
    undefined,
    undefined,
    true,
  )
  boss = await bed.caller('boss', { personalData: true })
})
afterEach(async () => {
  await Promise.all(mailers.splice(0).map((mailer) => mailer.stop()))
  await bed.db.rows(sql`update people set is_disabled = true`) // Each test has its own.
})
afterAll(async () => {
  await bed[Symbol.asyncDispose]()
  await smtp[Symbol.asyncDispose]()
})

async function startMailer(): Promise<void> {
  const mailer = openMailer({
    ...{ db: bed.db, log: silentLog, outbox: bed.outbox, recipientOf: bed.identities.signIn.recipientOf },
    smtp: { url: smtp.url, from: 'Longhaul <longhaul@example.com>', publicUrl: 'https://longhaul.example.com' },
    pollMs: 20,
    backoff: { attemptsMax: 3, delayMsMin: 5, delayMsMax: 20 },
  })
  mailers.push(mailer)
  await mailer.start()
}
type Joined = Visitor & { id: string; email: string }
async function joined(more: Record<string, Json> = {}): Promise<Joined> {
  const email = `${newId()}@example.com`
  const invited = await boss.ask('POST', '/v1/people', { email, name: 'Ada', roles: ['approver'], ...more })
  const { id, link } = (await invited.json()) as { id: string; link: string }
  const visitor = openVisitor(bed)
  expect((await visitor.ask('POST', '/v1/sign-in/join', { token: tokenOf(link), password: 'correct horse battery staple' })).status).toBe(200)
  await visitor.load()
  return { ...visitor, id, email }
}
async function ask(input: Json = null, more: Record<string, Json> = {}): Promise<{ runId: string; approvalId: string }> {
  const { id: runId } = (await (await boss.ask('POST', '/v1/runs', { agent: 'asks', input, ...more })).json()) as { id: string }
  const { items } = await until(
    () => boss.read<{ items: { id: string }[] }>(`/v1/approvals?runId=${runId}`),
    (found) => found.items.length === 1,
  )
  return { runId, approvalId: items[0]!.id }
}
const mailsOf = (approvalId: string) =>
  bed.db.rows<{ personId: string; kind: string; state: string }>(
    sql`select person_id as "personId", kind, state from mails where approval_id = ${approvalId} order by id`,
  )
const ended = (approvalId: string, count = 1) =>
  until(
    () => mailsOf(approvalId),
    (found) => found.length >= count && found.every(({ state }) => state !== 'pending'),
  )
const aboutApprovals = async (email: string) => (await smtp.to(email)).filter((mail) => !headerOf(mail, 'Subject').startsWith('Your invitation'))

test('whoever may decide is told once what exactly will happen, in their language, and nobody else is', async () => {
  const [ada, li] = [await joined(), await joined({ name: '李雷', language: 'zh' })]
  const others = [
    await joined({ roles: ['developer'] }), // May not decide.
    await joined({ namespaces: ['prod'] }),
    await joined({ agents: ['another'] }),
    await joined({ access: { personalData: false } }), // Sees their own runs alone.
    await joined(),
    await joined(),
  ]
  expect((await others[4]!.ask('POST', '/v1/me/mails', { approvals: false })).body).toMatchObject({ approvalMails: false })
  await boss.ask('POST', `/v1/people/${others[5]!.id}`, { isDisabled: true })
  const { runId, approvalId } = await ask()
  await Promise.all([startMailer(), startMailer(), startMailer()])
  const mails = await ended(approvalId, 2)
  expect(mails.map(({ personId, kind, state }) => `${personId} ${kind} ${state}`).toSorted()).toEqual(
    [ada, li].map(({ id }) => `${id} approval sent`).toSorted(),
  )
  const [english] = await aboutApprovals(ada.email)
  const [chinese] = await aboutApprovals(li.email)
  const text = plainTextOf(english!)
  expect(headerOf(english!, 'Subject')).toBe('To approve: Refund 120 EUR Bcc: everybody@example.com')
  expect(headerOf(english!, 'Bcc')).toBe('')
  expect(text).toContain('> Refund 120 EUR Bcc: everybody@example.com')
  expect(text).toContain('>   "amount": 120,')
  expect(text).toContain(`https://longhaul.example.com/runs/${runId}`)
  // What the agent wrote is marked, whichever way it breaks its lines.
  expect(
    text
      .split(/[\n\u2028]/)
      .filter((line) => /won|everybody/.test(line))
      .every((line) => line.startsWith('>')),
  ).toBe(true)
  expect(plainTextOf(chinese!)).toContain('一经批准')
  // Without a login nothing is decided by what the mail has.
  expect((await openVisitor(bed).ask('POST', `/v1/approvals/${approvalId}`, { approved: true })).status).toBe(401)
  expect((await ada.ask('GET', `/v1/approvals/${approvalId}`)).body).toMatchObject({ state: 'pending' })
  expect((await ada.ask('POST', `/v1/approvals/${approvalId}`, { approved: true })).body).toMatchObject({ state: 'approved', decidedBy: 'Ada' })
})

test('one that was decided first is not sent; one that nobody decides is reminded of, and told to have expired', async () => {
  const ada = await joined()
  const decided = await ask()
  const { tellDeciders } = await import('../src/mail/approval-mail-store.ts')
  await tellDeciders(bed.db, 50)
  await boss.ask('POST', `/v1/approvals/${decided.approvalId}`, { approved: false })
  const waiting = await ask(3_600_000)
  await startMailer()
  expect(await ended(decided.approvalId)).toMatchObject([{ state: 'dropped' }])
  expect(await ended(waiting.approvalId)).toMatchObject([{ kind: 'approval', state: 'sent' }])
  const later = (minutes: number) =>
    bed.db.rows(sql`
      update approvals set created_at = created_at - ${minutes} * interval '1 minute', expires_at = expires_at - ${minutes} * interval '1 minute' where id = ${waiting.approvalId}`)
  await later(50)
  expect(await ended(waiting.approvalId, 2)).toMatchObject([{ kind: 'approval' }, { kind: 'approval-reminder', state: 'sent' }])
  await later(15)
  expect(await ended(waiting.approvalId, 3)).toMatchObject([{}, {}, { kind: 'approval-expired', state: 'sent' }])
  expect((await aboutApprovals(ada.email)).map((mail) => headerOf(mail, 'Subject').split(':')[0])).toEqual(['To approve', 'Still to approve', 'Nobody decided'])
})

test('a tenant that wants no such mails gets none, until it does', async () => {
  await joined()
  const installer = await bed.caller('installer', { personalData: true }, { tenantId: 'default' })
  await bed.db.rows(sql`insert into tenants (id) values ('acme') on conflict do nothing`)
  expect((await installer.ask('POST', '/v1/tenants/acme', { approvalMails: false })).status).toBe(200)
  const { approvalId } = await ask()
  await startMailer()
  await until(
    () => bed.db.rows<{ told: number }>(sql`select told from approvals where id = ${approvalId}`),
    ([row]) => row?.told === 1,
  )
  expect(await mailsOf(approvalId)).toEqual([])
  await installer.ask('POST', '/v1/tenants/acme', { approvalMails: true })
  expect(await ended((await ask()).approvalId)).toMatchObject([{ state: 'sent' }])
})
