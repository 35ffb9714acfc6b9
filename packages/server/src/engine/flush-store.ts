/** The statement that everything durable about owned runs goes through, and the question whether it did. */
import { type Connection, type Db, sql } from '../db/index.ts'

/** Rows of a flush as JSON text, each array built by the journal. */
export type Flush = {
  number: number
  fence: number
  starts: string
  changes: string
  events: string
  approvals: string
  taken: string[]
  booked: string | undefined
}

/**
 * What else is written in the flush's transaction: the tail of its `with`, given the placeholder of a JSON array of rows. It takes part only if it reads from `fence`. The engine does not
 * know what it is; whoever owns the tables wrote it.
 */
export type Booking = (placeholder: string) => string

/**
 * One transaction in one round trip. `fence` is first: without the node's row as the node knows it nothing else happens, and
 * holding its lock keeps takeovers and cancellations out until the commit. `flush` counts, so that after a lost connection
 * the row itself tells whether the commit took place. An input that is null comes out of the record set as no value at all. A start whose idempotency key is taken inserts nothing, its events included.
 */
const parts = `
with fence as (
  update nodes set flush = $2 where id = $1 and fence = $3 and flush = $2 - 1 and not is_dead returning id
), started as (
  insert into runs (id, tenant_id, namespace, agent, lane_key, rank, version, session_id, state, wait, input, asker, idempotency_key, request_hash, node_id, epoch, due_at,
    event_count, started_at, parent_id, parent_op, is_detached, depth, lineage_id, destinations, part, cost_usd_max, labels, withholds_writes)
  select s.id, s.tenant, s.namespace, s.agent, coalesce(s.lane, ''), case when s.state = 'running' then 3 else coalesce(s.rank, 1) end, s.version, s.session, s.state, s.wait,
    coalesce(s.input, 'null'), s.asker, s.key, s.hash,
    case when s.state = 'running' then fence.id end, case when s.state = 'running' then 1 else 0 end,
    case when s.state = 'pending' and s.queued is null then greatest(clock_timestamp(), to_timestamp(s.due / 1000.0)) end, 1, case when s.state = 'running' then clock_timestamp() end,
    s.parent, s.parent_op, coalesce(s.detached, false), coalesce(s.depth, 0), s.lineage, s.destinations, s.part, s.cost, s.labels, coalesce(s.withholds, false)
  from fence, json_to_recordset($4::json) as s(id uuid, tenant text, namespace text, agent text, lane text, rank smallint, version text, session text, state text, wait json,
    input json, asker json, key text, hash text, due double precision, queued boolean, parent uuid, parent_op text, detached boolean, depth int, lineage uuid, destinations json, part text, cost double precision, labels json, withholds boolean)
  on conflict do nothing
  returning id, tenant_id, namespace, agent, asker
), noted as (
  insert into audit_notes (id, tenant_id, who_id, who_name, action, target, outcome, detail)
  select gen_random_uuid(), tenant_id, asker ->> 'id', asker ->> 'name', 'runs.start', id::text, 'done', json_build_object('agent', agent, 'namespace', namespace)
  from started
), changed as (
  update runs set
    state = c.state, output = c.output, failure = c.failure, wait = c.wait, usage = coalesce(c.usage, runs.usage), event_count = c.count, continued_as = c.continued, labels = coalesce(c.labels, runs.labels),
    cpu_ms = cpu_ms + coalesce(c.cpu, 0), memory_mb_s = memory_mb_s + coalesce(c.memory, 0),
    node_id = null,
    due_at = case
      when c.state in ('completed', 'failed', 'cancelled') then null
      when c.state = 'running' or runs.inbox_count > c.seen then clock_timestamp()
      else to_timestamp(c.due / 1000.0) end,
    ended_at = case when c.state in ('completed', 'failed', 'cancelled') then clock_timestamp() end
  from fence, json_to_recordset($5::json) as c(id uuid, epoch int, state text, output json, failure json, wait json, usage json, count int, seen int, due double precision, continued uuid, owes boolean, labels json, cpu double precision, memory double precision)
  where runs.id = c.id and runs.epoch = c.epoch and runs.node_id = fence.id
  returning runs.id, runs.state, runs.tenant_id, c.owes
), owed as (
  insert into endings (tenant_id, run_id) select tenant_id, id from changed where owes
), appended as (
  insert into events (run_id, seq, tenant_id, epoch, at, type, op, data, hash)
  select e.r, e.s, e.n, e.e, clock_timestamp(), e.t, e.o, e.d, e.h
  from fence, json_to_recordset($6::json) as e(r uuid, s int, n text, e int, t text, o text, d json, h bytea, new boolean)
  where e.new is null or e.r in (select id from started)
), asked as (
  insert into approvals (id, tenant_id, run_id, agent, op, title, detail, expires_at, rule, rule_from, escalates_at)
  select a.id, a.tenant, a.run, a.agent, a.op, a.title, a.detail, to_timestamp(a.expires / 1000.0), a.rule, a."ruleFrom", to_timestamp(a.escalates / 1000.0)
  from fence, json_to_recordset($7::json) as a(id uuid, tenant text, run uuid, agent text, op text, title text, detail json, expires double precision, rule json, "ruleFrom" json, escalates double precision)
), withdrawn as (
  update approvals set state = 'withdrawn' from changed
  where approvals.run_id = changed.id and approvals.state = 'pending' and (expires_at is null or expires_at > clock_timestamp()) and changed.state in ('completed', 'failed', 'cancelled')
), taken as (
  -- What a child came to is in its own row and in this run's journal now.
  update inbox set is_taken = true, payload = case when kind = 'child' then 'null' else payload end from fence where inbox.id = any($8::uuid[])
)`

const result = `
select (select count(*)::int from fence) as "isFenceHeld",
  coalesce((select json_agg(id) from started), '[]') as started,
  extract(epoch from clock_timestamp())::double precision * 1000 as "nowMs"`

export type FlushResult = { isFenceHeld: boolean; started: string[]; nowMs: number }

/** Two prepared statements, so that a flush with nothing to book costs what it costs without any booking. */
export function makeFlush(booking: Booking | undefined) {
  const plain = parts + result
  const withBooking = booking && `${parts}, ${booking('$9')}${result}`
  return async (connection: Connection, nodeId: string, { number, fence, starts, changes, events, approvals, taken, booked }: Flush): Promise<FlushResult> => {
    const values = [nodeId, number, fence, starts, changes, events, approvals, taken]
    const [row] = await connection.query<{ isFenceHeld: number; started: string[]; nowMs: number }>(
      withBooking && booked !== undefined
        ? { name: 'flush with booking', text: withBooking, values: [...values, booked] }
        : { name: 'flush', text: plain, values },
    )
    return { isFenceHeld: row?.isFenceHeld === 1, started: row?.started ?? [], nowMs: Number(row?.nowMs) }
  }
}

/** What the database knows of this node: after a lost connection `flush` tells whether the last one was committed. */
export async function readNode(db: Db | Connection, nodeId: string): Promise<{ flush: number; fence: number; isDead: boolean } | undefined> {
  const query = sql`select flush::int, fence::int, is_dead as "isDead" from nodes where id = ${nodeId}`
  const [row] = await ('rows' in db
    ? db.rows<{ flush: number; fence: number; isDead: boolean }>(query)
    : db.query<{ flush: number; fence: number; isDead: boolean }>(query))
  return row
}

/** Which of these runs exist, for starts whose answer was lost. */
export async function existingRuns(connection: Connection, ids: string[]): Promise<string[]> {
  return (await connection.query<{ id: string }>(sql`select id from runs where id = any(${ids})`)).map(({ id }) => id)
}

/** The runs that the database says are this node's, with their epochs. */
export async function ownedRuns(db: Db | Connection, nodeId: string): Promise<Map<string, number>> {
  const query = sql`select id, epoch from runs where node_id = ${nodeId}`
  const rows = await ('rows' in db ? db.rows<{ id: string; epoch: number }>(query) : db.query<{ id: string; epoch: number }>(query))
  return new Map(rows.map(({ id, epoch }) => [id, epoch]))
}
