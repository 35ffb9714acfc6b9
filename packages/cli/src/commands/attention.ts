import { attentionReasons } from '@longhaul/protocol'
import type { AttentionItem, Delivery } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import { runIdFrom, shortId } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printList } from '../show/records.ts'
import { oneLine } from '../show/text.ts'
import { ago, counted } from '../show/values.ts'

type Filter = { agent?: string; reason?: string }
export type HowForked = { agentVersion?: string; model?: string; instructions?: string; live?: boolean }

const reasonOf = (given: string | undefined): AttentionItem['reason'] | undefined => {
  const known = attentionReasons.find((reason) => reason === given)
  if (given !== undefined && !known) throw new Problem('invalid', `There is no reason "${given}".`, `Reasons: ${attentionReasons.join(', ')}`)
  return known
}
const filterOf = ({ agent, reason: given }: Filter) => {
  const reason = reasonOf(given)
  return { ...(agent !== undefined && { agent }), ...(reason !== undefined && { reason }) }
}

export async function listAttention(invocation: Invocation, { limit, cursor, ...filter }: Filter & { limit: number; cursor?: string }): Promise<number> {
  const client = await invocation.client()
  const page = await client.attention.list({ ...filterOf(filter), limit, ...(cursor !== undefined && { cursor }) })
  if (invocation.isJson) invocation.printJson(page)
  else {
    const idOf = (id: string) => (invocation.terminal.isLive ? shortId(id) : id)
    const rows = page.items.map(({ id, agent, reason, createdAt, message }) => [idOf(id), reason, agent, ago(createdAt), oneLine(message)])
    printList(
      invocation,
      [{ name: 'id', isWhole: true }, { name: 'reason', isWhole: true }, { name: 'agent' }, { name: 'since', isWhole: true }, { name: 'why' }],
      rows,
      ['Nothing needs attention.'],
    )
    if (page.next) invocation.terminal.print(`  More: --cursor ${page.next}`, '')
  }
  return exitCodes.done
}

/** Without ids everything that the filter picks, page after page, until nothing is left that was not tried. */
export async function actOnAttention(
  invocation: Invocation,
  verb: 'retry' | 'fork' | 'dismiss',
  given: string[],
  { all, agentVersion, model, instructions, live = false, ...filter }: Filter & { all?: boolean } & HowForked,
): Promise<number> {
  if (given.length === 0 && !all)
    throw new Problem('invalid', `Say which: ids, or --all with --agent or --reason where you want fewer.`, `npx longhaul attention ${verb} --help`)
  const client = await invocation.client()
  const done: { id: string; runId: string }[] = []
  const left: { id: string; problem: string }[] = []
  const changes = {
    ...(agentVersion !== undefined && { version: agentVersion }),
    ...(model !== undefined && { model }),
    ...(instructions !== undefined && { instructions }),
  }
  const take = async (ids: string[]) => {
    const outcome = verb === 'fork' ? await client.attention.fork({ ids, changes, isLive: live }) : await client.attention[verb]({ ids })
    done.push(...outcome.done)
    left.push(...outcome.left)
  }
  if (given.length > 0) await take(await idsFrom(invocation, given))
  else {
    for (let cursor: string | undefined; ;) {
      const page = await client.attention.list({ ...filterOf(filter), limit: 100, ...(cursor !== undefined && { cursor }) })
      if (page.items.length > 0) await take(page.items.map(({ id }) => id))
      if (page.next === null) break
      cursor = page.next
    }
  }
  if (invocation.isJson) invocation.printJson({ done, left })
  else {
    const what = { retry: 'tried again', fork: `forked; writes ${live ? 'take effect' : 'are withheld'}`, dismiss: 'dismissed' }[verb]
    const forks = verb === 'fork' ? done.map(({ id, runId }) => `  ${shortId(id)} goes on as ${shortId(runId)}`) : []
    invocation.terminal.print(
      `  ${counted(done.length, 'thing')} ${what}.`,
      ...forks,
      ...left.map(({ id, problem }) => `  left ${shortId(id)}: ${oneLine(problem)}`),
    )
  }
  return left.length > 0 ? exitCodes.failed : exitCodes.done
}

/** Whole ids, or the ends of those on the list. */
async function idsFrom(invocation: Invocation, given: string[]): Promise<string[]> {
  const client = await invocation.client()
  if (given.every((id) => id.length === 36)) return given
  const { items } = await client.attention.list({ limit: 200 })
  return given.map((text) => {
    const matching = items.filter(({ id }) => id === text || (text.length >= 4 && id.endsWith(text.toLowerCase())))
    if (matching.length !== 1 || !matching[0])
      throw new Problem(
        'not_found',
        `${matching.length === 0 ? 'Nothing' : 'More than one thing'} that needs attention ends in "${text}".`,
        'npx longhaul attention list --json',
      )
    return matching[0].id
  })
}

export async function listDeliveries(invocation: Invocation, given: string): Promise<number> {
  const client = await invocation.client()
  const page = await client.deliveries.list({ run: await runIdFrom(client, given), limit: 100 })
  if (invocation.isJson) invocation.printJson(page)
  else {
    const rows = page.items.map((delivery: Delivery) => [
      where(delivery.destination),
      delivery.state,
      delivery.attempt,
      delivery.failure === null ? '' : oneLine(delivery.failure),
    ])
    printList(invocation, [{ name: 'to' }, { name: 'state', isWhole: true }, { name: 'attempts', isNumber: true }, { name: 'last failure' }], rows, [
      'The end of this run was told nowhere: it was started without destinations, or has not ended.',
    ])
  }
  return exitCodes.done
}

function where(destination: Delivery['destination']): string {
  if (destination.type === 'channel') return `the channel ${destination.channel}`
  if (destination.type === 'webhook') return destination.url
  if (destination.type === 'queue') return `the queue ${destination.queue}`
  return destination.type === 'run' ? `a run of ${destination.agent}` : `signal ${destination.name} to run ${shortId(destination.runId)}`
}
