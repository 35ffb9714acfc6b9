/** Random programs while server, workers and PostgreSQL are killed at random, for as long as one likes. The same seed gives the same programs and the same order of kills. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openDb } from '../../src/db/index.ts'
import { silentLog } from '../../src/kernel/index.ts'
import { type ServerProcess, openServerProcess, postgresUrlOf, postmasterPid, processesOf, until } from '../support/server-process.ts'
import { findViolations, readLedger, watchJournal } from './invariants.ts'
import { playRun } from './person.ts'
import { randomProgram, stepsOf } from './programs.ts'

export type Emit = (fact: Record<string, unknown>) => void

const atOnce = 6
const victims = ['server', 'worker', 'postgres'] as const

/** Returns whether every invariant held. Each violation is emitted, and a summary at the end: a test without kills or runs proves nothing. */
export async function verifyCrashes({ seed, minutes }: { seed: number; minutes: number }, emit: Emit): Promise<boolean> {
  const programs = makeRandom(seed)
  const chances = makeRandom(seed + 1)
  await using server = await openServerProcess()
  await server.start()
  const db = openDb({ url: postgresUrlOf(server.dataDir), poolMax: 2, log: silentLog })
  const killed = { server: 0, worker: 0, postgres: 0 }
  const endsAt = performance.now() + minutes * 60_000
  let runCount = 0
  let violationCount = 0

  async function playOn(): Promise<void> {
    while (performance.now() < endsAt) {
      const commands = randomProgram(programs)
      const number = runCount++
      try {
        const played = await playRun(server.client, commands, { limitMs: 180_000 })
        const interruptions = played.events.filter(({ type }) => type === 'run.interrupted').length
        // Which effects a kill may have cut off is not known here: each kill so far may have hit each step once.
        const kills = killed.server + killed.worker + interruptions
        const cuts = Array.from({ length: kills }, () => ({ executed: new Map([...stepsOf(commands)].map(([step]) => [step, 1])), recorded: new Map() }))
        const ledger = readLedger(join(server.dataDir, 'data', 'default', 'crash', 'ledger', played.runId))
        const found = await whenUp(() => findViolations(server.client, db, { commands, played, ledger, cuts }))
        violationCount += found.length
        for (const violation of found) emit({ verify: 'crashes', seed, run: number, runId: played.runId, violation })
      } catch (error) {
        violationCount++
        emit({ verify: 'crashes', seed, run: number, violation: error instanceof Error ? error.message : String(error) })
      }
    }
  }

  async function killOn(): Promise<void> {
    while (performance.now() < endsAt) {
      await pause(500 + chances() * 4_000)
      const victim = victims[Math.floor(chances() * victims.length)] ?? 'server'
      if (await kill(server, victim)) killed[victim]++
    }
  }

  try {
    await whenUp(() => watchJournal(db))
    await Promise.all([killOn(), ...Array.from({ length: atOnce }, playOn)])
  } finally {
    await db.stop()
  }
  const isProof = runCount > atOnce && Object.values(killed).some((count) => count > 0)
  emit({ verify: 'crashes', seed, minutes, runCount, killed, violationCount, isProof })
  return isProof && violationCount === 0
}

async function kill(server: ServerProcess, victim: (typeof victims)[number]): Promise<boolean> {
  if (victim === 'server') {
    server.life().kill('SIGKILL')
    await server.ended()
    await server.start()
    return true
  }
  const pid = victim === 'postgres' ? postmasterPid(server.dataDir) : processesOf(server.dataDir).find(isWorker)
  if (pid === undefined) return false
  try {
    process.kill(pid, 'SIGKILL')
    return true
  } catch {
    return false // It was between two lives.
  }
}

function isWorker(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker-main')
  } catch {
    return false
  }
}

/** The checks ask the database, which may just have been killed. */
async function whenUp<Result>(work: () => Promise<Result>): Promise<Result> {
  let failure: unknown
  const done = await until('the database', 60_000, () =>
    work().then(
      (result) => ({ result }),
      (error: unknown) => void (failure = error),
    ),
  ).catch(() => {
    throw failure
  })
  return done.result
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Numbers from 0 up to 1 that depend on the seed alone (a 32-bit xorshift). */
function makeRandom(seed: number): () => number {
  let state = Math.imul(seed, 2_654_435_761) | 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
