import type { Mail } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import { mailIdFrom, shortId } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { printList } from '../show/records.ts'
import { ago } from '../show/values.ts'

export type MailListOptions = { limit: number; cursor?: string; state?: Mail['state'] }

export async function listMails(invocation: Invocation, { limit, cursor, state }: MailListOptions): Promise<number> {
  const list = await (await invocation.client()).mails.list({ limit, ...(cursor !== undefined && { cursor }), ...(state && { state }) })
  if (invocation.isJson) invocation.printJson(list)
  else {
    printList(
      invocation,
      [
        { name: 'id', isWhole: true },
        { name: 'to', isWhole: true },
        { name: 'about' },
        { name: 'state' },
        { name: 'tries', isNumber: true },
        { name: 'made' },
        { name: 'why' },
      ],
      list.items.map(({ id, email, kind, state: now, attempt, createdAt, failure }) => [shortId(id), email, kind, now, attempt, ago(createdAt), failure ?? '']),
      ['No mail. npx longhaul status says whether this server sends any.'],
    )
    if (list.next !== null) invocation.terminal.print(`  More: npx longhaul mails list --cursor ${list.next}`, '')
  }
  return exitCodes.done
}

export async function retryMail(invocation: Invocation, given: string): Promise<number> {
  const client = await invocation.client()
  const mail = await client.mails.retry({ mailId: await mailIdFrom(client, given) })
  if (invocation.isJson) invocation.printJson(mail)
  else invocation.terminal.print(`  The mail to ${mail.email} is sent again.`)
  return exitCodes.done
}
