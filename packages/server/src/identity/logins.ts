/** Where people are signed in. The secret is a browser's cookie or a program's token; the database has its hash. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { type Login, type Role, roles } from '@longhaul/protocol'
import { type Db, type TenantTx, audienceOf, noteAudit } from '../db/index.ts'
import { AppError, type Log, newId, secret as makeSecret } from '../kernel/index.ts'
import { openCallerCache } from './caller-cache.ts'
import { type Caller, whoIs } from './keys.ts'
import * as store from './login-store.ts'
import type { PersonRow } from './person-store.ts'

/** What is known of whoever asks before they are known. */
export type Asking = {
  address: string
  /** What the browser says it is. */
  agent: string
  /** What is in its address line, without a path. */
  origin: string
  /** What this browser was given when somebody signed in with it. */
  device?: string | undefined
}
export type LoginLimits = { lifeMs: number; idleMs: number; stepUpMs: number }
export type PersonCaller = Caller & { readonly login: NonNullable<Caller['login']> }

export type Logins = {
  /**
   * Whose cookie or token this is. Undefined when it is nobody's, or the login has ended: here at any time, at another server over a second ago, and
   * usually some milliseconds ago, since servers tell each other.
   * Throws `forbidden` while its tenant is suspended. Unless it is a use, it keeps no login from ending by itself.
   */
  authenticate(secret: string, kind: store.LoginKind, isUse?: boolean): Promise<PersonCaller | undefined>
  /** A new one each time somebody signs in: what a browser had before is worth nothing afterwards. */
  start(tx: TenantTx, person: PersonRow, login: { kind: store.LoginKind; asking: Asking; isSteppedUp: boolean }): Promise<string>
  list(caller: PersonCaller): Promise<Login[]>
  /** Drops what is remembered: of one person's logins, or of all. To be called after the commit of what changes them. */
  forget(personId?: string): void
  forgetTenant(tenantId: string): void
  delete(caller: PersonCaller, loginId: string): Promise<Login>
  stop(): Promise<void>
}

const tokenPrefix = 'lp_'
const shape = /^(lp_)?[A-Za-z0-9_-]{43}$/
const noteEveryMs = 60_000
const loginsMax = 200

export const isLoginToken = (secret: string): boolean => secret.startsWith(tokenPrefix)

/** What a page of ours knows and a page of others does not. It tells nothing of the secret that it is made from. */
export const csrfTokenOf = (secret: string): string => createHmac('sha256', secret).update('longhaul csrf').digest('base64url')

export const isCsrfToken = (secret: string, token: string | undefined): boolean => {
  const wanted = Buffer.from(csrfTokenOf(secret))
  const given = Buffer.from(token ?? '')
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

/** The secret has 256 random bits, so a plain hash cannot be guessed back. */
export const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest()

export function openLogins({ db, log, limits }: { db: Db; log: Log; limits: LoginLimits }): Logins {
  const cache = openCallerCache<PersonCaller>()
  const notes = new Set<Promise<void>>()
  const forget = (personId?: string) => cache.forget(({ keyId }) => personId === undefined || keyId === personId)

  function note(tenantId: string, loginId: string, personId: string): void {
    const noted = store
      .recordLoginUse(db.forTenant(tenantId), loginId, personId)
      .catch((error: unknown) => log.warn('use of a login not noted', { error, loginId }))
      .finally(() => notes.delete(noted))
    notes.add(noted)
  }
  const toLogin = (caller: PersonCaller, { createdAt, lastUsedAt, expiresAt, ...login }: store.LoginRow): Login => ({
    ...login,
    isThisOne: login.id === caller.login.id,
    createdAt: createdAt.toISOString(),
    lastUsedAt: lastUsedAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
  })
  return {
    async authenticate(secret, kind, isUse = true) {
      if (!shape.test(secret) || isLoginToken(secret) !== (kind === 'program')) return undefined
      const idleMs = kind === 'browser' ? limits.idleMs : limits.lifeMs
      const hash = hashSecret(secret)
      return cache.find(hash, async () => {
        const found = await store.findLogin(db, hash, { kind, idleMs, stepUpMs: limits.stepUpMs, noteEveryMs })
        if (!found) return undefined
        const { person, loginId, isLong } = found
        if (found.isSuspended) throw new AppError('forbidden', `The tenant ${person.tenantId} is suspended. Its administrator knows why.`)
        if (isLong && isUse) note(person.tenantId, loginId, person.id)
        // Somebody who only looks is not remembered instead of a use that would have been noted.
        return { caller: callerOf(found, secret, kind), keepMs: isLong && !isUse ? 0 : found.staysForMs }
      })
    },
    async start(tx, person, { kind, asking, isSteppedUp }) {
      const secret = (kind === 'program' ? tokenPrefix : '') + makeSecret()
      const id = newId()
      const { address } = asking
      await store.insertLogin(tx, {
        ...{ id, kind, address, isSteppedUp },
        agent: asking.agent.slice(0, 200),
        personId: person.id,
        secretHash: hashSecret(secret),
        inMs: limits.lifeMs,
      })
      await noteAudit(tx, { who: { id: person.id, name: person.name }, action: 'logins.start', target: id, detail: { kind, hasSecondFactor: isSteppedUp } })
      return secret
    },
    list: async (caller) =>
      (await store.listLogins(db.forTenant(caller.tenantId), caller.keyId, limits.idleMs, loginsMax)).map((login) => toLogin(caller, login)),
    async delete(caller, loginId) {
      const work = db.forTenant(caller.tenantId).transaction(async (tx) => {
        const deleted = await store.deleteLogin(tx, caller.keyId, loginId)
        if (!deleted) throw new AppError('not_found', `No login ${loginId}.`)
        await noteAudit(tx, { who: whoIs(caller), action: 'logins.delete', target: loginId })
        return toLogin(caller, deleted)
      })
      return work.finally(() => forget(caller.keyId)) // Also when nobody knows whether it was committed.
    },
    forget,
    forgetTenant: (tenantId) => cache.forget((caller) => caller.tenantId === tenantId),
    async stop() {
      await Promise.all(notes)
    },
  }
}

const callerOf = ({ person, loginId, steppedUpUntil }: store.FoundLogin, secret: string, kind: store.LoginKind): PersonCaller =>
  Object.freeze({
    ...audienceOf(person.tenantId, person),
    keyId: person.id,
    name: person.name,
    roles: person.roles,
    permissions: [...new Set(person.roles.flatMap((role: Role) => roles[role] ?? []))],
    access: person.access,
    ...(person.namespaces !== null && { namespaces: person.namespaces }),
    ...(person.agents !== null && { agents: person.agents }),
    login: { id: loginId, kind, steppedUpUntil: steppedUpUntil?.toISOString(), ...(kind === 'browser' && { csrfToken: csrfTokenOf(secret) }) },
  })
