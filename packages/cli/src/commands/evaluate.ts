/** What a route that learns comes to. */
import { readFile } from 'node:fs/promises'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printList } from '../show/records.ts'

type Options = { days: number; file?: string; tolerance?: number; explore?: number }
type Interval = { mean: number; low: number; high: number }

export async function evaluateRoute(invocation: Invocation, name: string, { days, file, tolerance, explore }: Options): Promise<number> {
  const client = await invocation.client()
  const result = await client.routes.evaluate({
    name,
    days,
    ...(file === undefined ? {} : { outcomes: await readOutcomes(file) }),
    ...(tolerance === undefined ? {} : { tolerance }),
    ...(explore === undefined ? {} : { explore }),
  })
  if (invocation.isJson) {
    invocation.printJson(result)
    return exitCodes.done
  }
  const rows = result.policies.map(({ policy, quality, costUsd, shares, recovered, effectiveCases }) => [
    policy,
    percent(quality),
    dollars(costUsd),
    recovered === null ? '–' : `${Math.round(recovered * 100)} %`,
    shares.map(({ share }) => `${Math.round(share * 100)}`).join(' : '),
    effectiveCases,
  ])
  printList(
    invocation,
    [
      { name: 'policy', isWhole: true },
      { name: 'good answers', isWhole: true },
      { name: 'dollars a call', isWhole: true },
      { name: 'of the gap' },
      { name: 'asked first', isWhole: true },
      { name: 'cases', isNumber: true },
    ],
    rows,
    [result.basis === 'calls' ? 'Too few calls of this route whose end is known.' : 'Too few outcomes.'],
  )
  const lines = [
    `${result.cases} cases, ${result.basis === 'calls' ? `calls of the last ${days} days` : 'as given'}; tolerance ${result.learning.tolerance}, ${result.learning.explore} drawn. In brackets: 95 %.`,
    ...(result.gain
      ? [
          `Learned answers are better than a lot at the same cost by ${points(result.gain.mean)} (${points(result.gain.low)} to ${points(result.gain.high)}) points.`,
        ]
      : []),
    ...result.skipped.map(({ why, cases }) => `${cases} left out: ${why}.`),
    ...result.notes,
  ]
  for (const line of lines) invocation.terminal.print(`  ${line}`)
  return exitCodes.done
}

const points = (value: number): string => (value * 100).toFixed(1)
const percent = (interval: Interval | null): string => (interval ? `${points(interval.mean)} % (${points(interval.low)}–${points(interval.high)})` : '–')
const dollars = (interval: Interval | null): string =>
  interval ? `${interval.mean.toPrecision(3)} (${interval.low.toPrecision(3)}–${interval.high.toPrecision(3)})` : 'no price'

type Outcomes = { results: { model: string; good: number }[] }[]

async function readOutcomes(file: string): Promise<Outcomes> {
  const remedy = 'Each line is an object such as {"task": "triage", "text": "…", "results": [{"model": "openai/gpt-5", "good": 1, "costUsd": 0.002}]}.'
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new Problem('invalid', `${file} cannot be read: ${error instanceof Error ? error.message : error}`, remedy)
  })
  return text.split('\n').flatMap((line, n) => {
    if (line.trim() === '') return []
    try {
      return [JSON.parse(line) as Outcomes[number]] // The server checks each field.
    } catch {
      throw new Problem('invalid', `${file}, line ${n + 1}: this is not JSON.`, remedy)
    }
  })
}
