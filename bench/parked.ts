/** A hundred thousand runs that wait for a signal, each parked by its worker as any other: what they cost, and how soon a signal has one at work again. */
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Db, sql } from '../packages/server/src/db/index.ts'
import { sleep } from '../packages/server/src/kernel/index.ts'
import { type Bed, close, open, quantile, tenantId, withDatabase } from './bed.ts'
import type { Line } from './line.ts'

const atOnce = 400
const signalCount = 500
const runCount = 100_000

export async function parkedBench(emit: (line: Line) => void): Promise<void> {
  await withDatabase(async ({ db, owner, dataDir }) => {
    let bed = await open(db, dataDir)
    await park(bed, 2_000) // Warm: what a process holds once and not for each run.
    const before = { server: serverBytes(), worker: workerBytes(bed), disk: await diskOf(owner) }
    const from = performance.now()
    await park(bed, runCount)
    emit({ figure: 'parked_per_second', value: runCount / ((performance.now() - from) / 1_000), unit: 'runs/s', n: runCount })
    const after = { server: serverBytes(), worker: workerBytes(bed), disk: await diskOf(owner) }
    emit({ figure: 'server_memory_bytes_per_run', value: (after.server - before.server) / runCount, unit: 'bytes', n: runCount })
    emit({ figure: 'worker_memory_bytes_per_run', value: (after.worker - before.worker) / runCount, unit: 'bytes', n: runCount })
    emit({ figure: 'disk_bytes_per_run', value: (after.disk - before.disk) / runCount, unit: 'bytes', n: runCount })
    await close(bed)
    const bootFrom = performance.now()
    bed = await open(db, dataDir)
    emit({ figure: 'boot_ms', value: performance.now() - bootFrom, unit: 'ms', n: 1 })
    await owner.rows(sql`vacuum analyze`)
    const ids = (await db.rows<{ id: string }>(sql`select id from runs where state = 'waiting' order by random() limit ${signalCount + 20}`)).map(
      ({ id }) => id,
    )
    for (const id of ids.splice(0, 20)) await signal(bed, id) // Warm: the worker is there.
    const times: { accepted: number; resumed: number; moved: number }[] = []
    const commits = await commitTimes(owner)
    for (const id of ids) times.push(await signal(bed, id))
    commits.push(...(await commitTimes(owner)))
    emit({ figure: 'commit_p50_ms', value: quantile(commits, 0.5), unit: 'ms', n: commits.length })
    for (const [figure, values] of [
      ['signal_accepted', times.map(({ accepted }) => accepted)],
      ['signal_to_resume', times.map(({ resumed }) => resumed)],
      ['signal_to_next_step', times.map(({ moved }) => moved)],
    ] as const) {
      emit({ figure: `${figure}_p50_ms`, value: quantile(values, 0.5), unit: 'ms', n: values.length })
      emit({ figure: `${figure}_p99_ms`, value: quantile(values, 0.99), unit: 'ms', n: values.length })
    }
    await close(bed)
  })
}

async function park(bed: Bed, count: number): Promise<void> {
  let left = count
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (left-- > 0) await bed.run('steps', { count: 0, bytes: 0, isTimed: false, waits: true })
    }),
  )
  await sleep(200)
}

/** `resumed`: the wait's end is durable and the worker is told. `moved`: its code has gone on and recorded a step. */
async function signal({ engine, ended }: Bed, id: string): Promise<{ accepted: number; resumed: number; moved: number }> {
  const from = performance.now()
  let resumed: number | undefined
  const stop = engine.watch(id, { onWake: () => void (resumed ??= performance.now() - from), onLive() {} })
  const over = new Promise<void>((resolve) => ended.set(id, resolve))
  await engine.signal({ tenantId, askerId: undefined }, id, 'bench', 'go', null)
  const accepted = performance.now() - from
  await over
  stop()
  return { accepted, resumed: resumed ?? NaN, moved: performance.now() - from }
}

/** What this process, which is the server, holds once everything that can be freed was. */
function serverBytes(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}

/** Resident, what its next collection would free included. */
function workerBytes({ workers }: Bed): number {
  return workers.pids().reduce((sum, pid) => sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? NaN) * 1_024, 0)
}

/** One row changed and made durable: what the machine takes for the least that a signal needs three times. */
async function commitTimes(owner: Db): Promise<number[]> {
  await owner.rows(sql`create table if not exists commits (n int)`)
  const times: number[] = []
  for (let i = 0; i < 200; i++) {
    const from = performance.now()
    await owner.rows(sql`insert into commits values (${i})`)
    times.push(performance.now() - from)
  }
  return times
}

async function diskOf(db: Db): Promise<number> {
  const [row] = await db.rows<{ bytes: number }>(
    sql`select sum(pg_total_relation_size(oid))::double precision as bytes from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`,
  )
  const bytes = row?.bytes ?? NaN
  return bytes
}
