/** What was used, call by call and by the hour. */
import type { Budget, Tokens, UsageCall, UsageDimension, UsageFilters, usageGrains } from '@longhaul/protocol'
import { type Sql, type TenantTx, type Tx, identifier, join, sql } from '../../db/index.ts'

/** Counts fresh rows of usage into their hours. Deleting their marks in the same transaction counts each once. In one order at every node. */
export async function rollUpUsage(db: Tx, limit: number): Promise<number> {
  const [row] = await db.rows<{ count: number }>(sql`
    with fresh as materialized (
      select id from usage_fresh order by id limit ${limit} for update skip locked
    ), marks as (
      delete from usage_fresh using fresh where usage_fresh.id = fresh.id returning usage_fresh.id
    ), counted as (
      insert into usage_hours (tenant_id, hour, namespace, agent, version, user_id, key_id, provider, model, calls, failed_calls, estimated_calls, unpriced_calls,
        input, cache_read, cache_write, cache_write_long, input_audio, input_image, output, reasoning, output_audio, output_image, cost)
      select tenant_id, date_trunc('hour', at, 'UTC'), namespace, coalesce(agent, ''), coalesce(version, ''), coalesce(user_id, ''), coalesce(key_id, ''), provider, model,
        count(*), count(*) filter (where is_failed), count(*) filter (where is_estimated), count(*) filter (where cost is null),
        sum(input), sum(cache_read), sum(cache_write), sum(cache_write_long), sum(input_audio), sum(input_image),
        sum(output), sum(reasoning), sum(output_audio), sum(output_image), coalesce(sum(cost), 0)
      from usage where id in (select id from marks)
      group by 1, 2, 3, 4, 5, 6, 7, 8, 9
      order by 1, 2, 3, 4, 5, 6, 7, 8, 9
      on conflict (tenant_id, hour, namespace, agent, version, user_id, key_id, provider, model) do update set
        calls = usage_hours.calls + excluded.calls,
        failed_calls = usage_hours.failed_calls + excluded.failed_calls,
        estimated_calls = usage_hours.estimated_calls + excluded.estimated_calls,
        unpriced_calls = usage_hours.unpriced_calls + excluded.unpriced_calls,
        input = usage_hours.input + excluded.input,
        cache_read = usage_hours.cache_read + excluded.cache_read,
        cache_write = usage_hours.cache_write + excluded.cache_write,
        cache_write_long = usage_hours.cache_write_long + excluded.cache_write_long,
        input_audio = usage_hours.input_audio + excluded.input_audio,
        input_image = usage_hours.input_image + excluded.input_image,
        output = usage_hours.output + excluded.output,
        reasoning = usage_hours.reasoning + excluded.reasoning,
        output_audio = usage_hours.output_audio + excluded.output_audio,
        output_image = usage_hours.output_image + excluded.output_image,
        cost = usage_hours.cost + excluded.cost
    )
    select count(*)::int as count from marks`)
  return row?.count ?? 0
}

/** How a dimension reads in the rows of single calls, and in the hours where it is there. */
const columns: Record<Exclude<UsageDimension, 'tag'>, { calls: Sql; hours?: Sql }> = {
  namespace: { calls: sql`namespace`, hours: sql`namespace` },
  agent: { calls: sql`agent`, hours: sql`nullif(agent, '')` },
  version: { calls: sql`version`, hours: sql`nullif(version, '')` },
  user: { calls: sql`user_id`, hours: sql`nullif(user_id, '')` },
  key: { calls: sql`key_id`, hours: sql`nullif(key_id, '')` },
  provider: { calls: sql`provider`, hours: sql`provider` },
  model: { calls: sql`model`, hours: sql`model` },
  run: { calls: sql`run_id::text` },
  step: { calls: sql`op` },
  session: { calls: sql`session_id` },
}

export type Grouping = { dimension: UsageDimension; /** Of a tag. */ name?: string | undefined }
export type Summary = {
  of: UsageReach
  from: Date
  to: Date
  groupings: readonly Grouping[]
  filters: UsageFilters
  grain: (typeof usageGrains)[number]
  timeZone: string
  limit: number
  /** Only calls with more input tokens than this, or only the others. The hours do not know. */
  inputLength?: { above: number } | { atMost: number } | undefined
}

/** Whether whole hours say enough: no dimension or filter is missing from them. */
export function isInHours({ groupings, filters, inputLength }: Pick<Summary, 'groupings' | 'filters' | 'inputLength'>): boolean {
  const isThere = (dimension: UsageDimension) => dimension !== 'tag' && columns[dimension].hours !== undefined
  return (
    groupings.every(({ dimension }) => isThere(dimension)) &&
    filters.run === undefined &&
    filters.session === undefined &&
    filters.tag === undefined &&
    !inputLength
  )
}

type GroupRow = { at: Date | null; by: (string | null)[]; cost: number | string } & Counts & Record<TokenColumn, number>
type Counts = { calls: number; failedCalls: number; estimatedCalls: number; unpricedCalls: number }
type TokenColumn = keyof Tokens

const tokenSums = sql`sum(input)::bigint as "input", sum(cache_read)::bigint as "cacheRead", sum(cache_write)::bigint as "cacheWrite", sum(cache_write_long)::bigint as "cacheWriteLong",
  sum(input_audio)::bigint as "inputAudio", sum(input_image)::bigint as "inputImage", sum(output)::bigint as "output", sum(reasoning)::bigint as "reasoning",
  sum(output_audio)::bigint as "outputAudio", sum(output_image)::bigint as "outputImage"`
const tokenColumns = sql`input, cache_read, cache_write, cache_write_long, input_audio, input_image, output, reasoning, output_audio, output_image`

/** From the hours, and from the calls that they do not count yet: one statement sees each call once. */
export async function summarizeHours(db: Tx, summary: Summary): Promise<GroupRow[]> {
  const { of, from, to } = summary
  const source = sql`
    select hour as at, namespace, nullif(agent, '') as agent, nullif(version, '') as version, nullif(user_id, '') as user_id, nullif(key_id, '') as key_id, provider, model,
      calls, failed_calls, estimated_calls, unpriced_calls, ${tokenColumns}, cost
    from usage_hours
    where tenant_id = ${of.tenantId} and hour >= ${from} and hour < ${to} and ${conditions(summary, 'hours')}
    union all
    select at, namespace, agent, version, user_id, key_id, provider, model, 1, is_failed::int, is_estimated::int, (cost is null)::int, ${tokenColumns}, coalesce(cost, 0)
    from usage join usage_fresh using (tenant_id, id)
    where tenant_id = ${of.tenantId} and at >= ${from} and at < ${to} and ${conditions(summary, 'calls')}`
  return db.rows<GroupRow>(grouped(source, summary))
}

/** From the calls themselves, by the index of their instants. */
export async function summarizeCalls(db: Tx, summary: Summary): Promise<GroupRow[]> {
  const { of, from, to } = summary
  const source = sql`
    select *, 1 as calls, is_failed::int as failed_calls, is_estimated::int as estimated_calls, (cost is null)::int as unpriced_calls
    from usage
    where tenant_id = ${of.tenantId} and at >= ${from} and at < ${to} and ${conditions(summary, 'calls')} and ${ofLength(summary.inputLength)}`
  return db.rows<GroupRow>(grouped(source, summary))
}

function ofLength(length: Summary['inputLength']): Sql {
  if (!length) return sql`true`
  const input = sql`input + cache_read + cache_write + cache_write_long + input_audio + input_image`
  return 'above' in length ? sql`${input} > ${length.above}` : sql`${input} <= ${length.atMost}`
}

export type LimitTrial = Pick<Summary, 'of' | 'from' | 'to' | 'filters' | 'timeZone' | 'limit'> & {
  amount: number
  unit: Budget['unit']
  per: Exclude<Budget['per'], 'run' | 'total'>
}
export type LimitWindow = { at: Date; calls: number; unpricedCalls: number; reachedAt: Date | null; refusedCalls: number; spent: number; refused: number }

/** Calls one after the other against a limit, window by window. The window of `from` is looked at from its beginning. What costs nothing always fits. */
export async function tryLimit(db: Tx, { of, from, to, filters, timeZone, limit, amount, unit, per }: LimitTrial): Promise<LimitWindow[]> {
  const tokens = sql`input + cache_read + cache_write + cache_write_long + input_audio + input_image + output + reasoning + output_audio + output_image`
  const used = { usd: sql`coalesce(cost, 0)`, tokens, requests: sql`1::bigint` }[unit]
  return db.rows<LimitWindow>(sql`
    with used as (
      select id, at, date_trunc(${per}, at, ${timeZone}) as starts_at, ${used} as amount, cost is null as is_unpriced
      from usage
      where tenant_id = ${of.tenantId} and at >= date_trunc(${per}, ${from}::timestamptz, ${timeZone}) and at < ${to} and ${conditions({ filters, of }, 'calls')}
    ), sums as (
      select *, sum(amount) over (partition by starts_at order by at, id) > ${amount} and amount > 0 as is_refused from used
    )
    select starts_at as at, count(*)::bigint as calls, count(*) filter (where is_unpriced)::bigint as "unpricedCalls",
      min(at) filter (where is_refused) as "reachedAt", count(*) filter (where is_refused)::bigint as "refusedCalls",
      coalesce(sum(amount) filter (where not is_refused), 0)::bigint as spent, coalesce(sum(amount) filter (where is_refused), 0)::bigint as refused
    from sums
    group by starts_at
    order by starts_at
    limit ${limit}`)
}

/** Each dimension becomes a column of a name of ours, `d0`, `d1`, …; the values stay apart from the statement. */
function grouped(source: Sql, { groupings, grain, timeZone, limit }: Summary): Sql {
  const dimensions = groupings.map(({ dimension, name }, n) => {
    const value = dimension === 'tag' ? sql`tags ->> ${name ?? ''}` : columns[dimension].calls
    return { alias: identifier(`d${n}`), value }
  })
  const at = grain === 'total' ? sql`null::timestamptz` : sql`date_trunc(${grain}, at, ${timeZone})`
  const cut = join([sql`select ${at} as at`, ...dimensions.map(({ alias, value }) => sql`${value} as ${alias}`)])
  const names = join([sql`at`, ...dimensions.map(({ alias }) => alias)])
  return sql`
    with source as (${source}), cut as (
      ${cut}, calls, failed_calls, estimated_calls, unpriced_calls, ${tokenColumns}, cost from source
    )
    select at, array[${join(dimensions.map(({ alias }) => alias))}]::text[] as by, sum(calls)::bigint as calls, sum(failed_calls)::bigint as "failedCalls",
      sum(estimated_calls)::bigint as "estimatedCalls", sum(unpriced_calls)::bigint as "unpricedCalls", ${tokenSums}, coalesce(sum(cost), 0)::bigint as cost
    from cut
    group by ${names}
    having count(*) > 0
    order by at, sum(cost) desc nulls last, sum(calls) desc, ${names}
    limit ${limit}`
}

/** Whose calls: all of the tenant's, or those of the agents and in the namespaces that the caller is limited to. */
export type UsageReach = { tenantId: string; agents?: readonly string[] | undefined; namespaces?: readonly string[] | undefined }

function conditions({ filters, of: { agents, namespaces } }: { filters: UsageFilters; of: UsageReach }, table: 'calls' | 'hours'): Sql {
  const { tag, run, ...plain } = filters
  const wanted = Object.entries(plain).flatMap(([dimension, value]) => {
    const column = columns[dimension as Exclude<UsageDimension, 'tag'>] // Names of filters are names of dimensions.
    return value === undefined ? [] : [sql`${column[table] ?? column.calls} = ${value}`]
  })
  if (agents) wanted.push(sql`agent = any (${agents})`)
  if (namespaces) wanted.push(sql`namespace = any (${namespaces})`)
  if (run !== undefined) wanted.push(sql`run_id = ${run}::uuid`)
  if (tag !== undefined) wanted.push(sql`tags ->> ${tag.slice(0, tag.indexOf('='))} = ${tag.slice(tag.indexOf('=') + 1)}`)
  return wanted.length === 0 ? sql`true` : join(wanted, sql` and `)
}

export type CallRow = Omit<UsageCall, 'at' | 'tokens' | 'costUsd' | 'tags'> & {
  at: Date
  cursorAt: string
  cost: number | null
  tags: Record<string, string> | null
} & Tokens

/** Newest first. `before` is the instant, to the microsecond, and the id of the last one of the page before. */
export async function listCalls(
  db: Tx,
  { of, filters, before, limit }: { of: UsageReach; filters: UsageFilters; before: { at: string; id: string } | undefined; limit: number },
): Promise<CallRow[]> {
  return db.rows<CallRow>(sql`
    select id, at, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "cursorAt", namespace, agent, version, run_id as "runId", op, attempt, session_id as session,
      user_id as user, key_id as "keyId", provider, model, price_id as "priceId", cost, is_estimated as "isEstimated", is_failed as "isFailed", duration_ms as "durationMs", tags, route, score,
      input, cache_read as "cacheRead", cache_write as "cacheWrite", cache_write_long as "cacheWriteLong", input_audio as "inputAudio", input_image as "inputImage",
      output, reasoning, output_audio as "outputAudio", output_image as "outputImage"
    from usage
    where tenant_id = ${of.tenantId} and ${conditions({ filters, of }, 'calls')} and ${before ? sql`(at, id) < (${before.at}::timestamptz, ${before.id}::uuid)` : sql`true`}
    order by at desc, id desc
    limit ${limit}`)
}

export type Scoring = {
  call: string | undefined
  run: string | undefined
  score: number
  /** Whose calls these may be; all when absent. */
  keyIds: readonly string[] | undefined
  agents: readonly string[] | undefined
  namespaces: readonly string[] | undefined
}

/** Marks calls of a run, or one call, with how good their answers were. The newest word counts. */
export async function scoreCalls(tx: TenantTx, { call, run, score, keyIds, agents, namespaces }: Scoring): Promise<number> {
  const rows = await tx.rows(sql`
    update usage set score = ${score}
    where tenant_id = ${tx.tenantId} and ${call === undefined ? sql`run_id = ${run}::uuid` : sql`id = ${call}::uuid`}
      and ${keyIds ? sql`key_id = any(${keyIds})` : sql`true`}
      and ${agents ? sql`agent = any(${agents})` : sql`true`}
      and ${namespaces ? sql`namespace = any(${namespaces})` : sql`true`}
    returning id`)
  return rows.length
}
