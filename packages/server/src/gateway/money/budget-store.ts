/** Budgets and their events, as tables. Counters are changed in `reserve-store.ts` and `settle-store.ts` alone. */
import type { Budget, BudgetCounter, BudgetEvent } from '@longhaul/protocol'
import { type Tx, sql } from '../../db/index.ts'
import type { OpenBudget } from './budget.ts'
import { windowOf } from './window-store.ts'

export const budgetsMax = 1_000

const open = windowOf({ per: sql`per`, at: sql`clock.now`, timeZone: sql`time_zone` })

/** The tenant's budgets with the windows that are open at this moment. */
export async function openBudgets(db: Tx, tenantId: string): Promise<{ budgets: OpenBudget[]; nowMs: number }> {
  const [row] = await db.rows<{ budgets: (Omit<OpenBudget, 'startsAt' | 'endsAt'> & { startsAt: number; endsAt: number | null })[] | null; nowMs: number }>(sql`
    with clock as materialized (select clock_timestamp() as now)
    select extract(epoch from clock.now)::double precision * 1000 as "nowMs", (
      select json_agg(json_build_object(
        'id', id, 'name', name, 'scope', scope, 'subject', subject, 'per', per, 'unit', unit, 'limit', limit_amount,
        'startsAt', extract(epoch from case when per in ('run', 'total') then 'epoch' else ${open.startsAt} end) * 1000,
        'endsAt', case when per not in ('run', 'total') then extract(epoch from ${open.endsAt}) * 1000 end
      ) order by id)
      from (select * from budgets where tenant_id = ${tenantId} order by id limit ${budgetsMax}) as budget
    ) as budgets
    from clock`)
  const toDate = (ms: number | null) => (ms === null ? null : new Date(ms))
  return {
    budgets: (row?.budgets ?? []).map((budget) => ({ ...budget, startsAt: new Date(budget.startsAt), endsAt: toDate(budget.endsAt) })),
    nowMs: Number(row?.nowMs),
  }
}

export type BudgetRow = Omit<Budget, 'limit' | 'createdAt' | 'updatedAt'> & { limitAmount: number; createdAt: Date; updatedAt: Date }
export type NewBudget = Omit<BudgetRow, 'createdAt' | 'updatedAt'> & { tenantId: string }

const columns = sql`id, name, scope, subject, per, time_zone as "timeZone", unit, limit_amount as "limitAmount", webhook_url as "webhookUrl", set_by as "setBy", created_at as "createdAt", updated_at as "updatedAt"`

/** Each with the counter of an open window that has the least left, in the order of their names. */
export async function listBudgets(db: Tx, tenantId: string): Promise<(BudgetRow & { fullest: CounterRow | null })[]> {
  const rows = await db.rows<BudgetRow & { fullest: (Omit<CounterRow, 'startsAt' | 'endsAt'> & { startsAt: string; endsAt: string | null }) | null }>(sql`
    select ${columns}, (
      select json_build_object('subject', subject, 'runId', run_id, 'startsAt', starts_at, 'endsAt', ends_at, 'spent', spent, 'reserved', reserved, 'overrun', overrun)
      from budget_counters
      where budget_id = budgets.id and (ends_at is null or ends_at > clock_timestamp())
      order by spent + reserved desc, budget_counters.id
      limit 1
    ) as fullest
    from budgets
    where tenant_id = ${tenantId}
    order by name
    limit ${budgetsMax}`)
  return rows.map(({ fullest, ...budget }) => ({
    ...budget,
    fullest: fullest && { ...fullest, startsAt: new Date(fullest.startsAt), endsAt: fullest.endsAt === null ? null : new Date(fullest.endsAt) },
  }))
}

export async function findBudget(db: Tx, tenantId: string, name: string): Promise<BudgetRow | undefined> {
  const [row] = await db.rows<BudgetRow>(sql`select ${columns} from budgets where tenant_id = ${tenantId} and name = ${name}`)
  return row
}

/** Makes the budget of this name, or sets the limit of the one there is. Undefined when that one is about something else: its counters would mean nothing any more. */
export async function upsertBudget(db: Tx, budget: NewBudget): Promise<BudgetRow | undefined> {
  const { tenantId, id, name, scope, subject, per, timeZone, unit, limitAmount, webhookUrl, setBy } = budget
  const [row] = await db.rows<BudgetRow>(sql`
    insert into budgets (tenant_id, id, name, scope, subject, per, time_zone, unit, limit_amount, webhook_url, set_by)
    select ${tenantId}, ${id}, ${name}, ${scope}, ${subject}, ${per}, ${timeZone}, ${unit}, ${limitAmount}, ${webhookUrl}, ${setBy}
    where clock_timestamp() at time zone ${timeZone}::text is not null
    on conflict (tenant_id, name) do update set limit_amount = excluded.limit_amount, webhook_url = excluded.webhook_url, set_by = excluded.set_by,
      updated_at = clock_timestamp()
    where (budgets.scope, budgets.subject, budgets.per, budgets.time_zone, budgets.unit)
      = (excluded.scope, excluded.subject, excluded.per, excluded.time_zone, excluded.unit)
    returning ${columns}`)
  return row
}

export async function countBudgets(db: Tx, tenantId: string): Promise<number> {
  const [row] = await db.rows<{ count: number }>(sql`select count(*)::int as count from budgets where tenant_id = ${tenantId}`)
  return row?.count ?? 0
}

/** With its counters and events. What calls under way hold on them is forgotten; they are recorded all the same. */
export async function deleteBudget(db: Tx, tenantId: string, name: string): Promise<BudgetRow | undefined> {
  const [row] = await db.rows<BudgetRow>(sql`
    with gone as (
      delete from budgets where tenant_id = ${tenantId} and name = ${name} returning *
    ), locked as materialized (
      select counter.id from budget_counters counter join gone on gone.id = counter.budget_id order by counter.id for update of counter
    ), counters as (
      delete from budget_counters using locked where budget_counters.id = locked.id
    ), events as (
      delete from budget_events using gone where budget_events.budget_id = gone.id
    )
    select ${columns} from gone`)
  return row
}

export type CounterRow = Omit<BudgetCounter, 'startsAt' | 'endsAt' | 'spent' | 'reserved' | 'overrun' | 'left'> & {
  startsAt: Date
  endsAt: Date | null
  spent: number
  reserved: number
  overrun: number
}

/** The counters of a budget, those of open windows first and of them the fullest first. */
export async function listCounters(db: Tx, budgetId: string, limit: number): Promise<CounterRow[]> {
  return db.rows<CounterRow>(sql`
    select subject, run_id as "runId", starts_at as "startsAt", ends_at as "endsAt", spent, reserved, overrun
    from budget_counters
    where budget_id = ${budgetId}
    order by coalesce(ends_at, 'infinity') desc, spent + reserved desc, id
    limit ${limit}`)
}

/** The counter of an open window that has spent most, or of that subject. Not those of single runs. */
export async function findOpenCounter(db: Tx, budgetId: string, subject: string | undefined, now: Date): Promise<CounterRow | undefined> {
  const [row] = await db.rows<CounterRow>(sql`
    select subject, run_id as "runId", starts_at as "startsAt", ends_at as "endsAt", spent, reserved, overrun
    from budget_counters
    where budget_id = ${budgetId} and run_id is null and starts_at <= ${now} and (ends_at is null or ends_at > ${now}) and ${subject === undefined ? sql`true` : sql`subject = ${subject}`}
    order by spent desc, id
    limit 1`)
  return row
}

type EventRow = Omit<BudgetEvent, 'at' | 'limit' | 'spent' | 'notice'> & {
  at: Date
  cursorAt: string
  limitAmount: number
  spentAmount: number
  noticeState: NonNullable<BudgetEvent['notice']>['state'] | null
  noticeAttempt: number
  noticeFailure: string | null
}

/** Newest first. `before` is the instant and id of the last one of the page before. */
export async function listBudgetEvents(
  db: Tx,
  {
    tenantId,
    name,
    names,
    before,
    limit,
  }: {
    tenantId: string
    name: string | undefined
    /** Only of these budgets. */
    names?: readonly string[] | undefined
    before: { at: string; id: string } | undefined
    limit: number
  },
): Promise<EventRow[]> {
  return db.rows<EventRow>(sql`
    select event.id, budgets.name as budget, budgets.unit, counter.subject, counter.run_id as "runId", event.kind, event.percent,
      event.limit_amount as "limitAmount", event.spent as "spentAmount", event.notice_state as "noticeState", event.notice_attempt as "noticeAttempt",
      event.notice_failure as "noticeFailure", event.at, to_char(event.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "cursorAt"
    from budget_events event
    join budgets on budgets.id = event.budget_id
    join budget_counters counter on counter.id = event.counter_id
    where event.tenant_id = ${tenantId} and (${name ?? null}::text is null or budgets.name = ${name ?? null})
      and (${names ?? null}::text[] is null or budgets.name = any(${names ?? null}::text[]))
      and (${before?.at ?? null}::timestamptz is null or (event.at, event.id) < (${before?.at ?? null}::timestamptz, ${before?.id ?? null}::uuid))
    order by event.at desc, event.id desc
    limit ${limit}`)
}

/** The first refusal of a window. Later ones are no news. */
export async function insertRefusal(db: Tx, counterId: number): Promise<void> {
  await db.rows(sql`
    insert into budget_events (tenant_id, counter_id, budget_id, kind, percent, limit_amount, spent, webhook_url, notice_state, notice_due_at)
    select counter.tenant_id, counter.id, budgets.id, 'refused', 100, budgets.limit_amount, counter.spent, budgets.webhook_url,
      case when budgets.webhook_url is not null then 'pending' end, case when budgets.webhook_url is not null then clock_timestamp() end
    from budget_counters counter join budgets on budgets.id = counter.budget_id
    where counter.id = ${counterId}
    on conflict do nothing`)
}

/**
 * Counters of windows that ended, and of runs that did, `keepMs` ago, with their events: what was spent stays in `usage`. Those that still hold something stay.
 * So do those that were made in the moment their budget was deleted. It reads all counters: for once an hour.
 */
export async function deleteOldCounters(db: Tx, keepMs: number, limit: number): Promise<number> {
  const rows = await db.rows(sql`
    with clock as materialized (
      select clock_timestamp() - ${keepMs} * interval '1 ms' as cutoff
    ), old as materialized (
      select id from budget_counters, clock
      where reserved = 0 and starts_at < cutoff and (
        ends_at < cutoff or not exists (select from budgets where budgets.id = budget_id)
        or run_id is not null and not exists (select from runs where runs.id = run_id and coalesce(ended_at, 'infinity') > cutoff))
      order by id
      limit ${limit}
      for update of budget_counters skip locked
    ), events as (
      delete from budget_events using old where budget_events.counter_id = old.id
    )
    delete from budget_counters using old where budget_counters.id = old.id returning budget_counters.id`)
  return rows.length
}
