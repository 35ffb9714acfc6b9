import type { Approval, Json } from '@longhaul/protocol'
import { type Audience, type TenantTx, isOfRunFor, sql } from '../db/index.ts'

export type ApprovalRow = Omit<Approval, 'createdAt' | 'expiresAt' | 'decidedAt'> & {
  createdAt: Date
  expiresAt: Date | null
  decidedAt: Date | null
  detail: Json
}

export const toApproval = (row: ApprovalRow): Approval => ({
  ...row,
  createdAt: row.createdAt.toISOString(),
  expiresAt: row.expiresAt?.toISOString() ?? null,
  decidedAt: row.decidedAt?.toISOString() ?? null,
})

export const approvalColumns = sql`id, run_id as "runId", agent, title, detail,
  case when state = 'pending' and expires_at <= clock_timestamp() then 'expired' else state end as state,
  decided_by as "decidedBy", comment, created_at as "createdAt", expires_at as "expiresAt", decided_at as "decidedAt"`

export async function listApprovals(
  db: TenantTx,
  audience: Audience,
  { limit, before, state, runId }: { limit: number; before?: string | undefined; state?: Approval['state'] | undefined; runId?: string | undefined },
): Promise<Approval[]> {
  const rows = await db.rows<ApprovalRow>(sql`
    select * from (
      select ${approvalColumns} from approvals
      where ${isOfRunFor(audience)} and (${before ?? null}::uuid is null or id < ${before ?? null}::uuid)
        ${runId === undefined ? sql`` : sql`and run_id in (${familyOf(audience.tenantId, runId)})`}
    ) as found
    where ${state ?? null}::text is null or state = ${state ?? null}
    order by id desc limit ${limit}`)
  return rows.map(toApproval)
}

/** A run and all below it: whoever waits for the one waits for what the others ask. */
const familyOf = (tenantId: string, runId: string) => sql`
  with recursive family as (
    select ${runId}::uuid as id
    union
    select runs.id from family join runs on runs.tenant_id = ${tenantId} and runs.parent_id = family.id
  ) select id from family`

export async function findApproval(db: TenantTx, audience: Audience, id: string): Promise<Approval | undefined> {
  const [row] = await db.rows<ApprovalRow>(sql`select ${approvalColumns} from approvals where ${isOfRunFor(audience)} and id = ${id}`)
  return row && toApproval(row)
}

/** The first answer wins: undefined when there has been one, or it is too late for any. Takes the run's row first, as the journal does: two that take two rows in two orders block each other. */
export async function recordDecision(
  tx: TenantTx,
  audience: Audience,
  decision: { id: string; approved: boolean; by: string; comment: string | undefined },
): Promise<Approval | undefined> {
  await tx.rows(sql`select from runs where id = (select run_id from approvals where id = ${decision.id} and ${isOfRunFor(audience)}) for update`)
  const [row] = await tx.rows<ApprovalRow>(sql`
    update approvals set state = ${decision.approved ? 'approved' : 'denied'}, decided_by = ${decision.by}, comment = ${decision.comment ?? null}, decided_at = clock_timestamp()
    where id = ${decision.id} and ${isOfRunFor(audience)} and state = 'pending' and (expires_at is null or expires_at > clock_timestamp())
    returning ${approvalColumns}`)
  return row && toApproval(row)
}
