import { type Tx, sql } from '../db/index.ts'

export type CallRecord = { name: string; count: number; errorCount: number; durationMsP50: number | null; durationMsP95: number | null }

/** How the calls of tools fared in the last 500 runs of a version, from the journal. */
export async function recordCalls(db: Tx, tenantId: string, agent: string, version: string): Promise<CallRecord[]> {
  return db.rows<CallRecord>(sql`
    with recent as materialized (
      select id from runs where tenant_id = ${tenantId} and agent = ${agent} and version = ${version} and imported is null and not withholds_writes order by id desc limit 500
    ), ended as (
      select data ->> 'name' as name, type, (data ->> 'durationMs')::float8 as ms
      from recent join events on events.run_id = recent.id
      where events.type in ('step.completed', 'step.failed') and data ->> 'kind' in ('tool', 'call')
    )
    select name, count(*)::int as count, count(*) filter (where type = 'step.failed')::int as "errorCount",
      percentile_cont(0.5) within group (order by ms) as "durationMsP50", percentile_cont(0.95) within group (order by ms) as "durationMsP95"
    from ended group by name order by name limit 1000`)
}
