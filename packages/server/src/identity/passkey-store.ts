import { type TenantTx, type Tx, sql } from '../db/index.ts'

export type PasskeyRow = {
  id: string
  tenantId: string
  personId: string
  credentialId: string
  publicKey: Buffer
  counter: number
  host: string
  name: string
  transports: string[]
  isSynced: boolean
  createdAt: Date
  lastUsedAt: Date | null
}
export type NewPasskey = Omit<PasskeyRow, 'tenantId' | 'createdAt' | 'lastUsedAt'>

/** One person has no use for more, and each is sent along with every challenge. */
export const passkeysMax = 20

const columns = sql`id, tenant_id as "tenantId", person_id as "personId", credential_id as "credentialId", public_key as "publicKey",
  counter::double precision as "counter", host, name, transports, is_synced as "isSynced", created_at as "createdAt", last_used_at as "lastUsedAt"`

/** Undefined when it is there already. */
export async function insertPasskey(tx: TenantTx, key: NewPasskey): Promise<PasskeyRow | undefined> {
  const [row] = await tx.rows<PasskeyRow>(sql`
    insert into passkeys (id, tenant_id, person_id, credential_id, public_key, counter, host, name, transports, is_synced)
    values (${key.id}, ${tx.tenantId}, ${key.personId}, ${key.credentialId}, ${key.publicKey}, ${key.counter}, ${key.host}, ${key.name},
      ${key.transports}, ${key.isSynced})
    on conflict (person_id, credential_id) do nothing
    returning ${columns}`)
  return row
}

export async function listPasskeys(tx: TenantTx, personId: string): Promise<PasskeyRow[]> {
  return tx.rows(sql`
    select ${columns}
    from passkeys
    where tenant_id = ${tx.tenantId} and person_id = ${personId}
    order by id desc
    limit ${passkeysMax}`)
}

/** Across tenants: it is the owner, whom the authenticator names, that says whose it is. */
export async function findPasskey(db: Tx, personId: string, credentialId: string): Promise<PasskeyRow | undefined> {
  const [row] = await db.rows<PasskeyRow>(sql`select ${columns} from passkeys where person_id = ${personId} and credential_id = ${credentialId}`)
  return row
}

/** False when it has gone on counting meanwhile, or was taken away. */
export async function countPasskeyUse(tx: TenantTx, passkeyId: string, counter: number): Promise<boolean> {
  const rows = await tx.rows(sql`
    update passkeys
    set counter = ${counter}, last_used_at = ${tx.now}
    where tenant_id = ${tx.tenantId} and id = ${passkeyId} and (counter < ${counter} or (counter = 0 and ${counter} = 0))
    returning id`)
  return rows.length > 0
}

export async function renamePasskey(tx: TenantTx, personId: string, passkeyId: string, name: string): Promise<PasskeyRow | undefined> {
  const [row] = await tx.rows<PasskeyRow>(sql`
    update passkeys
    set name = ${name}
    where tenant_id = ${tx.tenantId} and person_id = ${personId} and id = ${passkeyId}
    returning ${columns}`)
  return row
}

export async function deletePasskey(tx: TenantTx, personId: string, passkeyId: string): Promise<PasskeyRow | undefined> {
  const [row] = await tx.rows<PasskeyRow>(sql`
    delete from passkeys
    where tenant_id = ${tx.tenantId} and person_id = ${personId} and id = ${passkeyId}
    returning ${columns}`)
  return row
}

export async function deletePasskeys(tx: TenantTx, personId: string): Promise<void> {
  await tx.rows(sql`delete from passkeys where tenant_id = ${tx.tenantId} and person_id = ${personId}`)
}
