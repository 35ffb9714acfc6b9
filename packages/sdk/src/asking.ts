/** How the loop asks its models: the next one when one fails, and a shorter conversation when it has become long. */
import type { Message, ModelReply, ToolDefinition, Usage } from '@longhaul/protocol'
import { type Context, type ModelTurn, StepFailed } from './agent.ts'
import { failure, isStepFailed } from './failure.ts'
import type { Hooks } from './hooks.ts'
import { messageOf } from './instructions.ts'
import type { Spending } from './spending.ts'

export type Opening = { instructions: string; tools: ToolDefinition[] }
export type Asking = {
  /** Adds to the conversation and has it answered. */
  ask(append: Message[]): Promise<ModelTurn>
  /** The reply becomes part of the conversation, and what is appended next follows it. */
  keep(reply: ModelTurn): void
}

type AskingOptions = {
  ctx: Context
  opening: Opening
  models: readonly string[]
  turnsMax: number
  contextTokensMax: number
  spending: Spending
  /** What the user asked for: it stays in the conversation word by word. */
  request: Message
  hooks: Hooks
}

/** Model calls between two compactions. A conversation that is too long right after one cannot be helped by another. */
const compactionGap = 3
/** Another model would be refused the same. */
const finalCodes: readonly (string | undefined)[] = ['over_budget']

export function createAsking({ ctx, opening, models, turnsMax, contextTokensMax, spending, request, hooks }: AskingOptions): Asking {
  let modelIndex = 0
  let turnCount = 0
  let compactedAt = -Infinity
  /** What the next call goes on from. Undefined: it begins the conversation, with `begin`. */
  let turn: ModelTurn | undefined
  let begin: Message[] = []
  let usage: Usage | undefined
  /** Where hooks may change replies: the conversation as they have made it, and what the last call added to it. */
  const transcript = hooks.has('afterModel') ? { kept: [] as Message[], added: [] as Message[], isChanged: false } : undefined

  async function call(given: Message[], mayBeSteered: boolean): Promise<ModelTurn> {
    if (turnCount++ >= turnsMax)
      throw new StepFailed(failure('turns_max', `No answer after ${turnsMax} model call${turnsMax === 1 ? '' : 's'}, which is this agent's limit (turnsMax).`))
    spending.assertMayAsk()
    const { messages: added } = await hooks.ask(ctx, 'beforeModel', { messages: given })
    const append = [...begin, ...added]
    for (;;) {
      const model = models[modelIndex] ?? 'default'
      try {
        const reply = await ctx.model({ model, append, ...(turn ? { after: turn } : opening), ...(mayBeSteered && { mayBeSteered }) })
        spending.add(reply.usage)
        const { content, isChanged } = await hooks.ask(ctx, 'afterModel', { content: reply.content })
        if (transcript) Object.assign(transcript, { added: [...added, ...(reply.steeredBy ?? [])], isChanged })
        return isChanged ? { ...reply, content } : reply
      } catch (error) {
        if (!isStepFailed(error) || finalCodes.includes(error.failure.code) || modelIndex + 1 >= models.length) throw error
        modelIndex++ // What this one could not do, the next is asked for, from here to the end of the run.
      }
    }
  }

  /** Has the conversation summed up, by a model call like any other, and begins a new one with the summary. */
  async function compacted(append: Message[]): Promise<Message[]> {
    const reply = await call([...append, messageOf(summaryRequest)], false)
    const summary = textOf(reply).trim()
    compactedAt = turnCount
    if (summary === '') return append // It goes on as it is: better too long than without a memory.
    turn = undefined
    begin = []
    usage = undefined
    if (transcript) transcript.kept = []
    return [{ role: 'user', content: [...request.content, { type: 'text', text: `${summaryHead}\n\n${summary}` }] } as Message] // The user's own message: texts.
  }

  return {
    async ask(append) {
      const isLong = usage !== undefined && usage.input + usage.output > contextTokensMax && turnCount - compactedAt >= compactionGap
      return call(isLong ? await compacted(append) : append, true)
    },
    keep(reply) {
      usage = reply.usage
      transcript?.kept.push(...transcript.added, { role: 'assistant', content: reply.content })
      // The server's record has the reply as the model gave it. Once a hook has changed one, the whole conversation is sent again.
      turn = transcript?.isChanged ? undefined : reply
      begin = transcript?.isChanged ? [...transcript.kept] : []
    },
  }
}

const summaryRequest = `The conversation has become long and will be cut off here. Write a summary from which you can go on without it. Call no tool. Say:
- what the user wants, with every condition and correction that they gave
- what was found out, with exact figures, names, addresses and identifiers
- what was done and must not be done again
- what was tried and did not work
- what is left to do next`
const summaryHead = '[The conversation up to here was summed up, to keep it short. This is what you noted:]'

export const textOf = (reply: ModelReply): string => reply.content.flatMap((part) => (part.type === 'text' ? part.text : [])).join('')
