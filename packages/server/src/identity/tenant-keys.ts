/** A tenant's own key: what it says is stored under it, and nobody reads it who has the database alone. One for each tenant, sealed under the master key. */
import type { Db } from '../db/index.ts'
import { type Log, secretBytes } from '../kernel/index.ts'
import { type MasterKeys, decrypt, encrypt, keyIdOf, open, rewrap, seal } from './envelope.ts'
import { ensureKey, listKeysUnderOthers, updateKey } from './tenant-key-store.ts'

export type TenantCipher = {
  /** `name` is part of it: it opens under no other. */
  seal(name: string, plain: Buffer): Buffer
  /** Throws `unavailable` when it was changed, or sealed under another name. */
  open(name: string, sealed: Buffer): Buffer
}

export type TenantKeys = {
  /** Makes the tenant's key when it has none. Rejects with `unavailable` when the master key is another one. */
  of(tenantId: string): Promise<TenantCipher>
  /** Puts all of them under the current master key; what is encrypted with them stays as it is. */
  rewrapAll(): Promise<number>
}

const knownMax = 10_000

export function openTenantKeys({ db, masterKeys, log }: { db: Db; masterKeys: MasterKeys; log: Log }): TenantKeys {
  const known = new Map<string, Promise<TenantCipher>>()

  async function load(tenantId: string): Promise<TenantCipher> {
    const sealed = await ensureKey(db.forTenant(tenantId), () => seal(masterKeys, secretBytes(32).toString('base64'), nameOf(tenantId)))
    const key = Buffer.from(open(masterKeys, sealed, nameOf(tenantId)), 'base64')
    return {
      seal: (name, plain) => encrypt(key, plain, `${tenantId}/${name}`),
      open: (name, bytes) => decrypt(key, bytes, `${tenantId}/${name}`),
    }
  }

  return {
    of(tenantId) {
      const made = known.get(tenantId)
      if (made) return made
      if (known.size >= knownMax) known.clear()
      const loading = load(tenantId)
      known.set(tenantId, loading)
      loading.catch(() => known.delete(tenantId)) // Whoever asked hears of it; the next one asks again.
      return loading
    },
    async rewrapAll() {
      let count = 0
      for (;;) {
        const done = await db.transaction(async (tx) => {
          const rows = await listKeysUnderOthers(tx, keyIdOf(masterKeys.current), 100)
          for (const row of rows) await updateKey(tx, { tenantId: row.tenantId, ...rewrap(masterKeys, row, nameOf(row.tenantId)) })
          return rows.length
        })
        count += done
        if (done === 0) break
      }
      if (count > 0) log.info('keys of tenants are under the current master key now', { count })
      return count
    },
  }
}

const nameOf = (tenantId: string): string => `${tenantId}/texts`
