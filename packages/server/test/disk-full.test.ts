/** What becomes of runs while PostgreSQL has no room, for its tables or for its log: on a real file system that is full, which root can make. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chownSync, closeSync, mkdirSync, mkdtempSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { engineRole, migrate, openDb, startEmbedded } from '../src/db/index.ts'
import { silentLog, sleep } from '../src/kernel/index.ts'
import { startEngine } from './support/engine.ts'
import { checkJournals } from './support/journal-checks.ts'

const kB = 1_024
/** Nothing that could be compressed. */
const random = () => randomBytes(100 * kB).toString('base64')

/** A file system of its own under `folder`, whose files stay where they were. */
function mountUnder(folder: string, size: string) {
  const { uid, gid, mode } = statSync(folder)
  const before = `${folder}.before`
  renameSync(folder, before)
  mkdirSync(folder, { mode })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=${(mode & 0o777).toString(8)}`, 'disk-full-test', folder])
  chownSync(folder, uid, gid)
  execFileSync('cp', ['-a', `${before}/.`, folder])
  rmSync(before, { recursive: true })
  const ballast = join(folder, 'ballast')
  return {
    fill() {
      const file = openSync(ballast, 'w')
      for (const piece of [1_024 * kB, 4 * kB])
        try {
          for (;;) writeSync(file, Buffer.alloc(piece, 1))
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        }
      closeSync(file)
    },
    free: () => rmSync(ballast),
    [Symbol.dispose]: () => void execFileSync('umount', ['-l', folder]),
  }
}

function makeFolder() {
  const dataDir = mkdtempSync(join(tmpdir(), 'disk-full-'))
  return { dataDir, [Symbol.dispose]: () => rmSync(dataDir, { recursive: true, force: true }) }
}

function whyNot(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'mount-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'disk-full-test', folder], { stdio: 'pipe' })
    execFileSync('umount', [folder])
    return undefined
  } catch (error) {
    return String(error)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
const reason = whyNot()

test.skipIf(reason).each(['base', 'pg_wal'] as const)(
  `no room in PostgreSQL’s %s: starts wait and are refused, what was acknowledged stays, and all goes on when there is room${reason ? ` (skipped: ${reason.slice(0, 100)})` : ''}`,
  async (part) => {
    using place = makeFolder()
    const { dataDir } = place
    const made = await startEmbedded({ dataDir, log: silentLog })
    const maker = openDb({ url: made.url, poolMax: 1, log: silentLog })
    await migrate(maker, { log: silentLog })
    await maker.stop()
    await made.stop()
    using disk = mountUnder(join(dataDir, 'postgres', 'data', part), '192m')
    const postgres = await startEmbedded({ dataDir, log: silentLog })
    const db = openDb({ url: postgres.url, poolMax: 5, log: silentLog, role: engineRole, answerTimeoutMs: 5_000 })
    try {
      await using a = await startEngine(db, {
        quick: async (ctx) => ctx.step('s', () => 'done'),
        waits: async (ctx) => [await ctx.step('s', () => 1), await ctx.signal('go')],
      })
      const { id: parked } = await a.start('waits')
      await a.reaches(parked, 'waiting')

      disk.fill()
      const accepted: string[] = []
      let held: Promise<unknown> | undefined
      for (let n = 0; !held && n < 2_000; n++) {
        const start = a.start('quick', random()).then(
          ({ id }) => void accepted.push(id),
          (error: unknown) => error,
        )
        if ((await Promise.race([start, sleep(2_000).then(() => 'held')])) === 'held') held = start
      }
      expect(held).toBeDefined()
      if (part === 'base') {
        expect(await held).toMatchObject({ code: 'unavailable', message: expect.stringMatching(/no room left on its disk.*may have been started/) })
        expect(await a.load(parked)).toMatchObject({ state: 'waiting' }) // What needs no room works.
        await expect(a.engine.signal({ tenantId: 'acme', askerId: undefined }, parked, 'tester', 'big', random())).rejects.toMatchObject({
          code: 'unavailable',
        })
      }

      disk.free()
      const from = performance.now()
      await a.start('quick')
      expect(performance.now() - from).toBeLessThan(5_000)
      if (part === 'pg_wal') expect(await held).toBeUndefined() // Its start was written after all.
      for (const id of accepted) expect(await a.ended(id)).toMatchObject({ state: 'completed' })
      await a.engine.signal({ tenantId: 'acme', askerId: undefined }, parked, 'tester', 'go', 'word')
      expect(await a.ended(parked)).toMatchObject({ state: 'completed', output: [1, 'word'] })
      await checkJournals(db)
    } finally {
      await db.stop()
      await postgres.stop()
    }
  },
)
