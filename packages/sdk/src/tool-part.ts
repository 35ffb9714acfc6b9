/** The part of every version that calls one tool in place of the agent, for those who may call its tools themselves. */
import { CallRequest, toolPart } from '@longhaul/protocol/agent'
import { TerminalFailure } from './agent.ts'
import { onceAllowed } from './once-allowed.ts'
import type { Program } from './worker.ts'

export const withToolPart =
  (program: Program): Program =>
  (ctx, head) =>
    head.part === toolPart ? callTool(ctx, head) : program(ctx, head)

const callTool: Program = async (ctx, head) => {
  const { tool, input } = CallRequest.parse(head.input)
  const call = async () => (await ctx.tool(tool, input)).output
  return onceAllowed(ctx, { tool, input }, call, (comment) => {
    throw new TerminalFailure(`A person did not allow this call of ${tool}.${comment ? ` They said: ${comment}` : ''}`)
  })
}
