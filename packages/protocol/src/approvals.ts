import { z } from 'zod'
import { ApprovalRule, RuleSource } from './approval-rules.ts'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { AskAnswers } from './tool-calls.ts'
import { JsonValue } from './values.ts'

export const approvalStates = ['pending', 'approved', 'denied', 'expired', 'withdrawn'] as const

/** A person's recorded yes or no to one thing that a run asks. The first answer wins, where no rule asks for several. */
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
  /** Who has to say yes. Null: one of those who may decide approvals. */
  rule: ApprovalRule.nullable().optional(),
  /** By whose wish that is so. Null: it was asked for before this was recorded. */
  ruleFrom: RuleSource.nullable().optional(),
  /** Who has approved so far, where several have to. */
  approvedBy: z.array(z.string()).optional(),
  /** From when on the rule's roles limit nobody. */
  escalatesAt: z.iso.datetime().nullable().optional(),
})
export type Approval = z.infer<typeof Approval>

export const sourceKinds = ['asker', 'instructions', 'step', 'run', 'signal', 'person', 'agent'] as const

/**
 * Where an argument was first said: by the `asker`, in the agent's `instructions`, by a `step` (a tool, code, a command), in what another `run` came to, by a `signal`, or by a `person`
 * who answered earlier. `agent`: nowhere before, so its model or its code made it. What a tool only repeats of its own arguments does not count.
 */
export const ArgumentSource = z.object({
  /** Names and positions that lead to the argument in `detail`. */
  path: z.array(z.string()),
  /** What was sought: the argument, or an address or a number in its text. Long ones are cut. */
  text: z.string(),
  kind: z.enum(sourceKinds),
  /** Of the asker, the tool or step, the agent of the run, the signal, or the person. */
  name: z.string().nullable(),
  /** Where that is recorded: in this run, or in one before it. */
  runId: z.uuid().nullable(),
  op: z.string().nullable(),
  /** Whose words from outside these are: `web:example.com`. Empty: nobody's. */
  labels: z.array(z.string()),
})
export type ArgumentSource = z.infer<typeof ArgumentSource>

export const ApprovalWithSources = Approval.extend({
  /** In the order of the arguments. What is too short to be told apart, and yes or no, has none. */
  sources: z.array(ArgumentSource),
  /** There was more to look through than is looked through: what is said to be of the agent may have been said before all the same. */
  isCut: z.boolean(),
  /** Whose words from outside the run has read by now. */
  labels: z.array(z.string()),
})
export type ApprovalWithSources = z.infer<typeof ApprovalWithSources>

export const getApproval = operation({
  id: 'approvals.get',
  summary: 'One approval, and where each of its arguments was first said before it was asked for: in its run, in those that started it, and in earlier turns.',
  http: ['GET', '/v1/approvals/{approvalId}'],
  permission: 'runs:read',
  input: z.strictObject({ approvalId: z.uuid() }),
  output: ApprovalWithSources,
})

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
  summary:
    'Approve or deny. The first answer wins; another one is a conflict. Where several have to approve it stays pending until the last of them has; one no is enough.',
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

export const approvalOperations = [listApprovals, getApproval, decideApproval]
