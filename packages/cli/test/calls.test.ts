import { expect, test } from 'vitest'
import { startFakeApi, uuid } from './support/fake-api.ts'
import { command } from './support/run-command.ts'

const call = {
  ...{
    id: uuid(1),
    at: '2026-11-21T02:00:00.000Z',
    namespace: 'default',
    keyId: 'k1',
    user: 'ann',
    session: null,
    face: 'chat',
    isStream: false,
    model: 'smart',
  },
  ...{
    answeredBy: 'openai/gpt-5',
    outcome: 'failed',
    status: 503,
    code: 'unreachable',
    isKeptAnswer: false,
    inputTokens: 12,
    outputTokens: 3,
    isEstimated: false,
    costUsd: 0.5,
  },
  ...{ durationMs: 1_200, tags: {}, privacy: 'masked' },
}
const masked = { ...call, request: { messages: ['[EMAIL_1]'] }, answer: null, isCut: false, isMasked: true }
const rule = { namespace: 'clinic', privacy: 'none', days: 7, setBy: 'ops', setAt: call.at }
const started = () =>
  startFakeApi({
    answers: {
      'calls.list': { items: [call], next: 'more' },
      'calls.get': masked,
      'calls.reveal': { ...masked, request: { messages: ['ann@example.com'] }, isMasked: false },
      'callPrivacy.list': { items: [rule], next: null },
      'callPrivacy.set': rule,
    },
  })

test('calls are listed by what was said, and nothing else is asked for', async () => {
  await using api = await started()
  const listed = await command(api, ['calls', 'list', '--outcome', 'failed', '--cost-min', '0.1', '--key-id', 'k1', '--from', '2026-11-01'], { columns: 200 })
  expect(listed.out).toMatch(/smart .*failed \(503 unreachable\).*ann/)
  expect(listed.out).toContain('--cursor more')
  const [, query = ''] = api.requests.at(-1)?.path.split('?') ?? []
  expect(Object.fromEntries(new URLSearchParams(query))).toEqual({
    limit: '50',
    outcome: 'failed',
    costUsdMin: '0.1',
    key: 'k1',
    from: '2026-11-01T00:00:00.000Z',
  })
  expect(await command(api, ['calls', 'list', '--cost-min', 'much'])).toMatchObject({ exit: 2 })
})

test('what is estimated is marked, in the list and in one call, and nothing else is', async () => {
  const guessed = { ...masked, id: uuid(2), isEstimated: true }
  await using api = await startFakeApi({ answers: { 'calls.list': { items: [call, guessed], next: null }, 'calls.get': guessed } })
  const [counted, marked] = (await command(api, ['calls', 'list'], { columns: 200 })).out.split('\n').filter((line) => line.includes('smart'))
  expect(counted).toMatch(/ \$0\.50 +12 +3 /)
  expect(marked).toMatch(/ ~\$0\.50 +~12 +~3 /)
  expect((await command(api, ['calls', 'get', uuid(2)])).out).toMatch(/12 in, 3 out; estimated, since a provider did not say/)
})

test('one call is shown masked, and revealed with a reason', async () => {
  await using api = await started()
  expect((await command(api, ['calls', 'get', uuid(1)])).out).toMatch(/\[EMAIL_1\]/)
  expect((await command(api, ['calls', 'get', uuid(1)])).out).toContain('"calls reveal" shows what is hidden')
  expect((await command(api, ['calls', 'reveal', uuid(1), '--reason', 'complaint 4711'])).out).toContain('ann@example.com')
  expect(api.requests.at(-1)).toMatchObject({ method: 'POST', path: `/v1/calls/${uuid(1)}/reveal`, body: { reason: 'complaint 4711' } })
  expect((await command(api, ['calls', 'reveal', uuid(1)])).exit).not.toBe(0)
})

test('privacy is listed and set', async () => {
  await using api = await started()
  expect((await command(api, ['calls', 'privacy', 'list'])).out).toMatch(/clinic +none +7 days/)
  expect((await command(api, ['calls', 'privacy', 'set', 'none', '--namespace', 'clinic', '--days', '7'])).out).toContain('clinic')
  expect(api.requests.at(-1)).toMatchObject({ body: { privacy: 'none', namespace: 'clinic', days: 7 } })
  expect(await command(api, ['calls', 'privacy', 'set', 'some'])).toMatchObject({ exit: 2 })
})
