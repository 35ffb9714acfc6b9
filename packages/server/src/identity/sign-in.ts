/** From nobody to somebody: passwords, links, second factors, programs. */
import type { Me, SignedChallenge } from '@longhaul/protocol'
import { type Db, type TenantTx, noteAudit } from '../db/index.ts'
import { AppError, secret, secretBytes } from '../kernel/index.ts'
import type { Recipient } from '../mail/index.ts'
import type { Guesses } from './guesses.ts'
import { whoIs } from './keys.ts'
import { deleteLogins } from './login-store.ts'
import { type Asking, type Logins, type PersonCaller, hashSecret } from './logins.ts'
import type { Passkeys } from './passkeys.ts'
import { hashPassword, isPassword, whyNotPassword } from './passwords.ts'
import { linkPath } from './people.ts'
import * as store from './person-store.ts'
import type { GivenFactor, SecondFactor } from './second-factor.ts'
import * as tickets from './ticket-store.ts'

/** `cookie` and `device` are for the browser alone. */
export type SignInResult = { state: 'signed-in'; cookie: string; device: string } | { state: 'second-factor'; ticket: string; factors: Me['factors'] }

export type SignIn = {
  password(input: { tenant: string; email: string; password: string }, asking: Asking): Promise<SignInResult>
  factor(input: { ticket: string } & GivenFactor, asking: Asking): Promise<SignInResult>
  /** What a browser is to sign: for that ticket, or with any passkey. */
  askForPasskey(ticket: string | undefined, asking: Asking): Promise<Record<string, unknown>>
  passkey(signed: SignedChallenge, asking: Asking): Promise<SignInResult>
  /** Where a mail with this link goes; undefined when the link opens nothing any more. */
  recipientOf(token: string): Promise<Recipient | undefined>
  lookAtLink(token: string): Promise<{ email: string; name: string; tenantId: string; isNew: boolean }>
  /** Whoever another has recognised, such as the tenant's provider: that is worth a password and no more. */
  enter(tx: TenantTx, personId: string, asking: Asking): Promise<SignInResult>
  join(input: { token: string; password: string }, asking: Asking): Promise<SignInResult>
  changePassword(caller: PersonCaller, input: { current: string; next: string }, asking: Asking): Promise<void>
  signOut(caller: PersonCaller): Promise<{ count: number }>
  me(caller: PersonCaller): Promise<Me>
  setMails(caller: PersonCaller, isOfApprovals: boolean): Promise<void>
  startDevice(
    input: { tenant: string; name: string },
    asking: Asking,
  ): Promise<{ deviceCode: string; userCode: string; expiresInMs: number; intervalMs: number }>
  pollDevice(deviceCode: string, asking: Asking): Promise<{ state: 'pending' | 'approved' | 'denied'; token: string | null; name: string | null }>
  getDevice(caller: PersonCaller, userCode: string): Promise<{ userCode: string; name: string; address: string; expiresAt: string }>
  decideDevice(caller: PersonCaller, userCode: string, approved: boolean): Promise<void>
}

const factorMs = 300_000
const factorTriesMax = 5
const deviceMs = 600_000
const deviceIntervalMs = 2_000
const pollsMax = 1_000
/** No letters and digits that are taken for each other. */
const userCodeLetters = 'BCDFGHJKLMNPQRSTVWXZ23456789'

type Device = { name: string; address: string; approved: boolean | null }

type Options = { db: Db; logins: Logins; guesses: Guesses; secondFactor: SecondFactor; passkeys: Passkeys }

export function openSignIn({ db, logins, guesses, secondFactor, passkeys }: Options): SignIn {
  const wrong = () => new AppError('unauthenticated', 'The address or the password is wrong.')
  const badLink = () => new AppError('not_found', 'This link was used, has expired, or was replaced by a newer one. Ask whoever sent it for another.')

  async function finish(tx: TenantTx, person: store.PersonRow, asking: Asking, isSteppedUp: boolean): Promise<SignInResult> {
    const cookie = await logins.start(tx, person, { kind: 'browser', asking, isSteppedUp })
    return { state: 'signed-in', cookie, device: guesses.mark(tx.tenantId, person.email) }
  }
  async function askForFactor(tx: TenantTx, person: store.PersonRow): Promise<SignInResult> {
    const ticket = secret()
    await tickets.insertTicket(tx, hashSecret(ticket), { kind: 'factor', personId: person.id, inMs: factorMs })
    return { state: 'second-factor', ticket, factors: store.factorsOf(person) }
  }
  const admit = (tx: TenantTx, person: store.PersonRow, asking: Asking) =>
    store.hasSecondFactor(person) ? askForFactor(tx, person) : finish(tx, person, asking, false)
  const over = () => new AppError('unauthenticated', 'This sign-in took too long, or too many codes were wrong. Begin again.')

  /** Whoever may sign in now. What keeps them from it is told only to whoever knew the password. */
  async function loadAble(tx: TenantTx, personId: string): Promise<store.PersonRow> {
    const person = await store.findPerson(tx, personId)
    if (!person || person.isDisabled) throw new AppError('forbidden', 'This person is disabled. Whoever manages people can enable them again.')
    return person
  }
  /** Whose link it is: one that somebody made for them, or one that they asked for by mail. */
  async function findByToken(token: string): Promise<{ person: store.PersonRow; expiresAt: Date } | undefined> {
    const hash = hashSecret(token)
    const person = await store.findPersonByLink(db, hash)
    return person?.linkExpiresAt ? { person, expiresAt: person.linkExpiresAt } : store.findPersonByReset(db, hash)
  }
  async function takeToken(tx: TenantTx, token: string, passwordHash: string): Promise<boolean> {
    const hash = hashSecret(token)
    if (await store.takeLink(tx, hash, passwordHash)) return true
    const reset = await tickets.takeTicket(tx, hash, 'reset')
    return !!reset?.personId && store.setPassword(tx, reset.personId, passwordHash)
  }
  return {
    async password({ tenant, email, password }, asking) {
      const person = await store.findPersonByEmail(db.forTenant(tenant), email)
      const found = await guesses.guard({ tenantId: tenant, account: email, asking }, async () =>
        (await isPassword(password, person?.passwordHash ?? null)) ? person : undefined,
      )
      if (!found) {
        if (person)
          await db
            .forTenant(tenant)
            .transaction((tx) => noteAudit(tx, { who: { id: null, name: 'somebody' }, action: 'signin.password', target: person.id, outcome: 'refused' }))
        throw wrong()
      }
      return db.forTenant(tenant).transaction(async (tx) => {
        const able = await loadAble(tx, found.id)
        if (able.passwordHash !== found.passwordHash) throw wrong() // It was changed while it was being compared.
        return admit(tx, able, asking)
      })
    },
    async factor({ ticket, ...given }, asking) {
      const hash = hashSecret(ticket)
      const found = await tickets.tryTicket(db, hash, 'factor', factorTriesMax)
      if (!found || found.personId === null) throw over()
      const tenant = db.forTenant(found.tenantId)
      const { personId } = found
      const person = await tenant.transaction((tx) => loadAble(tx, personId))
      await secondFactor.take('factor', person, given, asking).catch(async (error: unknown) => {
        await tenant.transaction((tx) => noteAudit(tx, { who: { id: null, name: 'somebody' }, action: 'signin.factor', target: personId, outcome: 'refused' }))
        throw error
      })
      return tenant.transaction(async (tx) => {
        if (!(await tickets.takeTicket(tx, hash, 'factor'))) throw over()
        return finish(tx, await loadAble(tx, personId), asking, true)
      })
    },
    async askForPasskey(ticket, asking) {
      if (ticket === undefined) return passkeys.ask('sign-in', undefined, asking)
      const found = await tickets.tryTicket(db, hashSecret(ticket), 'factor', factorTriesMax)
      if (!found || found.personId === null) throw over()
      return passkeys.ask('factor', { id: found.personId, tenantId: found.tenantId }, asking)
    },
    async passkey(signed, asking) {
      const found = await passkeys.take('sign-in', signed, asking)
      if (!found) throw new AppError('unauthenticated', 'This passkey is not known here, or the sign-in took too long. Begin again, or sign in another way.')
      return db.forTenant(found.tenantId).transaction(async (tx) => finish(tx, await loadAble(tx, found.personId), asking, true))
    },
    async enter(tx, personId, asking) {
      return admit(tx, await loadAble(tx, personId), asking)
    },
    async recipientOf(token) {
      const found = await findByToken(token)
      if (!found) return undefined
      const { tenantId, email, name } = found.person
      return { tenantId, email, name, path: linkPath, expiresAt: found.expiresAt }
    },
    async lookAtLink(token) {
      const { person } = (await findByToken(token)) ?? {}
      if (!person) throw badLink()
      return { email: person.email, name: person.name, tenantId: person.tenantId, isNew: person.passwordHash === null }
    },
    async join({ token, password }, asking) {
      const { person } = (await findByToken(token)) ?? {}
      if (!person) throw badLink()
      const why = whyNotPassword(password, person.email)
      if (why) throw new AppError('invalid', `password: ${why}`)
      const passwordHash = await hashPassword(password)
      const work = db.forTenant(person.tenantId).transaction(async (tx) => {
        if (!(await takeToken(tx, token, passwordHash))) throw badLink()
        await deleteLogins(tx, person.id)
        await tickets.deleteTickets(tx, person.id)
        await noteAudit(tx, { who: { id: person.id, name: person.name }, action: 'signin.join', target: person.id })
        // A link is worth a password and no more.
        return admit(tx, person, asking)
      })
      return work.finally(() => logins.forget(person.id))
    },
    async changePassword(caller, { current, next }, asking) {
      const tenant = db.forTenant(caller.tenantId)
      const person = await tenant.transaction((tx) => loadAble(tx, caller.keyId))
      const { passwordHash } = person
      if (passwordHash === null) throw new AppError('conflict', 'You have no password: you sign in otherwise. A link sets one: longhaul people link.')
      const why = whyNotPassword(next, person.email)
      if (why) throw new AppError('invalid', `next: ${why}`)
      const isRight = await guesses.guard({ tenantId: caller.tenantId, account: person.email, asking }, async () =>
        (await isPassword(current, passwordHash)) ? true : undefined,
      )
      if (!isRight) throw new AppError('invalid', 'current: it is not your password.')
      const nextHash = await hashPassword(next)
      const work = tenant.transaction(async (tx) => {
        if (!(await store.changePassword(tx, person.id, passwordHash, nextHash))) throw new AppError('conflict', 'The password was changed meanwhile.')
        await deleteLogins(tx, person.id, caller.login.id)
        await tickets.deleteTickets(tx, person.id)
        await noteAudit(tx, { who: whoIs(caller), action: 'me.password', target: person.id })
      })
      await work.finally(() => logins.forget(person.id))
    },
    async signOut(caller) {
      await logins.delete(caller, caller.login.id)
      return { count: 1 }
    },
    async setMails(caller, isOfApprovals) {
      await db.forTenant(caller.tenantId).transaction(async (tx) => {
        await store.setApprovalMails(tx, caller.keyId, isOfApprovals)
        await noteAudit(tx, { who: whoIs(caller), action: 'me.mails', target: caller.keyId, detail: { approvals: isOfApprovals } })
      })
    },
    async me(caller) {
      const person = await db.forTenant(caller.tenantId).transaction((tx) => loadAble(tx, caller.keyId))
      return {
        tenantId: caller.tenantId,
        person: store.toPerson(person),
        csrfToken: caller.login.csrfToken ?? null,
        hasPassword: person.passwordHash !== null,
        factors: store.factorsOf(person),
        recoveryCodesLeft: person.recoveryCodesLeft,
        steppedUpUntil: caller.login.steppedUpUntil ?? null,
        approvalMails: person.approvalMails,
      }
    },
    async startDevice({ tenant, name }, { address }) {
      const deviceCode = secret()
      const userCode = makeUserCode()
      const data: Device = { name, address, approved: null }
      await db.forTenant(tenant).transaction((tx) => tickets.insertTicket(tx, hashSecret(deviceCode), { kind: 'device', userCode, data, inMs: deviceMs }))
      return { deviceCode, userCode: shown(userCode), expiresInMs: deviceMs, intervalMs: deviceIntervalMs }
    },
    async pollDevice(deviceCode, asking) {
      const hash = hashSecret(deviceCode)
      const over = () => new AppError('not_found', 'This sign-in took too long or was answered before. Begin again.')
      const found = await tickets.tryTicket(db, hash, 'device', pollsMax)
      if (!found) throw over()
      const { personId } = found
      const { name, approved } = found.data as Device // As `startDevice` and `decideDevice` wrote it.
      if (personId === null) return { state: 'pending', token: null, name: null }
      return db.forTenant(found.tenantId).transaction(async (tx) => {
        if (!(await tickets.takeTicket(tx, hash, 'device'))) throw over()
        if (approved !== true) return { state: 'denied' as const, token: null, name: null }
        const person = await loadAble(tx, personId)
        const token = await logins.start(tx, person, { kind: 'program', asking: { ...asking, agent: name }, isSteppedUp: false })
        return { state: 'approved' as const, token, name: person.name }
      })
    },
    async getDevice(caller, userCode) {
      const found = await tickets.findByUserCode(db.forTenant(caller.tenantId), plain(userCode))
      if (!found) throw new AppError('not_found', 'No program asks under this code. It may have expired: they are good for ten minutes.')
      const { name, address } = found.data as Device // As `startDevice` wrote it.
      return { userCode: shown(plain(userCode)), name, address, expiresAt: found.expiresAt.toISOString() }
    },
    async decideDevice(caller, userCode, approved) {
      await db.forTenant(caller.tenantId).transaction(async (tx) => {
        const found = await tickets.findByUserCode(tx, plain(userCode))
        const data = found && { ...(found.data as Device), approved } // As `startDevice` wrote it.
        if (!data || !(await tickets.answerByUserCode(tx, plain(userCode), caller.keyId, data)))
          throw new AppError('not_found', 'No program asks under this code. It may have expired: they are good for ten minutes.')
        await noteAudit(tx, { who: whoIs(caller), action: 'devices.decide', detail: { name: data.name, address: data.address, approved } })
      })
    },
  }
}

const makeUserCode = (): string => [...secretBytes(8)].map((byte) => userCodeLetters[byte % userCodeLetters.length]).join('')
const plain = (userCode: string): string => userCode.replace('-', '')
const shown = (userCode: string): string => `${userCode.slice(0, 4)}-${userCode.slice(4)}`
