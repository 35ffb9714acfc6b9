/** One run of a hundred thousand steps: what a step costs at each length of its history, what it takes on disk, and how long it takes to take such a run up again. */
import { type Db, sql } from '../packages/server/src/db/index.ts'
import { sleep } from '../packages/server/src/kernel/index.ts'
import { type Bed, close, open, quantile, tenantId, withDatabase } from './bed.ts'
import type { Line } from './line.ts'

const stepCount = 100_000
const bytes = 200
/** Steps of the end of the run that are compared with as many of a run that begins then. */
const besideCount = 2_000
const bounds = { eventsMax: 1_000_000, bytesMax: 2_000_000_000 }

export async function longBench(emit: (line: Line) => void): Promise<void> {
  await withDatabase(async ({ db, dataDir }) => {
    const bed = await open(db, dataDir, { bounds })
    await bed.run('steps', { count: 5_000, bytes, isTimed: false }) // Warm.
    const from = performance.now()
    const id = await bed.start('steps', { count: stepCount, bytes, isTimed: true, waits: true })
    const over = new Promise<void>((resolve) => bed.ended.set(id, resolve))
    await untilNear(db, id, stepCount - besideCount)
    // Another run begins while this one is near its end: whatever else the machine has to do, both have to bear it.
    const freshId = await bed.run('steps', { count: besideCount, bytes, isTimed: true })
    await over
    emit({ figure: 'steps_per_second', value: stepCount / ((performance.now() - from) / 1_000), unit: 'steps/s', n: stepCount })
    const bytesPerStep = (await bytesOf(db, id)) / stepCount
    await takeUp(bed, id, stepCount, emit)
    const [run] = await db.rows<{ output: number[] }>(sql`select output from runs where id = ${id}`)
    const output = run?.output ?? []
    const early = quantile(output.slice(100, 10_000), 0.5)
    for (const length of [100, 1_000, 10_000, 25_000, 50_000, 75_000, 98_000]) {
      const around = output.slice(length, length + 2_000)
      emit({ figure: `step_p50_ms_after_${length}`, value: quantile(around, 0.5), unit: 'ms', n: around.length })
    }
    emit({ figure: 'last_to_first_ratio', value: quantile(output.slice(-9_900), 0.5) / early, unit: 'ratio', n: 9_900 })
    const [fresh] = await db.rows<{ output: number[] }>(sql`select output from runs where id = ${freshId}`)
    const freshMs = quantile(fresh?.output ?? [], 0.5)
    emit({ figure: 'fresh_step_p50_ms', value: freshMs, unit: 'ms', n: besideCount })
    emit({ figure: 'last_to_fresh_ratio', value: quantile(output.slice(-besideCount), 0.5) / freshMs, unit: 'ratio', n: besideCount })
    emit({ figure: 'journal_bytes_per_step', value: bytesPerStep, unit: 'bytes', n: stepCount })
    for (const count of [1_000, 10_000]) await takeUp(bed, await bed.run('steps', { count, bytes, isTimed: false, waits: true }), count, emit)
    await close(bed)
  })
}

/** The journal is read rarely, so that reading it costs the run nothing. */
async function untilNear(db: Db, id: string, count: number): Promise<void> {
  for (;;) {
    const [last] = await db.rows<{ seq: number }>(sql`select seq from events where run_id = ${id} order by seq desc limit 1`)
    if ((last?.seq ?? 0) >= count) return
    await sleep(20)
  }
}

/** A run that has so many steps behind it and sleeps: from a signal until its code, replayed, has recorded the next one. */
async function takeUp(bed: Bed, id: string, count: number, emit: (line: Line) => void): Promise<void> {
  const over = new Promise<void>((resolve) => bed.ended.set(id, resolve))
  const from = performance.now()
  await bed.engine.signal({ tenantId, askerId: undefined }, id, 'bench', 'go', null)
  await over
  const ms = performance.now() - from
  emit({ figure: `replay_ms_${count}`, value: ms, unit: 'ms', n: 1 })
  emit({ figure: `replay_us_per_step_${count}`, value: (ms * 1_000) / count, unit: 'µs', n: count })
}

/** What its values alone amount to: the rows as they are stored, without the indexes and pages that all runs share. */
async function bytesOf(db: Db, id: string): Promise<number> {
  const [row] = await db.rows<{ bytes: number }>(sql`select sum(pg_column_size(events.*))::double precision as bytes from events where run_id = ${id}`)
  return row?.bytes ?? NaN
}
