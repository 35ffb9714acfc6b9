import type { Stop, StopStep, Stopped } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import { runIdFrom, shortId, stopIdFrom } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printFields, printList } from '../show/records.ts'
import { oneLine } from '../show/text.ts'
import { ago, counted, timeOfDay } from '../show/values.ts'

const scopeOf = ({ runId, agent, namespace }: Stop): string =>
  runId ? `run ${runId}` : agent ? `agent ${agent}${namespace ? ` in ${namespace}` : ''}` : namespace ? `namespace ${namespace}` : 'everything'

export async function stop(
  invocation: Invocation,
  what: string,
  which: string | undefined,
  { reason, yes }: { reason?: string; yes?: boolean },
): Promise<number> {
  const client = await invocation.client()
  const because = reason === undefined ? {} : { reason }
  const named = (): string => {
    if (which === undefined) throw new Problem('invalid', `Which ${what}?`, `npx longhaul stop ${what} <${what === 'run' ? 'run' : 'name'}>`)
    return which
  }
  let stopped: Stopped
  if (what === 'run') stopped = await client.stops.create({ runId: await runIdFrom(client, named()), ...because })
  else if (what === 'agent') stopped = await client.stops.create({ agent: named(), ...because })
  else if (what === 'namespace') stopped = await client.stops.create({ namespace: named(), ...because })
  else if (what === 'tenant') {
    if (!yes) throw new Problem('invalid', 'That stops every run of every agent.', 'If you mean it: npx longhaul stop tenant --yes')
    stopped = await client.stops.create({ tenant: true, ...because })
  } else throw new Problem('invalid', `"${oneLine(what)}" cannot be stopped.`, 'Give run, agent, namespace or tenant.')
  if (invocation.isJson) invocation.printJson(stopped)
  else printStopped(invocation, stopped)
  return exitCodes.done
}

function printStopped(invocation: Invocation, { stop: made, isNew, cut, cutCount, lastStep, heldCount, nodesUnheard }: Stopped): void {
  const { terminal } = invocation
  printFields(invocation, [
    ['stopped', scopeOf(made)],
    ['stop', made.id],
    ['since', isNew ? 'now' : `${ago(made.stoppedAt)}, by ${made.stoppedBy}`],
    ['cut', counted(cutCount, 'run')],
    ['held', heldCount > 0 && counted(heldCount, 'run')],
    ['last step', lastStep && `${stepText(lastStep)}, in run ${shortId(lastStep.runId)}`],
    [
      'not confirmed',
      nodesUnheard.length > 0 &&
        `${counted(nodesUnheard.length, 'server')}: what was under way there may go on until it is back. Nothing of it is recorded, and nothing more is admitted.`,
    ],
  ])
  const open = cut.flatMap(({ runId, agent, open: steps }) =>
    steps.map((step) => [shortId(runId), agent, step.op, `${step.kind} ${oneLine(step.name)}`, timeOfDay(step.at)]),
  )
  if (open.length > 0) {
    terminal.print('  Admitted before, without a result: these may have had their effect.')
    printList(
      invocation,
      [{ name: 'run', isWhole: true }, { name: 'agent' }, { name: 'op', isWhole: true }, { name: 'step' }, { name: 'since', isWhole: true }],
      open,
      [],
    )
  }
  terminal.print(`  Lift it: npx longhaul resume ${shortId(made.id)}`)
}

const stepText = ({ type, op, kind, name, at }: StopStep): string =>
  `${kind} ${oneLine(name)} (${op}) ${type === 'step.started' ? 'admitted' : 'recorded'} at ${timeOfDay(at)}`

export async function resume(invocation: Invocation, given: string): Promise<number> {
  const client = await invocation.client()
  const lifted = await client.stops.lift({ stopId: await stopIdFrom(client, given) })
  if (invocation.isJson) invocation.printJson(lifted)
  else invocation.terminal.print(`  The stop of ${scopeOf(lifted)} is lifted: what it held goes on.`)
  return exitCodes.done
}

export async function listStops(invocation: Invocation, { all }: { all?: boolean }): Promise<number> {
  const page = await (await invocation.client()).stops.list({ limit: 200, all: all ? 'true' : 'false' })
  if (invocation.isJson) invocation.printJson(page)
  else {
    const idOf = (id: string) => (invocation.terminal.isLive ? shortId(id) : id)
    const rows = page.items.map((each) => [
      idOf(each.id),
      scopeOf(each),
      ago(each.stoppedAt),
      each.stoppedBy,
      each.liftedAt ? `lifted ${ago(each.liftedAt)} by ${each.liftedBy}` : 'in force',
      each.reason ?? '',
    ])
    printList(
      invocation,
      [{ name: 'stop', isWhole: true }, { name: 'of' }, { name: 'since', isWhole: true }, { name: 'by' }, { name: 'state' }, { name: 'reason' }],
      rows,
      ['Nothing is stopped.'],
    )
  }
  return exitCodes.done
}
