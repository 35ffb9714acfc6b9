import { expect, test } from 'vitest'
import { openFacesBed } from '../../../test/support/faces-bed.ts'
import { openTestMoney } from '../../../test/support/money.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { sql } from '../../db/index.ts'
import { newId, silentLog } from '../../kernel/index.ts'
import { openBoard } from '../money/index.ts'
import { readLessons } from './outcome-store.ts'
import { openRoutes } from './routes.ts'

const spec = {
  description: '',
  pick: 'learned' as const,
  sticky: true,
  escalate: true,
  learning: { tolerance: 0.1, explore: 0 },
  targets: ['compatible/small', 'anthropic/large'].map((model) => ({ model, weight: 1 })),
}
const format = {
  type: 'json_schema' as const,
  json_schema: { name: 'place', schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
}
const caller = { tenantId: 'acme', keyId: 'key-caller', askerId: undefined, permissions: ['models:call' as const] }

/** Faces, money and routes over one database; the small model cannot do what mentions `hard-step`. */
async function openBed() {
  const database = await makeDatabase()
  const money = openTestMoney(database.db)
  const routes = openRoutes({ db: database.db, log: silentLog })
  const bed = await openFacesBed(
    ({ model, body }) => ({ text: [model === 'small' && JSON.stringify(body).includes('hard-step') ? 'Somewhere.' : '{"city":"Oslo"}'] }),
    { pickTargets: routes.pick, ledger: money },
  )
  await routes.set('acme', 'auto', spec)
  const board = openBoard({ db: database.db, money })
  return {
    ...bed,
    ...{ database, routes, board },
    ask: (system: string, text: string, headers: Record<string, string> = {}) =>
      bed.post(
        '/openai/v1/chat/completions',
        {
          model: 'auto',
          messages: [
            { role: 'system', content: system },
            { role: 'user', content: text },
          ],
          response_format: format,
        },
        headers,
      ),
    calls: async () => (await board.listCalls({ tenantId: 'acme' }, { limit: 100 })).items,
    asked: () => bed.fake.requests.map(({ model }) => model),
    async [Symbol.asyncDispose]() {
      await bed[Symbol.asyncDispose]()
      await money.stop()
      await database[Symbol.asyncDispose]()
    },
  }
}

test('a route learns from what became of its calls which of an agent’s steps the small model cannot do, and each call says why it went where it went', async () => {
  await using t = await openBed()
  for (let i = 0; i < 12; i++)
    for (const step of ['hard-step', 'easy-step'])
      expect(await (await t.ask(step, 'Where?')).json()).toMatchObject({ choices: [{ message: { content: '{"city":"Oslo"}' } }] })
  expect(t.asked().filter((model) => model === 'large')).toHaveLength(12) // Twelve answers were not what was asked for, and went on.
  await expect.poll(t.calls).toHaveLength(36)
  const calls = await t.calls()
  const small = calls.filter(({ model }) => model === 'compatible/small').map(({ route }) => route)
  for (const verdict of ['fits', 'misfits']) expect(small.filter((route) => route?.verdict === verdict)).toHaveLength(12)
  expect(small[0]).toMatchObject({ name: 'auto', why: expect.stringContaining('compatible/small is expected to do well'), chance: 1, kind: 'other' })
  expect(calls.find(({ model }) => model === 'anthropic/large')?.route).toMatchObject({
    why: expect.stringContaining('compatible/small was asked before'),
    verdict: 'fits',
  })

  // Another server, that has read how the calls went.
  const other = openRoutes({ db: t.database.db, log: silentLog })
  await using later = await openFacesBed([{ text: ['{"city":"Oslo"}'] }], { pickTargets: other.pick })
  const first = async (system: string) => {
    await later.openai.chat.completions.create({
      model: 'auto',
      messages: [
        { role: 'system', content: system },
        { role: 'user', content: 'Where?' },
      ],
      response_format: format,
    })
    return later.fake.requests.at(-1)?.model
  }
  expect([await first('hard-step'), await first('easy-step'), await first('hard-step')]).toEqual(['large', 'small', 'large'])
})

test('a session stays with its model or goes up, also at another server, and others are chosen for anew', async () => {
  await using t = await openBed()
  const hard = 'Prove step by step why this algorithm is optimal, derive the bound, and compare the trade-offs of each design.'
  const session = { 'x-longhaul-session': 's1' }
  await t.ask('x', hard, session)
  await t.ask('x', 'Thanks', session)
  await t.ask('x', 'Thanks', { 'x-longhaul-session': 's2' })
  expect(t.asked()).toEqual(['large', 'large', 'small'])
  await expect.poll(t.calls).toHaveLength(3)
  const other = openRoutes({ db: t.database.db, log: silentLog })
  const first = async (name: string) =>
    (await other.try('acme', { name: 'auto', session: name, text: 'Thanks', toolCount: 0, messageCount: 3, wantsJson: false, hasImages: false })).targets[0]
  expect(await first('s1')).toMatchObject({ model: 'anthropic/large', why: expect.stringContaining('the session goes on') })
  expect((await first('s2'))?.model).toBe('compatible/small')
  // Unless the route does not want it.
  await t.routes.set('acme', 'auto', { ...spec, sticky: false })
  await t.ask('x', 'Thanks', session)
  expect(t.asked().at(-1)).toBe('small')
})

test('how runs end, steps that are tried again, and a person’s word are learned from; a failure of a provider is not', async () => {
  await using t = await openBed()
  const { db } = t.database
  const book = async (
    task: string,
    { state, isFailed = false, attempts = [1], score }: { state?: string; isFailed?: boolean; attempts?: number[]; score?: number },
  ) => {
    const run = state === undefined ? null : newId()
    if (run) await db.rows(sql`insert into runs (id, tenant_id, agent, version, state, input, asker) values (${run}, 'acme', 'a', 'v', ${state}, 'null', '{}')`)
    for (const attempt of attempts)
      await db.rows(sql`
        insert into usage (tenant_id, id, at, namespace, run_id, op, attempt, provider, model, input, cache_read, cache_write, cache_write_long, input_audio, input_image, output, reasoning,
          output_audio, output_image, is_estimated, is_failed, route, score)
        values ('acme', ${newId()}, clock_timestamp(), 'default', ${run}, '0', ${attempt}, 'compatible', 'compatible/small', 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, false, ${isFailed},
          ${JSON.stringify({ name: 'auto', why: '', task, kind: 'other', difficulty: 0.2, chance: 1 })}, ${score ?? null})`)
  }
  const failures = {
    ended: { state: 'failed' },
    again: { state: 'completed', attempts: [1, 2] },
    scored: { state: 'completed', score: 0 },
  }
  const successes = {
    well: { state: 'completed' },
    running: { state: 'running' },
    broken: { state: 'failed', isFailed: true },
    unknown: {},
    praised: { state: 'failed', score: 1 },
  }
  for (const [task, how] of Object.entries({ ...failures, ...successes })) for (let i = 0; i < 20; i++) await book(task, how)
  const lessons = new Map((await readLessons(db.forTenant('acme'), 'auto')).map(({ task, count, good }) => [task, good / count]))
  expect(Object.fromEntries(lessons)).toEqual({ ended: 0, again: 0.5, scored: 0, well: 1, praised: 1 })
  expect(await readLessons(db.forTenant('other'), 'auto')).toEqual([])
  expect(await readLessons(db.forTenant('acme'), 'else')).toEqual([])
})

test('an agent’s step that is tried again is asked of a stronger model', async () => {
  await using t = await openBed()
  const runId = newId()
  const first = async (attempt: number) => (await t.routes.pick('auto', { tenantId: 'acme', agent: 'a', runId, session: runId, attempt }))?.models[0]
  expect([await first(1), await first(2)]).toEqual(['compatible/small', 'anthropic/large'])
})

test('what callers say of answers is kept with the call: of their own, and once more counts anew', async () => {
  await using t = await openBed()
  const id = (await t.ask('x', 'Hello')).headers.get('x-longhaul-call') ?? expect.fail('The answer does not name its call.')
  await expect.poll(() => t.board.score(caller, { call: id, score: 0.2 }).catch(() => undefined)).toEqual({ scored: 1 })
  await t.board.score(caller, { call: id, score: 0.9 })
  expect(await t.calls()).toMatchObject([{ id, score: 0.9 }])
  const missing = { code: 'not_found' }
  await expect(t.board.score({ ...caller, keyId: 'another' }, { call: id, score: 0 })).rejects.toMatchObject(missing)
  await expect(t.board.score({ ...caller, tenantId: 'other' }, { call: id, score: 0 })).rejects.toMatchObject(missing)
  await expect(t.board.score({ ...caller, agents: ['mine'] }, { call: id, score: 0 })).rejects.toMatchObject(missing)
  await expect(t.board.score(caller, { run: newId(), score: 0 })).rejects.toMatchObject(missing)
  expect(await t.board.score({ ...caller, keyId: 'operator', permissions: ['models:call', 'routes:manage'] }, { call: id, score: 0.5 })).toEqual({ scored: 1 })
})

test('a route is evaluated on its own calls, and on outcomes that are given', async () => {
  await using t = await openBed()
  for (let i = 0; i < 15; i++) for (const step of ['hard-step', 'easy-step']) await t.ask(step, 'Where?')
  await expect.poll(t.calls).toHaveLength(45)
  const own = await t.routes.evaluate('acme', { name: 'auto', days: 30 })
  expect(own).toMatchObject({
    basis: 'calls',
    cases: 30,
    skipped: [{ cases: 15, why: expect.stringContaining('not drawn') }],
    notes: [expect.stringContaining('weighted'), expect.any(String), expect.any(String)],
  })
  const policy = (name: string) => own.policies.find((each) => each.policy === name)
  expect(policy('always compatible/small')?.quality?.mean).toBeCloseTo(0.5)
  expect(policy('always anthropic/large')?.quality).toBe(null) // It was never drawn first: nothing is made up.
  const outcomes = Array.from({ length: 400 }, (_, i) => ({
    task: i % 2 === 0 ? 'easy' : 'hard',
    text: 'Where?',
    results: [
      { model: 'compatible/small', good: i % 2 === 0 ? 1 : 0, costUsd: 0.001, isFit: i % 2 === 0 },
      { model: 'anthropic/large', good: 1, costUsd: 0.01 },
    ],
  }))
  const given = await t.routes.evaluate('acme', { name: 'auto', days: 30, explore: 0.1, outcomes })
  expect(given).toMatchObject({ basis: 'given', cases: 400 })
  const costOf = (name: string) => given.policies.find((each) => each.policy === name)
  // It escalates, so the small one first is right as well, and pays twice where it was wrong.
  expect(costOf('always compatible/small')).toMatchObject({ quality: { mean: 1 } })
  expect(costOf('always compatible/small')?.costUsd?.mean).toBeCloseTo(0.001 + 0.5 * 0.01)
  expect(costOf('learned')?.costUsd?.mean ?? NaN).toBeLessThan(0.0085)
  await t.routes.set('acme', 'auto', { ...spec, escalate: false })
  const without = await t.routes.evaluate('acme', {
    name: 'auto',
    days: 30,
    outcomes: [...outcomes, { ...outcomes[0]!, results: outcomes[0]!.results.slice(1) }],
  })
  expect(without).toMatchObject({ cases: 400, skipped: [{ cases: 1, why: expect.stringContaining('each target') }] })
  expect(without.policies.find((each) => each.policy === 'always compatible/small')?.quality?.mean).toBeCloseTo(0.5)
  expect(await t.routes.evaluate('acme', { name: 'auto', days: 30, outcomes: outcomes.slice(0, 5) })).toMatchObject({ policies: [], gain: null })
})
