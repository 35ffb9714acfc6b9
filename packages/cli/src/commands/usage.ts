import { type Tokens, type UsageFilters, usageGrains } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import { instant } from '../instant.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printList } from '../show/records.ts'
import { ago, cost, duration, moment, wholeNumber } from '../show/values.ts'

type Options = Record<string, string> & { limit: number }

const filterNames = ['namespace', 'agent', 'version', 'user', 'provider', 'model', 'run', 'session', 'tag'] as const
/** `--key` is the caller's own, as everywhere. */
export const filtersOf = (options: Record<string, string | number>): Partial<UsageFilters> => ({
  ...Object.fromEntries(filterNames.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]]))),
  ...(options['keyId'] !== undefined && { key: String(options['keyId']) }),
})

export async function summarize(invocation: Invocation, by: string, options: Options): Promise<number> {
  const grain = usageGrains.find((each) => each === options['grain'])
  if (!grain) throw new Problem('invalid', `--grain cannot be "${options['grain']}".`, `There are: ${usageGrains.join(', ')}`)
  const summary = await (
    await invocation.client()
  ).usage.summarize({
    ...filtersOf(options),
    by,
    grain,
    timeZone: options['timeZone'] ?? 'UTC',
    limit: options.limit,
    ...(options['from'] !== undefined && { from: instant('from', options['from']) }),
    ...(options['to'] !== undefined && { to: instant('to', options['to']) }),
  })
  if (invocation.isJson) invocation.printJson(summary)
  else {
    const dimensions = by === '' ? [] : by.split(',')
    printList(
      invocation,
      [
        ...(grain === 'total' ? [] : [{ name: 'from', isWhole: true }]),
        ...dimensions.map((name) => ({ name, isWhole: true })),
        { name: 'cost', isWhole: true },
        { name: 'calls', isNumber: true },
        { name: 'in', isNumber: true },
        { name: 'cached', isNumber: true },
        { name: 'out', isNumber: true },
        { name: 'note' },
      ],
      summary.groups.map((group) => [
        ...(grain === 'total' ? [] : [group.at === null ? '' : moment(group.at)]),
        ...dimensions.map((name) => group.by[name] ?? '–'),
        cost(group.costUsd),
        group.calls,
        inputOf(group.tokens),
        group.tokens.cacheRead,
        outputOf(group.tokens),
        notesOf(group),
      ]),
      ['No model was called in that time.'],
    )
    if (summary.isCut) invocation.terminal.print('  There are more groups: --limit shows them.', '')
  }
  return exitCodes.done
}

export async function listCalls(invocation: Invocation, options: Options): Promise<number> {
  const list = await (
    await invocation.client()
  ).usage.list({
    ...filtersOf(options),
    limit: options.limit,
    ...(options['cursor'] !== undefined && { cursor: options['cursor'] }),
  })
  if (invocation.isJson) invocation.printJson(list)
  else {
    printList(
      invocation,
      [
        { name: 'when' },
        { name: 'model', isWhole: true },
        { name: 'cost', isWhole: true },
        { name: 'in', isNumber: true },
        { name: 'out', isNumber: true },
        { name: 'took' },
        { name: 'agent' },
        { name: 'run' },
        { name: 'note' },
      ],
      list.items.map((call) => [
        ago(call.at),
        call.model,
        cost(call.costUsd),
        inputOf(call.tokens),
        outputOf(call.tokens),
        call.durationMs === null ? '' : duration(call.durationMs),
        call.agent ?? '–',
        call.runId ?? '–',
        [
          ...(call.isFailed ? ['failed'] : []),
          ...(call.isEstimated ? ['estimated'] : []),
          ...(call.route ? [`${call.route.name}: ${call.route.why}`] : []),
        ].join(', '),
      ]),
      ['No model was called.'],
    )
    if (list.next !== null) invocation.terminal.print(`  More: --cursor ${list.next}`, '')
  }
  return exitCodes.done
}

const inputOf = ({ input, cacheRead, cacheWrite, cacheWriteLong, inputAudio, inputImage }: Tokens): number =>
  input + cacheRead + cacheWrite + cacheWriteLong + inputAudio + inputImage
const outputOf = ({ output, reasoning, outputAudio, outputImage }: Tokens): number => output + reasoning + outputAudio + outputImage

const notesOf = ({ failedCalls, estimatedCalls, unpricedCalls }: { failedCalls: number; estimatedCalls: number; unpricedCalls: number }): string =>
  [
    ...(unpricedCalls > 0 ? [`${wholeNumber(unpricedCalls)} without a price`] : []),
    ...(estimatedCalls > 0 ? [`${wholeNumber(estimatedCalls)} estimated`] : []),
    ...(failedCalls > 0 ? [`${wholeNumber(failedCalls)} failed`] : []),
  ].join(', ')

export async function scoreCalls(invocation: Invocation, score: number, { call, run }: { call?: string; run?: string }): Promise<number> {
  if ((call === undefined) === (run === undefined)) throw new Problem('invalid', 'Whose answer was it?', 'Name a model call with --call, or a run with --run.')
  const client = await invocation.client()
  const done = await client.usage.score({ score, ...(call === undefined ? {} : { call }), ...(run === undefined ? {} : { run }) })
  if (invocation.isJson) invocation.printJson(done)
  else invocation.terminal.print(`  ${done.scored} model call${done.scored === 1 ? ' is' : 's are'} scored ${score}.`)
  return exitCodes.done
}
