/** Every fault of a provider, in each face, passed through and translated: before the first byte another target answers, after it one typed error ends the answer. */
import { createServer } from 'node:net'
import { APIConnectionError as AnthropicConnectionError, APIError as AnthropicError } from '@anthropic-ai/sdk'
import { APIConnectionError, APIError } from 'openai'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type FacesBed, openFacesBed } from '../../../test/support/faces-bed.ts'
import { canaryKey, pickedOf } from '../../../test/support/fake-gateway.ts'
import type { FakeFault, FakeStep } from '../../../test/support/fake-provider.ts'

type Ask = (t: FacesBed, model: string, words?: string[], signal?: AbortSignal) => Promise<string>

/** Each asks in a stream with the vendor's own client, whose repeats are off, and collects the words. */
const asks: Record<string, Ask> = {
  async chat(t, model, words = [], signal) {
    const stream = await t.openai.chat.completions.create({ model, stream: true, messages: [{ role: 'user', content: 'Hello' }] }, { maxRetries: 0, signal })
    for await (const chunk of stream) words.push(chunk.choices[0]?.delta.content ?? '')
    return words.join('')
  },
  async responses(t, model, words = [], signal) {
    const stream = await t.openai.responses.create({ model, stream: true, input: [{ role: 'user', content: 'Hello' }] }, { maxRetries: 0, signal })
    for await (const event of stream) if (event.type === 'response.output_text.delta') words.push(event.delta)
    return words.join('')
  },
  async messages(t, model, words = [], signal) {
    const stream = await t.anthropic.messages.create(
      { model, stream: true, max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] },
      { maxRetries: 0, signal },
    )
    for await (const event of stream) if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') words.push(event.delta.text)
    return words.join('')
  },
}

/** For each face a provider that speaks its language, and one that does not. */
const ways = [
  ['chat', 'passed through', 'compatible'],
  ['chat', 'translated', 'anthropic'],
  ['responses', 'passed through', 'openai'],
  ['responses', 'translated', 'anthropic'],
  ['messages', 'passed through', 'anthropic'],
  ['messages', 'translated', 'compatible'],
] as const

const good: FakeStep = { text: ['Good ', 'day.'], usage: { input: 20, output: 6 } }
const openPair = (provider: string, bad: FakeStep, options: Parameters<typeof openFacesBed>[1] = {}) =>
  openFacesBed((request) => (request.model === 'bad' ? bad : good), {
    timeoutMs: 600,
    pickTargets: async (name) => (name === 'smart' ? pickedOf([`${provider}/bad`, `${provider}/good`]) : undefined),
    ...options,
  })

const early: [string, FakeStep, number][] = [
  ['says nothing at all', { ...good, fault: { type: 'silence' } }, 504],
  ['sends headers and then nothing', { ...good, fault: { type: 'headers-only' } }, 504],
  ['announces an answer and then says nothing', { ...good, fault: { type: 'stall', afterEvents: 1 } }, 504],
  ['resets the connection', { ...good, fault: { type: 'reset', afterEvents: 0 } }, 502],
  ['ends before it began', { ...good, fault: { type: 'end', afterEvents: 0 } }, 502],
  ['begins with an error', { ...good, fault: { type: 'error-event', afterEvents: 0, error: { type: 'overloaded_error', message: 'Overloaded' } } }, 502],
  ['answers 500', { status: 500, error: { type: 'server_error', message: 'Oops' } }, 502],
  ['answers 529', { status: 529, error: { type: 'overloaded_error', message: 'Overloaded' } }, 502],
  ['answers 429 without a time', { status: 429, error: { type: 'rate_limit_error', message: 'Slow down' } }, 429],
  ['refuses our key', { status: 401, error: { type: 'authentication_error', message: `Incorrect API key provided: ${canaryKey}` } }, 502],
  ['has no credit left', { status: 402, error: { type: 'billing_error', message: 'Pay' } }, 502],
  ['does not know the model', { status: 404, error: { type: 'not_found_error', message: 'No such model' } }, 404],
  ['is a web page', { ...good, fault: { type: 'raw', body: '<html>', contentType: 'text/html' } }, 502],
  ['talks nonsense', { ...good, fault: { type: 'raw', body: 'SSH-2.0\r\n', contentType: 'text/event-stream' } }, 502],
  ['unpacks to gigabytes', { ...good, fault: { type: 'gzip-bomb', bytes: 3_000_000 } }, 502],
]

describe.each(ways)('%s, %s', (face, _, provider) => {
  const ask = asks[face]!

  test.each(early)('a target that %s is replaced by the next one; alone, it fails the call as a typed error', async (_what, bad, status) => {
    // Unpacking takes time, which must not be taken for silence on a busy machine.
    await using t = await openPair(provider, bad, { answerBytesMax: 1_000_000, ...(_what.startsWith('unpacks') ? { timeoutMs: 10_000 } : {}) })
    expect(await ask(t, 'smart')).toBe('Good day.')
    expect(t.fake.requests.map((request) => request.model)).toEqual(['bad', 'good'])
    const failed: unknown = await ask(t, `${provider}/bad`).catch((error: unknown) => error)
    expect(failed).toMatchObject({ status, headers: expect.anything() })
    expect(failed instanceof APIError || failed instanceof AnthropicError).toBe(true)
    expect(JSON.stringify([failed, String(failed), t.lines])).not.toContain(canaryKey)
    expect((failed as APIError).headers?.get('x-should-retry')).toBe(String(status === 429))
  })

  test.each<[string, FakeFault]>([
    ['falls silent', { type: 'stall', afterEvents: 6 }],
    ['is reset', { type: 'reset', afterEvents: 6 }],
    ['ends as if that were all', { type: 'end', afterEvents: 6 }],
    ['reports an error', { type: 'error-event', afterEvents: 6, error: { type: 'overloaded_error', message: 'Overloaded' } }],
  ])('an answer that %s in the middle keeps its words, ends with a typed error, is booked, and is not begun anew', async (_what, fault) => {
    const many = { text: Array.from({ length: 12 }, (_, i) => `${i} `), usage: { input: 20, output: 12 } }
    await using t = await openPair(provider, { ...many, fault })
    const words: string[] = []
    const failed: unknown = await ask(t, 'smart', words).catch((error: unknown) => error)
    // What the client throws for an error event; a torn connection would be something else.
    expect(failed instanceof APIError || failed instanceof AnthropicError).toBe(true)
    expect(failed instanceof APIConnectionError || failed instanceof AnthropicConnectionError).toBe(false)
    expect(words.join('')).toMatch(/^0 1 /)
    expect(t.fake.requests).toHaveLength(1)
    await expect.poll(() => t.calls()).toMatchObject([{ isCut: true, code: expect.any(String) }])
    const [booked] = t.booked
    if (booked?.outcome.type === 'used') expect(booked.outcome).toMatchObject({ isFailed: true, tokens: { input: 20 } })
    else expect(booked?.outcome).toMatchObject({ type: 'unknown', outputBytes: expect.any(Number) })
  })

  test('a request that is wrong is refused once, in the face’s own words', async () => {
    await using t = await openPair(provider, { status: 400, error: { type: 'invalid_request_error', message: 'temperature is too high' } })
    await expect(ask(t, 'smart')).rejects.toMatchObject({ status: 400, message: expect.stringContaining('temperature is too high') })
    expect(t.fake.requests).toHaveLength(1)
    expect(t.booked).toMatchObject([{ outcome: { type: 'never-happened' } }])
  })

  test.each([1, 7])('events may be cut anywhere: segments of %i bytes', async (bytes) => {
    const text = ['Grüße, ', '世界', ' 🌍🚀.']
    await using t = await openFacesBed([{ text, fault: { type: 'split', bytes } }])
    expect(await ask(t, `${provider}/good`)).toBe(text.join(''))
  })

  test('a caller who leaves ends the request upstream, and what was spent is booked', async () => {
    const many = { text: Array.from({ length: 12 }, (_, i) => `${i} `), usage: { input: 20, output: 12 } }
    await using t = await openPair(provider, { ...many, fault: { type: 'stall', afterEvents: 8 } }, { timeoutMs: 60_000 })
    const leaving = new AbortController()
    const words: string[] = []
    const asked = ask(t, `${provider}/bad`, words, leaving.signal).catch(() => {})
    await expect.poll(() => words.length).toBeGreaterThan(1)
    leaving.abort()
    await asked
    expect(await t.fake.requests[0]!.closed).toBe('cut')
    await expect.poll(() => t.booked.map(({ outcome }) => outcome.type)).toEqual([expect.stringMatching(/used|unknown/)])
    expect(t.fake.requests).toHaveLength(1)
  })

  test('a caller who leaves before the first word ends the request upstream too', async () => {
    await using t = await openPair(provider, { ...good, fault: { type: 'silence' } }, { timeoutMs: 60_000 })
    const leaving = new AbortController()
    const arriving = t.fake.nextRequest()
    const asked = ask(t, `${provider}/bad`, [], leaving.signal).catch(() => {})
    const request = await arriving
    leaving.abort()
    await asked
    expect(await request.closed).toBe('cut')
    await expect.poll(() => t.booked).toMatchObject([{ outcome: { type: 'unknown', outputBytes: 0 } }])
  })
})

test.each(Object.entries({ chat: 'compatible', messages: 'anthropic' }))(
  '%s: a whole answer that breaks off is asked of the next target',
  async (face, provider) => {
    const body = '{"id":"x","choices":[{"mess'
    for (const bad of [
      { ...good, fault: { type: 'raw', body, contentType: 'application/json' } },
      { ...good, fault: { type: 'raw', body, contentType: 'application/json', length: 5_000 } },
      { ...good, fault: { type: 'raw', body: '{"error":{"message":"Provider returned error","code":502}}', contentType: 'application/json' } },
      { ...good, fault: { type: 'raw', body: '{"ok":true}', contentType: 'application/json' } },
    ] satisfies FakeStep[]) {
      await using t = await openPair(provider, bad)
      const answer =
        face === 'chat'
          ? await t.openai.chat.completions.create({ model: 'smart', messages: [{ role: 'user', content: 'Hello' }] })
          : await t.anthropic.messages.create({ model: 'smart', max_tokens: 9, messages: [{ role: 'user', content: 'Hello' }] })
      expect(JSON.stringify(answer)).toContain('Good day.')
      expect(t.fake.requests).toHaveLength(2)
    }
  },
)

describe('a provider that cannot be reached', () => {
  const closedPort = async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    await new Promise((resolve) => server.close(resolve))
    return port
  }
  const openElsewhere = (baseUrl: string) =>
    openFacesBed([good], { compatible: { baseUrl, model: 'x' }, pickTargets: async () => pickedOf(['compatible/x', 'openai/good']) })

  test.each<[string, () => Promise<string>, number, RegExp]>([
    ['refuses connections', async () => `http://127.0.0.1:${await closedPort()}/v1`, 503, /connection refused/],
    ['has no address', async () => 'http://nowhere.invalid/v1', 503, /not found/],
    [
      'has no certificate',
      async () => {
        const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
        onTestFinished(() => void server.close())
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
        return `https://127.0.0.1:${(server.address() as { port: number }).port}/v1`
      },
      502,
      /broke/,
    ],
  ])('that %s costs nothing, and the next one answers', async (_, place, status, message) => {
    await using t = await openElsewhere(await place())
    await expect(asks['chat']!(t, 'compatible/x')).rejects.toMatchObject({ status, message: expect.stringMatching(message) })
    expect(await asks['chat']!(t, 'smart')).toBe('Good day.')
    expect(t.booked.map(({ outcome }) => outcome.type).filter((type) => type !== 'never-happened')).toEqual(['used'])
  })
})

describe('streams as servers really send them', () => {
  const chunk = (content: string) =>
    `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":${JSON.stringify(content)}},"finish_reason":null}]}`
  const last =
    '{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}'
  const huge = 'x'.repeat(10_000_000)
  const raw = (body: string, segmentBytes?: number): FakeStep => ({
    text: [],
    fault: { type: 'raw', body, contentType: 'text/event-stream', ...(segmentBytes ? { segmentBytes } : {}) },
  })

  test.each<[string, string, number?]>([
    ['lines that end with CRLF', `data: ${chunk('Good day.')}\r\n\r\ndata: ${last}\r\n\r\ndata: [DONE]\r\n\r\n`],
    ['lines that end with CRLF, one byte at a time', `data: ${chunk('Good day.')}\r\n\r\ndata: ${last}\r\n\r\ndata: [DONE]\r\n\r\n`, 1],
    ['lines that end with CR', `data: ${chunk('Good day.')}\r\rdata: ${last}\r\rdata: [DONE]\r\r`],
    ['a byte order mark', `\ufeffdata: ${chunk('Good day.')}\n\ndata: ${last}\n\ndata: [DONE]\n\n`],
    ['comments as signs of life', `: PROCESSING\n\n: PROCESSING\n\ndata: ${chunk('Good day.')}\n\n: PROCESSING\n\ndata: ${last}\n\ndata: [DONE]\n\n`],
    ['no blank after the colon', `data:${chunk('Good day.')}\n\ndata:${last}\n\ndata:[DONE]\n\n`],
    ['no [DONE]', `data: ${chunk('Good day.')}\n\ndata: ${last}\n\n`],
    ['no blank line at the end', `data: ${chunk('Good day.')}\n\ndata: ${last}\n\ndata: [DONE]`],
    ['ids and times to retry', `id: 1\nretry: 10\ndata: ${chunk('Good day.')}\n\ndata: ${last}\n\ndata: [DONE]\n\n`],
    ['a line of ten megabytes', `data: ${chunk(huge)}\n\ndata: ${last}\n\ndata: [DONE]\n\n`],
  ])('%s: byte for byte as it came, and understood', async (_, body, segmentBytes) => {
    await using t = await openFacesBed([raw(body, segmentBytes)])
    const answer = await t.post('/openai/v1/chat/completions', { model: 'compatible/m', stream: true, messages: [{ role: 'user', content: 'Hello' }] })
    expect([answer.status, (await answer.text()) === body.replace(/^\ufeff/, '')]).toEqual([200, true]) // `text` takes the mark away.
    await expect.poll(() => t.booked).toMatchObject([{ outcome: { type: 'used', tokens: { input: 3, output: 2 } } }])
  })

  test.each<[string, unknown, object]>([
    ['missing', undefined, { type: 'unknown' }],
    ['negative', { prompt_tokens: -1, completion_tokens: 2 }, { type: 'unknown' }],
    ['absurd', { prompt_tokens: 1e15, completion_tokens: 2 }, { type: 'unknown' }],
    ['text', { prompt_tokens: '3', completion_tokens: 2 }, { type: 'unknown' }],
    [
      'more cached than there is',
      { prompt_tokens: 3, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 99 } },
      { type: 'used', tokens: { input: 0, cacheRead: 3, output: 2 } },
    ],
  ])('usage that is %s', async (_, usage, outcome) => {
    const end = JSON.stringify({
      id: 'c1',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'm',
      choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
      usage,
    })
    await using t = await openFacesBed([raw(`data: ${chunk('Good day.')}\n\ndata: ${end}\n\ndata: [DONE]\n\n`)])
    expect(await asks['chat']!(t, 'compatible/m')).toBe('Good day.')
    await expect.poll(() => t.booked).toMatchObject([{ outcome }])
  })

  test('bytes that are no UTF-8 pass as they came where the languages are the same, and become a sign for it elsewhere', async () => {
    const body = Buffer.from(`data: ${chunk('Good \x01day.').replace('\\u0001', '\xff\xc3')}\n\ndata: ${last}\n\ndata: [DONE]\n\n`, 'latin1')
    await using t = await openFacesBed([{ text: [], fault: { type: 'raw', body, contentType: 'text/event-stream' } }])
    const answer = await t.post('/openai/v1/chat/completions', { model: 'compatible/m', stream: true, messages: [{ role: 'user', content: 'Hello' }] })
    expect(body.includes(Buffer.from([0xff, 0xc3]))).toBe(true)
    expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true)
    expect(await asks['messages']!(t, 'compatible/m')).toMatch(/^Good \ufffd+day\.$/)
    await expect.poll(() => t.booked.map(({ outcome }) => outcome)).toMatchObject([{ type: 'used' }, { type: 'used', tokens: { input: 3, output: 2 } }])
  })

  test('an answer without end is cut off', async () => {
    await using t = await openFacesBed([{ text: [], fault: { type: 'endless' } }], { answerBytesMax: 3_000_000 })
    await expect(asks['chat']!(t, 'compatible/m')).rejects.toMatchObject({ status: 502, message: expect.stringContaining('without end') })
    expect(await t.fake.requests[0]!.closed).toBe('cut')
  })
})
