/** Booking what calls used. One piece of SQL does it, in whatever transaction: the engine's flush, or one of our own. */
import { Sql, type Tx, sql } from '../../db/index.ts'

/** What became of one call. The names are short since there is one of these for each call that is under way, and in each flush. */
export type BookingRow = {
  id: string
  tenant: string
  namespace: string
  agent?: string | undefined
  version?: string | undefined
  run?: string | undefined
  op?: string | undefined
  attempt?: number | undefined
  session?: string | undefined
  user?: string | undefined
  key?: string | undefined
  provider: string
  model: string
  price?: string | undefined
  /** Tokens, in the order of the columns of `usage`. */
  t: number[]
  /** Nanodollars. Absent: the model has no price. */
  cost?: number | undefined
  tokens: number
  /** 0: the call never happened. It frees what it held and leaves no row. */
  requests: 0 | 1
  estimated: boolean
  failed: boolean
  ms?: number | undefined
  tags?: Record<string, string> | undefined
  route?: object | undefined
}

/**
 * The tail of a `with` whose first part is called `fence` and has at most one row: without that row nothing is booked. The placeholder is a JSON array of
 * `BookingRow`s.
 *
 * Deleting the reservation is what makes this once: whoever finds none has nothing to free, and a call that has its row in `usage` gets no second one. Counters are
 * locked in the order of their numbers, as by `reserve`, after the rows of reservations, which nobody locks while holding a counter.
 * More than was held is counted all the same, and as `overrun`.
 */
export const bookingSql = (placeholder: string): string => `
settling as materialized (
  select s.* from fence, json_to_recordset(${placeholder}::json) as s(id uuid, tenant text, namespace text, agent text, version text, run uuid, op text, attempt int,
    session text, "user" text, key text, provider text, model text, price text, t bigint[], cost bigint, tokens bigint, requests int, estimated boolean, failed boolean, ms int, tags json, route json)
), freed as (
  delete from reservations using settling where reservations.id = settling.id and reservations.tenant_id = settling.tenant
  returning reservations.holds, settling.cost, settling.tokens, settling.requests
), deltas as materialized (
  select hold.counter, sum(hold.amount)::bigint as freed, sum(real.amount)::bigint as spent, sum(greatest(real.amount - hold.amount, 0))::bigint as overrun
  from freed
  cross join lateral json_to_recordset(freed.holds) as hold(counter bigint, unit text, amount bigint)
  cross join lateral (select coalesce(case hold.unit when 'usd' then freed.cost when 'tokens' then freed.tokens else freed.requests end, hold.amount) as amount) as real
  group by hold.counter
), counters as materialized (
  select counter.id, budgets.limit_amount as "limit", budgets.webhook_url
  from budget_counters counter join budgets on budgets.id = counter.budget_id
  where counter.id in (select counter from deltas)
  order by counter.id
  for update of counter
), charged as (
  update budget_counters counter
  set reserved = counter.reserved - deltas.freed, spent = counter.spent + deltas.spent, overrun = counter.overrun + deltas.overrun
  from deltas, counters
  where counter.id = deltas.counter and counters.id = deltas.counter
  returning counter.tenant_id, counter.id, counter.budget_id, counter.spent, counters.limit, counters.webhook_url, deltas.overrun
), warned as (
  insert into budget_events (tenant_id, counter_id, budget_id, kind, percent, limit_amount, spent, webhook_url, notice_state, notice_due_at)
  select tenant_id, id, budget_id, kind, percent, "limit", spent, webhook_url,
    case when webhook_url is not null then 'pending' end, case when webhook_url is not null then clock_timestamp() end
  from charged, (values ('warning', 50), ('warning', 80), ('warning', 100), ('overrun', 100)) as news(kind, percent)
  where case kind when 'overrun' then overrun > 0 else "limit" > 0 and spent::numeric * 100 >= "limit"::numeric * percent end
  on conflict do nothing
), used as (
  insert into usage (tenant_id, id, at, namespace, agent, version, run_id, op, attempt, session_id, user_id, key_id, provider, model, price_id,
    input, cache_read, cache_write, cache_write_long, input_audio, input_image, output, reasoning, output_audio, output_image,
    cost, is_estimated, is_failed, duration_ms, tags, route)
  select tenant, id, clock_timestamp(), namespace, agent, version, run, op, attempt, session, "user", key, provider, model, price,
    t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9], t[10], cost, estimated, failed, ms, tags, route
  from settling where requests > 0
  on conflict (id) do nothing
  returning tenant_id, id
), fresh as (
  insert into usage_fresh (tenant_id, id) select tenant_id, id from used
)`

/** Books rows in a transaction of the caller's, or in one of its own. */
export async function book(db: Tx, rows: readonly BookingRow[]): Promise<void> {
  const [head = '', tail = ''] = bookingSql('\u0000').split('\u0000')
  await db.rows(new Sql([`with fence as (select true as holds), ${head}`, `${tail} select from used`], [JSON.stringify(rows)]))
}

/**
 * Books a call whose reservation another execution of the same step goes on with: it may have been made, so its estimate is spent, as far as there is
 * room. Not further: the execution that goes on has been admitted, and must not fail for what a crash may have cost.
 */
export async function bookInterrupted(tx: Tx, row: BookingRow, counters: readonly { counter: number; amount: number }[]): Promise<void> {
  await tx.rows(sql`
    with estimates as (
      select counter, amount from json_to_recordset(${JSON.stringify(counters)}::json) as e(counter bigint, amount bigint)
    ), locked as materialized (
      select id from budget_counters where id in (select counter from estimates) order by id for update
    )
    update budget_counters counter
    set spent = counter.spent + least(estimates.amount, greatest(counter.granted + counter.overrun - counter.spent - counter.reserved, 0))
    from estimates, locked
    where counter.id = estimates.counter and locked.id = estimates.counter`)
  await book(tx, [row]) // Its reservation has another id by now: this leaves the row in `usage` and frees nothing.
}
