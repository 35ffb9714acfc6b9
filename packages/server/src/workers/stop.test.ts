import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fact, tenantId } from '../../test/support/engine.ts'
import { checkJournals } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { isRunning, startWithWorkers } from '../../test/support/workers.ts'

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

test('a worker that was frozen when its run was stopped is ended, and never wakes; the others in it go on', { timeout: 60_000 }, async () => {
  await using t = await makeDatabase()
  // Its silence alone would not end it before the test is over.
  await using w = await startWithWorkers(t.db, { code }, { workers: { silenceMsMax: 600_000 } })
  const file = (name: string) => join(w.folder, name)
  const stoppedRun = await w.start('code', 'stopped')
  const other = await w.start('code', 'other')
  const begun = (name: string) =>
    fact(
      () => existsSync(file(`${name}.begun`)),
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
