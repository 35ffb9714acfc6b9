/** What an approval asks a person for: as it is shown to them, and who has to say yes. */
import { type Approval, type AskAnswers, type AskField, ApprovalRule, type Json } from '@longhaul/protocol/agent'
import type { z } from 'zod'
import { TerminalFailure } from './agent.ts'

/** A field of a form. Its `title` is its name, and it must be filled in, unless that is said. */
export type FormField = Omit<AskField, 'title' | 'isRequired'> & { title?: string; isRequired?: boolean }

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
export const formKey = 'form'

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
  const asks = fields && [{ key: formKey, message: title, fields: fields.map((field) => ({ title: field.name, isRequired: true, ...field })) }]
  const shown = typeof detail === 'object' && detail !== null && !Array.isArray(detail) ? detail : detail === undefined ? {} : { detail }
  return {
    ...(asks ? { detail: JSON.parse(JSON.stringify({ ...shown, asks })) as Json } : detail !== undefined && { detail }),
    ...(Object.values(given).some((value) => value !== undefined) && { rule: parsed.data }),
  }
}
