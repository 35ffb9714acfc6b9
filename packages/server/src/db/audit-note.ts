/** Notes for the audit log, made in the transaction of what they tell. `identity` takes them into the tenant's chain. */
import type { AuditEntry } from '@longhaul/protocol'
import { newId } from '../kernel/index.ts'
import type { TenantTx } from './db.ts'
import { type Sql, sql } from './sql.ts'

export type AuditNote = {
  who: AuditEntry['who']
  action: string
  target?: string | null | undefined
  outcome?: AuditEntry['outcome']
  /** Facts for whoever looks into it. No secret, and no personal data that may have to be erased. */
  detail?: object
  requestId?: string | null | undefined
}

/** Is committed with the effect, or not at all. */
export async function noteAudit(tx: TenantTx, note: AuditNote): Promise<void> {
  await tx.rows(auditNote(tx.tenantId, note))
}

/** For a statement that has its effect in another part: noted as often as `from`, such as `from changed`, has rows. */
export const auditNote = (
  tenantId: string,
  { who, action, target = null, outcome = 'done', detail = {}, requestId = null }: AuditNote,
  from: Sql = sql``,
): Sql => sql`
    insert into audit_notes (id, tenant_id, who_id, who_name, action, target, outcome, detail, request_id)
    select ${newId()}::uuid, ${tenantId}, ${who.id}::text, ${who.name}::text, ${action}::text, ${target}::text, ${outcome}::text, ${JSON.stringify(detail)}::json, ${requestId}::text ${from}`
