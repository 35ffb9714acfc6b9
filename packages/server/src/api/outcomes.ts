import { type AttentionItem, type Delivery, dismissAttention, listAttention, listDeliveries, retryAttention } from '@longhaul/protocol'
import type { Attention } from '../outcomes/index.ts'
import { AppError } from '../kernel/index.ts'
import { type Implementation, implement } from './implement.ts'

export const outcomeImplementations = (attention: Attention): Implementation[] => [
  implement(listDeliveries, (caller, { limit, cursor, ...filter }) =>
    pageBy<Delivery>(limit, cursor, (before, count) => attention.deliveries(caller, { ...filter, before, limit: count })),
  ),
  implement(listAttention, (caller, { limit, cursor, ...filter }) =>
    pageBy<AttentionItem>(limit, cursor, (before, count) => attention.list(caller, { ...filter, before, limit: count })),
  ),
  implement(retryAttention, (caller, input) => attention.retry(caller, caller.name, input)),
  implement(dismissAttention, (caller, input) => attention.dismiss(caller, input)),
]

/** A page and where the next one begins. The cursor is the id of the page's last item: ids sort by their making. */
async function pageBy<Item extends { id: string }>(
  limit: number,
  cursor: string | undefined,
  read: (before: string | undefined, count: number) => Promise<Item[]>,
) {
  if (cursor !== undefined && !/^[0-9a-f-]{36}$/.test(cursor)) throw new AppError('invalid', 'cursor: must be what the page before gave as `next`.')
  const found = await read(cursor, limit + 1)
  const items = found.slice(0, limit)
  return { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null }
}
