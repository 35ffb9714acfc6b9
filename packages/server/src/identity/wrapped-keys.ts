/** Master keys that a key service has encrypted: in the database, open only in the memory of servers that the service lets in. */
import { type Db, sql } from '../db/index.ts'
import { AppError, type Log, newId } from '../kernel/index.ts'
import type { MasterKeys } from './envelope.ts'
import type { Kms } from './kms.ts'

type Row = { id: string; service: string; wrapped: string; createdAt: Date }

export type WrappedKeysOptions = {
  db: Db
  kms: Kms
  log: Log
  /** Keys from before there was a key service: they open what was encrypted then. */
  earlier: readonly Buffer[]
  /** A master key that was made before is replaced. */
  since?: Date | undefined
}

/** Any number, the same in every version: of servers that start together one makes the key. */
const lockNumber = 7_231_060_148

/**
 * The newest master key and those before it. The first start makes one. Each start has the service encrypt them under the newest version of its own
 * key. Throws `unavailable`, so that nothing starts, when the service does not open them.
 */
export async function openWrappedKeys({ db, kms, log, earlier, since }: WrappedKeysOptions): Promise<MasterKeys> {
  const rows = await db.transaction(async (tx) => {
    await tx.rows(sql`select pg_advisory_xact_lock(${lockNumber})`)
    const known = await tx.rows<Row>(sql`select id, service, wrapped, created_at as "createdAt" from master_keys order by created_at desc, id desc limit 100`)
    const [newest] = known
    const isDue = newest && since && newest.createdAt < since
    if (newest && !isDue) return known
    const { wrapped } = await kms.makeKey()
    const [made] = await tx.rows<Row>(sql`
      insert into master_keys (id, service, wrapped) values (${newId()}, ${kms.name}, ${wrapped})
      returning id, service, wrapped, created_at as "createdAt"`)
    log.info('a master key was made by the key service', { service: kms.name, replaces: newest?.id ?? null })
    return made ? [made, ...known] : known
  })
  const keys: Buffer[] = []
  for (const row of rows) {
    if (row.service !== kms.name)
      throw new AppError(
        'unavailable',
        `The master key ${row.id} was encrypted by ${row.service}, and the settings name ${kms.name}. Set LONGHAUL_VAULT_MOUNT and LONGHAUL_VAULT_KEY to that one.`,
      )
    keys.push(await kms.unwrap(row.wrapped))
    const renewed = await kms.rewrap(row.wrapped)
    if (versionOf(renewed) !== versionOf(row.wrapped))
      await db.rows(sql`update master_keys set wrapped = ${renewed} where id = ${row.id} and wrapped = ${row.wrapped}`)
  }
  const [current, ...before] = keys
  if (!current) throw new Error('The transaction leaves at least one key.')
  return { current, earlier: [...before, ...earlier] }
}

/** `vault:v3:…` is version 3 of the service's key. */
const versionOf = (wrapped: string): string => wrapped.split(':', 2).join(':')
