/** Schedules and their fires. The row of a schedule is locked while it fires, and moves on in the same transaction. */
import type { Asker, Calendar, DeclaredSchedule, Fire, Json } from '@longhaul/protocol'
import { type Audience, type Sql, type Tx, sql } from '../db/index.ts'
import type { Scope } from './lanes.ts'

export type Overlap = 'allow' | 'skip' | 'queue' | 'cancel'

export type ScheduleRow = Scope & {
  id: string
  name: string
  input: Json
  asker: Asker
  calendar: Calendar
  overlap: Overlap
  catchUp: 'skip' | 'one' | 'all'
  jitterMs: number
  rank: number
  isPaused: boolean
  nextMs: number | null
  queuedMs: number | null
  lastRunId: string | null
  fromVersion: string | null
  /** What was declared is so no longer, and the row is kept because somebody has paused it. */
  isWithdrawn: boolean
  setBy: string
  setAt: Date
}

const ms = (column: Sql) => sql`extract(epoch from ${column})::double precision * 1000`
const instant = (at: number | null) => sql`to_timestamp(${at}::double precision / 1000.0)`

const columns = sql`id, tenant_id as "tenantId", namespace, name, agent, input, asker, calendar, overlap, catch_up as "catchUp", jitter_ms as "jitterMs",
  lane_key as "laneKey", rank, is_paused as "isPaused", ${ms(sql`next_at`)} as "nextMs", ${ms(sql`queued_at`)} as "queuedMs", last_run_id as "lastRunId",
  from_version as "fromVersion", from_version is not null and declared is null as "isWithdrawn",
  set_by as "setBy", set_at as "setAt"`

/** A key with limited access has to do with its own schedules alone: another's say what it may not see. */
const isFor = ({ tenantId, askerId }: Audience): Sql =>
  askerId === undefined ? sql`schedules.tenant_id = ${tenantId}` : sql`schedules.tenant_id = ${tenantId} and schedules.asker ->> 'id' = ${askerId}`

export async function readNowMs(db: Tx): Promise<number> {
  const [row] = await db.rows<{ nowMs: number }>(sql`select ${ms(sql`clock_timestamp()`)} as "nowMs"`)
  return row?.nowMs ?? 0
}

/** Replaces the one of that name, if it is for this audience. Undefined when it is another's. */
export async function upsertSchedule(
  tx: Tx,
  audience: Audience,
  row: Omit<ScheduleRow, 'isPaused' | 'queuedMs' | 'lastRunId' | 'setAt' | 'fromVersion' | 'isWithdrawn'> & {
    fromVersion?: string
    declared?: DeclaredSchedule
  },
): Promise<ScheduleRow | undefined> {
  const [made] = await tx.rows<ScheduleRow>(sql`
    insert into schedules (id, tenant_id, namespace, name, agent, input, asker, calendar, overlap, catch_up, jitter_ms, lane_key, rank, next_at, set_by, from_version, declared)
    values (${row.id}, ${row.tenantId}, ${row.namespace}, ${row.name}, ${row.agent}, ${JSON.stringify(row.input)}, ${JSON.stringify(row.asker)}, ${JSON.stringify(row.calendar)},
      ${row.overlap}, ${row.catchUp}, ${row.jitterMs}, ${row.laneKey}, ${row.rank}, ${instant(row.nextMs)}, ${row.setBy}, ${row.fromVersion ?? null}, ${row.declared ? JSON.stringify(row.declared) : null})
    on conflict (tenant_id, namespace, name) do update
      set agent = excluded.agent, input = excluded.input, asker = excluded.asker, calendar = excluded.calendar, overlap = excluded.overlap, catch_up = excluded.catch_up,
        jitter_ms = excluded.jitter_ms, lane_key = excluded.lane_key, rank = excluded.rank, next_at = excluded.next_at, queued_at = null, set_by = excluded.set_by, set_at = clock_timestamp(),
        from_version = excluded.from_version, declared = excluded.declared
      where ${isFor(audience)}
    returning ${columns}`)
  return made
}

export async function findSchedule(db: Tx, audience: Audience, namespace: string, name: string, isLocked = false): Promise<ScheduleRow | undefined> {
  const [row] = await db.rows<ScheduleRow>(sql`
    select ${columns} from schedules where ${isFor(audience)} and namespace = ${namespace} and name = ${name} ${isLocked ? sql`for update` : sql``}`)
  return row
}

/** By name. `after` is the id of the last one of the page before. */
export async function listSchedules(db: Tx, audience: Audience, { limit, after }: { limit: number; after?: string | undefined }): Promise<ScheduleRow[]> {
  return db.rows(sql`
    select ${columns} from schedules
    where ${isFor(audience)} and (${after ?? null}::uuid is null or (namespace, name) > (select namespace, name from schedules where id = ${after ?? null}::uuid and ${isFor(audience)}))
    order by namespace, name limit ${limit}`)
}

export async function deleteSchedule(tx: Tx, audience: Audience, namespace: string, name: string): Promise<ScheduleRow | undefined> {
  const [row] = await tx.rows<ScheduleRow>(
    sql`delete from schedules where ${isFor(audience)} and namespace = ${namespace} and name = ${name} returning ${columns}`,
  )
  if (row) await tx.rows(sql`delete from fires where schedule_id = ${row.id}`)
  return row
}

export async function pauseSchedule(tx: Tx, id: string, isPaused: boolean, nextMs: number | null): Promise<ScheduleRow | undefined> {
  const [row] = await tx.rows<ScheduleRow>(sql`
    update schedules set is_paused = ${isPaused}, next_at = ${instant(nextMs)}, queued_at = case when ${isPaused} then null else queued_at end where id = ${id} returning ${columns}`)
  return row
}

export type DeclaredRow = { id: string; name: string; declared: DeclaredSchedule | null; fromVersion: string; asker: Asker; isPaused: boolean }

/** What the folder of the agent's version that is, or was, live has declared. */
export async function listDeclared(tx: Tx, tenantId: string, agent: string): Promise<DeclaredRow[]> {
  return tx.rows(sql`
    select id, name, declared, from_version as "fromVersion", asker, is_paused as "isPaused" from schedules
    where tenant_id = ${tenantId} and agent = ${agent} and from_version is not null order by name for update`)
}

/** Kept for what somebody has paused. */
export async function withdrawSchedule(tx: Tx, id: string): Promise<void> {
  await tx.rows(sql`update schedules set declared = null where id = ${id}`)
}

/** Another version declares the same, or somebody else has given it to all runs. It fires when it would have. */
export async function moveDeclared(tx: Tx, id: string, { fromVersion, asker }: Pick<DeclaredRow, 'fromVersion' | 'asker'>): Promise<void> {
  await tx.rows(sql`update schedules set from_version = ${fromVersion}, asker = ${JSON.stringify(asker)}, set_by = ${asker.name} where id = ${id}`)
}

const isUnderWay = sql`exists (select from runs where runs.id = schedules.last_run_id and state in ('pending', 'running', 'waiting'))`
const isDue = sql`not is_paused and (next_at <= statement_timestamp() or queued_at is not null and not ${isUnderWay})`

/** Those that somebody must look at now. */
export async function listDue(db: Tx, limit: number): Promise<ScheduleRow[]> {
  return db.rows(sql`
    select ${columns} from schedules where id in (
      (select id from schedules where not is_paused and next_at <= statement_timestamp() order by next_at limit ${limit})
      union
      (select id from schedules where not is_paused and queued_at is not null and not ${isUnderWay} order by queued_at limit ${limit}))`)
}

/** Milliseconds until the next fire of any; null when none will come by itself. */
export async function nextFireMs(db: Tx): Promise<number | null> {
  const [row] = await db.rows<{ ms: number | null }>(sql`
    select (extract(epoch from min(next_at) - clock_timestamp()) * 1000)::double precision as ms from schedules where not is_paused and next_at is not null`)
  return row?.ms ?? null
}

export type DueSchedule = ScheduleRow & { nowMs: number; isUnderWay: boolean; isStopped: boolean }

/** Takes it, unless another node has it or has just done with it. */
export async function lockDue(tx: Tx, id: string): Promise<DueSchedule | undefined> {
  const [row] = await tx.rows<DueSchedule>(sql`
    select ${columns}, ${ms(sql`statement_timestamp()`)} as "nowMs", ${isUnderWay} as "isUnderWay", exists (
      select from stops where lifted_at is null and stops.tenant_id = schedules.tenant_id and run_id is null
        and stops.namespace in ('', schedules.namespace) and stops.agent in ('', schedules.agent)) as "isStopped"
    from schedules where id = ${id} and ${isDue} for update skip locked`)
  return row
}

export async function moveOn(tx: Tx, id: string, to: { nextMs: number | null; queuedMs: number | null; lastRunId: string | null }): Promise<void> {
  await tx.rows(sql`update schedules set next_at = ${instant(to.nextMs)}, queued_at = ${instant(to.queuedMs)}, last_run_id = ${to.lastRunId} where id = ${id}`)
}

export type FireRow = { fireMs: number; outcome: Fire['outcome']; reason: string | null; runId: string | null }

/** A fire that was queued says in the end what became of it. */
export async function recordFires(tx: Tx, schedule: { id: string; tenantId: string }, fires: FireRow[]): Promise<void> {
  if (fires.length === 0) return
  await tx.rows(sql`
    insert into fires (tenant_id, schedule_id, fire_at, outcome, reason, run_id)
    select ${schedule.tenantId}, ${schedule.id}, to_timestamp(f."fireMs" / 1000.0), f.outcome, f.reason, f."runId"
    from json_to_recordset(${JSON.stringify(fires)}::json) as f("fireMs" double precision, outcome text, reason text, "runId" uuid)
    on conflict (schedule_id, fire_at) do update set outcome = excluded.outcome, reason = excluded.reason, run_id = excluded.run_id
      where fires.outcome = 'queued'`)
  await tx.rows(sql`delete from fires where schedule_id = ${schedule.id} and fire_at < clock_timestamp() - interval '30 days'`)
}

/** Newest first. */
export async function listFires(
  db: Tx,
  scheduleId: string,
  { limit, before }: { limit: number; before?: number | undefined },
): Promise<{ fireAt: Date; noticedAt: Date; outcome: Fire['outcome']; reason: string | null; runId: string | null }[]> {
  return db.rows(sql`
    select fire_at as "fireAt", noticed_at as "noticedAt", outcome, reason, run_id as "runId" from fires
    where schedule_id = ${scheduleId} and (${before ?? null}::double precision is null or fire_at < ${instant(before ?? null)})
    order by fire_at desc limit ${limit}`)
}
