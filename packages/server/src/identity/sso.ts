/** Single sign-on: who the tenant's provider says they are, and which of the tenant's people that is. */
import { type Role, type Sso as Settings, type setSso, roleNames, roles as rightsOf, ssoReturnPath } from '@longhaul/protocol'
import type { z } from 'zod'
import { type Db, type TenantTx, noteAudit } from '../db/index.ts'
import { AppError, newId, secret } from '../kernel/index.ts'
import { whyNotGrant } from './grant.ts'
import { type Caller, whoIs } from './keys.ts'
import { type Asking, type Logins, hashSecret } from './logins.ts'
import { type Claims, type Expected, type GuardedFetch, assertProvider, claimsOf, loginAddress } from './openid.ts'
import * as people from './person-store.ts'
import type { Secrets } from './secrets.ts'
import type { SignInResult } from './sign-in.ts'
import * as store from './sso-store.ts'
import * as tickets from './ticket-store.ts'

export type Sso = {
  get(caller: Caller): Promise<Settings>
  set(caller: Caller, input: z.output<typeof setSso.input>): Promise<Settings>
  delete(caller: Caller): Promise<Settings>
  /** Where to send the browser, and what it has to bring back with it: `state`, in a cookie of its own. */
  start(tenantId: string, origin: string): Promise<{ address: string; state: string }>
  finish(back: { query: string; state: string | undefined }, asking: Asking): Promise<SignInResult>
}

const secretName = 'sso-client-secret'
const ticketMs = 600_000
const server = { id: null, name: 'sign-in' }

type Options = {
  db: Db
  secrets: Pick<Secrets, 'set' | 'use' | 'delete'>
  fetch: GuardedFetch
  /** Signs somebody in, or asks for their second factor. */
  enter(tx: TenantTx, personId: string, asking: Asking): Promise<SignInResult>
  logins: Pick<Logins, 'forget'>
}

export function openSso({ db, secrets, fetch, enter, logins }: Options): Sso {
  const none = () => new AppError('not_found', 'There is no single sign-on here. Set it with: longhaul sso set')
  const toSettings = ({ updatedAt, ...row }: store.SsoRow): Settings => ({ ...row, updatedAt: updatedAt.toISOString() })
  const clientSecret = (tenantId: string, who: { id: string | null; name: string }) => secrets.use(tenantId, secretName, { who, purpose: 'single sign-on' })

  /** Whoever says which provider is believed can become anybody here. */
  function assertMayDecide(caller: Caller): void {
    const excess = whyNotGrant(caller, { permissions: rightsOf.administrator, namespaces: null, agents: null, access: { personalData: true } })
    if (excess) throw new AppError('forbidden', `Single sign-on decides who may become anybody, so it is for administrators of the whole tenant. ${excess}`)
  }

  async function findPerson(tx: TenantTx, settings: store.SsoRow, claims: Claims): Promise<string> {
    const outside = { issuer: settings.issuer, subject: claims.subject, email: claims.email }
    const roles = rolesFrom(settings, claims)
    if (roles?.length === 0) throw new AppError('forbidden', 'Your account at the provider comes to no role here. Whoever manages people can say which do.')
    const known = await store.findByIdentity(tx, outside)
    const id = known?.id ?? (await create(tx, settings, claims, roles))
    if (!known?.isBound) {
      await store.bindIdentity(tx, id, outside)
      await noteAudit(tx, { who: server, action: 'people.bind', target: id, detail: { issuer: settings.issuer, subject: claims.subject } })
    }
    if (known && roles) await follow(tx, id, roles)
    return id
  }
  async function create(tx: TenantTx, { createsPeople }: store.SsoRow, { email, name }: Claims, roles: Role[] | undefined): Promise<string> {
    if (email === undefined)
      throw new AppError('forbidden', 'The provider does not say that your e-mail address is verified, and you have not signed in so before.')
    const unknown = new AppError(
      'forbidden',
      `Nobody with the address ${email} was invited, or that person is another account of the provider. Whoever manages people can invite you.`,
    )
    if (!createsPeople || !roles) throw unknown
    const person = { id: newId(), email, name: name || (email.split('@')[0] ?? email), roles, namespaces: null, agents: null, access: { personalData: true } }
    if (!(await people.insertPerson(tx, person))) throw unknown
    await noteAudit(tx, { who: server, action: 'people.create', target: person.id, detail: { roles } })
    return person.id
  }
  /** The provider says what they may do, at each sign-in anew. */
  async function follow(tx: TenantTx, personId: string, roles: Role[]): Promise<void> {
    const person = await people.findPerson(tx, personId)
    if (!person || person.roles.toSorted().join() === roles.toSorted().join()) return
    await people.updatePerson(tx, { ...person, roles })
    await noteAudit(tx, { who: server, action: 'people.update', target: personId, detail: { roles } })
  }

  return {
    async get({ tenantId }) {
      const found = await store.findSso(db.forTenant(tenantId))
      if (!found) throw none()
      return toSettings(found)
    },
    async set(caller, { clientSecret: given, ...settings }) {
      assertMayDecide(caller)
      const tenant = db.forTenant(caller.tenantId)
      const before = await store.findSso(tenant)
      // A secret that was given for one provider is not sent to another.
      if (given === undefined && (before?.issuer !== settings.issuer || before.clientId !== settings.clientId))
        throw new AppError('invalid', 'clientSecret: a new issuer or client needs its secret.')
      const client = { ...settings, clientSecret: given ?? (await clientSecret(caller.tenantId, whoIs(caller))) }
      await assertProvider(client, fetch)
      if (given !== undefined) await secrets.set(caller, { name: secretName, value: given, description: `Single sign-on at ${settings.issuer}`.slice(0, 500) })
      return tenant.transaction(async (tx) => {
        const row = await store.putSso(tx, settings)
        const { issuer, clientId, rolesClaim, roles, createsPeople } = row
        await noteAudit(tx, { who: whoIs(caller), action: 'sso.set', detail: { issuer, clientId, rolesClaim, roles, createsPeople } })
        return toSettings(row)
      })
    },
    async delete(caller) {
      assertMayDecide(caller)
      const row = await db.forTenant(caller.tenantId).transaction(async (tx) => {
        const deleted = await store.deleteSso(tx)
        if (!deleted) throw none()
        await noteAudit(tx, { who: whoIs(caller), action: 'sso.delete', detail: { issuer: deleted.issuer } })
        return deleted
      })
      await secrets.delete(caller, secretName).catch((error: unknown) => {
        if (!(error instanceof AppError && error.code === 'not_found')) throw error
      })
      return toSettings(row)
    },
    async start(tenantId, origin) {
      const tenant = db.forTenant(tenantId)
      const settings = await store.findSso(tenant)
      if (!settings) throw new AppError('not_found', `The tenant ${tenantId} has no single sign-on. Sign in with your password.`)
      const expected: Expected = { state: secret(), nonce: secret(), verifier: secret(), redirectUri: `${origin}${ssoReturnPath}` }
      const address = await loginAddress(settings, expected, settings.scopes, fetch)
      const { state, ...data } = expected
      await tenant.transaction((tx) => tickets.insertTicket(tx, hashSecret(state), { kind: 'sso', data: { ...data, issuer: settings.issuer }, inMs: ticketMs }))
      return { address, state }
    },
    async finish({ query, state }, asking) {
      // Somebody who lures a visitor to their own way back would sign them in as themselves.
      if (state === undefined || new URLSearchParams(query).get('state') !== state)
        throw new AppError('unauthenticated', 'This browser did not begin this sign-in, or too long ago. Begin again.')
      const ticket = await tickets.takeTicket(db, hashSecret(state), 'sso')
      if (!ticket) throw new AppError('unauthenticated', 'This sign-in took too long or was used before. Begin again.')
      const tenant = db.forTenant(ticket.tenantId)
      const { issuer, ...rest } = ticket.data as Omit<Expected, 'state'> & { issuer: string } // As `start` wrote it.
      try {
        const settings = await store.findSso(tenant)
        if (settings?.issuer !== issuer) throw new AppError('unauthenticated', 'Single sign-on was changed meanwhile. Begin again.')
        const client = { ...settings, clientSecret: await clientSecret(ticket.tenantId, server) }
        const claims = await claimsOf(client, { ...rest, state }, query, fetch)
        let personId: string | undefined
        const work = tenant.transaction(async (tx) => enter(tx, (personId = await findPerson(tx, settings, claims)), asking))
        return await work.finally(() => personId !== undefined && logins.forget(personId)) // Their roles may be others.
      } catch (error) {
        const detail = { reason: error instanceof AppError ? error.message : 'an error here' }
        await tenant.transaction((tx) => noteAudit(tx, { who: { id: null, name: 'somebody' }, action: 'signin.return', outcome: 'refused', detail }))
        throw error
      }
    },
  }
}

/** Undefined where roles are given here; none when the provider says nothing that comes to one. */
export function rolesFrom({ rolesClaim, roles }: Pick<store.SsoRow, 'rolesClaim' | 'roles'>, { all }: Pick<Claims, 'all'>): Role[] | undefined {
  if (rolesClaim === null) return undefined
  const claim = Object.hasOwn(all, rolesClaim) ? all[rolesClaim] : undefined
  const values = new Set((Array.isArray(claim) ? claim : [claim]).filter((value) => typeof value === 'string'))
  const given = new Set(Object.entries(roles).flatMap(([value, comesTo]) => (values.has(value) ? comesTo : [])))
  return roleNames.filter((role) => given.has(role))
}
