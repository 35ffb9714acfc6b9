import { operations } from '@longhaul/protocol'
import { spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { history, runId } from '../../test/support/fake-stream.ts'
import { addresses } from './addresses.ts'
import { ApiError } from './api-error.ts'
import { keepTrying } from './backoff.ts'
import { createClient, toHttp } from './client.ts'
import { contract } from './contract.ts'
import { streamRun } from './stream-run.ts'

const answering = (answer: (url: string, init: RequestInit) => Response | Promise<Response>) =>
  createClient({ url: 'http://fake/', key: 'secret', fetch: async (url, init) => answer(String(url), init ?? {}) })

test('the client has every operation of the protocol under its id, and nothing else', () => {
  const methods = Object.entries(contract).flatMap(([noun, verbs]) => Object.entries(verbs).map(([verb, operation]) => [`${noun}.${verb}`, operation] as const))
  expect(methods.map(([name]) => name).sort()).toEqual(operations.map(({ id }) => id).sort())
  for (const [name, operation] of methods) expect(operation.id).toBe(name)
  expect(addresses).toEqual(Object.fromEntries(operations.map(({ id, http }) => [id, http])))
  const client = answering(() => Response.json({}))
  for (const [noun, verbs] of Object.entries(contract)) expect(Object.keys(client[noun as keyof typeof contract]).sort()).toEqual(Object.keys(verbs).sort())
})

test('the client loads no schemas', async () => {
  const loaded = (entry: string) =>
    spawnSync(
      process.execPath,
      ['--conditions=longhaul-source', '--input-type=module', '--eval', `await import('${entry}'); console.log('__zod_globalConfig' in globalThis)`],
      {
        cwd: import.meta.dirname,
        encoding: 'utf8',
      },
    ).stdout
  expect(loaded('@longhaul/sdk/client')).toBe('false\n')
  expect(loaded('@longhaul/protocol')).toBe('true\n') // Where there are schemas it shows.
})

test('a POST carries its fields as JSON, with the key; undefined fields are left out', async () => {
  const seen: unknown[] = []
  const client = answering((url, { method, body, headers }) => {
    seen.push([method, url, JSON.parse(String(body)), Object.fromEntries(new Headers(headers))])
    return Response.json({ id: runId })
  })
  expect(await client.runs.start({ agent: 'analyst', input: '多少?' })).toEqual({ id: runId })
  expect(seen).toEqual([
    [
      'POST',
      'http://fake/v1/runs',
      { agent: 'analyst', input: '多少?' },
      { authorization: 'Bearer secret', accept: 'application/json', 'content-type': 'application/json' },
    ],
  ])
})

test('fields named in the path go there, escaped; the others of a GET are its query', () => {
  expect(toHttp('runs.signal', { runId, name: 'a/b ü', payload: 1 })).toEqual({
    method: 'POST',
    path: `/v1/runs/${runId}/signals/a%2Fb%20%C3%BC`,
    body: '{"payload":1}',
  })
  expect(toHttp('runs.list', { limit: 3, agent: undefined, cursor: 'a&b' })).toEqual({
    method: 'GET',
    path: '/v1/runs?limit=3&cursor=a%26b',
    body: undefined,
  })
  for (const name of [undefined, '', '.', '..']) expect(() => toHttp('agents.get', { name })).toThrow('agents.get needs name.')
})

test('an error of the server keeps its code, message, status and request id', async () => {
  const client = answering(() => Response.json({ error: { code: 'conflict', message: 'Another body.', requestId: 'r-1' } }, { status: 409 }))
  await expect(client.system.get()).rejects.toMatchObject({ name: 'ApiError', code: 'conflict', message: 'Another body.', status: 409, requestId: 'r-1' })
})

test('what another than our server answers is still an ApiError', async () => {
  const cases: [Response, Partial<ApiError>][] = [
    [new Response('<html>Bad gateway</html>', { status: 502 }), { code: 'unavailable', message: 'The server answered 502' }],
    [new Response('upstream is away', { status: 504 }), { code: 'unavailable', message: 'The server answered 504: upstream is away' }],
    [new Response('', { status: 401 }), { code: 'unauthenticated' }],
    [Response.json({ error: { code: 'toString', message: 'x' } }, { status: 500 }), { code: 'internal' }],
    [Response.json({ error: 'teapot' }, { status: 418 }), { code: 'invalid' }],
    [new Response('<html>', { status: 200 }), { code: 'internal', message: 'http://fake did not answer with JSON. Is it a Longhaul server?' }],
    [Response.json({}, { status: 429, headers: { 'retry-after': '7' } }), { code: 'over_limit', retryAfterMs: 7_000 }],
  ]
  for (const [response, error] of cases) await expect(answering(() => response).agents.list()).rejects.toMatchObject({ name: 'ApiError', ...error })
})

test('a connection that fails is unavailable with its cause in words; an abort stays an abort', async () => {
  const port = await freePort()
  await expect(createClient({ url: `http://127.0.0.1:${port}` }).agents.list()).rejects.toMatchObject({
    code: 'unavailable',
    status: 0,
    message: `No answer from http://127.0.0.1:${port}: connection refused.`,
  })
  const reason = new Error('mine')
  await expect(createClient({ url: `http://127.0.0.1:${port}` }).agents.list({}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  const never = createClient({
    url: 'http://fake',
    timeoutMs: 10,
    fetch: (_, init) => new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))),
  })
  await expect(never.agents.list()).rejects.toMatchObject({ code: 'unavailable', message: 'No answer from http://fake: it took too long.' })
})

test('keepTrying repeats what is passing, at once throws what is not, and stops in time', async () => {
  const backoff = { delayMsMin: 1, delayMsMax: 2 }
  let tries = 0
  const failing = (times: number, error: unknown) => async () => {
    if (++tries <= times) throw error
    return tries
  }
  expect(await keepTrying(failing(4, new ApiError('unavailable', 'x')), { giveUpAfterMs: 5_000, backoff })).toBe(5)
  tries = 0
  await expect(keepTrying(failing(4, new ApiError('conflict', 'x')), { giveUpAfterMs: 5_000, backoff })).rejects.toMatchObject({ code: 'conflict' })
  expect(tries).toBe(1)
  await expect(keepTrying(failing(1e9, new ApiError('unavailable', 'x')), { giveUpAfterMs: 30, backoff })).rejects.toMatchObject({ code: 'unavailable' })
})

test('over real connections: the server dies in the middle of an event and comes back on the same port', async () => {
  const port = await freePort()
  const lines = history.map((event) => `id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`)
  const asked: (string | undefined)[] = []
  const start = async (handle: (request: IncomingMessage, write: (text: string) => Promise<void>) => Promise<void>) => {
    const server = createServer((request, response) => {
      asked.push(request.headers['last-event-id']?.toString())
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      void handle(request, (text) => new Promise((resolve) => void response.write(text, () => resolve()))).then(() => response.end())
    })
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
  const killAt: { now?: () => Promise<void> } = {}
  killAt.now = await start(async (_, write) => {
    await write(`${lines.slice(0, 4).join('')}${lines[4]?.slice(0, 40)}`)
    await new Promise(() => {}) // The process hangs until it is killed below.
  })
  const events = []
  for await (const frame of streamRun(createClient({ url: `http://127.0.0.1:${port}` }), runId, { backoff: { delayMsMin: 5, delayMsMax: 50 } })) {
    events.push(frame)
    if (events.length === 4) {
      await killAt.now()
      setTimeout(async () => (killAt.now = await start(async ({ headers }, write) => write(lines.slice(Number(headers['last-event-id']) + 1).join('')))), 60)
    }
  }
  await killAt.now()
  expect(events).toEqual(history)
  expect(asked).toEqual([undefined, '3'])
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
