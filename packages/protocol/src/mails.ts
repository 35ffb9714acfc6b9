import { z } from 'zod'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'

export const mailStates = ['pending', 'sent', 'failed', 'dropped'] as const
export const mailLanguages = ['en', 'zh'] as const
/** What the mail is written in. */
export const MailLanguage = z.enum(mailLanguages)

/** A mail to one of the tenant’s people. The link in it is nowhere but there. */
export const Mail = z.object({
  id: z.uuid(),
  kind: z.enum(['invitation', 'link', 'reset', 'approval', 'approval-reminder', 'approval-expired']),
  personId: z.uuid(),
  email: z.string(),
  language: MailLanguage,
  /** `dropped`: the link in it was of no use any more before the mail was sent, or there was nothing to decide. */
  state: z.enum(mailStates),
  attempt: z.number().int(),
  /** What came of the last attempt, unless it was sent. */
  failure: z.string().nullable(),
  /** Of the next attempt. */
  dueAt: z.iso.datetime().nullable(),
  createdAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
})
export type Mail = z.infer<typeof Mail>

export const listMails = operation({
  id: 'mails.list',
  summary: 'Mails to the people whom the caller may manage, newest first: sent, waiting, and failed for good. They are kept for 30 days.',
  http: ['GET', '/v1/mails'],
  permission: 'people:manage',
  input: z.strictObject({ ...PageInput, state: z.enum(mailStates).optional() }),
  output: pageOf(Mail),
})
export const retryMail = operation({
  id: 'mails.retry',
  summary: 'Send a mail that failed once more. Its link stays the same, so that its time does, too.',
  http: ['POST', '/v1/mails/{mailId}/retry'],
  permission: 'people:manage',
  input: z.strictObject({ mailId: z.uuid() }),
  output: Mail,
})
export const mailOperations = [listMails, retryMail]
