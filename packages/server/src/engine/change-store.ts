/** Runs and approvals as they change, for whoever follows a list of them. */
import type { Approval, Run } from '@longhaul/protocol'
import { type Audience, type ChangePage, type TenantTx, isChangedAfter, isOfRunFor, newestChange, readChanges, sql } from '../db/index.ts'
import { approvalColumns, toApproval } from './approval-store.ts'
import { type RunFilter, isPicked, runColumns, toRun } from './run-store.ts'

type Page = { cursor: string | undefined; limit: number }

/** Each run that has changed once, as it is now. */
export const changedRuns = (db: TenantTx, audience: Audience, page: Page, filter: Omit<RunFilter, 'limit' | 'before'>): Promise<ChangePage<Run>> =>
  readChanges(
    db,
    page,
    {
      list: (after, limit) => sql`
        select ${runColumns}, changed_in::text as "changedIn" from runs
        where ${isPicked(audience, filter)} and ${isChangedAfter(after)}
        order by changed_in, id limit ${limit}`,
      newest: newestChange('runs', db.tenantId),
    },
    toRun,
  )

/** Each approval that has changed once, as it is now. */
export const changedApprovals = (
  db: TenantTx,
  audience: Audience,
  page: Page,
  { state, runId }: { state?: Approval['state'] | undefined; runId?: string | undefined },
): Promise<ChangePage<Approval>> =>
  readChanges(
    db,
    page,
    {
      list: (after, limit) => sql`
        select * from (
          select ${approvalColumns}, changed_in::text as "changedIn", changed_in from approvals
          where ${isOfRunFor(audience)} and ${isChangedAfter(after)} ${runId === undefined ? sql`` : sql`and run_id = ${runId}`}
        ) as found
        where ${state ?? null}::text is null or state = ${state ?? null}
        order by changed_in, id limit ${limit}`,
      newest: newestChange('approvals', db.tenantId),
    },
    toApproval,
  )
