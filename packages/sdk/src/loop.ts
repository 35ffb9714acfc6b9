/** The agent loop: asks the model, executes the tools that it calls, gives it the results, until it answers. */
import type { Answer, AnswerPart, CallResult, Json, Message, ModelReply, ToolDefinition } from '@longhaul/protocol'
import { type AgentDefinition, type Context, StepFailed, type Tool } from './agent.ts'
import type { z } from 'zod'
import { createAsking, textOf } from './asking.ts'
import { type LoopContext, connectTools, runTool } from './context.ts'
import { type Delegate, callDelegate } from './delegates.ts'
import { failure, isStepFailed } from './failure.ts'
import { onceAllowed } from './once-allowed.ts'
import { type HandedOver, handOver, readNote } from './handoffs.ts'
import type { Hooks } from './hooks.ts'
import { type Skill, messageOf, messageText, systemPrompt, userMessage } from './instructions.ts'
import { createRepetitions } from './repetitions.ts'
import { type Spending, createSpending } from './spending.ts'
import { type Structured, answerTool, describeIssue, structuredBy } from './structured.ts'
import type { Program } from './worker.ts'

/** What the model may call: code that executes here, another agent, or a tool that the server executes, with the schema of its arguments where that is ours. */
export type ToolEntry = { definition: ToolDefinition } & (
  | { tool: Tool; delegate?: never; handoff?: never; input?: never }
  | { tool?: never; delegate?: Delegate; handoff?: string; input?: z.ZodType }
)

export type LoopAgent = {
  definition: AgentDefinition
  instructions: string | undefined
  tools: ReadonlyMap<string, ToolEntry>
  /** Names of the connections whose tools come in addition. */
  connections: readonly string[]
  skills: readonly Skill[]
  hooks: Hooks
}

type Call = Extract<ModelReply['content'][number], { type: 'tool-call' }>
type Called = { call: Call; output: Json; isError: boolean; parts: AnswerPart[] }
type Told = Omit<Answer, 'usage'>

/** Of one tool result, in UTF-16 units. The whole of it is in the journal. */
const resultLengthMax = 60_000
const continuationsMax = 2
const remindersMax = 2
/** What a model step takes. */
const toolsMax = 128

export const agentProgram =
  (agent: LoopAgent): Program =>
  async (ctx, { input, messages, costUsdMax, handedTo }) => {
    const { definition, hooks } = agent
    const structured = definition.output && structuredBy(definition.output)
    const tools = await allTools(agent, ctx as LoopContext) // The context of a run's own code is made by `createContext`.
    const computed = definition.instructions?.({ asker: ctx.asker, createdAt: ctx.run.createdAt })
    const opening = {
      instructions: systemPrompt({
        instructions: agent.instructions,
        computed,
        skills: agent.skills,
        readsOthers: [...tools.values()].some((entry) => !entry.tool),
        isStructured: structured !== undefined,
        asker: ctx.asker,
        createdAt: ctx.run.createdAt,
      }),
      tools: [...[...tools.values()].map((entry) => entry.definition), ...(structured ? [structured.definition] : [])],
    }
    const { model, fallbackModels, turnsMax, contextTokensMax } = definition
    const spending = createSpending([definition.costUsdMax, costUsdMax])
    const asked = await hooks.ask(ctx, 'onStart', { text: messageText(input) })
    const request = userMessage(input, asked.text)
    const said: Message[] = [...messages, request]
    const answered = async ({ text, ...told }: Told): Promise<Answer> => ({
      ...told,
      text: (await hooks.ask(ctx, 'onEnd', { text })).text,
      usage: spending.usage,
    })
    const toAnother = async (to: string, note?: string) => handOver(ctx as LoopContext, { agent: to, note, messages: said, spending }) // As above.
    const holder = Object.keys(definition.handoffs).length > 0 ? await ctx.step('handed to', () => handedTo ?? null, { effect: 'none' }) : null
    if (holder !== null) {
      const over = await toAnother(holder)
      // Where the other agent cannot go on, this one has the conversation again.
      if ('text' in over) return answered(ofAnother(over))
    }
    const asking = createAsking({ ctx, opening, models: [model, ...fallbackModels], turnsMax, contextTokensMax, spending, request, hooks })
    const repetitions = createRepetitions()
    const shownParts = new Map<string, AnswerPart[]>()
    let append: Message[] = [...said]
    let begunText = ''
    let continuationCount = 0
    let reminderCount = 0
    let isSecondChance = false

    for (;;) {
      const reply = await asking.ask(append)
      const text = textOf(reply)
      const calls = reply.content.filter((part) => part.type === 'tool-call')
      const own = (told: Pick<Told, 'text' | 'output'>) => answered({ ...told, parts: inOrder(shownParts), model: reply.model })
      if (reply.finishReason === 'content-filter')
        throw new StepFailed(failure('content_filter', `${reply.model} withheld its reply because of its content filter.`))

      if (calls.length > 0) {
        const given = structured && (await readAnswer(structured, calls))
        if (given && 'output' in given) return own({ text: text.trim() || JSON.stringify(given.output), output: given.output })
        const handoff =
          calls.length === 1
            ? await handedOff(agent, ctx, tools, calls[0], (to, note) => toAnother(to, [text, note].filter((part) => part !== '').join('\n\n')))
            : undefined
        if (handoff && 'text' in handoff) return answered(ofAnother(handoff))
        const results = handoff ? [handoff] : await callTools({ tools, ctx: ctx as LoopContext, spending, hooks, answerProblem: given?.problem }, calls) // As above.
        for (const { call, parts } of results) if (parts.length > 0) keepLast(shownParts, call.toolName, parts)
        const content = results.map(({ call, output, isError }) => ({
          type: 'tool-result' as const,
          toolCallId: call.toolCallId,
          toolName: call.toolName,
          output: repetitions.judge(call, forModel(output)),
          isError,
        }))
        asking.keep(reply)
        append = [{ role: 'tool', content }]
        isSecondChance = false
      } else if (reply.finishReason === 'length') {
        if (text === '' || continuationCount++ >= continuationsMax)
          throw new StepFailed(failure('length', `${reply.model} came to its output limit before its answer was complete.`))
        begunText += text
        asking.keep(reply)
        append = [messageOf('Your reply was cut off at the output limit. Continue exactly where it ended, without repeating anything.')]
      } else if (text.trim() === '') {
        if (isSecondChance) throw new StepFailed(failure('empty_reply', `${reply.model} gave an empty reply twice.`))
        isSecondChance = true
        // Asked again without the empty reply, which some providers refuse to take back.
        append = [...append, messageOf('Your reply was empty. Call a tool, or answer.')]
      } else if (structured) {
        const found = await structured.readText(begunText + text)
        if (found) return own({ text: begunText + text, output: found.output })
        if (reminderCount++ >= remindersMax)
          throw new StepFailed(
            failure('no_structured_answer', `${reply.model} answered in prose although it was told ${remindersMax} times to call ${answerTool}.`),
          )
        begunText = ''
        asking.keep(reply)
        append = [messageOf(`That is no answer in the shape that is asked for. Call the tool ${answerTool} with it.`)]
      } else {
        return own({ text: begunText + text })
      }
    }
  }

const ofAnother = ({ text, parts, model, handedTo }: Extract<HandedOver, { text: string }>): Told => ({
  text,
  parts,
  model: model ?? 'none',
  ...(handedTo !== undefined && { handedTo }),
})

/** What another agent says when the call hands the conversation over, or what the model is told when that was not possible. Undefined for other calls. */
async function handedOff(
  { hooks }: LoopAgent,
  ctx: Context,
  tools: ReadonlyMap<string, ToolEntry>,
  call: Call | undefined,
  toAnother: (agent: string, note: string) => Promise<HandedOver>,
): Promise<Extract<HandedOver, { text: string }> | Called | undefined> {
  const to = call && tools.get(call.toolName)?.handoff
  if (!call || to === undefined) return undefined
  const wrong = (problem: string): Called => ({ call, output: `The conversation was not handed over. ${problem}`, isError: true, parts: [] })
  const { input, refuse } = await hooks.ask(ctx, 'beforeTool', { tool: call.toolName, input: call.input })
  if (refuse !== undefined) return wrong(refuse)
  const read = readNote(input)
  if ('problem' in read) return wrong(read.problem)
  try {
    const over = await toAnother(to, read.note)
    return 'problem' in over ? wrong(over.problem) : over
  } catch (error) {
    if (!isStepFailed(error)) throw error
    return wrong(error.failure.message)
  }
}

/** The answer among the calls, if there is one. With other calls beside it, it was given too early. */
async function readAnswer(structured: Structured, calls: Call[]): ReturnType<Structured['read']> {
  const given = calls.find((call) => call.toolName === answerTool)
  if (!given) return { problem: '' }
  if (calls.length > 1) return { problem: `${answerTool} ends the work, so it must be called alone, after the results of other tools. It was not taken.` }
  return structured.read(given.input)
}

type Calling = { tools: ReadonlyMap<string, ToolEntry>; ctx: LoopContext; spending: Spending; hooks: Hooks; answerProblem: string | undefined }

function callTools({ tools, ctx, spending, hooks, answerProblem }: Calling, calls: Call[]): Promise<Called[]> {
  const costUsdMax = spending.shareAmong(calls.filter(({ toolName }) => tools.get(toolName)?.delegate).length)
  return ctx.all(
    calls.map(
      (call) => async (branch) =>
        call.toolName === answerTool && answerProblem
          ? { call, output: answerProblem, isError: true, parts: [] }
          : hookedTool(hooks, branch, call, (hooked) => callTool(tools, branch as LoopContext, hooked, { spending, costUsdMax })), // Contexts of `all` are made by `createContext`.
    ),
  )
}

/** The agent's own tools, and what its connections have. A tool of the agent's own goes before one of the same name elsewhere. */
async function allTools({ tools, connections }: LoopAgent, ctx: LoopContext): Promise<Map<string, ToolEntry>> {
  if (connections.length === 0) return new Map(tools)
  const connected = await ctx[connectTools](connections)
  const others = connected.tools.map(({ name, description, inputSchema }): [string, ToolEntry] => [name, { definition: { name, description, inputSchema } }])
  const all = new Map([...others, ...tools])
  if (all.size > toolsMax)
    throw new StepFailed(
      failure('too_many_tools', `There are ${all.size} tools, and models take ${toolsMax} at most. Name those that are needed in the connections' \`tools\`.`),
    )
  return all
}

/** The call with what hooks make of it before and after. */
async function hookedTool(hooks: Hooks, ctx: Context, call: Call, make: (call: Call) => Promise<Called>): Promise<Called> {
  const { input, refuse } = await hooks.ask(ctx, 'beforeTool', { tool: call.toolName, input: call.input })
  if (refuse !== undefined) return { call, output: refuse, isError: true, parts: [] }
  const called = await make({ ...call, input })
  const { output } = await hooks.ask(ctx, 'afterTool', { tool: call.toolName, input, output: called.output, isError: called.isError })
  return { ...called, call, output }
}

/** Whatever goes wrong becomes a text with which the model can correct itself. */
async function callTool(
  tools: ReadonlyMap<string, ToolEntry>,
  ctx: LoopContext,
  call: Call,
  share: { spending: Spending; costUsdMax: number | undefined },
): Promise<Called> {
  const wrong = (text: string): Called => ({ call, output: text, isError: true, parts: [] })
  const entry = tools.get(call.toolName)
  if (!entry) return wrong(`There is no tool ${JSON.stringify(call.toolName)}. The tools are: ${[...tools.keys()].join(', ') || 'none'}.`)
  if (entry.handoff !== undefined) return wrong(`${call.toolName} gives the whole conversation away, so it must be called alone. It was not handed over.`)
  const parsed = await (entry.tool ?? entry).input?.safeParseAsync(call.input)
  if (parsed?.success === false)
    return wrong(`The arguments do not fit the tool ${call.toolName}, so it was not called:\n${parsed.error.issues.map(describeIssue).join('\n')}`)
  const make = async (): Promise<Called> => {
    const { output, parts }: Pick<CallResult, 'output' | 'parts'> = entry.tool
      ? await ctx[runTool]({ name: call.toolName, tool: entry.tool, input: call.input, parsed: parsed?.data })
      : entry.delegate
        ? await callDelegate(ctx, { delegate: entry.delegate, input: call.input, ...share })
        : await ctx.tool(call.toolName, call.input)
    return { call, output, isError: false, parts }
  }
  try {
    return await onceAllowed(ctx, { tool: call.toolName, input: call.input }, make, (comment) =>
      wrong(`A person did not allow this call of ${call.toolName}.${comment ? ` They said: ${comment}` : ''} Do not try it in another way.`),
    )
  } catch (error) {
    if (!isStepFailed(error)) throw error
    return wrong(`The tool ${call.toolName} failed: ${error.failure.message}`)
  }
}

/** What the model is given of a result: all of it, or both ends of it when it is too long. */
function forModel(output: Json): Json {
  const text = typeof output === 'string' ? output : JSON.stringify(output)
  if (text.length <= resultLengthMax) return output
  const tailLength = resultLengthMax / 3
  const left = text.length - resultLengthMax
  return `${text.slice(0, resultLengthMax - tailLength)}\n\n[${left} of ${text.length} characters are left out here. Ask for less, or for a part.]\n\n${text.slice(-tailLength)}`.toWellFormed()
}

/** A tool's last call that had something to show replaces its earlier ones. */
function keepLast(shownParts: Map<string, AnswerPart[]>, tool: string, parts: AnswerPart[]): void {
  shownParts.delete(tool)
  shownParts.set(tool, parts)
}

function inOrder(shownParts: Map<string, AnswerPart[]>): AnswerPart[] {
  const parts = [...shownParts.values()].flat()
  return [...parts.filter((part) => part.type === 'table'), ...parts.filter((part) => part.type !== 'table')]
}
