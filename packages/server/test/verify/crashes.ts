/** Random programs on two servers while servers, workers, PostgreSQL and the ways between them fail at random, for as long as one likes. The same seed gives the same programs and the same order of faults. */
import { type Act, acts, openWorld, reachablePoints } from './nemesis.ts'
import { findViolations, readLedger, watchJournal } from './invariants.ts'
import { playRun } from './person.ts'
import { randomProgram } from './programs.ts'
import { sql } from '../../src/db/index.ts'
import { until } from '../support/server-process.ts'

export type Emit = (fact: Record<string, unknown>) => void

/** Most of them wait at any moment, for a timer or for a server that comes back. */
const atOnce = 150
/** Less than that proves nothing: something kept the programs from going on. */
const runsPerMinuteMin = 20
const overlapMin = 100
/** A fault comes when the programs have got so far since the last one, or nothing has moved them for so long. */
const betweenFaults = { eventsMin: 100, eventsMore: 5_000, msMax: 120_000 }

/**
 * Goes on for so many minutes, or until so many programs have ended, which it must have by then. Returns whether every invariant held. Each violation is
 * emitted, and a summary at the end: a search that did too little, or in which a fault or a crash point never came, is void.
 */
export async function verifyCrashes({ seed, minutes, programs: wanted }: { seed: number; minutes: number; programs?: number }, emit: Emit): Promise<boolean> {
  const programs = makeRandom(seed)
  const chances = makeRandom(seed + 1)
  await using world = await openWorld()
  const { client, db } = world
  const performed = new Map<Act, { count: number; eventCount: number }>(acts.map((act) => [act, { count: 0, eventCount: 0 }]))
  const from = performance.now()
  const endsAt = from + minutes * 60_000
  const counts = { runs: 0, checked: 0, events: 0, cancelled: 0, violations: 0 }
  const goesOn = () => performance.now() < endsAt && (wanted === undefined || counts.checked < wanted)
  let isOver = false

  async function play(number: number): Promise<void> {
    const commands = randomProgram(programs)
    const cancelAfter = programs() < 0.15 ? 1 + Math.floor(programs() * 12) : undefined
    const played = await playRun(client, commands, { limitMs: 600_000, cancelAfter, onEvent: () => counts.events++ })
    if (played.events.at(-1)?.type === 'run.cancelled') counts.cancelled++
    const found = await whenUp(async () => {
      // Each time that it was taken up, what was under way may have taken effect without being recorded.
      const [run] = await db.rows<{ epoch: number }>(sql`select epoch from runs where id = ${played.runId}`)
      const epoch = run?.epoch ?? 0
      const interruptions = played.events.filter(({ type }) => type === 'run.interrupted').length
      const ledger = readLedger(world.ledgerOf(played.runId))
      return findViolations(client, db, { commands, played, ledger, cuts: epoch - 1 + interruptions, isCancelled: cancelAfter !== undefined })
    })
    counts.checked++
    counts.violations += found.length
    for (const violation of found) emit({ verify: 'crashes', seed, run: number, runId: played.runId, violation })
  }

  async function playOn(): Promise<void> {
    while (goesOn()) {
      const number = counts.runs++
      await play(number).catch((error: unknown) => {
        counts.violations++
        emit({ verify: 'crashes', seed, run: number, violation: error instanceof Error ? error.message : String(error) })
      })
    }
  }

  async function failOn(): Promise<void> {
    const round: Act[] = []
    while (goesOn()) {
      if (round.length === 0) round.push(...acts) // Each as often as any other, in an order of chance.
      const [act] = round.splice(Math.floor(chances() * round.length), 1)
      if (!act) continue
      while (counts.events === 0 && goesOn()) await pause(50) // They have all just been started.
      const before = counts.events
      const isDone = await world.perform(act, chances)
      // By what has happened and not by the clock: a slow machine must not spend its time on starting what was killed alone.
      const enough = before + betweenFaults.eventsMin + chances() * betweenFaults.eventsMore
      for (const since = performance.now(); counts.events < enough && performance.now() - since < betweenFaults.msMax;) await pause(50)
      const tally = performed.get(act)
      if (!tally || !isDone) continue
      tally.count++
      tally.eventCount += counts.events - before
    }
    isOver = true
  }

  async function tell(): Promise<void> {
    for (let minute = 1; goesOn(); minute++) {
      while (goesOn() && performance.now() < from + minute * 60_000) await pause(1_000)
      emit({ verify: 'crashes', seed, minute, ...counts })
    }
  }

  await whenUp(() => watchJournal(db))
  await Promise.all([failOn(), tell(), ...Array.from({ length: atOnce }, playOn)])
  const passed = world.passedPoints()
  const unmet = [
    ...(counts.checked < (wanted ?? runsPerMinuteMin * minutes) ? [`${counts.checked} programs are too few`] : []),
    ...[...performed].flatMap(([act, { count, eventCount }]) =>
      eventCount < overlapMin ? [`${act}: ${count} times, while ${eventCount} events were told`] : [],
    ),
    ...reachablePoints.flatMap((point) => (passed.has(point) ? [] : [`crash point ${point} was never passed`])),
    ...(isOver ? [] : ['the faults did not go on to the end']),
  ]
  const faults = Object.fromEntries([...performed].map(([act, { count, eventCount }]) => [act, `${count} / ${eventCount}`]))
  const isVoid = unmet.length > 0
  emit({ verify: 'crashes', seed, minutes, network: world.network, took: Math.round((performance.now() - from) / 1_000), ...counts, faults, isVoid, unmet })
  return !isVoid && counts.violations === 0
}

/** The checks ask the database, which may just have been killed. */
async function whenUp<Result>(work: () => Promise<Result>): Promise<Result> {
  let failure: unknown
  const done = await until('the database', 300_000, () =>
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
