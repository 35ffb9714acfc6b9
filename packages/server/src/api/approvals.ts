import { Approval, type ApprovalWithSources, decideApproval, getApproval, listApprovals } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Audience } from '../db/index.ts'
import type { Lists } from '../engine/index.ts'
import type { Caller } from '../identity/index.ts'
import type { Log } from '../kernel/index.ts'
import { streamList } from './follow-list.ts'
import { type Implementation, audited, implement } from './implement.ts'

export type ApprovalService = {
  list(audience: Audience, input: z.output<(typeof listApprovals)['input']>): Promise<z.output<(typeof listApprovals)['output']>>
  /** Throws `not_found`. */
  get(audience: Audience, approvalId: string): Promise<ApprovalWithSources>
  find(audience: Audience, approvalId: string): Promise<Approval | undefined>
  /** Throws `not_found`, and `conflict` when it has been decided, has expired or was withdrawn. */
  decide(caller: Caller, input: z.output<(typeof decideApproval)['input']>): Promise<Approval>
}

export const approvalImplementations = ({ approvals, lists, log }: { approvals: ApprovalService; lists: Lists; log: Log }): Implementation[] => [
  implement(
    listApprovals,
    (caller, input) => approvals.list(caller, input),
    (caller, { cursor, state, runId }, following) =>
      streamList({
        ...following,
        after: following.after ?? cursor,
        event: 'approval',
        shape: Approval,
        read: (page) => lists.changedApprovals(caller, page, { state, runId }),
        subscribe: (onWake) => lists.watchTenant(caller.tenantId, onWake),
        log,
      }),
  ),
  implement(getApproval, (caller, { approvalId }) => approvals.get(caller, approvalId)),
  {
    ...audited(implement(decideApproval, (caller, input) => approvals.decide(caller, input))),
    /** What would be approved, so that a policy can ask for a second factor above an amount. */
    async about(caller, input) {
      const found = await approvals.find(caller, (input as { approvalId: string }).approvalId) // As the operation parsed it.
      return found ? { approval: { agent: found.agent, title: found.title, detail: found.detail } } : {}
    },
  },
]
