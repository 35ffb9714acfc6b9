/** Events of budgets that are to be told to somebody. */
import type { Budget, BudgetEvent } from '@longhaul/protocol'
import { type Tx, sql } from '../../db/index.ts'

export type DueNotice = {
  id: string
  tenantId: string
  attempt: number
  url: string
  kind: BudgetEvent['kind']
  percent: number
  limitAmount: number
  spentAmount: number
  at: Date
  budget: string
  scope: Budget['scope']
  per: Budget['per']
  unit: Budget['unit']
  subject: string
  runId: string | null
  endsAt: Date | null
}

/** Takes events that are due, of all tenants. They are due again after `leaseMs`, in case that this process does not live to say what came of them. */
export async function claimNotices(db: Tx, leaseMs: number, limit: number): Promise<DueNotice[]> {
  return db.rows<DueNotice>(sql`
    with due as materialized (
      select id from budget_events where notice_state = 'pending' and notice_due_at <= clock_timestamp() order by notice_due_at limit ${limit} for update skip locked
    )
    update budget_events event set notice_attempt = event.notice_attempt + 1, notice_due_at = clock_timestamp() + ${leaseMs} * interval '1 ms'
    from due, budgets, budget_counters counter
    where event.id = due.id and budgets.id = event.budget_id and counter.id = event.counter_id
    returning event.id, event.tenant_id as "tenantId", event.notice_attempt as attempt, event.webhook_url as url, event.kind, event.percent,
      event.limit_amount as "limitAmount", event.spent as "spentAmount", event.at, budgets.name as budget, budgets.scope, budgets.per, budgets.unit,
      counter.subject, counter.run_id as "runId", counter.ends_at as "endsAt"`)
}

export type NoticeOutcome = { state: 'delivered' } | { state: 'pending'; failure: string; inMs: number } | { state: 'failed'; failure: string }

/** Only for the attempt that was claimed: another one may have been made since. */
export async function recordNotice(db: Tx, { id, attempt }: Pick<DueNotice, 'id' | 'attempt'>, outcome: NoticeOutcome): Promise<void> {
  await db.rows(sql`
    update budget_events set notice_state = ${outcome.state}, notice_failure = ${outcome.state === 'delivered' ? null : outcome.failure.slice(0, 2_000)},
      notice_due_at = ${outcome.state === 'pending' ? sql`clock_timestamp() + ${outcome.inMs} * interval '1 ms'` : sql`null`}
    where id = ${id} and notice_attempt = ${attempt} and notice_state = 'pending'`)
}
