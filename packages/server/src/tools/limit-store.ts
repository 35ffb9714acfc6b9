import type { ToolLimits } from '@longhaul/protocol'
import { type Db, type Tx, sql } from '../db/index.ts'

export async function listLimits(db: Tx, tenantId: string, agent: string): Promise<Record<string, ToolLimits>> {
  const rows = await db.rows<{ pattern: string; limits: ToolLimits }>(
    sql`select pattern, limits from tool_limits where tenant_id = ${tenantId} and agent = ${agent} order by pattern limit 1000`,
  )
  return Object.fromEntries(rows.map(({ pattern, limits }) => [pattern, limits]))
}

export async function setLimits(db: Db, tenantId: string, agent: string, pattern: string, limits: ToolLimits, setBy: string): Promise<void> {
  await db.rows(
    Object.keys(limits).length === 0
      ? sql`delete from tool_limits where tenant_id = ${tenantId} and agent = ${agent} and pattern = ${pattern}`
      : sql`
          insert into tool_limits (tenant_id, agent, pattern, limits, set_by) values (${tenantId}, ${agent}, ${pattern}, ${JSON.stringify(limits)}, ${setBy})
          on conflict (tenant_id, agent, pattern) do update set limits = excluded.limits, set_by = excluded.set_by, set_at = ${db.now}`,
  )
}

/**
 * Takes one call out of a bucket of `perMinute` that refills evenly. Undefined when it was there, else the milliseconds until it will be.
 * One statement, so that servers side by side never give out the same call twice.
 */
export async function takeCall(db: Db, tenantId: string, agent: string, tool: string, perMinute: number): Promise<number | undefined> {
  const price = sql`make_interval(secs => ${60 / perMinute}::float8)`
  const taken = await db.rows(sql`
    insert into tool_rates as rate (tenant_id, agent, tool, paid_until) values (${tenantId}, ${agent}, ${tool}, ${db.now} + ${price})
    on conflict (tenant_id, agent, tool) do update set paid_until = greatest(rate.paid_until, ${db.now}) + ${price}
    where greatest(rate.paid_until, ${db.now}) + ${price} <= ${db.now} + interval '60.001 seconds'
    returning tool`)
  if (taken.length > 0) return undefined
  const [rate] = await db.rows<{ waitMs: number }>(sql`
    select greatest(0, extract(epoch from paid_until + ${price} - ${db.now} - interval '60 seconds') * 1000)::float8 as "waitMs"
    from tool_rates where tenant_id = ${tenantId} and agent = ${agent} and tool = ${tool}`)
  return Math.ceil(rate?.waitMs ?? 0)
}
