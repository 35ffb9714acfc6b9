import { type ApiKey, DataAccess, type Permission, type Role } from '@longhaul/protocol'
import { type TenantTx, type Tx, sql } from '../db/index.ts'

export type Key = {
  id: string
  tenantId: string
  name: string
  permissions: Permission[]
  role: Role | null
  namespaces: string[] | null
  agents: string[] | null
  access: DataAccess
  createdAt: Date
  expiresAt: Date | null
  lastUsedAt: Date | null
}

const columns = sql`id, tenant_id as "tenantId", name, permissions, role, namespaces, agents, access, created_at as "createdAt", expires_at as "expiresAt", last_used_at as "lastUsedAt"`
/** What there is to list and to use. An expired key is gone for everybody. */
const isGood = (now: Tx['now']) => sql`deleted_at is null and (expires_at is null or expires_at > ${now})`

export type KeyRow = Pick<Key, 'id' | 'tenantId' | 'name' | 'permissions' | 'role' | 'namespaces' | 'agents' | 'access'> & { expiresAt: Date | string | null }

export async function insertKey(db: TenantTx, key: KeyRow, secretHash: Buffer): Promise<Key> {
  const [row] = await db.rows<Key>(sql`
    insert into keys (id, tenant_id, name, secret_hash, permissions, role, namespaces, agents, access, created_at, expires_at)
    values (${key.id}, ${key.tenantId}, ${key.name}, ${secretHash}, ${key.permissions}, ${key.role}, ${key.namespaces}, ${key.agents}, ${JSON.stringify(key.access)}, ${db.now}, ${key.expiresAt})
    returning ${columns}`)
  return toKey(row!) // An insert that did not fail returns its row.
}

/** What is remembered of a key's subject goes over to the key that takes its place. */
export async function succeedKey(tx: TenantTx, id: string, oldId: string): Promise<void> {
  await tx.rows(sql`update keys set subject_id = (select coalesce(subject_id, id) from keys old where old.id = ${oldId}) where id = ${id}`)
}

export type FoundKey = { key: Key; isLong: boolean; expiresInMs: number | null; isSuspended: boolean }

/**
 * The key of a secret, across tenants: it is the secret that says whose it is. `isLong` is true when its use was noted long ago or never,
 * `isSuspended` when its tenant is.
 */
export async function findKeyByHash(db: Tx, secretHash: Buffer, noteEveryMs: number): Promise<FoundKey | undefined> {
  const [row] = await db.rows<Key & Omit<FoundKey, 'key'>>(sql`
    select ${columns}, coalesce(last_used_at < ${db.now} - ${noteEveryMs} * interval '1 ms', true) as "isLong",
      (extract(epoch from expires_at - ${db.now}) * 1000)::double precision as "expiresInMs",
      exists (select from tenants where tenants.id = keys.tenant_id and is_suspended) as "isSuspended"
    from keys
    where secret_hash = ${secretHash} and ${isGood(db.now)}`)
  return row && { key: toKey(row), isLong: row.isLong, expiresInMs: row.expiresInMs, isSuspended: row.isSuspended }
}

/** Any number of servers may note the same use: only the first one writes. */
export async function recordKeyUse(db: Tx, keyId: string, noteEveryMs: number): Promise<void> {
  await db.rows(sql`
    update keys
    set last_used_at = ${db.now}
    where id = ${keyId} and coalesce(last_used_at < ${db.now} - ${noteEveryMs} * interval '1 ms', true)`)
}

export async function listKeys(db: TenantTx, limit: number): Promise<Key[]> {
  const rows = await db.rows<Key>(sql`
    select ${columns}
    from keys
    where tenant_id = ${db.tenantId} and ${isGood(db.now)}
    order by created_at desc, id desc
    limit ${limit}`)
  return rows.map(toKey)
}

/** Locked until the end of the transaction, so that nobody else decides about it meanwhile. */
export async function findKey(db: TenantTx, keyId: string): Promise<Key | undefined> {
  const [row] = await db.rows<Key>(sql`
    select ${columns}
    from keys
    where id = ${keyId} and tenant_id = ${db.tenantId} and ${isGood(db.now)}
    for update`)
  return row && toKey(row)
}

export async function deleteKey(db: TenantTx, keyId: string): Promise<Key | undefined> {
  const [row] = await db.rows<Key>(sql`
    update keys
    set deleted_at = ${db.now}
    where id = ${keyId} and tenant_id = ${db.tenantId} and deleted_at is null
    returning ${columns}`)
  return row && toKey(row)
}

/** Never later than it would have expired anyway. */
export async function expireKey(db: TenantTx, keyId: string, inMs: number): Promise<void> {
  await db.rows(sql`
    update keys
    set expires_at = least(expires_at, ${db.now} + ${inMs} * interval '1 ms')
    where id = ${keyId} and tenant_id = ${db.tenantId} and deleted_at is null`)
}

export const toApiKey = ({ id, name, permissions, role, namespaces, agents, access, createdAt, expiresAt, lastUsedAt }: Key): ApiKey => ({
  id,
  name,
  permissions,
  role,
  namespaces,
  agents,
  access,
  createdAt: createdAt.toISOString(),
  expiresAt: expiresAt?.toISOString() ?? null,
  lastUsedAt: lastUsedAt?.toISOString() ?? null,
})

const toKey = ({ id, tenantId, name, permissions, role, namespaces, agents, access, createdAt, expiresAt, lastUsedAt }: Key): Key => ({
  id,
  tenantId,
  name,
  permissions,
  role,
  namespaces,
  agents,
  access: DataAccess.parse(access),
  createdAt,
  expiresAt,
  lastUsedAt,
})
