/** Master keys as a key service has encrypted them. */
import { type Tx, sql } from '../db/index.ts'

export type WrappedKeyRow = { id: string; service: string; wrapped: string; createdAt: Date }

/** Any number, the same in every version: of servers that start together one makes the key. */
const lockNumber = 7_231_060_148

/** The newest first. Until the end of the transaction nobody else reads them to make another. */
export async function lockMasterKeys(tx: Tx): Promise<WrappedKeyRow[]> {
  await tx.rows(sql`select pg_advisory_xact_lock(${lockNumber})`)
  return tx.rows<WrappedKeyRow>(sql`select id, service, wrapped, created_at as "createdAt" from master_keys order by created_at desc, id desc limit 100`)
}

export async function insertMasterKey(tx: Tx, { id, service, wrapped }: Omit<WrappedKeyRow, 'createdAt'>): Promise<WrappedKeyRow[]> {
  return tx.rows<WrappedKeyRow>(sql`
    insert into master_keys (id, service, wrapped) values (${id}, ${service}, ${wrapped})
    returning id, service, wrapped, created_at as "createdAt"`)
}

/** Unless another server has done so. */
export async function replaceWrapped(db: Tx, { id, wrapped }: WrappedKeyRow, renewed: string): Promise<void> {
  await db.rows(sql`update master_keys set wrapped = ${renewed} where id = ${id} and wrapped = ${wrapped}`)
}
