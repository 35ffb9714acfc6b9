/** Who has to say yes to what a run asks. */
import { z } from 'zod'
import { type Role, roleNames, roles } from './roles.ts'

const mayDecide = (role: Role): boolean => roles[role].some((permission) => permission === 'approvals:decide')

export const ApprovalRule = z
  .strictObject({
    /** How many different people or keys have to approve. One no is enough. */
    approversMin: z.number().int().min(1).max(10).default(1),
    /** Whoever asked for the run does not decide about it. */
    excludesAsker: z.boolean().default(false),
    /** Those who have one of these roles decide, and nobody else… */
    roles: z
      .array(z.enum(roleNames).refine(mayDecide, `may not decide approvals. These may: ${roleNames.filter(mayDecide).join(', ')}`))
      .min(1)
      .max(10)
      .optional(),
    /** …until it has waited so long: then everybody who may decide approvals may decide this one, and is told. */
    escalateAfterMs: z
      .number()
      .int()
      .min(1_000)
      .max(366 * 86_400_000)
      .optional(),
  })
  .refine(({ roles: named, escalateAfterMs }) => named !== undefined || escalateAfterMs === undefined, {
    path: ['escalateAfterMs'],
    error: 'needs roles: without them everybody who may decide is asked from the beginning',
  })
export type ApprovalRule = z.infer<typeof ApprovalRule>

/** Where no rule is said: one of those who may decide approvals. */
export const anybodyDecides: ApprovalRule = ApprovalRule.parse({})

/** What fulfils both; undefined where no role is of both, so that nobody could decide. */
export function bothRules(one: ApprovalRule, other: ApprovalRule): ApprovalRule | undefined {
  const named = one.roles && other.roles ? one.roles.filter((role) => other.roles?.includes(role)) : (one.roles ?? other.roles)
  if (named?.length === 0) return undefined
  const delays = [one, other].flatMap(({ roles: its, escalateAfterMs }) => (its ? [escalateAfterMs ?? Infinity] : []))
  const delayMs = Math.max(...delays)
  return {
    approversMin: Math.max(one.approversMin, other.approversMin),
    excludesAsker: one.excludesAsker || other.excludesAsker,
    ...(named && { roles: named }),
    ...(Number.isFinite(delayMs) && { escalateAfterMs: delayMs }),
  }
}

/** Whether everything that is allowed under the one rule is allowed under the other. */
export function fulfils(given: ApprovalRule, needed: ApprovalRule): boolean {
  if (given.approversMin < needed.approversMin || (needed.excludesAsker && !given.excludesAsker)) return false
  if (!needed.roles) return true
  return given.roles?.every((role) => needed.roles?.includes(role)) === true && (given.escalateAfterMs ?? Infinity) >= (needed.escalateAfterMs ?? Infinity)
}

/** Where an approval's rule comes from: the policies that have refused what it is asked for and want a person's word, and the agent's code where that has said who decides. */
export const RuleSource = z.object({ policies: z.array(z.string()), isOfCode: z.boolean() })
export type RuleSource = z.infer<typeof RuleSource>
