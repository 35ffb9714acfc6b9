import { z } from 'zod'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { AskAnswers } from './tool-calls.ts'
import { JsonValue } from './values.ts'

export const approvalStates = ['pending', 'approved', 'denied', 'expired', 'withdrawn'] as const

/** A person's recorded yes or no to one thing that a run asks. The first answer wins. */
export const Approval = z.object({
  id: z.uuid(),
  runId: z.uuid(),
  agent: z.string(),
  title: z.string(),
  detail: JsonValue.nullable(),
  state: z.enum(approvalStates),
  decidedBy: z.string().nullable(),
  comment: z.string().nullable(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().nullable(),
  decidedAt: z.iso.datetime().nullable(),
})
export type Approval = z.infer<typeof Approval>

export const listApprovals = operation({
  id: 'approvals.list',
  summary: 'Approvals, newest first. As a stream: each that is asked for or comes into another state, as it is then. That one has expired is told by its run.',
  http: ['GET', '/v1/approvals'],
  permission: 'runs:read',
  input: z.strictObject({
    ...PageInput,
    state: z.enum(approvalStates).optional(),
    /** Of this run, and of all that it has started, and they in turn. */
    runId: z.uuid().optional(),
  }),
  output: pageOf(Approval),
  frame: Approval,
})

export const decideApproval = operation({
  id: 'approvals.decide',
  summary: 'Approve or deny. The first answer wins; another one is a conflict.',
  http: ['POST', '/v1/approvals/{approvalId}'],
  permission: 'approvals:decide',
  input: z.strictObject({
    approvalId: z.uuid(),
    approved: z.boolean(),
    comment: z.string().max(2_000).optional(),
    /** To what its detail asks for (`asks`). Of what is left out the defaults are taken. */
    answers: AskAnswers.optional(),
  }),
  output: Approval,
})

export const approvalOperations = [listApprovals, decideApproval]
