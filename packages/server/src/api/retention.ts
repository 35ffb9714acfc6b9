import { listRetention, setRetention } from '@longhaul/protocol'
import type { RetentionService } from '../outcomes/index.ts'
import { type Implementation, audited, implement } from './implement.ts'

export const retentionImplementations = (retention: Pick<RetentionService, 'set' | 'list'>): Implementation[] => [
  // The cursor of what holds for all others is empty: an empty text is none to go on after, so it is marked.
  implement(listRetention, async ({ tenantId }, { limit, cursor }) => {
    const found = await retention.list(tenantId, { limit: limit + 1, after: cursor?.slice(1) })
    const items = found.slice(0, limit)
    return { items, next: found.length > limit ? `:${items.at(-1)?.namespace ?? ''}` : null }
  }),
  audited(implement(setRetention, (caller, input) => retention.set(caller, input))),
]
