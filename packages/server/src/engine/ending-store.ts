/**
 * What a run's end means for others: its parent hears of it, its children are cancelled, and what was on its way to it goes to the run that it
 * continued as. The end's own transaction writes down that this is owed; here it is paid, as often as it takes. Each transaction takes the row
 * of one run: the journal takes rows of many in no order, and two that take two rows in two orders block each other.
 */
import { type Db, type Tx, sql } from '../db/index.ts'
import { childEnd } from './run-store.ts'

export type Ending = {
  runId: string
  tenantId: string
  parentId: string | null
  continuedAs: string | null
  isOfSession: boolean
  /** Children that have to end with it. None can come any more. */
  hasChildren: boolean
}

/** Ends that others have not heard of yet, oldest first. */
export async function listEndings(db: Tx, limit: number): Promise<Ending[]> {
  return db.rows(sql`
    select endings.run_id as "runId", endings.tenant_id as "tenantId", runs.parent_id as "parentId", runs.continued_as as "continuedAs",
      runs.session_id is not null as "isOfSession",
      exists (
        select from runs child
        where child.tenant_id = runs.tenant_id and child.parent_id = runs.id and not child.is_detached and child.state in ('pending', 'running', 'waiting')
      ) as "hasChildren"
    from endings join runs on runs.id = endings.run_id
    order by endings.at limit ${limit}`)
}

export async function deleteEndings(db: Tx, runIds: string[]): Promise<void> {
  await db.rows(sql`delete from endings where run_id = any(${runIds})`)
}

/** A message is on its way to the run. Undefined when it has ended. */
async function countUp(tx: Tx, runId: string): Promise<{ nodeId: string | null } | undefined> {
  const [run] = await tx.rows<{ nodeId: string | null }>(sql`
    update runs set inbox_count = inbox_count + 1, due_at = case when node_id is null and (state <> 'pending' or due_at is not null) then clock_timestamp() else due_at end
    where id = ${runId} and state in ('pending', 'running', 'waiting')
    returning node_id as "nodeId"`)
  return run
}

/** Tells a parent of children that have ended, under the ids that they were started with, whatever they continued as since. */
export async function tellParent(db: Db, parentId: string, ended: string[]): Promise<{ nodeId: string | null } | undefined> {
  return db.transaction(async (tx) => {
    const parent = await countUp(tx, parentId)
    if (!parent) return undefined
    await tx.rows(sql`
      insert into inbox (id, tenant_id, run_id, kind, name, payload, sent_by, idempotency_key)
      select gen_random_uuid(), tenant_id, parent_id, 'child', coalesce(lineage_id, id)::text, ${childEnd},
        'run ' || id, 'ended ' || id
      from runs
      where id = any(${ended}) and parent_id = ${parentId}
      on conflict (run_id, idempotency_key) where idempotency_key is not null do nothing`)
    return parent
  })
}

/** Signals and a cancellation that a run did not live to take go to the run that it continued as. */
export async function passOn(db: Db, runId: string, continuedAs: string): Promise<{ nodeId: string | null } | undefined> {
  return db.transaction(async (tx) => {
    const next = await countUp(tx, continuedAs)
    await tx.rows(sql`update inbox set run_id = ${continuedAs} where run_id = ${runId} and not is_taken and kind in ('signal', 'cancel', 'steer')`)
    return next
  })
}

/** Children that end with their parent and have not been told to. */
export async function listOrphans(db: Tx, { tenantId, runId }: Ending, limit: number): Promise<string[]> {
  const rows = await db.rows<{ id: string }>(sql`
    select id from runs
    where tenant_id = ${tenantId} and parent_id = ${runId} and not is_detached and state in ('pending', 'running', 'waiting')
      and not exists (select from inbox where inbox.run_id = runs.id and inbox.idempotency_key = ${orphanKey(runId)})
    order by id desc limit ${limit}`)
  return rows.map(({ id }) => id)
}

export const orphanKey = (parentId: string): string => `parent ${parentId} ended`
