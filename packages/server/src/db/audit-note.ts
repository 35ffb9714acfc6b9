/** Notes for the audit log, made in the transaction of what they tell. `identity` takes them into the tenant's chain. */
import type { AuditEntry } from '@longhaul/protocol'
import { newId } from '../kernel/index.ts'
import type { TenantTx } from './db.ts'
import { sql } from './sql.ts'

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
export async function noteAudit(tx: TenantTx, { who, action, target = null, outcome = 'done', detail = {}, requestId = null }: AuditNote): Promise<void> {
  await tx.rows(sql`
    insert into audit_notes (id, tenant_id, who_id, who_name, action, target, outcome, detail, request_id)
    values (${newId()}, ${tx.tenantId}, ${who.id}, ${who.name}, ${action}, ${target}, ${outcome}, ${JSON.stringify(detail)}, ${requestId})`)
}
