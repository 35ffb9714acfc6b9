/** Handing a conversation over to another agent: it answers in this agent's place, in a run of its own, also what is said next. */
import { Answer, type AnswerPart, type Json, type Message } from '@longhaul/protocol/agent'
import { z } from 'zod'
import type { Tool } from './agent.ts'
import { type LoopContext, startDelegate } from './context.ts'
import type { ToolEntry } from './loop.ts'
import type { Spending } from './spending.ts'
import { defineTool } from './tool-definition.ts'

const handoffInput = z.strictObject({
  note: z.string().min(1).max(20_000).describe('What the other agent has to know besides what was said: it sees the conversation, but not what tools gave you'),
})

export const handoffToolName = (agent: string): string => `hand_off_to_${agent}`

export function handoffEntry(agent: string, description: string): ToolEntry {
  const told = `${description.replace(/\.?$/, '.')} Hands the conversation over to the agent ${agent}, which goes on in your place. Call it alone.`.slice(
    0,
    4_000,
  )
  return {
    handoff: agent,
    input: handoffInput,
    definition: defineTool(handoffToolName(agent), { description: told, input: handoffInput } satisfies Pick<Tool, 'description' | 'input'>),
  }
}

/** The note of a handoff's arguments, or what is wrong with them. */
export function readNote(input: Json): { note: string } | { problem: string } {
  const parsed = handoffInput.safeParse(input)
  return parsed.success ? parsed.data : { problem: z.prettifyError(parsed.error) }
}

export type HandedOver = { text: string; parts: AnswerPart[]; model: string | undefined; handedTo: string | undefined } | { problem: string }

/** Has the other agent answer, with this run's asker and a share of what it may spend, and says who has the conversation afterwards. */
export async function handOver(
  ctx: LoopContext,
  { agent, note, messages, spending }: { agent: string; note: string | undefined; messages: readonly Message[]; spending: Spending },
): Promise<HandedOver> {
  const costUsdMax = spending.shareAmong(1)
  const child = await ctx[startDelegate]({ agent }, { message: tell(ctx.run.agent, note, messages) }, costUsdMax)
  const end = await ctx.waitForRun(child)
  const answer = end.state === 'completed' ? Answer.safeParse(end.output).data : undefined
  if (answer) spending.add(answer.usage)
  else if (costUsdMax !== undefined) spending.charge(costUsdMax)
  if (end.state === 'failed') return { problem: `${agent} failed: ${end.failure.message}` }
  if (end.state === 'cancelled') return { problem: `The run of ${agent} was cancelled.` }
  const holder = answer?.handedTo ?? agent
  return {
    text: answer?.text ?? (typeof end.output === 'string' ? end.output : JSON.stringify(end.output)),
    parts: answer?.parts ?? [],
    model: answer?.model,
    // Whoever is handed a conversation that was theirs has it as before.
    handedTo: holder === ctx.run.agent ? undefined : holder,
  }
}

const conversationLengthMax = 100_000

/** The conversation as one text: the other agent has a run of its own, in no session. */
function tell(from: string, note: string | undefined, messages: readonly Message[]): string {
  const said = messages.flatMap(({ role, content }) => {
    const text = content.flatMap((part) => (part.type === 'text' ? part.text : [])).join('')
    return text === '' || role === 'tool' ? [] : `${role === 'user' ? 'User' : 'Agent'}: ${text}`
  })
  const last = said.pop() ?? ''
  const before = said.join('\n\n')
  const cut = before.length > conversationLengthMax ? `[The beginning is left out.]\n${before.slice(-conversationLengthMax)}`.toWellFormed() : before
  return [
    `[The agent ${from} has handed this conversation over to you. Answer the user directly.]`,
    cut === '' ? undefined : `[What was said before:]\n${cut}`,
    note === undefined ? undefined : `[What ${from} tells you:]\n${note}`,
    `[What the user says now:]\n${last.replace(/^User: /, '')}`,
  ]
    .flatMap((part) => part ?? [])
    .join('\n\n')
}
