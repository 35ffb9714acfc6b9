import type { Route, RouteTaken } from '@longhaul/protocol'
import { describe, expect, test } from 'vitest'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { openFacesBed } from '../../../test/support/faces-bed.ts'
import { ask, openFakeGateway, pickedOf, promptOf } from '../../../test/support/fake-gateway.ts'
import type { FakeStep } from '../../../test/support/fake-provider.ts'
import { AppError, silentLog } from '../../kernel/index.ts'
import { checkCondition } from './conditions.ts'
import { difficultyOf } from './difficulty.ts'
import { judgeTargets } from './pick.ts'
import { openRoutes } from './routes.ts'

const spec = (targets: { model: string; weight?: number; when?: string }[], more: Partial<Route> = {}) => ({
  description: '',
  pick: 'order' as const,
  sticky: true,
  escalate: false,
  targets: targets.map((target) => ({ weight: 1, ...target })),
  ...more,
})

describe('conditions', () => {
  test.each([
    'true',
    'request.difficulty < 0.4',
    'request.tools > 0 && !request.stream',
    'request.text.contains("SQL") || request.bytes > 100000',
    'caller.tags["team"] == "search"',
    '"team" in caller.tags && caller.key.startsWith("prod-")',
    'time.hour >= 22 || time.hour < 6',
    'request.face in ["chat", "messages"]',
  ])('%s is one', (text) => expect(() => checkCondition(text, 'when')).not.toThrow())

  test.each([
    ['request.difficulty <', /when: /],
    ['request.dificulty < 0.4', /when: .*dificulty/],
    ['request.difficulty', /of type double, not bool/],
    ['requests.tools > 0', /when: /],
    ['request.text.matches("(a+)+$")', /matches is not offered/],
    [`${'('.repeat(60)}true${')'.repeat(60)}`, /when: /],
    [Array.from({ length: 120 }, () => 'true').join(' && '), /when: /],
  ])('%s is none, and the reason is told', (text, reason) => {
    expect(() => checkCondition(text, 'when')).toThrow(AppError)
    expect(() => checkCondition(text, 'when')).toThrow(reason)
  })
})

test('difficulty: a greeting is easier than a proof, in both languages', () => {
  const of = (text: string) => difficultyOf({ text, toolCount: 0, messageCount: 1, bytes: text.length, hasImages: false })
  expect(of('Hello')).toBeLessThan(0.4)
  expect(of('翻译：早上好')).toBeLessThan(0.4)
  expect(of('Prove step by step why this algorithm is optimal, and compare the trade-offs.')).toBeGreaterThan(0.5)
  expect(of('证明为什么这个算法最优，并逐步分析和比较。')).toBeGreaterThan(0.5)
})

describe('who is asked first', () => {
  const facts = (session: string) => ({
    request: { face: 'chat', bytes: 10n, messages: 1n, tools: 0n, images: false, json: false, stream: false, text: '', difficulty: 0.2 },
    caller: { key: 'k', user: '', agent: '', session, tags: new Map<string, string>() },
    time: { hour: 1n, weekday: 1n },
  })
  const route = (targets: Parameters<typeof spec>[0], more: Partial<Route> = {}): Route => ({ name: 'r', updatedAt: '', ...spec(targets, more) })
  const first = (of: Route, session: string, random: () => number) => judgeTargets(of, facts(session), random).map(({ model }) => model)

  test('the order of the list, without those whose condition does not hold or cannot be told', () => {
    const judged = judgeTargets(
      route([{ model: 'a/1', when: 'request.tools > 0' }, { model: 'a/2' }, { model: 'a/3', when: 'caller.tags["x"] == "y"' }, { model: 'a/4' }]),
      facts(''),
      () => 0,
    )
    expect(judged.map(({ model, isAsked }) => [model, isAsked])).toEqual([
      ['a/2', true],
      ['a/4', true],
      ['a/1', false],
      ['a/3', false],
    ])
    expect(judged[3]?.why).toContain('cannot be told')
  })

  test('by weight, in shares as told; each target is there once', () => {
    const weighted = route([{ model: 'a/1', weight: 3 }, { model: 'a/2' }], { pick: 'weight' })
    const firsts = Array.from({ length: 400 }, (_, i) => first(weighted, '', () => (i + 0.5) / 400))
    expect(firsts.every((order) => order.toSorted().join() === 'a/1,a/2')).toBe(true)
    expect(firsts.filter(([model]) => model === 'a/1')).toHaveLength(300)
  })

  test('a session stays with its target; others are spread', () => {
    const weighted = route([{ model: 'a/1' }, { model: 'a/2' }, { model: 'a/3' }], { pick: 'weight' })
    const of = (session: string) => first(weighted, session, Math.random)[0]
    for (let i = 0; i < 20; i++) expect(of('s1')).toBe(of('s1'))
    const counts = Map.groupBy(
      Array.from({ length: 300 }, (_, i) => of(`s${i}`)),
      (model) => model,
    )
    expect([...counts.values()].every((all) => all.length > 60)).toBe(true)
  })
})

async function openBedWithRoutes(script: Parameters<typeof openFacesBed>[0]) {
  const database = await makeDatabase()
  const routes = openRoutes({ db: database.db, log: silentLog, whyNotModel: (tenantId, model) => bed.models.whyNot(tenantId, model) })
  const bed = await openFacesBed(script, { pickTargets: routes.pick, routeNames: async (tenantId) => (await routes.list(tenantId)).map(({ name }) => name) })
  return {
    ...bed,
    routes,
    async [Symbol.asyncDispose]() {
      await bed[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

test('a route takes targets that cannot be asked, tells which and why, and calls pass over them', async () => {
  await using t = await openBedWithRoutes([{ text: ['Hi.'] }])
  const targets = ['nobody/x', 'groq/llama', 'anthropic/one', 'nobody/x'].map((model) => ({ model }))
  const problems = [
    { model: 'nobody/x', problem: expect.stringMatching(/no provider nobody here.*openai\//) },
    { model: 'groq/llama', problem: expect.stringContaining('GROQ_API_KEY') },
  ]
  expect((await t.routes.set('acme', 'odd', spec(targets))).problems).toEqual(problems)
  expect(await t.routes.set('acme', 'sound', spec([{ model: 'anthropic/one' }]))).toMatchObject({ problems: [] })
  expect((await t.routes.get('acme', 'odd')).problems).toEqual(problems)
  expect((await t.routes.list('acme')).map(({ name, problems: found }) => [name, found?.length])).toEqual([
    ['odd', 2],
    ['sound', 0],
  ])
  await t.anthropic.messages.create({ model: 'odd', max_tokens: 5, messages: [{ role: 'user', content: 'x' }] })
  expect(t.fake.requests.at(-1)?.model).toBe('one')
})

test('a route is made, listed, used by every face, changed and taken away; another tenant’s does not exist', async () => {
  await using t = await openBedWithRoutes([{ text: ['Hi.'] }])
  await t.routes.set('acme', 'smart', spec([{ model: 'anthropic/one' }, { model: 'compatible/two' }]))
  await t.routes.set('other', 'theirs', spec([{ model: 'anthropic/one' }]))
  expect((await t.openai.models.list()).data.map(({ id }) => id)).toEqual([
    'smart',
    'default',
    'compatible/qwen3:8b',
    'openai/gpt-6.1-terra',
    'anthropic/claude-sonnet-5-5',
    'google/gemini-3.8-flash',
    'offline/planner',
  ])
  expect((await t.anthropic.models.retrieve('smart')).id).toBe('smart')
  await t.openai.chat.completions.create({ model: 'smart', messages: [{ role: 'user', content: 'x' }] })
  await t.openai.responses.create({ model: 'smart', input: 'x' })
  await t.anthropic.messages.create({ model: 'smart', max_tokens: 5, messages: [{ role: 'user', content: 'x' }] })
  expect(t.fake.requests.map(({ model }) => model)).toEqual(['one', 'one', 'one'])
  await t.routes.set('acme', 'smart', spec([{ model: 'compatible/two' }]))
  expect(await t.routes.get('acme', 'smart')).toMatchObject({ targets: [{ model: 'compatible/two', weight: 1 }] })
  await t.anthropic.messages.create({ model: 'smart', max_tokens: 5, messages: [{ role: 'user', content: 'x' }] })
  expect(t.fake.requests.at(-1)?.model).toBe('two')
  await expect(t.openai.chat.completions.create({ model: 'theirs', messages: [{ role: 'user', content: 'x' }] })).rejects.toMatchObject({ status: 404 })
  await expect(t.routes.get('acme', 'theirs')).rejects.toMatchObject({ code: 'not_found' })
  await expect(t.routes.delete('acme', 'theirs')).rejects.toMatchObject({ code: 'not_found' })
  await t.routes.delete('acme', 'smart')
  await expect(t.openai.chat.completions.create({ model: 'smart', messages: [{ role: 'user', content: 'x' }] })).rejects.toMatchObject({
    status: 404,
    code: 'model_not_found',
  })
  await expect(t.routes.set('acme', 'bad', spec([{ model: 'a/b', when: 'request.tols > 0' }]))).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringContaining('targets.0.when'),
  })
})

test('easy requests go to the small model, hard ones to the large one, and a target without a key here is left out', async () => {
  await using t = await openBedWithRoutes([{ text: ['Hi.'] }])
  await t.routes.set(
    'acme',
    'auto',
    spec([{ model: 'groq/no-key' }, { model: 'compatible/small', when: 'request.difficulty < 0.4' }, { model: 'anthropic/large' }]),
  )
  const to = async (content: string) => {
    await t.openai.chat.completions.create({ model: 'auto', messages: [{ role: 'user', content }] })
    return t.fake.requests.at(-1)?.model
  }
  expect(await to('Translate: good morning')).toBe('small')
  expect(await to('Prove step by step why this algorithm is optimal, and compare the trade-offs.')).toBe('large')
  expect(await t.routes.try('acme', { name: 'auto', text: 'Hello', toolCount: 0, messageCount: 1, wantsJson: false, hasImages: false })).toMatchObject({
    difficulty: expect.any(Number),
    targets: [{ model: 'groq/no-key', isAsked: true }, { model: 'compatible/small', isAsked: true }, { model: 'anthropic/large' }],
  })
})

describe('an answer that is not of the schema that was asked for', () => {
  const format = {
    type: 'json_schema' as const,
    json_schema: { name: 'place', schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
  }
  const smallIsWrong = (text: string) => (request: { model: string | undefined }) => ({ text: [request.model === 'small' ? text : '{"city":"Oslo"}'] })
  const askFor = async (t: Awaited<ReturnType<typeof openBedWithRoutes>>, model = 'auto') =>
    (await t.openai.chat.completions.create({ model, messages: [{ role: 'user', content: 'Where?' }], response_format: format })).choices[0]?.message.content

  test.each(['Oslo, I think.', '{"town":"Oslo"}', '{"city":5}'])('%s is asked of the next target', async (text) => {
    await using t = await openBedWithRoutes(smallIsWrong(text))
    await t.routes.set('acme', 'auto', spec([{ model: 'compatible/small' }, { model: 'anthropic/large' }], { escalate: true }))
    expect(await askFor(t)).toBe('{"city":"Oslo"}')
    expect(t.fake.requests.map(({ model }) => model)).toEqual(['small', 'large'])
    expect(t.booked.map(({ outcome }) => outcome.type)).toEqual(['used', 'used']) // Both cost.
  })

  test('one that fits is given; without the wish, or from the last target, any is', async () => {
    await using fits = await openBedWithRoutes(smallIsWrong('{"city":"Bergen"}'))
    await fits.routes.set('acme', 'auto', spec([{ model: 'compatible/small' }, { model: 'anthropic/large' }], { escalate: true }))
    expect(await askFor(fits)).toBe('{"city":"Bergen"}')
    await using wrong = await openBedWithRoutes(smallIsWrong('Oslo'))
    await wrong.routes.set('acme', 'auto', spec([{ model: 'compatible/small' }, { model: 'anthropic/large' }]))
    await wrong.routes.set('acme', 'last', spec([{ model: 'compatible/small' }], { escalate: true }))
    expect([await askFor(wrong), await askFor(wrong, 'last')]).toEqual(['Oslo', 'Oslo'])
  })
})

describe('an agent', () => {
  const picked = async () => pickedOf(['compatible/bad', 'anthropic/good'])

  test('asks for a route as for a model, and no target is asked twice', async () => {
    await using t = await openFakeGateway((request) => (request.model === 'bad' ? { status: 500 } : { text: ['Hi.'] }), { pickTargets: picked })
    expect((await ask(t.gateway, promptOf('smart'))).reply.model).toBe('anthropic/good')
    expect(t.fake.requests.map(({ model }) => model)).toEqual(['bad', 'good'])
    await using down = await openFakeGateway([{ status: 500 }], { pickTargets: picked })
    await expect(ask(down.gateway, promptOf('smart'))).rejects.toMatchObject({ failure: { code: 'provider_error', retryable: true } })
    expect(down.fake.requests).toHaveLength(2)
  })

  test('tells by which route each call went, and who was asked in vain; a model that answers under its own name has nothing to tell', async () => {
    const taken = async (bad: FakeStep, model = 'smart') => {
      await using t = await openFakeGateway((request) => (request.model === 'bad' ? bad : { text: ['Hi.'] }), { pickTargets: picked })
      const told: RouteTaken[] = []
      const asking = t.gateway.generate(promptOf(model), { signal: new AbortController().signal, onRouted: (route) => told.push(route) })
      await asking.catch(() => {})
      return told
    }
    const failed = { model: 'compatible/bad', code: 'provider_error', message: expect.any(String) as string, durationMs: expect.any(Number) as number }
    expect(await taken({ status: 500 })).toEqual([{ name: 'route', why: 'always', model: 'anthropic/good', tries: [failed] }])
    expect(await taken({ text: ['Yes.'] })).toEqual([{ name: 'route', why: 'always', model: 'compatible/bad', tries: [] }])
    expect(await taken({ status: 500 }, 'compatible/bad')).toEqual([{ name: null, why: null, model: null, tries: [failed] }])
    expect(await taken({ text: ['Yes.'] }, 'compatible/bad')).toEqual([])
  })

  test('hears no second model after the first has spoken', async () => {
    await using t = await openFakeGateway(
      (request) => ({ text: ['One ', 'two.'], ...(request.model === 'bad' ? { fault: { type: 'end' as const, afterEvents: 3 } } : {}) }),
      { pickTargets: picked },
    )
    await expect(ask(t.gateway, promptOf('smart'))).rejects.toMatchObject({ failure: { retryable: true } })
    expect(t.fake.requests).toHaveLength(1)
  })
})
