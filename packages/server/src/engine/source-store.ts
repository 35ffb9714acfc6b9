/** What a run could have learnt before it asked a person, read for `argument-sources.ts`. */
import type { Approval, ApprovalWithSources, Asker } from '@longhaul/protocol'
import { type Audience, type TenantTx, isRunFor, sql } from '../db/index.ts'
import { findApproval } from './approval-store.ts'
import { type JournalBefore, type SourceEvent, findSources } from './argument-sources.ts'

/** Of the run's own journal, and again of all others together: the newest events, up to so many bytes. */
const eventsMax = 5_000
const bytesMax = 1_000_000
const runsMax = 40
const turnsMax = 20
const hopsMax = 20

/** Undefined when there is no such approval that this audience may see. What it may not see of what came before is left out, and said as that. */
export async function findApprovalWithSources(db: TenantTx, audience: Audience, approvalId: string): Promise<ApprovalWithSources | undefined> {
  const approval = await findApproval(db, audience, approvalId)
  if (!approval) return undefined
  const { runs, isCut: isSomeRunMissing } = await listRunsBefore(db, audience, approval.runId)
  let isCut = isSomeRunMissing
  let bytesLeft = bytesMax
  const journals: JournalBefore[] = []
  for (const run of runs) {
    const isOwn = run.id === approval.runId
    const read = await listEventsBefore(db, audience.tenantId, run.id, approval, isOwn ? bytesMax : bytesLeft)
    isCut ||= read.isCut
    if (!isOwn) bytesLeft -= read.bytes
    journals.unshift({ runId: run.id, askerName: run.asker.name, isAsked: run.parentId === null && run.lineageId === null, events: read.events })
  }
  const found = findSources(approval.detail, journals)
  return { ...approval, ...found, isCut: isCut || found.isCut, labels: runs[0]?.labels ?? [] }
}

type RunBefore = { id: string; asker: Asker; parentId: string | null; lineageId: string | null; labels: string[] | null; isTurn: boolean }

/** The run itself, then, newest first, those that it goes on from, that started it, and the turns of its session before it; and so for each of them but the turns. */
async function listRunsBefore(db: TenantTx, audience: Audience, runId: string): Promise<{ runs: RunBefore[]; isCut: boolean }> {
  const columns = sql`runs.id, runs.agent, runs.session_id, runs.parent_id, runs.lineage_id, runs.created_at`
  const found = await db.rows<RunBefore & { hops: number }>(sql`
    with recursive before as (
      select ${columns}, false as is_turn, 0 as hops from runs where id = ${runId} and ${isRunFor(audience)}
      union
      select further.*, before.hops + 1 from before cross join lateral (
        (select ${columns}, false as is_turn from runs where runs.id = before.parent_id and ${isRunFor(audience)})
        union all
        (select ${columns}, false from runs
         where (runs.id = before.lineage_id or runs.lineage_id = before.lineage_id) and runs.id < before.id and ${isRunFor(audience)}
         order by runs.id desc limit 1)
        union all
        (select ${columns}, true from runs
         where runs.agent = before.agent and runs.session_id = before.session_id and runs.created_at < before.created_at and ${isRunFor(audience)}
         order by runs.created_at desc, runs.id desc limit ${turnsMax})
      ) further
      where not before.is_turn and before.hops < ${hopsMax}
    ), each_once as (select id, bool_and(is_turn) as is_turn, min(hops) as hops from before group by id)
    select runs.id, runs.asker, runs.parent_id as "parentId", runs.lineage_id as "lineageId", runs.labels, each_once.is_turn as "isTurn", each_once.hops
    from each_once join runs on runs.id = each_once.id and ${isRunFor(audience)}
    order by runs.id = ${runId} desc, runs.created_at desc, runs.id desc limit ${runsMax + 1}`)
  const runs = found.slice(0, runsMax)
  const ids = new Set(runs.map(({ id }) => id))
  const isCut =
    found.length > runsMax ||
    runs.filter(({ isTurn }) => isTurn).length >= turnsMax ||
    runs.some(({ isTurn, parentId, lineageId }) => !isTurn && [parentId, lineageId].some((id) => id !== null && !ids.has(id)))
  return { runs, isCut }
}

/** Oldest first, with how the run began always among them. `bytes`: as the database has them. */
async function listEventsBefore(
  db: TenantTx,
  tenantId: string,
  runId: string,
  asking: Approval,
  bytesLeft: number,
): Promise<{ events: SourceEvent[]; bytes: number; isCut: boolean }> {
  const isBefore =
    runId === asking.runId
      ? sql`seq < (select min(seq) from events where run_id = ${runId} and type = 'wait.created' and data ->> 'approvalId' = ${asking.id})`
      : sql`at < ${asking.createdAt}`
  const events = await db.rows<SourceEvent & { bytes: number; last: number }>(sql`
    with last as (
      select max(seq) as seq from events where run_id = ${runId} and tenant_id = ${tenantId} and ${isBefore}
    ), newest as (
      select events.seq, type, op, data, octet_length(data::text) as bytes, last.seq as last
      from events join last on events.seq <= last.seq and (events.seq > last.seq - ${eventsMax} or events.seq = 0)
      where run_id = ${runId} and tenant_id = ${tenantId}
    ), summed as (
      select *, sum(bytes) over (order by seq desc) as total from newest
    )
    select seq, type, op, data, bytes, last from summed where total <= ${bytesLeft} or seq = 0 order by seq`)
  return { events, bytes: events.reduce((sum, { bytes }) => sum + bytes, 0), isCut: events.length < (events[0]?.last ?? -1) + 1 }
}
