/** What an approval asks a person for: as it is shown to them, and who has to say yes. */
import { type Approval, type AskAnswers, type FormField, ApprovalRule, type Json, detailWithForm } from '@longhaul/protocol/agent'
import type { z } from 'zod'
import { TerminalFailure } from './agent.ts'

export type ApprovalOptions = z.input<typeof ApprovalRule> & {
  detail?: Json
  /** Absent: it waits for as long as it takes. */
  timeoutMs?: number
  /** What whoever approves fills in. */
  fields?: readonly FormField[]
}
/** `by`: the names of all who had to approve. `answers`: what was filled in, by the names of the fields. */
export type Decided = { approved: boolean; by: string; comment: Approval['comment']; answers?: AskAnswers[string] }

/** The result of the wait. */
export type Decision = Omit<Decided, 'answers'> & { answers?: AskAnswers }

export function approvalAsked(
  title: string,
  { detail, fields, approversMin, excludesAsker, roles, escalateAfterMs }: ApprovalOptions,
): { detail?: Json; rule?: ApprovalRule } {
  const given = { approversMin, excludesAsker, roles, escalateAfterMs }
  const parsed = ApprovalRule.safeParse(given)
  if (!parsed.success)
    throw new TerminalFailure(
      `The approval ${JSON.stringify(title)} cannot be asked for: ${parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}.`,
    )
  return {
    ...(fields ? { detail: detailWithForm(title, detail, fields) } : detail !== undefined && { detail }),
    ...(Object.values(given).some((value) => value !== undefined) && { rule: parsed.data }),
  }
}
