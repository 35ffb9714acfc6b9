import { type Approval, decideApproval, listApprovals } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Audience } from '../db/index.ts'
import type { Caller } from '../identity/index.ts'
import { type Implementation, audited, implement } from './implement.ts'

export type ApprovalService = {
  list(audience: Audience, input: z.output<(typeof listApprovals)['input']>): Promise<z.output<(typeof listApprovals)['output']>>
  /** Throws `not_found`, and `conflict` when it has been decided, has expired or was withdrawn. */
  decide(caller: Caller, input: z.output<(typeof decideApproval)['input']>): Promise<Approval>
}

export const approvalImplementations = (approvals: ApprovalService): Implementation[] => [
  implement(listApprovals, (caller, input) => approvals.list(caller, input)),
  audited(implement(decideApproval, (caller, input) => approvals.decide(caller, input))),
]
