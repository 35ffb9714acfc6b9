/** The durable engine beside others, in turns on the same machine: ten-step runs with results of 1 KB, each step durable before the next begins. */
import { fork } from 'node:child_process'
import { join } from 'node:path'
import { identifier, sql } from '../packages/server/src/db/index.ts'
import { close, open, quantile, withDatabase } from './bed.ts'
import { many, stepsPerRun, timedRun } from './engine.ts'
import type { Line } from './line.ts'
import { installPeer } from './peers/install.ts'
import type { Latency, Order, Throughput } from './peers/program.ts'

const programs = { restate: './peers/restate.ts', dbos: './peers/dbos.ts', mastra: './peers/mastra.ts', langgraph: './peers/langgraph.ts' }
const peers = Object.keys(programs) as (keyof typeof programs)[] // They are written above.
const rounds = 3
/** At once, and how many then: some seconds each. */
const loads = { longhaul: 1_000, restate: 400, dbos: 150, mastra: 150, langgraph: 80 }
const concurrency = 100

export async function peersBench(emit: (line: Line) => void): Promise<void> {
  const folders = new Map<string, string>()
  for (const peer of peers) folders.set(peer, await installPeer(peer))
  await withDatabase(async ({ db, owner, url, dataDir }) => {
    const found = new Map<string, { stepsPerSecond: number[]; stepMs: number[] }>()
    const of = (name: string) => found.get(name) ?? found.set(name, { stepsPerSecond: [], stepMs: [] }).get(name)!
    for (let round = 0; round < rounds; round++) {
      const bed = await open(db, dataDir)
      await many(bed, 200, concurrency) // Warm: code compiled, catalogue cached, WAL files made.
      of('longhaul').stepsPerSecond.push((loads.longhaul * stepsPerRun) / (await many(bed, loads.longhaul, concurrency)))
      of('longhaul').stepMs.push(...(await timedRun(bed, 500)))
      await close(bed)
      for (const peer of peers) {
        if (round === 0 && peer !== 'restate') await owner.rows(sql`create database ${identifier(`bench_${peer}`)}`)
        const program = await start(peer, [folders.get(peer) ?? '', url.replace(/\/longhaul\?/, `/bench_${peer}?`)])
        of(peer).stepsPerSecond.push((await program.ask<Throughput>({ kind: 'throughput', atOnce: concurrency, runs: loads[peer] })).stepsPerSecond)
        of(peer).stepMs.push(...(await program.ask<Latency>({ kind: 'latency', runs: 30 })).stepMs)
        await program.stop()
      }
    }
    const rate = (name: string) => quantile(of(name).stepsPerSecond, 0.5)
    for (const [name, { stepMs }] of found) {
      emit({ figure: `${name}_steps_per_second`, value: rate(name), unit: 'steps/s', n: rounds })
      emit({ figure: `${name}_step_p50_ms`, value: quantile(stepMs, 0.5), unit: 'ms', n: stepMs.length })
      emit({ figure: `${name}_step_p99_ms`, value: quantile(stepMs, 0.99), unit: 'ms', n: stepMs.length })
    }
    for (const peer of peers) emit({ figure: `ratio_to_${peer}`, value: rate('longhaul') / rate(peer), unit: 'ratio', n: rounds })
  })
}

type Program = { ask<Answer>(order: Order): Promise<Answer>; stop(): Promise<void> }

/** Resolves once it is warm. */
async function start(peer: keyof typeof programs, args: string[]): Promise<Program> {
  const child = fork(join(import.meta.dirname, programs[peer]), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ended = new Promise<never>((_, reject) => child.once('exit', (code) => reject(new Error(`${peer} ended with ${code}.`))))
  ended.catch(() => {}) // At the end it is meant.
  const message = () => Promise.race([new Promise((resolve) => child.once('message', resolve)), ended])
  await message()
  return {
    async ask<Answer>(order: Order) {
      child.send(order)
      return (await message()) as Answer // As the program's answer to that order is.
    },
    async stop() {
      child.disconnect()
      await ended.catch(() => {})
    },
  }
}
