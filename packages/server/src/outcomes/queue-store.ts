import type { Json, Queue, QueueMessage } from '@longhaul/protocol'
import { type Audience, type TenantDb, type TenantTx, isOfRunFor, noteAudit, sql } from '../db/index.ts'

export type NewMessage = { tenantId: string; id: string; queue: string; runId: string; agent: string; body: Json }

/** Repeating it changes nothing, as long as nobody has acknowledged the message. */
export async function insertMessage(db: TenantTx, { tenantId, id, queue, runId, agent, body }: NewMessage): Promise<void> {
  await db.rows(sql`
    insert into queue_messages (tenant_id, id, queue, run_id, agent, body) values (${tenantId}, ${id}, ${queue}, ${runId}, ${agent}, ${JSON.stringify(body)})
    on conflict (id) do nothing`)
}

type Row = Omit<QueueMessage, 'sentAt' | 'visibleAt'> & { sentAt: Date; visibleAt: Date }

export type Take = { queue: string; max: number; visibilityMs: number }

/** Gives each message to one caller at a time. What was taken is noted for the audit log with it: its output goes out of the house. */
export async function takeMessages(db: TenantDb, audience: Audience, by: string, { queue, max, visibilityMs }: Take): Promise<QueueMessage[]> {
  return db.transaction(async (tx) => {
    const rows = await tx.rows<Row>(sql`
      with next as materialized (
        select id from queue_messages
        where ${isOfRunFor(audience)} and queue = ${queue} and visible_at <= clock_timestamp()
        order by visible_at, id limit ${max} for update skip locked
      )
      update queue_messages set visible_at = clock_timestamp() + ${visibilityMs} * interval '1 ms', receipt = gen_random_uuid(), receive_count = receive_count + 1
      from next where queue_messages.id = next.id
      returning queue_messages.id, body, run_id as "runId", agent, sent_at as "sentAt", receive_count as "receiveCount", receipt, visible_at as "visibleAt"`)
    if (rows.length === 0) return []
    const ids = rows.map(({ id }) => id).toSorted()
    await noteAudit(tx, { who: { id: audience.keyId ?? null, name: by }, action: 'queues.receive', target: queue, detail: { messages: ids } })
    return rows
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .map(({ sentAt, visibleAt, ...row }) => ({ ...row, sentAt: sentAt.toISOString(), visibleAt: visibleAt.toISOString() }))
  })
}

type Receipts = { queue: string; receipts: string[] }
export type Settled = { id: string; receipt: string }

export async function deleteMessages(db: TenantTx, audience: Audience, { queue, receipts }: Receipts): Promise<Settled[]> {
  return db.rows(
    sql`delete from queue_messages where ${isOfRunFor(audience)} and queue = ${queue} and receipt = any(${receipts}::uuid[]) returning id, receipt`,
  )
}

/** A message that is given back has no receipt any more. */
export async function extendMessages(
  db: TenantTx,
  audience: Audience,
  { queue, receipts, visibilityMs }: Receipts & { visibilityMs: number },
): Promise<Settled[]> {
  return db.rows(sql`
    with mine as materialized (
      select id, receipt from queue_messages where ${isOfRunFor(audience)} and queue = ${queue} and receipt = any(${receipts}::uuid[]) for update
    )
    update queue_messages set visible_at = clock_timestamp() + ${visibilityMs} * interval '1 ms', receipt = case when ${visibilityMs} > 0 then mine.receipt end
    from mine where queue_messages.id = mine.id returning mine.id, mine.receipt`)
}

/** By name, from the one after `after`. */
export async function listQueues(db: TenantTx, audience: Audience, { limit, after }: { limit: number; after?: string | undefined }): Promise<Queue[]> {
  const rows = await db.rows<Omit<Queue, 'oldestAt'> & { oldestAt: Date }>(sql`
    select queue as name, count(*) filter (where visible_at <= clock_timestamp())::int as "readyCount",
      count(*) filter (where visible_at > clock_timestamp())::int as "takenCount", min(sent_at) as "oldestAt"
    from queue_messages where ${isOfRunFor(audience)} and (${after ?? null}::text is null or queue > ${after ?? null})
    group by queue order by queue limit ${limit}`)
  return rows.map(({ oldestAt, ...row }) => ({ ...row, oldestAt: oldestAt.toISOString() }))
}
