import { exportAudit, getAuditHead, listAudit, verifyAudit } from '@longhaul/protocol'
import type { Audit, HeadShipper } from '../identity/index.ts'
import { AppError } from '../kernel/index.ts'
import { type Implementation, implement } from './implement.ts'

export const auditImplementations = (audit: Audit, heads: Pick<HeadShipper, 'statusOf'>): Implementation[] => [
  implement(listAudit, async ({ tenantId }, { limit, cursor, ...filter }) => {
    if (cursor !== undefined && !/^\d{1,15}$/.test(cursor)) throw new AppError('invalid', 'cursor: must be what the page before gave as `next`.')
    const found = await audit.list(tenantId, { ...filter, limit: limit + 1, before: cursor === undefined ? undefined : Number(cursor) })
    const items = found.slice(0, limit)
    return { items, next: found.length > limit ? String(items.at(-1)?.seq) : null }
  }),
  implement(exportAudit, async ({ tenantId }, { after, limit }) => {
    const items = await audit.read(tenantId, after, limit)
    return { tenantId, items, next: items.length < limit ? null : (items.at(-1)?.seq ?? null) }
  }),
  implement(getAuditHead, async ({ tenantId }) => {
    const head = await audit.head(tenantId)
    return { ...head, shipping: heads.statusOf(head) }
  }),
  implement(verifyAudit, ({ tenantId }, { head }) => audit.verify(tenantId, head)),
]
