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
