/** What becomes of runs when their PostgreSQL is replaced by its standby, set back to a backup, slow, silent, or cannot keep up. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isTerminal } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { type Db, type Embedded, engineRole, migrate, openDb, sql, startEmbedded } from '../src/db/index.ts'
import { silentLog, sleep } from '../src/kernel/index.ts'
import { makeCuttable } from './support/cuttable.ts'
import { type Scripts, type TestEngine, fact, startEngine } from './support/engine.ts'
import { checkJournals } from './support/journal-checks.ts'
import { makeDatabase } from './support/postgres.ts'
import { backUp, forgetProcess, recover, startStandby } from './support/standby.ts'

const makeFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'database-'))
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

/** A PostgreSQL of the test's own, migrated, behind a way that can be led elsewhere. */
async function openPostgres(dataDir: string) {
  const postgres = await startEmbedded({ dataDir, log: silentLog })
  const owner = openDb({ url: postgres.url, poolMax: 2, log: silentLog })
  await migrate(owner, { log: silentLog })
  const way = await makeCuttable(postgres.url)
  const db = openDb({ url: way.url, poolMax: 5, log: silentLog, role: engineRole, answerTimeoutMs: 3_000 })
  return {
    postgres,
    owner,
    way,
    db,
    async [Symbol.asyncDispose]() {
      await db.stop()
      await owner.stop()
      await way[Symbol.asyncDispose]()
      await postgres.stop()
    },
  }
}

const works = async (engine: TestEngine): Promise<boolean> =>
  engine.start('quick').then(
    () => true,
    () => false,
  )
const untilWorks = (engine: TestEngine) => fact(() => works(engine), Boolean, 'the engine')
const openRuns = (db: Db) => db.rows<{ id: string }>(sql`select id from runs where ended_at is null`)

test('a standby that takes over has all that was acknowledged; nodes register anew within five seconds, and nothing of before is written there', async () => {
  using root = makeFolder()
  await using first = await openPostgres(join(root.folder, 'first'))
  await using link = await makeCuttable(first.postgres.url)
  const standby = await startStandby({
    original: { db: first.owner, url: link.url },
    from: join(root.folder, 'first'),
    to: join(root.folder, 'second'),
  })
  const second = openDb({ url: standby.url, poolMax: 2, log: silentLog })
  try {
    // After the backup: a standby with this setting would wait for one of its own when it has taken over.
    await first.owner.rows(sql`alter system set synchronous_standby_names = 'standby'`)
    await first.owner.rows(sql`select pg_reload_conf()`)
    let executed = 0
    let release: (value: string) => void = () => {}
    const held = new Promise<string>((resolve) => (release = resolve))
    await using a = await startEngine(first.db, {
      quick: async (ctx) => ctx.step('s', () => 'done'),
      waits: async (ctx) => [await ctx.step('before', () => 'kept'), await ctx.signal('go')],
      held: async (ctx) => ctx.step('held', async () => (++executed === 1 ? held : 'by the second life')),
    })
    const waiting = await Promise.all(Array.from({ length: 20 }, () => a.start('waits')))
    for (const { id } of waiting) await a.reaches(id, 'waiting')
    const { id: heldId } = await a.start('held')
    await fact(
      () => executed,
      (count) => count === 1,
    )
    const nodes = async (db: Db) => db.rows<{ id: string; incarnation: string }>(sql`select id, incarnation from nodes where not is_dead`)
    const [before] = await nodes(first.owner)

    first.way.cut()
    await second.rows(sql`select pg_promote(true, 10)`)
    first.way.mend(standby.url)
    const from = performance.now()
    await untilWorks(a)
    expect(performance.now() - from).toBeLessThan(5_000)
    release('by the first life')

    const after = await fact(
      () => nodes(second),
      (found) => found.some(({ id }) => id !== before?.id),
    )
    const [cluster, timeline] = String(before?.incarnation).split(':')
    expect(after.find(({ id }) => id !== before?.id)?.incarnation).toBe(
      `${cluster}:${(Number.parseInt(String(timeline), 16) + 1).toString(16).padStart(8, '0').toUpperCase()}`,
    )
    // Its old name is still alive in what the standby took over; that it is nobody's any more shows when its lease runs out.
    await second.rows(sql`update nodes set lease_until = clock_timestamp() where id = ${before?.id ?? ''}`)
    await using b = await startEngine(second, { held: async (ctx) => ctx.step('held', () => 'by another'), waits: async () => null }, { leaseMs: 1_000 })
    const end = await fact(
      () => b.load(heldId),
      ({ state }) => isTerminal(state),
    )
    expect(end.output).not.toBe('by the first life')
    for (const { id } of waiting) await a.engine.signal({ tenantId: 'acme', askerId: undefined }, id, 'tester', 'go', 'word')
    for (const { id } of waiting) expect(await a.ended(id)).toMatchObject({ state: 'completed' })
    await checkJournals(second)
  } finally {
    await second.stop()
    await standby.stop()
  }
})

test('a database that was set back to a backup of its disk is not taken for the one that was written: its nodes register anew and go on', async () => {
  using root = makeFolder()
  const dataDir = join(root.folder, 'it')
  const copy = join(root.folder, 'copy')
  const open = await openPostgres(dataDir)
  await using way = open.way
  await using a = await startEngine(open.db, { quick: async (ctx) => ctx.step('s', () => 'done'), waits: async (ctx) => ctx.signal('go') })
  try {
    const { id: kept } = await a.start('waits')
    await a.reaches(kept, 'waiting')
    const nodeId = await a.nodeId()
    await open.owner.rows(sql`checkpoint`)
    execFileSync('cp', ['-a', dataDir, copy]) // What a snapshot of a volume holds: PostgreSQL recovers from it as from a loss of power, on the same timeline.
    forgetProcess(copy)
    for (let i = 0; i < 5; i++) await a.ended((await a.start('quick')).id)
    const { id: forgotten } = await a.start('waits')
    way.cut()
    const restored = await startEmbedded({ dataDir: copy, log: silentLog })
    const db = openDb({ url: restored.url, poolMax: 2, log: silentLog })
    try {
      way.mend(restored.url)
      const from = performance.now()
      await untilWorks(a)
      expect(performance.now() - from).toBeLessThan(5_000)
      expect((await db.rows<{ id: string }>(sql`select id from nodes where not is_dead and id <> ${nodeId}`)).length).toBe(1)
      expect((await openRuns(db)).map(({ id }) => id)).not.toContain(forgotten)
      await a.engine.signal({ tenantId: 'acme', askerId: undefined }, kept, 'tester', 'go', 'word')
      expect(await a.ended(kept)).toMatchObject({ state: 'completed', output: 'word' })
      await checkJournals(db)
    } finally {
      await a.stop()
      await db.stop()
      await restored.stop()
    }
  } finally {
    await open.db.stop()
    await open.owner.stop()
    await open.postgres.stop()
  }
})

test('after a recovery to a point in time what was before goes on, what came after is forgotten, and a write that was under way is not made again', async () => {
  using root = makeFolder()
  const [dataDir, copy] = [join(root.folder, 'it'), join(root.folder, 'copy')]
  const open = await openPostgres(dataDir)
  let written = 0
  const scripts: Scripts = {
    waits: async (ctx) => [await ctx.step('before', () => 'kept'), await ctx.signal('go')],
    writes: async (ctx) => [await ctx.tool('pay', null, async () => (++written, await paid), 'write'), await ctx.signal('go')],
  }
  let pay: (value: string) => void = () => {}
  const paid = new Promise<string>((resolve) => (pay = resolve))
  let restored: Embedded | undefined
  try {
    const a = await startEngine(open.db, scripts)
    await backUp(open.owner, dataDir, copy)
    const { id: parked } = await a.start('waits')
    await a.reaches(parked, 'waiting')
    const { id: underWay } = await a.start('writes')
    await fact(
      () => written,
      (count) => count === 1,
    )
    await sleep(20)
    const [clock] = await open.owner.rows<{ now: string }>(sql`select clock_timestamp()::text as now`)
    await sleep(20)
    pay('a receipt')
    await a.reaches(underWay, 'waiting') // The write is recorded: after the instant.
    const { id: later } = await a.start('waits')
    await a.reaches(later, 'waiting')
    await a.stop()
    await open.db.stop()
    await open.owner.stop()
    await open.postgres.stop()

    restored = await recover({ from: dataDir, to: copy, until: clock?.now ?? '' })
    const db = openDb({ url: restored.url, poolMax: 3, log: silentLog, role: engineRole })
    const b = await startEngine(db, scripts, { leaseMs: 1_000 })
    await db.rows(sql`update nodes set lease_until = clock_timestamp() where id <> ${await b.nodeId()}`) // Its lease would run out by itself.
    expect(
      await fact(
        () => b.load(underWay),
        ({ wait }) => wait?.kind === 'operator',
      ),
    ).toMatchObject({ wait: { reason: 'in_doubt' } })
    await expect(b.load(later)).rejects.toThrow('No run')
    await b.engine.signal({ tenantId: 'acme', askerId: undefined }, parked, 'tester', 'go', 'word')
    expect(await b.ended(parked)).toMatchObject({ state: 'completed', output: ['kept', 'word'] })
    expect(written).toBe(1)
    await checkJournals(db)
    await b.stop()
    await db.stop()
  } finally {
    await open.db.stop().catch(() => {})
    await open.owner.stop().catch(() => {})
    await open.postgres.stop()
    await restored?.stop()
    await open.way[Symbol.asyncDispose]()
  }
})

test.each(['to the database', 'from the database', 'both'] as const)(
  'a way that lets nothing through (%s) is given up, and nothing that was acknowledged is lost',
  async (direction) => {
    await using t = await makeDatabase()
    await using way = await makeCuttable(t.url)
    const db = openDb({ url: way.url, poolMax: 3, log: silentLog, role: engineRole, answerTimeoutMs: 1_000, connectTimeoutMs: 1_000 })
    try {
      await using a = await startEngine(
        db,
        { quick: async (ctx) => ctx.step('s', () => 'done'), waits: async (ctx) => [await ctx.step('s', () => 1), await ctx.signal('go')] },
        { leaseMs: 2_000 },
      )
      const { id } = await a.start('waits')
      await a.reaches(id, 'waiting')
      way.cut(direction)
      await expect(a.load(id)).rejects.toMatchObject({ code: 'unavailable' })
      const open = await fact(
        () => a.logged,
        (lines) => lines.some(({ message }) => message.startsWith('claiming failed')),
      )
      expect(open.length).toBeGreaterThan(0)
      way.mend()
      const from = performance.now()
      await untilWorks(a)
      await a.engine.signal({ tenantId: 'acme', askerId: undefined }, id, 'tester', 'go', 'word')
      expect(await a.ended(id)).toMatchObject({ output: [1, 'word'] })
      expect(performance.now() - from).toBeLessThan(5_000)
      await checkJournals(t.db)
      await a.stop()
    } finally {
      await db.stop()
    }
  },
)

test('a slow database makes everything later and nothing wrong', async () => {
  await using t = await makeDatabase()
  await using way = await makeCuttable(t.url)
  const db = openDb({ url: way.url, poolMax: 5, log: silentLog, role: engineRole })
  try {
    await using a = await startEngine(
      db,
      { steps: async (ctx) => [await ctx.step('one', () => 1), await ctx.sleep('nap', 1_100), await ctx.step('two', () => 2)] },
      { leaseMs: 3_000 },
    )
    const nodeId = await a.nodeId()
    way.slow(40)
    const runs = await Promise.all(Array.from({ length: 8 }, () => a.start('steps')))
    for (const { id } of runs) expect(await a.ended(id)).toMatchObject({ output: [1, null, 2] })
    expect(await t.db.rows(sql`select from nodes where id = ${nodeId} and not is_dead`)).toHaveLength(1)
    way.slow(0)
    await checkJournals(t.db)
    await a.stop()
  } finally {
    await db.stop()
  }
})

test('starts that nobody can write are refused once they are too many to hold; what was held is written when the database is back', async () => {
  await using t = await makeDatabase()
  await using way = await makeCuttable(t.url)
  const db = openDb({ url: way.url, poolMax: 3, log: silentLog, role: engineRole, connectTimeoutMs: 1_000 })
  try {
    await using a = await startEngine(db, { big: async () => null })
    await a.ended((await a.start('big')).id)
    way.cut()
    const input = 'x'.repeat(900_000)
    const starts = Array.from({ length: 120 }, () =>
      a.start('big', input).then(
        () => 'accepted',
        (error: unknown) => error,
      ),
    )
    const refusals = await Promise.all(starts.slice(-40))
    for (const refusal of refusals) expect(refusal).toMatchObject({ code: 'unavailable', message: expect.stringContaining('Nothing was started') })
    way.mend()
    const accepted = (await Promise.all(starts)).filter((outcome) => outcome === 'accepted').length
    expect(accepted).toBeGreaterThan(10)
    expect(accepted).toBeLessThan(80)
    await fact(
      () => openRuns(t.db),
      (open) => open.length === 0,
    )
    expect(await t.db.rows(sql`select from runs`)).toHaveLength(accepted + 1)
    await checkJournals(t.db)
    await a.stop()
  } finally {
    await db.stop()
  }
})
