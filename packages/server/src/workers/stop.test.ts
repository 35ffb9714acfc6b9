import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeCuttable } from '../../test/support/cuttable.ts'
import { fact, startEngine, tenantId } from '../../test/support/engine.ts'
import { checkJournals } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { isRunning, startWithWorkers } from '../../test/support/workers.ts'
import { openDb } from '../db/index.ts'
import { silentLog } from '../kernel/index.ts'

const code = `
  const { writeFileSync, existsSync } = await import('node:fs')
  const at = process.env.HOME + '/' + input
  await ctx.step('first', () => 1)
  return ctx.step('slow', async () => {
    writeFileSync(at + '.begun', String(process.pid))
    while (!existsSync(at + '.go')) await new Promise((resolve) => setTimeout(resolve, 20))
    writeFileSync(at + '.effect', String(process.pid))
    return 'done'
  })`

/** A file is there before what is written to it is. */
const isWritten = (path: string) => existsSync(path) && readFileSync(path, 'utf8') !== ''

test('a worker that was frozen when its run was stopped is ended, and never wakes; the others in it go on', { timeout: 60_000 }, async () => {
  await using t = await makeDatabase()
  // Its silence alone would not end it before the test is over.
  await using w = await startWithWorkers(t.db, { code }, { workers: { silenceMsMax: 600_000 } })
  const file = (name: string) => join(w.folder, name)
  const stoppedRun = await w.start('code', 'stopped')
  const other = await w.start('code', 'other')
  const begun = (name: string) =>
    fact(
      () => isWritten(file(`${name}.begun`)),
      (isThere) => isThere,
      name,
      20_000,
    )
  await begun('stopped')
  await begun('other')
  const pid = Number(readFileSync(file('stopped.begun'), 'utf8'))
  process.kill(pid, 'SIGSTOP')
  const stopped = await w.engine.stopRuns({ tenantId, runId: stoppedRun.id }, 'operator')
  expect(stopped).toMatchObject({ cutCount: 1, nodesUnheard: [], cut: [{ runId: stoppedRun.id, lastStep: { op: '0', type: 'step.completed' } }] })
  await fact(
    () => isRunning(pid),
    (isThere) => !isThere,
    'the frozen worker',
  )
  writeFileSync(file('stopped.go'), '')
  writeFileSync(file('other.go'), '')
  // A positive control: the other run of that worker is taken up again, is not to blame, and has its effect.
  expect(await w.ended(other.id, 20_000)).toMatchObject({ state: 'completed', output: 'done' })
  expect((await w.events(other.id)).filter(({ type, data }) => type === 'run.interrupted' && 'isSuspect' in data && data.isSuspect)).toEqual([])
  expect(existsSync(file('stopped.effect'))).toBe(false)
  expect(await w.load(stoppedRun.id)).toMatchObject({ state: 'waiting', wait: { reason: 'stopped' } })
  await w.engine.liftStop(tenantId, stopped.stop.id, 'operator')
  expect(await w.ended(stoppedRun.id, 20_000)).toMatchObject({ state: 'completed', output: 'done' })
  expect(Number(readFileSync(file('stopped.effect'), 'utf8'))).not.toBe(pid)
  await checkJournals(t.db)
})

test(
  'a run whose code ends when it is told leaves its worker to the others; one that does not end is replaced with its worker',
  { timeout: 60_000 },
  async () => {
    await using t = await makeDatabase()
    const polite = `
    const { writeFileSync, existsSync } = await import('node:fs')
    const at = process.env.HOME + '/' + input.name
    return ctx.step('slow', async () => {
      writeFileSync(at + '.begun', String(process.pid))
      while (!existsSync(at + '.go') && !(input.isPolite && ctx.signal.aborted)) await new Promise((resolve) => setTimeout(resolve, 20))
      writeFileSync(at + (ctx.signal.aborted ? '.cut' : '.done'), '')
      return 'done'
    })`
    await using w = await startWithWorkers(t.db, { code: polite })
    const file = (name: string) => join(w.folder, name)
    const there = (name: string) =>
      fact(
        () => (name.endsWith('.begun') ? isWritten(file(name)) : existsSync(file(name))),
        (isThere) => isThere,
        name,
        20_000,
      )
    const other = await w.start('code', { name: 'other' })
    const stopped = await w.start('code', { name: 'polite', isPolite: true })
    await there('other.begun')
    await there('polite.begun')
    const pid = Number(readFileSync(file('polite.begun'), 'utf8'))
    expect(Number(readFileSync(file('other.begun'), 'utf8'))).toBe(pid)
    expect(await w.engine.stopRuns({ tenantId, runId: stopped.id }, 'operator')).toMatchObject({ cutCount: 1, nodesUnheard: [] })
    // The answer comes when its code has ended.
    expect(existsSync(file('polite.cut'))).toBe(true)
    expect(isRunning(pid)).toBe(true)
    // One that does not end by itself is ended with its worker, and the others are taken up again.
    const rude = await w.start('code', { name: 'rude' })
    await there('rude.begun')
    expect(await w.engine.stopRuns({ tenantId, runId: rude.id }, 'operator')).toMatchObject({ cutCount: 1, nodesUnheard: [] })
    expect(isRunning(pid)).toBe(false)
    writeFileSync(file('other.go'), '')
    writeFileSync(file('rude.go'), '')
    expect(await w.ended(other.id, 20_000)).toMatchObject({ state: 'completed' })
    expect(existsSync(file('rude.done')) || existsSync(file('rude.cut'))).toBe(false)
    expect((await w.events(other.id)).filter(({ type }) => type === 'run.interrupted')).toHaveLength(1)
    await checkJournals(t.db)
  },
)

test('no step begins after a stop was answered, also at a node that is cut off from the database', { timeout: 60_000 }, async () => {
  await using t = await makeDatabase()
  await using way = await makeCuttable(t.url)
  const far = openDb({ url: way.url, poolMax: 5, log: silentLog })
  const late = `
    const { appendFileSync, existsSync } = await import('node:fs')
    const at = process.env.HOME + '/'
    await ctx.step('first', () => 1)
    appendFileSync(at + 'outside', '')
    // Outside of any step, so that the server knows nothing of it.
    while (!existsSync(at + 'go')) await new Promise((resolve) => setTimeout(resolve, 20))
    const second = ctx.step('second', () => (appendFileSync(at + 'effects', 'second\\n'), 2))
    appendFileSync(at + 'asked', 'x')
    return second`
  const zombie = await startWithWorkers(far, { code: late }, { engine: { leaseMs: 600_000 } })
  const near = await startEngine(t.db, {}, { activeMax: 0 })
  const file = (name: string) => join(zombie.folder, name)
  const there = (name: string) =>
    fact(
      () => existsSync(file(name)),
      (isThere) => isThere,
      name,
      20_000,
    )
  try {
    const { id } = await zombie.start('code')
    await there('outside')
    way.cut()
    const stopped = await near.engine.stopRuns({ tenantId, runId: id }, 'operator')
    expect(stopped.nodesUnheard).toEqual([await zombie.nodeId()])
    writeFileSync(file('go'), '')
    await there('asked')
    expect(existsSync(file('effects'))).toBe(false)
    way.mend()
    await fact(
      () => zombie.engine.stats().activeCount,
      (count) => count === 0,
      'number of active runs',
      40_000,
    )
    expect(existsSync(file('effects'))).toBe(false)
    // A positive control: the same step begins when the stop is lifted.
    await near.engine.liftStop(tenantId, stopped.stop.id, 'operator')
    expect(await zombie.ended(id, 30_000)).toMatchObject({ state: 'completed', output: 2 })
    expect(readFileSync(file('effects'), 'utf8')).toBe('second\n')
    await checkJournals(t.db)
  } finally {
    way.mend()
    await near.stop()
    await zombie.stop()
    await far.stop()
  }
})
