/** Sends what is in the outbox: each mail by one server at a time, until it is sent, is of no use any more, or has failed often enough. */
import type { Db } from '../db/index.ts'
import { type Log, type Service, backoffMs, loop, withTimeout } from '../kernel/index.ts'
import { type DueMail, type MailOutcome, claimMails, nextMailMs, recordMail, sweepMails } from './mail-store.ts'
import type { Outbox } from './outbox.ts'
import { type SmtpAnswer, sendBySmtp } from './smtp.ts'
import { textOf } from './texts.ts'

export type MailerOptions = {
  db: Db
  log: Log
  outbox: Pick<Outbox, 'secretOf'>
  /** Where a mail to the owner of this secret goes; undefined when its link opens nothing any more. */
  recipientOf(secret: string): Promise<Recipient | undefined>
  smtp: { url: string; from: string; publicUrl: string }
  pollMs?: number
  backoff?: { attemptsMax: number; delayMsMin: number; delayMsMax: number }
}
export type Recipient = { tenantId: string; email: string; name: string; path: string; expiresAt: Date }

const leaseMs = 60_000
/** Well within the lease, so that no other server sends it meanwhile. */
const attemptMs = 40_000
const atOnce = 5
const sweepEveryMs = 3_600_000
const keepMs = 30 * 86_400_000
/** Twelve attempts within about nine hours. */
const defaultBackoff = { attemptsMax: 12, delayMsMin: 2_000, delayMsMax: 3_600_000 }

export function openMailer({ db, log, outbox, recipientOf, smtp, pollMs = 1_000, backoff = defaultBackoff }: MailerOptions): Service {
  const host = new URL(smtp.publicUrl).host
  const sending = loop({
    everyMs: pollMs,
    onError: (error) => log.warn('mails could not be looked at; it is tried again', { error }),
    async work() {
      const due = await claimMails(db, leaseMs, atOnce)
      await Promise.all(due.map(send))
      if (due.length === atOnce) return 0
      const nextMs = await nextMailMs(db)
      return nextMs === null ? pollMs : Math.max(1, Math.min(pollMs, nextMs))
    },
  })
  const sweeping = loop({
    everyMs: sweepEveryMs,
    onError: (error) => log.warn('old mails were not swept', { error }),
    work: () => sweepMails(db, keepMs),
  })

  async function send(mail: DueMail): Promise<void> {
    const secret = outbox.secretOf(mail.id)
    const recipient = await recipientOf(secret)
    const outcome = recipient?.tenantId === mail.tenantId ? outcomeOf(mail, await attempt(mail, secret, recipient)) : uselessOf(mail)
    await recordMail(db, mail, outcome)
    const about = { mailId: mail.id, tenantId: mail.tenantId, personId: mail.personId, attempt: mail.attempt }
    if (outcome.state === 'failed') log.error('a mail could not be sent; somebody must look at it', { ...about, problem: outcome.failure })
    if (outcome.state === 'pending') log.warn('a mail could not be sent; it is tried again', { ...about, problem: outcome.failure, inMs: outcome.inMs })
  }

  function attempt(mail: DueMail, secret: string, { email, name, tenantId, path, expiresAt }: Recipient): Promise<SmtpAnswer> {
    const link = new URL(`${path}${secret}`, smtp.publicUrl).href
    const { subject, body } = textOf(mail.kind, mail.language, { name, tenantId, host, link, expiresAt })
    const sent = sendBySmtp(smtp.url, { id: mail.id, from: smtp.from, to: { name, address: email }, subject, text: body })
    return withTimeout(attemptMs, sent, () => new Error(`No answer within ${attemptMs / 1_000} s.`)).then(
      (answer) => (answer.isDone ? answer : { ...answer, problem: answer.problem.replaceAll(secret, '…') }), // Servers may repeat what they refuse.
      (error: Error): SmtpAnswer => ({ isDone: false, problem: error.message, mayRetry: true, mayHaveArrived: true }),
    )
  }

  function outcomeOf(mail: DueMail, answer: SmtpAnswer): MailOutcome {
    if (answer.isDone) return { state: 'sent' }
    const { problem, mayRetry } = answer
    if (!mayRetry || mail.attempt >= backoff.attemptsMax) return { state: 'failed', failure: problem }
    return { state: 'pending', failure: problem, inMs: backoffMs(mail.attempt, backoff) }
  }

  return {
    async start() {
      await sending.start()
      await sweeping.start()
    },
    async stop() {
      await sending.stop()
      await sweeping.stop()
    },
  }
}

/** Nobody has to look at a link that was used before it was sent; but one that could not be sent in its time is missed by somebody. */
function uselessOf({ failure }: DueMail): MailOutcome {
  const what = 'The link was used, was replaced, or has expired.'
  return failure === null ? { state: 'dropped', failure: what } : { state: 'failed', failure: `${what} Before that: ${failure}` }
}
