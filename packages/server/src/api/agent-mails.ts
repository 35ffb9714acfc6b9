import { type AgentMail, listAgentMails, resendAgentMails } from '@longhaul/protocol'
import type { Caller } from '../identity/index.ts'
import { AppError } from '../kernel/index.ts'
import { type Implementation, implement } from './implement.ts'
import type { RunService } from './runs.ts'

export type AgentMails = {
  list(tenantId: string, runId: string): Promise<AgentMail[]>
  /** Those that failed or are in doubt, or one of them. Answers with what is sent once more. */
  resend(tenantId: string, runId: string, mailId?: string): Promise<AgentMail[]>
}

export function agentMailImplementations({ runs, agentMails }: { runs: Pick<RunService, 'find'>; agentMails: AgentMails }): Implementation[] {
  const assertThere = async (caller: Caller, runId: string): Promise<void> => {
    if (!(await runs.find(caller, runId))) throw new AppError('not_found', `No run ${runId}.`)
  }
  return [
    implement(listAgentMails, async (caller, { runId }) => {
      await assertThere(caller, runId)
      return { items: await agentMails.list(caller.tenantId, runId) }
    }),
    implement(resendAgentMails, async (caller, { runId, mailId }) => {
      await assertThere(caller, runId)
      return { items: await agentMails.resend(caller.tenantId, runId, mailId) }
    }),
  ]
}
