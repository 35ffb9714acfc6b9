import { DataAccess, type Person, type Role } from '@longhaul/protocol'
import { type Connection, type TenantTx, type Tx, identifier, sql } from '../db/index.ts'
import type { Sealed } from './envelope.ts'

export type PersonRow = {
  id: string
  tenantId: string
  email: string
  name: string
  roles: Role[]
  namespaces: string[] | null
  agents: string[] | null
  access: DataAccess
  isDisabled: boolean
  passwordHash: string | null
  linkExpiresAt: Date | null
  totp: Sealed | null
  isTotpConfirmed: boolean
  passkeyCount: number
  recoveryCodesLeft: number
  approvalMails: boolean
  hasSignedIn: boolean
  createdAt: Date
  lastSeenAt: Date | null
}
type Row = Omit<PersonRow, 'totp'> & { ciphertext: Buffer | null; wrappedKey: Buffer | null; masterKeyId: string | null }

export const personColumns = sql`people.id, people.tenant_id as "tenantId", email, name, roles, namespaces, agents, access, is_disabled as "isDisabled",
  password_hash as "passwordHash", link_expires_at as "linkExpiresAt", totp_ciphertext as "ciphertext", totp_wrapped_key as "wrappedKey",
  totp_master_key_id as "masterKeyId", totp_confirmed as "isTotpConfirmed",
  (select count(*)::int from passkeys where passkeys.tenant_id = people.tenant_id and passkeys.person_id = people.id) as "passkeyCount",
  cardinality(recovery_hashes) as "recoveryCodesLeft", people.approval_mails as "approvalMails",
  last_seen_at is not null as "hasSignedIn", people.created_at as "createdAt", last_seen_at as "lastSeenAt"`

export const toRow = ({ ciphertext, wrappedKey, masterKeyId, ...row }: Row): PersonRow => ({
  ...row,
  access: DataAccess.parse(row.access),
  totp: ciphertext && wrappedKey && masterKeyId !== null ? { ciphertext, wrappedKey, masterKeyId } : null,
})

export const hasSecondFactor = ({ isTotpConfirmed, passkeyCount }: Pick<PersonRow, 'isTotpConfirmed' | 'passkeyCount'>): boolean =>
  isTotpConfirmed || passkeyCount > 0

export const factorsOf = ({ isTotpConfirmed, passkeyCount }: PersonRow): ('code' | 'passkey')[] => [
  ...(isTotpConfirmed ? (['code'] as const) : []),
  ...(passkeyCount > 0 ? (['passkey'] as const) : []),
]

export const toPerson = (row: PersonRow): Person => ({
  id: row.id,
  email: row.email,
  name: row.name,
  roles: row.roles,
  namespaces: row.namespaces,
  agents: row.agents,
  access: row.access,
  state: row.isDisabled ? 'disabled' : row.hasSignedIn || row.passwordHash !== null ? 'active' : 'invited',
  hasSecondFactor: hasSecondFactor(row),
  createdAt: row.createdAt.toISOString(),
  lastSeenAt: row.lastSeenAt?.toISOString() ?? null,
})

export type NewPerson = Pick<PersonRow, 'id' | 'email' | 'name' | 'roles' | 'namespaces' | 'agents' | 'access'>

/** Undefined when the address is taken. */
export async function insertPerson(tx: TenantTx, person: NewPerson): Promise<PersonRow | undefined> {
  const [row] = await tx.rows<Row>(sql`
    insert into people (id, tenant_id, email, name, roles, namespaces, agents, access)
    values (${person.id}, ${tx.tenantId}, ${person.email}, ${person.name}, ${person.roles}, ${person.namespaces}, ${person.agents}, ${JSON.stringify(person.access)})
    on conflict (tenant_id, email) do nothing
    returning ${personColumns}`)
  return row && toRow(row)
}

/** Locked until the end of the transaction, so that nobody else decides about them meanwhile. */
export async function findPerson(tx: TenantTx, personId: string): Promise<PersonRow | undefined> {
  const [row] = await tx.rows<Row>(sql`select ${personColumns} from people where tenant_id = ${tx.tenantId} and id = ${personId} for update`)
  return row && toRow(row)
}

export async function findPersonByEmail(db: TenantTx, email: string): Promise<PersonRow | undefined> {
  const [row] = await db.rows<Row>(sql`select ${personColumns} from people where tenant_id = ${db.tenantId} and email = ${email}`)
  return row && toRow(row)
}

/** Across tenants: it is the link that says whose it is. */
export async function findPersonByLink(db: Tx, linkHash: Buffer): Promise<PersonRow | undefined> {
  const [row] = await db.rows<Row>(sql`
    select ${personColumns}
    from people
    where link_hash = ${linkHash} and link_expires_at > ${db.now} and not is_disabled
      and not exists (select from tenants where tenants.id = people.tenant_id and is_suspended)`)
  return row && toRow(row)
}

/** Across tenants, as by a link: by the ticket of a reset. */
export async function findPersonByReset(db: Tx, secretHash: Buffer): Promise<{ person: PersonRow; expiresAt: Date } | undefined> {
  const [row] = await db.rows<Row & { ticketExpiresAt: Date }>(sql`
    select ${personColumns}, tickets.expires_at as "ticketExpiresAt"
    from tickets join people on people.tenant_id = tickets.tenant_id and people.id = tickets.person_id
    where secret_hash = ${secretHash} and tickets.kind = 'reset' and tickets.expires_at > ${db.now} and not is_disabled
      and not exists (select from tenants where tenants.id = people.tenant_id and is_suspended)`)
  if (!row) return undefined
  const { ticketExpiresAt: expiresAt, ...person } = row
  return { person: toRow(person), expiresAt }
}

export async function listPeople(db: TenantTx, limit: number, after: string): Promise<PersonRow[]> {
  const rows = await db.rows<Row>(sql`
    select ${personColumns}
    from people
    where tenant_id = ${db.tenantId} and email > ${after}
    order by email
    limit ${limit}`)
  return rows.map(toRow)
}

export async function updatePerson(tx: TenantTx, { id, name, roles, namespaces, agents, access, isDisabled }: PersonRow): Promise<PersonRow> {
  const [row] = await tx.rows<Row>(sql`
    update people
    set name = ${name}, roles = ${roles}, namespaces = ${namespaces}, agents = ${agents}, access = ${JSON.stringify(access)}, is_disabled = ${isDisabled}
    where tenant_id = ${tx.tenantId} and id = ${id}
    returning ${personColumns}`)
  await tellLoginsChanged(tx, id)
  return toRow(row!) // It was found and locked in this transaction.
}

export async function deletePerson(tx: TenantTx, personId: string): Promise<void> {
  await tellLoginsChanged(tx, personId)
  await tx.rows(sql`delete from people where tenant_id = ${tx.tenantId} and id = ${personId}`)
}

export async function setApprovalMails(tx: TenantTx, personId: string, isOn: boolean): Promise<void> {
  await tx.rows(sql`update people set approval_mails = ${isOn} where tenant_id = ${tx.tenantId} and id = ${personId}`)
}

/** Heard by every server when the transaction is committed: what it remembers of this person's logins is over. */
export async function tellLoginsChanged(tx: TenantTx, personId: string): Promise<void> {
  await tx.rows(sql`select pg_notify(${loginsChanged}, ${personId})`)
}
/** From now on the connection hears of them. */
export async function hearOfLogins(connection: Connection): Promise<void> {
  await connection.query(sql`listen ${identifier(loginsChanged)}`)
}
const loginsChanged = 'longhaul_logins_changed'

/** Replaces the link that was there. */
export async function setLink(tx: TenantTx, personId: string, linkHash: Buffer, inMs: number): Promise<PersonRow> {
  const [row] = await tx.rows<Row>(sql`
    update people
    set link_hash = ${linkHash}, link_expires_at = ${tx.now} + ${inMs} * interval '1 ms'
    where tenant_id = ${tx.tenantId} and id = ${personId}
    returning ${personColumns}`)
  return toRow(row!) // It was found and locked in this transaction.
}

/** False when the link was used up meanwhile. */
export async function takeLink(tx: TenantTx, linkHash: Buffer, passwordHash: string): Promise<boolean> {
  const rows = await tx.rows(sql`
    update people
    set link_hash = null, link_expires_at = null, password_hash = ${passwordHash}
    where tenant_id = ${tx.tenantId} and link_hash = ${linkHash} and link_expires_at > ${tx.now} and not is_disabled
    returning id`)
  return rows.length > 0
}

/** For whoever has taken the ticket of a reset. False when they were disabled meanwhile. */
export async function setPassword(tx: TenantTx, personId: string, passwordHash: string): Promise<boolean> {
  const rows = await tx.rows(sql`
    update people
    set link_hash = null, link_expires_at = null, password_hash = ${passwordHash}
    where tenant_id = ${tx.tenantId} and id = ${personId} and not is_disabled
    returning id`)
  return rows.length > 0
}

/** False when it was changed meanwhile. A link that was made for whoever forgot it is of no use any more. */
export async function changePassword(tx: TenantTx, personId: string, from: string, to: string): Promise<boolean> {
  const rows = await tx.rows(sql`
    update people
    set password_hash = ${to}, link_hash = null, link_expires_at = null
    where tenant_id = ${tx.tenantId} and id = ${personId} and password_hash = ${from}
    returning id`)
  return rows.length > 0
}

/** Waits to be confirmed. Not while another one is in force. */
export async function setTotp(tx: TenantTx, personId: string, { ciphertext, wrappedKey, masterKeyId }: Sealed): Promise<boolean> {
  const rows = await tx.rows(sql`
    update people
    set totp_ciphertext = ${ciphertext}, totp_wrapped_key = ${wrappedKey}, totp_master_key_id = ${masterKeyId}, totp_slice = null
    where tenant_id = ${tx.tenantId} and id = ${personId} and not totp_confirmed
    returning id`)
  return rows.length > 0
}

export async function confirmTotp(tx: TenantTx, personId: string): Promise<void> {
  await tx.rows(sql`update people set totp_confirmed = true where tenant_id = ${tx.tenantId} and id = ${personId}`)
}

export async function deleteTotp(tx: TenantTx, personId: string): Promise<void> {
  await tx.rows(sql`
    update people
    set totp_confirmed = false, totp_ciphertext = null, totp_wrapped_key = null, totp_master_key_id = null, totp_slice = null
    where tenant_id = ${tx.tenantId} and id = ${personId}`)
}

export async function setRecoveryHashes(tx: TenantTx, personId: string, hashes: Buffer[]): Promise<void> {
  await tx.rows(sql`update people set recovery_hashes = ${hashes} where tenant_id = ${tx.tenantId} and id = ${personId}`)
}

/** False when a code of this slice of time, or of a later one, was taken before. */
export async function takeTotpSlice(tx: TenantTx, personId: string, slice: number): Promise<boolean> {
  const rows = await tx.rows(sql`
    update people
    set totp_slice = ${slice}
    where tenant_id = ${tx.tenantId} and id = ${personId} and coalesce(totp_slice < ${slice}, true)
    returning id`)
  return rows.length > 0
}

export async function takeRecoveryCode(tx: TenantTx, personId: string, hash: Buffer): Promise<boolean> {
  const rows = await tx.rows(sql`
    update people
    set recovery_hashes = array_remove(recovery_hashes, ${hash}::bytea)
    where tenant_id = ${tx.tenantId} and id = ${personId} and ${hash}::bytea = any (recovery_hashes)
    returning id`)
  return rows.length > 0
}

/** Across tenants: the master key is the installation's. */
export async function listTotpWrappedOtherwise(tx: Tx, masterKeyId: string, limit: number): Promise<PersonRow[]> {
  const rows = await tx.rows<Row>(sql`
    select ${personColumns}
    from people
    where totp_master_key_id <> ${masterKeyId}
    limit ${limit}
    for update`)
  return rows.map(toRow)
}

export async function rewrapTotp(tx: Tx, personId: string, { wrappedKey, masterKeyId }: Omit<Sealed, 'ciphertext'>): Promise<void> {
  await tx.rows(sql`update people set totp_wrapped_key = ${wrappedKey}, totp_master_key_id = ${masterKeyId} where id = ${personId}`)
}
