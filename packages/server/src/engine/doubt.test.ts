/** A write that was interrupted: visible, never repeated on a guess, decided once. */
import { expect, test } from 'vitest'
import { type ScriptContext, type TestEngine, everyone, fact, startEngine } from '../../test/support/engine.ts'
import { checkJournals, watchJournal } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import type { Executor } from './run/ports.ts'

const never = () => new Promise<never>(() => {})
const typesOf = async (e: TestEngine, runId: string) => (await e.events(runId)).map(({ type }) => type)

/** Pays, and has lost its worker in the middle of it. */
async function interruptedIn(e: TestEngine, begun: () => number, agent = 'pays') {
  const { id } = await e.start(agent)
  await fact(
    () => typesOf(e, id),
    (types) => types.includes('step.started'),
  )
  await expect.poll(begun).toBe(1)
  e.loseWorker()
  return id
}
const pays =
  (counts: { applied: number }, isHanging = () => counts.applied === 1) =>
  (ctx: ScriptContext) =>
    ctx.tool(
      'pay',
      { amount: 5 },
      async () => {
        counts.applied++
        return isHanging() ? never() : `payment ${counts.applied}`
      },
      'write',
    )
const decision = (runId: string, more: object = {}) => ({ runId, op: '0', decision: 'completed' as const, output: 'seen', ...more })

test('an interrupted write is not executed again; the run waits for an operator, who says what it came to', async () => {
  await using t = await makeDatabase()
  await watchJournal(t.db)
  const counts = { applied: 0 }
  await using e = await startEngine(t.db, { pays: pays(counts) })
  const id = await interruptedIn(e, () => counts.applied)
  const run = await e.reaches(id, 'waiting')
  expect(run.wait).toMatchObject({ kind: 'operator', name: 'pay', reason: 'in_doubt', op: '0' })
  expect(e.engine.stats().activeCount).toBe(0)
  expect((await e.events(id)).at(-1)).toMatchObject({ type: 'step.doubted', op: '0', data: { kind: 'tool', name: 'pay', attempt: 1, needs: 'person' } })

  const decided = await e.engine.decideStep(everyone, 'ann', decision(id))
  expect(decided.wait?.reason).not.toBe('in_doubt')
  expect(await e.ended(id)).toMatchObject({ state: 'completed', output: { output: 'seen', parts: [] } })
  expect(counts.applied).toBe(1)
  expect((await e.events(id)).slice(-3)).toMatchObject([
    { type: 'step.decided', data: { decision: 'completed', by: 'ann' } },
    { type: 'step.completed', data: { output: { output: 'seen', parts: [] } } },
    { type: 'run.completed' },
  ])
  await checkJournals(t.db)
})

test.each([
  ['execute' as const, { state: 'completed', output: 'payment 2' }, 2],
  ['failed' as const, { state: 'failed', failure: { message: 'declined', code: 'decided' } }, 1],
])('an operator may decide that it is to be %s', async (what, expected, count) => {
  await using t = await makeDatabase()
  const counts = { applied: 0 }
  await using e = await startEngine(t.db, { pays: pays(counts) })
  const id = await interruptedIn(e, () => counts.applied)
  await e.reaches(id, 'waiting')
  await e.engine.decideStep(everyone, 'ann', decision(id, { decision: what, message: 'declined' }))
  expect(await e.ended(id)).toMatchObject(expected)
  expect(counts.applied).toBe(count)
  const started = (await e.events(id)).filter(({ type }) => type === 'step.started')
  expect(started.map(({ data }) => 'attempt' in data && data.attempt)).toEqual(what === 'execute' ? [1, 2] : [1])
})

test('of many decisions one counts, and the others are told so; what is not in doubt cannot be decided', async () => {
  await using t = await makeDatabase()
  const counts = { applied: 0 }
  await using e = await startEngine(t.db, { pays: pays(counts), waits: (ctx) => ctx.signal('go') })
  const id = await interruptedIn(e, () => counts.applied)
  await e.reaches(id, 'waiting')
  const all = await Promise.allSettled(Array.from({ length: 5 }, (_, i) => e.engine.decideStep(everyone, `person ${i}`, decision(id, { output: i }))))
  expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  for (const one of all) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'conflict' })
  await e.ended(id)
  await expect(e.engine.decideStep(everyone, 'ann', decision(id))).rejects.toMatchObject({ code: 'conflict' })
  const { id: waiting } = await e.start('waits')
  await e.reaches(waiting, 'waiting')
  await expect(e.engine.decideStep(everyone, 'ann', decision(waiting))).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('not in doubt'),
  })
  await expect(e.engine.decideStep({ tenantId: 'other', askerId: undefined }, 'eve', decision(waiting))).rejects.toMatchObject({ code: 'not_found' })
})

test('an interrupted tool that declares nothing has failed; one that only reads is executed again', async () => {
  await using t = await makeDatabase()
  let count = 0
  const hangsOnce = async () => (++count === 1 ? never() : 'read')
  await using e = await startEngine(t.db, {
    undeclared: (ctx) => ctx.tool('look', {}, hangsOnce, 'undeclared'),
    reads: (ctx) => ctx.tool('look', {}, hangsOnce, 'none'),
  })
  expect(await e.ended(await interruptedIn(e, () => count, 'undeclared'))).toMatchObject({
    state: 'failed',
    failure: { code: 'interrupted', message: expect.stringContaining('not known') },
  })
  expect(count).toBe(1)
  count = 0
  expect(await e.ended(await interruptedIn(e, () => count, 'reads'))).toMatchObject({ state: 'completed', output: 'read' })
  expect(count).toBe(2)
})

test('a worker cannot execute again what is put to a person, nor answer it', async () => {
  await using t = await makeDatabase()
  const counts = { applied: 0 }
  let isBold = false
  await using e = await startEngine(t.db, {
    async pays(ctx) {
      if (!isBold) return pays(counts, () => true)(ctx)
      const of = { run: ctx.run.run, op: '0', kind: 'tool' as const, name: 'pay' }
      ctx.send({ type: 'op.begin', ...of, attempt: 2, input: {}, effect: 'write' })
      ctx.send({ type: 'op.done', ...of, attempt: 1, output: 'made up', durationMs: 1 })
      ctx.send({ type: 'op.error', ...of, attempt: 1, failure: { message: 'made up', retryable: true }, durationMs: 1 })
      return ctx.signal('never')
    },
  })
  isBold = false
  const { id } = await e.start('pays')
  await fact(
    () => counts.applied,
    (applied) => applied === 1,
  )
  isBold = true
  e.loseWorker()
  await fact(
    () => typesOf(e, id),
    (types) => types.includes('wait.created') || types.includes('step.doubted'),
  )
  await e.engine.signal(everyone, id, 'ann', 'seen', null)
  await fact(
    () => typesOf(e, id),
    (types) => types.includes('signal.received'),
  )
  expect((await e.events(id)).filter(({ op }) => op === '0').map(({ type }) => type)).toEqual(['step.started', 'step.doubted'])
  await e.engine.cancel(everyone, id, 'ann')
})

test('a step of the server that writes is not executed again when it was interrupted, also where what it does is found out late or not at all', async () => {
  await using t = await makeDatabase()
  const executed: string[] = []
  const exec: Executor = {
    effectOf: async (input) => {
      if (input === 'unknown') throw new Error('Nobody can tell.')
      return input === 'sends' ? 'write' : undefined
    },
    async execute(input, { isRepeated }) {
      executed.push(String(input))
      return isRepeated ? { output: 'again' } : never()
    },
  }
  await using e = await startEngine(t.db, { code: (ctx) => ctx.serve('exec', 'command', ctx.input) }, { executors: { exec } })
  for (const input of ['sends', 'unknown', 'reads']) {
    const { id } = await e.start('code', input)
    await expect.poll(() => executed).toContain(input)
    e.loseWorker()
    if (input === 'reads') expect(await e.ended(id)).toMatchObject({ output: 'again' })
    else {
      expect((await e.reaches(id, 'waiting')).wait).toMatchObject({ reason: 'in_doubt', name: 'command', op: '0' })
      await e.engine.decideStep(everyone, 'ann', decision(id))
      expect(await e.ended(id)).toMatchObject({ output: 'seen' })
    }
  }
  expect(executed).toEqual(['sends', 'unknown', 'reads', 'reads'])
  await checkJournals(t.db)
})
