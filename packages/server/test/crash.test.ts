/**
 * The crash matrix: one program with everything in it, and a kill -9 before and after what it makes durable: each such moment in
 * `npm run verify -- matrix`, every eighth one in `npm test`.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openDb } from '../src/db/index.ts'
import { silentLog, sleep } from '../src/kernel/index.ts'
import { makeDatabase } from './support/postgres.ts'
import { type ServerProcess, openServerProcess, postgresUrlOf, postmasterPid, processesOf, until } from './support/server-process.ts'
import { type Cut, cutOf, findViolations, readLedger, watchJournal } from './verify/invariants.ts'
import { playRun } from './verify/person.ts'
import { everything, oneOfEach, stepsOf } from './verify/programs.ts'

const makeScratch = () => {
  const folder = mkdtempSync(join(tmpdir(), 'crash-'))
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
}

const countLines = (file: string): Map<string, number> =>
  new Map([...Map.groupBy(readFileSync(file, 'utf8').trim().split('\n'), (line) => line)].map(([line, lines]) => [line, lines.length]))

/** Written whole or not at all: a process reads it at any moment. */
function order(file: string, text: string): void {
  writeFileSync(`${file}.draft`, text)
  renameSync(`${file}.draft`, file)
}

const stride = process.env['CRASH_POINTS'] === 'all' ? 1 : 8

const ledgerOf = (server: ServerProcess) => (runId: string) => join(server.dataDir, 'data', 'default', 'crash', 'ledger', runId)
const points = ['flush.before', 'flush.after', 'claim.before', 'claim.after', 'message.before', 'message.after', 'ending.after'] as const

const programs = [
  // The least that it commits, of claims and of messages: it is woken by the signal and by the decision, or by its child.
  { what: 'waits', flushes: 12, claims: 2, messages: 2 },
  { what: 'effects and children', flushes: 8, claims: 1, messages: 0 },
] as const

test.each(programs)(
  'a server killed before or after any commit of a run with $what loses nothing and repeats nothing that it recorded',
  { timeout: 3_600_000 / stride },
  async ({ what, ...least }) => {
    const commands = oneOfEach[what]
    using scratch = makeScratch()
    const crashFile = join(scratch.folder, 'crash')
    await using t = await makeDatabase()
    await watchJournal(t.db)
    await using server = await openServerProcess({ env: { LONGHAUL_DATABASE_URL: t.url, LONGHAUL_TEST_CRASH_FILE: crashFile } })
    await server.start()
    await playRun(server.client, commands) // Warms it up, so that the start of a worker is not in the count.

    rmSync(`${crashFile}.passed`)
    await playRun(server.client, commands, { isSlow: true })
    const passed = countLines(`${crashFile}.passed`)
    expect(passed.get('flush.before')).toBeGreaterThanOrEqual(least.flushes)
    expect(passed.get('flush.after')).toBe(passed.get('flush.before'))
    expect(passed.get('claim.after')).toBeGreaterThanOrEqual(least.claims)
    expect(passed.get('message.before') ?? 0).toBe(least.messages)

    const problems: string[] = []
    const missed: string[] = []
    for (const point of points) {
      // Looking for due runs happens all the time; what it finds is what counts, and that is `claim.after`.
      const count = point === 'claim.before' ? 1 : (passed.get(point) ?? 0)
      for (let n = 1; n <= count; n += stride) {
        const key = randomUUID()
        const cuts: Cut[] = []
        order(crashFile, `${point} ${n}`)
        const playing = playRun(server.client, commands, { key, isSlow: true })
        let end = await Promise.race([server.ended(), playing])
        if (end !== 'SIGKILL') end = (await Promise.race([server.ended(), sleep(500)])) ?? end // Its moment may be right after the run's end.
        if (end === 'SIGKILL') {
          await until('the workers to end by themselves', 10_000, () => processesOf(server.dataDir).length === 0 || undefined)
          cuts.push(await cutOf(t.db, key, ledgerOf(server)))
          await server.start()
        } else {
          // Two commits fell into one this time, so that there was none of that number.
          expect(server.life().isRunning(), server.life().output()).toBe(true)
          rmSync(crashFile, { force: true })
          missed.push(`${point} ${n}`)
        }
        const played = await playing
        const found = await findViolations(server.client, t.db, { commands, played, ledger: readLedger(ledgerOf(server)(played.runId)), cuts })
        problems.push(...found.map((problem) => `${point} ${n}: ${problem}`))
      }
    }

    expect(problems).toEqual([])
    expect(missed.length, `not reached: ${missed.join(', ')}`).toBeLessThan(4)
  },
)

test('a worker killed before or after any of its messages loses nothing and repeats nothing that was recorded', { timeout: 3_600_000 / stride }, async () => {
  await using t = await makeDatabase()
  await watchJournal(t.db)
  await using server = await openServerProcess({ env: { LONGHAUL_DATABASE_URL: t.url } })
  await server.start()
  await playRun(server.client, everything, { isSlow: true })
  const crashFile = join(server.dataDir, 'data', 'default', 'crash', 'crash-worker')

  const problems: string[] = []
  let killCount = 0
  for (const side of ['before', 'after']) {
    for (let n = 1; ; n += stride) {
      order(crashFile, `${side} ${n}`)
      const key = randomUUID()
      const cuts: Cut[] = []
      const playing = playRun(server.client, everything, {
        key,
        isSlow: true,
        // What was recorded when it was killed is what comes before: the server writes this event only after it has seen the worker's end.
        onEvent: (event) => event.type === 'run.interrupted' && cuts.push({ executed: new Map(stepsOf(everything)), recorded: new Map() }),
      })
      const played = await playing
      const ledger = readLedger(ledgerOf(server)(played.runId))
      const found = await findViolations(server.client, t.db, { commands: everything, played, ledger, cuts })
      problems.push(...found.map((problem) => `${side} ${n}: ${problem}`))
      if (existsSync(crashFile)) {
        rmSync(crashFile) // The run has fewer messages than that.
        break
      }
      killCount++
      const interrupted = played.events.filter(({ type }) => type === 'run.interrupted')
      const extra = [...stepsOf(everything)].reduce((sum, [step, count]) => sum + (ledger.get(step) ?? 0) - count, 0)
      if (interrupted.length > 1) problems.push(`${side} ${n}: one kill, ${interrupted.length} interruptions`)
      if (extra > 2) problems.push(`${side} ${n}: ${extra} effects more than without the kill, where two steps at most were under way`)
    }
  }

  expect(problems).toEqual([])
  expect(killCount).toBeGreaterThanOrEqual(20 / stride)
  expect(server.life().isRunning(), server.life().output()).toBe(true)
})

test(
  'PostgreSQL killed at several moments of many runs is back within five seconds, and nothing that was acknowledged is lost',
  { timeout: 200_000 },
  async () => {
    await using server = await openServerProcess()
    await server.start()
    await playRun(server.client, everything, { isSlow: true })
    const db = openDb({ url: postgresUrlOf(server.dataDir), poolMax: 1, log: silentLog })
    try {
      await watchJournal(db)
      for (const [type, kind] of [
        ['step.completed', 'step'],
        ['wait.created', 'timer'],
        ['wait.created', 'signal'],
        ['step.started', 'exec'],
        ['wait.created', 'approval'],
      ] as const) {
        const pid = postmasterPid(server.dataDir) ?? Number.NaN
        let killedAt: number | undefined
        const playing = Array.from({ length: 5 }, () =>
          playRun(server.client, everything, {
            limitMs: 60_000,
            onEvent(event) {
              if (killedAt !== undefined || event.type !== type || !('kind' in event.data) || event.data.kind !== kind) return
              killedAt = performance.now()
              process.kill(pid, 'SIGKILL')
            },
          }),
        )
        const recovered = until(`health after the kill at ${type} ${kind}`, 60_000, async () => {
          if (killedAt === undefined || postmasterPid(server.dataDir) === pid) return undefined
          return (await fetch(`${server.url()}/healthz`)).status === 200 ? performance.now() - killedAt : undefined
        })
        const everyone = await Promise.all(playing)
        expect(await recovered, `${type} ${kind}`).toBeLessThan(5_000)
        for (const played of everyone) {
          // The server's process lived on, so each effect was recorded in the end, and happened once.
          const found = await findViolations(server.client, db, { commands: everything, played, ledger: readLedger(ledgerOf(server)(played.runId)), cuts: [] })
          expect(found, `${type} ${kind}`).toEqual([])
        }
      }
    } finally {
      await db.stop()
    }
  },
)
