/** API keys: who a secret belongs to, and what that caller may do. */
import { createHash } from 'node:crypto'
import { type ApiKey, type Asker, type DataAccess, type Permission, type Role, roles, usualPermissions } from '@longhaul/protocol'
import { type Audience, type AuditNote, type Db, type TenantTx, audienceOf, noteAudit } from '../db/index.ts'
import { AppError, type Log, newId, secret as makeSecret } from '../kernel/index.ts'
import { type Found, openCallerCache } from './caller-cache.ts'
import { type Scope, isWithin, whyNotGrant } from './grant.ts'
import { deleteKey, expireKey, findKey, findKeyByHash, insertKey, listKeys, recordKeyUse, succeedKey, toApiKey } from './key-store.ts'

/** Who is calling, for the length of one request, and as an audience: what there is for them to read. */
export type Caller = Audience & {
  /** Of the key, or of the person who is signed in. */
  readonly keyId: string
  readonly name: string
  readonly permissions: readonly Permission[]
  readonly access: DataAccess
} & Scope & {
    readonly roles?: readonly Role[] | undefined
    /** Of a person: how they are signed in, and until when a second factor counts as just given. */
    readonly login?:
      | { readonly id: string; readonly kind: 'browser' | 'program'; readonly steppedUpUntil?: string | undefined; readonly csrfToken?: string | undefined }
      | undefined
    /** On the database's clock, as it was when the key was read. */
    readonly expiresAt?: string | undefined
  }
export type NewKey = {
  name: string
  permissions?: readonly Permission[] | undefined
  role?: Role | undefined
  namespaces?: string[] | undefined
  agents?: string[] | undefined
  expiresAt?: string | undefined
  access: DataAccess
}
type Made = ApiKey & { secret: string }

export type Keys = {
  /**
   * Whose secret this is; undefined when it is nobody's, or was revoked here at any time or elsewhere over a second ago.
   * Throws `forbidden` while its tenant is suspended.
   */
  authenticate(secret: string): Promise<Caller | undefined>
  /** A key may do and see no more than the caller who makes it. Its secret is in the result and nowhere else. */
  create(caller: Caller, key: NewKey): Promise<Made>
  /** For the first key of a machine, which nobody is there to make. */
  createFirst(tenantId: string, key: NewKey): Promise<Made>
  /** For the first key of a tenant, in the transaction that makes the tenant. */
  insertFirst(tx: TenantTx, key: NewKey, who: AuditNote['who']): Promise<Made>
  /** A new key like an old one, which goes on for `overlapMs`. */
  rotate(caller: Caller, keyId: string, overlapMs: number): Promise<Made>
  /** Those within the caller's own scope. */
  list(caller: Caller): Promise<ApiKey[]>
  delete(caller: Caller, keyId: string): Promise<ApiKey>
  /** Drops what is remembered of a tenant's keys, when something about the tenant has changed. */
  forgetTenant(tenantId: string): void
  /** Returns once every use that was seen is noted. */
  stop(): Promise<void>
}

const prefix = 'lh_'
const secretShape = /^lh_[A-Za-z0-9_-]{43}$/
const keysMax = 1_000
const noteEveryMs = 60_000

export function openKeys({ db, log }: { db: Db; log: Log }): Keys {
  const cache = openCallerCache<Caller>()
  const notes = new Set<Promise<void>>()

  async function lookUp(hash: Buffer): Promise<Found<Caller> | undefined> {
    const found = await findKeyByHash(db, hash, noteEveryMs)
    if (!found) return undefined
    const { id, tenantId, role, namespaces, agents, access, expiresAt } = found.key
    if (found.isSuspended) throw new AppError('forbidden', `The tenant ${tenantId} is suspended. Its administrator knows why.`)
    const caller: Caller = Object.freeze({
      ...audienceOf(tenantId, { id, access }),
      keyId: id,
      name: found.key.name,
      permissions: permissionsOf(found.key),
      access,
      ...(role !== null && { roles: [role] }),
      ...(namespaces !== null && { namespaces }),
      ...(agents !== null && { agents }),
      ...(expiresAt !== null && { expiresAt: expiresAt.toISOString() }),
    })
    if (found.isLong) note(id)
    return { caller, keepMs: found.expiresInMs ?? Infinity }
  }

  function note(keyId: string): void {
    const noted = recordKeyUse(db, keyId, noteEveryMs)
      .catch((error: unknown) => log.warn('use of a key not noted', { error, keyId }))
      .finally(() => notes.delete(noted))
    notes.add(noted)
  }

  async function insert(tx: TenantTx, key: NewKey, who: AuditNote['who'], action = 'keys.create'): Promise<Made> {
    const { tenantId } = tx
    const secret = prefix + makeSecret()
    const { role = null, namespaces = null, agents = null, expiresAt = null } = key
    const permissions = [...listedBy(key)]
    const row = { id: newId(), tenantId, name: key.name, permissions, role, namespaces, agents, access: key.access, expiresAt }
    const inserted = await insertKey(tx, row, hashOf(secret))
    await noteAudit(tx, { who, action, target: inserted.id, detail: { name: key.name, permissions, role, namespaces, agents, expiresAt } })
    log.info('key made', { tenantId, keyId: inserted.id, name: inserted.name })
    return { ...toApiKey(inserted), secret }
  }

  return {
    async authenticate(secret) {
      if (!secretShape.test(secret)) return undefined
      const hash = hashOf(secret)
      return cache.find(hash, () => lookUp(hash))
    },
    async create(caller, key) {
      const excess = whyNotGrant(caller, { ...key, permissions: grantedBy(key) })
      if (excess) throw new AppError('forbidden', excess)
      return db.forTenant(caller.tenantId).transaction((tx) => insert(tx, key, whoIs(caller)))
    },
    createFirst: (tenantId, key) => db.forTenant(tenantId).transaction((tx) => insert(tx, key, { id: null, name: 'server' })),
    insertFirst: (tx, key, who) => insert(tx, key, who),
    async rotate(caller, keyId, overlapMs) {
      const made = await db.forTenant(caller.tenantId).transaction(async (tx) => {
        const old = await findKey(tx, keyId)
        if (!old || !isWithin(caller, old)) throw new AppError('not_found', `No key ${keyId}.`)
        const { name, permissions, access } = old
        const key: NewKey = {
          ...{ name, permissions, access },
          ...(old.role !== null && { role: old.role }),
          ...(old.namespaces !== null && { namespaces: old.namespaces }),
          ...(old.agents !== null && { agents: old.agents }),
          ...(old.expiresAt !== null && { expiresAt: old.expiresAt.toISOString() }),
        }
        const excess = whyNotGrant(caller, { ...key, permissions: permissionsOf(old) })
        if (excess) throw new AppError('forbidden', excess)
        await expireKey(tx, keyId, overlapMs)
        const successor = await insert(tx, key, whoIs(caller), 'keys.rotate')
        await succeedKey(tx, successor.id, keyId)
        return successor
      })
      cache.forget((cached) => cached.keyId === keyId)
      log.info('key rotated', { tenantId: caller.tenantId, keyId, newKeyId: made.id, overlapMs })
      return made
    },
    list: async (caller) => (await listKeys(db.forTenant(caller.tenantId), keysMax)).filter((key) => isWithin(caller, key)).map(toApiKey),
    async delete(caller, keyId) {
      const deleted = await db.forTenant(caller.tenantId).transaction(async (tx) => {
        const found = await findKey(tx, keyId)
        if (!found || !isWithin(caller, found)) throw new AppError('not_found', `No key ${keyId}.`)
        await noteAudit(tx, { who: whoIs(caller), action: 'keys.delete', target: keyId, detail: { name: found.name } })
        return (await deleteKey(tx, keyId)) ?? found
      })
      cache.forget((cached) => cached.keyId === keyId)
      log.info('key revoked', { tenantId: caller.tenantId, keyId })
      return toApiKey(deleted)
    },
    forgetTenant: (tenantId) => cache.forget((caller) => caller.tenantId === tenantId),
    async stop() {
      await Promise.all(notes)
    },
  }
}

/** As the runs that a caller starts remember them. */
export const askerOf = ({ keyId, name, access, login }: Caller): Asker => ({ id: keyId, name, access, ...(login && { isPerson: true }) })

/** As the audit log names a caller. */
export const whoIs = ({ keyId, name }: { keyId: string | null; name: string }): AuditNote['who'] => ({ id: keyId, name })

/** What a new key lists by itself: with a role nothing, without one what it takes to ask agents. */
const listedBy = ({ permissions, role }: NewKey): readonly Permission[] => permissions ?? (role ? [] : usualPermissions)
const grantedBy = (key: NewKey): Permission[] => permissionsOf({ role: key.role, permissions: listedBy(key) })

const permissionsOf = ({ permissions, role }: { permissions?: readonly Permission[] | undefined; role?: Role | null | undefined }): Permission[] => [
  ...new Set([...(role ? roles[role] : []), ...(permissions ?? [])]),
]

/** The secret is 256 random bits, so a plain hash cannot be guessed back, and finding it by index tells nothing by its timing. */
const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest()
