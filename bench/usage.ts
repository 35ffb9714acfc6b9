/** Sums over many model calls: `npm run bench -- usage --rows=10000000`. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Db, migrate, openDb, sql, startEmbedded } from '../packages/server/src/db/index.ts'
import { openBoard } from '../packages/server/src/gateway/money/index.ts'
import { rollUp } from '../packages/server/src/gateway/money/sweep.ts'
import { silentLog } from '../packages/server/src/kernel/index.ts'
import type { Line } from './line.ts'

type Emit = (line: Line) => void
const tenantId = 'acme'
const callRows = Number(process.argv.find((arg) => /^--rows=\d+$/.test(arg))?.slice(7) ?? 1_000_000)

export async function usageBench(emit: Emit): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'longhaul-bench-'))
  const postgres = await startEmbedded({ dataDir, log: silentLog })
  const db = openDb({ url: postgres.url, log: silentLog })
  try {
    await migrate(db, { log: silentLog })
    await sums(db, emit)
  } finally {
    await db.stop()
    await postgres.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

/** Thirty days of calls of 20 agents, 5 models and 50 keys. */
async function sums(db: Db, emit: Emit): Promise<void> {
  const made = performance.now()
  await db.rows(sql`
    insert into usage (tenant_id, id, at, namespace, agent, version, run_id, op, attempt, session_id, user_id, key_id, provider, model, price_id,
      input, cache_read, cache_write, cache_write_long, input_audio, input_image, output, reasoning, output_audio, output_image, cost, is_estimated, is_failed, duration_ms, tags)
    select ${tenantId}, gen_random_uuid(), clock_timestamp() - n * interval '30 days' / ${callRows}, 'default', 'agent-' || n % 20, 'v1',
      ('00000000-0000-7000-8000-' || lpad((n / 10)::text, 12, '0'))::uuid, (n % 10)::text, 1, null, null, 'key-' || n % 50, 'openai', 'openai/model-' || n % 5, 'p',
      1000, 0, 0, 0, 0, 0, 200, 0, 0, 0, 3000000, false, false, 900, null
    from generate_series(1, ${callRows}) as n`)
  emit({ figure: 'usage_rows_inserted_per_second', value: callRows / ((performance.now() - made) / 1_000), unit: 'rows/s', n: callRows })
  const fresh = Math.min(50_000, callRows)
  await db.rows(sql`insert into usage_fresh (tenant_id, id) select tenant_id, id from usage order by at desc limit ${fresh}`)
  const rolled = performance.now()
  while (await rollUp(db)) continue
  emit({ figure: 'usage_rows_rolled_up_per_second', value: fresh / ((performance.now() - rolled) / 1_000), unit: 'rows/s', n: fresh })
  await db.rows(sql`truncate usage_hours`)
  await db.rows(sql`
    insert into usage_hours select tenant_id, date_trunc('hour', at, 'UTC'), namespace, agent, version, '', key_id, provider, model, count(*), 0, 0, 0,
      sum(input), 0, 0, 0, 0, 0, sum(output), 0, 0, 0, sum(cost) from usage group by 1, 2, 3, 4, 5, 6, 7, 8, 9`)
  await db.rows(sql`analyze usage`)
  await db.rows(sql`analyze usage_hours`)
  const board = openBoard({ db, money: { refresh() {} } })
  const asked = { by: '', grain: 'total' as const, timeZone: 'UTC', limit: 100 }
  const day = 86_400_000
  const ago = (days: number) => new Date(performance.timeOrigin + performance.now() - days * day).toISOString()
  const [{ run } = { run: '' }] = await db.rows<{ run: string }>(sql`select run_id as run from usage offset ${Math.floor(callRows / 2)} limit 1`)
  for (const [name, input] of [
    ['by_agent_and_model_30_days', { ...asked, by: 'agent,model' }],
    ['by_day_and_key_30_days', { ...asked, by: 'key', grain: 'day' as const, limit: 1_000 }],
    ['by_step_of_one_run', { ...asked, by: 'step', run }],
    ['by_run_of_one_hour', { ...asked, by: 'run', from: ago(1 / 24) }],
  ] as const) {
    const times: number[] = []
    for (let n = 0; n < 5; n++) {
      const from = performance.now()
      await board.summarize({ tenantId }, input)
      times.push(performance.now() - from)
    }
    emit({ figure: `sum_${name}`, value: quantile(times, 0.5), unit: 'ms', n: callRows })
  }
  const [size] = await db.rows<{ bytes: number; hours: number }>(
    sql`select pg_total_relation_size('usage')::double precision as bytes, (select count(*)::int from usage_hours) as hours`,
  )
  emit({ figure: 'usage_bytes_per_call', value: (size?.bytes ?? NaN) / callRows, unit: 'bytes', n: callRows })
  emit({ figure: 'usage_hours_rows', value: size?.hours ?? NaN, unit: 'rows', n: callRows })
}

function quantile(values: number[], at: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? NaN
}
