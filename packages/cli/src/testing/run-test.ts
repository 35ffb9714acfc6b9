/** One test: the agent runs once undisturbed, with those that it starts, and once for every moment at which their worker can be killed. */
import { isDeepStrictEqual } from 'node:util'
import type { Json } from '@longhaul/protocol'
import type { ChildRun, LoadedAgent, TestOptions, TestRun } from '@longhaul/sdk/testing'
import type { AgentTest, Scripted } from './tests.ts'

export type Verdict = { isPassed: boolean; problems: string[]; crashCount: number }

type Testing = typeof import('@longhaul/sdk/testing')

/** The agent of a test, and the other agents that the test gives a folder of, by their names. */
export type Cast = { agent: LoadedAgent; others: ReadonlyMap<string, LoadedAgent> }

/** `recorded` answers those that the test has no script for. */
export async function runTest(
  { runAgent, runWithCrashes, says, calls }: Testing,
  { agent, others }: Cast,
  test: AgentTest,
  { recorded, crashes }: { recorded: NonNullable<TestOptions['model']>; crashes: boolean },
): Promise<Verdict> {
  const modelOf = (script: readonly Scripted[] | undefined) => ({
    model: script ? script.map((reply) => ('says' in reply ? says(reply.says) : calls(...reply.calls))) : recorded,
  })
  const subagentsOf = (of: LoadedAgent) => Object.fromEntries(subagentNames(of).map((name) => [name, modelOf(test.subagents[name])]))
  const makeOptions = (): TestOptions => ({
    input: test.input,
    ...modelOf(test.model),
    subagents: subagentsOf(agent),
    agents: {
      ...Object.fromEntries(Object.entries(test.agents).flatMap(([name, other]) => ('answer' in other ? [[name, () => other.answer]] : []))),
      ...Object.fromEntries([...others].map(([name, other]) => [name, { agent: other, ...modelOf(scriptOf(test, name)), subagents: subagentsOf(other) }])),
    },
    signals: test.signals,
    files: test.files,
    approve: () => ({ approved: test.approve }),
    // A write that was interrupted: an operator says that it did not happen.
    decide: () => ({ decision: 'execute' }),
    exec: (command) => {
      const line = 'script' in command ? command.script : [command.cmd, ...command.args].join(' ')
      const found = Object.entries(test.commands).find(([part]) => line.includes(part))
      return found ? { stdout: found[1], exitCode: 0 } : { stderr: `This test says nothing of the command ${line}.`, exitCode: 127 }
    },
    call: (tool) => {
      const answer = test.answers[tool]
      if (answer === undefined) throw new Error(`This test gives no answer of the tool ${tool}: add it to \`answers\`.`)
      return answer
    },
    ...(test.asker && {
      asker: {
        id: 'tester',
        name: test.asker.name,
        access: { personalData: test.asker.personalData, ...(test.asker.regions && { regions: test.asker.regions }) },
      },
    }),
  })
  if (!crashes) {
    const problems = whyNot(test, await runAgent(agent, makeOptions()))
    return { isPassed: problems.length === 0, problems, crashCount: 0 }
  }
  const { undisturbed, crashed } = await runWithCrashes(agent, makeOptions)
  const problems = whyNot(test, undisturbed)
  if (problems.length === 0) {
    const other = crashed.find((run) => !isSame(run, undisturbed))
    if (other) problems.push(...whatDiffers(undisturbed, other, other.crash))
  }
  return { isPassed: problems.length === 0, problems, crashCount: crashed.length }
}

/** Whether no model is asked that the test has no script for. */
export const isScripted = (test: AgentTest, { agent, others }: Cast): boolean =>
  test.model !== undefined &&
  [...others.keys()].every((name) => scriptOf(test, name)) &&
  [agent, ...others.values()].flatMap(subagentNames).every((name) => test.subagents[name])

const subagentNames = ({ manifest }: LoadedAgent): string[] => (manifest.subagents ?? []).map(({ name }) => name)

function scriptOf({ agents }: AgentTest, name: string): readonly Scripted[] | undefined {
  const other = agents[name]
  return other && 'folder' in other ? other.model : undefined
}

const isSame = (one: TestRun, other: TestRun): boolean =>
  one.state === other.state && isDeepStrictEqual(one.output, other.output) && one.failure?.code === other.failure?.code

function whatDiffers(undisturbed: TestRun, run: TestRun, { fact, when }: { fact: number; when: 'before' | 'after' }): string[] {
  const before = withChildren(undisturbed)
  const after = withChildren(run)
  // What went otherwise in a run is told to the one that started it: the cause is with the innermost.
  const [where = ''] = after.flatMap(({ name, history }, at) => {
    const first = history.find((entry, index) => !isDeepStrictEqual(entry, before[at]?.history[index]))
    return first ? [`, first at ${first.kind} ${JSON.stringify(first.name)} (step ${first.op})${name === undefined ? '' : ` of ${name}`}`] : []
  })
  const interrupted = after.flatMap(({ history }) => history).find((entry) => entry.type === 'failed' && entry.failure.code === 'interrupted')
  return [
    `A crash ${when} the recording of fact ${fact} changes how it ends${where}.`,
    `undisturbed: ${told(undisturbed)}`,
    `after it:    ${told(run)}`,
    ...(interrupted
      ? [`The tool ${interrupted.name} does not say what it does outside, so it was not repeated. Give it an effect: 'none', 'idempotent' or 'write'.`]
      : []),
  ]
}

type AnyRun = Omit<TestRun, 'factCount'> & { name?: string }
const withChildren = (run: AnyRun): AnyRun[] => [...run.children.flatMap((child: ChildRun) => withChildren(child)), run]

const told = ({ state, output, failure, divergence }: AnyRun): string =>
  `${state}${failure ? `: ${failure.message}` : divergence ? ` at ${divergence.op}: recorded ${divergence.recorded}, asked ${divergence.asked}` : output === undefined ? '' : ` with ${JSON.stringify(output).slice(0, 300)}`}`

/** What does not go as the test expects. */
function whyNot({ expect }: AgentTest, run: TestRun): string[] {
  const problems: string[] = []
  if (run.state !== expect.state) problems.push(`It ended otherwise than ${expect.state}: ${told(run)}`)
  const answer = isAnswer(run.output) ? run.output : undefined
  const words = answer?.text ?? (typeof run.output === 'string' ? run.output : JSON.stringify(run.output ?? null))
  for (const part of expect.contains) if (!words.includes(part)) problems.push(`The answer lacks ${JSON.stringify(part)}: ${words.slice(0, 300)}`)
  const output = answer ? answer.output : run.output
  if (expect.output !== undefined && !isDeepStrictEqual(output, expect.output))
    problems.push(`The output is ${JSON.stringify(output ?? null).slice(0, 300)}, not ${JSON.stringify(expect.output).slice(0, 300)}.`)
  if (expect.tools) {
    const called = run.prompts.at(-1)?.messages.flatMap(({ content }) => content.flatMap((part) => (part.type === 'tool-call' ? [part.toolName] : []))) ?? []
    if (!isDeepStrictEqual(called, expect.tools))
      problems.push(`The tools called are ${called.join(', ') || 'none'}, not ${expect.tools.join(', ') || 'none'}.`)
  }
  if (expect.failure !== undefined && run.failure?.code !== expect.failure)
    problems.push(`The failure is ${run.failure?.code ?? 'none'}, not ${expect.failure}.`)
  if (problems.length > 0)
    for (const child of withChildren(run)) if (child.name !== undefined && child.state !== 'completed') problems.push(`${child.name} ended as ${told(child)}`)
  return problems
}

const isAnswer = (output: Json | undefined): output is { text: string; output?: Json } & { [name: string]: Json } =>
  typeof output === 'object' && output !== null && !Array.isArray(output) && typeof output['text'] === 'string'
