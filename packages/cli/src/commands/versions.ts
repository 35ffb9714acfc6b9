import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { printFields, printList } from '../show/records.ts'
import { ago, bytes } from '../show/values.ts'
import { type GiveOptions, describe, give } from './deploy.ts'

export async function listVersions(invocation: Invocation, agent: string, { limit }: { limit: number }): Promise<number> {
  const list = await (await invocation.client()).versions.list({ agent, limit })
  if (invocation.isJson) invocation.printJson(list)
  else {
    const rows = list.items.map(({ version, status, deployment, share, activeRunCount, createdAt, problem }) => [
      version,
      status,
      deployment ? `${deployment}, ${share} %` : '',
      String(activeRunCount),
      ago(createdAt),
      problem ?? '',
    ])
    printList(
      invocation,
      [
        { name: 'version', isWhole: true },
        { name: 'status', isWhole: true },
        { name: 'new runs', isWhole: true },
        { name: 'running' },
        { name: 'made' },
        { name: 'problem' },
      ],
      rows,
      ['No versions.'],
    )
  }
  return exitCodes.done
}

export async function diffVersions(invocation: Invocation, agent: string, { from, to }: { from: string; to: string }): Promise<number> {
  const compared = await (await invocation.client()).versions.compare({ agent, version: to, with: from })
  if (invocation.isJson) invocation.printJson(compared)
  else {
    const size = (side: { bytes: number } | null) => (side ? bytes(side.bytes) : '')
    printList(
      invocation,
      [{ name: 'file', isWhole: true }, { name: 'change', isWhole: true }, { name: 'before' }, { name: 'after' }],
      compared.changes.map(({ path, change, before, after }) => [path, change, size(before), size(after)]),
      ['The code is the same.'],
    )
  }
  return exitCodes.done
}

export async function listDeployments(invocation: Invocation, agent: string, { limit, cursor }: { limit: number; cursor?: string }): Promise<number> {
  const page = await (await invocation.client()).deployments.list({ agent, limit, ...(cursor !== undefined && { cursor }) })
  if (invocation.isJson) invocation.printJson(page)
  else {
    const rows = page.items.map(({ version, state, share, canarySubjects, madeBy, createdAt, reason }) => [
      version,
      state.replace('_', ' '),
      `${share} %`,
      [...(canarySubjects?.always ?? []), ...(canarySubjects?.never ?? []).map((id) => `not ${id}`)].join(', '),
      ago(createdAt),
      madeBy,
      reason ?? '',
    ])
    printList(
      invocation,
      [
        { name: 'version', isWhole: true },
        { name: 'state', isWhole: true },
        { name: 'share' },
        { name: 'named' },
        { name: 'made' },
        { name: 'by' },
        { name: 'reason' },
      ],
      rows,
      ['Nothing was ever deployed under this name.'],
    )
    if (page.next) invocation.terminal.print(`  more: npx longhaul agents deployments ${agent} --cursor ${page.next}`, '')
  }
  return exitCodes.done
}

export async function promote(invocation: Invocation, agent: string, version: string, options: GiveOptions): Promise<number> {
  const deployment = await give(invocation, agent, version, options)
  if (invocation.isJson) invocation.printJson(deployment)
  else
    printFields(invocation, [
      ['agent', agent],
      ['version', deployment.version],
      ['live', describe(deployment)],
      ['before', deployment.replaced],
    ])
  return exitCodes.done
}

export async function rollBack(invocation: Invocation, agent: string, { reason }: { reason?: string }): Promise<number> {
  const client = await invocation.client()
  const deployment = await client.deployments.rollback({ agent, ...(reason !== undefined && { reason }) })
  if (invocation.isJson) invocation.printJson(deployment)
  else
    invocation.terminal.print(
      deployment.state === 'rolled_back'
        ? `  The canary ${deployment.version} is taken back; all new runs get the live version.`
        : `  ${agent} is back on ${deployment.version} for all new runs. Runs that have begun stay on their version.`,
    )
  return exitCodes.done
}
