import { type TenantTx, type Tx, sql } from '../db/index.ts'
import { type PersonRow, personColumns, tellLoginsChanged, toRow } from './person-store.ts'

export type LoginKind = 'browser' | 'program'
export type LoginRow = { id: string; kind: LoginKind; agent: string; address: string; createdAt: Date; lastUsedAt: Date; expiresAt: Date }
export type NewLogin = Pick<LoginRow, 'id' | 'kind' | 'agent' | 'address'> & { personId: string; secretHash: Buffer; inMs: number; isSteppedUp: boolean }

const columns = sql`id, kind, agent, address, created_at as "createdAt", last_used_at as "lastUsedAt", expires_at as "expiresAt"`

export async function insertLogin(tx: TenantTx, login: NewLogin): Promise<void> {
  await tx.rows(sql`
    insert into logins (id, tenant_id, person_id, kind, secret_hash, agent, address, stepped_up_at, expires_at)
    values (${login.id}, ${tx.tenantId}, ${login.personId}, ${login.kind}, ${login.secretHash}, ${login.agent}, ${login.address},
      ${login.isSteppedUp ? tx.now : null}, ${tx.now} + ${login.inMs} * interval '1 ms')`)
  await tx.rows(sql`update people set last_seen_at = ${tx.now} where tenant_id = ${tx.tenantId} and id = ${login.personId}`)
}

/** `staysForMs`: what is found changes by itself no earlier than that. */
export type FoundLogin = { loginId: string; person: PersonRow; isSuspended: boolean; isLong: boolean; steppedUpUntil: Date | null; staysForMs: number }

/** Across tenants: it is the secret that says whose it is. Nobody's once it expired, was not used for `idleMs`, or its person is disabled. */
export async function findLogin(
  db: Tx,
  secretHash: Buffer,
  { kind, idleMs, stepUpMs, noteEveryMs }: { kind: LoginKind; idleMs: number; stepUpMs: number; noteEveryMs: number },
): Promise<FoundLogin | undefined> {
  const [row] = await db.rows<Parameters<typeof toRow>[0] & Omit<FoundLogin, 'person'>>(sql`
    select ${personColumns}, logins.id as "loginId", logins.last_used_at < ${db.now} - ${noteEveryMs} * interval '1 ms' as "isLong",
      case when stepped_up_at > ${db.now} - ${stepUpMs} * interval '1 ms' then stepped_up_at + ${stepUpMs} * interval '1 ms' end as "steppedUpUntil",
      (extract(epoch from least(expires_at, last_used_at + ${idleMs} * interval '1 ms',
        case when stepped_up_at > ${db.now} - ${stepUpMs} * interval '1 ms' then stepped_up_at + ${stepUpMs} * interval '1 ms' end) - ${db.now}) * 1000)::double precision as "staysForMs",
      exists (select from tenants where tenants.id = people.tenant_id and is_suspended) as "isSuspended"
    from logins join people on people.id = logins.person_id and people.tenant_id = logins.tenant_id
    where secret_hash = ${secretHash} and kind = ${kind} and not is_disabled
      and expires_at > ${db.now} and last_used_at > ${db.now} - ${idleMs} * interval '1 ms'`)
  if (!row) return undefined
  const { loginId, isLong, steppedUpUntil, isSuspended, staysForMs, ...person } = row
  return { loginId, isLong, steppedUpUntil, isSuspended, staysForMs, person: toRow(person) }
}

export async function recordLoginUse(db: TenantTx, loginId: string, personId: string): Promise<void> {
  await db.rows(sql`update logins set last_used_at = ${db.now} where tenant_id = ${db.tenantId} and id = ${loginId}`)
  await db.rows(sql`update people set last_seen_at = ${db.now} where tenant_id = ${db.tenantId} and id = ${personId}`)
}

export async function stepUpLogin(tx: TenantTx, personId: string, loginId: string): Promise<void> {
  await tellLoginsChanged(tx, personId)
  await tx.rows(sql`update logins set stepped_up_at = ${tx.now} where tenant_id = ${tx.tenantId} and id = ${loginId}`)
}

export async function listLogins(db: TenantTx, personId: string, idleMs: number, limit: number): Promise<LoginRow[]> {
  return db.rows(sql`
    select ${columns}
    from logins
    where tenant_id = ${db.tenantId} and person_id = ${personId} and expires_at > ${db.now}
      and (kind = 'program' or last_used_at > ${db.now} - ${idleMs} * interval '1 ms')
    order by last_used_at desc, id
    limit ${limit}`)
}

export async function deleteLogin(tx: TenantTx, personId: string, loginId: string): Promise<LoginRow | undefined> {
  await tellLoginsChanged(tx, personId)
  const [row] = await tx.rows<LoginRow>(sql`
    delete from logins
    where tenant_id = ${tx.tenantId} and person_id = ${personId} and id = ${loginId}
    returning ${columns}`)
  return row
}

/** All of a person's, or all but one. Returns how many there were. */
export async function deleteLogins(tx: TenantTx, personId: string, but?: string): Promise<number> {
  await tellLoginsChanged(tx, personId)
  const rows = await tx.rows(sql`
    delete from logins
    where tenant_id = ${tx.tenantId} and person_id = ${personId} and id is distinct from ${but ?? null}::uuid
    returning id`)
  return rows.length
}
