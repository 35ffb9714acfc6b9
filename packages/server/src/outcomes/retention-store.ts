import type { Retention } from '@longhaul/protocol'
import { type Db, type TenantDb, type TenantTx, noteAudit, sql } from '../db/index.ts'

type Row = { namespace: string; days: number; setBy: string; setAt: Date }

const columns = sql`namespace, days, set_by as "setBy", set_at as "setAt"`
const toRetention = ({ namespace, setAt, ...row }: Row): Retention => ({ ...row, namespace: namespace === '' ? null : namespace, setAt: setAt.toISOString() })

/** By namespace, what holds for all others first. */
export async function listRetention(db: TenantTx, tenantId: string, { limit, after }: { limit: number; after?: string | undefined }): Promise<Retention[]> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from retention where tenant_id = ${tenantId} and (${after ?? null}::text is null or namespace > ${after ?? null}) order by namespace limit ${limit}`)
  return rows.map(toRetention)
}

export async function upsertRetention(db: TenantTx, tenantId: string, by: string, namespace: string, days: number): Promise<Retention> {
  const [row] = await db.rows<Row>(sql`
    insert into retention (tenant_id, namespace, days, set_by) values (${tenantId}, ${namespace}, ${days}, ${by})
    on conflict (tenant_id, namespace) do update set days = excluded.days, set_by = excluded.set_by, set_at = clock_timestamp()
    returning ${columns}`)
  if (!row) throw new Error('A retention was neither made nor changed.')
  return toRetention(row)
}

export async function deleteRetention(db: TenantTx, tenantId: string, namespace: string): Promise<void> {
  await db.rows(sql`delete from retention where tenant_id = ${tenantId} and namespace = ${namespace}`)
}

export async function tenantsWithRetention(db: Db): Promise<string[]> {
  return (await db.rows<{ tenantId: string }>(sql`select distinct tenant_id as "tenantId" from retention limit 100000`)).map(({ tenantId }) => tenantId)
}

/**
 * Deletes runs whose time is up, with all that hangs on them, and says so in the audit log, in one transaction. Returns how many. A run that is still somebody's business stays:
 * one whose end is not told yet, that has children which are not deleted, or that goes on as another that has not ended.
 */
export async function deleteExpired(db: TenantDb, tenantId: string, max: number): Promise<number> {
  return db.transaction(async (tx) => {
    const runs = await tx.rows<{ id: string; namespace: string; hash: string | null }>(sql`
      with expired as materialized (
        select runs.id, runs.namespace from runs
        where tenant_id = ${tenantId} and ended_at is not null
          and coalesce((imported ->> 'at')::timestamptz, ended_at) < clock_timestamp() - coalesce(
            (select days from retention where retention.tenant_id = runs.tenant_id and retention.namespace = runs.namespace),
            (select days from retention where retention.tenant_id = runs.tenant_id and retention.namespace = '')) * interval '1 day'
          and not exists (select from endings where endings.run_id = runs.id)
          and not exists (select from deliveries where deliveries.run_id = runs.id and deliveries.state = 'pending')
          and not exists (select from runs child where child.tenant_id = runs.tenant_id and child.parent_id = runs.id)
          and not exists (
            select from runs later where later.tenant_id = runs.tenant_id and later.lineage_id = coalesce(runs.lineage_id, runs.id) and later.ended_at is null)
        order by ended_at limit ${max} for update skip locked
      )
      select id, namespace, (select encode(hash, 'hex') from events where run_id = expired.id order by seq desc limit 1) as hash from expired`)
    if (runs.length === 0) return 0
    const ids = runs.map(({ id }) => id)
    for (const table of [sql`events`, sql`inbox`, sql`approvals`, sql`files`, sql`attachment_uses`, sql`deliveries`, sql`queue_messages`])
      await tx.rows(sql`delete from ${table} where tenant_id = ${tenantId} and run_id = any(${ids}::uuid[])`)
    await tx.rows(sql`delete from runs where tenant_id = ${tenantId} and id = any(${ids}::uuid[])`)
    for (const [namespace, gone] of Map.groupBy(runs, (run) => run.namespace))
      await noteAudit(tx, {
        who: { id: null, name: 'retention' },
        action: 'runs.delete',
        target: namespace,
        // The last hash of each journal, by which an export that somebody kept can be told to be of this run.
        detail: { count: gone.length, runs: gone.map(({ id, hash }) => ({ id, hash })) },
      })
    return runs.length
  })
}
