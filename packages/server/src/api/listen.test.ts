import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { runId } from '../../test/support/example-things.ts'
import { anEvent, makeApi } from '../../test/support/fake-services.ts'
import { listen } from './listen.ts'

const headers = { authorization: 'Bearer lh_all' }

async function serve(changes: Parameters<typeof makeApi>[0] = {}) {
  const api = makeApi(changes)
  const listening = await listen(api.app, { host: '127.0.0.1', port: 0 })
  return { ...api, ...listening, [Symbol.asyncDispose]: listening.stop }
}

/** Sends bytes and returns all that comes back until the connection closes. */
function raw(url: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(bytes))
    let answer = ''
    socket.on('data', (chunk) => (answer += chunk.toString()))
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
  })
}

test('port 0 takes a free port, and the address says which', async () => {
  await using t = await serve()
  expect(t.url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d+$/)
  expect(await (await fetch(`${t.url}/healthz`)).json()).toEqual({ status: 'ok' })
  expect((await fetch(`${t.url}/v1/runs`, { method: 'POST', headers, body: '{"agent":"analyst"}' })).status).toBe(200)
})

test('a port that is taken is named with what to do', async () => {
  await using t = await serve()
  await expect(listen(t.app, { host: '127.0.0.1', port: Number(new URL(t.url).port) })).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/is taken.*LONGHAUL_HTTP_PORT/),
  })
  await expect(listen(t.app, { host: '192.0.2.1', port: 0 })).rejects.toThrow(/no address of this machine.*LONGHAUL_HTTP_HOST/)
})

test('events come through the socket as they happen, and a client that hangs up is forgotten', async () => {
  await using t = await serve()
  const client = new AbortController()
  const response = await fetch(`${t.url}/v1/runs/${runId}/events`, { headers: { ...headers, accept: 'text/event-stream' }, signal: client.signal })
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  expect((await reader.read()).value).toContain('retry: 500')
  t.stream.push(anEvent(0))
  expect((await reader.read()).value).toContain('id: 0\nevent: signal.received\n')
  t.stream.live({ type: 'text-delta', op: '0', text: 'word' })
  expect((await reader.read()).value).toContain('event: text-delta')
  expect(t.stream.subscribers()).toBe(1)
  client.abort()
  await expect.poll(() => t.stream.subscribers()).toBe(0)
})

test('a client that does not read holds neither the stream nor the server up', async () => {
  await using t = await serve()
  const idle = connect(Number(new URL(t.url).port), '127.0.0.1', () =>
    idle.write(`GET /v1/runs/${runId}/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer lh_all\r\naccept: text/event-stream\r\n\r\n`),
  )
  idle.pause()
  await expect.poll(() => t.stream.subscribers()).toBe(1)
  const payload = 'x'.repeat(50_000)
  for (let seq = 0; seq < 2_000; seq++) t.stream.events.push({ ...anEvent(seq), data: { name: 'big', payload, by: 'x' } } as never)
  t.stream.push() // 100 MB to tell, in pages of 25 MB.
  const before = t.stream.reads
  await fetch(`${t.url}/healthz`)
  await expect.poll(() => t.stream.reads).toBeGreaterThan(before)
  for (let i = 0; i < 20; i++) await fetch(`${t.url}/healthz`)
  expect(t.stream.reads - before).toBeLessThan(4) // It does not read the journal on for somebody who does not read.
  idle.destroy()
  await expect.poll(() => t.stream.subscribers()).toBe(0)
})

test('stop ends event streams and returns with no connection left', async () => {
  const stopping = new AbortController()
  const t = await serve({ stopping: stopping.signal })
  const response = await fetch(`${t.url}/v1/runs/${runId}/events`, { headers: { ...headers, accept: 'text/event-stream' } })
  const from = performance.now()
  stopping.abort()
  await t.stop()
  expect(performance.now() - from).toBeLessThan(2_000) // And not only when the limit for those who hang on is over.
  expect(await response.text()).not.toContain('event: end')
  await expect(fetch(`${t.url}/healthz`)).rejects.toThrow()
})

test('a body that is announced as too large is refused before it is sent, one that lies is cut off', async () => {
  await using t = await serve()
  const head = 'POST /v1/runs HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer lh_all\r\nconnection: close\r\n'
  expect(await raw(t.url, `${head}content-length: 1000000000\r\n\r\n{`)).toContain('HTTP/1.1 413')
  const chunk = `400\r\n${'x'.repeat(1024)}\r\n`
  expect(await raw(t.url, `${head}transfer-encoding: chunked\r\n\r\n${chunk.repeat(3)}`)).toContain('HTTP/1.1 413')
  expect(t.calls).toEqual([])
})

test('what is no HTTP, or not for us, is refused', async () => {
  await using t = await serve()
  expect(await raw(t.url, 'nonsense\r\n\r\n')).toContain('HTTP/1.1 400')
  expect(await raw(t.url, 'GET /v1/agents HTTP/1.1\r\nhost: evil.example\r\nauthorization: Bearer lh_all\r\nconnection: close\r\n\r\n')).toContain(
    'HTTP/1.1 403',
  )
  expect(await raw(t.url, 'GET /v1/agents HTTP/1.0\r\nauthorization: Bearer lh_all\r\n\r\n')).toMatch(/HTTP\/1.1 40[03]/)
  expect(
    await raw(t.url, `GET http://evil.example/v1/agents HTTP/1.1\r\nhost: evil.example\r\nauthorization: Bearer lh_all\r\nconnection: close\r\n\r\n`),
  ).toContain('HTTP/1.1 403')
  expect(await raw(t.url, 'GET /../../../../etc/passwd HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')).not.toContain('root:')
})
