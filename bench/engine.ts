/** The durable engine: real PostgreSQL of its own, real worker processes over the worker protocol, full durability. */
import { readFileSync } from 'node:fs'
import { type Db, sql } from '../packages/server/src/db/index.ts'
import { type Bed, asker, close, open, quantile, tenantId, withDatabase } from './bed.ts'
import type { Line } from './line.ts'

export const stepsPerRun = 10
const resultBytes = 1_000

export async function engineBench(emit: (line: Line) => void): Promise<void> {
  await withDatabase(async ({ db, owner, dataDir }) => {
    let bed = await open(db, dataDir)
    await many(bed, 200, 100) // Warm: code compiled, catalogue cached, WAL files made.
    const rawBefore = await rawRows(owner)
    for (const concurrency of [100, 500]) await throughput(bed, concurrency, emit)
    const raw = (rawBefore + (await rawRows(owner))) / 2
    emit({ figure: 'raw_limit_rows_per_second', value: raw, unit: 'rows/s', n: rawRowCount * 2 })
    const measured = await throughput(bed, 500, undefined)
    emit({ figure: 'raw_limit_ratio', value: measured.rowsPerSecond / raw, unit: 'ratio', n: measured.runCount })
    await latencies(bed, emit)
    await historyCost(bed, emit)
    await storage(db, emit)
    memory(bed, emit)
    await close(bed)
    for (const parkedCount of [0, 50_000]) {
      await park(db, parkedCount)
      const from = performance.now()
      bed = await open(db, dataDir)
      emit({ figure: `boot_ms_${parkedCount}_parked`, value: performance.now() - from, unit: 'ms', n: 1 })
      await bed.run('steps', { count: 1, bytes: 10, isTimed: false })
      await close(bed)
    }
  })
}

/** `count` runs of ten steps, `concurrency` at a time. Returns how long they took. */
export async function many(bed: Bed, count: number, concurrency: number): Promise<number> {
  let left = count
  const from = performance.now()
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (left-- > 0) await bed.run('steps', { count: stepsPerRun, bytes: resultBytes, isTimed: false })
    }),
  )
  return (performance.now() - from) / 1_000
}

async function throughput(bed: Bed, concurrency: number, emit: ((line: Line) => void) | undefined) {
  const runCount = concurrency * 10
  const rounds: { seconds: number; rows: number; flushes: number }[] = []
  for (let round = 0; round < 3; round++) {
    const before = bed.engine.stats()
    const seconds = await many(bed, runCount, concurrency)
    const after = bed.engine.stats()
    rounds.push({ seconds, rows: after.rowCount - before.rowCount, flushes: after.flushCount - before.flushCount })
  }
  const median = rounds.toSorted((a, b) => a.seconds - b.seconds)[1] ?? { seconds: NaN, rows: NaN, flushes: NaN }
  const suffix = concurrency === 100 ? '' : `_${concurrency}`
  const n = runCount * rounds.length
  emit?.({ figure: `steps_per_second${suffix}`, value: (runCount * stepsPerRun) / median.seconds, unit: 'steps/s', n })
  emit?.({ figure: `flushes_per_second${suffix}`, value: median.flushes / median.seconds, unit: 'flushes/s', n })
  emit?.({ figure: `rows_per_flush${suffix}`, value: median.rows / median.flushes, unit: 'rows', n })
  return { rowsPerSecond: median.rows / median.seconds, runCount: n }
}

const rawRowCount = 60_000

/** The same rows with nothing around them: from one connection, five hundred at a time. */
async function rawRows(db: Db): Promise<number> {
  const connection = await db.connection('raw')
  await connection.query(sql`create table if not exists raw_events (like events including all)`)
  const data = JSON.stringify({ kind: 'step', name: 'work', attempt: 1, output: 'x'.repeat(resultBytes), durationMs: 0.01 })
  const run = () => crypto.randomUUID()
  const from = performance.now()
  for (let done = 0; done < rawRowCount; done += 500) {
    const rows = `[${Array.from({ length: 50 }, run)
      .flatMap((id) => Array.from({ length: 10 }, (_, seq) => `{"r":"${id}","s":${seq},"d":${data}}`))
      .join(',')}]`
    await connection.query({
      name: 'raw',
      text: `insert into raw_events select r, s, 'default', 1, clock_timestamp(), 'step.completed', '0', d, '\\x00' from json_to_recordset($1::json) as e(r uuid, s int, d json)`,
      values: [rows],
    })
  }
  const seconds = (performance.now() - from) / 1_000
  await connection.query(sql`drop table raw_events`)
  await connection.end()
  return rawRowCount / seconds
}

async function latencies(bed: Bed, emit: (line: Line) => void): Promise<void> {
  const steps = await timedRun(bed, 2_000)
  emit({ figure: 'step_p50_ms', value: quantile(steps, 0.5), unit: 'ms', n: steps.length })
  emit({ figure: 'step_p99_ms', value: quantile(steps, 0.99), unit: 'ms', n: steps.length })
  const accepted: number[] = []
  const begun: number[] = []
  for (let i = 0; i < 500; i++) {
    const from = performance.now()
    const { id } = await bed.engine.startRun({ tenantId, agent: 'steps', version: 'bench', input: { count: 1, bytes: resultBytes, isTimed: false }, asker })
    accepted.push(performance.now() - from)
    const over = new Promise<void>((resolve) => bed.ended.set(id, resolve))
    await new Promise<void>((resolve) => {
      const stop = bed.engine.watch(id, {
        onWake() {
          stop()
          resolve()
        },
        onLive() {},
      })
    })
    begun.push(performance.now() - from) // The first wake: its first step is recorded.
    await over
  }
  for (const [figure, times] of [
    ['accept', accepted],
    ['start', begun],
  ] as const) {
    emit({ figure: `${figure}_p50_ms`, value: quantile(times, 0.5), unit: 'ms', n: times.length })
    emit({ figure: `${figure}_p99_ms`, value: quantile(times, 0.99), unit: 'ms', n: times.length })
  }
}

async function historyCost(bed: Bed, emit: (line: Line) => void): Promise<void> {
  const steps = await timedRun(bed, 10_500)
  for (const length of [10, 1_000, 10_000]) {
    const around = steps.slice(length, length + 400)
    emit({ figure: `step_p50_ms_after_${length}`, value: quantile(around, 0.5), unit: 'ms', n: around.length })
  }
}

/** The durations that the worker measured. */
export async function timedRun(bed: Bed, count: number): Promise<number[]> {
  const { id } = await bed.engine.startRun({ tenantId, agent: 'steps', version: 'bench', input: { count, bytes: resultBytes, isTimed: true }, asker })
  await new Promise<void>((resolve) => bed.ended.set(id, resolve))
  const [row] = await bed.db.rows<{ output: number[] }>(sql`select output from runs where id = ${id}`)
  return row?.output ?? []
}

/** What a ten-step run with 10 KB of results takes on disk, indexes included. */
async function storage(db: Db, emit: (line: Line) => void): Promise<void> {
  const [row] = await db.rows<{ bytes: number; events: number }>(sql`
    select pg_total_relation_size('events')::double precision as bytes, (select count(*)::int from events) as events`)
  emit({ figure: 'storage_bytes_per_run', value: ((row?.bytes ?? NaN) / (row?.events ?? NaN)) * (stepsPerRun + 2), unit: 'bytes', n: row?.events ?? 0 })
}

function memory({ workers }: Bed, emit: (line: Line) => void): void {
  const rss = (pid: number | 'self') => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? NaN) / 1_024
  emit({ figure: 'server_memory_mb', value: rss('self'), unit: 'MB', n: 1 })
  for (const pid of workers.pids().slice(0, 1)) emit({ figure: 'worker_memory_mb', value: rss(pid), unit: 'MB', n: 1 })
}

/** Runs that wait for a signal, as if they had been left by servers long ago. */
async function park(db: Db, count: number): Promise<void> {
  if (count === 0) return
  await db.rows(sql`
    with parked as (
      insert into runs (id, tenant_id, agent, version, state, input, asker, epoch, event_count, wait)
      select gen_random_uuid(), 'default', 'steps', 'bench', 'waiting', 'null', ${JSON.stringify(asker)}, 1, 2, '{"kind":"signal","name":"go","until":null}'
      from generate_series(1, ${count}) returning id
    )
    insert into events (run_id, seq, tenant_id, epoch, at, type, op, data, hash)
    select id, seq, 'default', 1, clock_timestamp(), case seq when 0 then 'run.started' else 'wait.created' end, case seq when 1 then '0' end,
      (case seq when 0 then '{"input":null}' else '{"kind":"signal","name":"go","until":null}' end)::json, '\\x00'
    from parked, generate_series(0, 1) as seq`)
}
