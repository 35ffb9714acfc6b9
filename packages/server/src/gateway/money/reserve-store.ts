/** Holding amounts on counters: the statement that admits calls, and what it needs before. */
import { type Tx, sql } from '../../db/index.ts'
import type { CounterKey } from './budget.ts'
import type { Hold } from './call.ts'
import type { CounterState } from './decide.ts'

/** Makes counters that do not exist yet. In one order at every node, so that two never wait for each other. Those of a budget that is gone are left out. */
export async function ensureCounters(db: Tx, tenantId: string, keys: readonly CounterKey[]): Promise<(CounterState | undefined)[]> {
  const wanted = JSON.stringify(
    keys.map(({ budget, subject, runId }, n) => ({ n, budget: budget.id, subject, run: runId, starts: budget.startsAt, ends: budget.endsAt })),
  )
  const wantedRows = sql`json_to_recordset(${wanted}::json) as wanted(n int, budget uuid, subject text, run uuid, starts timestamptz, ends timestamptz)`
  await db.rows(sql`
    insert into budget_counters (tenant_id, budget_id, subject, run_id, starts_at, ends_at)
    select budgets.tenant_id, budgets.id, wanted.subject, wanted.run, wanted.starts, wanted.ends
    from (select distinct budget, subject, run, starts, ends from ${wantedRows}) as wanted
    join budgets on budgets.id = wanted.budget and budgets.tenant_id = ${tenantId}
    order by wanted.budget, wanted.subject, wanted.run, wanted.starts
    on conflict do nothing`)
  const found = await db.rows<CounterState & { n: number }>(sql`
    select wanted.n, counter.id, counter.spent, counter.reserved, budgets.limit_amount as limit
    from ${wantedRows}
    join budget_counters counter on counter.budget_id = wanted.budget and counter.subject = wanted.subject
      and counter.run_id is not distinct from wanted.run and counter.starts_at = wanted.starts
    join budgets on budgets.id = counter.budget_id`)
  const byNumber = new Map(found.map(({ n, ...state }) => [n, state]))
  return keys.map((_, n) => byNumber.get(n))
}

export async function readCounters(db: Tx, ids: readonly number[]): Promise<CounterState[]> {
  return db.rows<CounterState>(sql`
    select counter.id, counter.spent, counter.reserved, budgets.limit_amount as limit
    from budget_counters counter join budgets on budgets.id = counter.budget_id
    where counter.id = any(${ids})`)
}

export type ReservationRow = {
  tenant: string
  id: string
  run: string | null
  op: string | null
  attempt: number | null
  holds: Hold[]
  call: HeldCall
}
/** What the sweep needs of a call, and what a node that takes it over does. `row` is a row for `bookingSql`. */
export type HeldCall = { row: unknown; outputTokensMax: number | null; priceId: string | null }

/**
 * Holds what these calls need, on all counters or on none: one update of each counter for all of them. The counters are locked first,
 * in the order of their numbers, as by everybody who changes them; what is compared is what was locked, whatever this node thought it knew.
 * The update takes everything from the locked rows: a row that somebody has changed since the statement began is first computed and checked as it was then, and
 * a check that fails on what is no longer so fails the statement.
 * `isDone` false: it did not fit, or a counter is gone. `states` is how the locked counters were before.
 */
export async function reserve(
  db: Tx,
  { deltas, rows, leaseMs }: { deltas: ReadonlyMap<number, number>; rows: readonly ReservationRow[]; leaseMs: number },
): Promise<{ isDone: boolean; states: CounterState[]; nowMs: number }> {
  const wanted = JSON.stringify(Array.from(deltas, ([counter, amount]) => ({ counter, amount })))
  const [row] = await db.rows<{ isDone: boolean; states: CounterState[]; nowMs: number }>(sql`
    with wanted as (
      select counter, amount from json_to_recordset(${wanted}::json) as w(counter bigint, amount bigint)
    ), locked as materialized (
      select counter.id, counter.spent, counter.reserved, counter.overrun, budgets.limit_amount as "limit"
      from budget_counters counter join budgets on budgets.id = counter.budget_id
      where counter.id in (select counter from wanted)
      order by counter.id
      for update of counter
    ), verdict as materialized (
      select count(*) = 0 as is_fitting
      from wanted left join locked on locked.id = wanted.counter
      where locked.id is null or locked.spent + locked.reserved + wanted.amount > locked.limit
    ), held as (
      update budget_counters counter
      set spent = locked.spent, reserved = locked.reserved + wanted.amount, overrun = locked.overrun, granted = locked.limit
      from wanted, locked, verdict
      where counter.id = wanted.counter and locked.id = wanted.counter and verdict.is_fitting
    ), recorded as (
      insert into reservations (tenant_id, id, run_id, op, attempt, holds, call, lease_until)
      select tenant, id, run, op, attempt, holds, call, clock_timestamp() + ${leaseMs} * interval '1 ms'
      from json_to_recordset(${JSON.stringify(rows)}::json) as r(tenant text, id uuid, run uuid, op text, attempt int, holds json, call json), verdict
      where verdict.is_fitting
    )
    select verdict.is_fitting as "isDone", coalesce((select json_agg(json_build_object('id', id, 'spent', spent, 'reserved', reserved, 'limit', "limit")) from locked), '[]') as states,
      extract(epoch from clock_timestamp())::double precision * 1000 as "nowMs"
    from verdict`)
  return row ?? { isDone: false, states: [], nowMs: NaN }
}

/** Which of these reservations there are: for a statement whose answer was lost. */
export async function existingReservations(db: Tx, ids: readonly string[]): Promise<string[]> {
  return (await db.rows<{ id: string }>(sql`select id from reservations where id = any(${ids})`)).map(({ id }) => id)
}

/** Calls that are still under way here keep what they hold. */
export async function renewReservations(db: Tx, ids: readonly string[], leaseMs: number): Promise<void> {
  await db.rows(sql`
    with mine as materialized (select id from reservations where id = any(${ids}) order by id for update skip locked)
    update reservations set lease_until = clock_timestamp() + ${leaseMs} * interval '1 ms' from mine where reservations.id = mine.id`)
}

export type HeldReservation = { id: string; attempt: number | null; holds: Hold[]; call: HeldCall }

/** What earlier executions of a step left behind, locked until the transaction ends; the newest last. */
export async function lockReservationsOfStep(tx: Tx, tenantId: string, runId: string, op: string): Promise<HeldReservation[]> {
  return tx.rows<HeldReservation>(sql`
    select id, attempt, holds, call from reservations
    where run_id = ${runId} and op = ${op} and tenant_id = ${tenantId}
    order by id
    for update`)
}

/** Under another id it is another's: a settlement by whoever had it before finds nothing any more. */
export async function renameReservation(tx: Tx, { id, newId, call, leaseMs }: { id: string; newId: string; call: HeldCall; leaseMs: number }): Promise<void> {
  await tx.rows(sql`
    update reservations set id = ${newId}, call = ${JSON.stringify(call)}, lease_until = clock_timestamp() + ${leaseMs} * interval '1 ms'
    where id = ${id}`)
}

/** Lapsed reservations, locked; whoever is at one of them already has it. */
export async function lockLapsedReservations(tx: Tx, limit: number): Promise<HeldReservation[]> {
  return tx.rows<HeldReservation>(sql`
    select id, attempt, holds, call from reservations
    where lease_until < clock_timestamp()
    order by lease_until
    limit ${limit}
    for update skip locked`)
}
