/** Who waits for whom: another tenant’s start behind ten thousand runs of one, and ten thousand runs that are due at the same instant. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Db, migrate, openDb, sql, startEmbedded } from '../packages/server/src/db/index.ts'
import { type Assignment, type Engine, openEngine } from '../packages/server/src/engine/index.ts'
import { silentLog, sleep } from '../packages/server/src/kernel/index.ts'
import { asker, quantile } from './bed.ts'
import type { Line } from './line.ts'

const floodCount = 10_000
const newcomerCount = 100
/** How long a run takes: a worker that asks a model or waits for an answer. */
const runMs = 20

type Bed = { engine: Engine; ended: Map<string, () => void>; begun: Map<string, () => void>; counts: { active: number; most: number; done: number } }

export async function fairnessBench(emit: (line: Line) => void): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'longhaul-bench-'))
  const postgres = await startEmbedded({ dataDir, log: silentLog })
  const db = openDb({ url: postgres.url, log: silentLog })
  try {
    await migrate(db, { log: silentLog })
    await newcomers(db, emit)
    await burst(db, emit)
  } finally {
    await db.stop()
    await postgres.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

/** Runs whose worker is a timer in this process: what is measured is the queue and the database. */
async function open(db: Db): Promise<Bed> {
  const bed: Omit<Bed, 'engine'> = { ended: new Map(), begun: new Map(), counts: { active: 0, most: 0, done: 0 } }
  const { counts } = bed
  const call = (of: Map<string, () => void>, id: string) => {
    of.get(id)?.()
    of.delete(id)
  }
  const engine = openEngine({
    db,
    log: silentLog,
    leaseMs: 10_000,
    activeMax: 200,
    executors: {},
    toMessages: () => [],
    findVersion: async () => ({ version: 'v1' }),
    execute(assignment: Assignment) {
      counts.most = Math.max(counts.most, ++counts.active)
      call(bed.begun, assignment.id)
      assignment.attach(() => {})
      void sleep(runMs).then(() => assignment.receive({ type: 'run.completed', run: assignment.id, output: null }))
    },
    onReleased(runId) {
      counts.active--
      counts.done++
      call(bed.ended, runId)
    },
  })
  await engine.start()
  return { ...bed, engine }
}

async function newcomers(db: Db, emit: (line: Line) => void): Promise<void> {
  const bed = await open(db)
  await insertDue(db, floodCount, 0)
  const startedAt: number[] = []
  for (let i = 0; i < newcomerCount; i++) {
    const from = performance.now()
    const { id, state } = await bed.engine.startRun({ tenantId: `newcomer-${i % 10}`, agent: 'bench', version: 'v', input: null, asker })
    if (state !== 'running') await new Promise<void>((resolve) => bed.begun.set(id, resolve))
    startedAt.push(performance.now() - from)
    await sleep(5)
  }
  const [left] = await db.rows<{ count: number }>(sql`select count(*)::int as count from runs where tenant_id = 'flood' and ended_at is null`)
  emit({ figure: 'flood_left_at_the_end', value: left?.count ?? NaN, unit: 'runs', n: 1 })
  emit({ figure: 'newcomer_start_p50_ms', value: quantile(startedAt, 0.5), unit: 'ms', n: startedAt.length })
  emit({ figure: 'newcomer_start_p99_ms', value: quantile(startedAt, 0.99), unit: 'ms', n: startedAt.length })
  await bed.engine.stop()
  await db.rows(sql`delete from runs`)
  await db.rows(sql`delete from events`)
}

/** All due at the same instant, with two nodes to take them. */
async function burst(db: Db, emit: (line: Line) => void): Promise<void> {
  const beds = [await open(db), await open(db)]
  const transactions = async () =>
    (await db.rows<{ n: number }>(sql`select xact_commit::int as n from pg_stat_database where datname = current_database()`))[0]?.n ?? 0
  await insertDue(db, floodCount, 3_000)
  const before = await transactions()
  const from = performance.now()
  while (beds.reduce((sum, { counts }) => sum + counts.done, 0) < floodCount) await sleep(50)
  const seconds = (performance.now() - from) / 1_000
  await sleep(1_500) // PostgreSQL's counters come late.
  emit({ figure: 'burst_seconds', value: seconds, unit: 's', n: floodCount })
  emit({ figure: 'burst_transactions_per_run', value: ((await transactions()) - before) / floodCount, unit: 'tx', n: floodCount })
  emit({ figure: 'burst_active_most', value: Math.max(...beds.map(({ counts }) => counts.most)), unit: 'runs', n: beds.length })
  const [failed] = await db.rows<{ count: number }>(sql`select count(*)::int as count from runs where state <> 'completed' or epoch <> 1`)
  emit({ figure: 'burst_not_completed_at_once', value: failed?.count ?? NaN, unit: 'runs', n: floodCount })
  for (const { engine } of beds) await engine.stop()
}

async function insertDue(db: Db, count: number, inMs: number): Promise<void> {
  await db.rows(sql`
    with at as materialized (select clock_timestamp() + ${inMs} * interval '1 ms' as due), waiting as (
      insert into runs (id, tenant_id, agent, version, state, input, asker, due_at, event_count)
      select gen_random_uuid(), 'flood', 'bench', 'v', 'pending', 'null', ${JSON.stringify(asker)}, due, 1 from at, generate_series(1, ${count}) returning id
    )
    insert into events (run_id, seq, tenant_id, epoch, at, type, data, hash)
    select id, 0, 'flood', 0, clock_timestamp(), 'run.started', '{"input":null}', '\\x00' from waiting`)
}
