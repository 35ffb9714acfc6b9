import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startWithWorkers } from '../../test/support/workers.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { fact } from '../../test/support/engine.ts'
import { type Metered, openMeter } from './meter.ts'
import { type Scaling, type WorkerLoad, planWorkers } from './scaling.ts'

const scaling: Scaling = { workersMin: 1, workersMax: 3, runsMax: 10, memoryBytesMax: 1_000, idleMsMax: 60_000 }
const worker = (load: Partial<WorkerLoad> = {}): WorkerLoad => ({ isReady: true, runCount: 1, cpuShare: 0.1, memoryBytes: 500, idleMs: 0, ...load })

test('There is one more worker when all are full, by runs or by processor time, up to the most, and none while one is starting', () => {
  const add = (...workers: WorkerLoad[]) => planWorkers(workers, false, scaling).add
  expect(add(worker())).toBe(0)
  expect(add(worker({ runCount: 10 }))).toBe(1)
  expect(add(worker({ cpuShare: 0.9 }))).toBe(1)
  expect(add(worker({ cpuShare: 0.9 }), worker())).toBe(0)
  expect(add(worker({ cpuShare: 0.9 }), worker({ isReady: false, runCount: 0 }))).toBe(0)
  expect(add(worker({ cpuShare: 0.9 }), worker({ runCount: 11 }), worker({ runCount: 12 }))).toBe(0)
})

test('Without a minimum there are none until a run waits, and the last one goes when it is idle', () => {
  const toZero = { ...scaling, workersMin: 0 }
  expect(planWorkers([], false, toZero).add).toBe(0)
  expect(planWorkers([], true, toZero).add).toBe(1)
  const idle = worker({ runCount: 0, idleMs: 60_000 })
  expect(planWorkers([idle], false, toZero).drain).toEqual([idle])
  expect(planWorkers([idle], false, scaling).drain).toEqual([])
  expect(planWorkers([idle, worker()], false, scaling).drain).toEqual([idle])
})

test('A worker that holds too much is drained and replaced, one that holds far too much is ended', () => {
  const large = worker({ memoryBytes: 1_001 })
  expect(planWorkers([large], false, scaling)).toEqual({ add: 1, drain: [large], end: [] })
  const leaking = worker({ memoryBytes: 1_501 })
  expect(planWorkers([leaking], false, scaling)).toEqual({ add: 1, drain: [], end: [leaking] })
})

test('Processor time goes to the runs whose code may have executed, memory to all that were there', () => {
  let now = 0
  const runs = new Map<string, Metered>()
  const meter = openMeter(runs, () => now)
  const join = (id: string, isItsTurn: boolean): Metered => {
    meter.passMemory()
    const run = { isItsTurn, cpuMs: 0, memoryFrom: meter.memoryOfOne() }
    runs.set(id, run)
    if (isItsTurn) meter.turn(run)
    return run
  }
  const a = join('a', true)
  const b = join('b', false)
  meter.read({ cpuMs: 0, memoryBytes: 100e6 })
  now = 1_000
  meter.read({ cpuMs: 300, memoryBytes: 100e6 })
  expect(meter.settle(a)).toEqual({ cpuMs: 300, memoryMbS: 50 })
  expect(meter.settle(b)).toEqual({ cpuMs: 0, memoryMbS: 50 })
  b.isItsTurn = true
  meter.turn(b)
  now = 2_000
  meter.read({ cpuMs: 700 })
  expect(meter.settle(a)).toEqual({ cpuMs: 200, memoryMbS: 50 })
  expect(meter.settle(b)).toEqual({ cpuMs: 200, memoryMbS: 50 })
  expect(meter.cpuShare()).toBeCloseTo(0.3 * 0.25 + 0.4 * 0.5, 5)
})

test('A version whose worker is busy gets another, which takes the next run, and what its runs took is written with them', { timeout: 60_000 }, async () => {
  await using t = await makeDatabase()
  await using w = await startWithWorkers(
    t.db,
    {
      code: `
      if (input === 'quick') return await ctx.step('pid', () => process.pid)
      const { existsSync } = await import('node:fs')
      await ctx.step('busy', async () => { while (!existsSync(input)) { for (let i = 0; i < 2e6; i++); await new Promise(setImmediate) } })
      return process.pid`,
    },
    { workers: { scaling: { workersMin: 1, workersMax: 2, runsMax: 1, memoryBytesMax: 4e9, idleMsMax: 60_000 } } },
  )
  const over = join(w.folder, 'over')
  const busy = await w.start('code', over)
  await fact(
    () => w.loaded.length,
    (count) => count === 2,
    'the number of workers that have loaded the code',
    30_000,
  )
  const quick = await w.ended((await w.start('code', 'quick')).id, 20_000)
  await writeFile(over, '')
  const slow = await w.ended(busy.id, 30_000)
  expect(quick.output).not.toBe(slow.output)
  expect(slow.compute.cpuMs).toBeGreaterThan(100)
  expect(slow.compute.memoryMbS).toBeGreaterThan(20)
  expect(quick.compute.cpuMs).toBeLessThan(slow.compute.cpuMs)
})

test('A worker that leaks is replaced while its runs go on, and one that leaks on is ended, its runs taken up elsewhere', { timeout: 60_000 }, async () => {
  await using t = await makeDatabase()
  await using w = await startWithWorkers(
    t.db,
    {
      code: `
      const { existsSync, writeFileSync } = await import('node:fs')
      const mark = ctx.dataDir + '/leaked-' + input
      await ctx.step('leak', async () => {
        if (existsSync(mark)) return
        writeFileSync(mark, '')
        const kept = []
        for (;;) { kept.push(Buffer.alloc(20e6, 1)); await new Promise((resolve) => setTimeout(resolve, 100)) }
      })
      return process.pid`,
    },
    { workers: { scaling: { workersMin: 1, workersMax: 1, runsMax: 100, memoryBytesMax: 400e6, idleMsMax: 60_000 } } },
  )
  const { id } = await w.start('code', `${process.pid}-${performance.now()}`)
  await fact(
    () => w.logged.some(({ message }) => message === 'worker is drained'),
    (isDrained) => isDrained,
    'that it is drained',
    30_000,
  )
  expect(await w.ended(id, 30_000)).toMatchObject({ state: 'completed' })
  const [interrupted] = (await w.events(id)).filter(({ type }) => type === 'run.interrupted')
  expect(interrupted?.data).toMatchObject({ message: expect.stringContaining('MB of memory') as string })
})
