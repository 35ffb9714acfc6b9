import type { Connection, Json, MarketplaceVersion } from '@longhaul/protocol'
import { type TenantTx, sql } from '../../db/index.ts'

export type PinnedTool = { name: string; description: string; hash: string }
export type VersionRow = Omit<MarketplaceVersion, 'kind' | 'url' | 'publishedAt' | 'decidedAt'> & {
  connection: { kind: 'mcp' | 'openapi'; url?: string }
  publishedAt: Date
  decidedAt: Date | null
}
export type NewVersion = Pick<VersionRow, 'entry' | 'description' | 'tools' | 'hash' | 'publishedBy'> & { connection: Connection; document: string | null }

const columns = sql`entry, version, description, connection, tools, hash, state, published_by as "publishedBy", published_at as "publishedAt",
  decided_by as "decidedBy", decided_at as "decidedAt", reason,
  array(select namespace from marketplace_installs i where i.tenant_id = v.tenant_id and i.entry = v.entry and i.version = v.version order by namespace limit 1000) as namespaces`

/** Newest first. */
export async function listVersions(db: TenantTx, entry: string | undefined, limit: number): Promise<VersionRow[]> {
  return db.rows(sql`
    select ${columns} from marketplace_versions v
    where tenant_id = ${db.tenantId} and (${entry ?? null}::text is null or entry = ${entry ?? null})
    order by published_at desc, version desc limit ${limit}`)
}

export async function findVersion(db: TenantTx, entry: string, version: number): Promise<VersionRow | undefined> {
  const [row] = await db.rows<VersionRow>(
    sql`select ${columns} from marketplace_versions v where tenant_id = ${db.tenantId} and entry = ${entry} and version = ${version}`,
  )
  return row
}

/** The number of the version. One at a time for each entry. */
export async function insertVersion(tx: TenantTx, { entry, description, connection, document, tools, hash, publishedBy }: NewVersion): Promise<number> {
  await tx.rows(sql`select pg_advisory_xact_lock(hashtextextended(${`marketplace ${tx.tenantId}/${entry}`}, 0))`)
  const [row] = await tx.rows<{ version: number }>(sql`
    insert into marketplace_versions (tenant_id, entry, version, description, connection, document, tools, hash, published_by)
    select ${tx.tenantId}, ${entry}, coalesce(max(version), 0) + 1, ${description}, ${JSON.stringify(connection)}, ${document}, ${JSON.stringify(tools)}, ${hash}, ${publishedBy}
    from marketplace_versions where tenant_id = ${tx.tenantId} and entry = ${entry}
    returning version`)
  return row?.version ?? 0
}

/** False when it is in another state, or has another hash. */
export async function decideVersion(
  db: TenantTx,
  {
    entry,
    version,
    hash,
    from,
    state,
    by,
    reason,
  }: { entry: string; version: number; hash?: string; from: string[]; state: string; by: string; reason: string | null },
): Promise<boolean> {
  const rows = await db.rows(sql`
    update marketplace_versions set state = ${state}, decided_by = ${by}, decided_at = ${db.now}, reason = ${reason}
    where tenant_id = ${db.tenantId} and entry = ${entry} and version = ${version} and state = any(${from}) and (${hash ?? null}::text is null or hash = ${hash ?? null})
    returning version`)
  return rows.length > 0
}

/** False when there is no approved version of this hash: looked at in the statement that installs it. */
export async function install(
  db: TenantTx,
  by: string,
  { entry, version, hash, namespace }: { entry: string; version: number; hash: string; namespace: string },
): Promise<boolean> {
  const rows = await db.rows(sql`
    insert into marketplace_installs (tenant_id, namespace, entry, version, hash, installed_by)
    select tenant_id, ${namespace}, entry, version, hash, ${by} from marketplace_versions
    where tenant_id = ${db.tenantId} and entry = ${entry} and version = ${version} and hash = ${hash} and state = 'approved'
    on conflict (tenant_id, namespace, entry) do update
    set version = excluded.version, hash = excluded.hash, installed_by = excluded.installed_by, installed_at = ${db.now}
    returning version`)
  return rows.length > 0
}

export async function uninstall(db: TenantTx, entry: string, namespace: string): Promise<{ version: number; hash: string } | undefined> {
  const [row] = await db.rows<{ version: number; hash: string }>(
    sql`delete from marketplace_installs where tenant_id = ${db.tenantId} and entry = ${entry} and namespace = ${namespace} returning version, hash`,
  )
  return row
}

export type Installed = Pick<VersionRow, 'version' | 'hash' | 'state' | 'reason' | 'tools'> & { connection: Json; document: string | null }

/** What a run in this namespace has under an entry's name. */
export async function findInstalled(db: TenantTx, namespace: string, entry: string): Promise<Installed | undefined> {
  const [row] = await db.rows<Installed>(sql`
    select v.version, v.hash, v.state, v.reason, v.tools, v.connection, v.document
    from marketplace_installs i join marketplace_versions v on v.tenant_id = i.tenant_id and v.entry = i.entry and v.version = i.version and v.hash = i.hash
    where i.tenant_id = ${db.tenantId} and i.namespace = ${namespace} and i.entry = ${entry}`)
  return row
}
