/**
 * Sends the mails of agents, each at most once: an attempt of which nobody knows whether the SMTP server took it is in doubt, and not repeated.
 * What surely did not arrive is tried again.
 */
import type { Db } from '../db/index.ts'
import { type Log, type Service, backoffMs, loop, withTimeout } from '../kernel/index.ts'
import { type AgentMailOutcome, type DueAgentMail, claimAgentMails, doubtAgentMails, recordAgentMail, sweepAgentMails } from './agent-mail-store.ts'
import { type SmtpAnswer, sendBySmtp } from './smtp.ts'

export type AgentMailerOptions = {
  db: Db
  log: Log
  smtp: { url: string; from: string }
  pollMs?: number
  leaseMs?: number
  backoff?: { attemptsMax: number; delayMsMin: number; delayMsMax: number }
}

const attemptMs = 40_000
const atOnce = 5
const sweepEveryMs = 3_600_000
const keepMs = 30 * 86_400_000
/** Twelve attempts within about nine hours. */
const defaultBackoff = { attemptsMax: 12, delayMsMin: 2_000, delayMsMax: 3_600_000 }

export function openAgentMailer({ db, log, smtp, pollMs = 1_000, leaseMs = 60_000, backoff = defaultBackoff }: AgentMailerOptions): Service {
  const sending = loop({
    everyMs: pollMs,
    onError: (error) => log.warn('mails of agents could not be looked at; it is tried again', { error }),
    async work() {
      const doubted = await doubtAgentMails(db, 'The server that sent it was gone before it could say what came of it.')
      for (const mailId of doubted) log.error('a mail of an agent may have been sent or not; it is not sent again', { mailId })
      const due = await claimAgentMails(db, leaseMs, atOnce)
      await Promise.all(due.map(send))
      return due.length === atOnce ? 0 : pollMs
    },
  })
  const sweeping = loop({
    everyMs: sweepEveryMs,
    onError: (error) => log.warn('old mails of agents were not swept', { error }),
    work: () => sweepAgentMails(db, keepMs),
  })

  async function send(mail: DueAgentMail): Promise<void> {
    const { id, tenantId, runId, agent, recipient, subject, body, attempt } = mail
    const sent = sendBySmtp(smtp.url, { id, from: smtp.from, to: { name: '', address: recipient }, subject, text: body })
    const answer = await withTimeout(attemptMs, sent, () => new Error(`No answer within ${attemptMs / 1_000} s.`)).catch((error: Error): SmtpAnswer => ({
      isDone: false,
      problem: error.message,
      mayRetry: false,
      mayHaveArrived: true,
    }))
    const outcome = outcomeOf(attempt, answer)
    await recordAgentMail(db, mail, outcome)
    const about = { mailId: id, tenantId, runId, agent, attempt }
    if (outcome.state === 'pending') log.warn('a mail of an agent could not be sent; it is tried again', { ...about, problem: outcome.failure })
    if (outcome.state === 'failed') log.error('a mail of an agent could not be sent', { ...about, problem: outcome.failure })
    if (outcome.state === 'in_doubt') log.error('a mail of an agent may have been sent or not; it is not sent again', { ...about, problem: outcome.failure })
  }

  function outcomeOf(attempt: number, answer: SmtpAnswer): AgentMailOutcome {
    if (answer.isDone) return { state: 'sent' }
    const { problem: failure, mayRetry, mayHaveArrived } = answer
    if (mayHaveArrived) return { state: 'in_doubt', failure }
    return mayRetry && attempt < backoff.attemptsMax ? { state: 'pending', failure, inMs: backoffMs(attempt, backoff) } : { state: 'failed', failure }
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
