import type { MarketplaceVersion } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { printList } from '../show/records.ts'
import { ago } from '../show/values.ts'

export async function listMarketplace(invocation: Invocation, entry: string | undefined): Promise<number> {
  const list = await (await invocation.client()).marketplace.list(entry === undefined ? {} : { entry })
  if (invocation.isJson) {
    invocation.printJson(list)
    return exitCodes.done
  }
  printList(
    invocation,
    [
      { name: 'entry', isWhole: true },
      { name: 'version', isNumber: true },
      { name: 'state', isWhole: true },
      { name: 'installed in' },
      { name: 'published' },
      { name: 'hash', isWhole: true },
    ],
    list.items.map((one) => [one.entry, one.version, one.state, one.namespaces.join(', '), `${ago(one.publishedAt)} by ${one.publishedBy}`, one.hash]),
    ['Nothing is published.', 'npx longhaul marketplace publish --help'],
  )
  if (entry !== undefined)
    for (const one of list.items) {
      invocation.terminal.print(
        `  ${entry} ${one.version}: ${one.description}${one.url === null ? '' : `, at ${one.url}`}${one.reason === null ? '' : ` (${one.state}: ${one.reason})`}`,
        '',
      )
      printList(
        invocation,
        [{ name: 'tool', isWhole: true }, { name: 'description' }],
        one.tools.map((tool) => [tool.name, tool.description]),
        ['No tools.'],
      )
    }
  return exitCodes.done
}

export async function publishConnection(
  invocation: Invocation,
  entry: string,
  { agent, connection, description }: { agent: string; connection: string; description: string },
): Promise<number> {
  const published = await (await invocation.client()).marketplace.publish({ entry, agent, connection, description })
  if (!invocation.isJson)
    invocation.terminal.print(
      `  ${nameOf(published)} is published with ${published.tools.length} tools, and waits for a review. Its hash is ${published.hash}.`,
    )
  return tell(invocation, published)
}

export async function reviewConnection(
  invocation: Invocation,
  entry: string,
  version: number,
  { hash, reject, reason }: { hash: string; reject?: boolean; reason?: string },
): Promise<number> {
  const client = await invocation.client()
  const reviewed = await client.marketplace.review({ entry, version, hash, decision: reject ? 'reject' : 'approve', ...(reason !== undefined && { reason }) })
  if (!invocation.isJson) invocation.terminal.print(`  ${nameOf(reviewed)} is ${reviewed.state}.`)
  return tell(invocation, reviewed)
}

export async function revokeConnection(invocation: Invocation, entry: string, version: number, { reason }: { reason: string }): Promise<number> {
  const revoked = await (await invocation.client()).marketplace.revoke({ entry, version, reason })
  if (!invocation.isJson)
    invocation.terminal.print(`  ${nameOf(revoked)} is revoked. Runs are not offered it any more, in: ${revoked.namespaces.join(', ') || 'no namespace'}.`)
  return tell(invocation, revoked)
}

export async function installConnection(
  invocation: Invocation,
  entry: string,
  version: number,
  { hash, namespace }: { hash: string; namespace: string },
): Promise<number> {
  const installed = await (await invocation.client()).marketplace.install({ entry, version, hash, namespace })
  if (!invocation.isJson)
    invocation.terminal.print(
      `  ${nameOf(installed)} is installed in ${namespace}. Agents use it by connections/${entry}.json: {"kind": "marketplace", "entry": "${entry}"}`,
    )
  return tell(invocation, installed)
}

export async function uninstallConnection(invocation: Invocation, entry: string, { namespace }: { namespace: string }): Promise<number> {
  const removed = await (await invocation.client()).marketplace.uninstall({ entry, namespace })
  if (!invocation.isJson) invocation.terminal.print(`  ${nameOf(removed)} is not installed in ${namespace} any more.`)
  return tell(invocation, removed)
}

const nameOf = ({ entry, version }: Pick<MarketplaceVersion, 'entry' | 'version'>): string => `${entry} ${version}`

function tell(invocation: Invocation, result: object): number {
  if (invocation.isJson) invocation.printJson(result)
  return exitCodes.done
}
