import { exitCodes } from '../exit-codes.ts'
import { runIdFrom } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { printList } from '../show/records.ts'
import { ago } from '../show/values.ts'

/** Lists a run's mails, or sends those that did not surely arrive once more. */
export async function runMails(invocation: Invocation, given: string, { resend, mail }: { resend?: boolean; mail?: string }): Promise<number> {
  const client = await invocation.client()
  const runId = await runIdFrom(client, given)
  const found = resend ? await client.runs.resendMails({ runId, ...(mail !== undefined && { mailId: mail }) }) : await client.runs.mails({ runId })
  if (invocation.isJson) invocation.printJson(found)
  else
    printList(
      invocation,
      [
        { name: 'id', isWhole: true },
        { name: 'to', isWhole: true },
        { name: 'subject' },
        { name: 'state', isWhole: true },
        { name: 'tries', isNumber: true },
        { name: 'made' },
        { name: 'why' },
      ],
      found.items.map(({ id, to, subject, state, attempt, createdAt, failure }) => [id, to, subject, state, attempt, ago(createdAt), failure ?? '']),
      [resend ? 'None failed or is in doubt.' : 'It has sent no mail.'],
    )
  return exitCodes.done
}
