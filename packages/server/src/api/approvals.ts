import { type Approval, decideApproval, listApprovals } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Caller } from '../identity/index.ts'
import { type Implementation, implement } from './implement.ts'

export type ApprovalService = {
  list(tenantId: string, input: z.output<(typeof listApprovals)['input']>): Promise<z.output<(typeof listApprovals)['output']>>
  /** Throws `not_found`, and `conflict` when it has been decided, has expired or was withdrawn. */
  decide(caller: Caller, input: z.output<(typeof decideApproval)['input']>): Promise<Approval>
}

export const approvalImplementations = (approvals: ApprovalService): Implementation[] => [
  implement(listApprovals, ({ tenantId }, input) => approvals.list(tenantId, input)),
  implement(decideApproval, (caller, input) => approvals.decide(caller, input)),
]
