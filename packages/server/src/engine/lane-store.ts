/** What waits in which lane, and the claiming of what was chosen from it. */
import { type Tx, sql } from '../db/index.ts'
import type { Lane, Scope } from './lanes.ts'
import type { ClaimedRun } from './run-store.ts'

/** Where to go on with looking, when there are more lanes than one look takes in. */
export type Cursor = { tenantId: string; lanes: Record<string, [namespace: string, agent: string, laneKey: string, rank: number]> }
export const startCursor = (): Cursor => ({ tenantId: '', lanes: {} })

const tenantsMax = 100
const lanesOfTenantMax = 64

type Head = Scope & { rank: number; id: string | null; dueMs: number; position: number; tenantPosition: number; isLimited: boolean }

/**
 * The first due runs of each lane, locked until the end of the transaction; what another node is looking at is passed over. Lanes
 * under a stop are left out, but for cancellations. An index is skipped through from lane to lane, so the cost depends on how many lanes there are
 * and not on how many runs wait. `isLimited`: one of their tenants has limits; `statement_timestamp()` can be looked up in it, unlike a clock that moves.
 */
export async function readLanes(tx: Tx, cursor: Cursor, limit: number): Promise<{ lanes: Lane[]; next: Cursor; isLimited: boolean }> {
  const after = Object.entries(cursor.lanes).map(([tenant, [namespace, agent, lane, rank]]) => ({ tenant, namespace, agent, lane, rank }))
  const heads = await tx.rows<Head>(sql`
    with recursive tenants (tenant_id, n) as (
      (select tenant_id, 1 from runs where node_id is null and due_at is not null and tenant_id > ${cursor.tenantId} order by tenant_id limit 1)
      union all
      select next.tenant_id, n + 1 from tenants, lateral (
        select tenant_id from runs where node_id is null and due_at is not null and runs.tenant_id > tenants.tenant_id order by tenant_id limit 1
      ) next where n < ${tenantsMax}
    ), after as (
      select * from json_to_recordset(${JSON.stringify(after)}::json) as a(tenant text, namespace text, agent text, lane text, rank int)
    ), lanes as materialized (
      select tenants.tenant_id, tenants.n, lane.*, not exists (
          select from stops where lifted_at is null and stops.tenant_id = tenants.tenant_id and run_id is null
            and stops.namespace in ('', lane.namespace) and stops.agent in ('', lane.agent)
        ) or lane.rank = 4 as is_open
      from tenants left join after on after.tenant = tenants.tenant_id, lateral (
        with recursive lane (namespace, agent, lane_key, rank, position) as (
          (select namespace, agent, lane_key, rank, 1 from runs
            where node_id is null and due_at is not null and runs.tenant_id = tenants.tenant_id
              and (runs.namespace, runs.agent, runs.lane_key, runs.rank) > (coalesce(after.namespace, ''), coalesce(after.agent, ''), coalesce(after.lane, ''), coalesce(after.rank, -1))
            order by namespace, agent, lane_key, rank limit 1)
          union all
          select next.namespace, next.agent, next.lane_key, next.rank, position + 1 from lane, lateral (
            select namespace, agent, lane_key, rank from runs
            where node_id is null and due_at is not null and runs.tenant_id = tenants.tenant_id
              and (runs.namespace, runs.agent, runs.lane_key, runs.rank) > (lane.namespace, lane.agent, lane.lane_key, lane.rank)
            order by namespace, agent, lane_key, rank limit 1
          ) next where position < ${lanesOfTenantMax}
        )
        select * from lane
      ) lane
    )
    select lanes.tenant_id as "tenantId", lanes.namespace, lanes.agent, lanes.lane_key as "laneKey", lanes.rank, lanes.position, lanes.n as "tenantPosition", head.id,
      exists (select from limits where limits.tenant_id = lanes.tenant_id) or exists (select from agent_limits where agent_limits.tenant_id = lanes.tenant_id) as "isLimited",
      extract(epoch from head.due_at)::double precision * 1000 as "dueMs"
    from lanes left join lateral (
      select id, due_at from runs
      where node_id is null and due_at <= statement_timestamp() and runs.tenant_id = lanes.tenant_id and runs.namespace = lanes.namespace
        and runs.agent = lanes.agent and runs.lane_key = lanes.lane_key and runs.rank = lanes.rank and lanes.is_open
        and (runs.rank = 4 or not exists (select from stops where lifted_at is null and stops.tenant_id = runs.tenant_id and runs.id = any(stops.run_ids)))
      order by due_at limit least(${limit}, 1 + ceil(2.0 * ${limit} / (select count(*) from lanes)))
      for update skip locked
    ) head on true`)
  const lanes = [...Map.groupBy(heads, ({ tenantId, namespace, agent, laneKey, rank }) => JSON.stringify([tenantId, namespace, agent, laneKey, rank])).values()]
  return { lanes: lanes.flatMap(toLane), next: nextCursor(heads), isLimited: heads.some(({ isLimited }) => isLimited) }
}

function toLane(heads: Head[]): Lane[] {
  const [first] = heads
  const waiting = heads.flatMap(({ id, dueMs }) => (id === null ? [] : [{ id, dueMs }])).toSorted((a, b) => a.dueMs - b.dueMs)
  if (!first || waiting.length === 0) return []
  const { tenantId, namespace, agent, laneKey, rank } = first
  return [{ tenantId, namespace, agent, laneKey, rank, waiting }]
}

/** After the last tenant seen, and in each tenant after its last lane; from the beginning where the end was reached. */
function nextCursor(heads: Head[]): Cursor {
  const lanes: Cursor['lanes'] = {}
  let tenantId = ''
  for (const head of heads) {
    if (head.position >= lanesOfTenantMax) lanes[head.tenantId] = [head.namespace, head.agent, head.laneKey, head.rank]
    if (head.tenantPosition >= tenantsMax) tenantId = head.tenantId
  }
  return { tenantId, lanes }
}

/**
 * Makes these runs, which the transaction has locked, the node's, if its fence is what it knows. Undefined when it is not: somebody has decided over its
 * head, and it has to learn what before it claims. Its row stays locked until the commit, so whoever decides next finds these claims.
 */
export async function claimChosen(tx: Tx, { nodeId, fence, ids }: { nodeId: string; fence: number; ids: string[] }): Promise<ClaimedRun[] | undefined> {
  const claimed = await tx.rows<ClaimedRun>(sql`
    with held as materialized (select id from nodes where id = ${nodeId} and fence = ${fence} and not is_dead for no key update)
    update runs set state = 'running', node_id = ${nodeId}, epoch = epoch + 1, due_at = null, wait = null, rank = greatest(rank, 3), started_at = coalesce(started_at, clock_timestamp())
    where id = any(${ids}) and node_id is null and due_at is not null and exists (select from held)
    returning id, epoch, tenant_id as "tenantId", namespace, agent, version, lane_key as "laneKey", session_id as "sessionId", input, asker,
      inbox_count as "inboxCount", created_at as "createdAt",
      parent_id as "parentId", parent_op as "parentOp", depth, lineage_id as "lineageId", is_detached as "isDetached", destinations, part, cost_usd_max as "costUsdMax", labels,
      fork, withholds_writes as "withholdsWrites"`)
  return claimed.length > 0 ? claimed : undefined
}
