/** What became of calls of a route, as far as anybody can tell. It is read from the calls themselves: there is nothing else to keep in step with them. */
import { type Sql, type TenantTx, sql } from '../../db/index.ts'
import type { Lesson } from './learned.ts'

/** Of the newest so many calls, from so long ago. */
const callsMax = 20_000
const keptDays = 30
const lessonsMax = 5_000

/**
 * 1 is a success, 0 a failure, null is not known. A person's word counts most, then what was checked of the answer; then whether its step had to be
 * tried again, and how the run ended. Calls that a provider failed say nothing of how hard they were.
 */
const success: Sql = sql`case
  when call.score is not null then call.score
  when call.route ->> 'verdict' = 'misfits' then 0
  when call.is_failed then null
  when call.run_id is not null and exists (
    select from usage later where later.run_id = call.run_id and later.op = call.op and later.attempt > call.attempt) then 0
  when runs.state = 'completed' then 1
  when runs.state = 'failed' then 0
  when call.run_id is null and call.route ->> 'verdict' = 'fits' then 1
end`

const callsOf = (tenantId: string, route: string, from: Sql): Sql => sql`
  select * from usage
  where tenant_id = ${tenantId} and route is not null and route ->> 'name' = ${route} and route ->> 'task' is not null and at >= ${from}
  order by at desc, id desc
  limit ${callsMax}`

export async function readLessons(tx: TenantTx, route: string): Promise<Lesson[]> {
  return tx.rows<Lesson>(sql`
    with outcomes as (
      select call.model, call.route ->> 'task' as task, call.route ->> 'kind' as kind, least(4, floor((call.route ->> 'difficulty')::double precision * 5)) as band, ${success} as good
      from (${callsOf(tx.tenantId, route, sql`${tx.now} - ${keptDays} * interval '1 day'`)}) as call
      left join runs on runs.id = call.run_id and runs.tenant_id = call.tenant_id
    )
    select model, task, kind, band::int as band, count(*)::int as count, sum(good)::double precision as good
    from outcomes
    where good is not null
    group by model, task, kind, band
    order by count(*) desc
    limit ${lessonsMax}`)
}

/** A call that was the first of its request. `chance`: with which it was drawn, where chance decided. `costUsd` is null without a price. */
export type LoggedCall = { model: string; task: string; kind: string; difficulty: number; chance: number | null; good: number | null; cost: number | null }

/** The oldest first. */
export async function readLoggedCalls(tx: TenantTx, route: string, days: number): Promise<LoggedCall[]> {
  return tx.rows<LoggedCall>(sql`
    select call.model, call.route ->> 'task' as task, call.route ->> 'kind' as kind, (call.route ->> 'difficulty')::double precision as difficulty,
      (call.route ->> 'chance')::double precision as chance, (${success})::double precision as good, call.cost
    from (${callsOf(tx.tenantId, route, sql`${tx.now} - ${days} * interval '1 day'`)}) as call
    left join runs on runs.id = call.run_id and runs.tenant_id = call.tenant_id
    order by call.at, call.id`)
}

/** Which model of this route answered last in a session, or in a run. */
export async function lastModelOf(tx: TenantTx, route: string, { runId, session }: { runId?: string | undefined; session?: string | undefined }) {
  const whose = runId === undefined ? sql`session_id = ${session ?? ''}` : sql`run_id = ${runId}::uuid`
  const [row] = await tx.rows<{ model: string }>(sql`
    select model from usage
    where tenant_id = ${tx.tenantId} and ${whose} and route is not null and route ->> 'name' = ${route} and not is_failed
    order by at desc
    limit 1`)
  return row?.model
}
