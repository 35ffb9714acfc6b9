/** Which version new runs get. Who changes it holds the agent's lock, so that decisions come one after the other. */
import type { Asker, CanarySubjects, DeployPlan, Deployment, RollbackGuard, VersionRecord } from '@longhaul/protocol'
import { type Db, type TenantDb, type TenantTx, type Tx, sql } from '../db/index.ts'
import { scoresOf } from './evaluation-store.ts'

type Row = Omit<Deployment, 'createdAt' | 'endedAt'> & { createdAt: Date; endedAt: Date | null }

const columns = sql`
  id, agent, version, share, canary_subjects as "canarySubjects", state, replaced, guard, evidence, reason, made_by as "madeBy", created_at as "createdAt", ended_at as "endedAt"`
const toDeployment = ({ createdAt, endedAt, ...row }: Row): Deployment => ({
  ...row,
  createdAt: createdAt.toISOString(),
  endedAt: endedAt?.toISOString() ?? null,
})

export type NewDeployment = {
  id: string
  tenantId: string
  agent: string
  version: string
  share: number
  canarySubjects?: CanarySubjects | undefined
  guard: RollbackGuard | null
  reason: string | null
  madeBy: string
  /** Whose access that has which the version declares. Absent: as when it was deployed last. */
  asker?: Asker | undefined
}

/** Makes `work`'s decision the only one about this agent while it is being made. */
export function deciding<Result>(db: TenantDb, tenantId: string, agent: string, work: (tx: TenantTx) => Promise<Result>): Promise<Result> {
  return db.transaction(async (tx) => {
    await tx.rows(sql`select pg_advisory_xact_lock(hashtextextended(${`deploy ${tenantId}/${agent}`}, 0))`)
    return work(tx)
  })
}

export async function currentDeployments(
  db: TenantTx,
  tenantId: string,
  agent: string,
): Promise<{ live: Deployment | undefined; canary: Deployment | undefined }> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from deployments where tenant_id = ${tenantId} and agent = ${agent} and state in ('live', 'canary')`)
  const found = rows.map(toDeployment)
  return { live: found.find(({ state }) => state === 'live'), canary: found.find(({ state }) => state === 'canary') }
}

/** The new deployment, live or canary by its share. Whatever it takes the place of is superseded. */
export async function insertDeployment(tx: TenantTx, deployment: NewDeployment): Promise<Deployment> {
  const { id, tenantId, agent, version, share, canarySubjects, guard, reason, madeBy, asker } = deployment
  const state = share === 100 ? 'live' : 'canary'
  const [before] = await tx.rows<{ version: string }>(sql`
    select version from deployments where tenant_id = ${tenantId} and agent = ${agent} and state = 'live'`)
  await tx.rows(sql`
    update deployments set state = 'superseded', ended_at = clock_timestamp()
    where tenant_id = ${tenantId} and agent = ${agent} and (state = 'canary' or (state = 'live' and ${state} = 'live'))`)
  const [row] = await tx.rows<Row>(sql`
    insert into deployments (id, tenant_id, agent, version, share, canary_subjects, state, replaced, guard, reason, made_by, asker)
    values (${id}, ${tenantId}, ${agent}, ${version}, ${share}, ${canarySubjects ? JSON.stringify(canarySubjects) : null}, ${state}, ${before && before.version !== version ? before.version : null},
      ${guard && JSON.stringify(guard)}, ${reason}, ${madeBy},
      coalesce(${asker ? JSON.stringify(asker) : null}::json, (
        select asker from deployments where tenant_id = ${tenantId} and agent = ${agent} and version = ${version} and asker is not null order by id desc limit 1)))
    returning ${columns}`)
  return toDeployment(row!) // An insert without `on conflict` returns its row.
}

/** Ends a deployment as taken back. Undefined when it was over already. */
export async function endDeployment(
  tx: TenantTx,
  id: string,
  { reason, evidence }: { reason: string | null; evidence: Deployment['evidence'] },
): Promise<Deployment | undefined> {
  const [row] = await tx.rows<Row>(sql`
    update deployments set state = 'rolled_back', ended_at = clock_timestamp(), evidence = ${evidence && JSON.stringify(evidence)}, reason = coalesce(${reason}, reason)
    where id = ${id} and state in ('live', 'canary') returning ${columns}`)
  return row && toDeployment(row)
}

/** What was live before this version was, the last time that it became so. */
export async function predecessorOf(tx: TenantTx, tenantId: string, agent: string, version: string): Promise<string | null> {
  const [row] = await tx.rows<{ replaced: string | null }>(sql`
    select replaced from deployments
    where tenant_id = ${tenantId} and agent = ${agent} and version = ${version} and share = 100 and replaced is not null order by id desc limit 1`)
  return row?.replaced ?? null
}

/** The version that the agents' folder gave last. */
export async function lastFrom(db: TenantTx, tenantId: string, agent: string, madeBy: string): Promise<string | undefined> {
  const [row] = await db.rows<{ version: string }>(sql`
    select version from deployments where tenant_id = ${tenantId} and agent = ${agent} and made_by = ${madeBy} order by created_at desc limit 1`)
  return row?.version
}

export async function listDeployments(
  db: TenantTx,
  tenantId: string,
  agent: string,
  { limit, before }: { limit: number; before: string | undefined },
): Promise<Deployment[]> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from deployments
    where tenant_id = ${tenantId} and agent = ${agent} and (${before ?? null}::uuid is null or id < ${before ?? null}::uuid)
    order by id desc limit ${limit}`)
  return rows.map(toDeployment)
}

/** Deployments whose guard still watches. */
export async function listGuarded(db: Tx): Promise<(Deployment & { tenantId: string; guard: RollbackGuard })[]> {
  const rows = await db.rows<Row & { tenantId: string; guard: RollbackGuard }>(sql`
    select ${columns}, tenant_id as "tenantId" from deployments
    where state in ('live', 'canary') and guard is not null
      and created_at + (guard ->> 'windowMs')::double precision * interval '1 ms' > clock_timestamp()
    order by created_at limit 1000`)
  return rows.map((row) => ({ ...toDeployment(row), tenantId: row.tenantId, guard: row.guard }))
}

/** Versions that new runs get, as `tenant/agent/version`. */
export async function listWanted(db: Db): Promise<string[]> {
  const rows = await db.rows<{ name: string }>(
    sql`select tenant_id || '/' || agent || '/' || version as name from deployments where state in ('live', 'canary') limit 100000`,
  )
  return rows.map(({ name }) => name)
}

const recordRunsMax = 1_000

/** How the version's newest runs since then fared. A run that waits for an operator has failed, as far as its asker can tell. */
export async function recordOf(db: TenantTx, tenantId: string, agent: string, version: string, sinceMs: number): Promise<VersionRecord> {
  const [row] = await db.rows<Omit<VersionRecord, 'version'>>(sql`
    with ended as (
      select state, extract(epoch from ended_at - started_at)::double precision * 1000 as ms, (usage ->> 'costUsd')::double precision as cost
      from runs
      where tenant_id = ${tenantId} and agent = ${agent} and version = ${version} and imported is null and not withholds_writes and created_at >= to_timestamp(${sinceMs / 1_000}::double precision)
        and (state in ('completed', 'failed') or (state = 'waiting' and wait ->> 'kind' = 'operator'))
      order by id desc limit ${recordRunsMax}
    )
    select count(*)::int as "runCount", (count(*) filter (where state <> 'completed'))::int as "failedCount",
      percentile_cont(0.5) within group (order by ms) filter (where state = 'completed') as "durationMsMedian", avg(cost) as "costUsdMean"
    from ended`)
  return {
    version,
    runCount: row?.runCount ?? 0,
    failedCount: row?.failedCount ?? 0,
    durationMsMedian: row?.durationMsMedian ?? null,
    costUsdMean: row?.costUsdMean ?? null,
    scores: await scoresOf(db, tenantId, agent, version),
  }
}

/** How many of the runs under way are named in a plan. */
const plannedRunsMax = 100
const sessionsWithinMs = 7 * 86_400_000

/** What giving `version` to new runs would mean for those that are under way, and for sessions. */
export async function planFor(db: TenantTx, tenantId: string, agent: string, version: string): Promise<Omit<DeployPlan, 'agent' | 'version'>> {
  const pinned = await db.rows<DeployPlan['pinned'][number]>(sql`
    select version, (count(*) filter (where state <> 'waiting'))::int as "runningCount", (count(*) filter (where state = 'waiting'))::int as "waitingCount"
    from runs
    where tenant_id = ${tenantId} and agent = ${agent} and version <> ${version} and state in ('pending', 'running', 'waiting')
    group by version order by max(id::text) desc limit 100`)
  const [sessions] = await db.rows<{ count: number }>(sql`
    select count(distinct session_id)::int as count from runs
    where tenant_id = ${tenantId} and agent = ${agent} and session_id is not null and version <> ${version}
      and created_at > clock_timestamp() - ${sessionsWithinMs} * interval '1 ms'`)
  const runs = await db.rows<{ id: string }>(sql`
    select id from runs
    where tenant_id = ${tenantId} and agent = ${agent} and version <> ${version} and state in ('pending', 'running', 'waiting')
    order by id desc limit ${plannedRunsMax}`)
  return { pinned, sessionCount: sessions?.count ?? 0, sessionsWithinMs, runIds: runs.map(({ id }) => id) }
}
