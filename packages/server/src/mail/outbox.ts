/**
 * Where mails are put, in the transaction of what they tell of. The secret in a mail's link is made from the mail's id and a key of the
 * installation: every attempt sends the same link, and the database has no more than its hash.
 */
import { createHmac, hkdfSync } from 'node:crypto'
import type { TenantTx } from '../db/index.ts'
import { newId } from '../kernel/index.ts'
import { type LinkMailKind, type MailLanguage, insertMail } from './mail-store.ts'

export type Outbox = {
  /** False where mail is not configured: nothing is put then. */
  isOn: boolean
  /** Returns the secret for the link. Whoever puts a mail keeps its hash where the link is looked up. */
  put(tx: TenantTx, mail: { personId: string; kind: LinkMailKind; language: MailLanguage }): Promise<string>
  secretOf(mailId: string): string
}

export function openOutbox({ masterKey, isOn }: { masterKey: Buffer; isOn: boolean }): Outbox {
  const key = Buffer.from(hkdfSync('sha256', masterKey, '', 'longhaul mail links', 32))
  const secretOf = (mailId: string) => createHmac('sha256', key).update(mailId).digest('base64url')
  return {
    isOn,
    async put(tx, mail) {
      const id = newId()
      await insertMail(tx, { id, ...mail })
      return secretOf(id)
    },
    secretOf,
  }
}
