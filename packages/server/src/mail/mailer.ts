/** Sends what is in the outbox: each mail by one server at a time, until it is sent, is of no use any more, or has failed often enough. */
import type { Db } from '../db/index.ts'
import { type Log, type Service, backoffMs, loop, withTimeout } from '../kernel/index.ts'
import { type AskedApproval, findAskedApproval, tellDeciders } from './approval-mail-store.ts'
import { approvalTextOf } from './approval-texts.ts'
import { type ApprovalMailKind, type DueMail, type LinkMailKind, type MailOutcome, claimMails, nextMailMs, recordMail, sweepMails } from './mail-store.ts'
import type { Outbox } from './outbox.ts'
import { type SmtpAnswer, sendBySmtp } from './smtp.ts'
import { type Text, textOf } from './texts.ts'

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
const tellAtOnce = 50
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
  const telling = loop({
    everyMs: pollMs,
    onError: (error) => log.warn('those who may decide approvals were not told; it is tried again', { error }),
    work: async () => ((await tellDeciders(db, tellAtOnce)) ? 0 : pollMs),
  })
  const sweeping = loop({
    everyMs: sweepEveryMs,
    onError: (error) => log.warn('old mails were not swept', { error }),
    work: () => sweepMails(db, keepMs),
  })

  async function send(mail: DueMail): Promise<void> {
    const outcome = isOfApproval(mail) ? await sendAsked(mail) : await sendLink(mail as DueMail & { kind: LinkMailKind }) // There are no others.
    await recordMail(db, mail, outcome)
    const about = { mailId: mail.id, tenantId: mail.tenantId, personId: mail.personId, attempt: mail.attempt }
    if (outcome.state === 'failed') log.error('a mail could not be sent; somebody must look at it', { ...about, problem: outcome.failure })
    if (outcome.state === 'pending') log.warn('a mail could not be sent; it is tried again', { ...about, problem: outcome.failure, inMs: outcome.inMs })
  }

  async function sendLink(mail: DueMail & { kind: LinkMailKind }): Promise<MailOutcome> {
    const secret = outbox.secretOf(mail.id)
    const recipient = await recipientOf(secret)
    if (recipient?.tenantId !== mail.tenantId) return uselessOf(mail, 'The link was used, was replaced, or has expired.')
    const { name, tenantId, path, expiresAt } = recipient
    const link = new URL(`${path}${secret}`, smtp.publicUrl).href
    const answer = await attempt(mail, recipient, textOf(mail.kind, mail.language, { name, tenantId, host, link, expiresAt }))
    return outcomeOf(mail, answer.isDone ? answer : { ...answer, problem: answer.problem.replaceAll(secret, '…') }) // Servers may repeat what they refuse.
  }

  async function sendAsked(mail: DueMail & { kind: ApprovalMailKind }): Promise<MailOutcome> {
    const approval: AskedApproval | undefined = await findAskedApproval(db, mail)
    if (!approval) return { state: 'dropped', failure: 'There is nothing to decide any more, or not by this person, or they want no such mails.' }
    const link = new URL(`/runs/${approval.runId}`, smtp.publicUrl).href
    return outcomeOf(mail, await attempt(mail, approval, approvalTextOf(mail.kind, mail.language, approval, link)))
  }

  function attempt(mail: DueMail, { email, name }: { email: string; name: string }, { subject, body }: Text): Promise<SmtpAnswer> {
    const sent = sendBySmtp(smtp.url, { id: mail.id, from: smtp.from, to: { name, address: email }, subject, text: body })
    return withTimeout(attemptMs, sent, () => new Error(`No answer within ${attemptMs / 1_000} s.`)).catch((error: Error): SmtpAnswer => ({
      isDone: false,
      problem: error.message,
      mayRetry: true,
      mayHaveArrived: true,
    }))
  }

  function outcomeOf(mail: DueMail, answer: SmtpAnswer): MailOutcome {
    if (answer.isDone) return { state: 'sent' }
    const { problem, mayRetry } = answer
    if (!mayRetry || mail.attempt >= backoff.attemptsMax) return { state: 'failed', failure: problem }
    return { state: 'pending', failure: problem, inMs: backoffMs(mail.attempt, backoff) }
  }

  return {
    async start() {
      await telling.start()
      await sending.start()
      await sweeping.start()
    },
    async stop() {
      await telling.stop()
      await sending.stop()
      await sweeping.stop()
    },
  }
}

/** Nobody has to look at a link that was used before it was sent; but one that could not be sent in its time is missed by somebody. */
function uselessOf({ failure }: DueMail, what: string): MailOutcome {
  return failure === null ? { state: 'dropped', failure: what } : { state: 'failed', failure: `${what} Before that: ${failure}` }
}

const isOfApproval = (mail: DueMail): mail is DueMail & { kind: ApprovalMailKind } => mail.kind.startsWith('approval')
