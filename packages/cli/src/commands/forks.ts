/** A run tried once more from one of its steps, and what came of it. */
import type { ComparedStep, compareRuns as comparison } from '@longhaul/protocol'
import { isTerminal } from '@longhaul/protocol'
import type { z } from 'zod'
import { exitCodes } from '../exit-codes.ts'
import { runIdFrom, shortId } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { readJson } from '../read-json.ts'
import { printFields, printList } from '../show/records.ts'
import { cut, oneLine } from '../show/text.ts'
import { cost, counted, wholeNumber } from '../show/values.ts'

export type ForkOptions = {
  from?: string
  input?: string
  agentVersion?: string
  model?: string
  instructions?: string
  outputTokens?: number
  live?: boolean
  wait?: boolean
}
export type CompareOptions = { rows: number }
type Comparison = z.output<typeof comparison.output>

const lookMs = 500

export async function forkRun(invocation: Invocation, given: string, options: ForkOptions): Promise<number> {
  const { from, input, agentVersion, model, instructions, outputTokens, live = false, wait } = options
  const client = await invocation.client()
  const runId = await runIdFrom(client, given)
  const changes = {
    ...(input !== undefined && { input: await readJson(invocation, input) }),
    ...(agentVersion !== undefined && { version: agentVersion }),
    ...(model !== undefined && { model }),
    ...(instructions !== undefined && { instructions }),
    ...(outputTokens !== undefined && { outputTokensMax: outputTokens }),
  }
  let run = await client.runs.fork({ runId, changes, isLive: live, ...(from !== undefined && { op: from }) })
  if (wait) {
    // One that waits for somebody is as far as it comes by itself.
    while (!isTerminal(run.state) && run.state !== 'waiting') {
      await new Promise((resolve) => setTimeout(resolve, lookMs))
      run = await client.runs.get({ runId: run.id })
    }
    return show(invocation, await client.runs.compare({ runId, with: run.id }), 40)
  }
  if (invocation.isJson) invocation.printJson(run)
  else
    invocation.terminal.print(
      `  Run ${run.id} goes on from ${from === undefined ? 'the beginning' : `step ${from}`}, with ${counted(run.fork?.eventCount ?? 0, 'event')} taken over. Its writes ${live ? 'take effect' : 'are withheld'}.`,
      ...(run.fork?.isWithoutFiles
        ? ['  What commands had left in the workspace before that step is not in the fork’s. A step before the first command has all of it made again.']
        : []),
      `  npx longhaul runs watch ${shortId(run.id)}`,
      `  npx longhaul runs compare ${shortId(runId)} ${shortId(run.id)}`,
    )
  return exitCodes.done
}

export async function compareRuns(invocation: Invocation, first: string, second: string, { rows }: CompareOptions): Promise<number> {
  const client = await invocation.client()
  const [runId, other] = [await runIdFrom(client, first), await runIdFrom(client, second)]
  return show(invocation, await client.runs.compare({ runId, with: other }), rows)
}

function show(invocation: Invocation, found: Comparison, rowsMax: number): number {
  if (invocation.isJson) {
    invocation.printJson(found)
    return exitCodes.done
  }
  const { a, b } = found
  const both = (show: (side: Comparison['a']) => string): string => `${show(a)} → ${show(b)}`
  printFields(invocation, [
    ['runs', both(({ runId }) => runId)],
    ['state', both(({ state }) => state)],
    ['answer', found.isSameAnswer ? 'the same' : both((side) => brief(side.failure?.message ?? side.output))],
    ['tokens in', both(({ usage }) => wholeNumber(usage.input + usage.cachedInput))],
    ['tokens out', both(({ usage }) => wholeNumber(usage.output))],
    ['cost', both(({ usage }) => cost(usage.costUsd))],
    ['withheld', both(({ withheldCount }) => wholeNumber(withheldCount))],
    [
      'steps',
      `${found.sameCount} the same, ${found.differentCount} different${found.prefixCount > 0 ? `, after ${counted(found.prefixCount, 'event')} that both have` : ''}`,
    ],
  ])
  if (found.different.length > 0)
    printList(
      invocation,
      [{ name: 'step', isWhole: true }, { name: 'what' }, { name: 'first' }, { name: 'second' }],
      found.different.slice(0, rowsMax).map((step) => [step.op, `${step.kind} ${step.name}`, sideOf(step.a, step.b), sideOf(step.b, step.a)]),
      [],
    )
  return exitCodes.done
}

type Side = z.output<typeof ComparedStep>['a']

/** What makes the difference: the result, or the input where results are the same. */
function sideOf(side: Side, other: Side): string {
  if (!side) return '—'
  const isByInput = other !== null && side.outcome === other.outcome && JSON.stringify(side.value) === JSON.stringify(other.value)
  return isByInput || side.outcome === 'withheld' ? `${side.outcome}: input ${brief(side.input)}` : `${side.outcome}: ${brief(side.value)}`
}

const brief = (value: unknown): string => cut(oneLine(typeof value === 'string' ? value : JSON.stringify(value)), 60)
