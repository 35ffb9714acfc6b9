import { type AttentionItem, type Delivery, dismissAttention, forkAttention, listAttention, listDeliveries, retryAttention } from '@longhaul/protocol'
import type { Caller } from '../identity/index.ts'
import type { Attention } from '../outcomes/index.ts'
import { pageBy } from '../kernel/index.ts'
import { type Implementation, implement } from './implement.ts'

export const outcomeImplementations = (attention: Attention<Caller>): Implementation[] => [
  implement(listDeliveries, (caller, { limit, cursor, ...filter }) =>
    pageBy<Delivery>(limit, cursor, (before, count) => attention.deliveries(caller, { ...filter, before, limit: count })),
  ),
  implement(listAttention, (caller, { limit, cursor, ...filter }) =>
    pageBy<AttentionItem>(limit, cursor, (before, count) => attention.list(caller, { ...filter, before, limit: count })),
  ),
  implement(retryAttention, (caller, input) => attention.retry(caller, caller.name, input)),
  implement(forkAttention, (caller, { changes, isLive, ...picked }) => attention.fork(caller, picked, { changes, isLive })),
  implement(dismissAttention, (caller, input) => attention.dismiss(caller, input)),
]
