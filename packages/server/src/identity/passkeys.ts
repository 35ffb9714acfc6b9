/** Passkeys: made and kept by their owners, taken at the sign-in and as a second factor. */
import type { NewCredential, Passkey, SignedChallenge } from '@longhaul/protocol'
import { type Db, type TenantTx, noteAudit } from '../db/index.ts'
import { AppError, newId, secret } from '../kernel/index.ts'
import { defaultTenantId } from './credentials.ts'
import { whoIs } from './keys.ts'
import { stepUpLogin } from './login-store.ts'
import { type Asking, type Logins, type PersonCaller, hashSecret } from './logins.ts'
import type { AssertOwner } from './owner.ts'
import * as store from './passkey-store.ts'
import { type PersonRow, findPerson, hasSecondFactor, setRecoveryHashes } from './person-store.ts'
import { takeTicket, insertTicket } from './ticket-store.ts'
import { hashRecoveryCode, makeRecoveryCodes } from './totp.ts'
import { challengeMs, challengeOf, checkCreated, checkSigned, creationOptions, hostOf, ownerOf, requestOptions } from './webauthn.ts'

/** What a challenge was made for: it is worth nothing for anything else. */
type Purpose = 'create' | 'sign-in' | 'factor' | 'step-up'
type Options = Record<string, unknown>

export type Passkeys = {
  list(caller: PersonCaller): Promise<Passkey[]>
  start(caller: PersonCaller, password: string | undefined, asking: Asking): Promise<Options>
  add(caller: PersonCaller, input: { name: string; credential: NewCredential }, asking: Asking): Promise<{ passkey: Passkey; recoveryCodes: string[] }>
  rename(caller: PersonCaller, passkeyId: string, name: string): Promise<Passkey>
  delete(caller: PersonCaller, passkeyId: string): Promise<Passkey>
  /** What a browser is to sign: with anybody's passkey, or with one of that person. */
  ask(purpose: Exclude<Purpose, 'create'>, person: Pick<PersonRow, 'id' | 'tenantId'> | undefined, asking: Asking): Promise<Options>
  /** Whose passkey has signed a challenge of ours, once. Undefined: nobody's. */
  take(purpose: Exclude<Purpose, 'create'>, signed: SignedChallenge, asking: Asking): Promise<{ tenantId: string; personId: string } | undefined>
}

export function openPasskeys({ db, assertOwner, logins }: { db: Db; assertOwner: AssertOwner; logins: Pick<Logins, 'forget'> }): Passkeys {
  const tenantOf = ({ tenantId }: { tenantId: string }) => db.forTenant(tenantId)
  const kindOf = (purpose: Purpose) => `passkey ${purpose}`
  const unknown = (passkeyId: string) => new AppError('not_found', `No passkey ${passkeyId}.`)

  async function load(tx: TenantTx, personId: string): Promise<PersonRow> {
    const found = await findPerson(tx, personId)
    if (!found) throw new AppError('not_found', 'This person was removed.')
    return found
  }
  async function makeChallenge(tenantId: string, purpose: Purpose, personId: string | undefined): Promise<string> {
    const challenge = secret()
    await db
      .forTenant(tenantId)
      .transaction((tx) => insertTicket(tx, hashSecret(challenge), { kind: kindOf(purpose), inMs: challengeMs, ...(personId && { personId }) }))
    return challenge
  }
  return {
    list: async (caller) => (await store.listPasskeys(tenantOf(caller), caller.keyId)).map(toPasskey),
    async start(caller, password, asking) {
      const person = await tenantOf(caller).transaction((tx) => load(tx, caller.keyId))
      await assertOwner(caller, person, password, asking)
      const known = await store.listPasskeys(tenantOf(caller), person.id)
      assertRoom(known.length)
      return creationOptions(asking.origin, person, known, await makeChallenge(caller.tenantId, 'create', person.id))
    },
    async add(caller, { name, credential }, { origin }) {
      const challenge = challengeOf(credential.response.clientDataJSON)
      const ticket = challenge === undefined ? undefined : await takeTicket(db, hashSecret(challenge), kindOf('create'))
      if (challenge === undefined || ticket?.personId !== caller.keyId)
        throw new AppError('invalid', 'credential: this took too long, or was sent before. Begin again.')
      const checked = await checkCreated(origin, challenge, credential)
      if ('why' in checked) throw new AppError('invalid', `credential: the passkey was not accepted: ${checked.why}`)
      const work = tenantOf(caller).transaction(async (tx) => {
        const person = await load(tx, caller.keyId)
        assertRoom(person.passkeyCount)
        const row = await store.insertPasskey(tx, { id: newId(), personId: person.id, name, ...checked })
        if (!row) throw new AppError('conflict', 'You have this passkey already.')
        await noteAudit(tx, { who: whoIs(caller), action: 'passkeys.add', target: row.id, detail: { name, host: row.host } })
        if (hasSecondFactor(person)) return { passkey: toPasskey(row), recoveryCodes: [] }
        await stepUpLogin(tx, caller.keyId, caller.login.id)
        const recoveryCodes = makeRecoveryCodes()
        await setRecoveryHashes(tx, person.id, recoveryCodes.map(hashRecoveryCode))
        return { passkey: toPasskey(row), recoveryCodes }
      })
      return work.finally(() => logins.forget(caller.keyId))
    },
    rename: (caller, passkeyId, name) =>
      tenantOf(caller).transaction(async (tx) => {
        const row = await store.renamePasskey(tx, caller.keyId, passkeyId, name)
        if (!row) throw unknown(passkeyId)
        await noteAudit(tx, { who: whoIs(caller), action: 'passkeys.rename', target: passkeyId, detail: { name } })
        return toPasskey(row)
      }),
    delete: (caller, passkeyId) =>
      tenantOf(caller).transaction(async (tx) => {
        await load(tx, caller.keyId)
        const row = await store.deletePasskey(tx, caller.keyId, passkeyId)
        if (!row) throw unknown(passkeyId)
        // Recovery codes stand in for a second factor. Without one there is nothing to recover.
        if (!hasSecondFactor(await load(tx, caller.keyId))) await setRecoveryHashes(tx, caller.keyId, [])
        await noteAudit(tx, { who: whoIs(caller), action: 'passkeys.delete', target: passkeyId, detail: { name: row.name } })
        return toPasskey(row)
      }),
    async ask(purpose, person, { origin }) {
      const host = hostOf(origin)
      const known = person ? (await store.listPasskeys(tenantOf(person), person.id)).filter((row) => row.host === host) : []
      if (person && known.length === 0)
        throw new AppError(
          'conflict',
          `There is no passkey for ${host}. Passkeys are for the name under which they were made. A recovery code works everywhere.`,
        )
      // Nobody is known at the sign-in, not even a tenant: it waits among the first one's rows.
      return requestOptions(origin, await makeChallenge(person?.tenantId ?? defaultTenantId, purpose, person?.id), known)
    },
    async take(purpose, signed, { origin }) {
      const challenge = challengeOf(signed.response.clientDataJSON)
      const ticket = challenge === undefined ? undefined : await takeTicket(db, hashSecret(challenge), kindOf(purpose))
      const personId = ticket?.personId ?? ownerOf(signed.response.userHandle)
      if (challenge === undefined || !ticket || personId === undefined) return undefined
      const key = await store.findPasskey(db, personId, signed.id)
      if (!key) return undefined
      const checked = await checkSigned(origin, challenge, key, signed)
      return tenantOf(key).transaction(async (tx) => {
        const why = 'why' in checked ? checked.why : (await store.countPasskeyUse(tx, key.id, checked.counter)) ? undefined : 'its counter went back'
        const detail = why === undefined ? { purpose } : { purpose, why }
        await noteAudit(tx, {
          who: { id: null, name: 'somebody' },
          action: 'passkeys.use',
          target: key.id,
          outcome: why === undefined ? 'done' : 'refused',
          detail,
        })
        return why === undefined ? { tenantId: key.tenantId, personId } : undefined
      })
    },
  }
}

function assertRoom(count: number): void {
  if (count >= store.passkeysMax) throw new AppError('over_limit', `You have ${count} passkeys, and ${store.passkeysMax} are the most. Take one away first.`)
}

const toPasskey = ({ id, name, host, isSynced, createdAt, lastUsedAt }: store.PasskeyRow): Passkey => ({
  ...{ id, name, host, isSynced },
  createdAt: createdAt.toISOString(),
  lastUsedAt: lastUsedAt?.toISOString() ?? null,
})
