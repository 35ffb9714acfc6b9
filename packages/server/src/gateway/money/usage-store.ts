/** What was used, call by call and by the hour. */
import { type Tx, sql } from '../../db/index.ts'

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
