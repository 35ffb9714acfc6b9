import { approvalStates } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import { approvalIdFrom, runIdFrom, shortId } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printList } from '../show/records.ts'
import { oneLine } from '../show/text.ts'
import { ago } from '../show/values.ts'

export async function listApprovals(
  invocation: Invocation,
  { state, all, run, limit }: { state?: string; all?: boolean; run?: string; limit: number },
): Promise<number> {
  const client = await invocation.client()
  const wanted = all ? undefined : approvalStates.find((known) => known === (state ?? 'pending'))
  if (!all && !wanted) throw new Problem('invalid', `There is no state "${state}".`, `States: ${approvalStates.join(', ')}`)
  const page = await client.approvals.list({ limit, ...(wanted ? { state: wanted } : {}), ...(run !== undefined && { runId: await runIdFrom(client, run) }) })
  if (invocation.isJson) invocation.printJson(page)
  else {
    const idOf = (id: string) => (invocation.terminal.isLive ? shortId(id) : id)
    const rows = page.items.map((approval) => [idOf(approval.id), approval.state, approval.agent, ago(approval.createdAt), approval.title])
    printList(
      invocation,
      [{ name: 'approval', isWhole: true }, { name: 'state', isWhole: true }, { name: 'agent' }, { name: 'asked' }, { name: 'title' }],
      rows,
      [wanted === 'pending' ? 'Nothing waits for a yes or no.' : 'No approvals.'],
    )
  }
  return exitCodes.done
}

export async function decideApproval(invocation: Invocation, given: string, approved: boolean, { comment }: { comment?: string }): Promise<number> {
  const client = await invocation.client()
  const approval = await client.approvals.decide({ approvalId: await approvalIdFrom(client, given), approved, ...(comment === undefined ? {} : { comment }) })
  if (invocation.isJson) invocation.printJson(approval)
  else invocation.terminal.print(`  ${approval.state === 'approved' ? 'Approved' : 'Denied'}: ${oneLine(approval.title)}`)
  return exitCodes.done
}
