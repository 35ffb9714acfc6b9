/** The runs table and the journal as read; the writing of owned runs is in `flush-store.ts`. */
import type {
  Asker,
  ChannelReply,
  Destination,
  EventType,
  Failure,
  Fork,
  Imported,
  JournalEntry,
  Json,
  Run,
  RunEvent,
  RunState,
  Usage,
  Wait,
} from '@longhaul/protocol'
import { type Audience, type Db, type Sql, type AuditNote, type TenantTx, type Tx, auditNote, isRunFor, sql } from '../db/index.ts'
import { AppError } from '../kernel/index.ts'

export type ClaimedRun = {
  id: string
  epoch: number
  tenantId: string
  namespace: string
  agent: string
  version: string
  laneKey: string
  sessionId: string | null
  input: Json
  asker: Asker
  inboxCount: number
  createdAt: Date
  parentId: string | null
  parentOp: string | null
  depth: number
  lineageId: string | null
  isDetached: boolean
  destinations: (Destination | ChannelReply)[] | null
  /** The subagent of its version that it executes. */
  part: string | null
  costUsdMax: number | null
  /** Whose words it has read, or was given. */
  labels: string[] | null
  fork: Fork | null
  withholdsWrites: boolean
}

/** Milliseconds until the next run is due; null when none will be by itself. */
export async function nextDueMs(db: Tx): Promise<number | null> {
  const [row] = await db.rows<{ ms: number | null }>(sql`
    select (extract(epoch from min(due_at) - clock_timestamp()) * 1000)::double precision as ms from runs where due_at is not null`)
  return row?.ms ?? null
}

export type JournalRow = { runId: string; seq: number; epoch: number; type: EventType; op: string | null; data: Json; hash: Buffer; bytes: number }

/** The whole history of each of these runs, oldest event first. */
export async function loadJournals(db: Tx, runIds: string[]): Promise<Map<string, JournalRow[]>> {
  const rows = await db.rows<JournalRow>(
    sql`select run_id as "runId", seq, epoch, type, op, data, hash, octet_length(data::text) as bytes from events where run_id = any(${runIds}) order by run_id, seq`,
  )
  return Map.groupBy(rows, (row) => row.runId)
}

export type InboxRow = {
  id: string
  runId: string
  kind: 'signal' | 'approval' | 'cancel' | 'retry' | 'decision' | 'child' | 'steer'
  name: string
  payload: Json
  sentBy: string
  /** Whose words it holds. */
  labels: string[]
}

const inboxRowsMax = 10_000

/** Messages that the given runs have not taken yet, in the order of their making. */
export async function loadInbox(db: Tx, runIds: string[]): Promise<{ messages: Map<string, InboxRow[]>; isComplete: boolean }> {
  const rows = await db.rows<InboxRow>(sql`
    select id, run_id as "runId", kind, name, payload, sent_by as "sentBy", labels from inbox
    where run_id = any(${runIds}) and not is_taken order by run_id, id limit ${inboxRowsMax}`)
  return { messages: Map.groupBy(rows, ({ runId }) => runId), isComplete: rows.length < inboxRowsMax }
}

/** Runs of this node that have messages. The backstop for messages whose news did not get through. */
export async function ownedWithInbox(db: Tx, nodeId: string): Promise<string[]> {
  const rows = await db.rows<{ id: string }>(sql`
    select distinct inbox.run_id as id from inbox join runs on runs.id = inbox.run_id
    where not inbox.is_taken and runs.node_id = ${nodeId} limit 1000`)
  return rows.map(({ id }) => id)
}

export type Message = {
  id: string
  tenantId: string
  runId: string
  kind: InboxRow['kind']
  name: string
  payload: Json
  sentBy: string
  /** Whose words it holds, where those are not the sender's. */
  labels?: readonly string[] | undefined
  idempotencyKey?: string | undefined
}

/**
 * Puts a message into a run's inbox, and the run up for claiming when it sleeps. Counting up in the run's row is what makes this
 * safe against the run falling asleep at the same moment: whichever of the two comes second sees the other.
 * A run that waits for its turn in a session is put up for nothing but its cancellation, and a delayed start is not brought forward.
 * A cancellation needs no slot and is held by no stop: it gets the rank that says so.
 * `audience`: of whoever sends it. `note`: for the audit log, when it was sent. In one statement, since a run may be waiting for nothing but this.
 * Undefined when there is no such run that has not ended. `isNew` is false when a message with its idempotency key was there before.
 */
export async function sendMessage(
  tx: Tx,
  message: Message,
  { audience, note }: { audience?: Audience; note?: AuditNote } = {},
): Promise<{ nodeId: string | null; isNew: boolean } | undefined> {
  const [run] = await tx.rows<{ nodeId: string | null; isNew: boolean }>(sql`
    with run as (
      update runs set inbox_count = inbox_count + 1, rank = case when ${message.kind} = 'cancel' then 4 else rank end,
        due_at = case when node_id is null and (state <> 'pending' or ${message.kind} = 'cancel') then clock_timestamp() else due_at end
      where id = ${message.runId} and ${audience ? isRunFor(audience) : sql`tenant_id = ${message.tenantId}`} and state in ('pending', 'running', 'waiting')
      returning id, node_id
    ), sent as (
      insert into inbox (id, tenant_id, run_id, kind, name, payload, sent_by, labels, idempotency_key)
      select ${message.id}::uuid, ${message.tenantId}, id, ${message.kind}, ${message.name}, ${JSON.stringify(message.payload)}::json, ${message.sentBy}, ${message.labels ?? []}::text[], ${message.idempotencyKey ?? null} from run
      on conflict (run_id, idempotency_key) where idempotency_key is not null do nothing
      returning id
    )${note ? sql`, noted as (${auditNote(message.tenantId, note, sql`from run`)})` : sql``}
    select node_id as "nodeId", exists (select from sent) as "isNew" from run`)
  return run
}

export type NewRun = {
  id: string
  tenantId: string
  namespace: string
  agent: string
  laneKey: string
  rank: number
  version: string
  sessionId: string | null
  input: Json
  asker: Asker
  idempotencyKey: string | null
  requestHash: string
  destinations: (Destination | ChannelReply)[] | null
  /** Whose words its input holds. */
  labels?: string[]
}

/** Puts up a run that becomes due at an instant of the database's clock. False when the idempotency key is taken. */
export async function insertDueRun(tx: Tx, run: NewRun, startedEvent: { data: string; hash: string }, dueMs: number): Promise<boolean> {
  const inserted = await tx.rows(sql`
    insert into runs (id, tenant_id, namespace, agent, lane_key, rank, version, state, input, asker, idempotency_key, request_hash, due_at, event_count)
    values (${run.id}, ${run.tenantId}, ${run.namespace}, ${run.agent}, ${run.laneKey}, ${run.rank}, ${run.version}, 'pending', ${JSON.stringify(run.input)}, ${JSON.stringify(run.asker)},
      ${run.idempotencyKey}, ${run.requestHash}, to_timestamp(${dueMs}::double precision / 1000.0), 1)
    on conflict (tenant_id, agent, idempotency_key) where idempotency_key is not null do nothing
    returning id`)
  if (inserted.length === 0) return false
  await tx.rows(sql`
    insert into events (run_id, seq, tenant_id, epoch, at, type, data, hash)
    values (${run.id}, 0, ${run.tenantId}, 0, clock_timestamp(), 'run.started', ${startedEvent.data}, ${startedEvent.hash})`)
  return true
}

const noUsage: Usage = { input: 0, cachedInput: 0, output: 0, costUsd: 0 }

export type RunRow = {
  id: string
  namespace: string
  agent: string
  version: string
  state: RunState
  input: Json
  output: Json
  failure: Failure | null
  wait: Wait | null
  session: string | null
  parentId: string | null
  parentOp: string | null
  continuedAs: string | null
  asker: Asker
  usage: Usage | null
  cpuMs: number
  memoryMbS: number
  fork: Fork | null
  imported: Imported | null
  withholdsWrites: boolean
  labels: string[] | null
  eventCount: number
  createdAt: Date
  startedAt: Date | null
  endedAt: Date | null
}

export const toRun = ({ parentId, parentOp, fork, imported, withholdsWrites, labels, cpuMs, memoryMbS, ...row }: RunRow): Run => ({
  ...row,
  ...(fork && { fork }),
  ...(imported && { imported }),
  ...(withholdsWrites && { withholdsWrites }),
  ...(labels && labels.length > 0 && { labels }),
  parent: parentId === null || parentOp === null ? null : { runId: parentId, op: parentOp },
  usage: row.usage ?? noUsage,
  compute: { cpuMs, memoryMbS },
  createdAt: row.createdAt.toISOString(),
  startedAt: row.startedAt?.toISOString() ?? null,
  endedAt: row.endedAt?.toISOString() ?? null,
})

export const runColumns = sql`id, namespace, agent, version, state, input, output, failure, wait, session_id as session, parent_id as "parentId", parent_op as "parentOp", continued_as as "continuedAs", asker, usage, cpu_ms as "cpuMs", memory_mb_s as "memoryMbS", fork, imported, withholds_writes as "withholdsWrites", labels,
  case when ended_at is null then greatest(event_count, coalesce((select max(seq) + 1 from events where run_id = runs.id), 0)) else event_count end as "eventCount",
  created_at as "createdAt", started_at as "startedAt", ended_at as "endedAt"`

export async function findRun(db: TenantTx, audience: Audience, runId: string): Promise<Run | undefined> {
  const [row] = await db.rows<RunRow>(sql`select ${runColumns} from runs where id = ${runId} and ${isRunFor(audience)}`)
  return row && toRun(row)
}

/** Throws when there is none that this audience may see. */
export async function loadRun(db: Db, audience: Audience, runId: string): Promise<Run> {
  const run = await findRun(db.forTenant(audience.tenantId), audience, runId)
  if (!run) throw new AppError('not_found', `No run ${runId}.`)
  return run
}

/** Whoever asked: whether its request was the same is for the hash to say. */
export async function findByIdempotencyKey(db: TenantTx, tenantId: string, agent: string, key: string): Promise<{ run: Run; requestHash: string } | undefined> {
  const [row] = await db.rows<RunRow & { requestHash: string }>(sql`
    select ${runColumns}, request_hash as "requestHash" from runs where tenant_id = ${tenantId} and agent = ${agent} and idempotency_key = ${key}`)
  if (!row) return undefined
  const { requestHash, ...run } = row
  return { run: toRun(run), requestHash }
}

export type RunFilter = {
  limit: number
  before?: string | undefined
  namespace?: string | undefined
  agent?: string | undefined
  state?: RunState | undefined
  session?: string | undefined
  parent?: string | undefined
}

export const isPicked = (audience: Audience, { before, namespace, agent, state, session, parent }: Omit<RunFilter, 'limit'>): Sql => sql`
    ${isRunFor(audience)}
      and (${before ?? null}::uuid is null or id < ${before ?? null}::uuid)
      and (${namespace ?? null}::text is null or namespace = ${namespace ?? null})
      and (${agent ?? null}::text is null or agent = ${agent ?? null})
      and (${session ?? null}::text is null or session_id = ${session ?? null})
      ${state === undefined ? sql`` : sql`and state = ${state}`}
      ${parent === undefined ? sql`` : sql`and parent_id = ${parent}`}`

/** Newest first. `before` is the id of the last run of the page before. */
export async function listRuns(db: TenantTx, audience: Audience, { limit, ...filter }: RunFilter): Promise<Run[]> {
  const rows = await db.rows<RunRow>(sql`select ${runColumns} from runs where ${isPicked(audience, filter)} order by id desc limit ${limit}`)
  return rows.map(toRun)
}

/** The run that one which has continued is now: the last of its lineage. */
export async function findContinuation(db: Tx, audience: Audience, runId: string): Promise<Run | undefined> {
  const [row] = await db.rows<RunRow>(sql`
    select ${runColumns} from runs
    where ${isRunFor(audience)} and lineage_id = (select coalesce(lineage_id, id) from runs where id = ${runId} and ${isRunFor(audience)})
    order by id desc limit 1`)
  return row && toRun(row)
}

type EventRow = { seq: number; type: EventType; op: string | null; at: Date; data: Json }

/** Events of a run after a number, oldest first. They are read by number under the one writer's order, so none can appear behind. */
export async function listEvents(db: TenantTx, tenantId: string, runId: string, after: number, limit: number): Promise<RunEvent[]> {
  const rows = await db.rows<EventRow>(sql`
    select seq, type, op, at, data from events where run_id = ${runId} and seq > ${after} and tenant_id = ${tenantId} order by seq limit ${limit}`)
  // Events were written by this engine, in the shape that the protocol gives their type.
  return rows.map(({ op, at, ...row }) => ({ ...row, ...(op !== null && { op }), at: at.toISOString() }) as RunEvent)
}

/** The journal as it was written: the text of each event, and its hash. */
export async function listJournal(db: TenantTx, tenantId: string, runId: string, after: number, limit: number): Promise<JournalEntry[]> {
  const rows = await db.rows<Omit<JournalEntry, 'at'> & { at: Date }>(sql`
    select seq, epoch, at, type, op, data::text as data, encode(hash, 'hex') as hash
    from events where run_id = ${runId} and seq > ${after} and tenant_id = ${tenantId} order by seq limit ${limit}`)
  return rows.map(({ at, ...row }) => ({ ...row, at: at.toISOString() }))
}

export async function listStepEvents(db: TenantTx, tenantId: string, runId: string, op: string): Promise<RunEvent[]> {
  const rows = await db.rows<EventRow>(sql`
    select seq, type, op, at, data from events where run_id = ${runId} and tenant_id = ${tenantId} and op = ${op} order by seq limit 2100`)
  return rows.map(({ op: path, at, ...row }) => ({ ...row, ...(path !== null && { op: path }), at: at.toISOString() }) as RunEvent)
}

/** What a fork has of its original beside what everybody is shown. */
export async function findForkable(db: TenantTx, runId: string): Promise<Pick<ClaimedRun, 'part' | 'costUsdMax' | 'labels' | 'destinations'>> {
  const [row] = await db.rows<Pick<ClaimedRun, 'part' | 'costUsdMax' | 'labels' | 'destinations'>>(
    sql`select part, cost_usd_max as "costUsdMax", labels, destinations from runs where id = ${runId}`,
  )
  if (!row) throw new AppError('not_found', `No run ${runId}.`)
  return row
}

export type ChildEndRow = { runId: string; end: Json }

/** How children ended, under the ids that they were started with, whatever they continued as since. Those that have not are left out. */
export async function findChildEnds(db: TenantTx, audience: Audience, children: string[]): Promise<ChildEndRow[]> {
  return db.rows<ChildEndRow>(sql`
    select coalesce(lineage_id, id) as "runId", ${childEnd} as end from runs
    where ${isRunFor(audience)} and coalesce(lineage_id, id) = any(${children}::uuid[]) and continued_as is null and ended_at is not null`)
}

/** A child's end as its parent is told it. */
export const childEnd = sql`case state
  when 'completed' then json_build_object('runId', coalesce(lineage_id, id), 'state', 'completed', 'output', coalesce(output, 'null'), 'labels', coalesce(labels, '[]'))
  when 'failed' then json_build_object('runId', coalesce(lineage_id, id), 'state', 'failed', 'failure', failure, 'labels', coalesce(labels, '[]'))
  else json_build_object('runId', coalesce(lineage_id, id), 'state', 'cancelled') end`
