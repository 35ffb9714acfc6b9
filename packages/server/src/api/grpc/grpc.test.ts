import { type Socket, connect } from 'node:net'
import { Client, Metadata, credentials } from '@grpc/grpc-js'
import { type ErrorCode, errorCodes, operations } from '@longhaul/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { type Failed, failed, grpcClient } from '../../../test/support/grpc-client.ts'
import { aRun, leak, otherTenantsRunId, runId } from '../../../test/support/example-things.ts'
import { anEvent, authenticate, makeApi } from '../../../test/support/fake-services.ts'
import { AppError, silentLog } from '../../kernel/index.ts'
import { addressCheck } from '../guard.ts'
import { listenGrpc } from './grpc.ts'
import numbersOfToday from './field-numbers.json' with { type: 'json' }
import { extendNumbers, numbered } from './numbers.ts'
import { type Message, shapesOf } from './shapes.ts'

const key = 'lh_all'
const runs = (method: string) => `longhaul.v1.RunsService/${method}`

async function serve(changes: Parameters<typeof makeApi>[0] & { health?: () => Promise<void>; bodyBytesMax?: number } = {}) {
  const api = makeApi(changes)
  const stopping = new AbortController()
  const grpc = await listenGrpc({
    ...{
      pipeline: api.pipeline,
      checkAddress: addressCheck('127.0.0.1'),
      host: '127.0.0.1',
      port: 0,
      connectionsMax: 100,
      stopping: stopping.signal,
      log: silentLog,
    },
    bodyBytesMax: changes.bodyBytesMax ?? 100_000,
    health: changes.health ?? (async () => {}),
  })
  const client = await grpcClient(grpc.url)
  onTestFinished(async () => {
    client.close()
    stopping.abort()
    await grpc.stop()
  })
  return { ...api, grpc, client, stopping }
}
const failure = (work: Promise<unknown>): Promise<Failed> =>
  work.then(
    () => expect.fail('It was allowed.'),
    (error: unknown) => error as Failed,
  )

test('reflection tells of every operation, and of streams, reflection and health', async () => {
  const { client } = await serve()
  const methods = client.methods()
  for (const { id, frame } of operations) {
    const [noun = '', verb = ''] = id.split('.').map((name) => name.slice(0, 1).toUpperCase() + name.slice(1))
    expect(methods).toContain(`longhaul.v1.${noun}Service/${verb}`)
    if (frame) expect(methods).toContain(`longhaul.v1.${noun}Service/${verb}Stream`)
  }
  expect(client.services).toEqual(expect.arrayContaining(['grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection']))
  const [unknown, file, method, nothing] = await client.reflect([
    { case: 'fileContainingSymbol', value: 'no.such.Thing' },
    { case: 'fileByFilename', value: 'google/protobuf/struct.proto' },
    { case: 'fileContainingSymbol', value: 'longhaul.v1.RunsService.Start' },
    { case: undefined },
  ])
  expect([unknown?.value.errorCode, file?.case, method?.value.fileDescriptorProto.length, nothing?.value.errorCode]).toEqual([
    5,
    'fileDescriptorResponse',
    2,
    3,
  ])
})

test('a call is answered as over HTTP: types, absence, nothing that the contract does not name', async () => {
  const { client, calls, ask } = await serve()
  const { output, headers } = await client.call(runs('Get'), { runId }, { key })
  const { items: _, ...overHttp } = (await (await ask('GET', `/v1/runs/${runId}`)).json()) as Record<string, unknown>
  const present = Object.fromEntries(Object.entries(overHttp).filter(([, value]) => value !== null))
  expect(output).toEqual({ ...present, output: null, eventCount: '1', usage: { input: '1', cachedInput: '0', output: '2' } })
  expect(JSON.stringify(aRun)).toContain(leak)
  expect(JSON.stringify(output)).not.toContain(leak)
  expect(headers).toMatchObject({ 'x-request-id': expect.any(String), 'ratelimit-limit': '1000000' })
  await client.call(runs('Start'), { agent: 'analyst', input: { question: ['why', null, 1.5, { deep: true }] }, delayMs: 5 }, { key })
  expect(calls.at(-1)?.[2]).toEqual({ agent: 'analyst', input: { question: ['why', null, 1.5, { deep: true }] }, delayMs: 5, destinations: [] })
  await client.call(runs('List'), { limit: 7, state: 'failed' }, { key })
  expect(calls.at(-1)?.[2]).toEqual({ limit: 7, state: 'failed' })
})

test('no list, an empty one and null stay apart', async () => {
  const { client, calls } = await serve()
  const create = 'longhaul.v1.KeysService/Create'
  await client.call(create, { name: 'all' }, { key })
  expect(calls.at(-1)?.[2]).not.toHaveProperty('namespaces')
  // An empty list of namespaces is no namespace, and never all of them.
  expect(await failure(client.call(create, { name: 'none', namespaces: [] }, { key }))).toMatchObject({
    code: 3,
    message: expect.stringContaining('namespaces'),
  })
  await client.call(create, { name: 'one', namespaces: ['dev'] }, { key })
  expect(calls.at(-1)?.[2]).toMatchObject({ namespaces: ['dev'] })
  await client.call('longhaul.v1.RetentionService/Set', { namespace: 'dev' }, { key })
  expect(calls.at(-1)?.[2]).toEqual({ namespace: 'dev', days: null })
})

test('every operation needs its permission here, too', async () => {
  const { client, calls, notes } = await serve()
  for (const { id, permission, frame } of operations) {
    if (permission === 'anybody' || permission === 'oneself') continue
    const [noun = '', verb = ''] = id.split('.').map((name) => name.slice(0, 1).toUpperCase() + name.slice(1))
    const path = `longhaul.v1.${noun}Service/${verb}`
    const without = permission === 'runs:read' ? 'lh_agents:read' : 'lh_runs:read'
    const [callCount, noteCount] = [calls.length, notes.length]
    expect(await failure(client.call(path, {}, { key: without })), id).toMatchObject({ code: 7, detail: { code: 'forbidden' } })
    expect(await failure(client.call(path, {})), id).toMatchObject({ code: 16, detail: { code: 'unauthenticated' } })
    expect(calls.length, id).toBe(callCount)
    expect(notes.slice(noteCount).map(([, { action, outcome }]) => [action, outcome])).toEqual([[id, 'refused']])
    // With it the same request comes as far as its input, or further.
    const allowed = await client.call(path, {}, { key: `lh_${permission}` }).then(
      () => 0,
      (error: Failed) => error.code,
    )
    expect([0, 3, 5, 9, 10, 12, 14], `${id} ${allowed}`).toContain(allowed)
    if (!frame) continue
    const stream = client.stream(`${path}Stream`, {}, { key: without })
    expect(failed(await new Promise((resolve) => stream.on('error', resolve)))).toMatchObject({ code: 7 })
  }
}, 120_000)

test.each(Object.keys(errorCodes) as ErrorCode[])('%s has its code in gRPC, and its own in the details', async (code) => {
  const { client } = await serve({
    services: {
      runs: { ...makeApi().services.runs, find: () => Promise.reject(new AppError(code, 'Said so. 没有', undefined, code === 'over_limit' ? 7 : undefined)) },
    },
  })
  const error = await failure(client.call(runs('Get'), { runId }, { key, metadata: { 'x-request-id': 'trace-1' } }))
  expect(error).toMatchObject({
    code: errorCodes[code].grpc,
    message: 'Said so. 没有',
    detail: { code, requestId: 'trace-1', retryAfterS: code === 'over_limit' ? 7 : 0 },
    metadata: { 'x-request-id': 'trace-1' },
  })
})

test('a fault says nothing of itself, and what is asked for wrongly says what is wrong', async () => {
  const { client } = await serve({ services: { runs: { ...makeApi().services.runs, find: () => Promise.reject(new Error('secret detail')) } } })
  expect(await failure(client.call(runs('Get'), { runId }, { key }))).toMatchObject({ code: 13, message: 'Internal error.', detail: { code: 'internal' } })
  expect(await failure(client.call(runs('Get'), { runId: 'x' }, { key }))).toMatchObject({ code: 3, message: expect.stringContaining('runId') })
  const other = await serve()
  expect(await failure(other.client.call(runs('Get'), { runId: otherTenantsRunId }, { key }))).toMatchObject({ code: 5 })
  expect((await other.client.call(runs('Get'), { runId }, { key })).output).toMatchObject({ id: runId })
})

test('a run is followed from a cursor to its end, and a list from now on', async () => {
  const { client, stream: source, lists } = await serve()
  source.events.push(anEvent(0), anEvent(1), anEvent(2))
  const told: Record<string, unknown>[] = []
  const stream = client.stream(runs('EventsStream'), { input: { runId }, after: '0' }, { key })
  stream.on('data', (frame: Record<string, unknown>) => told.push(frame))
  await expect.poll(() => told.map(({ cursor }) => cursor)).toEqual(['1', '2'])
  expect(told[0]).toMatchObject({ event: 'signal.received', data: anEvent(1) })
  const ended = new Promise((resolve) => stream.on('end', resolve))
  source.push(anEvent(3))
  source.end()
  await ended
  expect(told.map(({ event }) => event)).toEqual(['signal.received', 'signal.received', 'signal.received', 'end'])

  const list: Record<string, unknown>[] = []
  const following = client.stream(runs('ListStream'), { input: { agent: 'analyst' } }, { key })
  following.on('data', (frame: Record<string, unknown>) => list.push(frame)).on('error', () => {})
  await expect.poll(() => list.at(0)?.['event']).toBe('mark')
  lists.push('run', aRun)
  await expect.poll(() => list.at(-1)).toMatchObject({ event: 'run', data: { id: runId } })
  expect(JSON.stringify(list)).not.toContain(leak)
  following.cancel()
  await expect.poll(() => lists.watcherCount()).toBe(0)
})

test('a client that does not read is not read for', async () => {
  const { client, stream: source } = await serve()
  const payload = 'x'.repeat(50_000)
  for (let seq = 0; seq < 2_000; seq++) source.events.push({ ...anEvent(seq), data: { name: 'big', payload, by: 'x' } } as never)
  source.end()
  const stream = client.stream(runs('EventsStream'), { input: { runId } }, { key })
  stream.pause()
  stream.on('error', () => {})
  await expect.poll(() => source.reads).toBeGreaterThan(0)
  for (let i = 0; i < 20; i++) await client.call(runs('Get'), { runId }, { key })
  expect(source.reads).toBeLessThan(5) // Of 21 pages.
  let count = 0
  stream.on('data', () => count++)
  const ended = new Promise((resolve) => stream.on('end', resolve))
  stream.resume()
  await ended
  expect(count).toBe(2_001)
}, 30_000)

test('a key that ends loses its streams, and a server that stops ends them as something to come back from', async () => {
  let isGone = false
  const {
    client,
    stream: source,
    stopping,
  } = await serve({
    authenticate: async (secret) => (isGone && secret === 'lh_all' ? undefined : authenticate(secret)),
  })
  const first = client.stream(runs('EventsStream'), { input: { runId } }, { key })
  const second = client.stream(runs('EventsStream'), { input: { runId } }, { key: 'lh_runs:read' })
  const ended = new Promise((resolve) => first.on('end', () => resolve('end')).on('error', resolve))
  const stopped = new Promise<Failed>((resolve) => second.on('error', (error) => resolve(failed(error as never))))
  for (const each of [first, second]) each.on('data', () => {})
  await expect.poll(() => source.subscribers()).toBe(2)
  isGone = true
  await ended
  await expect.poll(() => source.subscribers()).toBe(1)
  stopping.abort()
  expect(await stopped).toMatchObject({ code: 14, detail: { code: 'unavailable' } })
})

test('a deadline that passes and a client that cancels end the waiting', async () => {
  let isWaiting = false
  const never = new Promise<never>(() => {})
  const { client } = await serve({ services: { runs: { ...makeApi().services.runs, find: () => ((isWaiting = true), never) } } })
  const from = performance.now()
  expect(await failure(client.call(runs('Get'), { runId }, { key, deadlineMs: 300 }))).toMatchObject({ code: 4 })
  expect(performance.now() - from).toBeLessThan(3_000)
  expect(isWaiting).toBe(true)
  const cancelled = new AbortController()
  const call = failure(client.call(runs('Get'), { runId }, { key, signal: cancelled.signal }))
  cancelled.abort()
  expect(await call).toMatchObject({ code: 1 })
})

test('what is too large, compressed, for another host or no protocol buffer is refused', async () => {
  const { client, grpc } = await serve({ bodyBytesMax: 2_000 })
  expect(await failure(client.call(runs('Start'), { agent: 'analyst', input: 'x'.repeat(3_000) }, { key }))).toMatchObject({ code: 8 })
  await client.call(runs('Start'), { agent: 'analyst', input: 'x'.repeat(1_000) }, { key })
  expect(await failure(client.call(runs('Start'), { agent: 'a'.repeat(100) }, { key }))).toMatchObject({ code: 3 })
  const gzip = new Client(grpc.url.replace('http://', ''), credentials.createInsecure(), { 'grpc.default_compression_algorithm': 2 })
  const elsewhere = new Client(grpc.url.replace('http://', ''), credentials.createInsecure(), { 'grpc.default_authority': 'evil.example' })
  const bare = (made: Client, path: string, message: Buffer) =>
    new Promise<number>((resolve) => {
      const metadata = new Metadata()
      metadata.set('authorization', `Bearer ${key}`)
      made.makeUnaryRequest(
        path,
        (each: Buffer) => each,
        (each) => each,
        message,
        metadata,
        {},
        (error) => resolve(error ? error.code : 0),
      )
    })
  const get = Buffer.from([10, 36, ...Buffer.from(runId)])
  expect(await bare(client.raw, `/${runs('Get')}`, get)).toBe(0)
  expect(await bare(gzip, `/${runs('Get')}`, get)).toBe(12)
  expect(await bare(elsewhere, `/${runs('Get')}`, get)).toBe(7)
  expect(await bare(client.raw, `/${runs('Get')}`, Buffer.from([255, 255, 255]))).toBe(13) // As gRPC's own libraries say it.
  expect(await bare(client.raw, `/${runs('Nothing')}`, get)).toBe(12)
  gzip.close()
  elsewhere.close()
})

test('health is that of the server, for whoever asks', async () => {
  let isWell = true
  const { client } = await serve({ health: async () => void (isWell || (await Promise.reject(new Error('away')))) })
  const check = () => client.call('grpc.health.v1.Health/Check').then(({ output }) => output['status'])
  expect(await check()).toBe('SERVING')
  isWell = false
  expect(await check()).toBe('NOT_SERVING')
})

test('requests beyond the rate of a key are refused with when to come back', async () => {
  const { client } = await serve({ requestsPerMinute: 60 })
  for (let i = 0; i < 10; i++) await client.call(runs('Get'), { runId }, { key })
  expect(await failure(client.call(runs('Get'), { runId }, { key }))).toMatchObject({
    code: 8,
    detail: { code: 'over_limit', retryAfterS: expect.any(Number) },
  })
})

test('signing in works without a key, and a cookie is none', async () => {
  const { client } = await serve()
  await client.call('longhaul.v1.DevicesService/Start', { name: 'longhaul on a laptop' })
  expect(await failure(client.call(runs('Get'), { runId }, { metadata: { cookie: '__Host-longhaul=x' } }))).toMatchObject({ code: 16 })
})

test('a number is given once: what goes leaves its own reserved, what changes its type gets another', () => {
  const field = (json: string, type: string) => ({ json, type, isRepeated: false, isOptional: false, isNullWhenAbsent: false, comment: '' })
  const message = (...fields: Message['fields']): Message[] => [{ name: 'Thing', comment: '', fields }]
  const first = extendNumbers({}, message(field('a', 'string'), field('b', 'int64'), field('c', 'bool')))
  const second = extendNumbers(first, message(field('c', 'bool'), field('b', 'string'), field('d', 'double')))
  const [thing] = numbered(message(field('c', 'bool'), field('b', 'string'), field('d', 'double')), second)
  expect(thing?.fields.map(({ json, number }) => [json, number])).toEqual([
    ['c', 3],
    ['b', 4],
    ['d', 5],
  ])
  expect(thing?.reserved).toEqual([1, 2])
  expect(extendNumbers(second, [])).toEqual(second) // A message that is gone keeps its numbers, too.
  expect(() => numbered(message(field('e', 'string')), second)).toThrow('npm run generate')
  // Those that were released, and are never to change: whoever edits the file by hand is noticed here.
  expect(numbersOfToday['RunsStartRequest']?.slice(0, 3)).toEqual(['agent string', 'namespace string', 'input google.protobuf.Value'])
  for (const [name, given] of Object.entries(numbersOfToday)) expect(new Set(given).size, name).toBe(given.length)
  expect(extendNumbers(numbersOfToday, shapesOf().messages)).toEqual(numbersOfToday)
})

test('a peer that says nothing, or no HTTP/2, holds up nobody', async () => {
  const { client, grpc } = await serve()
  const port = Number(new URL(grpc.url).port)
  const sockets: Socket[] = []
  for (const bytes of ['', 'GET / HTTP/1.1\r\nhost: x\r\n\r\n', '\x00'.repeat(100)]) {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.on('error', () => {})
    sockets.push(socket)
  }
  await client.call(runs('Get'), { runId }, { key })
  for (const socket of sockets) socket.destroy()
})
