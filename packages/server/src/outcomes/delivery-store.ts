import { type Asker, type ChannelReply, type Delivery, type Destination, type Failure, type Json, type RunState, storableText } from '@longhaul/protocol'
import { type Audience, type Tx, isOfRunFor, sql } from '../db/index.ts'

export type NewDelivery = {
  tenantId: string
  id: string
  runId: string
  n: number
  agent: string
  destination: Destination | ChannelReply
  approvalId?: string | undefined
}

export type EndedRun = { id: string; tenantId: string; agent: string; state: RunState; destinations: (Destination | ChannelReply)[] }

/** Of these runs those that have somewhere to tell their end. One that goes on as another has not come to its end. */
export async function listEnded(db: Tx, runIds: string[]): Promise<EndedRun[]> {
  return db.rows(sql`
    select id, tenant_id as "tenantId", agent, state, destinations from runs
    where id = any(${runIds}) and destinations is not null and continued_as is null and state in ('completed', 'failed', 'cancelled')`)
}

export type Asked = { approvalId: string; runId: string; tenantId: string; agent: string; destinations: (Destination | ChannelReply)[] }

/** Takes approvals that were asked for and of which nobody was told, each once, with the runs that have somewhere to tell it: its own, and those that have started that one. */
export async function takeAsked(db: Tx, limit: number): Promise<Asked[]> {
  return db.rows(sql`
    with recursive asked as materialized (
      select id, run_id from approvals where state = 'pending' and not is_announced order by id limit ${limit} for update skip locked
    ), marked as (
      update approvals set is_announced = true from asked where approvals.id = asked.id
    ), above as (
      select asked.id as approval_id, asked.run_id as id, 0 as height from asked
      union all
      select above.approval_id, runs.parent_id, height + 1 from above join runs on runs.id = above.id where runs.parent_id is not null and height < ${heightMax}
    )
    select above.approval_id as "approvalId", runs.id as "runId", runs.tenant_id as "tenantId", runs.agent, runs.destinations
    from above join runs on runs.id = above.id where runs.destinations is not null`)
}
const heightMax = 50

/** Repeating it changes nothing: a run has one delivery for each of its destinations, and one more for each approval. */
export async function insertDelivery(db: Tx, { tenantId, id, runId, n, agent, destination, approvalId }: NewDelivery): Promise<void> {
  await db.rows(sql`
    insert into deliveries (tenant_id, id, run_id, n, agent, destination, approval_id)
    values (${tenantId}, ${id}, ${runId}, ${n}, ${agent}, ${JSON.stringify(destination)}, ${approvalId ?? null})
    on conflict (run_id, n, coalesce(approval_id, run_id)) do nothing`)
}

/** What a run asks, as it is when it is told. */
export type AskedApproval = {
  id: string
  runId: string
  agent: string
  title: string
  detail: Json
  isOpen: boolean
  createdAt: string
  expiresAt: string | null
}

/** A delivery with the run that it tells of, and the approval where it tells of that. `attempt` is the one to make now. */
export type DueDelivery = {
  id: string
  tenantId: string
  attempt: number
  destination: Destination | ChannelReply
  approval: AskedApproval | null
  run: {
    id: string
    agent: string
    version: string
    state: RunState
    input: Json
    output: Json
    failure: Failure | null
    session: string | null
    asker: Asker
    /** Whose words it has read, and so its end may hold. */
    labels: string[] | null
    createdAt: Date
    endedAt: Date | null
  }
}

/** Takes deliveries that are due. They are due again after `leaseMs`, in case that this process does not live to say what came of them. */
export async function claimDeliveries(db: Tx, leaseMs: number, limit: number): Promise<DueDelivery[]> {
  const rows = await db.rows<Omit<DueDelivery, 'run'> & { runId: string } & Omit<DueDelivery['run'], 'id'>>(sql`
    with due as materialized (
      select deliveries.id from deliveries join runs on runs.id = deliveries.run_id
      where deliveries.state = 'pending' and deliveries.due_at <= clock_timestamp() and not exists (
        select from stops where lifted_at is null and stops.tenant_id = runs.tenant_id and stops.namespace in ('', runs.namespace)
          and stops.agent in ('', runs.agent) and (stops.run_id is null or stops.run_id = runs.id or runs.id = any(stops.run_ids))
      )
      order by deliveries.due_at limit ${limit} for update of deliveries skip locked
    )
    update deliveries set attempt = deliveries.attempt + 1, due_at = clock_timestamp() + ${leaseMs} * interval '1 ms'
    from due, runs
    where deliveries.id = due.id and runs.id = deliveries.run_id
    returning deliveries.id, deliveries.tenant_id as "tenantId", deliveries.attempt, deliveries.destination, runs.id as "runId", runs.agent, runs.version, runs.state,
      runs.input, runs.output, runs.failure, runs.session_id as session, runs.asker, runs.labels, runs.created_at as "createdAt", runs.ended_at as "endedAt",
      (select json_build_object('id', a.id, 'runId', a.run_id, 'agent', a.agent, 'title', a.title, 'detail', a.detail, 'createdAt', a.created_at, 'expiresAt', a.expires_at,
        'isOpen', a.state = 'pending' and (a.expires_at is null or a.expires_at > clock_timestamp())) from approvals a where a.id = deliveries.approval_id) as approval`)
  return rows.map(({ id, tenantId, attempt, destination, approval, runId, ...run }) => ({
    id,
    tenantId,
    attempt,
    destination,
    approval,
    run: { id: runId, ...run },
  }))
}

export type DeliveryOutcome = { state: 'delivered' } | { state: 'pending'; failure: string; inMs: number } | { state: 'failed'; failure: string }

/** Only for the attempt that was claimed: another one may have been made since. */
export async function recordOutcome(db: Tx, id: string, attempt: number, outcome: DeliveryOutcome): Promise<void> {
  const failure = outcome.state === 'delivered' ? null : storableText(outcome.failure).slice(0, 2_000)
  await db.rows(sql`
    update deliveries set state = ${outcome.state}, failure = ${failure},
      due_at = ${outcome.state === 'pending' ? sql`clock_timestamp() + ${outcome.inMs} * interval '1 ms'` : sql`null`},
      ended_at = ${outcome.state === 'pending' ? sql`null` : sql`clock_timestamp()`}
    where id = ${id} and attempt = ${attempt} and state = 'pending'`)
}

/** Puts a delivery that failed up once more, from its first attempt. False when it has not failed. */
export async function resetDelivery(db: Tx, tenantId: string, id: string): Promise<boolean> {
  const rows = await db.rows(sql`
    update deliveries set state = 'pending', attempt = 0, due_at = clock_timestamp(), ended_at = null
    where id = ${id} and tenant_id = ${tenantId} and state = 'failed' returning id`)
  return rows.length > 0
}

export async function dismissDelivery(db: Tx, tenantId: string, id: string): Promise<boolean> {
  const rows = await db.rows(sql`update deliveries set state = 'dismissed' where id = ${id} and tenant_id = ${tenantId} and state = 'failed' returning id`)
  return rows.length > 0
}

/** Milliseconds until the next one is due; null when none is. */
export async function nextDeliveryMs(db: Tx): Promise<number | null> {
  const [row] = await db.rows<{ ms: number | null }>(sql`
    select (extract(epoch from min(due_at) - clock_timestamp()) * 1000)::double precision as ms from deliveries where state = 'pending'`)
  return row?.ms ?? null
}

type Row = Omit<Delivery, 'dueAt' | 'createdAt' | 'endedAt'> & { dueAt: Date | null; createdAt: Date; endedAt: Date | null }
export type DeliveryFilter = { limit: number; before?: string | undefined; run?: string | undefined; state?: Delivery['state'] | undefined }

/** Newest first. */
export async function listDeliveries(db: Tx, audience: Audience, { limit, before, run, state }: DeliveryFilter): Promise<Delivery[]> {
  const rows = await db.rows<Row>(sql`
    select id, run_id as "runId", agent, destination, state, attempt, failure, due_at as "dueAt", created_at as "createdAt", ended_at as "endedAt"
    from deliveries
    where ${isOfRunFor(audience)}
      and (${before ?? null}::uuid is null or id < ${before ?? null}::uuid)
      ${run === undefined ? sql`` : sql`and run_id = ${run}`}
      and (${state ?? null}::text is null or state = ${state ?? null})
    order by id desc limit ${limit}`)
  return rows.map(({ dueAt, createdAt, endedAt, ...row }) => ({
    ...row,
    dueAt: row.state === 'pending' ? (dueAt?.toISOString() ?? null) : null,
    createdAt: createdAt.toISOString(),
    endedAt: endedAt?.toISOString() ?? null,
  }))
}
