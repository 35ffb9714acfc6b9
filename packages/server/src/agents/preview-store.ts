import type { Preview, Source } from '@longhaul/protocol'
import { type Db, type TenantTx, sql } from '../db/index.ts'

type Row = Omit<Preview, 'updatedAt' | 'expiresAt'> & { updatedAt: Date; expiresAt: Date }

const columns = sql`agent, name, version, source, made_by as "madeBy", updated_at as "updatedAt", expires_at as "expiresAt"`
const toPreview = ({ updatedAt, expiresAt, ...row }: Row): Preview => ({ ...row, updatedAt: updatedAt.toISOString(), expiresAt: expiresAt.toISOString() })

export type NewPreview = { tenantId: string; agent: string; name: string; version: string; source: Source; madeBy: string; keepForMs: number }

/** Makes it, or moves it to another version. */
export async function putPreview(db: TenantTx, { tenantId, agent, name, version, source, madeBy, keepForMs }: NewPreview): Promise<Preview> {
  const [row] = await db.rows<Row>(sql`
    insert into previews (tenant_id, agent, name, version, source, made_by, expires_at)
    values (${tenantId}, ${agent}, ${name}, ${version}, ${JSON.stringify(source)}, ${madeBy}, clock_timestamp() + ${keepForMs} * interval '1 ms')
    on conflict (tenant_id, agent, name) do update set version = excluded.version, source = excluded.source, made_by = excluded.made_by,
      updated_at = clock_timestamp(), expires_at = excluded.expires_at
    returning ${columns}`)
  return toPreview(row!) // It was inserted or updated.
}

export async function findPreview(db: TenantTx, tenantId: string, agent: string, name: string): Promise<Preview | undefined> {
  const [row] = await db.rows<Row>(sql`
    select ${columns} from previews
    where tenant_id = ${tenantId} and agent = ${agent} and name = ${name} and expires_at > clock_timestamp()`)
  return row && toPreview(row)
}

export async function listPreviews(
  db: TenantTx,
  tenantId: string,
  agent: string,
  { limit, after }: { limit: number; after: string | undefined },
): Promise<Preview[]> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from previews
    where tenant_id = ${tenantId} and agent = ${agent} and expires_at > clock_timestamp() and (${after ?? null}::text is null or name > ${after ?? null})
    order by name limit ${limit}`)
  return rows.map(toPreview)
}

export async function isPreviewed(db: TenantTx, tenantId: string, agent: string, version: string): Promise<boolean> {
  const rows = await db.rows(sql`
    select from previews where tenant_id = ${tenantId} and agent = ${agent} and version = ${version} and expires_at > clock_timestamp() limit 1`)
  return rows.length > 0
}

export async function deletePreview(db: TenantTx, tenantId: string, agent: string, name: string): Promise<Preview | undefined> {
  const [row] = await db.rows<Row>(sql`
    delete from previews where tenant_id = ${tenantId} and agent = ${agent} and name = ${name} and expires_at > clock_timestamp()
    returning ${columns}`)
  return row && toPreview(row)
}

export async function deleteExpiredPreviews(db: Db): Promise<void> {
  await db.rows(sql`delete from previews where expires_at <= clock_timestamp()`)
}
