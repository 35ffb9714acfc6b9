import { AttentionItem, type Delivery, dismissAttention, forkAttention, listAttention, listDeliveries, retryAttention } from '@longhaul/protocol'
import type { Caller } from '../identity/index.ts'
import type { Attention } from '../outcomes/index.ts'
import type { Lists } from '../engine/index.ts'
import { type Log, pageBy } from '../kernel/index.ts'
import { streamList } from './follow-list.ts'
import { type Implementation, implement } from './implement.ts'

export const outcomeImplementations = ({ attention, lists, log }: { attention: Attention<Caller>; lists: Lists; log: Log }): Implementation[] => [
  implement(listDeliveries, (caller, { limit, cursor, ...filter }) =>
    pageBy<Delivery>(limit, cursor, (before, count) => attention.deliveries(caller, { ...filter, before, limit: count })),
  ),
  implement(
    listAttention,
    (caller, { limit, cursor, ...filter }) =>
      pageBy<AttentionItem>(limit, cursor, (before, count) => attention.list(caller, { ...filter, before, limit: count })),
    (caller, { cursor, agent, reason }, following) =>
      streamList({
        ...following,
        after: following.after ?? cursor,
        event: 'attention',
        shape: AttentionItem,
        read: (page) => attention.changes(caller, page, { agent, reason }),
        subscribe: (onWake) => lists.watchTenant(caller.tenantId, onWake),
        log,
      }),
  ),
  implement(retryAttention, (caller, input) => attention.retry(caller, caller.name, input)),
  implement(forkAttention, (caller, { changes, isLive, ...picked }) => attention.fork(caller, picked, { changes, isLive })),
  implement(dismissAttention, (caller, input) => attention.dismiss(caller, input)),
]
