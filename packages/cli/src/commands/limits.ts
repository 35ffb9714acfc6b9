import type { Limit } from '@longhaul/protocol'
import type { LimitOptions } from '../control-commands.ts'
import { exitCodes } from '../exit-codes.ts'
import { limitIdFrom, shortId } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printList } from '../show/records.ts'

const scopeOf = ({ agent, namespace, laneKey }: Limit): string =>
  [
    agent ? `agent ${agent}` : namespace ? 'all agents' : 'everything',
    namespace && `in ${namespace}`,
    laneKey === '*' ? 'each lane key' : laneKey && `lane key ${laneKey}`,
  ]
    .filter(Boolean)
    .join(', ')

const amountOf = ({ runningMax, startsPerSecond, startsPerMinute }: Limit): string =>
  [
    runningMax !== null && `${runningMax} at once`,
    startsPerSecond !== null && `${startsPerSecond} starts a second`,
    startsPerMinute !== null && `${startsPerMinute} starts a minute`,
  ]
    .filter(Boolean)
    .join(', ')

export async function listLimits(invocation: Invocation): Promise<number> {
  const page = await (await invocation.client()).limits.list({ limit: 200 })
  if (invocation.isJson) invocation.printJson(page)
  else {
    const idOf = (id: string) => (invocation.terminal.isLive ? shortId(id) : id)
    const rows = page.items.map((limit) => [
      idOf(limit.id),
      scopeOf(limit),
      amountOf(limit),
      limit.source === 'agent' ? `its code (${limit.setBy})` : limit.setBy,
    ])
    printList(invocation, [{ name: 'limit', isWhole: true }, { name: 'for' }, { name: 'at most' }, { name: 'set by' }], rows, [
      'No limits.',
      'npx longhaul limits set --agent analyst --running 10',
    ])
  }
  return exitCodes.done
}

export async function setLimit(invocation: Invocation, { agent, namespace, laneKey, running, perSecond, perMinute }: LimitOptions): Promise<number> {
  if (running === undefined && perSecond === undefined && perMinute === undefined)
    throw new Problem('invalid', 'A limit needs a number.', 'Give --running, --per-second or --per-minute.')
  const client = await invocation.client()
  const limit = await client.limits.set({
    ...(agent !== undefined && { agent }),
    ...(namespace !== undefined && { namespace }),
    ...(laneKey !== undefined && { laneKey }),
    ...(running !== undefined && { runningMax: running }),
    ...(perSecond !== undefined && { startsPerSecond: perSecond }),
    ...(perMinute !== undefined && { startsPerMinute: perMinute }),
  })
  if (invocation.isJson) invocation.printJson(limit)
  else invocation.terminal.print(`  For ${scopeOf(limit)}: ${amountOf(limit)}. It holds at every server from now on.`)
  return exitCodes.done
}

export async function deleteLimit(invocation: Invocation, given: string): Promise<number> {
  const client = await invocation.client()
  const limit = await client.limits.delete({ limitId: await limitIdFrom(client, given) })
  if (invocation.isJson) invocation.printJson(limit)
  else invocation.terminal.print(`  The limit for ${scopeOf(limit)} (${amountOf(limit)}) is gone.`)
  return exitCodes.done
}
