/** Authenticators, recovery codes, and passkeys where they stand for these: turned on by their owner, asked for at sign-in and before sensitive operations. */
import type { Db, TenantTx } from '../db/index.ts'
import { noteAudit } from '../db/index.ts'
import type { SignedChallenge } from '@longhaul/protocol'
import { AppError, wallClock } from '../kernel/index.ts'
import { type MasterKeys, keyIdOf, open, rewrap, seal } from './envelope.ts'
import type { Guesses } from './guesses.ts'
import { whoIs } from './keys.ts'
import { stepUpLogin } from './login-store.ts'
import type { Asking, Logins, PersonCaller } from './logins.ts'
import type { AssertOwner } from './owner.ts'
import type { Passkeys } from './passkeys.ts'
import * as store from './person-store.ts'
import { hashRecoveryCode, makeRecoveryCodes, makeTotpSecret, totpSlice, totpUri } from './totp.ts'

/** One of the two, as the operation has checked. */
export type GivenFactor = { code?: string | undefined; passkey?: SignedChallenge | undefined }

export type SecondFactor = {
  /** Throws unless it is the person's. It is used up. Throws `over_limit` for whoever guesses codes. */
  take(purpose: 'factor' | 'step-up', person: store.PersonRow, given: GivenFactor, asking: Asking): Promise<void>
  stepUp(caller: PersonCaller, given: GivenFactor, asking: Asking): Promise<void>
  enroll(caller: PersonCaller, password: string | undefined, asking: Asking): Promise<{ secret: string; uri: string }>
  confirm(caller: PersonCaller, code: string, asking: Asking): Promise<{ recoveryCodes: string[] }>
  renewRecoveryCodes(caller: PersonCaller): Promise<{ recoveryCodes: string[] }>
  unenroll(caller: PersonCaller): Promise<void>
  /** Puts every secret under the current master key. */
  rewrapAll(): Promise<void>
}

const sealName = (tenantId: string, personId: string) => `${tenantId}/people/${personId}/totp`

type Options = { db: Db; masterKeys: MasterKeys; guesses: Guesses; passkeys: Pick<Passkeys, 'take'>; assertOwner: AssertOwner; logins: Pick<Logins, 'forget'> }

export function openSecondFactor({ db, masterKeys, guesses, passkeys, assertOwner, logins }: Options): SecondFactor {
  const tenantOf = ({ tenantId }: { tenantId: string }) => db.forTenant(tenantId)

  async function load(tx: TenantTx, personId: string): Promise<store.PersonRow> {
    const found = await store.findPerson(tx, personId)
    if (!found) throw new AppError('not_found', 'This person was removed.')
    return found
  }
  function sliceOf({ tenantId, id, totp }: store.PersonRow, code: string): number | undefined {
    return totp ? totpSlice(open(masterKeys, totp, sealName(tenantId, id)), code, wallClock()) : undefined
  }
  async function takeCode(person: store.PersonRow, code: string): Promise<true | undefined> {
    return tenantOf(person).transaction(async (tx) => {
      const slice = /^\d{6}$/.test(code) ? sliceOf(person, code) : undefined
      if (slice !== undefined) return (await store.takeTotpSlice(tx, person.id, slice)) || undefined
      if (!(await store.takeRecoveryCode(tx, person.id, hashRecoveryCode(code)))) return undefined
      await noteAudit(tx, { who: { id: person.id, name: person.name }, action: 'me.recovery-code', target: person.id })
      return true
    })
  }
  const take: SecondFactor['take'] = async (purpose, person, { code, passkey }, asking) => {
    if (passkey) {
      if ((await passkeys.take(purpose, passkey, asking))?.personId !== person.id)
        throw new AppError('invalid', 'passkey: it is not yours, or this took too long. Begin again.')
    } else if (!(await guesses.guard({ tenantId: person.tenantId, account: `${person.id} factor`, asking }, () => takeCode(person, code ?? ''))))
      throw new AppError('invalid', 'code: it is wrong, or was used before. Wait for the next one.')
  }

  async function putCodes(tx: TenantTx, caller: PersonCaller, action: string): Promise<{ recoveryCodes: string[] }> {
    const recoveryCodes = makeRecoveryCodes()
    await store.setRecoveryHashes(tx, caller.keyId, recoveryCodes.map(hashRecoveryCode))
    await noteAudit(tx, { who: whoIs(caller), action, target: caller.keyId })
    return { recoveryCodes }
  }
  return {
    take,
    async stepUp(caller, given, asking) {
      const person = await tenantOf(caller).transaction((tx) => load(tx, caller.keyId))
      if (!store.hasSecondFactor(person))
        throw new AppError('conflict', 'You have no second factor yet. Turn one on in the console under your name, or with: longhaul me enroll')
      await take('step-up', person, given, asking)
      const work = tenantOf(caller).transaction(async (tx) => {
        await stepUpLogin(tx, caller.keyId, caller.login.id)
        await noteAudit(tx, { who: whoIs(caller), action: 'me.stepup', target: caller.login.id })
      })
      await work.finally(() => logins.forget(caller.keyId))
    },
    async enroll(caller, password, asking) {
      const person = await tenantOf(caller).transaction((tx) => load(tx, caller.keyId))
      await assertOwner(caller, person, password, asking)
      const secret = makeTotpSecret()
      const isSet = await tenantOf(caller).transaction((tx) => store.setTotp(tx, person.id, seal(masterKeys, secret, sealName(person.tenantId, person.id))))
      if (!isSet) throw new AppError('conflict', 'An authenticator is in force already. Take it away first.')
      return { secret, uri: totpUri(secret, person.email, 'Longhaul') }
    },
    async confirm(caller, code, asking) {
      const person = await tenantOf(caller).transaction((tx) => load(tx, caller.keyId))
      if (person.isTotpConfirmed) throw new AppError('conflict', 'An authenticator is in force already.')
      if (!person.totp) throw new AppError('conflict', 'No authenticator waits to be confirmed. Begin again.')
      const slice = await guesses.guard({ tenantId: caller.tenantId, account: `${person.id} factor`, asking }, async () => sliceOf(person, code))
      if (slice === undefined) throw new AppError('invalid', 'code: it is not the authenticator’s. Is the clock of the device right?')
      const work = tenantOf(caller).transaction(async (tx) => {
        const { isTotpConfirmed, totp } = await load(tx, caller.keyId)
        if (isTotpConfirmed || !totp || !person.totp || !totp.ciphertext.equals(person.totp.ciphertext))
          throw new AppError('conflict', 'The authenticator was changed meanwhile. Begin again.')
        await store.takeTotpSlice(tx, person.id, slice)
        await store.confirmTotp(tx, person.id)
        await stepUpLogin(tx, caller.keyId, caller.login.id)
        return putCodes(tx, caller, 'me.confirm')
      })
      return work.finally(() => logins.forget(caller.keyId))
    },
    renewRecoveryCodes: (caller) =>
      tenantOf(caller).transaction(async (tx) => {
        if (!store.hasSecondFactor(await load(tx, caller.keyId)))
          throw new AppError('conflict', 'Recovery codes stand in for a second factor, and there is none.')
        return putCodes(tx, caller, 'me.recovery')
      }),
    unenroll: (caller) =>
      tenantOf(caller).transaction(async (tx) => {
        const { passkeyCount } = await load(tx, caller.keyId)
        await store.deleteTotp(tx, caller.keyId)
        if (passkeyCount === 0) await store.setRecoveryHashes(tx, caller.keyId, [])
        await noteAudit(tx, { who: whoIs(caller), action: 'me.unenroll', target: caller.keyId })
      }),
    async rewrapAll() {
      for (;;) {
        const count = await db.transaction(async (tx) => {
          const rows = await store.listTotpWrappedOtherwise(tx, keyIdOf(masterKeys.current), 100)
          for (const row of rows) if (row.totp) await store.rewrapTotp(tx, row.id, rewrap(masterKeys, row.totp, sealName(row.tenantId, row.id)))
          return rows.length
        })
        if (count === 0) return
      }
    },
  }
}
