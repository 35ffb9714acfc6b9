/** Tells what happens to budgets where they say: a webhook for each event, tried until it is taken or has failed often enough, by any node, with one id through all attempts. */
import { storableText } from '@longhaul/protocol'
import type { Db } from '../../db/index.ts'
import { type Log, type Service, backoffMs, loop } from '../../kernel/index.ts'
import { type DueNotice, type NoticeOutcome, claimNotices, recordNotice } from './notice-store.ts'
import { usdOf } from './rates.ts'

export type NoticesOptions = {
  db: Db
  log: Log
  /** Sends one signed webhook. Never rejects. */
  send(webhook: {
    url: string
    id: string
    body: string
  }): Promise<{ isDone: true } | { isDone: false; problem: string; mayRetry: boolean; retryAfterMs?: number }>
  pollMs?: number
  backoff?: { attemptsMax: number; delayMsMin: number; delayMsMax: number }
}

const leaseMs = 60_000
const atOnce = 20
/** Twelve attempts within about nine hours. */
const usualBackoff = { attemptsMax: 12, delayMsMin: 2_000, delayMsMax: 3_600_000 }

export function openNotices({ db, log, send, pollMs = 1_000, backoff = usualBackoff }: NoticesOptions): Service {
  async function tell(notice: DueNotice): Promise<void> {
    const answer = await send({ url: notice.url, id: `msg_${notice.id}`, body: JSON.stringify(bodyOf(notice)) })
    const outcome = outcomeOf(notice.attempt, answer)
    await recordNotice(db, notice, outcome)
    const about = { eventId: notice.id, tenantId: notice.tenantId, budget: notice.budget, attempt: notice.attempt }
    if (outcome.state === 'failed') log.error('an event of a budget could not be told; somebody must look at it', { ...about, problem: outcome.failure })
    if (outcome.state === 'pending')
      log.warn('an event of a budget could not be told; it is tried again', { ...about, problem: outcome.failure, inMs: outcome.inMs })
  }

  function outcomeOf(attempt: number, answer: Awaited<ReturnType<NoticesOptions['send']>>): NoticeOutcome {
    if (answer.isDone) return { state: 'delivered' }
    const failure = storableText(answer.problem)
    if (!answer.mayRetry || attempt >= backoff.attemptsMax) return { state: 'failed', failure }
    return { state: 'pending', failure, inMs: Math.max(answer.retryAfterMs ?? 0, backoffMs(attempt, backoff)) }
  }

  return loop({
    everyMs: pollMs,
    onError: (error) => log.warn('events of budgets could not be told; it is tried again', { error }),
    async work() {
      const due = await claimNotices(db, leaseMs, atOnce)
      await Promise.all(due.map(tell))
      return due.length === atOnce ? 0 : pollMs
    },
  })
}

function bodyOf(notice: DueNotice): object {
  const { kind, at, budget, scope, per, unit, subject, runId, percent, endsAt } = notice
  const shown = (amount: number) => (unit === 'usd' ? usdOf(amount) : amount)
  return {
    type: `budget.${kind}`,
    timestamp: at.toISOString(),
    data: {
      ...{ budget, scope, subject, runId, per, percent, unit },
      limit: shown(notice.limitAmount),
      spent: shown(notice.spentAmount),
      refillsAt: endsAt?.toISOString() ?? null,
    },
  }
}
