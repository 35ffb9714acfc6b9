/** Mails of agents, from the step of a run to a real SMTP server: once for each step, whatever is executed twice, and never twice on a guess. */
import { anybodyDecides } from '@longhaul/protocol'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { sql } from '../db/index.ts'
import { bookingSql } from '../gateway/money/index.ts'
import { type Service, StepFailure, newId, silentLog, sleep } from '../kernel/index.ts'
import { type Script, fact, startEngine } from '../../test/support/engine.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { type Smtp, headerOf, plainTextOf, startSmtp } from '../../test/support/smtp-server.ts'
import { failureOf, openToolsBed } from '../../test/support/tools-bed.ts'
import { agentMailRow, agentMailSql } from './agent-mail-store.ts'
import { openAgentMails } from './agent-mails.ts'
import { openAgentMailer } from './agent-mailer.ts'

let smtp: Smtp
let t: Awaited<ReturnType<typeof makeDatabase>>
let bed: Awaited<ReturnType<typeof openToolsBed>>
const mailers: Service[] = []

beforeAll(async () => {
  smtp = await startSmtp()
  t = await makeDatabase()
  bed = await openToolsBed({
    db: t.db,
    tenantId: 'acme',
    declaredRecipients: ['example.com', 'Boss@acme.example', 'other.example'],
    mail: { recipients: ['example.com', 'acme.example'], rowOf: agentMailRow },
  })
})
afterEach(async () => {
  await Promise.all(mailers.splice(0).map((mailer) => mailer.stop()))
  smtp.refuse(0, 0)
  smtp.cut(false)
  Object.assign(bed.where, { labels: [], granted: undefined })
})
afterAll(async () => {
  await bed[Symbol.asyncDispose]()
  await t[Symbol.asyncDispose]()
  await smtp[Symbol.asyncDispose]()
})

async function startMailer(url = smtp.url, leaseMs = 60_000): Promise<void> {
  const mailer = openAgentMailer({
    ...{ db: t.db, log: silentLog, leaseMs, pollMs: 20 },
    smtp: { url, from: 'Agents <agents@example.com>' },
    backoff: { attemptsMax: 12, delayMsMin: 5, delayMsMax: 20 },
  })
  mailers.push(mailer)
  await mailer.start()
}
const mailTo = (to: string) => ({ to, subject: 'Your order', text: 'It is on its way.\n' })
const writer =
  (to: string): Script =>
  async (ctx) =>
    ctx.serve('call', 'mail', { tool: 'mail', input: mailTo(to) }, { attemptsMax: 3, delayMsMin: 1, delayMsMax: 1 })
const booking = (placeholder: string) => `${bookingSql(placeholder)}, ${agentMailSql(placeholder)}`
const mailsTo = (to: string) =>
  t.db.rows<{ id: string; state: string; attempt: number; failure: string | null; body: string | null }>(
    sql`select id, state, attempt, failure, body from agent_mails where recipient = ${to}`,
  )
const arrived = (to: string) => smtp.received.filter((mail) => mail.to.includes(to)).length
const ended = (to: string) =>
  fact(
    () => mailsTo(to),
    ([mail]) => mail !== undefined && !['pending', 'sending'].includes(mail.state),
  )
/** As a run's step would have put it. */
async function put(to: string, runId = newId()): Promise<string> {
  await t.db.rows(sql`
    insert into agent_mails (tenant_id, id, run_id, op, namespace, agent, recipient, subject, body)
    values ('acme', ${newId()}, ${runId}, '1', 'default', 'helper', ${to}, 'Your order', 'It is on its way.')`)
  return runId
}

test('a step that was executed and fell before it was recorded has sent nothing; executed again, also twice, it sends one mail', async () => {
  const [once, to] = [`${newId()}@example.com`, `${newId()}@example.com`]
  await startMailer()
  let isHanging = true
  const first = await startEngine(
    t.db,
    { helper: writer(once) },
    {
      ...{ booking, drainMs: 1 },
      executors: { call: async (input, context) => (await bed.tools.call(input, context), isHanging ? await new Promise<never>(() => {}) : { output: null }) },
    },
  )
  const run = await first.start('helper')
  await fact(
    () => first.events(run.id),
    (events) => events.some(({ type }) => type === 'step.started'),
  )
  await sleep(50) // The mail would be there if it was put before the step is recorded.
  await first.stop()
  isHanging = false
  expect(await mailsTo(once)).toEqual([])
  let tries = 0
  const second = await startEngine(
    t.db,
    { helper: writer(once), twice: writer(to) },
    {
      booking,
      executors: {
        call: async (input, context) => {
          const result = await bed.tools.call(input, { ...context, run: { ...context.run, agent: 'helper' } })
          if (context.run.agent === 'twice' && ++tries === 1) throw new StepFailure({ message: 'again', code: 'away', retryable: true })
          return result
        },
      },
    },
  )
  const twice = await second.start('twice')
  expect(await second.ended(run.id)).toMatchObject({ state: 'completed', output: { source: 'own', output: { to: once, state: 'accepted' } } })
  await second.ended(twice.id)
  expect(await ended(once)).toMatchObject([{ state: 'sent', attempt: 1, body: null }])
  expect(await ended(to)).toMatchObject([{ state: 'sent', attempt: 1 }])
  expect([tries, arrived(once), arrived(to)]).toEqual([2, 1, 1])
  const [mail] = await smtp.to(once)
  expect(plainTextOf(mail!).trim()).toBe('It is on its way.')
  expect([headerOf(mail!, 'Subject'), headerOf(mail!, 'From')]).toEqual(['Your order', 'Agents <agents@example.com>'])
  await second.stop()
})

test('what surely did not arrive is sent again; of what may have arrived nobody makes a second one', async () => {
  const [later, cut, lost, slow] = Array.from({ length: 4 }, () => `${newId()}@example.com`) as [string, string, string, string]
  const gone = await startSmtp()
  await gone[Symbol.asyncDispose]()
  await put(later)
  await startMailer(gone.url)
  await fact(
    () => mailsTo(later),
    ([mail]) => (mail?.attempt ?? 0) >= 2 && mail?.state === 'pending',
  )
  await mailers.splice(0)[0]?.stop()
  smtp.refuse(451, 1)
  await startMailer()
  expect(await ended(later)).toMatchObject([{ state: 'sent' }])
  expect(arrived(later)).toBe(1)

  smtp.cut(true) // It has the whole mail then, and its answer is lost.
  const cutRun = await put(cut)
  expect(await ended(cut)).toMatchObject([{ state: 'in_doubt', attempt: 1, body: 'It is on its way.' }])
  smtp.cut(false)
  const decided = openAgentMails({ db: t.db })
  expect(await decided.list('acme', cutRun)).toMatchObject([{ to: cut, state: 'in_doubt' }])
  expect(await decided.resend('globex', cutRun)).toEqual([])

  // As a server leaves them that was killed while it sent; the other's time is not up.
  for (const [to, ms] of [
    [lost, -1],
    [slow, 60_000],
  ] as const) {
    await put(to)
    await t.db.rows(sql`update agent_mails set state = 'sending', attempt = 1, due_at = clock_timestamp() + ${ms} * interval '1 ms' where recipient = ${to}`)
  }
  expect(await ended(lost)).toMatchObject([{ state: 'in_doubt', attempt: 1 }])
  await put(`${later}m`)
  await ended(`${later}m`) // It has looked again meanwhile.
  expect(await mailsTo(slow)).toMatchObject([{ state: 'sending' }])
  expect([arrived(cut), arrived(lost), arrived(slow)]).toEqual([1, 0, 0])
  expect(await decided.resend('acme', cutRun)).toMatchObject([{ state: 'pending' }]) // A person has said so.
  await ended(cut)
  expect([arrived(cut), await decided.resend('acme', cutRun)]).toEqual([2, []])
})

test('a recipient that the server refuses is failed; what is stopped waits', async () => {
  const [refused, held, free] = Array.from({ length: 3 }, () => `${newId()}@example.com`) as [string, string, string]
  smtp.refuse(550, 1)
  await put(refused)
  await startMailer()
  expect(await ended(refused)).toMatchObject([{ state: 'failed', attempt: 1, failure: expect.stringContaining('not now') }])
  await mailers.splice(0)[0]?.stop()
  const runId = await put(held)
  await put(free)
  await t.db.rows(sql`insert into stops (id, tenant_id, run_id, run_ids, stopped_by) values (${newId()}, 'acme', ${runId}, ${[runId]}, 'a test')`)
  await startMailer()
  expect(await ended(free)).toMatchObject([{ state: 'sent' }])
  expect(await mailsTo(held)).toMatchObject([{ state: 'pending', attempt: 0 }])
  await t.db.rows(sql`update stops set lifted_at = clock_timestamp() where run_id = ${runId}`)
  expect(await ended(held)).toMatchObject([{ state: 'sent' }])
})

test('a recipient is on both lists, or nothing is put', async () => {
  const refused = async (to: string) => {
    const before = bed.booked.length
    const { code, retryable } = await failureOf(bed.call('mail', mailTo(to)))
    expect([bed.booked.length, retryable]).toEqual([before, false])
    return code
  }
  for (const to of ['ada@example.com', 'Ada@EXAMPLE.com', 'boss@acme.example']) expect(await bed.call('mail', mailTo(to))).toMatchObject({ source: 'own' })
  expect(bed.booked).toHaveLength(3)
  expect(await refused('clerk@acme.example')).toBe('forbidden') // The operator would.
  expect(await refused('ada@other.example')).toBe('forbidden') // The agent would.
  expect(await refused('ada@sub.example.com')).toBe('forbidden')
  for (const to of [
    'ada@example.com, thief@evil.example',
    'Ada <ada@example.com>',
    'ada@example.com\r\nBcc: thief@evil.example',
    'ada@evil.example@example.com',
  ])
    expect(await refused(to)).toBe('invalid')
  expect(await failureOf(bed.call('mail', { ...mailTo('ada@example.com'), subject: 'a\r\nBcc: thief@evil.example' }))).toMatchObject({ code: 'invalid' })
  await using off = await openToolsBed({ db: t.db, declaredRecipients: ['*'] })
  expect(await failureOf(off.call('mail', mailTo('ada@example.com')))).toMatchObject({ code: 'off' })
})

test('after words from outside a mail takes an approval, unless the agent names its recipient in full', async () => {
  bed.where.labels = ['web:evil.example']
  expect(await failureOf(bed.call('mail', mailTo('ada@example.com')))).toMatchObject({
    code: 'needs_approval',
    message: expect.stringContaining('web:evil.example'),
  })
  expect(await bed.call('mail', mailTo('boss@acme.example'))).toMatchObject({ output: { to: 'boss@acme.example' } })
  bed.where.granted = anybodyDecides
  expect(await bed.call('mail', mailTo('ada@example.com'))).toMatchObject({ output: { to: 'ada@example.com' } })
  expect(await failureOf(bed.call('mail', mailTo('thief@evil.example')))).toMatchObject({ code: 'forbidden' }) // No approval opens the lists.
})
