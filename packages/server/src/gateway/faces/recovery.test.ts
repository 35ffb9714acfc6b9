/** What is tried again, how often, and what is said to a caller who could try again. */
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { type FacesBed, callerKey, openFacesBed } from '../../../test/support/faces-bed.ts'
import { pickedOf } from '../../../test/support/fake-gateway.ts'
import type { FakeStep } from '../../../test/support/fake-provider.ts'

const good: FakeStep = { text: ['Good day.'], usage: { input: 20, output: 6 } }
const messages = [{ role: 'user', content: 'Hello' }]
const ask = (t: FacesBed, model: string, headers: Record<string, string> = {}) => t.post('/openai/v1/chat/completions', { model, messages }, headers)
const limited = (headers: Record<string, string> = {}): FakeStep => ({ status: 429, error: { type: 'rate_limit_error', message: 'Slow down' }, headers })
const failing: FakeStep = { status: 500, error: { type: 'server_error', message: 'Oops' } }

describe('a pause that the provider asks for', () => {
  test.each<[string, Record<string, string>]>([
    ['in milliseconds', { 'retry-after-ms': '50' }],
    ['that has passed', { 'retry-after': 'Fri, 01 Jan 2021 00:00:00 GMT' }],
  ])('%s is waited for when it is short', async (what, headers) => {
    await using t = await openFacesBed((_, index) => (index === 0 ? limited(headers) : good))
    const answer = await ask(t, 'compatible/m')
    // A time that makes no sense is as good as none: the key rests for its usual time, and the caller is told.
    expect([answer.status, t.fake.requests.length]).toEqual(what === 'in milliseconds' ? [200, 2] : [429, 1])
  })

  test.each<[string, Record<string, string>, string]>([
    ['in seconds', { 'retry-after': '20' }, '20'],
    ['without a number', {}, '5'],
    ['absurd', { 'retry-after': '1000000000' }, '5'],
    ['negative', { 'retry-after': '-3' }, '5'],
    ['not a time', { 'retry-after': 'soon' }, '5'],
  ])('%s is handed on when it is long, and nobody is asked meanwhile', async (_, headers, seconds) => {
    await using t = await openFacesBed([limited(headers)])
    const answer = await ask(t, 'compatible/m')
    expect([answer.status, answer.headers.get('retry-after'), answer.headers.get('x-should-retry')]).toEqual([429, seconds, 'true'])
    const again = await ask(t, 'compatible/m')
    expect([again.status, Number(again.headers.get('retry-after')) <= Number(seconds)]).toEqual([429, true])
    expect(t.fake.requests).toHaveLength(1)
    expect((await ask(t, 'compatible/other')).status).toBe(429) // Its own limit, asked for itself.
    expect(t.fake.requests).toHaveLength(2)
  })
})

test('a pause that is asked for as a date is handed on in seconds', async () => {
  await using t = await openFacesBed(() => limited({ 'retry-after': new Date(Date.now() + 30_000).toUTCString() }))
  const answer = await ask(t, 'compatible/m')
  expect(answer.status).toBe(429)
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(Number(answer.headers.get('retry-after'))).toBeLessThanOrEqual(31)
  expect((await ask(t, 'compatible/m')).status).toBe(429)
  expect(t.fake.requests).toHaveLength(1)
})

test('several keys share the load, and one that is limited rests while the others go on', async () => {
  await using t = await openFacesBed((request) => (request.key === 'k2' ? limited({ 'retry-after': '60' }) : good), { keys: { openai: 'k1, k2,k3' } })
  for (let i = 0; i < 7; i++) expect((await ask(t, 'openai/gpt-5-mini')).status).toBe(200)
  expect(t.fake.requests.map(({ key }) => key)).toEqual(['k1', 'k2', 'k3', 'k1', 'k3', 'k1', 'k3', 'k1'])
})

test('a key that is refused leaves the call to another', async () => {
  await using t = await openFacesBed((request) => (request.key === 'k1' ? { status: 401, error: { type: 'authentication_error', message: 'No' } } : good), {
    keys: { openai: 'k1,k2' },
  })
  for (let i = 0; i < 3; i++) expect((await ask(t, 'openai/gpt-5-mini')).status).toBe(200)
  expect(t.fake.requests.map(({ key }) => key)).toEqual(['k1', 'k2', 'k2', 'k2'])
})

test('a target that fails for a moment is asked again, and the caller sees only the answer', async () => {
  await using t = await openFacesBed((_, index) => (index < 2 ? failing : good))
  const answer = await ask(t, 'compatible/m')
  expect([answer.status, answer.headers.get('x-longhaul-attempts')]).toEqual([200, '3'])
})

test('a caller who tries again by itself is not helped with more of the same', async () => {
  await using t = await openFacesBed([failing])
  expect((await ask(t, 'compatible/m', { 'x-stainless-retry-count': '1' })).status).toBe(502)
  expect(t.fake.requests).toHaveLength(1)
})

test('a storm of failures: attempts stay below 1.2 times the calls and ten, clients are told not to try again, and soon nobody is asked', async () => {
  await using t = await openFacesBed([failing])
  const calls = 100
  const answers = await Promise.all(Array.from({ length: calls }, () => ask(t, 'compatible/m')))
  const statuses = new Set(answers.map(({ status }) => status))
  expect([...statuses].every((status) => status === 502 || status === 503)).toBe(true)
  expect(t.fake.requests.length).toBeLessThanOrEqual(1.2 * calls + 10)
  expect(answers.filter((answer) => answer.status === 502).every((answer) => answer.headers.get('x-should-retry') === 'false')).toBe(true)
  const before = t.fake.requests.length
  const late = await ask(t, 'compatible/m')
  expect([late.status, late.headers.get('x-should-retry')]).toEqual([503, 'true'])
  expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(t.fake.requests).toHaveLength(before)
})

test('a target that fails a third of the time is not given up, and repeats stay within their budget', async () => {
  await using t = await openFacesBed((_, index) => (index % 3 === 0 ? failing : good))
  const calls = 120
  let left = calls
  const statuses: number[] = []
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      while (left-- > 0) statuses.push((await ask(t, 'compatible/m')).status)
    }),
  )
  expect(t.fake.requests.length).toBeLessThanOrEqual(1.2 * calls + 10)
  expect(t.fake.requests.length).toBeGreaterThan(calls)
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(calls / 2)
})

test('while one target is out of service the next one is asked at once, and the first again when it is back', async () => {
  let isDown = true
  await using t = await openFacesBed((request) => (request.model === 'first' && isDown ? failing : good), {
    pickTargets: async () => pickedOf(['compatible/first', 'compatible/second']),
  })
  for (let i = 0; i < 12; i++) expect((await ask(t, 'smart')).status).toBe(200)
  expect(t.fake.requests.filter(({ model }) => model === 'first')).toHaveLength(5)
  isDown = false
  await expect.poll(async () => (await ask(t, 'smart')).headers.get('x-longhaul-model'), { timeout: 15_000, interval: 200 }).toBe('compatible/first')
})

test('a refusal by a budget is not tried again, by us or by the client, and names no provider', async () => {
  await using t = await openFacesBed([good], {
    ledger: {
      admit: async () => ({ isAdmitted: false, refusal: { message: 'The budget "team" is used up: $0.12 needed, $0.05 left.', refillsAt: null } }),
      settle: async () => null,
      bookHit: async () => {},
    },
  })
  await expect(t.openai.chat.completions.create({ model: 'compatible/m', messages: [{ role: 'user', content: 'x' }] })).rejects.toMatchObject({
    status: 429,
    type: 'insufficient_quota',
    code: 'insufficient_quota',
    message: expect.stringContaining('$0.05 left'),
  })
  await expect(t.anthropic.messages.create({ model: 'compatible/m', max_tokens: 5, messages: [{ role: 'user', content: 'x' }] })).rejects.toMatchObject({
    status: 429,
  })
  expect(t.calls()).toHaveLength(2)
  expect(t.fake.requests).toHaveLength(0)
})

test('what a budget has left limits the output: the provider is asked for no more', async () => {
  const clamping = { admit: async () => ({ isAdmitted: true as const, reservation: 1, outputTokensMax: 7 }), settle: async () => null, bookHit: async () => {} }
  await using t = await openFacesBed([good], { ledger: clamping })
  const bodies = async (path: string, body: object) => {
    await t.post(path, body)
    return t.fake.requests.at(-1)?.body
  }
  expect(await bodies('/openai/v1/chat/completions', { model: 'compatible/m', messages, max_tokens: 50 })).toEqual({ model: 'm', messages, max_tokens: 7 })
  expect(await bodies('/openai/v1/chat/completions', { model: 'compatible/m', messages, max_tokens: 5 })).toEqual({ model: 'm', messages, max_tokens: 5 })
  expect(await bodies('/openai/v1/chat/completions', { model: 'compatible/m', messages })).toEqual({ max_tokens: 7, model: 'm', messages })
  expect(await bodies('/openai/v1/chat/completions', { model: 'openai/m', messages })).toEqual({ max_completion_tokens: 7, model: 'm', messages })
  expect(await bodies('/openai/v1/responses', { model: 'openai/m', input: 'Hello' })).toMatchObject({ max_output_tokens: 7 })
  expect(await bodies('/anthropic/v1/messages', { model: 'anthropic/m', messages, max_tokens: 50 })).toMatchObject({ max_tokens: 7 })
  expect(await bodies('/openai/v1/chat/completions', { model: 'anthropic/m', messages })).toMatchObject({ max_tokens: 7 })
})

test.each(['/openai/v1/chat/completions', '/anthropic/v1/messages'])(
  '%s: a caller who reads slowly slows the provider down, and nothing piles up here',
  async (path) => {
    const chunk = `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { content: 'x'.repeat(16_000) }, finish_reason: null }] })}\n\n`
    const end =
      'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    const body = chunk.repeat(2_000) + end // 32 MB: far more than sockets hold.
    await using t = await openFacesBed([{ text: [], fault: { type: 'raw', body, contentType: 'text/event-stream', segmentBytes: 64 * 1024 } }], {
      timeoutMs: 2_500,
    })
    const request = JSON.stringify({ model: 'compatible/m', stream: true, max_tokens: 50, messages })
    const socket = connect(Number(new URL(t.url).port), '127.0.0.1')
    socket.pause()
    const arriving = t.fake.nextRequest()
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${callerKey}\r\ncontent-length: ${request.length}\r\nconnection: close\r\n\r\n${request}`,
    )
    const { taken } = await arriving
    // Standing still for longer than the provider's time-out, which does not end the call: it is not the provider that is silent.
    let last = { bytes: -1, at: 0 }
    const standsStillMs = () => {
      if (taken() !== last.bytes) last = { bytes: taken(), at: performance.now() }
      return performance.now() - last.at
    }
    await expect.poll(standsStillMs, { timeout: 20_000 }).toBeGreaterThan(3_500)
    expect(taken()).toBeGreaterThan(16_000)
    expect(taken()).toBeLessThan(20_000_000) // What four sockets' buffers may hold.
    let read = 0
    socket.on('data', (bytes) => (read += bytes.length))
    socket.resume()
    await expect.poll(() => read, { timeout: 20_000 }).toBeGreaterThan(2_000 * 16_000)
    await expect.poll(() => t.calls().at(-1)).toMatchObject({ status: 200, outcome: 'unknown' })
  },
)
