/**
 * Puts a year of rolled-up usage into the embedded database of a running server, for tests of other packages:
 * `node --conditions=longhaul-source …/insert-usage-year.ts <dataDir>`. Ten dollars on each weekday and one on days of the weekend, at noon of UTC, of the
 * agent `spender`; in the current month until yesterday.
 */
import { join, resolve } from 'node:path'
import { openDb, sql } from '../../src/db/index.ts'
import { silentLog } from '../../src/kernel/index.ts'

const [dataDir = ''] = process.argv.slice(2)
const socket = join(resolve(dataDir), 'postgres', 'socket')
const db = openDb({ url: `postgresql://longhaul@localhost/longhaul?host=${encodeURIComponent(socket)}`, poolMax: 1, log: silentLog })
await db.rows(sql`
  insert into usage_hours (tenant_id, hour, namespace, agent, version, user_id, key_id, provider, model, calls, failed_calls, estimated_calls, unpriced_calls,
    input, cache_read, cache_write, cache_write_long, input_audio, input_image, output, reasoning, output_audio, output_image, cost)
  select 'default', (day + interval '12 hours') at time zone 'UTC', 'default', 'spender', 'v1', '', '', 'openai', 'openai/gpt-5', 10, 0, 0, 0,
    usd * 400000, 0, 0, 0, 0, 0, usd * 50000, 0, 0, 0, usd * 1000000000
  from generate_series(date_trunc('month', now() at time zone 'UTC') - interval '11 months', date_trunc('day', now() at time zone 'UTC') - interval '1 day', interval '1 day') as day,
    lateral (select case when extract(isodow from day) < 6 then 10 else 1 end::bigint as usd) as price`)
await db.stop()
