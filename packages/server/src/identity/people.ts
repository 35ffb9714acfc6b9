/** The people of a tenant, as whoever manages them sees them. Nobody gives, keeps or takes over more than they have themselves. */
import type { Mail, Person, PersonWithLink, invitePerson, linkPerson, listMails, updatePerson } from '@longhaul/protocol'
import { roles } from '@longhaul/protocol'
import type { z } from 'zod'
import { type Db, type TenantTx, noteAudit } from '../db/index.ts'
import { AppError, assertIsCursor, newId, secret, wallClock } from '../kernel/index.ts'
import { type Outbox, findMail, listMails as findMails, resetMail, toMail } from '../mail/index.ts'
import { isWithin, whyNotGrant } from './grant.ts'
import { type Caller, whoIs } from './keys.ts'
import { deleteLogins } from './login-store.ts'
import type { Logins } from './logins.ts'
import { hashSecret } from './logins.ts'
import { deletePasskeys } from './passkey-store.ts'
import * as store from './person-store.ts'
import { deleteTickets } from './ticket-store.ts'

export type People = {
  invite(caller: Caller, input: z.output<typeof invitePerson.input>): Promise<PersonWithLink>
  list(caller: Caller, page: { limit: number; cursor?: string | undefined }): Promise<{ items: Person[]; next: string | null }>
  update(caller: Caller, input: z.output<typeof updatePerson.input>): Promise<Person>
  link(caller: Caller, input: z.output<typeof linkPerson.input>): Promise<PersonWithLink>
  mails(caller: Caller, page: z.output<typeof listMails.input>): Promise<{ items: Mail[]; next: string | null }>
  retryMail(caller: Caller, mailId: string): Promise<Mail>
  signOut(caller: Caller, personId: string): Promise<{ count: number }>
  delete(caller: Caller, personId: string): Promise<Person>
}

const linkMs = 3 * 86_400_000
/** Behind the #, which browsers send nowhere: neither proxies nor the next page see it. */
export const linkPath = '/join#token='

export function openPeople({ db, outbox, logins }: { db: Db; outbox: Outbox; logins: Pick<Logins, 'forget'> }): People {
  const tenantOf = (caller: Caller) => db.forTenant(caller.tenantId)

  /** What is remembered of their logins is over with it, also when nobody knows whether it was committed. */
  const changing = <Result>(caller: Caller, personId: string, work: (tx: TenantTx) => Promise<Result>): Promise<Result> =>
    tenantOf(caller)
      .transaction(work)
      .finally(() => logins.forget(personId))

  /** Whom the caller may decide about: somebody who may no more than the caller. Otherwise a link would be a way up. */
  async function load(tx: TenantTx, caller: Caller, personId: string): Promise<store.PersonRow> {
    const found = await store.findPerson(tx, personId)
    if (!found || !isWithin(caller, found)) throw new AppError('not_found', `No person ${personId}.`)
    assertGrant(caller, found)
    return found
  }
  async function withLink(tx: TenantTx, personId: string, kind: 'invitation' | 'link', language: Mail['language']): Promise<PersonWithLink> {
    const token = outbox.isOn ? await outbox.put(tx, { personId, kind, language }) : secret()
    const row = await store.setLink(tx, personId, hashSecret(token), linkMs)
    return { ...store.toPerson(row), link: `${linkPath}${token}`, linkExpiresAt: row.linkExpiresAt?.toISOString() ?? '', isMailed: outbox.isOn }
  }
  const detailOf = ({ roles: given, namespaces, agents, isDisabled }: store.PersonRow) => ({ roles: given, namespaces, agents, isDisabled })

  return {
    async invite(caller, { email, name, roles: given, namespaces = null, agents = null, access, language }) {
      const person = { id: newId(), email, name: name ?? email.split('@')[0] ?? email, roles: given, namespaces, agents, access }
      assertGrant(caller, person)
      return tenantOf(caller).transaction(async (tx) => {
        const row = await store.insertPerson(tx, person)
        if (!row) throw new AppError('conflict', `There is somebody with the address ${email} already. A new link for them: longhaul people link.`)
        await noteAudit(tx, { who: whoIs(caller), action: 'people.invite', target: row.id, detail: detailOf(row) })
        return withLink(tx, row.id, 'invitation', language)
      })
    },
    async list(caller, { limit, cursor }) {
      const rows = await store.listPeople(tenantOf(caller), limit, cursor ?? '')
      const last = rows.length === limit ? rows.at(-1) : undefined
      return { items: rows.filter((row) => isWithin(caller, row)).map(store.toPerson), next: last?.email ?? null }
    },
    async update(caller, { personId, ...change }) {
      return changing(caller, personId, async (tx) => {
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
    async link(caller, { personId, resetSecondFactor, language }) {
      return tenantOf(caller).transaction(async (tx) => {
        const { isDisabled } = await load(tx, caller, personId)
        if (isDisabled) throw new AppError('conflict', 'This person is disabled. Enable them first.')
        if (resetSecondFactor) {
          await store.deleteTotp(tx, personId)
          await deletePasskeys(tx, personId)
          await store.setRecoveryHashes(tx, personId, [])
        }
        await noteAudit(tx, { who: whoIs(caller), action: 'people.link', target: personId, detail: { resetSecondFactor } })
        await deleteTickets(tx, personId) // Links that they asked for by mail are older than this one.
        return withLink(tx, personId, 'link', language)
      })
    },
    async signOut(caller, personId) {
      return changing(caller, personId, async (tx) => {
        await load(tx, caller, personId)
        const count = await deleteLogins(tx, personId)
        await noteAudit(tx, { who: whoIs(caller), action: 'people.signout', target: personId, detail: { count } })
        return { count }
      })
    },
    async mails(caller, { limit, cursor, state }) {
      assertIsCursor(cursor)
      const rows = await findMails(tenantOf(caller), { before: cursor, count: limit + 1, state })
      const page = rows.slice(0, limit)
      return { items: page.filter((row) => isWithin(caller, row)).map(toMail), next: rows.length > limit ? (page.at(-1)?.id ?? null) : null }
    },
    async retryMail(caller, mailId) {
      return tenantOf(caller).transaction(async (tx) => {
        const mail = await findMail(tx, mailId)
        if (!mail || !isWithin(caller, mail)) throw new AppError('not_found', `No mail ${mailId}.`)
        await load(tx, caller, mail.personId)
        if (!outbox.isOn) throw new AppError('unavailable', 'This server sends no mail any more. Mail needs LONGHAUL_SMTP_URL.')
        if (!(await resetMail(tx, mailId)))
          throw new AppError('conflict', `It is ${mail.state}: only a mail that failed is sent again. A new link: longhaul people link.`)
        await noteAudit(tx, { who: whoIs(caller), action: 'mails.retry', target: mailId, detail: { personId: mail.personId } })
        return toMail({ ...mail, state: 'pending', attempt: 0, failure: null, dueAt: wallClock(), endedAt: null })
      })
    },
    async delete(caller, personId) {
      return changing(caller, personId, async (tx) => {
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
