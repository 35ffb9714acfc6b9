import { createServer } from 'node:http'
import type { AddressInfo, LookupFunction } from 'node:net'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { failureOf } from '../../../test/support/tools-bed.ts'
import { isPublicAddress } from './addresses.ts'
import { openEgress } from './egress.ts'
import { isAllowedHost } from './hosts.ts'

test.each([
  ['8.8.8.8', true],
  ['2606:4700:4700::1111', true],
  ['127.0.0.1', false],
  ['10.1.2.3', false],
  ['172.31.255.255', false],
  ['172.32.0.1', true],
  ['192.168.0.1', false],
  ['169.254.169.254', false],
  ['100.64.0.1', false],
  ['0.0.0.0', false],
  ['255.255.255.255', false],
  ['::1', false],
  ['::', false],
  ['::ffff:127.0.0.1', false],
  ['::ffff:8.8.8.8', false],
  ['64:ff9b::7f00:1', false],
  ['2002:7f00:1::', false],
  ['2001::1', false],
  ['fe80::1%eth0', false],
  ['fd00::1', false],
  ['localhost', false],
])('%s is public: %s', (address, wanted) => expect(isPublicAddress(address)).toBe(wanted))

test.each([
  [['api.example.com'], 'api.example.com', true],
  [['api.example.com'], 'evil-api.example.com', false],
  [['*.example.com'], 'a.b.example.com', true],
  [['*.example.com'], 'example.com', false],
  [['*.example.com'], 'badexample.com', false],
  [['*'], 'anything.test', true],
  [[], 'anything.test', false],
])('%j allows %s: %s', (patterns, host, wanted) => expect(isAllowedHost(patterns, host)).toBe(wanted))

async function openTarget(answer: (path: string) => { status?: number; headers?: Record<string, string>; body?: Buffer | string } = () => ({ body: 'hello' })) {
  const paths: string[] = []
  const server = createServer((request, response) => {
    paths.push(request.url ?? '')
    const { status = 200, headers = {}, body = '' } = answer(request.url ?? '')
    response.writeHead(status, headers).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    paths,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A name server of the test's own. */
const resolving =
  (...addresses: string[]): LookupFunction =>
  (_, options, callback) =>
    options.all
      ? callback(
          null,
          addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
        )
      : callback(null, addresses[0] ?? '', 4)

const rules = { hosts: ['*'], bytesMax: 100_000 }

test.each(['127.0.0.1', 'localhost', '127.1', '0x7f000001', '2130706433', '[::1]', '[::ffff:127.0.0.1]', '169.254.169.254'])(
  '%s is not dialled, however it is written',
  async (host) => {
    await using target = await openTarget()
    const egress = openEgress({ privateHosts: [] })
    expect(await failureOf(egress.fetch(`http://${host}:${target.port}/`, {}, rules))).toMatchObject({ code: 'host_refused', retryable: false })
    expect(target.paths).toEqual([])
    await egress.stop()
  },
)

test('a name is judged by its addresses; what was judged is dialled; the operator’s list opens it', async () => {
  await using target = await openTarget()
  const url = `http://inside.example:${target.port}/a`
  for (const addresses of [['127.0.0.1'], ['8.8.8.8', '127.0.0.1'], ['::ffff:127.0.0.1']]) {
    const egress = openEgress({ privateHosts: [], resolve: resolving(...addresses) })
    expect(await failureOf(egress.fetch(url, {}, rules))).toMatchObject({ code: 'host_refused' })
    await egress.stop()
  }
  expect(target.paths).toEqual([])
  const open = openEgress({ privateHosts: [`127.0.0.1:${target.port}`] })
  expect(await (await open.fetch(`http://127.0.0.1:${target.port}/b`, {}, rules)).text()).toBe('hello')
  expect(await failureOf(open.fetch('http://127.0.0.1:1/', {}, rules))).toMatchObject({ code: 'host_refused' }) // Another port is another host.
  await open.stop()
})

test('a redirect is a response, never followed here', async () => {
  await using target = await openTarget(() => ({ status: 302, headers: { location: 'http://127.0.0.1:1/' } }))
  const egress = openEgress({ privateHosts: [`127.0.0.1:${target.port}`] })
  expect((await egress.fetch(`http://127.0.0.1:${target.port}/`, {}, rules)).status).toBe(302)
  await egress.stop()
})

test('a small body that unpacks to a large one is cut off', async () => {
  await using target = await openTarget(() => ({ headers: { 'content-encoding': 'gzip' }, body: gzipSync(Buffer.alloc(5_000_000)) }))
  const egress = openEgress({ privateHosts: [`127.0.0.1:${target.port}`] })
  const response = await egress.fetch(`http://127.0.0.1:${target.port}/`, {}, rules)
  expect(await failureOf(response.text())).toMatchObject({ code: 'too_large' })
  await egress.stop()
})

test.each(['ftp://example.com/', 'file:///etc/passwd', 'http://me:pw@example.com/', 'nonsense'])('%s is refused', async (url) => {
  const egress = openEgress({ privateHosts: [] })
  expect(await failureOf(egress.fetch(url, {}, rules))).toMatchObject({ code: 'host_refused' })
})
