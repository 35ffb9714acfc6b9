/** Sessions: runs of one conversation, one after the other, and what is said while one is under way. */
import { type Json, Name, type WhenBusy } from '@longhaul/protocol'
import { type TenantDb, type TenantTx, type Tx, audienceOf, isRunFor, noteAudit, sql } from '../db/index.ts'
import { newId } from '../kernel/index.ts'
import { ranks } from './lanes.ts'
import { type ClaimedRun, type NewRun, sendMessage } from './run-store.ts'

/** What became of a message to a session. `told` are runs that got a message by it, with the nodes that they are at. */
export type Said = { outcome: 'started' | 'known' } | { outcome: 'busy' | 'steered'; runId: string }
export type Told = { runId: string; nodeId: string | null }

/**
 * A message to a session: starts a run, which waits while another one is under way; or does with that one what `whenBusy` says. Only runs of the same
 * asker are steered and interrupted: nobody speaks with another's rights, or stops another's work.
 */
export async function saySomething(db: TenantDb, run: NewRun, startedEvent: StartedEvent, whenBusy: WhenBusy): Promise<{ said: Said; told: Told[] }> {
  return db.transaction(async (tx) => {
    await lockSession(tx, run)
    if (whenBusy === 'queue') return { said: { outcome: (await insertSessionRun(tx, run, startedEvent)) ? 'started' : 'known' }, told: [] }
    const known = await findSaid(tx, run)
    if (known) return { said: known, told: [] }
    const busy = await listBusy(tx, run)
    const [first] = busy
    if (first && whenBusy === 'reject') return { said: { outcome: 'busy', runId: first.id }, told: [] }
    const message = { tenantId: run.tenantId, sentBy: run.asker.name, labels: run.labels }
    if (first && whenBusy === 'steer' && first.askerId === run.asker.id) {
      const sent = await tellRun(tx, run, first.id, { ...message, kind: 'steer', payload: run.input, idempotencyKey: run.idempotencyKey ?? undefined })
      if (sent) return { said: { outcome: 'steered', runId: first.id }, told: [sent] }
    }
    const told: Told[] = []
    for (const { id, askerId } of whenBusy === 'interrupt' ? busy : []) {
      if (askerId !== run.asker.id) continue
      const sent = await tellRun(tx, run, id, { ...message, kind: 'cancel', payload: { reason: 'Interrupted by the next message of its session.' } })
      if (sent) told.push(sent)
    }
    return { said: { outcome: (await insertSessionRun(tx, run, startedEvent)) ? 'started' : 'known' }, told }
  })
}

/** Everything that is decided by whether a run of the session is under way is decided under this lock. */
async function lockSession(tx: TenantTx, { tenantId, agent, sessionId }: SessionOf): Promise<void> {
  await tx.rows(sql`insert into sessions (tenant_id, agent, id) values (${tenantId}, ${agent}, ${sessionId}) on conflict do nothing`)
  await tx.rows(sql`select from sessions where tenant_id = ${tenantId} and agent = ${agent} and id = ${sessionId} for update`)
}

/** What the same request came to before, so that it is not done twice. */
async function findSaid(tx: TenantTx, { tenantId, agent, sessionId, idempotencyKey }: NewRun): Promise<Said | undefined> {
  if (idempotencyKey === null) return undefined
  const [run] = await tx.rows(sql`select from runs where tenant_id = ${tenantId} and agent = ${agent} and idempotency_key = ${idempotencyKey}`)
  if (run) return { outcome: 'known' }
  const [steered] = await tx.rows<{ runId: string }>(sql`
    select inbox.run_id as "runId" from inbox join runs on runs.id = inbox.run_id
    where runs.tenant_id = ${tenantId} and runs.agent = ${agent} and runs.session_id = ${sessionId} and inbox.kind = 'steer' and inbox.idempotency_key = ${idempotencyKey}
    limit 1`)
  return steered && { outcome: 'steered', runId: steered.runId }
}

/** Runs of the session that have not ended, the one under way first. */
async function listBusy(tx: TenantTx, { tenantId, agent, sessionId }: NewRun): Promise<{ id: string; askerId: string }[]> {
  return tx.rows(sql`
    select id, asker ->> 'id' as "askerId" from runs
    where tenant_id = ${tenantId} and agent = ${agent} and session_id = ${sessionId} and state in ('pending', 'running', 'waiting')
    order by created_at, id limit 1000`)
}

async function tellRun(
  tx: TenantTx,
  { asker }: NewRun,
  runId: string,
  message: Omit<Parameters<typeof sendMessage>[1], 'id' | 'runId' | 'name'>,
): Promise<Told | undefined> {
  const { kind } = message
  const sent = await sendMessage(tx, { ...message, id: newId(), runId, name: kind })
  if (!sent) return undefined
  await noteAudit(tx, { who: { id: asker.id, name: asker.name }, action: `runs.${kind}`, target: runId, detail: { name: kind } })
  return { runId, nodeId: sent.nodeId }
}

/**
 * What was said to a run that ended before a model call took it becomes a run of its own, of the same asker: nothing that was said is lost. `versionOf` and
 * `eventOf` are asked for each.
 */
export async function startLeftOver(
  db: TenantDb,
  runId: string,
  version: string,
  eventOf: (runId: string, data: { input: Json; labels: string[] }) => StartedEvent,
): Promise<number> {
  return db.transaction(async (tx) => {
    const left = await tx.rows<{ id: string; payload: Json; labels: string[] }>(sql`
      update inbox set is_taken = true where run_id = ${runId} and kind = 'steer' and not is_taken returning id, payload, labels`)
    const [ended] =
      left.length === 0
        ? []
        : await tx.rows<Omit<NewRun, 'id' | 'version' | 'input'>>(sql`
      select tenant_id as "tenantId", namespace, agent, lane_key as "laneKey", ${ranks.normal}::int as rank, session_id as "sessionId", asker from runs where id = ${runId}`)
    if (!ended) return 0
    await lockSession(tx, ended)
    for (const { payload: input, labels } of left.toSorted((one, other) => (one.id < other.id ? -1 : 1))) {
      const id = newId()
      const run = { ...ended, id, version, input, labels, idempotencyKey: null, requestHash: `left over of ${runId}`, destinations: null }
      await insertSessionRun(tx, run, eventOf(id, { input, labels }))
    }
    return left.length
  })
}

/** Runs that have ended with something said to them that nobody took. */
export async function hasLeftOver(db: Tx, runId: string): Promise<boolean> {
  return (await db.rows(sql`select from inbox where run_id = ${runId} and kind = 'steer' and not is_taken limit 1`)).length > 0
}

type SessionOf = Pick<NewRun, 'tenantId' | 'agent' | 'sessionId'>
type StartedEvent = { epoch: number; data: string; hash: string }

/** The lock is held. While another run of the session is under way the new one waits for it: no `due_at` yet. False when the idempotency key is taken. */
async function insertSessionRun(tx: TenantTx, run: NewRun, startedEvent: StartedEvent): Promise<boolean> {
  const inserted = await tx.rows(sql`
      insert into runs (id, tenant_id, namespace, agent, lane_key, rank, version, session_id, state, input, asker, idempotency_key, request_hash, destinations, labels, due_at, event_count)
      select ${run.id}, ${run.tenantId}, ${run.namespace}, ${run.agent}, ${run.laneKey}, ${run.rank}, ${run.version}, ${run.sessionId}, 'pending', ${JSON.stringify(run.input)}, ${JSON.stringify(run.asker)}, ${run.idempotencyKey}, ${run.requestHash}, ${run.destinations && JSON.stringify(run.destinations)}, ${run.labels && run.labels.length > 0 ? JSON.stringify(run.labels) : null},
        case when exists (
          select from runs where tenant_id = ${run.tenantId} and agent = ${run.agent} and session_id = ${run.sessionId} and state in ('pending', 'running', 'waiting')
        ) then null else clock_timestamp() end, 1
      on conflict (tenant_id, agent, idempotency_key) where idempotency_key is not null do nothing
      returning id`)
  if (inserted.length === 0) return false
  await tx.rows(sql`
      insert into events (run_id, seq, tenant_id, epoch, at, type, data, hash)
      values (${run.id}, 0, ${run.tenantId}, ${startedEvent.epoch}, clock_timestamp(), 'run.started', ${startedEvent.data}, ${startedEvent.hash})`)
  await noteAudit(tx, {
    who: { id: run.asker.id, name: run.asker.name },
    action: 'runs.start',
    target: run.id,
    detail: { agent: run.agent, namespace: run.namespace },
  })
  return true
}

/**
 * Puts up the next run of each session in which none is under way. True when there was one. Each is looked at again once its row is
 * locked: another node may have put it up meanwhile, and claimed it.
 */
export async function releaseSessions(db: Tx): Promise<boolean> {
  const released = await db.rows(sql`
    with next as materialized (
      select id from runs where state = 'pending' and due_at is null and node_id is null and id in (
      select distinct on (tenant_id, agent, session_id) id from runs waiting
      where session_id is not null and state = 'pending' and due_at is null and node_id is null
        and not exists (
          select from runs other where other.tenant_id = waiting.tenant_id and other.agent = waiting.agent and other.session_id = waiting.session_id
            and other.id <> waiting.id and (other.state in ('running', 'waiting') or other.state = 'pending' and (other.due_at is not null or (other.created_at, other.id) < (waiting.created_at, waiting.id)))
        )
      order by tenant_id, agent, session_id, created_at, id
      limit 100
      ) order by id for update skip locked
    )
    update runs set due_at = clock_timestamp() from next where runs.id = next.id returning runs.id`)
  return released.length > 0
}

/** Whose words were read in the session before: they may be in its messages, and in the files of its sandbox. */
export async function sessionLabels(db: TenantTx, { id, tenantId, agent, sessionId }: ClaimedRun): Promise<string[]> {
  const rows = await db.rows<{ label: string }>(sql`
    select distinct label from runs, json_array_elements_text(labels) as label
    where tenant_id = ${tenantId} and agent = ${agent} and session_id = ${sessionId} and id <> ${id} and labels is not null limit 1000`)
  return rows.map(({ label }) => label)
}

/** The agent that a turn's answer says has the conversation now. */
export function handedToOf(output: Json | undefined): string | undefined {
  const to = typeof output === 'object' && output !== null && !Array.isArray(output) ? output['handedTo'] : undefined
  return typeof to === 'string' && Name.safeParse(to).success ? to : undefined
}

export type SessionTurn = { input: Json; output: Json }

/**
 * What was said before in the session, as far as this run's asker may read it: completed runs that came before this one, oldest first, the last `limit`. The order is that of
 * the database's clock under the session's lock. Ids carry the clock of the node that made them, which may be another's past.
 */
export async function sessionTurns(db: TenantTx, run: ClaimedRun, limit: number): Promise<SessionTurn[]> {
  if (run.sessionId === null) return []
  const rows = await db.rows<SessionTurn>(sql`
    select input, output from runs
    where ${isRunFor({ ...audienceOf(run.tenantId, run.asker), namespaces: [run.namespace] })} and agent = ${run.agent} and session_id = ${run.sessionId} and state = 'completed' and continued_as is null
      and (created_at, id) < (select created_at, id from runs where id = ${run.id})
    order by created_at desc, id desc limit ${limit}`)
  return rows.reverse()
}
