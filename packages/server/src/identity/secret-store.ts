import type { Secret } from '@longhaul/protocol'
import { type Tx, type TenantTx, sql } from '../db/index.ts'
import type { Sealed } from './envelope.ts'

type Row = Omit<Secret, 'createdAt' | 'lastUsedAt'> & { createdAt: Date; lastUsedAt: Date | null }
const columns = sql`name, version, description, hosts, agents, created_at as "createdAt", created_by as "createdBy", last_used_at as "lastUsedAt", use_count as "useCount"`
const toSecret = (row: Row): Secret => ({ ...row, createdAt: row.createdAt.toISOString(), lastUsedAt: row.lastUsedAt?.toISOString() ?? null })

/** What is said of a secret besides its value. */
export type About = Pick<Secret, 'description' | 'hosts' | 'agents'>

/** What the next version will be, with what is said of the one before. Whoever else sets the same secret waits until this transaction ends. */
export async function nextVersion(tx: TenantTx, name: string): Promise<{ version: number } & About> {
  await tx.rows(sql`select pg_advisory_xact_lock(hashtextextended(${`secret ${tx.tenantId}/${name}`}, 0))`)
  const newest = await findNewest(tx, name)
  const { description = '', hosts = [], agents = null } = newest ?? {}
  return { version: (newest?.version ?? 0) + 1, description, hosts, agents }
}

export async function findNewest(tx: TenantTx, name: string): Promise<Secret | undefined> {
  const [row] = await tx.rows<Row>(sql`select ${columns} from secrets where tenant_id = ${tx.tenantId} and name = ${name} order by version desc limit 1`)
  return row && toSecret(row)
}

export async function insertVersion(tx: TenantTx, secret: Pick<Secret, 'name' | 'version' | 'createdBy'> & About, sealed: Sealed): Promise<Secret> {
  const [row] = await tx.rows<Row>(sql`
    insert into secrets (tenant_id, name, version, description, hosts, agents, ciphertext, wrapped_key, master_key_id, created_by)
    values (${tx.tenantId}, ${secret.name}, ${secret.version}, ${secret.description}, ${secret.hosts}, ${secret.agents}, ${sealed.ciphertext}, ${sealed.wrappedKey}, ${sealed.masterKeyId}, ${secret.createdBy})
    returning ${columns}`)
  return toSecret(row!) // An insert that did not fail returns its row.
}

export async function countNames(db: TenantTx): Promise<number> {
  const [row] = await db.rows<{ count: number }>(sql`select count(distinct name)::int as count from secrets where tenant_id = ${db.tenantId}`)
  return row?.count ?? 0
}

/** The newest version of each. */
export async function listSecrets(db: TenantTx, limit: number): Promise<Secret[]> {
  const rows = await db.rows<Row>(sql`
    select distinct on (name) ${columns} from secrets where tenant_id = ${db.tenantId} order by name, version desc limit ${limit}`)
  return rows.map(toSecret)
}

export async function listVersions(db: TenantTx, name: string, limit: number): Promise<Secret[]> {
  const rows = await db.rows<Row>(sql`select ${columns} from secrets where tenant_id = ${db.tenantId} and name = ${name} order by version desc limit ${limit}`)
  return rows.map(toSecret)
}

export async function deleteSecret(tx: TenantTx, name: string): Promise<Secret | undefined> {
  const rows = await tx.rows<Row>(sql`delete from secrets where tenant_id = ${tx.tenantId} and name = ${name} returning ${columns}`)
  const newest = rows.toSorted((a, b) => b.version - a.version)[0]
  return newest && toSecret(newest)
}

export async function deleteEarlier(tx: TenantTx, name: string, version: number): Promise<void> {
  await tx.rows(sql`delete from secrets where tenant_id = ${tx.tenantId} and name = ${name} and version < ${version}`)
}

/** Notes the use and returns what is needed for it. */
export async function useNewest(tx: TenantTx, name: string): Promise<(Sealed & { version: number }) | undefined> {
  const [row] = await tx.rows<Sealed & { version: number }>(sql`
    update secrets
    set last_used_at = clock_timestamp(), use_count = use_count + 1
    where tenant_id = ${tx.tenantId} and name = ${name} and version = (select max(version) from secrets where tenant_id = ${tx.tenantId} and name = ${name})
    returning version, ciphertext, wrapped_key as "wrappedKey", master_key_id as "masterKeyId"`)
  return row
}

export type Wrapped = Omit<Sealed, 'ciphertext'> & { tenantId: string; name: string; version: number }

/** Across tenants: a master key is the installation's. */
export async function listWrappedOtherwise(tx: Tx, masterKeyId: string, limit: number): Promise<Wrapped[]> {
  return tx.rows(sql`
    select tenant_id as "tenantId", name, version, wrapped_key as "wrappedKey", master_key_id as "masterKeyId"
    from secrets where master_key_id <> ${masterKeyId} limit ${limit} for update skip locked`)
}

export async function updateWrapping(tx: Tx, { tenantId, name, version, wrappedKey, masterKeyId }: Wrapped): Promise<void> {
  await tx.rows(sql`
    update secrets set wrapped_key = ${wrappedKey}, master_key_id = ${masterKeyId}
    where tenant_id = ${tenantId} and name = ${name} and version = ${version}`)
}
