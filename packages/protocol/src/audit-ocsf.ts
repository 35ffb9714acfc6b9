/** Audit entries for security tools: the class API Activity (6003) of the Open Cybersecurity Schema Framework. Pure. */
import type { AuditEntry } from './audit.ts'
import type { Json } from './json.ts'

const version = '1.6.0'
const classUid = 6003
/** The schema's word for it. */
const principal = 'actor'
const activities = { create: 1, read: 2, update: 3, delete: 4, other: 99 } as const

/** What an action comes to in its words, by the verb after the dot. */
function activityOf(action: string): keyof typeof activities {
  const verb = action.split('.').at(-1) ?? ''
  if (/^(create|start|fork|snapshot)$/.test(verb)) return 'create'
  if (/^(list|get|read|export|events|files|head|use)$/.test(verb)) return 'read'
  if (/^(set|put|update|rotate|write|approve|limit|decide|lift|pause|resume)$/.test(verb)) return 'update'
  return /^(delete|stop|cancel|kill|unset|dismiss)$/.test(verb) ? 'delete' : 'other'
}

/** What has no place in the schema, and what proves the entry, is in `unmapped`. No address is recorded of a caller, so the endpoint is a name. */
export function toOcsf(entry: AuditEntry, tenantId: string): { [key: string]: Json } {
  const activityId = activities[activityOf(entry.action)]
  const isDone = entry.outcome === 'done'
  return {
    category_uid: 6,
    class_uid: classUid,
    activity_id: activityId,
    type_uid: classUid * 100 + activityId,
    severity_id: entry.outcome === 'refused' ? 2 : 1,
    time: Date.parse(entry.at),
    status_id: isDone ? 1 : 2,
    status: isDone ? 'Success' : 'Failure',
    status_detail: entry.outcome,
    [principal]: { user: { ...(entry.who.id !== null && { uid: entry.who.id }), name: entry.who.name, type_id: entry.who.id === null ? 3 : 1 } },
    api: { operation: entry.action, ...(entry.requestId !== null && { request: { uid: entry.requestId } }) },
    src_endpoint: { name: 'unknown' },
    resources: entry.target === null ? [] : [{ uid: entry.target, type: entry.action.split('.')[0] ?? '' }],
    metadata: {
      version,
      uid: `${tenantId}/${entry.seq}`,
      tenant_uid: tenantId,
      sequence: entry.seq,
      product: { name: 'Longhaul', vendor_name: 'Longhaul' },
      log_name: 'audit',
    },
    unmapped: { detail: entry.detail, hash: entry.hash },
  }
}
