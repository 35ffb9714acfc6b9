import type { LiveFrame, RunEvent } from '@longhaul/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createClient } from './client.ts'
import { eventStreamParser } from './server-sent-events.ts'
import { streamRun } from './stream-run.ts'
import type { ConnectionState, StreamOptions } from './stream-run.ts'
import { fakeStreamServer, history, runId, streamBytes } from '../../test/support/fake-stream.ts'
import type { Cut } from '../../test/support/fake-stream.ts'

const fast = { backoff: { delayMsMin: 0, delayMsMax: 0 } }

async function read(cuts: Cut[], options: StreamOptions & { lineEnd?: string } = {}) {
  const server = fakeStreamServer(cuts, options)
  const frames: (RunEvent | LiveFrame)[] = []
  const states: ConnectionState[] = []
  for await (const frame of streamRun(server.client, runId, { ...fast, onConnection: (state) => states.push(state), ...options })) frames.push(frame)
  return { ...server, frames, states, events: frames.filter((frame) => 'seq' in frame) }
}

for (const lineEnd of ['\n', '\r\n', '\r']) {
  test(`a stream cut after any byte goes on where it was (line end ${JSON.stringify(lineEnd)})`, async () => {
    const { length } = streamBytes(-1, { lineEnd })
    const cutAfter = async (afterBytes: number, kind: 'reset' | 'end') => {
      const { events, requests } = await read([{ kind, afterBytes, pieces: [101] }], { lineEnd })
      expect(events, `${kind} after byte ${afterBytes}`).toEqual(history)
      expect(requests.length).toBeLessThanOrEqual(2)
    }
    await Promise.all(Array.from({ length: length + 1 }, (_, afterBytes) => [cutAfter(afterBytes, 'reset'), cutAfter(afterBytes, 'end')]).flat())
  })
}

test('the check above would see a reader that does not resume: it gets events twice', () => {
  const bytes = streamBytes(-1)
  const cut = bytes.slice(0, bytes.length >> 1)
  const naive = [cut, bytes]
    .flatMap((part) => eventStreamParser().push(part))
    .map(({ data }): RunEvent => JSON.parse(data))
    .filter((frame) => 'seq' in frame)
  expect(naive.length).toBeGreaterThan(history.length)
})

test('any series of cuts, refusals, restarts and repeats yields each event once and in order', async () => {
  const cut: fc.Arbitrary<Cut> = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constantFrom('reset' as const, 'end' as const),
        afterBytes: fc.nat(700),
        pieces: fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 5 }),
        repeats: fc.nat(3),
      }),
    },
    { weight: 1, arbitrary: fc.constant<Cut>({ kind: 'refused' }) },
    { weight: 1, arbitrary: fc.constantFrom(502, 503, 504, 429).map((status): Cut => ({ kind: 'status', status })) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(cut, { maxLength: 12 }), fc.integer({ min: -1, max: 5 }), async (cuts, after) => {
      const { events, open } = await read(cuts, { after })
      expect(events).toEqual(history.slice(after + 1))
      expect(open(), 'connections left open').toBeLessThanOrEqual(0)
    }),
    { numRuns: 300 },
  )
})

test('each connection asks for what follows the last whole event', async () => {
  const upToEvent = (seq: number) => new TextDecoder().decode(streamBytes(-1, { lineEnd: '\n' })).indexOf(`id: ${seq}\n`)
  const bytesBefore = new TextEncoder().encode(
    new TextDecoder('utf-8', { ignoreBOM: true }).decode(streamBytes(-1, { lineEnd: '\n' })).slice(0, upToEvent(3) + 12),
  ).length
  const { requests } = await read([{ kind: 'reset', afterBytes: bytesBefore }, { kind: 'refused' }], { lineEnd: '\n' })
  expect(requests).toEqual([{ lastEventId: null }, { lastEventId: '2' }, { lastEventId: '2' }])
})

test('the caller hears of every change of the connection, with the cause', async () => {
  const { states } = await read([{ kind: 'reset', afterBytes: 0 }, { kind: 'refused' }, { kind: 'status', status: 503 }])
  expect(states).toEqual([
    { state: 'connected', after: -1 },
    { state: 'lost', because: 'the connection was cut', failures: 1, retryInMs: 0 },
    { state: 'lost', because: 'No answer from http://fake: connection refused.', failures: 2, retryInMs: 0 },
    { state: 'lost', because: 'starting', failures: 3, retryInMs: 0 },
    { state: 'connected', after: -1 },
  ])
})

test('an event that the server leaves out is waited for, never skipped', async () => {
  const leaky = (skip: number) => {
    const text = history.filter(({ seq }) => seq !== skip).map((event) => `data: ${JSON.stringify(event)}\n\n`)
    return new Response(text.join(''), { headers: { 'content-type': 'text/event-stream' } })
  }
  let requests = 0
  const client = createClient({
    url: 'http://fake',
    fetch: async (_, init) =>
      requests++ === 0
        ? leaky(4)
        : new Response(streamBytes(Number(new Headers(init?.headers).get('last-event-id'))), { headers: { 'content-type': 'text/event-stream' } }),
  })
  const events: (RunEvent | LiveFrame)[] = []
  for await (const frame of streamRun(client, runId, fast)) events.push(frame)
  expect(events.filter((frame) => 'seq' in frame)).toEqual(history)
  expect(requests).toBe(2)
})

test('nothing comes after the last event, even if the server goes on', async () => {
  const after = { ...history[6], seq: 7 }
  const bytes = new TextEncoder().encode([...history, after].map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''))
  const client = createClient({ url: 'http://fake', fetch: async () => new Response(bytes, { headers: { 'content-type': 'text/event-stream' } }) })
  const seen: (RunEvent | LiveFrame)[] = []
  for await (const frame of streamRun(client, runId, fast)) seen.push(frame)
  expect(seen).toEqual(history)
})

test('a caller that already has the last event gets an end, not an endless wait', async () => {
  const client = createClient({
    url: 'http://fake',
    fetch: async () => new Response('retry: 500\n\nevent: end\ndata: {}\n\n', { headers: { 'content-type': 'text/event-stream' } }),
  })
  for await (const frame of streamRun(client, runId, { ...fast, after: 6 })) expect.unreachable(JSON.stringify(frame))
})

test('what repeating does not mend is thrown at once', async () => {
  for (const [status, code] of [
    [401, 'unauthenticated'],
    [403, 'forbidden'],
    [404, 'not_found'],
    [400, 'invalid'],
    [500, 'internal'],
  ] as const) {
    let requests = 0
    const client = createClient({
      url: 'http://fake',
      fetch: async () => (requests++, Response.json({ error: { code, message: 'no', requestId: 'r1' } }, { status })),
    })
    await expect(streamRun(client, runId, fast).next(), String(status)).rejects.toMatchObject({ name: 'ApiError', code, status, requestId: 'r1' })
    expect(requests).toBe(1)
  }
  const html = createClient({ url: 'http://fake', fetch: async () => new Response('<html>', { headers: { 'content-type': 'text/html' } }) })
  await expect(streamRun(html, runId, fast).next()).rejects.toThrow(
    'http://fake answered with text/html and not with an event stream. Is it a Longhaul server?',
  )
})

test('it gives up after the given time without any connection, and says where it was', async () => {
  const refusing = createClient({
    url: 'http://fake',
    fetch: async () => Promise.reject(Object.assign(new TypeError('fetch failed'), { cause: { code: 'ECONNREFUSED' } })),
  })
  let tries = 0
  const startedAt = performance.now()
  const reading = streamRun(refusing, runId, { after: 4, giveUpAfterMs: 120, backoff: { delayMsMin: 5, delayMsMax: 20 }, onConnection: () => tries++ }).next()
  await expect(reading).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining(`Lost run ${runId} after event 4`) })
  expect(performance.now() - startedAt).toBeLessThan(5_000)
  expect(tries).toBeGreaterThan(3)
})

test('a connection on which nothing comes is taken for dead', async () => {
  let requests = 0
  const silentFirst: typeof fetch = async (_, init) => {
    if (requests++ > 0) return new Response(streamBytes(-1), { headers: { 'content-type': 'text/event-stream' } })
    const body = new ReadableStream({ start: (controller) => init?.signal?.addEventListener('abort', () => controller.error(init.signal?.reason)) })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }
  const lost: ConnectionState[] = []
  const events: (RunEvent | LiveFrame)[] = []
  const options: StreamOptions = { ...fast, silenceMsMax: 30, onConnection: (state) => state.state === 'lost' && lost.push(state) }
  for await (const frame of streamRun(createClient({ url: 'http://fake', fetch: silentFirst }), runId, options)) if ('seq' in frame) events.push(frame)
  expect(events).toEqual(history)
  expect(lost).toMatchObject([{ because: 'nothing came for 0 s' }])
})

test('aborting ends it with the reason, also in the middle of a pause, and closes the connection', async () => {
  const reason = new Error('enough')
  const aborter = new AbortController()
  const waiting = streamRun(fakeStreamServer([{ kind: 'refused' }]).client, runId, {
    signal: aborter.signal,
    backoff: { delayMsMin: 60_000, delayMsMax: 60_000 },
    onConnection: () => queueMicrotask(() => aborter.abort(reason)),
  })
  await expect(waiting.next()).rejects.toBe(reason)

  const server = fakeStreamServer([])
  for await (const _ of streamRun(server.client, runId, fast)) break
  expect(server.open()).toBe(0)
})

test('a run that is gone after a reconnect is an error, not a wait', async () => {
  await expect(
    read([
      { kind: 'reset', afterBytes: 300 },
      { kind: 'status', status: 404 },
    ]),
  ).rejects.toMatchObject({ code: 'not_found' })
})
