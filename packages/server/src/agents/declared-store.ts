/** Live versions whose declarations have yet to be made to hold. */
import type { Asker } from '@longhaul/protocol'
import { type Db, type TenantTx, sql } from '../db/index.ts'
import type { DeclaredSchedules } from '../engine/index.ts'
import type { DeclaredChannels } from '../hooks/index.ts'

export async function listUndeclared(db: Db): Promise<{ tenantId: string; agent: string }[]> {
  return db.rows(sql`
    select d.tenant_id as "tenantId", d.agent from deployments d join versions v on v.tenant_id = d.tenant_id and v.agent = d.agent and v.version = d.version
    where d.state = 'live' and d.declared_at is null and v.manifest is not null order by d.created_at limit 1000`)
}

type Undeclared = { id: string; version: string; asker: Asker | null } & Pick<DeclaredSchedules, 'schedules'> & Pick<DeclaredChannels, 'channels'>

export async function findUndeclared(tx: TenantTx, tenantId: string, agent: string): Promise<Undeclared | undefined> {
  const [row] = await tx.rows<Undeclared>(sql`
    select d.id, d.version, d.asker, coalesce(v.manifest -> 'schedules', '[]') as schedules, coalesce(v.manifest -> 'channels', '[]') as channels
    from deployments d join versions v on v.tenant_id = d.tenant_id and v.agent = d.agent and v.version = d.version
    where d.tenant_id = ${tenantId} and d.agent = ${agent} and d.state = 'live' and d.declared_at is null and v.manifest is not null`)
  return row
}

export async function recordDeclared(tx: TenantTx, tenantId: string, deploymentId: string): Promise<void> {
  await tx.rows(sql`update deployments set declared_at = clock_timestamp() where tenant_id = ${tenantId} and id = ${deploymentId}`)
}
