/** Runs as a whole: found by what their input says, and counted. */
import type { Run, RunCount } from '@longhaul/protocol'
import { type Audience, type TenantTx, isRunFor, sql } from '../db/index.ts'
import { type RunFilter, type RunRow, isPicked, runColumns, toRun } from './run-store.ts'

/** How many runs a page of a search looks through: what the input says has no index. */
const searchedMax = 2_000
const countedMax = 100_000

/** Newest first. `next` is where to look on, also when nothing was found among those that were looked through. */
export async function searchRuns(
  db: TenantTx,
  audience: Audience,
  { limit, search, ...filter }: RunFilter & { search: string },
): Promise<{ items: Run[]; next: string | null }> {
  const written = JSON.stringify(search.toLowerCase()).slice(1, -1) // As it stands in JSON.
  const [looked] = await db.rows<{ last: string | null; count: number }>(sql`
    select (array_agg(id order by id))[1] as last, count(*)::int as count
    from (select id from runs where ${isPicked(audience, filter)} order by id desc limit ${searchedMax}) as looked`)
  const last = looked?.last
  if (!last) return { items: [], next: null }
  const rows = await db.rows<RunRow>(sql`
    select ${runColumns} from runs
    where ${isPicked(audience, filter)} and id >= ${last} and position(${written} in lower(input::text)) > 0
    order by id desc limit ${limit + 1}`)
  const items = rows.slice(0, limit).map(toRun)
  if (rows.length > limit) return { items, next: items.at(-1)?.id ?? null }
  return { items, next: looked.count === searchedMax ? last : null }
}

/** Those under way, and those begun since an instant: ids sort by their making. */
export async function countRuns(
  db: TenantTx,
  audience: Audience,
  { since, namespace, agent }: { since: Date; namespace?: string | undefined; agent?: string | undefined },
): Promise<{ items: RunCount[]; isCut: boolean }> {
  const hex = Math.max(0, since.getTime()).toString(16).padStart(12, '0')
  const from = `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`
  const picked = sql`
    ${isRunFor(audience)}
      and (${namespace ?? null}::text is null or namespace = ${namespace ?? null})
      and (${agent ?? null}::text is null or agent = ${agent ?? null})`
  const rows = await db.rows<Omit<RunCount, 'sinceCompute'> & RunCount['sinceCompute'] & { total: number }>(sql`
    select agent, state, count(*)::int as count, (count(*) filter (where id >= ${from}))::int as "sinceCount",
      coalesce(sum(cpu_ms) filter (where id >= ${from}), 0) as "cpuMs", coalesce(sum(memory_mb_s) filter (where id >= ${from}), 0) as "memoryMbS",
      (sum(count(*)) over ())::int as total
    from (
      (select id, agent, state, cpu_ms, memory_mb_s from runs where ${picked} and state in ('pending', 'running', 'waiting') and id < ${from} limit ${countedMax})
      union all
      (select id, agent, state, cpu_ms, memory_mb_s from runs where ${picked} and id >= ${from} and imported is null order by id desc limit ${countedMax})
    ) as counted
    group by agent, state order by agent, state`)
  return {
    items: rows.map(({ total: _total, cpuMs, memoryMbS, ...row }) => ({ ...row, sinceCompute: { cpuMs, memoryMbS } })),
    isCut: rows.reduce((sum, { sinceCount }) => sum + sinceCount, 0) === countedMax || (rows[0]?.total ?? 0) >= 2 * countedMax,
  }
}
