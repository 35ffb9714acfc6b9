/** Links for whoever forgot the password: asked for by anybody, sent to the person's own address, and worth a password and no more. */
import { resetMs } from '@longhaul/protocol'
import { type Db, noteAudit } from '../db/index.ts'
import { AppError, sleep } from '../kernel/index.ts'
import type { Outbox } from '../mail/index.ts'
import type { Guesses } from './guesses.ts'
import { type Asking, hashSecret } from './logins.ts'
import * as store from './person-store.ts'
import { countTickets, insertTicket } from './ticket-store.ts'

type ResetRequest = { tenant: string; email: string; language: 'en' | 'zh' }
export type Resets = { ask(request: ResetRequest, asking: Asking): Promise<{ goodForMs: number }> }

/** Links of one person that are good at once: nobody's mailbox is filled by others. */
const linksMax = 3
/** Every answer takes so long: what is done for somebody who is there takes a few milliseconds of it. */
const answerMs = 300

export function openResets({ db, outbox, guesses }: { db: Db; outbox: Outbox; guesses: Guesses }): Resets {
  async function sendTo({ tenant, email, language }: ResetRequest): Promise<void> {
    await db.forTenant(tenant).transaction(async (tx) => {
      const found = await store.findPersonByEmail(tx, email)
      const person = found && (await store.findPerson(tx, found.id)) // Locked: several at once are counted one after the other.
      // Who has no password signs in otherwise, or has not used the invitation: by this they would get one past whoever invites.
      if (!person || person.isDisabled || person.passwordHash === null) return
      if ((await countTickets(tx, person.id, 'reset')) >= linksMax) return
      const token = await outbox.put(tx, { personId: person.id, kind: 'reset', language })
      await insertTicket(tx, hashSecret(token), { kind: 'reset', personId: person.id, inMs: resetMs })
      await noteAudit(tx, { who: { id: null, name: 'somebody' }, action: 'signin.reset', target: person.id })
    })
  }
  return {
    async ask(request, asking) {
      if (!outbox.isOn)
        throw new AppError(
          'unavailable',
          'This server sends no mail. Ask whoever manages people for a link: longhaul people link. Mail needs LONGHAUL_SMTP_URL.',
        )
      // Each one counts as a wrong answer: nobody can be told whether it was a right one.
      const work = guesses.guard({ tenantId: request.tenant, account: `reset ${request.email}`, asking }, async () => {
        await sendTo(request)
        return undefined
      })
      await Promise.all([work, sleep(answerMs)])
      return { goodForMs: resetMs }
    },
  }
}
