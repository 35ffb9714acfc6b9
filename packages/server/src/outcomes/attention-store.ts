/** What somebody must look at: runs that failed or wait for an operator, and deliveries that failed. */
import { type Asker, type AttentionItem, type Destination, type Json, storableText } from '@longhaul/protocol'
import { type Audience, type Tx, isOfRunFor, isRunFor, sql } from '../db/index.ts'

export type AttentionFilter = {
  limit: number
  before?: string | undefined
  ids?: string[] | undefined
  agent?: string | undefined
  reason?: AttentionItem['reason'] | undefined
}
type Row = Omit<AttentionItem, 'createdAt'> & { createdAt: Date }

/** Newest first. The conditions on state are those of the indexes `runs_attention` and `deliveries_attention`. */
export async function listAttention(db: Tx, audience: Audience, { limit, before, ids, agent, reason }: AttentionFilter): Promise<AttentionItem[]> {
  const common = sql`
      and (${before ?? null}::uuid is null or id < ${before ?? null}::uuid)
      and (${ids ?? null}::uuid[] is null or id = any(${ids ?? null}::uuid[]))
      and (${agent ?? null}::text is null or agent = ${agent ?? null})`
  const rows = await db.rows<Row>(sql`
    select * from (
      (select id, 'run' as kind, id as "runId", agent, case when state = 'failed' then 'failed' else coalesce(wait ->> 'reason', 'broken') end as reason,
        coalesce(failure ->> 'message', wait -> 'detail' ->> 'message', 'asked for ' || (wait -> 'detail' ->> 'asked') || ' where the history has ' || (wait -> 'detail' ->> 'recorded'),
          'whether ' || (wait ->> 'name') || ' took effect is not known') as message,
        created_at as "createdAt"
      from runs
      where ${isRunFor(audience)}
        and ((state = 'failed' and not is_dismissed and (parent_id is null or is_detached)) or (state = 'waiting' and wait ->> 'kind' = 'operator'))
        ${common}
        and (${reason ?? null}::text is null or case when state = 'failed' then 'failed' else coalesce(wait ->> 'reason', 'broken') end = ${reason ?? null})
      order by id desc limit ${limit})
      union all
      (select id, 'delivery', run_id, agent, 'undelivered', coalesce(failure, ''), created_at
      from deliveries
      where ${isOfRunFor(audience)} and state = 'failed' ${common} and (${reason ?? null}::text is null or ${reason ?? null} = 'undelivered')
      order by id desc limit ${limit})
    ) as found
    order by id desc limit ${limit}`)
  return rows.map(({ createdAt, message, ...row }) => ({ ...row, message: storableText(message ?? '').slice(0, 2_000), createdAt: createdAt.toISOString() }))
}

/** What it takes to start a failed run anew. */
export type FailedRun = { tenantId: string; agent: string; input: Json; asker: Asker; session: string | null; destinations: Destination[] | null }

export async function findFailedRun(db: Tx, audience: Audience, id: string): Promise<FailedRun | undefined> {
  const [row] = await db.rows<FailedRun>(sql`
    select tenant_id as "tenantId", agent, input, asker, session_id as session, destinations from runs where id = ${id} and ${isRunFor(audience)} and state = 'failed' and not withholds_writes`)
  return row
}

/** Where a run stopped: where its code diverged, else the last step without a good result, else its last one. Undefined when it has none. */
export async function findStop(db: Tx, audience: Audience, id: string): Promise<string | undefined> {
  const [row] = await db.rows<{ op: string | null }>(sql`
    select coalesce(
      case when wait ->> 'reason' = 'diverged' then wait -> 'detail' ->> 'op' end,
      (select op from events where run_id = runs.id and op is not null
        group by op order by bool_or(type in ('step.completed', 'wait.completed')), max(seq) desc limit 1)) as op
    from runs where id = ${id} and ${isRunFor(audience)}`)
  return row?.op ?? undefined
}

export async function dismissRun(db: Tx, audience: Audience, id: string): Promise<boolean> {
  return (await db.rows(sql`update runs set is_dismissed = true where id = ${id} and ${isRunFor(audience)} and state = 'failed' returning id`)).length > 0
}
