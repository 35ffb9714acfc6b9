/** The people of a tenant, as whoever manages them sees them. Nobody gives, keeps or takes over more than they have themselves. */
import type { Person, PersonWithLink, invitePerson, updatePerson } from '@longhaul/protocol'
import { roles } from '@longhaul/protocol'
import type { z } from 'zod'
import { type Db, type TenantTx, noteAudit } from '../db/index.ts'
import { AppError, newId, secret } from '../kernel/index.ts'
import { isWithin, whyNotGrant } from './grant.ts'
import { type Caller, whoIs } from './keys.ts'
import { deleteLogins } from './login-store.ts'
import { hashSecret } from './logins.ts'
import { deletePasskeys } from './passkey-store.ts'
import * as store from './person-store.ts'

export type People = {
  invite(caller: Caller, input: z.output<typeof invitePerson.input>): Promise<PersonWithLink>
  list(caller: Caller, page: { limit: number; cursor?: string | undefined }): Promise<{ items: Person[]; next: string | null }>
  update(caller: Caller, input: z.output<typeof updatePerson.input>): Promise<Person>
  link(caller: Caller, personId: string, resetSecondFactor: boolean): Promise<PersonWithLink>
  signOut(caller: Caller, personId: string): Promise<{ count: number }>
  delete(caller: Caller, personId: string): Promise<Person>
}

const linkMs = 3 * 86_400_000
/** Behind the #, which browsers send nowhere: neither proxies nor the next page see it. */
const linkOf = (token: string) => `/join#token=${token}`

export function openPeople({ db }: { db: Db }): People {
  const tenantOf = (caller: Caller) => db.forTenant(caller.tenantId)

  /** Whom the caller may decide about: somebody who may no more than the caller. Otherwise a link would be a way up. */
  async function load(tx: TenantTx, caller: Caller, personId: string): Promise<store.PersonRow> {
    const found = await store.findPerson(tx, personId)
    if (!found || !isWithin(caller, found)) throw new AppError('not_found', `No person ${personId}.`)
    assertGrant(caller, found)
    return found
  }
  async function withLink(tx: TenantTx, personId: string): Promise<PersonWithLink> {
    const token = secret()
    const row = await store.setLink(tx, personId, hashSecret(token), linkMs)
    return { ...store.toPerson(row), link: linkOf(token), linkExpiresAt: row.linkExpiresAt?.toISOString() ?? '' }
  }
  const detailOf = ({ roles: given, namespaces, agents, isDisabled }: store.PersonRow) => ({ roles: given, namespaces, agents, isDisabled })

  return {
    async invite(caller, { email, name, roles: given, namespaces = null, agents = null, access }) {
      const person = { id: newId(), email, name: name ?? email.split('@')[0] ?? email, roles: given, namespaces, agents, access }
      assertGrant(caller, person)
      return tenantOf(caller).transaction(async (tx) => {
        const row = await store.insertPerson(tx, person)
        if (!row) throw new AppError('conflict', `There is somebody with the address ${email} already. A new link for them: longhaul people link.`)
        await noteAudit(tx, { who: whoIs(caller), action: 'people.invite', target: row.id, detail: detailOf(row) })
        return withLink(tx, row.id)
      })
    },
    async list(caller, { limit, cursor }) {
      const rows = await store.listPeople(tenantOf(caller), limit, cursor ?? '')
      const last = rows.length === limit ? rows.at(-1) : undefined
      return { items: rows.filter((row) => isWithin(caller, row)).map(store.toPerson), next: last?.email ?? null }
    },
    async update(caller, { personId, ...change }) {
      return tenantOf(caller).transaction(async (tx) => {
        const found = await load(tx, caller, personId)
        const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as Partial<store.PersonRow> // As the operation parsed it.
        const wanted = { ...found, ...given }
        assertGrant(caller, wanted)
        if (wanted.isDisabled && personId === caller.keyId) throw new AppError('conflict', 'You would disable yourself. Let somebody else do it.')
        const row = await store.updatePerson(tx, wanted)
        if (row.isDisabled) await deleteLogins(tx, personId)
        await noteAudit(tx, { who: whoIs(caller), action: 'people.update', target: personId, detail: detailOf(row) })
        return store.toPerson(row)
      })
    },
    async link(caller, personId, resetSecondFactor) {
      return tenantOf(caller).transaction(async (tx) => {
        const { isDisabled } = await load(tx, caller, personId)
        if (isDisabled) throw new AppError('conflict', 'This person is disabled. Enable them first.')
        if (resetSecondFactor) {
          await store.deleteTotp(tx, personId)
          await deletePasskeys(tx, personId)
          await store.setRecoveryHashes(tx, personId, [])
        }
        await noteAudit(tx, { who: whoIs(caller), action: 'people.link', target: personId, detail: { resetSecondFactor } })
        return withLink(tx, personId)
      })
    },
    async signOut(caller, personId) {
      return tenantOf(caller).transaction(async (tx) => {
        await load(tx, caller, personId)
        const count = await deleteLogins(tx, personId)
        await noteAudit(tx, { who: whoIs(caller), action: 'people.signout', target: personId, detail: { count } })
        return { count }
      })
    },
    async delete(caller, personId) {
      return tenantOf(caller).transaction(async (tx) => {
        const found = await load(tx, caller, personId)
        if (personId === caller.keyId) throw new AppError('conflict', 'You would remove yourself. Let somebody else do it.')
        await store.deletePerson(tx, personId)
        await noteAudit(tx, { who: whoIs(caller), action: 'people.delete', target: personId })
        return store.toPerson(found)
      })
    },
  }
}

/** A person does not expire: whoever does may not make one. */
function assertGrant(caller: Caller, person: Pick<store.PersonRow, 'roles' | 'namespaces' | 'agents' | 'access'>): void {
  const permissions = [...new Set(person.roles.flatMap((role) => roles[role] ?? []))]
  const excess = whyNotGrant(caller, { ...person, permissions })
  if (excess) throw new AppError('forbidden', excess)
}
