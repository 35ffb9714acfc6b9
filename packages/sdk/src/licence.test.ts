import { expect, test } from 'vitest'
import type { Context } from './agent.ts'
import { frameByFrame } from '../test/support/frame-log.ts'
import { machineMs } from './licence.ts'

const program = (begun: string[]) => async (ctx: Context) => {
  const step = (name: string, effect?: 'write') =>
    ctx.step(name, () => void begun.push(name), { ...(effect && { effect }), retry: { attemptsMax: 3, delayMsMin: 0, delayMsMax: 0 } })
  await step('first')
  await step('second', 'write')
}

test('nothing begins without a licence: it is asked for once, and what waits begins in its order', async () => {
  const begun: string[] = []
  const w = frameByFrame(program(begun), { isLicensed: false })
  w.start()
  await w.next('admit')
  await w.settle()
  expect(begun).toEqual([])
  expect(w.types()).toEqual(['admit'])
  w.worker.receive({ type: 'licence', untilMs: machineMs() + 60_000 })
  await w.next('op.done', '0')
  expect(begun).toEqual(['first'])
})

test('one that has run out counts no more, neither for a next try nor for a write whose intent is recorded', async () => {
  const begun: string[] = []
  let isFirst = true
  const w = frameByFrame(
    async (ctx) => {
      await ctx.step('first', () => {
        begun.push('first')
        if (isFirst) throw new Error('not yet')
      })
      await ctx.step('second', () => void begun.push('second'), { effect: 'write' })
    },
    { isLicensed: false },
  )
  const admitted = () => w.frames.filter(({ type }) => type === 'admit').length
  w.start()
  const untilMs = machineMs() + 50
  w.worker.receive({ type: 'licence', untilMs })
  await w.next('op.error', '0')
  while (machineMs() < untilMs) await new Promise((resolve) => setTimeout(resolve, 5))
  isFirst = false
  const before = admitted()
  w.receive({ type: 'op.retry', op: '0', attempt: 2, delayMs: 0 })
  while (admitted() === before) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(begun).toEqual(['first'])
  const again = machineMs() + 50
  w.worker.receive({ type: 'licence', untilMs: again })
  await w.next('op.done', '0')
  w.receive({ type: 'op.completed', op: '0' })
  await w.next('op.begin', '1')
  while (machineMs() < again) await new Promise((resolve) => setTimeout(resolve, 5))
  const asked = admitted()
  w.receive({ type: 'op.begun', op: '1' })
  while (admitted() === asked) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(begun).toEqual(['first', 'first'])
  w.worker.receive({ type: 'licence', untilMs: machineMs() + 60_000 })
  await w.next('op.done', '1')
  expect(begun).toEqual(['first', 'first', 'second'])
})

test('a released run says that it has yielded when its steps have ended, and at once when it only waits for the server', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const w = frameByFrame(async (ctx) => {
    await ctx.step('slow', () => promise)
    await ctx.step('never', () => 1)
  })
  w.start()
  await w.settle()
  w.receive({ type: 'run.release', reason: 'superseded' }, { type: 'run.yield' })
  await w.settle()
  expect(w.types()).toEqual([])
  resolve()
  await w.next('run.yielded')
  await w.settle()
  expect(w.types()).toEqual(['run.yielded'])
  const other = frameByFrame(async (ctx) => ctx.waitForSignal('go'))
  other.start()
  await other.next('op.wait')
  other.receive({ type: 'run.release', reason: 'superseded' }, { type: 'run.yield' })
  await other.next('run.yielded')
})
