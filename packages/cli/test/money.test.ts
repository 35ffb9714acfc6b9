import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startFakeApi, uuid } from './support/fake-api.ts'
import { command } from './support/run-command.ts'
import { tempFolder } from './support/temp-folder.ts'

const at = '2026-11-21T02:00:00.000Z'
const budget = {
  id: uuid(1),
  name: 'analyst-daily',
  scope: 'agent',
  subject: '*',
  per: 'day',
  timeZone: 'UTC',
  unit: 'usd',
  limit: 20,
  webhookUrl: 'https://hooks.example.com/budgets',
  setBy: 'ada',
  createdAt: at,
  updatedAt: at,
}
const counter = { subject: 'analyst', runId: null, startsAt: at, endsAt: at, spent: 4.5, reserved: 0.25, overrun: 0, left: 15.25 }
const tokens = {
  input: 900,
  cacheRead: 100,
  cacheWrite: 0,
  cacheWriteLong: 0,
  inputAudio: 0,
  inputImage: 0,
  output: 40,
  reasoning: 10,
  outputAudio: 0,
  outputImage: 0,
}
const model = {
  model: 'openai/gpt-5',
  prices: [],
  price: { input: 1.25, cacheRead: 0.125, output: 10 },
  priceId: 'x',
  source: 'operator',
  isOverridden: true,
  contextMax: 400_000,
  outputMax: 128_000,
}
const started = () =>
  startFakeApi({
    answers: {
      'budgets.set': budget,
      'budgets.list': { items: [{ ...budget, fullest: counter }] },
      'budgets.get': { ...budget, counters: [counter] },
      'budgets.delete': budget,
      'budgets.events': {
        items: [
          {
            id: uuid(2),
            at,
            budget: 'analyst-daily',
            subject: 'analyst',
            runId: null,
            kind: 'warning',
            percent: 80,
            unit: 'usd',
            limit: 20,
            spent: 16,
            notice: { state: 'failed', attempt: 12, failure: 'It answered 500' },
          },
        ],
        next: null,
      },
      'usage.score': { scored: 2 },
      'usage.summarize': {
        from: at,
        to: at,
        groups: [
          { at: null, by: { agent: 'analyst', model: 'openai/gpt-5' }, calls: 3, failedCalls: 1, estimatedCalls: 1, unpricedCalls: 0, tokens, costUsd: 1.5 },
        ],
        isCut: false,
      },
      'usage.list': { items: [], next: null },
      'models.list': { items: [model], readOn: '2026-11-01', isCut: false },
      'models.set': model,
      'models.unset': { model: 'openai/gpt-5', count: 1 },
    },
  })

test('budgets are set, listed, shown and deleted; only what was said is sent', async () => {
  await using api = await started()
  expect(await command(api, ['budgets', 'set', 'analyst-daily', '--limit', '20'])).toMatchObject({
    exit: 0,
    out: expect.stringContaining('Budget analyst-daily: $20.00 a day for each agent.'),
  })
  expect(api.requests.at(-1)?.body).toEqual({ name: 'analyst-daily', limit: 20 })
  await command(api, [
    'budgets',
    'set',
    'x',
    '--limit',
    '0.5',
    '--scope',
    'agent',
    '--subject',
    'analyst',
    '--per',
    'day',
    '--time-zone',
    'Asia/Shanghai',
    '--unit',
    'usd',
  ])
  expect(api.requests.at(-1)?.body).toEqual({ name: 'x', limit: 0.5, scope: 'agent', subject: 'analyst', per: 'day', timeZone: 'Asia/Shanghai', unit: 'usd' })
  expect(await command(api, ['budgets', 'set', 'x', '--limit', '1', '--per', 'dayly'])).toMatchObject({
    exit: 2,
    err: expect.stringContaining('Did you mean day'),
  })
  expect(await command(api, ['budgets', 'set', 'x', '--limit', 'much'])).toMatchObject({ exit: 2, err: expect.stringContaining('--limit must be a number') })
  expect((await command(api, ['budgets', 'list'], { columns: 160 })).out).toMatch(
    /analyst-daily {2}each agent {2}\$20\.00 a day {2}\$4\.50 {2}\$0\.25 {2}\$15\.25 {2}analyst/,
  )
  expect((await command(api, ['budgets', 'list', '--json'])).json()).toEqual([{ items: [expect.objectContaining({ name: 'analyst-daily' })] }])
  expect((await command(api, ['budgets', 'show', 'analyst-daily'])).out).toContain('each agent')
  expect((await command(api, ['budgets', 'events'])).out).toContain('80 % reached')
  expect((await command(api, ['budgets', 'delete', 'analyst-daily'])).out).toContain('is deleted')
  expect(api.requests.at(-1)).toMatchObject({ method: 'DELETE', path: '/v1/budgets/analyst-daily' })
})

test('usage is summed by any dimensions, and models are listed and priced', async () => {
  await using api = await started()
  const by = await command(api, ['usage', 'by', 'agent,model', '--key-id', 'k1', '--agent', 'analyst', '--from', '2026-11-01'])
  expect(by.out).toMatch(/analyst {2}openai\/gpt-5 {2}\$1\.50 +3 +1,000 +100 +50 {2}1 estimated, 1 failed/)
  expect(api.requests.at(-1)?.path).toBe('/v1/usage?agent=analyst&key=k1&by=agent%2Cmodel&grain=total&timeZone=UTC&limit=50&from=2026-11-01T00%3A00%3A00.000Z')
  expect(await command(api, ['usage', 'by', '--grain', 'decade'])).toMatchObject({ exit: 2, err: expect.stringContaining('total, hour, day') })
  expect(await command(api, ['usage', 'by', '--from', 'yesterday'])).toMatchObject({ exit: 2, err: expect.stringContaining('--from is no instant') })
  expect((await command(api, ['usage', 'calls'])).out).toContain('No model was called.')
  expect((await command(api, ['models', 'list', 'gpt-5'])).out).toMatch(/openai\/gpt-5 +1\.25/)
  await command(api, ['models', 'set', 'openai/gpt-5', '--input', '1.25', '--output', '10', '--cache-read', '0.125'])
  expect(api.requests.at(-1)?.body).toEqual({ model: 'openai/gpt-5', price: { input: 1.25, output: 10, cacheRead: 0.125 } })
  expect(await command(api, ['models', 'set', 'openai/gpt-5', '--input', '1'])).toMatchObject({ exit: 2, err: expect.stringContaining('two sides') })
  expect((await command(api, ['models', 'unset', 'openai/gpt-5', '--json'])).json()).toEqual([{ model: 'openai/gpt-5', count: 1 }])
})

test('a forecast says how much, within what, by what, and when a limit will be reached', async () => {
  const forecast = {
    ...{
      asOf: at,
      timeZone: 'UTC',
      unit: 'usd',
      startsAt: '2026-11-01T00:00:00.000Z',
      endsAt: '2026-12-01T00:00:00.000Z',
      spent: 206,
      method: 'weekdays',
      historyDays: 26,
    },
    total: { expected: 217.75, low: 210, high: 225.5 },
    days: [],
  }
  const reachesLimit = { at: '2026-11-24T12:00:00.000Z', earliest: '2026-11-23T12:00:00.000Z', latest: null }
  await using api = await startFakeApi({
    answers: { 'usage.forecast': forecast, 'budgets.forecast': { ...forecast, subject: 'analyst', limit: 215, reachesLimit } },
  })
  const shown = (await command(api, ['usage', 'forecast', '--agent', 'analyst', '--per', 'week'])).out
  expect(shown).toContain('$217.75 ($210.00 to $225.50) by 2026-12-01')
  expect(shown).toContain('the mean of each weekday in 26 whole days')
  expect(api.requests.at(-1)?.path).toBe('/v1/usage/forecast?agent=analyst&per=week&timeZone=UTC')
  const ofBudget = (await command(api, ['budgets', 'forecast', 'analyst-daily', '--subject', 'analyst'])).out
  expect(ofBudget).toContain('$206.00 of $215.00')
  expect(ofBudget).toMatch(/2026-11-2\d \d\d:00 \(2026-11-2\d \d\d:00 to not at all\)/)
  expect(api.requests.at(-1)?.path).toBe('/v1/budgets/analyst-daily/forecast?subject=analyst')
  await using young = await startFakeApi({ answers: { 'usage.forecast': { ...forecast, method: 'none', historyDays: 2, total: null } } })
  expect((await command(young, ['usage', 'forecast'])).out).toContain('too little to go by: 2 whole days')
})

test('what if: another model, another limit, or both', async () => {
  const asModel = {
    ...{ from: at, to: at, calls: 12, costUsd: 8, unpricedCalls: 1, asCostUsd: 0.9, asUnpricedCalls: 0 },
    models: [{ model: 'openai/gpt-5', calls: 12, costUsd: 8, asCostUsd: 0.9 }],
  }
  const window = { at, calls: 9, reachedAt: at, refusedCalls: 3, spent: 20, refused: 4.5 }
  const asLimit = {
    from: at,
    to: at,
    calls: 12,
    refusedCalls: 3,
    refused: 4.5,
    unpricedCalls: 0,
    windows: [window, { ...window, reachedAt: null, refusedCalls: 0 }],
  }
  await using api = await startFakeApi({ answers: { 'usage.try': { asModel, asLimit } } })
  const shown = (
    await command(api, ['usage', 'what-if', '--as-model', 'openai/gpt-5-mini', '--as-limit', '20', '--per', 'day', '--model', 'openai/gpt-5'], { columns: 160 })
  ).out
  expect(shown).toMatch(/all of them +12 +\$8\.00 +\$0\.90/)
  expect(shown).toContain('1 call had no price')
  expect(shown).toContain('3 calls of 12 refused, with $4.50.')
  expect(api.requests.at(-1)?.path).toBe(
    '/v1/usage/what-if?model=openai%2Fgpt-5&timeZone=UTC&asModel=openai%2Fgpt-5-mini&prices=then&asLimit=20&unit=usd&per=day',
  )
  expect(await command(api, ['usage', 'what-if'])).toMatchObject({ exit: 2, err: expect.stringContaining('--as-model') })
  expect(await command(api, ['usage', 'what-if', '--as-limit', 'much'])).toMatchObject({ exit: 2, err: expect.stringContaining('--as-limit must be a number') })
  await using free = await startFakeApi({ answers: { 'usage.try': { asModel: null, asLimit: { ...asLimit, refusedCalls: 0, windows: [] } } } })
  expect((await command(free, ['usage', 'what-if', '--as-limit', '20'])).out).toContain('would not have been reached: 12 calls')
})

test('an answer is scored by its call or by its run, and by one of them', async () => {
  await using api = await started()
  expect(await command(api, ['usage', 'score', '0', '--run', uuid(3)])).toMatchObject({ exit: 0, out: expect.stringContaining('2 model calls are scored 0') })
  expect(api.requests.at(-1)?.body).toEqual({ run: uuid(3), score: 0 })
  expect((await command(api, ['usage', 'score', '1'])).err).toContain('Whose answer was it?')
  expect((await command(api, ['usage', 'score', '7', '--run', uuid(3)])).err).toContain('number from 0 to 1')
})

test('a route that learns is set and evaluated, on its calls or on outcomes of a file', async () => {
  const interval = { mean: 0.91, low: 0.88, high: 0.94 }
  const policy = {
    policy: 'learned',
    quality: interval,
    costUsd: null,
    shares: [
      { model: 'a/small', share: 0.7 },
      { model: 'b/large', share: 0.3 },
    ],
    recovered: 0.8,
    effectiveCases: 40,
  }
  const result = {
    basis: 'calls',
    cases: 40,
    skipped: [{ why: 'nobody knows how it went', cases: 3 }],
    learning: { tolerance: 0.05, explore: 0.05 },
    policies: [policy],
    gain: { mean: 0.05, low: 0.01, high: 0.09 },
    notes: ['A note.'],
  }
  await using api = await startFakeApi({ answers: { 'routes.evaluate': result } })
  const shown = (await command(api, ['routes', 'evaluate', 'auto', '--tolerance', '0.1'], { columns: 160 })).out
  expect(shown).toMatch(/learned {2}91\.0 % \(88\.0–94\.0\) +no price +80 % +70 : 30 +40/)
  for (const text of ['by 5.0 (1.0 to 9.0) points', '3 left out: nobody knows', 'A note.']) expect(shown).toContain(text)
  expect(api.requests.at(-1)?.body).toEqual({ days: 30, tolerance: 0.1 })
  const folder = await tempFolder()
  const outcome = { task: 't', results: [{ model: 'a/small', good: 1 }] }
  await writeFile(join(folder, 'o.jsonl'), `${JSON.stringify(outcome)}\n\n`)
  await command(api, ['routes', 'evaluate', 'auto', '--file', join(folder, 'o.jsonl')])
  expect(api.requests.at(-1)?.body).toMatchObject({ outcomes: [outcome] })
  await writeFile(join(folder, 'bad.jsonl'), `${JSON.stringify(outcome)}\nnot json`)
  expect(await command(api, ['routes', 'evaluate', 'auto', '--file', join(folder, 'bad.jsonl')])).toMatchObject({
    exit: 2,
    err: expect.stringContaining('line 2'),
  })
  expect(await command(api, ['routes', 'evaluate', 'auto', '--explore', '0.9'])).toMatchObject({ exit: 2 })
  expect(await command(api, ['routes', 'set', 'auto', '--explore', '0.1', '--target', 'a/b'])).toMatchObject({
    exit: 2,
    err: expect.stringContaining('--pick learned'),
  })
})

test('a route whose target cannot be asked is made, and that is said', async () => {
  const route = {
    ...{ name: 'bad', description: '', pick: 'order', sticky: true, escalate: false, updatedAt: '2026-11-21T02:00:00.000Z' },
    targets: [
      { model: 'nobody/x', weight: 1 },
      { model: 'openai/gpt-5', weight: 1 },
    ],
    problems: [{ model: 'nobody/x', problem: 'There is no provider nobody here.' }],
  }
  await using api = await startFakeApi({ answers: { 'routes.set': route, 'routes.list': { items: [route] } } })
  const made = await command(api, ['routes', 'set', 'bad', '--target', 'nobody/x', '--target', 'openai/gpt-5'])
  expect(made).toMatchObject({ exit: 0, out: expect.stringContaining('nobody/x cannot be asked, so calls pass over it. There is no provider nobody here.') })
  expect(made.out).not.toContain('openai/gpt-5 cannot')
  expect((await command(api, ['routes', 'list'], { columns: 200 })).out).toContain('nobody/x (cannot be asked), openai/gpt-5')
})

test('an edit is sent with the etag that was seen, and a server that says that something will be gone is heard once', async () => {
  const headers = { deprecation: '@1', sunset: 'Sat, 01 May 2027 00:00:00 GMT', link: '<https://longhaul.example/old>; rel="deprecation"' }
  await using api = await startFakeApi({ headers, answers: { 'budgets.set': budget, 'budgets.list': { items: [] } } })
  const { exit, err, out } = await command(api, ['budgets', 'set', 'analyst-daily', '--limit', '20', '--if-match', 'abc'])
  expect([exit, api.requests[0]?.headers['if-match']]).toEqual([0, 'abc'])
  expect(err).toBe('  ! budgets.set is deprecated and may be gone after Sat, 01 May 2027 00:00:00 GMT. See https://longhaul.example/old\n')
  expect(out).not.toContain('deprecated')
  await command(api, ['budgets', 'list'])
  expect(api.requests[1]?.headers['if-match']).toBeUndefined()
})

test('a budget says where its events are told, and the list of events what became of it', async () => {
  await using api = await started()
  await command(api, ['budgets', 'set', 'all', '--limit', '5', '--webhook', 'https://hooks.example.com/budgets'])
  expect(api.requests.at(-1)?.body).toEqual({ name: 'all', limit: 5, webhookUrl: 'https://hooks.example.com/budgets' })
  await command(api, ['budgets', 'set', 'all', '--limit', '5', '--no-webhook'])
  expect(api.requests.at(-1)?.body).toEqual({ name: 'all', limit: 5, webhookUrl: null })
  await command(api, ['budgets', 'set', 'all', '--limit', '5'])
  expect(api.requests.at(-1)?.body).toEqual({ name: 'all', limit: 5 })
  expect((await command(api, ['budgets', 'show', 'analyst-daily'])).out).toContain('hooks.example.com')
  expect((await command(api, ['budgets', 'events'], { columns: 160 })).out).toContain('failed: It answered 500')
})

test('a catalogue is read from an address or a file, shown, applied and taken back', async () => {
  const version = {
    id: uuid(7),
    source: 'a file',
    readOn: '2026-11-27',
    changeCount: 1,
    madeBy: 'ada',
    madeAt: at,
    appliedBy: 'ada',
    appliedAt: at,
    isCurrent: true,
  }
  const read = {
    ...{ id: uuid(7), source: 'a file', readOn: '2026-11-27', modelCount: 2, changeCount: 1 },
    changes: [{ model: 'openai/gpt-5', kind: 'price', was: { input: 1, output: 2 }, now: { input: 20, output: 2 }, isSuspicious: true }],
  }
  await using api = await startFakeApi({
    answers: { 'models.refresh': read, 'models.apply': version, 'models.rollback': { current: null }, 'models.versions': { items: [version], next: null } },
  })
  const seen = await command(api, ['models', 'refresh', '--from', 'https://models.dev/api.json'], { columns: 160 })
  expect(seen.out).toMatch(/openai\/gpt-5 +price +1 → 20 +2 → 2 +look at this one/)
  expect(seen.out).toContain(`models apply ${uuid(7)}`)
  expect(api.requests.map(({ body }) => body)).toEqual([{ url: 'https://models.dev/api.json' }])
  const file = join(await tempFolder(), 'catalogue.json')
  await writeFile(file, '{"readOn":"2026-11-27","models":[]}')
  expect((await command(api, ['models', 'refresh', '--from', file, '--apply'])).out).toContain('It counts from now on')
  expect(api.requests.slice(1).map(({ path, body }) => [path, body])).toEqual([
    ['/v1/catalogue/versions', { catalogue: { readOn: '2026-11-27', models: [] } }],
    [`/v1/catalogue/versions/${uuid(7)}/apply`, expect.anything()],
  ])
  expect((await command(api, ['models', 'versions'], { columns: 160 })).out).toContain('counts')
  expect((await command(api, ['models', 'rollback'])).out).toContain('brings along')
})
