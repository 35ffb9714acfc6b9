import { expect, test } from 'vitest'
import { everyone, fact, startEngine } from '../../test/support/engine.ts'
import { checkJournals } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'

test('a run whose server step is executing is cancelled: the step is told to stop, and nothing of it is recorded', async () => {
  await using t = await makeDatabase()
  let aborted = 0
  const { promise: executing, resolve: isExecuting } = Promise.withResolvers<void>()
  await using e = await startEngine(
    t.db,
    { code: (ctx) => ctx.serve('exec', 'long', {}) },
    {
      executors: {
        exec: (_, { signal }) =>
          new Promise((resolve) => {
            signal.addEventListener('abort', () => {
              aborted++
              resolve({ output: 'too late' })
            })
            isExecuting()
          }),
      },
    },
  )
  const { id } = await e.start('code')
  await executing
  expect(await e.engine.cancel(everyone, id, 'tester', 'not needed')).toMatchObject({ state: 'cancelled', output: null })
  expect(aborted).toBe(1)
  expect((await e.events(id)).map(({ type, data }) => [type, 'reason' in data ? data.reason : undefined])).toEqual([
    ['run.started', undefined],
    ['step.started', undefined],
    ['run.cancelled', 'not needed'],
  ])
  await fact(
    () => e.executions[0]?.frames.at(-1),
    (frame) => frame?.type === 'run.release',
    'last frame',
  )
  expect(e.engine.stats().activeCount).toBe(0)
  await checkJournals(t.db)
})

test('a run is cancelled while its code executes, while it sleeps, while it is parked and before anybody has looked at it', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, {
    busy: (ctx) => ctx.step('s', () => new Promise<never>(() => {})),
    asleep: (ctx) => ctx.sleep('long', 3_600_000),
    async parked(ctx) {
      ctx.send({ type: 'run.diverged', run: ctx.run.run, op: '0', recorded: 'a', asked: 'b' })
      return new Promise<never>(() => {})
    },
  })
  const ids: string[] = []
  for (const [agent, state] of [
    ['busy', 'running'],
    ['asleep', 'waiting'],
    ['parked', 'waiting'],
  ] as const) {
    const { id } = await e.start(agent)
    await e.reaches(id, state)
    ids.push(id)
  }
  // Behind another one of its session: nobody will look at it.
  const first = await e.start('asleep', null, { session: 's' })
  await e.reaches(first.id, 'waiting')
  ids.push((await e.start('asleep', null, { session: 's' })).id)
  for (const id of ids) expect(await e.engine.cancel(everyone, id, 'tester')).toMatchObject({ state: 'cancelled' })
  expect(e.executions.filter(({ assignment }) => assignment.id === ids[3])).toEqual([])
  expect(await e.load(first.id)).toMatchObject({ state: 'waiting' })
  await checkJournals(t.db)
})

test('cancelling a run that has ended changes nothing, and nobody cancels another tenant’s', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: async () => 'done', asleep: (ctx) => ctx.signal('x') })
  const { id } = await e.start('code')
  const ended = await e.ended(id)
  expect(await e.engine.cancel(everyone, id, 'tester')).toEqual(ended)
  const other = await e.start('asleep')
  await e.reaches(other.id, 'waiting')
  await expect(e.engine.cancel({ tenantId: 'another', askerId: undefined }, other.id, 'x')).rejects.toMatchObject({ code: 'not_found' })
  expect(await e.load(other.id)).toMatchObject({ state: 'waiting' })
  expect((await e.events(id)).filter(({ type }) => type === 'run.cancelled')).toEqual([])
})

test('a run that is cancelled before a worker was found for it is never given to one', async () => {
  await using t = await makeDatabase()
  const asked: { attach(send: (frame: object) => void): void; isOver(): boolean; id: string }[] = []
  await using e = await startEngine(t.db, {}, { execute: (assignment) => void asked.push(assignment) })
  const { id } = await e.start('code')
  await fact(
    () => asked,
    (found) => found.length === 1,
  )
  expect(asked[0]?.isOver()).toBe(false)
  await e.engine.cancel(everyone, id, 'tester')
  expect(asked[0]?.isOver()).toBe(true)
  const frames: object[] = []
  asked[0]?.attach((frame) => frames.push(frame))
  expect(frames).toEqual([])
})
