import type { LiveFrame, RunEvent } from '@longhaul/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { at, runId } from '../../test/support/example-things.ts'
import { type FakeStream, anEvent, makeApi, makeStream } from '../../test/support/fake-services.ts'
import { AppError, silentLog } from '../kernel/index.ts'
import { streamRun } from './event-stream.ts'
import { answerWithFrames } from './server-sent-events.ts'

type Frame = { id?: number; event?: string; data?: unknown; comment?: string; retry?: number }

/** Reads a stream frame by frame. */
function reader(response: Response) {
  const body = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  let isOver = false
  async function next(): Promise<Frame | undefined> {
    while (!text.includes('\n\n')) {
      const { value, done } = await body.read()
      if (done) {
        isOver = true
        return undefined
      }
      text += value
    }
    const end = text.indexOf('\n\n')
    const lines = text
      .slice(0, end)
      .split('\n')
      .map((line) => /^(\w*): (.*)$/.exec(line))
    text = text.slice(end + 2)
    const frame: Frame = {}
    for (const line of lines) {
      const [, name, value] = line ?? []
      if (name === 'id' || name === 'retry') frame[name] = Number(value)
      else if (name === 'data') frame.data = JSON.parse(String(value))
      else if (name === 'event') frame.event = String(value)
      else frame.comment = String(value)
    }
    return frame
  }
  return {
    next,
    isOver: () => isOver,
    async rest(): Promise<Frame[]> {
      const frames: Frame[] = []
      for (let frame = await next(); frame; frame = await next()) frames.push(frame)
      return frames
    },
    cancel: () => body.cancel(),
  }
}

async function open(source: FakeStream, options: { after?: number; pollMs?: number; heartbeatMs?: number } = {}) {
  const stopping = new AbortController()
  onTestFinished(() => stopping.abort())
  const response = await answerWithFrames(
    (end) => streamRun({ source, audience: { tenantId: 'acme', askerId: undefined }, runId, after: -1, end, log: silentLog, pollMs: 600_000, ...options }),
    stopping.signal,
  )
  return { ...reader(response), response, stopping }
}

const eventFrame = (seq: number): Frame => ({ id: seq, event: 'signal.received', data: anEvent(seq) })
const end: Frame = { event: 'end', data: {} }
const delta = (op: string, text: string): LiveFrame => ({ type: 'text-delta', op, text })
const deltaFrame = (op: string, text: string): Frame => ({ event: 'text-delta', data: delta(op, text) })

const step = (seq: number, type: 'step.started' | 'step.completed', op: string): RunEvent =>
  ({ seq, type, op, at, data: { kind: 'model', name: 'model', attempt: 1, output: 'text' } }) as RunEvent
const nameOf = ({ id, event, data }: Frame) => id ?? (event === 'text-delta' ? (data as { text: string }).text : event)

test('what has happened comes first, then what happens, then the end', async () => {
  const source = makeStream()
  source.events.push(anEvent(0), anEvent(1))
  const stream = await open(source)
  expect(Object.fromEntries(stream.response.headers)).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform' })
  expect([await stream.next(), await stream.next(), await stream.next()]).toEqual([{ retry: 500 }, eventFrame(0), eventFrame(1)])
  source.push(anEvent(2))
  expect(await stream.next()).toEqual(eventFrame(2))
  source.push(anEvent(3))
  source.end()
  expect(await stream.rest()).toEqual([eventFrame(3), end])
  expect(source.subscribers()).toBe(0)
})

test('a run that has long ended is told to its end, over many pages', async () => {
  const source = makeStream()
  source.events.push(...Array.from({ length: 1_000 }, (_, seq) => anEvent(seq)))
  source.end()
  const frames = await (await open(source)).rest()
  expect(frames.slice(1, -1).map(({ id }) => id)).toEqual(source.events.map(({ seq }) => seq))
  expect(frames.at(-1)).toEqual(end)
})

test('a client that comes back gets what it lacks and nothing twice', async () => {
  const { ask, stream } = makeApi()
  stream.events.push(...Array.from({ length: 5 }, (_, seq) => anEvent(seq)))
  stream.end()
  const idsFor = async (path: string, headers: Record<string, string>) => {
    const response = await ask('GET', `/v1/runs/${runId}/events${path}`, undefined, { accept: 'text/event-stream', ...headers })
    return response.ok ? (await reader(response).rest()).flatMap(({ id }) => id ?? []) : response.status
  }
  expect(await idsFor('', {})).toEqual([0, 1, 2, 3, 4])
  expect(await idsFor('?after=2', {})).toEqual([3, 4])
  expect(await idsFor('', { 'last-event-id': '3' })).toEqual([4])
  expect(await idsFor('?after=0', { 'last-event-id': '3' })).toEqual([4])
  expect(await idsFor('', { 'last-event-id': '4' })).toEqual([])
  expect(await idsFor('', { 'last-event-id': 'x' })).toBe(400)
  expect(await idsFor('', { authorization: 'Bearer nobody' })).toBe(401)
  expect(await idsFor('', { authorization: 'Bearer lh_agents:read' })).toBe(403)
})

test('the number of the last event is the wish for a stream, whatever else is accepted', async () => {
  const { ask, stream } = makeApi()
  stream.events.push(anEvent(0), anEvent(1), anEvent(2))
  stream.end()
  const response = await ask('GET', `/v1/runs/${runId}/events`, undefined, { 'last-event-id': '1' })
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  expect((await reader(response).rest()).flatMap(({ id }) => id ?? [])).toEqual([2])
})

test.each([
  ['nothing', ''],
  ['anything', '*/*'],
  ['a stream', 'text/event-stream'],
])('whoever accepts %s gets a run’s events as a stream, and of a list JSON unless it is a stream', async (_, accept) => {
  const { app, stream } = makeApi()
  stream.events.push(anEvent(0))
  stream.end()
  const headers = { authorization: 'Bearer lh_all', ...(accept && { accept }) }
  const response = await app.request(`/v1/runs/${runId}/events`, { headers })
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  expect((await reader(response).rest()).flatMap(({ id }) => id ?? [])).toEqual([0])
  if (accept !== 'text/event-stream') expect((await app.request('/v1/runs', { headers })).headers.get('content-type')).toBe('application/json')
})

test('whoever accepts JSON gets a page of the same address', async () => {
  const { ask, stream } = makeApi()
  stream.events.push(anEvent(0), anEvent(1))
  const page = async (query: string) => (await ask('GET', `/v1/runs/${runId}/events${query}`)).json()
  expect(await page('')).toEqual({ items: [anEvent(0), anEvent(1)], next: 1 })
  expect(await page('?after=1')).toEqual({ items: [], next: 1 })
  stream.end()
  expect(await page('?after=-1&limit=2')).toEqual({ items: [anEvent(0), anEvent(1)], next: 1 })
  expect(await page('?after=1')).toEqual({ items: [], next: null })
})

test('a run that is not there is a refusal, not a stream', async () => {
  const { ask } = makeApi()
  const response = await ask('GET', '/v1/runs/0195e0d6-5c1e-7000-8000-00000000ffff/events', undefined, { accept: 'text/event-stream' })
  expect([response.status, response.headers.get('content-type')]).toEqual([404, 'application/json'])
})

test('live frames come at once, without a number, and cost no look into the journal', async () => {
  const source = makeStream()
  const stream = await open(source)
  await stream.next()
  await expect.poll(() => source.reads).toBe(2)
  for (const word of ['a', 'b']) {
    source.live(delta('0', word))
    expect(await stream.next()).toEqual(deltaFrame('0', word))
  }
  expect(source.reads).toBe(2)
})

test('live frames stand between the event they belong under and the one that replaces them', async () => {
  const source = makeStream()
  const stream = await open(source)
  await stream.next()
  // All at once: the client took nothing while this happened.
  source.push(step(0, 'step.started', '0'))
  source.live(delta('0', 'one'))
  source.push(step(1, 'step.completed', '0'), step(2, 'step.started', '1'))
  source.live(delta('1', 'two'))
  source.end()
  expect((await stream.rest()).map(nameOf)).toEqual([0, 'one', 1, 2, 'two', 'end'])
})

test('a live frame that comes while the journal is read waits for the event it belongs under', async () => {
  const source = makeStream()
  const { read } = source
  source.live(delta('0', 'nobody hears this'))
  const stream = await open(source)
  await stream.next()
  await expect.poll(() => source.reads).toBe(2)
  source.read = async (...given) => {
    const page = await read(...given)
    source.read = read
    source.push(step(1, 'step.started', '1')) // Recorded just after the journal was read, and speaking at once.
    source.live(delta('1', 'two'))
    return page
  }
  source.events.push(step(0, 'step.started', '0'))
  source.push()
  source.live(delta('0', 'one'))
  const frames = [await stream.next(), await stream.next(), await stream.next(), await stream.next()]
  expect(frames.map((frame) => nameOf(frame ?? {}))).toEqual([0, 'one', 1, 'two'])
})

test('a client that does not read costs a fixed amount of memory, and gets every event once it reads', async () => {
  const source = makeStream()
  const stream = await open(source)
  await stream.next()
  for (let seq = 0; seq < 2_000; seq++) {
    source.live(delta('0', 'x'.repeat(1_000)))
    source.push(anEvent(seq))
  }
  source.end()
  const frames = await stream.rest()
  expect(frames.flatMap(({ id }) => id ?? [])).toEqual(source.events.map(({ seq }) => seq))
  expect(frames.filter(({ event }) => event === 'text-delta').length).toBeLessThan(600)
})

test.each(['while it waits', 'while the client does not read'])('a client that goes away %s leaves nothing behind', async (when) => {
  const source = makeStream()
  const stream = await open(source)
  await stream.next()
  await expect.poll(() => source.subscribers()).toBe(1)
  if (when === 'while the client does not read') for (let seq = 0; seq < 10; seq++) source.push(anEvent(seq))
  await stream.cancel()
  await expect.poll(() => source.subscribers()).toBe(0)
})

test('a server that stops ends its streams, without calling the run ended', async () => {
  const source = makeStream()
  const stream = await open(source)
  await stream.next()
  await expect.poll(() => source.reads).toBe(2)
  stream.stopping.abort()
  expect(await stream.rest()).toEqual([])
  expect(source.subscribers()).toBe(0)
})

test('a database that goes away for a while does not end the stream', async () => {
  const source = makeStream()
  const stream = await open(source)
  await stream.next()
  source.failures.push(new AppError('unavailable', 'away'), new AppError('unavailable', 'away'))
  source.push(anEvent(0))
  source.end()
  expect(await stream.rest()).toEqual([eventFrame(0), end])
})

test('any other fault ends the stream, so that the client comes back and is told', async () => {
  const source = makeStream()
  const stream = await open(source)
  await stream.next()
  await expect.poll(() => source.reads).toBe(2)
  source.failures.push(new Error('bug'))
  source.push(anEvent(0))
  expect(await stream.rest()).toEqual([])
  expect(source.subscribers()).toBe(0)
})

test('a lost wake costs a poll interval', async () => {
  const source = makeStream()
  const stream = await open(source, { pollMs: 20 })
  await stream.next()
  await expect.poll(() => source.reads).toBe(2)
  source.events.push(anEvent(0)) // Nobody rings.
  expect(await stream.next()).toEqual(eventFrame(0))
})

test('a quiet stream is kept alive, however often it looks for events', async () => {
  const source = makeStream()
  const stream = await open(source, { pollMs: 5, heartbeatMs: 200 })
  await stream.next()
  const from = performance.now()
  for (const _ of [1, 2]) expect(await stream.next()).toEqual({ comment: 'here' })
  expect(performance.now() - from).toBeGreaterThan(390)
})

test('fields that the contract does not name do not reach the stream', async () => {
  const source = makeStream()
  source.push({ ...anEvent(0), tenantId: 'INTERNAL-ONLY', data: { ...anEvent(0).data, secret: 'INTERNAL-ONLY' } } as never)
  source.end()
  const frames = await (await open(source)).rest()
  expect(frames[1]).toEqual(eventFrame(0))
  expect(JSON.stringify(frames)).not.toContain('INTERNAL-ONLY')
})
