/** What people see of agents' mails, and decide about them. */
import type { AgentMail } from '@longhaul/protocol'
import type { Db } from '../db/index.ts'
import { listAgentMails, resetAgentMails } from './agent-mail-store.ts'

export type AgentMails = {
  list(tenantId: string, runId: string): Promise<AgentMail[]>
  /** Those that failed or are in doubt, or one of them. Answers with what is sent once more. */
  resend(tenantId: string, runId: string, mailId?: string): Promise<AgentMail[]>
}

export const openAgentMails = ({ db }: { db: Db }): AgentMails => ({
  list: (tenantId, runId) => listAgentMails(db.forTenant(tenantId), runId),
  resend: (tenantId, runId, mailId) => resetAgentMails(db.forTenant(tenantId), runId, mailId),
})
