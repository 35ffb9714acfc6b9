import { type ApiKey, DataAccess, type Permission } from '@longhaul/protocol'
import { type TenantTx, type Tx, sql } from '../db/index.ts'

export type Key = { id: string; tenantId: string; name: string; permissions: Permission[]; access: DataAccess; createdAt: Date; lastUsedAt: Date | null }

const columns = sql`id, tenant_id as "tenantId", name, permissions, access, created_at as "createdAt", last_used_at as "lastUsedAt"`

export async function insertKey(db: TenantTx, key: Pick<Key, 'id' | 'tenantId' | 'name' | 'permissions' | 'access'>, secretHash: Buffer): Promise<Key> {
  const [row] = await db.rows<Key>(sql`
    insert into keys (id, tenant_id, name, secret_hash, permissions, access, created_at)
    values (${key.id}, ${key.tenantId}, ${key.name}, ${secretHash}, ${key.permissions}, ${JSON.stringify(key.access)}, ${db.now})
    returning ${columns}`)
  return toKey(row!) // An insert that did not fail returns its row.
}

/** The key of a secret, across tenants: it is the secret that says whose it is. `isLong` is true when its use was noted long ago or never. */
export async function findKeyByHash(db: Tx, secretHash: Buffer, noteEveryMs: number): Promise<{ key: Key; isLong: boolean } | undefined> {
  const [row] = await db.rows<Key & { isLong: boolean }>(sql`
    select ${columns}, coalesce(last_used_at < ${db.now} - ${noteEveryMs} * interval '1 ms', true) as "isLong"
    from keys
    where secret_hash = ${secretHash} and deleted_at is null`)
  return row && { key: toKey(row), isLong: row.isLong }
}

/** Any number of servers may note the same use: only the first one writes. */
export async function recordKeyUse(db: Tx, keyId: string, noteEveryMs: number): Promise<void> {
  await db.rows(sql`
    update keys
    set last_used_at = ${db.now}
    where id = ${keyId} and coalesce(last_used_at < ${db.now} - ${noteEveryMs} * interval '1 ms', true)`)
}

export async function listKeys(db: TenantTx, tenantId: string, limit: number): Promise<Key[]> {
  const rows = await db.rows<Key>(sql`
    select ${columns}
    from keys
    where tenant_id = ${tenantId} and deleted_at is null
    order by created_at desc, id desc
    limit ${limit}`)
  return rows.map(toKey)
}

export async function deleteKey(db: TenantTx, tenantId: string, keyId: string): Promise<Key | undefined> {
  const [row] = await db.rows<Key>(sql`
    update keys
    set deleted_at = ${db.now}
    where id = ${keyId} and tenant_id = ${tenantId} and deleted_at is null
    returning ${columns}`)
  return row && toKey(row)
}

export const toApiKey = ({ id, name, permissions, access, createdAt, lastUsedAt }: Key): ApiKey => ({
  id,
  name,
  permissions,
  access,
  createdAt: createdAt.toISOString(),
  lastUsedAt: lastUsedAt?.toISOString() ?? null,
})

const toKey = ({ id, tenantId, name, permissions, access, createdAt, lastUsedAt }: Key): Key => ({
  id,
  tenantId,
  name,
  permissions,
  access: DataAccess.parse(access),
  createdAt,
  lastUsedAt,
})
