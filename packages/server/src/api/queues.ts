import { acknowledgeMessages, extendMessages, listQueues, receiveMessages } from '@longhaul/protocol'
import type { Queues } from '../outcomes/index.ts'
import { type Implementation, audited, implement } from './implement.ts'

export const queueImplementations = (queues: Queues): Implementation[] => [
  implement(listQueues, async (caller, { limit, cursor }) => {
    const found = await queues.list(caller, { limit: limit + 1, after: cursor })
    const items = found.slice(0, limit)
    return { items, next: found.length > limit ? (items.at(-1)?.name ?? null) : null }
  }),
  // A look that finds nothing is none of the audit log's business.
  audited(implement(receiveMessages, (caller, input) => queues.receive(caller, caller.name, input))),
  implement(acknowledgeMessages, (caller, input) => queues.acknowledge(caller, input)),
  implement(extendMessages, (caller, input) => queues.extend(caller, input)),
]
