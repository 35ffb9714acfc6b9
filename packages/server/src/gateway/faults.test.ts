/** Everything that a provider or the network may do instead of answering, in each dialect. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { Failure, Prompt } from '@longhaul/protocol'
import { describe, expect, test } from 'vitest'
import { type Dialect, dialects } from '../../test/support/fake-dialects.ts'
import { type FakeGateway, ask, canaryKey, modelOf, openFakeGateway, promptOf } from '../../test/support/fake-gateway.ts'
import type { FakeScript } from '../../test/support/fake-provider.ts'
import { StepFailure } from '../kernel/index.ts'
import type { Gateway } from './index.ts'

const tools = [{ name: 'query', description: 'Runs SQL.', inputSchema: { type: 'object', properties: {} } }]

/** The failure of one call, which must be a `StepFailure` that holds no key. */
async function failureOf(gateway: Gateway, prompt: Prompt, signal?: AbortSignal): Promise<Failure> {
  const error = await ask(gateway, prompt, signal).then(
    ({ reply }) => expect.fail(`answered: ${JSON.stringify(reply)}`),
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(StepFailure)
  const { failure, stack, cause } = error as StepFailure
  expect(cause).toBeUndefined()
  expect(`${JSON.stringify(failure)} ${stack}`).not.toContain(canaryKey)
  return failure
}

type More = { prompt?: Partial<Prompt>; timeoutMs?: number; check?(t: FakeGateway): Promise<void> }

/** One call against a script. Only tests about time have little of it. */
async function fail(dialect: Dialect, script: FakeScript, { prompt = {}, timeoutMs = 10_000, check }: More = {}): Promise<Failure> {
  await using t = await openFakeGateway(script, { timeoutMs, answerBytesMax: 2_000_000 })
  const failure = await failureOf(t.gateway, promptOf(modelOf[dialect], prompt))
  expect(t.fake.requests).toHaveLength(1) // Nothing here tries again.
  expect(t.logged.join('\n')).not.toContain(canaryKey)
  await check?.(t)
  return failure
}

const answer = { text: ['One ', 'two ', 'three.'] }
/** The provider sees that the connection is gone. */
const isLetGo = async (t: FakeGateway) => expect(await t.fake.requests[0]!.closed).toBe('cut')
const says = (type: string, message = `Because ${type}.`) => ({ type, message })

describe.each(dialects)('%s', (dialect) => {
  const refusals: [status: number, error: { type: string; message: string }, code: string, retryable: boolean][] = [
    [400, says('invalid_request_error'), 'bad_request', false],
    [401, says('authentication_error', `Incorrect API key provided: ${canaryKey}.`), 'key_refused', false],
    [402, says('billing_error'), 'no_credit', false],
    [403, says('permission_error', `The key ${canaryKey} may not.`), 'not_allowed', false],
    [404, says('not_found_error'), 'no_such_model', false],
    [408, says('timeout'), 'provider_error', true],
    [413, says('request_too_large'), 'too_long', false],
    [422, says('unprocessable'), 'bad_request', false],
    [429, says('rate_limit_error'), 'rate_limited', true],
    [429, says('insufficient_quota'), 'no_credit', false],
    [500, says('api_error', `Boom with Bearer ${canaryKey}`), 'provider_error', true],
    [503, says('UNAVAILABLE'), 'provider_error', true],
    [529, says('overloaded_error'), 'provider_error', true],
  ]
  test.each(refusals)('a response %i with %o is %s, retryable: %s', async (status, error, code, retryable) => {
    expect(await fail(dialect, [{ status, error }])).toMatchObject({ code, retryable })
  })

  test('a refusal without a body, or with one that is not JSON, is told by its status', async () => {
    expect(await fail(dialect, [{ status: 500 }])).toMatchObject({ code: 'provider_error', retryable: true, message: expect.stringContaining('(500)') })
    expect(await fail(dialect, [{ status: 400 }])).toMatchObject({ code: 'bad_request', retryable: false })
  })

  test('the pause that a 429 asks for is in the failure', async () => {
    const refusal = (headers: Record<string, string>) => [{ status: 429, error: says('rate_limit_error'), headers }]
    expect((await fail(dialect, refusal({ 'retry-after': '20' }))).retryAfterMs).toBe(20_000)
    // A time that makes no sense is as good as none: then it is as long as the key rests.
    expect((await fail(dialect, refusal({ 'retry-after': '1000000000' }))).retryAfterMs).toBe(5_000)
  })

  test('a server that takes the request and says nothing is given up, and let go', async () => {
    const failure = await fail(dialect, [{ fault: { type: 'silence' } }], { timeoutMs: 150, check: isLetGo })
    expect(failure).toMatchObject({ code: 'timeout', retryable: true, message: expect.stringContaining('did not answer within 150 ms') })
  })

  test('headers and then nothing is a time-out before the first word', async () => {
    const failure = await fail(dialect, [{ fault: { type: 'headers-only' } }], { timeoutMs: 150, check: isLetGo })
    expect(failure).toMatchObject({ code: 'timeout', retryable: true })
  })

  test('a stream that stalls is given up, and let go', async () => {
    const failure = await fail(dialect, [{ ...answer, fault: { type: 'stall', afterEvents: 3 } }], { timeoutMs: 150, check: isLetGo })
    expect(failure).toMatchObject({ code: 'timeout', retryable: true, message: expect.stringContaining('went silent for 150 ms in the middle') })
  })

  test('one byte now and then is not progress', async () => {
    expect(await fail(dialect, [{ ...answer, fault: { type: 'drip', everyMs: 40 } }], { timeoutMs: 150, check: isLetGo })).toMatchObject({
      code: 'timeout',
      retryable: true,
    })
  })

  test('a stream that never ends is given up in the end, however lively', async () => {
    await using t = await openFakeGateway([{ text: Array.from({ length: 10_000 }, (_, i) => `${i} `), fault: { type: 'drip', everyMs: 0 } }], {
      timeoutMs: 2_000,
      totalMsMax: 400,
    })
    expect(await failureOf(t.gateway, promptOf(modelOf[dialect]))).toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('did not finish within 400 ms'),
    })
  })

  test('a reset in the middle is an interruption', async () => {
    expect(await fail(dialect, [{ ...answer, fault: { type: 'reset', afterEvents: 2 } }])).toMatchObject({ code: 'interrupted', retryable: true })
  })

  test.each([0, 1, 2, 3])('a body that ends cleanly after %i events, before the model said that it is done, is not an answer', async (afterEvents) => {
    expect(await fail(dialect, [{ ...answer, fault: { type: 'end', afterEvents } }])).toMatchObject({
      retryable: true,
      code: expect.stringMatching(/^(interrupted|bad_reply)$/),
    })
  })

  test('an error event in a stream that began well is a failure that may be retried, however far it came', async () => {
    for (const afterEvents of [0, 2, 4]) {
      const failure = await fail(dialect, [
        { ...answer, fault: { type: 'error-event', afterEvents, error: says('overloaded_error', `Overloaded, ${canaryKey}.`) } },
      ])
      expect(failure).toMatchObject({ code: 'provider_error', retryable: true, message: expect.stringContaining('Overloaded, [key].') })
    }
  })

  test('text cut anywhere, inside a line and inside a character, arrives whole', async () => {
    const text = ['Grüß Gott, ', '世界 👋🏽', ' — ñ']
    for (const bytes of [1, 2, 3, 7]) {
      await using t = await openFakeGateway([{ text, fault: { type: 'split', bytes } }])
      const { reply, deltas } = await ask(t.gateway, promptOf(modelOf[dialect]))
      expect(deltas).toEqual(text)
      expect(reply.content).toEqual([{ type: 'text', text: text.join('') }])
    }
  })

  test('missing usage is recorded as unknown cost', async () => {
    // Anthropic's protocol has usage in the message itself; without it the message is malformed.
    if (dialect === 'anthropic') return expect(await fail(dialect, [{ ...answer, usage: 'missing' }])).toMatchObject({ code: 'bad_reply', retryable: true })
    await using t = await openFakeGateway([{ ...answer, usage: 'missing' }])
    expect((await ask(t.gateway, promptOf(modelOf[dialect]))).reply.usage).toMatchObject({ input: 0, cachedInput: 0, costUsd: null })
  })

  test('negative and absurd usage is recorded as unknown cost', async () => {
    await using t = await openFakeGateway([{ ...answer, usage: { input: -5, cachedInput: 3, output: 1e15 } }])
    expect((await ask(t.gateway, promptOf(modelOf[dialect]))).reply.usage).toEqual({ input: 0, cachedInput: 0, output: 0, costUsd: null })
  })

  test('arguments that are not JSON are a bad reply, and no call', async () => {
    const failure = await fail(dialect, [{ toolCalls: [{ id: 'call_a', name: 'query', rawInput: '{"sql": "select' }] }], { prompt: { tools } })
    expect(failure).toMatchObject({ code: 'bad_reply', retryable: true, message: expect.stringContaining('arguments that are not JSON') })
  })

  test('an empty answer is a failure', async () => {
    expect(await fail(dialect, [{ text: [''] }])).toMatchObject({ code: 'empty_reply', retryable: true })
  })

  test('a small body that unpacks to a large one is cut off', async () => {
    expect(await fail(dialect, [{ fault: { type: 'gzip-bomb', bytes: 50_000_000 } }])).toMatchObject({ code: 'too_large' })
  })

  test('a line without end is cut off', async () => {
    const failure = await fail(dialect, [{ fault: { type: 'endless' } }], { check: isLetGo })
    expect(failure).toMatchObject({ code: 'too_large' })
  })

  test('a stream of something else is a bad reply', async () => {
    for (const body of ['data: {"hello":"world"}\n\n', 'data: {not json\n\n', 'data: 7\n\ndata: null\n\n', 'Hello, world.', '']) {
      expect(await fail(dialect, [{ fault: { type: 'raw', body } }]), body).toMatchObject({
        retryable: true,
        code: expect.stringMatching(/^(interrupted|bad_reply)$/),
      })
    }
  })

  test('a web page is called a web page', async () => {
    const failure = await fail(dialect, [{ fault: { type: 'raw', body: '<!doctype html><title>Welcome</title>', contentType: 'text/html; charset=utf-8' } }])
    expect(failure).toMatchObject({ code: 'not_a_model_server', retryable: false, message: expect.stringContaining('/v1') })
  })

  test('a redirect is not followed, so the key goes nowhere else', async () => {
    await using elsewhere = await openFakeGateway([answer])
    const failure = await fail(dialect, [{ status: 307, headers: { location: `${elsewhere.fake.url}/v1/messages` } }])
    expect(failure).toMatchObject({ code: 'redirected', retryable: false })
    expect(elsewhere.fake.requests).toEqual([])
  })

  test('the upstream request ends within a second of an abort, at whatever point', async () => {
    for (const fault of [{ type: 'silence' }, { type: 'headers-only' }, { type: 'stall', afterEvents: 2 }] as const) {
      await using t = await openFakeGateway([{ ...answer, fault }])
      const caller = new AbortController()
      const arrived = t.fake.nextRequest()
      const failing = failureOf(t.gateway, promptOf(modelOf[dialect]), caller.signal)
      const request = await arrived
      const startedAt = performance.now()
      caller.abort()
      expect(await failing).toMatchObject({ code: 'aborted', retryable: true })
      expect(await request.closed).toBe('cut')
      expect(performance.now() - startedAt).toBeLessThan(1_000)
    }
  })

  test('nobody at the address is said with the address or the provider', async () => {
    const port = await unusedPort()
    const url = `http://127.0.0.1:${port}/v1`
    await using t = await openFakeGateway([answer], {
      baseUrls: { openai: url, anthropic: url, google: url },
      compatible: { baseUrl: url, model: 'm', apiKey: canaryKey },
    })
    expect(await failureOf(t.gateway, promptOf(modelOf[dialect]))).toMatchObject({
      code: 'unreachable',
      retryable: true,
      message: expect.stringContaining(dialect === 'compatible' ? `${url} (connection refused). Is it running?` : 'Is there a way to the internet'),
    })
  })

  test('a call that was already given up sends nothing', async () => {
    await using t = await openFakeGateway([answer])
    expect(await failureOf(t.gateway, promptOf(modelOf[dialect]), AbortSignal.abort())).toMatchObject({ code: 'aborted' })
    expect(t.fake.requests).toEqual([])
  })
})

test('an output limit in the middle of a tool call is not a call, and not worth a retry', async () => {
  const cut = { toolCalls: [{ id: 'call_a', name: 'query', rawInput: '{"sql": "select' }], finish: 'length' } as const
  expect(await fail('compatible', [cut], { prompt: { tools } })).toMatchObject({
    code: 'cut_off',
    retryable: false,
    message: expect.stringContaining('outputTokensMax'),
  })
})

test('a tool that was not offered is passed on, for the agent to answer; a name that is not one is not', async () => {
  await using t = await openFakeGateway([
    { toolCalls: [{ id: 'a', name: 'no_such_tool', input: {} }] },
    { toolCalls: [{ id: 'a', name: 'functions.query', input: {} }] },
  ])
  expect((await ask(t.gateway, promptOf(modelOf.compatible, { tools }))).reply.content).toMatchObject([{ toolName: 'no_such_tool' }])
  expect(await failureOf(t.gateway, promptOf(modelOf.compatible, { tools }))).toMatchObject({ code: 'bad_reply', retryable: true })
})

test('a refusal of Google that names the key is about the key, though its status is 400', async () => {
  expect(await fail('google', [{ status: 400, error: says('API_KEY_INVALID') }])).toMatchObject({
    code: 'key_refused',
    message: expect.stringContaining('GOOGLE_GENERATIVE_AI_API_KEY'),
  })
})

test('the positive control: the same gateway, with the same limits, answers when the provider does', async () => {
  await using t = await openFakeGateway([answer], { timeoutMs: 1_000, answerBytesMax: 2_000_000 })
  for (const dialect of dialects) expect((await ask(t.gateway, promptOf(modelOf[dialect]))).reply.content).toEqual([{ type: 'text', text: 'One two three.' }])
  expect(t.logged.length).toBe(4) // So the canary was looked for in something.
})

async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
