/** Limits and their buckets. Whoever changes a limit raises the fence of every node in the same transaction. */
import { type Connection, type Db, type Tx, sql } from '../db/index.ts'
import type { Scope } from './lanes.ts'
import type { Bucket, Limit } from './limits.ts'

const columns = sql`id, tenant_id as "tenantId", namespace, agent, lane_key as "laneKey", running_max as "runningMax",
  starts_per_second as "startsPerSecond", starts_per_minute as "startsPerMinute"`

export type LimitRow = Limit & { setBy: string; setAt: Date; source: 'operator' | 'agent' }
const rowColumns = (source: ReturnType<typeof sql>) => sql`${columns}, set_by as "setBy", set_at as "setAt", ${source} as source`

/** Those that operators have set, and those that agents' code declares. */
const stored = sql`id, tenant_id, namespace, agent, lane_key, running_max, starts_per_second, starts_per_minute, set_by, set_at`
const inForce = sql`(select ${stored}, 'operator' as source from limits union all select ${stored}, 'agent' as source from agent_limits)`

/** Every limit there is, for nodes to know which lanes they may not start in by themselves. */
export async function readLimits(connection: Connection | Db): Promise<Limit[]> {
  const query = sql`select ${columns} from ${inForce} l limit 100000`
  return 'rows' in connection ? connection.rows<Limit>(query) : connection.query<Limit>(query)
}

/** In the order of their names. `after` is the id of the last one of the page before. */
export async function listLimits(db: Tx, tenantId: string, { limit, after }: { limit: number; after?: string | undefined }): Promise<LimitRow[]> {
  return db.rows(sql`
    select ${rowColumns(sql`source`)} from ${inForce} l
    where tenant_id = ${tenantId}
      and (${after ?? null}::uuid is null
        or (namespace, agent, lane_key, source) > (select namespace, agent, lane_key, source from ${inForce} l where id = ${after ?? null}::uuid and tenant_id = ${tenantId}))
    order by namespace, agent, lane_key, source limit ${limit}`)
}

/** One limit for each scope: the one that is there is changed. */
export async function upsertLimit(tx: Tx, limit: Limit, by: string): Promise<LimitRow> {
  const [row] = await tx.rows<LimitRow>(sql`
    insert into limits (id, tenant_id, namespace, agent, lane_key, running_max, starts_per_second, starts_per_minute, set_by)
    values (${limit.id}, ${limit.tenantId}, ${limit.namespace}, ${limit.agent}, ${limit.laneKey}, ${limit.runningMax}, ${limit.startsPerSecond}, ${limit.startsPerMinute}, ${by})
    on conflict (tenant_id, namespace, agent, lane_key) do update
      set running_max = excluded.running_max, starts_per_second = excluded.starts_per_second, starts_per_minute = excluded.starts_per_minute,
        set_by = excluded.set_by, set_at = clock_timestamp()
    returning ${rowColumns(sql`'operator'`)}`)
  if (!row) throw new Error('A limit was neither made nor changed.')
  return row
}

export async function deleteLimit(tx: Tx, tenantId: string, limitId: string): Promise<LimitRow | undefined> {
  const [row] = await tx.rows<LimitRow>(sql`
    with emptied as (delete from limit_buckets where limit_id = ${limitId} and tenant_id = ${tenantId})
    delete from limits where id = ${limitId} and tenant_id = ${tenantId} returning ${rowColumns(sql`'operator'`)}`)
  return row
}

/** Whether it is one of an agent's own, which only its code can change. */
export async function isAgentLimit(tx: Tx, tenantId: string, limitId: string): Promise<boolean> {
  return (await tx.rows(sql`select from agent_limits where id = ${limitId} and tenant_id = ${tenantId}`)).length > 0
}

/** What an agent's code says now stands for what it said before. */
export async function replaceAgentLimits(tx: Tx, tenantId: string, agent: string, limits: Limit[], by: string): Promise<void> {
  const kept = limits.map(({ laneKey }) => laneKey)
  await tx.rows(sql`
    with gone as (delete from agent_limits where tenant_id = ${tenantId} and agent = ${agent} and not (lane_key = any(${kept})) returning id)
    delete from limit_buckets using gone where limit_id = gone.id`)
  for (const limit of limits)
    await tx.rows(sql`
      insert into agent_limits (id, tenant_id, agent, lane_key, running_max, starts_per_second, starts_per_minute, set_by)
      values (${limit.id}, ${tenantId}, ${agent}, ${limit.laneKey}, ${limit.runningMax}, ${limit.startsPerSecond}, ${limit.startsPerMinute}, ${by})
      on conflict (tenant_id, namespace, agent, lane_key) do update
        set running_max = excluded.running_max, starts_per_second = excluded.starts_per_second, starts_per_minute = excluded.starts_per_minute,
          set_by = excluded.set_by, set_at = clock_timestamp()`)
}

/** What each agent's code was last taken to say. */
export async function readAgentLimits(db: Tx): Promise<LimitRow[]> {
  return db.rows(sql`select ${rowColumns(sql`'agent'`)} from agent_limits order by tenant_id, agent, lane_key limit 100000`)
}

/**
 * The limits that any of these scopes is under, locked: whoever claims under one of them does so alone. What runs must be counted by a
 * statement after this one, which sees everything that was committed while this one waited.
 */
export async function lockLimits(tx: Tx, scopes: Scope[]): Promise<Limit[]> {
  const tenants = [...new Set(scopes.map(({ tenantId }) => tenantId))]
  const lock = (table: ReturnType<typeof sql>) =>
    tx.rows<Limit>(sql`
    select ${columns} from ${table} limits
    where tenant_id = any(${tenants}) and exists (
      select from unnest(${tenants.length === 0 ? [] : scopes.map(({ tenantId }) => tenantId)}::text[], ${scopes.map(({ namespace }) => namespace)}::text[], ${scopes.map(({ agent }) => agent)}::text[], ${scopes.map(({ laneKey }) => laneKey)}::text[])
        as s(tenant_id, namespace, agent, lane_key)
      where s.tenant_id = limits.tenant_id and limits.namespace in ('', s.namespace) and limits.agent in ('', s.agent)
        and (limits.lane_key in ('', s.lane_key) or limits.lane_key = '*' and s.lane_key <> ''))
    order by id for update`)
  // One table after the other, so that two who claim at once do not wait for each other.
  return [...(await lock(sql`limits`)), ...(await lock(sql`agent_limits`))]
}

export type Use = { limitId: string; group: string; running: number; bucket: Bucket | null }

/** What runs under each of these limits now, and what its buckets held when they were last written. */
export async function readUses(tx: Tx, limitIds: string[]): Promise<{ uses: Use[]; nowMs: number }> {
  const [row] = await tx.rows<{ uses: Use[]; nowMs: number }>(sql`
    with running as (
      select limits.id, case when limits.lane_key = '*' then runs.lane_key else '' end as lane_key, count(*)::int as count
      from ${inForce} limits join runs on runs.node_id is not null and runs.tenant_id = limits.tenant_id and limits.namespace in ('', runs.namespace) and limits.agent in ('', runs.agent)
        and (limits.lane_key in ('', runs.lane_key) or limits.lane_key = '*' and runs.lane_key <> '')
      where limits.id = any(${limitIds}) group by 1, 2
    ), bucket as (
      select limit_id, lane_key, second_tokens, minute_tokens, extract(epoch from at)::double precision * 1000 as at_ms
      from limit_buckets where limit_id = any(${limitIds})
    )
    select extract(epoch from clock_timestamp())::double precision * 1000 as "nowMs", coalesce((
      select json_agg(json_build_object(
        'limitId', coalesce(running.id, bucket.limit_id), 'group', coalesce(running.lane_key, bucket.lane_key), 'running', coalesce(count, 0),
        'bucket', case when bucket.limit_id is not null then json_build_object('second', second_tokens, 'minute', minute_tokens, 'atMs', at_ms) end))
      from running full join bucket on bucket.limit_id = running.id and bucket.lane_key = running.lane_key), '[]') as uses`)
  return { uses: row?.uses ?? [], nowMs: row?.nowMs ?? 0 }
}

export async function writeBuckets(tx: Tx, buckets: { tenantId: string; limitId: string; group: string; bucket: Bucket }[]): Promise<void> {
  if (buckets.length === 0) return
  const rows = JSON.stringify(buckets.map(({ bucket, ...row }) => ({ ...row, ...bucket })))
  await tx.rows(sql`
    insert into limit_buckets (tenant_id, limit_id, lane_key, second_tokens, minute_tokens, at)
    select b."tenantId", b."limitId", b."group", b.second, b.minute, to_timestamp(b."atMs" / 1000.0)
    from json_to_recordset(${rows}::json) as b("tenantId" text, "limitId" uuid, "group" text, second double precision, minute double precision, "atMs" double precision)
    on conflict (limit_id, lane_key) do update set second_tokens = excluded.second_tokens, minute_tokens = excluded.minute_tokens, at = excluded.at`)
  // One that has not been drawn from for a minute is full again, and so is one that is not there.
  await tx.rows(sql`delete from limit_buckets where limit_id = any(${buckets.map(({ limitId }) => limitId)}) and at < clock_timestamp() - interval '2 minutes'`)
}
