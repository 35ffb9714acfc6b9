import { type TenantDb, type Tx, sql } from '../db/index.ts'
import type { Sealed } from './envelope.ts'

/** The one that is there, also if another server made it meanwhile. */
export async function ensureKey(db: TenantDb, make: () => Sealed): Promise<Sealed> {
  return db.transaction(async (tx) => {
    const find = async () => {
      const [row] = await tx.rows<Sealed>(sql`
        select ciphertext, wrapped_key as "wrappedKey", master_key_id as "masterKeyId" from tenant_keys where tenant_id = ${tx.tenantId}`)
      return row
    }
    const found = await find()
    if (found) return found
    const { ciphertext, wrappedKey, masterKeyId } = make()
    await tx.rows(sql`
      insert into tenant_keys (tenant_id, ciphertext, wrapped_key, master_key_id)
      values (${tx.tenantId}, ${ciphertext}, ${wrappedKey}, ${masterKeyId})
      on conflict do nothing`)
    return (await find())! // It is there, by us or by another.
  })
}

export type Wrapped = Omit<Sealed, 'ciphertext'> & { tenantId: string }

/** Across tenants: a master key is the installation's. */
export async function listKeysUnderOthers(tx: Tx, masterKeyId: string, limit: number): Promise<Wrapped[]> {
  return tx.rows(sql`
    select tenant_id as "tenantId", wrapped_key as "wrappedKey", master_key_id as "masterKeyId"
    from tenant_keys where master_key_id <> ${masterKeyId} limit ${limit} for update skip locked`)
}

export async function updateKey(tx: Tx, { tenantId, wrappedKey, masterKeyId }: Wrapped): Promise<void> {
  await tx.rows(sql`update tenant_keys set wrapped_key = ${wrappedKey}, master_key_id = ${masterKeyId} where tenant_id = ${tenantId}`)
}
