import { type AgentManifest, type RunLimits, type Version, storableText } from '@longhaul/protocol'
import { type Db, type TenantDb, type TenantTx, sql } from '../db/index.ts'

export type LiveRow = { agent: string; version: string; manifest: AgentManifest | null; problem: string | null; deployedAt: Date }

/** Keeps a version and its code. False when it is known already. */
export async function insertVersion(db: TenantDb, tenantId: string, agent: string, version: string, bundle: Buffer): Promise<boolean> {
  return db.transaction(async (tx) => {
    const inserted = await tx.rows(
      sql`insert into versions (tenant_id, agent, version) values (${tenantId}, ${agent}, ${version}) on conflict do nothing returning version`,
    )
    await tx.rows(sql`
      insert into bundles (tenant_id, agent, version, content) values (${tenantId}, ${agent}, ${version}, ${bundle}) on conflict do nothing`)
    return inserted.length > 0
  })
}

export async function findBundle(db: TenantTx, tenantId: string, agent: string, version: string): Promise<Buffer | undefined> {
  const [row] = await db.rows<{ content: Buffer }>(sql`select content from bundles where tenant_id = ${tenantId} and agent = ${agent} and version = ${version}`)
  return row?.content
}

/** What a worker found when it loaded the code. A manifest that was once had stays. */
export async function recordLoaded(
  db: TenantTx,
  tenantId: string,
  agent: string,
  version: string,
  loaded: { manifest: AgentManifest | null; problem: string | null },
): Promise<void> {
  if (loaded.manifest)
    await db.rows(sql`
      update deployments set declared_at = null from versions v
      where deployments.tenant_id = ${tenantId} and deployments.agent = ${agent} and deployments.version = ${version} and deployments.state = 'live'
        and v.tenant_id = ${tenantId} and v.agent = ${agent} and v.version = ${version} and v.manifest is not null and v.manifest::text <> ${JSON.stringify(loaded.manifest)}`)
  await db.rows(sql`
    update versions set manifest = coalesce(${loaded.manifest && JSON.stringify(loaded.manifest)}, manifest), problem = ${loaded.problem && storableText(loaded.problem)}
    where tenant_id = ${tenantId} and agent = ${agent} and version = ${version}`)
}

export async function findManifest(db: TenantTx, tenantId: string, agent: string, version: string): Promise<AgentManifest | undefined> {
  const [row] = await db.rows<{ manifest: AgentManifest | null }>(
    sql`select manifest from versions where tenant_id = ${tenantId} and agent = ${agent} and version = ${version}`,
  )
  return row?.manifest ?? undefined
}

const live = sql`
  select d.agent, d.version, v.manifest, v.problem, d.created_at as "deployedAt"
  from deployments d join versions v on v.tenant_id = d.tenant_id and v.agent = d.agent and v.version = d.version
  where d.state = 'live'`

export async function listLive(db: TenantTx, tenantId: string): Promise<LiveRow[]> {
  return db.rows(sql`${live} and d.tenant_id = ${tenantId} order by d.agent limit 1000`)
}

/** What live versions of all tenants declare of their runs. */
export async function listRunLimits(db: Db): Promise<{ tenantId: string; agent: string; version: string; limits: RunLimits }[]> {
  return db.rows(sql`
    select d.tenant_id as "tenantId", d.agent, d.version, v.manifest -> 'runLimits' as limits
    from deployments d join versions v on v.tenant_id = d.tenant_id and v.agent = d.agent and v.version = d.version
    where d.state = 'live' and v.manifest -> 'runLimits' is not null limit 100000`)
}

export async function findLive(db: TenantTx, tenantId: string, agent: string): Promise<LiveRow | undefined> {
  const [row] = await db.rows<LiveRow>(sql`${live} and d.tenant_id = ${tenantId} and d.agent = ${agent}`)
  return row
}

type VersionRow = Omit<Version, 'status' | 'createdAt'> & { isLoaded: boolean; createdAt: Date }

export async function listVersions(
  db: TenantTx,
  tenantId: string,
  agent: string,
  { limit, version }: { limit: number; version?: string | undefined },
): Promise<Version[]> {
  const rows = await db.rows<VersionRow>(sql`
    select v.agent, v.version, v.problem, v.manifest is not null as "isLoaded", v.created_at as "createdAt", d.state as deployment,
      case d.state when 'canary' then d.share when 'live' then 100 - coalesce(c.share, 0) end as share,
      (select count(*)::int from runs r where r.tenant_id = v.tenant_id and r.agent = v.agent and r.version = v.version
        and r.state in ('pending', 'running', 'waiting')) as "activeRunCount"
    from versions v
    left join deployments d on d.tenant_id = v.tenant_id and d.agent = v.agent and d.version = v.version and d.state in ('live', 'canary')
    left join deployments c on c.tenant_id = v.tenant_id and c.agent = v.agent and c.state = 'canary'
    where v.tenant_id = ${tenantId} and v.agent = ${agent} and (${version ?? null}::text is null or v.version = ${version ?? null})
    order by v.created_at desc, v.version limit ${limit}`)
  return rows.map(({ isLoaded, createdAt, ...row }) => ({
    ...row,
    status: row.problem !== null ? 'broken' : isLoaded ? 'ready' : 'starting',
    createdAt: createdAt.toISOString(),
  }))
}
