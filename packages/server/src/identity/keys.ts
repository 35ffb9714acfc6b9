/** API keys: who a secret belongs to, and what that caller may do. */
import { createHash } from 'node:crypto'
import type { ApiKey, DataAccess, Permission } from '@longhaul/protocol'
import { type Audience, type Db, audienceOf } from '../db/index.ts'
import { AppError, type Log, monotonicMs, newId, secret as makeSecret } from '../kernel/index.ts'
import { deleteKey, findKeyByHash, insertKey, listKeys, recordKeyUse, toApiKey } from './key-store.ts'

/** Who is calling, for the length of one request, and as an audience: what there is for them to read. */
export type Caller = Audience & { keyId: string; name: string; permissions: readonly Permission[]; access: DataAccess }
export type NewKey = { name: string; permissions: Permission[]; access: DataAccess }

export type Keys = {
  /** Whose secret this is; undefined when it is nobody's, or was revoked here at any time or elsewhere over a second ago. */
  authenticate(secret: string): Promise<Caller | undefined>
  /** A key may do and see no more than the caller who makes it. Its secret is in the result and nowhere else. */
  create(caller: Caller, key: NewKey): Promise<ApiKey & { secret: string }>
  /** For the first key of a machine, which nobody is there to make. */
  createFirst(tenantId: string, key: NewKey): Promise<ApiKey & { secret: string }>
  list(tenantId: string): Promise<ApiKey[]>
  delete(tenantId: string, keyId: string): Promise<ApiKey>
  /** Returns once every use that was seen is noted. */
  stop(): Promise<void>
}

const prefix = 'lh_'
const secretShape = /^lh_[A-Za-z0-9_-]{43}$/
const cachedMax = 10_000
const keysMax = 1_000
/** How long another server's revocation may go unnoticed. */
const cacheMs = 1_000
const noteEveryMs = 60_000

export function openKeys({ db, log }: { db: Db; log: Log }): Keys {
  /** By hash, so that no secret stays in memory; the one used longest ago first. */
  const cache = new Map<string, { caller: Caller; until: number }>()
  const lookups = new Map<string, Promise<Caller | undefined>>()
  const notes = new Set<Promise<void>>()
  let revocations = 0

  async function lookUp(hash: Buffer, name: string): Promise<Caller | undefined> {
    const revocationsBefore = revocations
    const from = monotonicMs()
    const found = await findKeyByHash(db, hash, noteEveryMs)
    if (!found) return undefined
    const { id, tenantId, permissions, access } = found.key
    const caller: Caller = Object.freeze({ ...audienceOf(tenantId, { id, access }), keyId: id, name: found.key.name, permissions, access })
    if (found.isLong) note(id)
    // What was read before a revocation must not come back after it.
    if (revocations === revocationsBefore) {
      if (cache.size >= cachedMax) for (const [oldest] of cache.entries().take(1)) cache.delete(oldest)
      cache.set(name, { caller, until: from + cacheMs })
    }
    return caller
  }

  function note(keyId: string): void {
    const noted = recordKeyUse(db, keyId, noteEveryMs)
      .catch((error: unknown) => log.warn('use of a key not noted', { error, keyId }))
      .finally(() => notes.delete(noted))
    notes.add(noted)
  }

  async function insert(tenantId: string, key: NewKey): Promise<ApiKey & { secret: string }> {
    const secret = prefix + makeSecret()
    const inserted = await insertKey(db.forTenant(tenantId), { id: newId(), tenantId, ...key }, hashOf(secret))
    log.info('key made', { tenantId, keyId: inserted.id, name: inserted.name })
    return { ...toApiKey(inserted), secret }
  }

  return {
    async authenticate(secret) {
      if (!secretShape.test(secret)) return undefined
      const hash = hashOf(secret)
      const name = hash.toString('base64')
      const cached = cache.get(name)
      if (cached) cache.delete(name) // And back at the end, as the one used last.
      if (cached && cached.until > monotonicMs()) {
        cache.set(name, cached)
        return cached.caller
      }
      const running = lookups.get(name) ?? lookUp(hash, name).finally(() => lookups.delete(name))
      lookups.set(name, running)
      return running
    },
    async create(caller, key) {
      const excess = whyNotGrant(caller, key)
      if (excess) throw new AppError('forbidden', excess)
      return insert(caller.tenantId, key)
    },
    createFirst: insert,
    list: async (tenantId) => (await listKeys(db.forTenant(tenantId), tenantId, keysMax)).map(toApiKey),
    async delete(tenantId, keyId) {
      const deleted = await deleteKey(db.forTenant(tenantId), tenantId, keyId)
      if (!deleted) throw new AppError('not_found', `No key ${keyId}.`)
      revocations++
      for (const [name, { caller }] of cache) if (caller.keyId === keyId) cache.delete(name)
      lookups.clear() // Whoever asks from now on reads anew.
      log.info('key revoked', { tenantId, keyId })
      return toApiKey(deleted)
    },
    async stop() {
      await Promise.all(notes)
    },
  }
}

/** What `key` would allow that `caller` itself may not. Undefined when there is nothing. */
export function whyNotGrant(caller: Pick<Caller, 'permissions' | 'access'>, key: Pick<NewKey, 'permissions' | 'access'>): string | undefined {
  const excess = key.permissions.filter((permission) => !caller.permissions.includes(permission))
  if (excess.length > 0) return `A key cannot be given what its maker lacks: ${excess.join(', ')}.`
  const regions = caller.access.regions
  if (regions && !key.access.regions?.every((region) => regions.includes(region)))
    return `A key cannot see more than its maker, who is limited to these regions: ${regions.join(', ')}.`
  if (!caller.access.personalData && key.access.personalData) return 'A key cannot see more than its maker, who is kept from personal data.'
  return undefined
}

/** The secret is 256 random bits, so a plain hash cannot be guessed back, and finding it by index tells nothing by its timing. */
const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest()
