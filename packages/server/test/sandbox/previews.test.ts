/** What listens inside, shown through the server: to whoever has the link, and as a stranger to this server's own pages. */
import { connect } from 'node:net'
import { Hono } from 'hono'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { listen, openLinks, openPreviews, addressCheck, type Listening } from '../../src/api/index.ts'
import { silentLog } from '../../src/kernel/index.ts'
import { type ManagedBed, create, makeCaller, openManagedBed, script } from '../support/managed-bed.ts'
import { usableModes } from '../support/sandbox-modes.ts'

const isReal = usableModes().length > 0
const links = openLinks()
const caller = makeCaller()
let bed: ManagedBed
let listening: Listening
let id: string

/** A web server of the sandbox's: tells what it was asked, sends much, sets what it must not, and echoes WebSockets. */
const program = `
const { createHash } = require('node:crypto')
const server = require('node:http').createServer((request, response) => {
  if (request.url === '/large') return void response.end(Buffer.alloc(8_000_000, 'x'))
  const pieces = []
  request.on('data', (piece) => pieces.push(piece))
  request.on('end', () => {
    response.writeHead(request.url === '/missing' ? 404 : 200, { 'set-cookie': 'a=b', 'content-security-policy': 'none', 'content-type': 'application/json' })
    response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, bytes: Buffer.concat(pieces).length }))
  })
})
server.on('upgrade', (request, socket) => {
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64')
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' + accept + '\\r\\n\\r\\n')
  socket.on('data', (frame) => {
    if ((frame[0] & 15) === 8) return socket.end(Buffer.from([0x88, 0]))
    const mask = frame.subarray(2, 6), text = frame.subarray(6).map((byte, at) => byte ^ mask[at % 4])
    socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text]))
  })
})
server.listen(8000, '127.0.0.1')
`

beforeAll(async () => {
  if (!isReal) return
  bed = await openManagedBed()
  ;({ id } = await create(bed, caller))
  await bed.service.files(caller, id, { action: 'write', files: [{ path: 'server.cjs', base64: Buffer.from(program).toString('base64') }] })
  await bed.service.start(caller, id, { script: 'node server.cjs', timeoutMs: 300_000 })
  const previews = openPreviews({ sandboxes: bed.service, checkAddress: addressCheck('127.0.0.1'), log: silentLog }, links)
  listening = await listen(new Hono(), { host: '127.0.0.1', port: 0, direct: [previews] })
  await vi.waitFor(async () => {
    const { status } = await fetch(address())
    if (status !== 200) throw new Error(`It answers with ${status}.`)
  }, 20_000)
})
afterAll(async () => {
  await listening?.stop()
  await bed?.[Symbol.asyncDispose]()
})

const address = (path = '', given: { port?: number; expiresInMs?: number; tenantId?: string } = {}) => {
  const { port = 8000, expiresInMs = 60_000, tenantId = caller.tenantId } = given
  return `${listening.url}/preview/${links.sign({ tenantId, sandboxId: id, port, expiresAt: Date.now() + expiresInMs })}/${path}`
}

test.skipIf(!isReal)('requests go in and answers come out, whatever their method, length and status', async () => {
  const answer = await fetch(address('a/b?c=d'), { method: 'POST', body: Buffer.alloc(3_000_000) })
  expect(await answer.json()).toMatchObject({ method: 'POST', url: '/a/b?c=d', bytes: 3_000_000, headers: { host: 'localhost:8000' } })
  expect((await fetch(address('missing'))).status).toBe(404)
  expect((await (await fetch(address('large'))).arrayBuffer()).byteLength).toBe(8_000_000)
  const all = await Promise.all(Array.from({ length: 12 }, (_, i) => fetch(address(String(i))).then((each) => each.json())))
  expect(all.map((each) => (each as { url: string }).url)).toEqual(all.map((_, i) => `/${i}`))
})

test.skipIf(!isReal)('neither side gets hold of the other: no keys and cookies inwards; outwards no cookies, and no origin of ours', async () => {
  const answer = await fetch(address(), { headers: { authorization: 'Bearer lh_key', cookie: 'session=1', 'x-mine': 'yes' } })
  const { headers } = (await answer.json()) as { headers: Record<string, string> }
  expect(headers).toMatchObject({ 'x-mine': 'yes' })
  expect(headers).not.toHaveProperty('authorization')
  expect(headers).not.toHaveProperty('cookie')
  expect(answer.headers.get('set-cookie')).toBeNull()
  const policy = answer.headers.get('content-security-policy')
  expect(policy).toMatch(/^sandbox /)
  expect(policy).not.toContain('allow-same-origin')
  expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
})

test.skipIf(!isReal)('a link that was changed, has expired, or names another tenant shows nothing', async () => {
  const good = address()
  const [, text = '', signature = ''] = /preview\/([^.]+)\.([^/]+)/.exec(good) ?? []
  const other = Buffer.from(Buffer.from(text, 'base64url').toString().replace('8000', '8001')).toString('base64url')
  for (const url of [good.replace(text, other), good.replace(signature, ''), address('', { expiresInMs: -1 }), `${listening.url}/preview/x/`])
    expect([url, (await fetch(url)).status]).toEqual([url, 401])
  expect((await fetch(address('', { tenantId: 'other' }))).status).toBe(404)
  expect(openLinks().read(`${text}.${signature}`)).toBeUndefined()
  expect((await fetch(good)).status).toBe(200)
})

test.skipIf(!isReal)('where nothing listens, that is said', async () => {
  const answer = await fetch(address('', { port: 81 }))
  expect([answer.status, await answer.text()]).toEqual([404, expect.stringContaining('Nothing listens on port 81')])
})

test.skipIf(!isReal)('WebSockets pass, and the sandbox works on while they are open', async () => {
  const socket = new WebSocket(address('live').replace('http', 'ws'))
  const answers: string[] = []
  socket.on('message', (data: Buffer) => answers.push(data.toString()))
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))
  socket.send('hello')
  await vi.waitFor(() => expect(answers).toEqual(['hello']), 5_000)
  expect((await script(bed, caller, id, 'echo works')).stdout).toBe('works\n')
  socket.send('again')
  await vi.waitFor(() => expect(answers).toEqual(['hello', 'again']), 5_000)
  const closed = new Promise((resolve) => socket.on('close', resolve))
  socket.close()
  await closed
  const refused = new WebSocket(`${listening.url.replace('http', 'ws')}/preview/x/`)
  const why = await new Promise<Error>((resolve) => refused.on('error', resolve))
  expect(why.message).toContain('401')
})

test.skipIf(!isReal)('a reader who does not read holds up nobody else', async () => {
  const { pathname, port } = new URL(address('large'))
  const slow = connect(Number(port), '127.0.0.1')
  slow.write(`GET ${pathname} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
  await new Promise((resolve) => slow.once('readable', resolve))
  expect((await fetch(address('beside'))).status).toBe(200)
  slow.destroy()
})
