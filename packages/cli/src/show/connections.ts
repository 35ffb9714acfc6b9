import type { EgressConnection } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { printList } from './records.ts'
import { ago, bytes } from './values.ts'

/** Attempts to leave a sandbox, of a caller's or of a run's. */
export function printConnections(invocation: Invocation, list: { items: EgressConnection[]; next: string | null }): number {
  if (invocation.isJson) {
    invocation.printJson(list)
    return exitCodes.done
  }
  const rows = list.items.map((each) => [
    ago(each.startedAt),
    each.verdict,
    `${each.method ?? 'TLS'} ${each.host}:${each.port}${each.path ?? ''}`,
    bytes(each.bytesOut),
    bytes(each.bytesIn),
    each.reason,
  ])
  const columns = [{ name: 'when' }, { name: 'verdict' }, { name: 'what' }, { name: 'out' }, { name: 'in' }, { name: 'why' }]
  printList(invocation, columns, rows, ['Nothing has tried to leave it.'])
  return exitCodes.done
}
