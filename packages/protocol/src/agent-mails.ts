/** Mails that agents have sent with the stock tool `mail`. */
import { z } from 'zod'
import { operation } from './operation.ts'

/** `sending` until the SMTP server has answered; `in_doubt`: it may have arrived, and is not sent again unless a person says so. */
export const agentMailStates = ['pending', 'sending', 'sent', 'failed', 'in_doubt'] as const

export const AgentMail = z.object({
  id: z.uuid(),
  /** The step that put it. */
  op: z.string(),
  to: z.string(),
  subject: z.string(),
  state: z.enum(agentMailStates),
  attempt: z.number().int(),
  /** What came of the last attempt, unless it was sent. */
  failure: z.string().nullable(),
  createdAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
})
export type AgentMail = z.infer<typeof AgentMail>

const output = z.object({ items: z.array(AgentMail) })

export const listAgentMails = operation({
  id: 'runs.mails',
  summary: 'The newest 200 mails that a run has put in the outbox, and what came of them. Kept for 30 days after their end.',
  http: ['GET', '/v1/runs/{runId}/mails'],
  permission: 'runs:read',
  input: z.strictObject({ runId: z.uuid() }),
  output,
})
export const resendAgentMails = operation({
  id: 'runs.resendMails',
  summary:
    'Send a run’s mails that failed or are in doubt once more, or one of them. Who got one that was in doubt gets it twice. Answers with those that are sent.',
  http: ['POST', '/v1/runs/{runId}/mails/resend'],
  permission: 'runs:write',
  input: z.strictObject({ runId: z.uuid(), mailId: z.uuid().optional() }),
  output,
})
export const agentMailOperations = [listAgentMails, resendAgentMails]
