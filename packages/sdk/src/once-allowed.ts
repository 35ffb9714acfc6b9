/** Tool calls that a policy lets through when a person has allowed them. */
import type { Json } from '@longhaul/protocol'
import type { Context } from './agent.ts'
import { isStepFailed } from './failure.ts'

/** The server lets through what a person has allowed: this call with these arguments, once. `refused` is given what they said. */
export function onceAllowed<Result>(
  ctx: Context,
  call: { tool: string; input: Json },
  make: () => Promise<Result>,
  refused: (comment: string | null) => Result,
): Promise<Result> {
  return make().catch(async (error: unknown) => {
    if (!isStepFailed(error) || error.failure.code !== 'needs_approval') throw error
    const { approved, comment } = await ctx.approval(`Call ${call.tool}?`, { detail: { ...call, why: error.failure.message } })
    return approved ? make() : refused(comment)
  })
}
