import { type LiveMessage, liveCloses, liveLimits } from '@longhaul/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { aRun, anApproval, leak, otherTenantsRunId, runId } from '../../test/support/example-things.ts'
import { anEvent, authenticate, cookie, makeApi } from '../../test/support/fake-services.ts'
import { silentLog } from '../kernel/index.ts'
import { addressCheck } from './guard.ts'
import { listen } from './listen.ts'
import { openLive } from './live.ts'

type Options = Parameters<typeof makeApi>[0] & { limits?: Parameters<typeof openLive>[0]['limits']; perKeyMax?: number; publicUrl?: string }

async function serve({ limits, perKeyMax = 100, ...changes }: Options = {}) {
  const api = makeApi(changes)
  const checkAddress = addressCheck('127.0.0.1', changes.publicUrl)
  const live = openLive({ pipeline: api.pipeline, checkAddress, perKeyMax, log: silentLog, ...(limits && { limits }) })
  const listening = await listen(api.app, { host: '127.0.0.1', port: 0, direct: [live] })
  onTestFinished(async () => {
    await Promise.all([live.stop(), listening.stop()])
  })
  return { ...api, live, url: listening.url, listening }
}

/** A client of its own, which remembers what it was told. */
function client(url: string, headers: Record<string, string> = { authorization: 'Bearer lh_all' }) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/live`, { headers })
  const messages: LiveMessage[] = []
  let refusal: { status: number; body: string } | undefined
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }))
  })
  const opened = new Promise<boolean>((resolve) => {
    socket.on('open', () => resolve(true))
    socket.on('error', () => resolve(false))
    socket.on('unexpected-response', (_, response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => {
        refusal = { status: response.statusCode ?? 0, body }
        resolve(false)
      })
    })
  })
  socket.on('message', (data) => messages.push(JSON.parse(String(data)) as LiveMessage))
  onTestFinished(() => socket.terminate())
  return {
    ...{ socket, messages, closed, opened },
    refusal: () => refusal,
    say: (message: unknown) => socket.send(JSON.stringify(message)),
    subscribe: (id: string, operation: string, input: unknown = {}, after?: string) =>
      socket.send(JSON.stringify({ type: 'subscribe', id, operation, input, ...(after !== undefined && { after }) })),
    of: (id: string) => messages.filter((message) => 'id' in message && message.id === id),
    cursors: (id: string) => messages.flatMap((message) => (message.type === 'event' && message.id === id ? (message.cursor ?? []) : [])),
    has: async (wanted: object) => await expect.poll(() => messages, { timeout: 5_000 }).toContainEqual(expect.objectContaining(wanted)),
  }
}

const opened = async (url: string, headers?: Record<string, string>) => {
  const made = client(url, headers)
  expect(await made.opened, made.refusal()?.body).toBe(true)
  await made.has({ type: 'welcome' })
  return made
}

test('one connection carries many subscriptions, each from its cursor on', async () => {
  const { url, stream, lists } = await serve()
  stream.events.push(anEvent(0), anEvent(1), anEvent(2))
  lists.push('run', aRun)
  const { subscribe, has, of, cursors, say, socket } = await opened(url)
  subscribe('a', 'runs.events', { runId })
  subscribe('b', 'runs.events', { runId }, '1')
  subscribe('c', 'runs.list', { agent: 'analyst' }, '0')
  subscribe('d', 'runs.list')
  subscribe('e', 'approvals.list')
  await has({ type: 'event', id: 'c', event: 'run', cursor: '1' })
  await expect.poll(() => [cursors('a'), cursors('b')]).toEqual([['0', '1', '2'], ['2']])
  await has({ type: 'event', id: 'd', event: 'mark', cursor: '1' }) // From now on, and from where, is said at once.
  lists.push('approval', anApproval)
  stream.live({ type: 'text-delta', op: '0', text: 'word' })
  await has({ type: 'event', id: 'e', event: 'approval' })
  await has({ type: 'event', id: 'a', event: 'text-delta' })
  stream.push(anEvent(3))
  stream.end()
  await has({ type: 'closed', id: 'a' })
  expect(
    of('a')
      .map((message) => ('event' in message ? message.event : message.type))
      .slice(-2),
  ).toEqual(['end', 'closed'])
  say({ type: 'unsubscribe', id: 'd' })
  await has({ type: 'closed', id: 'd' })
  expect(lists.watcherCount()).toBe(2)
  socket.close()
  await expect.poll(() => lists.watcherCount()).toBe(0)
})

test('what the contract does not name is not told', async () => {
  const { url, lists } = await serve()
  lists.push('run', aRun)
  const { subscribe, has, messages } = await opened(url)
  subscribe('c', 'runs.list', {}, '0')
  await has({ type: 'event', id: 'c' })
  expect(JSON.stringify(aRun)).toContain(leak)
  expect(JSON.stringify(messages)).not.toContain(leak)
})

test('a subscription needs what its operation needs, and one that is refused leaves the others be', async () => {
  const { url, notes, stream } = await serve()
  const { subscribe, has, of } = await opened(url, { authorization: 'Bearer lh_agents:read' })
  subscribe('a', 'runs.list')
  await has({ type: 'refused', id: 'a', error: expect.objectContaining({ code: 'forbidden' }) })
  expect(notes.map(([, { action, outcome }]) => [action, outcome])).toEqual([['runs.list', 'refused']])
  const other = await opened(url)
  other.subscribe('f', 'runs.events', { runId })
  other.subscribe('a', 'runs.events', { runId: otherTenantsRunId })
  other.subscribe('b', 'runs.start', { agent: 'analyst' })
  other.subscribe('c', 'nothing.such')
  other.subscribe('d', 'runs.list', { color: 'red' })
  other.subscribe('e', 'runs.list', {}, 'nonsense')
  for (const [id, code] of [
    ['a', 'not_found'],
    ['b', 'invalid'],
    ['c', 'invalid'],
    ['d', 'invalid'],
    ['e', 'invalid'],
  ] as const)
    await other.has({ type: 'refused', id, error: expect.objectContaining({ code }) })
  expect(of('f')).toEqual([])
  other.subscribe('a', 'runs.events', { runId }) // The name is free again.
  stream.push(anEvent(0))
  await other.has({ type: 'event', id: 'a' })
  await other.has({ type: 'event', id: 'f' })
})

test('policies and limits to agents hold for subscriptions', async () => {
  const { url } = await serve({ policies: { whyNot: async (_, { action }) => (action === 'runs.list' ? 'forbidden by the policy quiet.' : undefined) } })
  const { subscribe, has } = await opened(url)
  subscribe('a', 'runs.list')
  await has({ type: 'refused', id: 'a', error: { code: 'forbidden', message: 'forbidden by the policy quiet.' } })
  subscribe('b', 'approvals.list')
  await has({ type: 'event', id: 'b', event: 'mark' })
})

test('a key comes with the request or as the first message; without one, or with a wrong one, there is no connection', async () => {
  const { url } = await serve({ limits: { helloMs: 300 } })
  const first = client(url, {})
  expect(await first.opened).toBe(true)
  first.say({ type: 'hello', key: 'lh_all' })
  first.subscribe('a', 'approvals.list') // Without waiting for the welcome.
  await first.has({ type: 'event', id: 'a' })
  for (const [headers, message] of [
    [{}, { type: 'hello', key: 'nobody' }],
    [{}, { type: 'subscribe', id: 'a', operation: 'runs.list' }],
    [{}, undefined],
  ] as const) {
    const made = client(url, headers)
    expect(await made.opened).toBe(true)
    if (message) made.say(message)
    expect(await made.closed).toMatchObject({ code: liveCloses.unauthenticated })
    expect(made.messages).toEqual([])
  }
  const refused = client(url, { authorization: 'Bearer nobody' })
  expect(await refused.opened).toBe(false)
  expect(refused.refusal()).toMatchObject({ status: 401, body: expect.stringContaining('unauthenticated') })
})

test('pages of others get no connection, with a cookie or without; ours does', async () => {
  const { url } = await serve({ publicUrl: 'https://longhaul.example' })
  const withCookie = { cookie: `__Host-longhaul=${cookie}` }
  const ours = await opened(url, { ...withCookie, origin: url })
  ours.subscribe('a', 'approvals.list')
  await ours.has({ type: 'event', id: 'a' })
  await opened(url, { ...withCookie, origin: 'https://longhaul.example' })
  for (const headers of [
    { ...withCookie, origin: 'https://evil.example' },
    { ...withCookie, origin: 'null' },
    { origin: 'http://localhost:1' },
    { host: 'evil.example', authorization: 'Bearer lh_all' },
    { ...withCookie, origin: url, 'sec-fetch-site': 'cross-site' },
  ]) {
    const made = client(url, headers)
    expect(await made.opened, JSON.stringify(headers)).toBe(false)
    expect(made.refusal()?.status).toBe(403)
  }
})

test('a key that has ended, and one that may do something else than before, loses its connection; others keep theirs', async () => {
  let state: 'good' | 'less' | 'gone' | 'away' = 'good'
  const { url, stream } = await serve({
    async authenticate(secret) {
      const caller = await authenticate(secret)
      if (secret !== 'lh_all' || state === 'good' || !caller) return caller
      if (state === 'away') throw new Error('the database does not answer')
      return state === 'gone' ? undefined : { ...caller, permissions: ['runs:read'] }
    },
  })
  for (const next of ['away', 'less', 'gone'] as const) {
    state = 'good'
    const watched = await opened(url)
    const other = await opened(url, { authorization: 'Bearer lh_runs:read' })
    watched.subscribe('a', 'runs.events', { runId })
    await expect.poll(() => stream.subscribers()).toBe(1)
    state = next
    if (next === 'away') {
      await new Promise((resolve) => setTimeout(resolve, 3_000)) // Longer than it takes to look.
      expect(watched.socket.readyState).toBe(WebSocket.OPEN)
      state = 'gone'
    }
    expect(await watched.closed).toMatchObject({ code: liveCloses.unauthenticated })
    await expect.poll(() => stream.subscribers()).toBe(0)
    expect(other.socket.readyState).toBe(WebSocket.OPEN)
  }
}, 30_000)

test('a flood of messages, of subscriptions or of connections is cut off', async () => {
  const { url, live } = await serve({
    limits: { messagesPerMinute: 60, subscriptionsMax: 3 },
    perKeyMax: 3,
    async authenticate(secret) {
      const caller = await authenticate(secret)
      return caller && { ...caller, keyId: secret }
    },
  })
  const flooding = await opened(url)
  for (let i = 0; i < 50; i++) flooding.say({ type: 'unsubscribe', id: 'x' })
  expect(await flooding.closed).toMatchObject({ code: liveCloses.overLimit })
  const many = await opened(url)
  for (const id of ['a', 'b', 'c', 'd']) many.subscribe(id, 'approvals.list')
  await many.has({ type: 'refused', id: 'd', error: expect.objectContaining({ code: 'over_limit' }) })
  for (const id of ['a', 'b', 'c']) await many.has({ type: 'event', id })
  many.say({ type: 'unsubscribe', id: 'a' })
  await many.has({ type: 'closed', id: 'a' })
  many.subscribe('d', 'approvals.list') // There is room again.
  await many.has({ type: 'event', id: 'd' })
  await opened(url)
  await opened(url)
  const fourth = client(url)
  expect(await fourth.opened).toBe(false)
  expect(fourth.refusal()?.status).toBe(429)
  await opened(url, { authorization: 'Bearer lh_runs:read' }) // Another key's are counted apart.
  const said = client(url, {})
  expect(await said.opened).toBe(true)
  said.say({ type: 'hello', key: 'lh_all' })
  expect(await said.closed).toMatchObject({ code: liveCloses.overLimit })
  many.socket.close()
  await expect.poll(() => live.connectionCount()).toBe(3)
  await opened(url)
})

test('what is no message, too large, or binary ends the connection', async () => {
  const { url } = await serve({ limits: { messageBytesMax: 2_000 } })
  const cases: [Parameters<WebSocket['send']>[0], number][] = [
    ['{', liveCloses.invalid],
    ['[]', liveCloses.invalid],
    [JSON.stringify({ type: 'subscribe', id: 'a', operation: 'runs.list', more: 1 }), liveCloses.invalid],
    [JSON.stringify({ type: 'hello', key: 'lh_all' }), liveCloses.invalid], // It came with the request.
    [Buffer.from('{}'), liveCloses.invalid],
    [JSON.stringify({ type: 'subscribe', id: 'a', operation: 'runs.list', input: { search: 'x'.repeat(3_000) } }), liveCloses.tooLarge],
  ]
  for (const [message, code] of cases) {
    const made = await opened(url)
    made.socket.send(message)
    expect((await made.closed).code, String(message).slice(0, 60)).toBe(code)
  }
  const twice = await opened(url)
  twice.subscribe('a', 'approvals.list')
  twice.subscribe('a', 'approvals.list')
  expect((await twice.closed).code).toBe(liveCloses.invalid)
  const deep = await opened(url)
  deep.say({ type: 'subscribe', id: 'a', operation: 'runs.list', input: { agent: `${'['.repeat(400)}${']'.repeat(400)}` } })
  await deep.has({ type: 'refused', id: 'a' })
})

test('a client that does not read costs a fixed buffer, is sent away after a while, and goes on from its cursor', async () => {
  const { url, stream } = await serve({ limits: { unreadMs: 500, unreadBytesMax: 200_000 } })
  const slow = await opened(url)
  slow.socket.pause()
  const payload = 'x'.repeat(50_000)
  for (let seq = 0; seq < 500; seq++) stream.events.push({ ...anEvent(seq), data: { name: 'big', payload, by: 'x' } } as never)
  stream.end()
  const before = stream.reads
  slow.subscribe('a', 'runs.events', { runId })
  await expect.poll(() => stream.reads).toBeGreaterThan(before)
  await expect.poll(() => stream.subscribers(), { timeout: 5_000 }).toBe(0) // It was sent away.
  expect(stream.reads - before).toBeLessThan(4) // Of 6 pages: it was not read on for somebody who does not read.
  slow.socket.resume()
  await slow.closed
  const have = slow.cursors('a')
  expect(have.length).toBeLessThan(500)
  // It goes on, as often as it is sent away.
  for (let isOver = false; !isOver;) {
    const again = await opened(url)
    again.subscribe('a', 'runs.events', { runId }, have.at(-1))
    const isTold = () => again.of('a').at(-1)?.type === 'closed'
    await expect.poll(() => isTold() || again.socket.readyState === WebSocket.CLOSED, { timeout: 20_000 }).toBe(true)
    have.push(...again.cursors('a'))
    isOver = isTold()
  }
  expect(have.map(Number)).toEqual(Array.from({ length: 500 }, (_, seq) => seq))
}, 90_000)

test('whoever comes back asks for as many subscriptions at once as there may be', async () => {
  const { url } = await serve()
  const made = client(url, {})
  expect(await made.opened).toBe(true)
  made.say({ type: 'hello', key: 'lh_all' })
  for (let at = 0; at < liveLimits.subscriptionsMax; at++) made.subscribe(`s${at}`, 'approvals.list')
  await expect.poll(() => new Set(made.messages.flatMap((message) => ('id' in message && message.type === 'event' ? message.id : []))).size).toBe(100)
})

test('a quiet connection is kept alive, and one that is dead is noticed', async () => {
  const { url, live } = await serve({ limits: { heartbeatMs: 100 } })
  const quiet = await opened(url)
  await expect.poll(() => quiet.messages.filter(({ type }) => type === 'here').length).toBeGreaterThan(2)
  expect(live.connectionCount()).toBe(1)
  quiet.socket.pause() // Answers no ping any more.
  await expect.poll(() => live.connectionCount()).toBe(0)
})

test('a server that stops says so to each, takes no new ones, and is gone at once', async () => {
  const { url, live, listening, stream } = await serve()
  const some = await Promise.all([opened(url), opened(url, { authorization: 'Bearer lh_runs:read' })])
  const deaf = await opened(url)
  deaf.socket.pause()
  for (const each of [...some, deaf]) each.subscribe('a', 'runs.events', { runId })
  await expect.poll(() => stream.subscribers()).toBe(3)
  const from = performance.now()
  await Promise.all([live.stop(), listening.stop()])
  expect(performance.now() - from).toBeLessThan(3_000)
  for (const { closed } of some) expect(await closed).toMatchObject({ code: liveCloses.stopping })
  expect([live.connectionCount(), stream.subscribers()]).toEqual([0, 0])
})

test('the address answers nothing but WebSockets', async () => {
  const { url } = await serve()
  const response = await fetch(`${url}/v1/live`)
  expect([response.status, response.headers.get('upgrade')]).toEqual([426, 'websocket'])
  const made = new WebSocket(`${url.replace('http', 'ws')}/v1/livelier`)
  await new Promise((resolve) => made.on('error', resolve))
})
