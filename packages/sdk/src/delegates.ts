/** Agents as tools: each call is a run of its own, with a share of what this run may spend. */
import { Answer, type AnswerPart, type Json } from '@longhaul/protocol/agent'
import { z } from 'zod'
import { StepFailed, type Tool } from './agent.ts'
import type { LoopContext } from './context.ts'
import { startDelegate } from './context.ts'
import { failure } from './failure.ts'
import type { ToolEntry } from './loop.ts'
import type { Spending } from './spending.ts'
import { defineTool } from './tool-definition.ts'

/** Another agent of the tenant, or a part of this one: a folder in `subagents/`. */
export type Delegate = { agent: string } | { part: string }

const delegateInput = z.strictObject({
  task: z.string().min(1).max(100_000).describe('What it is to do, with everything it has to know: it sees nothing of this conversation'),
})

export function delegateEntry(name: string, description: string, delegate: Delegate): ToolEntry {
  const told = `${description.replace(/\.?$/, '.')} An agent of its own: give it a whole task, and it comes back with the result.`.slice(0, 4_000)
  return {
    delegate,
    input: delegateInput,
    definition: defineTool(name, { description: told, input: delegateInput } satisfies Pick<Tool, 'description' | 'input'>),
  }
}

export const delegateToolName = (agent: string): string => `ask_${agent}`

/** Starts the run and waits for its end. Its approvals are asked for in its own name, and this run sleeps meanwhile. */
export async function callDelegate(
  ctx: LoopContext,
  { delegate, input, costUsdMax, spending }: { delegate: Delegate; input: Json; costUsdMax: number | undefined; spending: Spending },
): Promise<{ output: Json; parts: AnswerPart[] }> {
  const { task } = delegateInput.parse(input) // Checked by the loop; this gives it its type.
  const child = await ctx[startDelegate](delegate, { message: task }, costUsdMax)
  const end = await ctx.waitForRun(child)
  const answer = end.state === 'completed' ? Answer.safeParse(end.output).data : undefined
  if (answer) spending.add(answer.usage)
  else if (costUsdMax !== undefined) spending.charge(costUsdMax)
  if (end.state === 'failed') throw new StepFailed(failure('delegate_failed', `${child.agent} failed: ${end.failure.message}`))
  if (end.state === 'cancelled') throw new StepFailed(failure('delegate_cancelled', `The run of ${child.agent} was cancelled.`))
  return answer ? { output: answer.output ?? answer.text, parts: answer.parts } : { output: end.output, parts: [] }
}
