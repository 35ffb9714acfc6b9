/** The crash matrix: one program with everything in it, and a kill -9 before and after each thing that it makes durable. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeDatabase } from './support/postgres.ts'
import { type ServerProcess, openServerProcess, processesOf, until } from './support/server-process.ts'
import { type Cut, cutOf, findViolations, readLedger, watchJournal } from './verify/invariants.ts'
import { playRun } from './verify/person.ts'
import { everything } from './verify/programs.ts'

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

const ledgerOf = (server: ServerProcess) => (runId: string) => join(server.dataDir, 'data', 'crash', 'ledger', runId)
const points = ['flush.before', 'flush.after', 'claim.before', 'claim.after', 'message.before', 'message.after'] as const

test('a server killed before or after any of its commits loses nothing and repeats nothing that it recorded', { timeout: 400_000 }, async () => {
  using scratch = makeScratch()
  const crashFile = join(scratch.folder, 'crash')
  await using t = await makeDatabase()
  await watchJournal(t.db)
  await using server = await openServerProcess({ env: { LONGHAUL_DATABASE_URL: t.url, LONGHAUL_TEST_CRASH_FILE: crashFile } })
  await server.start()
  await playRun(server.client, everything) // Warms it up, so that the start of a worker is not in the count.

  rmSync(`${crashFile}.passed`)
  await playRun(server.client, everything)
  const passed = countLines(`${crashFile}.passed`)
  expect(passed.get('flush.before')).toBeGreaterThanOrEqual(12)
  expect(passed.get('flush.after')).toBe(passed.get('flush.before'))
  expect(passed.get('claim.after')).toBeGreaterThanOrEqual(2) // Woken by the signal and by the decision.
  expect(passed.get('message.before')).toBe(2)

  const problems: string[] = []
  const missed: string[] = []
  for (const point of points) {
    // Looking for due runs happens all the time; what it finds is what counts, and that is `claim.after`.
    const count = point === 'claim.before' ? 1 : (passed.get(point) ?? 0)
    for (let n = 1; n <= count; n++) {
      const key = randomUUID()
      const cuts: Cut[] = []
      order(crashFile, `${point} ${n}`)
      const playing = playRun(server.client, everything, { key })
      const end = await Promise.race([server.ended(), playing])
      if (end === 'SIGKILL') {
        await until('the workers to end by themselves', 10_000, () => processesOf(server.dataDir).length === 0 || undefined)
        cuts.push(await cutOf(t.db, key, ledgerOf(server)))
        await server.start()
      } else {
        // Two commits fell into one this time, so that there was none of that number.
        expect(server.life().isRunning(), server.life().output()).toBe(true)
        rmSync(crashFile)
        missed.push(`${point} ${n}`)
      }
      const played = await playing
      const found = await findViolations(server.client, t.db, { commands: everything, played, ledger: readLedger(ledgerOf(server)(played.runId)), cuts })
      problems.push(...found.map((problem) => `${point} ${n}: ${problem}`))
    }
  }
  expect(problems).toEqual([])
  expect(missed.length, `not reached: ${missed.join(', ')}`).toBeLessThan(4)
})
