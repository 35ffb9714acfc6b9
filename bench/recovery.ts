/** A node with a thousand runs in flight is killed: until each of them has moved again at another node, and until the machine's next process has them. And a database that was away: whether as much is done afterwards as before. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type Db, engineRole, openDb, sql } from '../packages/server/src/db/index.ts'
import { silentLog, sleep } from '../packages/server/src/kernel/index.ts'
import { makeCuttable } from '../packages/server/test/support/cuttable.ts'
import { type Place, close, open, quantile, withDatabase } from './bed.ts'
import type { Line } from './line.ts'

const runCount = 1_000
const healWindowMs = 8_000

export async function recoveryBench(emit: (line: Line) => void): Promise<void> {
  for (const { name, leaseMs, survives } of [
    { name: 'short_lease', leaseMs: 1_000, survives: true },
    { name: 'default_lease', leaseMs: 10_000, survives: true },
    { name: 'restart', leaseMs: 10_000, survives: false },
  ])
    await withDatabase(async (place) => {
      const { movedMs, firstMs, byTheDead } = await killOne(place, leaseMs, survives)
      emit({ figure: `${name}_first_ms`, value: firstMs, unit: 'ms', n: 1 })
      emit({ figure: `${name}_p50_ms`, value: quantile(movedMs, 0.5), unit: 'ms', n: movedMs.length })
      emit({ figure: `${name}_p99_ms`, value: quantile(movedMs, 0.99), unit: 'ms', n: movedMs.length })
      emit({ figure: `${name}_all_ms`, value: Math.max(...movedMs), unit: 'ms', n: movedMs.length })
      emit({ figure: `${name}_written_by_the_dead`, value: byTheDead, unit: 'events', n: runCount })
    })
  await withDatabase((place) => healOne(place, emit))
}

/** Steps per second before the way to the database is cut for five seconds, and from a second after it is mended: a system may heal and stay slow. */
async function healOne(place: Place, emit: (line: Line) => void): Promise<void> {
  const way = await makeCuttable(place.url)
  const db = openDb({ url: way.url, role: engineRole, log: silentLog, answerTimeoutMs: 2_000, connectTimeoutMs: 1_000 })
  const bed = await open(db, place.dataDir)
  let isOver = false
  const working = Array.from({ length: 100 }, async () => {
    while (!isOver) await bed.run('steps', { count: 100, bytes: 200, isTimed: false, waits: false }).catch(() => sleep(50)) // Starts are refused meanwhile.
  })
  const rate = async (): Promise<number> => {
    const [before, from] = [bed.engine.stats().rowCount, performance.now()]
    await sleep(healWindowMs)
    return ((bed.engine.stats().rowCount - before) / (performance.now() - from)) * 1_000
  }
  await sleep(3_000)
  const before = await rate()
  way.cut()
  await sleep(5_000)
  way.mend()
  const from = performance.now()
  const mark = bed.engine.stats().rowCount
  while (bed.engine.stats().rowCount === mark) await sleep(10)
  emit({ figure: 'healed_first_ms', value: performance.now() - from, unit: 'ms', n: 1 })
  await sleep(1_000)
  const after = await rate()
  isOver = true
  await Promise.all(working)
  emit({ figure: 'rows_per_second_before_cut', value: before, unit: 'rows/s', n: 1 })
  emit({ figure: 'rows_per_second_healed', value: after, unit: 'rows/s', n: 1 })
  emit({ figure: 'healed_ratio', value: after / before, unit: 'ratio', n: 1 })
  await close(bed)
  await db.stop()
  await way[Symbol.asyncDispose]()
}

async function killOne(place: Place, leaseMs: number, survives: boolean) {
  const first = await startNode(place, leaseMs)
  const survivors = survives ? [await startNode(place, leaseMs)] : []
  first.stdin?.write(`${runCount}\n`)
  await said(first, 'started')
  await movedSince(place.db, 1, 1) // Each has recorded a step, so its worker has it.
  const [clock] = await place.db.rows<{ killedAt: number }>(sql`select extract(epoch from clock_timestamp())::double precision * 1000 as "killedAt"`)
  const killedAt = clock?.killedAt ?? 0
  first.kill('SIGKILL')
  if (!survives) {
    await once(first, 'exit')
    survivors.push(await startNode(place, leaseMs))
  }
  const at = await movedSince(place.db, 2, 1)
  for (const node of survivors) {
    node.kill('SIGKILL')
    await once(node, 'exit')
  }
  const [late] = await place.db.rows<{ count: number }>(sql`
    select count(*)::int as count from events old where epoch = 1 and exists (select from events where run_id = old.run_id and epoch > 1 and seq < old.seq)`)
  const count = late?.count ?? NaN
  const movedMs = at.map((instant) => instant - killedAt)
  return { movedMs, firstMs: Math.min(...movedMs), byTheDead: count }
}

/** When each run recorded its first step under that epoch, once all have. */
async function movedSince(db: Db, epoch: number, least: number): Promise<number[]> {
  for (const from = performance.now(); performance.now() - from < 120_000; await sleep(200)) {
    const rows = await db.rows<{ at: number }>(sql`
      select extract(epoch from min(at))::double precision * 1000 as at from events where epoch >= ${epoch} and type = 'step.completed' group by run_id having count(*) >= ${least}`)
    if (rows.length === runCount) return rows.map(({ at }) => at)
  }
  throw new Error(`Not all of ${runCount} runs have moved within two minutes.`)
}

async function startNode({ url, dataDir }: Place, leaseMs: number): Promise<ChildProcess> {
  const node = spawn(process.execPath, ['--conditions=longhaul-source', join(import.meta.dirname, 'node.ts'), url, dataDir, String(leaseMs)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await said(node, 'ready')
  return node
}

const said = (node: ChildProcess, word: string) =>
  new Promise<void>((resolve, reject) => {
    node.stdout?.on('data', (chunk: Buffer) => chunk.toString().includes(word) && resolve())
    node.once('exit', () => reject(new Error(`The node ended before it was ${word}.`)))
  })
