/** Mails of agents: whom they may go to. The mail itself is put in the outbox by the transaction that records the step. */
import type { Json, serverTools } from '@longhaul/protocol'
import type { z } from 'zod'
import { newId } from '../../kernel/index.ts'
import { failed } from '../failures.ts'

export type MailOutbox = {
  /** Whom the operator lets agents write to. */
  recipients: readonly string[]
  /** What is booked with the step, so that it is in the outbox if and only if the step is recorded. */
  rowOf(mail: { id: string; tenant: string; run: string; op: string; namespace: string; agent: string; to: string; subject: string; text: string }): string
}

type Use = {
  run: { id: string; tenantId: string; namespace: string; agent: string }
  op: string
  /** What the version declares. */
  declared: readonly string[]
  /** Absent where no mail is sent. */
  mail: MailOutbox | undefined
  /** Whose words the run has read, and whether a person has allowed this very call. */
  labels: readonly string[]
  isGranted: boolean
  book(row: string): void
}

/** Throws a `StepFailure` for a recipient that is not on both lists. After words from outside only those that the agent names in full need no approval. */
export function putMail({ to, subject, text }: z.output<typeof serverTools.mail.input>, { run, op, declared, mail, labels, isGranted, book }: Use): Json {
  if (!mail) throw failed('off', 'This server sends no mail of agents. Its operator turns that on with LONGHAUL_SMTP_URL and LONGHAUL_TOOLS_MAIL_RECIPIENTS.')
  const address = to.toLowerCase()
  if (!declared.some((pattern) => isCovered(pattern, address)))
    throw failed('forbidden', `This agent may not write to ${to}. Its mailRecipients are: ${declared.join(', ') || 'none'}.`)
  if (!mail.recipients.some((pattern) => isCovered(pattern, address)))
    throw failed('forbidden', `Agents may not write to ${to} here. LONGHAUL_TOOLS_MAIL_RECIPIENTS allows: ${mail.recipients.join(', ') || 'nobody'}.`)
  if (labels.length > 0 && !isGranted && !declared.some((pattern) => pattern.toLowerCase() === address))
    throw failed(
      'needs_approval',
      `This run has read words from outside (${labels.slice(0, 3).join(', ')}), and ${to} is not named in full in the agent's mailRecipients: a person has to allow this mail.`,
    )
  const id = newId()
  book(mail.rowOf({ id, tenant: run.tenantId, run: run.id, op, namespace: run.namespace, agent: run.agent, to, subject, text }))
  return { mailId: id, to, state: 'accepted', note: 'It is sent within seconds, once, or listed as failed.' }
}

/** `ada@example.com`, `example.com` for everybody of this domain, or `*`. */
function isCovered(pattern: string, address: string): boolean {
  const wanted = pattern.toLowerCase()
  return wanted === '*' || wanted === (wanted.includes('@') ? address : address.slice(address.lastIndexOf('@') + 1))
}
