/** Master keys that a key service has encrypted: in the database, open only in the memory of servers that the service lets in. */
import type { Db } from '../db/index.ts'
import { AppError, type Log, newId } from '../kernel/index.ts'
import type { MasterKeys } from './envelope.ts'
import type { Kms } from './kms.ts'
import { insertMasterKey, lockMasterKeys, replaceWrapped } from './master-key-store.ts'

export type WrappedKeysOptions = {
  db: Db
  kms: Kms
  log: Log
  /** Keys from before there was a key service: they open what was encrypted then. */
  earlier: readonly Buffer[]
  /** A master key that was made before is replaced. */
  since?: Date | undefined
}

/**
 * The newest master key and those before it. The first start makes one. Each start has the service encrypt them under the newest version of its own
 * key. Throws `unavailable`, so that nothing starts, when the service does not open them.
 */
export async function openWrappedKeys({ db, kms, log, earlier, since }: WrappedKeysOptions): Promise<MasterKeys> {
  const rows = await db.transaction(async (tx) => {
    const known = await lockMasterKeys(tx)
    const [newest] = known
    const isDue = newest && since && newest.createdAt < since
    if (newest && !isDue) return known
    const { wrapped } = await kms.makeKey()
    const made = await insertMasterKey(tx, { id: newId(), service: kms.name, wrapped })
    log.info('a master key was made by the key service', { service: kms.name, replaces: newest?.id ?? null })
    return [...made, ...known]
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
    if (versionOf(renewed) !== versionOf(row.wrapped)) await replaceWrapped(db, row, renewed)
  }
  const [current, ...before] = keys
  if (!current) throw new Error('The transaction leaves at least one key.')
  return { current, earlier: [...before, ...earlier] }
}

/** `vault:v3:…` is version 3 of the service's key. */
const versionOf = (wrapped: string): string => wrapped.split(':', 2).join(':')
