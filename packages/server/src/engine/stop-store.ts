/** Stops: what is held, since when and by whom. The one statement sequence after which nothing of it takes effect. */
import type { EventType, Json } from '@longhaul/protocol'
import { type Connection, type Db, type Tx, sql } from '../db/index.ts'

/** An empty namespace or agent means all of them. */
export type StopInForce = {
  id: string
  tenantId: string
  namespace: string
  agent: string
  runId: string | null
  /** Of a stopped run: it and all that it had started. */
  runIds: string[]
  reason: string | null
  stoppedBy: string
  stoppedAt: Date
}
export type StopRow = StopInForce & { liftedBy: string | null; liftedAt: Date | null }

const columns = sql`id, tenant_id as "tenantId", namespace, agent, run_id as "runId", run_ids as "runIds", reason, stopped_by as "stoppedBy", stopped_at as "stoppedAt"`
const allColumns = sql`${columns}, lifted_by as "liftedBy", lifted_at as "liftedAt"`

export async function readStops(connection: Connection | Db): Promise<StopInForce[]> {
  const query = sql`select ${columns} from stops where lifted_at is null limit 100000`
  return 'rows' in connection ? connection.rows<StopInForce>(query) : connection.query<StopInForce>(query)
}

/** Newest first. `before` is the id of the last one of the page before. */
export async function listStops(
  db: Tx,
  tenantId: string,
  { limit, before, isInForce }: { limit: number; before?: string | undefined; isInForce: boolean },
): Promise<StopRow[]> {
  return db.rows(sql`
    select ${allColumns} from stops
    where tenant_id = ${tenantId} and (${before ?? null}::uuid is null or id < ${before ?? null}::uuid) and (not ${isInForce} or lifted_at is null)
    order by id desc limit ${limit}`)
}

/** Any number, the same in every version: whoever registers a node shares it, whoever decides over all nodes has it alone. */
const lockNumber = 7_231_060_112

/** For the registering of a node: it either is seen by who decides next, or sees what was decided. */
export const shareNodesLock = sql`pg_advisory_xact_lock_shared(${lockNumber})`

/**
 * From here to the commit no node can write or claim, and afterwards only those that have read what was decided. Take the rows
 * that are decided about before. The nodes that have to hear of it, with their new fences.
 */
export async function raiseAllFences(tx: Tx): Promise<{ nodeId: string; fence: number }[]> {
  await tx.rows(sql`select pg_advisory_xact_lock(${lockNumber})`)
  // In one order, so that two who decide at once do not wait for each other.
  return tx.rows(sql`
    with alive as materialized (select id from nodes where not is_dead order by id for no key update)
    update nodes set fence = fence + 1 from alive where nodes.id = alive.id returning nodes.id as "nodeId", fence::int`)
}

export type StopScope = { tenantId: string; namespace: string; agent: string; runId: string | null }

/**
 * A run and all that it had started, children of children and detached ones too. Read once no node can write any more: nothing is
 * added to it then.
 */
export async function familyOf(tx: Tx, tenantId: string, runId: string): Promise<string[]> {
  const rows = await tx.rows<{ id: string }>(sql`
    with recursive family as (
      select id from runs where tenant_id = ${tenantId} and id = ${runId}
      union
      select runs.id from family join runs on runs.tenant_id = ${tenantId} and runs.parent_id = family.id
    )
    select id from family limit 100000`)
  return rows.map(({ id }) => id)
}

export async function recordFamily(tx: Tx, stopId: string, runIds: string[]): Promise<void> {
  await tx.rows(sql`update stops set run_ids = ${runIds} where id = ${stopId}`)
}

/** Undefined when the same is stopped already. */
export async function insertStop(tx: Tx, stop: StopScope & { id: string; reason: string | null; by: string }): Promise<StopRow | undefined> {
  const [row] = await tx.rows<StopRow>(sql`
    insert into stops (id, tenant_id, namespace, agent, run_id, reason, stopped_by)
    values (${stop.id}, ${stop.tenantId}, ${stop.namespace}, ${stop.agent}, ${stop.runId}, ${stop.reason}, ${stop.by})
    on conflict do nothing returning ${allColumns}`)
  return row
}

export async function findStopInForce(db: Tx, { tenantId, namespace, agent, runId }: StopScope): Promise<StopRow | undefined> {
  const [row] = await db.rows<StopRow>(sql`
    select ${allColumns} from stops where lifted_at is null and tenant_id = ${tenantId} and namespace = ${namespace} and agent = ${agent} and run_id is not distinct from ${runId}`)
  return row
}

/** Takes the runs of the scope away from whoever executes them. Those that nobody executes are held by the claim alone, so a stop costs what runs and not what waits. */
export async function takeRuns(
  tx: Tx,
  { tenantId, namespace, agent }: StopScope,
  runIds: string[] | null,
  detail: Json,
): Promise<{ runId: string; agent: string; nodeId: string }[]> {
  const wait = JSON.stringify({ kind: 'operator', name: 'operator', until: null, reason: 'stopped', detail })
  return tx.rows(sql`
    with taken as materialized (
      select id, node_id from runs
      where node_id is not null and tenant_id = ${tenantId} and ${namespace} in ('', namespace) and ${agent} in ('', agent) and (${runIds === null} or id = any(${runIds ?? []}::uuid[]))
    )
    update runs set node_id = null, state = 'waiting', wait = ${wait}, due_at = clock_timestamp() from taken
    where runs.id = taken.id and runs.node_id is not null
    returning runs.id as "runId", agent, taken.node_id as "nodeId"`)
}

/** Lifts it. Undefined when it is not in force. */
export async function liftStop(tx: Tx, tenantId: string, stopId: string, by: string): Promise<StopRow | undefined> {
  const [row] = await tx.rows<StopRow>(sql`
    update stops set lifted_at = clock_timestamp(), lifted_by = ${by} where id = ${stopId} and tenant_id = ${tenantId} and lifted_at is null returning ${allColumns}`)
  return row
}

/** How many runs that have not ended wait under this stop, at most `max`. */
export async function countHeld(db: Tx, { tenantId, namespace, agent }: StopScope, runIds: string[] | null, max: number): Promise<number> {
  const [row] = await db.rows<{ count: number }>(sql`
    select count(*)::int as count from (
      select from runs where tenant_id = ${tenantId} and node_id is null and due_at is not null
        and ${namespace} in ('', namespace) and ${agent} in ('', agent) and (${runIds === null} or id = any(${runIds ?? []}::uuid[])) limit ${max}
    ) held`)
  return row?.count ?? 0
}

export type StepEvent = { runId: string; seq: number; type: EventType; op: string; kind: string; name: string; attempt: number; at: Date }

/** The last steps of each of these runs, newest first. Nothing is added to their journals while they are stopped. */
export async function lastSteps(db: Tx, runIds: string[], perRun: number): Promise<StepEvent[]> {
  return db.rows(sql`
    select step.* from unnest(${runIds}::uuid[]) as run(id), lateral (
      select run_id as "runId", seq, type, op, data ->> 'kind' as kind, data ->> 'name' as name, (data ->> 'attempt')::int as attempt, at from events
      where run_id = run.id and type in ('step.started', 'step.completed', 'step.paused', 'step.failed') order by seq desc limit ${perRun}
    ) step order by step.at desc`)
}

/** Nodes that are alive and have not yet acted on their fence as it was raised. */
export async function unheard(db: Tx, raised: { nodeId: string; fence: number }[]): Promise<string[]> {
  const rows = await db.rows<{ id: string }>(sql`
    select nodes.id from nodes join unnest(${raised.map(({ nodeId }) => nodeId)}::uuid[], ${raised.map(({ fence }) => fence)}::bigint[]) as r(id, fence) on r.id = nodes.id
    where not is_dead and heard_fence < r.fence`)
  return rows.map(({ id }) => id)
}

export async function recordHeard(db: Tx, nodeId: string, fence: number): Promise<void> {
  await db.rows(sql`update nodes set heard_fence = ${fence} where id = ${nodeId} and heard_fence < ${fence}`)
}
