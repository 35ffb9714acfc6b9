/** What somebody must look at: runs that failed or wait for an operator, and deliveries that failed. */
import { type Asker, type AttentionItem, type Destination, type Json, storableText } from '@longhaul/protocol'
import {
  type Audience,
  type ChangePage,
  type Sql,
  type TenantTx,
  type Tx,
  isChangedAfter,
  isOfRunFor,
  isRunFor,
  newestChange,
  readChanges,
  sql,
} from '../db/index.ts'

export type AttentionFilter = {
  limit: number
  before?: string | undefined
  ids?: string[] | undefined
  agent?: string | undefined
  reason?: AttentionItem['reason'] | undefined
}
type Row = Omit<AttentionItem, 'createdAt'> & { createdAt: Date }

/** Newest first. */
export async function listAttention(db: Tx, audience: Audience, { limit, before, ids, ...filter }: AttentionFilter): Promise<AttentionItem[]> {
  const isPicked = sql`(${before ?? null}::uuid is null or id < ${before ?? null}::uuid) and (${ids ?? null}::uuid[] is null or id = any(${ids ?? null}::uuid[]))`
  return (await db.rows<Row>(attention(audience, filter, isPicked, sql`id desc`, limit))).map(toItem)
}

/** What has come to need somebody, or does so for another reason. */
export const changedAttention = (
  db: TenantTx,
  audience: Audience,
  page: { cursor: string | undefined; limit: number },
  filter: Pick<AttentionFilter, 'agent' | 'reason'>,
): Promise<ChangePage<AttentionItem>> =>
  readChanges(
    db,
    page,
    {
      list: (after, limit) => attention(audience, filter, isChangedAfter(after), sql`changed_in, id`, limit),
      newest: sql`select greatest((${newestChange('runs', db.tenantId)}), (${newestChange('deliveries', db.tenantId)}))`,
    },
    toItem,
  )

/** The conditions on state are those of the indexes `runs_attention` and `deliveries_attention`. */
function attention(audience: Audience, { agent, reason }: Pick<AttentionFilter, 'agent' | 'reason'>, isPicked: Sql, order: Sql, limit: number): Sql {
  const common = sql`and ${isPicked} and (${agent ?? null}::text is null or agent = ${agent ?? null})`
  return sql`
    select *, changed_in::text as "changedIn" from (
      (select id, 'run' as kind, id as "runId", agent, case when state = 'failed' then 'failed' else coalesce(wait ->> 'reason', 'broken') end as reason,
        coalesce(failure ->> 'message', wait -> 'detail' ->> 'message', 'asked for ' || (wait -> 'detail' ->> 'asked') || ' where the history has ' || (wait -> 'detail' ->> 'recorded'),
          'whether ' || (wait ->> 'name') || ' took effect is not known') as message,
        created_at as "createdAt", changed_in
      from runs
      where ${isRunFor(audience)}
        and ((state = 'failed' and not is_dismissed and (parent_id is null or is_detached)) or (state = 'waiting' and wait ->> 'kind' = 'operator'))
        ${common}
        and (${reason ?? null}::text is null or case when state = 'failed' then 'failed' else coalesce(wait ->> 'reason', 'broken') end = ${reason ?? null})
      order by ${order} limit ${limit})
      union all
      (select id, 'delivery', run_id, agent, 'undelivered', coalesce(failure, ''), created_at, changed_in
      from deliveries
      where ${isOfRunFor(audience)} and state = 'failed' ${common} and (${reason ?? null}::text is null or ${reason ?? null} = 'undelivered')
      order by ${order} limit ${limit})
    ) as found
    order by ${order} limit ${limit}`
}

const toItem = ({ id, kind, runId, agent, reason, message, createdAt }: Row): AttentionItem => ({
  ...{ id, kind, runId, agent, reason },
  message: storableText(message ?? '').slice(0, 2_000),
  createdAt: createdAt.toISOString(),
})

/** What it takes to start a failed run anew. */
export type FailedRun = {
  tenantId: string
  agent: string
  input: Json
  asker: Asker
  session: string | null
  destinations: Destination[] | null
  /** Whose words its input holds. */
  labels: string[]
}

export async function findFailedRun(db: Tx, audience: Audience, id: string): Promise<FailedRun | undefined> {
  const [row] = await db.rows<FailedRun>(sql`
    select tenant_id as "tenantId", agent, input, asker, session_id as session, destinations,
      coalesce((select data -> 'labels' from events where run_id = runs.id and seq = 0), '[]') as labels
    from runs where id = ${id} and ${isRunFor(audience)} and state = 'failed' and not withholds_writes`)
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
