import type { Policy } from '@longhaul/protocol'
import { type TenantTx, sql } from '../db/index.ts'

type Row = Omit<Policy, 'createdAt'> & { createdAt: Date }
const columns = sql`name, version, text, description, is_active as "isActive", created_by as "createdBy", created_at as "createdAt"`
const toPolicy = (row: Row): Policy => ({ ...row, createdAt: row.createdAt.toISOString() })

/** Those in force, by name. */
export async function listActive(db: TenantTx, limit: number): Promise<Policy[]> {
  const rows = await db.rows<Row>(sql`select ${columns} from policies where tenant_id = ${db.tenantId} and is_active order by name limit ${limit}`)
  return rows.map(toPolicy)
}

export async function listVersions(db: TenantTx, name: string, limit: number): Promise<Policy[]> {
  const rows = await db.rows<Row>(sql`select ${columns} from policies where tenant_id = ${db.tenantId} and name = ${name} order by version desc limit ${limit}`)
  return rows.map(toPolicy)
}

/** The next version is the one in force. Two writers at once: one waits for the other, since both lock the tenant's policies. */
export async function insertVersion(tx: TenantTx, policy: Pick<Policy, 'name' | 'text' | 'description' | 'createdBy'>): Promise<Policy> {
  await lockPolicies(tx)
  await tx.rows(sql`update policies set is_active = false where tenant_id = ${tx.tenantId} and name = ${policy.name} and is_active`)
  const [row] = await tx.rows<Row>(sql`
    insert into policies (tenant_id, name, version, text, description, is_active, created_by)
    select ${tx.tenantId}, ${policy.name}, coalesce(max(version), 0) + 1, ${policy.text}, ${policy.description}, true, ${policy.createdBy}
    from policies
    where tenant_id = ${tx.tenantId} and name = ${policy.name}
    returning ${columns}`)
  return toPolicy(row!) // An insert that did not fail returns its row.
}

export async function deactivate(tx: TenantTx, name: string): Promise<Policy | undefined> {
  await lockPolicies(tx)
  const [row] = await tx.rows<Row>(sql`
    update policies set is_active = false where tenant_id = ${tx.tenantId} and name = ${name} and is_active returning ${columns}`)
  return row && toPolicy(row)
}

const lockPolicies = (tx: TenantTx) => tx.rows(sql`select pg_advisory_xact_lock(hashtextextended(${`policies ${tx.tenantId}`}, 0))`)
