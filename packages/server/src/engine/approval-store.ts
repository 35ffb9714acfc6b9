import type { Approval, ApprovalRule, Json } from '@longhaul/protocol'
import { type Audience, type TenantTx, isOfRunFor, sql } from '../db/index.ts'
import { AppError } from '../kernel/index.ts'

type Vote = { id: string; name: string }
export type ApprovalRow = Omit<Approval, 'createdAt' | 'expiresAt' | 'decidedAt' | 'escalatesAt' | 'approvedBy'> & {
  createdAt: Date
  expiresAt: Date | null
  decidedAt: Date | null
  escalatesAt: Date | null
  approvedBy: Vote[]
  detail: Json
}

export const toApproval = (row: ApprovalRow): Approval => ({
  ...row,
  createdAt: row.createdAt.toISOString(),
  expiresAt: row.expiresAt?.toISOString() ?? null,
  decidedAt: row.decidedAt?.toISOString() ?? null,
  escalatesAt: row.escalatesAt?.toISOString() ?? null,
  approvedBy: row.approvedBy.map(({ name }) => name),
})

export const approvalColumns = sql`id, run_id as "runId", agent, title, detail,
  case when state = 'pending' and expires_at <= clock_timestamp() then 'expired' else state end as state,
  decided_by as "decidedBy", comment, created_at as "createdAt", expires_at as "expiresAt", decided_at as "decidedAt",
  rule, rule_from as "ruleFrom", approved_by as "approvedBy", escalates_at as "escalatesAt"`

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

/** Who decides: by their id, so that nobody counts twice. */
export type Approver = Vote & { roles: readonly string[] }

/**
 * The first answer wins: undefined when there has been one, or it is too late for any. A yes of the last who has to approve is the approval; before, it stays
 * pending and counts. Throws `forbidden` for those who may not decide by its rule, `conflict` for a second yes. Takes the run's row first, as the journal does: two that
 * take two rows in two orders block each other.
 */
export async function recordDecision(
  tx: TenantTx,
  audience: Audience,
  { id, approved, by, comment }: { id: string; approved: boolean; by: Approver; comment: string | undefined },
): Promise<Approval | undefined> {
  const [run] = await tx.rows<{ askerId: string | null }>(
    sql`select asker ->> 'id' as "askerId" from runs where id = (select run_id from approvals where id = ${id} and ${isOfRunFor(audience)}) for update`,
  )
  const isOpen = sql`id = ${id} and ${isOfRunFor(audience)} and state = 'pending' and (expires_at is null or expires_at > clock_timestamp())`
  const [open] = await tx.rows<Pick<ApprovalRow, 'rule' | 'approvedBy'> & { isEscalated: boolean }>(
    sql`select rule, approved_by as "approvedBy", coalesce(escalates_at <= clock_timestamp(), false) as "isEscalated" from approvals where ${isOpen} for update`,
  )
  if (!open) return undefined
  const why = whyNotDecide(open, by, run?.askerId)
  if (why !== undefined) throw new AppError('forbidden', why)
  const votes = approved ? [...open.approvedBy, { id: by.id, name: by.name }] : open.approvedBy
  if (approved && open.approvedBy.some((vote) => vote.id === by.id))
    throw new AppError(
      'conflict',
      `You have approved this already. It takes ${(open.rule?.approversMin ?? 1) - open.approvedBy.length} more, each by somebody else.`,
    )
  const state = !approved ? 'denied' : votes.length < (open.rule?.approversMin ?? 1) ? 'pending' : 'approved'
  const isOver = state !== 'pending'
  const decidedBy = approved ? votes.map(({ name }) => name).join(', ') : by.name
  const [row] = await tx.rows<ApprovalRow>(sql`
    update approvals set state = ${state}, approved_by = ${JSON.stringify(votes)}, decided_by = ${isOver ? decidedBy : null}, comment = ${comment ?? null},
      decided_at = case when ${isOver} then clock_timestamp() end
    where ${isOpen}
    returning ${approvalColumns}`)
  return row && toApproval(row)
}

function whyNotDecide(
  { rule, isEscalated }: { rule?: ApprovalRule | null | undefined; isEscalated: boolean },
  by: Approver,
  askerId: string | null | undefined,
) {
  if (rule?.excludesAsker && by.id === askerId) return 'Whoever asked for this run may not decide about it: somebody else has to.'
  if (rule?.roles && !isEscalated && !rule.roles.some((role) => by.roles.includes(role)))
    return `This is for those who have one of these roles: ${rule.roles.join(', ')}.${rule.escalateAfterMs === undefined ? '' : ' If they do not decide in time, it is for everybody who may decide approvals.'}`
  return undefined
}
