import { type AgentManifest, storableText } from '@longhaul/protocol'
import { type TenantDb, type TenantTx, sql } from '../db/index.ts'

export type VersionRow = { agent: string; version: string; manifest: AgentManifest | null; problem: string | null; deployedAt: Date }

const columns = sql`agent, version, manifest, problem, deployed_at as "deployedAt"`

/** Makes a version the live one of its agent. Deploying the live one again changes nothing. Servers that deploy at the same time do it one after the other: the last one counts. */
export async function makeLive(db: TenantDb, tenantId: string, agent: string, version: string): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.rows(sql`select pg_advisory_xact_lock(hashtextextended(${`deploy ${tenantId}/${agent}`}, 0))`)
    await tx.rows(sql`update versions set is_live = false where tenant_id = ${tenantId} and agent = ${agent} and is_live and version <> ${version}`)
    await tx.rows(sql`
      insert into versions (tenant_id, agent, version, is_live) values (${tenantId}, ${agent}, ${version}, true)
      on conflict (tenant_id, agent, version) do update set is_live = true, deployed_at = case when versions.is_live then versions.deployed_at else clock_timestamp() end`)
  })
}

export async function recordLoaded(
  db: TenantTx,
  tenantId: string,
  agent: string,
  version: string,
  loaded: { manifest: AgentManifest | null; problem: string | null },
): Promise<void> {
  await db.rows(sql`
    update versions set manifest = coalesce(${loaded.manifest && JSON.stringify(loaded.manifest)}, manifest), problem = ${loaded.problem && storableText(loaded.problem)}
    where tenant_id = ${tenantId} and agent = ${agent} and version = ${version}`)
}

export async function listLive(db: TenantTx, tenantId: string): Promise<VersionRow[]> {
  return db.rows(sql`select ${columns} from versions where tenant_id = ${tenantId} and is_live order by agent limit 1000`)
}

export async function findLive(db: TenantTx, tenantId: string, agent: string): Promise<VersionRow | undefined> {
  const [row] = await db.rows<VersionRow>(sql`select ${columns} from versions where tenant_id = ${tenantId} and agent = ${agent} and is_live`)
  return row
}
