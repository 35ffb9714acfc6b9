/** The proxy's decisions, without a sandbox: names, addresses, rules, first messages of TLS, certificates. */
import { X509Certificate } from 'node:crypto'
import { type AddressInfo, createServer } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isRefused, ownAddresses } from './addresses.ts'
import { createAuthority } from './authority.ts'
import { readHello } from './client-hello.ts'
import { createMeter } from './meter.ts'
import { normalHost, splitHost } from './names.ts'
import { packageFileAt } from './package-registries.ts'
import { decideHost, decideRequest, plainPath } from './rules.ts'

test('a name has one form; what is no name has none', () => {
  expect(['Example.COM', 'example.com.', 'a-b.c_d.example.com'].map(normalHost)).toEqual(['example.com', 'example.com', 'a-b.c_d.example.com'])
  const noNames = ['127.0.0.1', '127.1', '0x7f.1', '10.0.0.0x1', '2130706433', '0177.0.0.1', '::1', '[::1]', 'localhost', '', '.', 'a..b', 'exämple.com', 'ａ.com', 'a b.com', 'a.com/x', 'a@b.com', 'a.com:80', '127.0.0.1.', `${'a'.repeat(64)}.com`, 'a.com\0.b.com', 'a%2ecom'] // prettier-ignore
  expect(noNames.map(normalHost)).toEqual(noNames.map(() => undefined))
  expect([splitHost('a.com', 80), splitHost('A.com.:8443', 80)]).toEqual([
    { host: 'a.com', port: 80 },
    { host: 'a.com', port: 8443 },
  ])
  expect(['a.com:0', 'a.com:65536', 'a.com:', 'user@a.com', 'a.com:80:80', '[::1]:80'].map((each) => splitHost(each, 80))).toEqual(Array.from({ length: 6 }))
})

test('addresses that are not public are refused in every notation; public ones are not', () => {
  const refused = ['127.0.0.1', '127.255.0.1', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254', '100.64.0.1', '100.100.100.200', '0.0.0.0', '0.1.2.3', '224.0.0.1', '255.255.255.255', '198.18.0.1', '192.0.0.192', '::1', '::', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::8.8.8.8', '64:ff9b::7f00:1', '64:ff9b::808:808', '64:ff9b:1::1', 'fe80::1', 'fe80::1%eth0', 'fc00::1', 'fd00:ec2::254', 'ff02::1', '2002:7f00:1::', '2001::1', '2001:db8::1', '100::1', 'example.com', ''] // prettier-ignore
  expect(refused.filter((each) => !isRefused(each, new Set()))).toEqual([])
  const open = ['8.8.8.8', '1.1.1.1', '172.32.0.1', '172.15.0.1', '100.128.0.1', '169.253.0.1', '93.184.216.34', '2606:4700:4700::1111', '2a00:1450::1']
  expect(open.filter((each) => isRefused(each, new Set()))).toEqual([])
  expect(isRefused('8.8.8.8', new Set(['8.8.8.8']))).toBe(true)
  expect(ownAddresses().has('127.0.0.1')).toBe(true)
})

test('a rule allows its host, ports, methods and paths, and nothing beside them', () => {
  const rules = [
    { host: 'api.example.com', methods: ['GET' as const], paths: ['/v1/*', '/health'] },
    { host: '*.cdn.net', port: 8443 },
    { host: 'API.example.com', methods: ['POST' as const], paths: ['/v1/orders'], credential: { header: 'Authorization', value: 'secret' } },
  ]
  const host = (name: string, port: number) => decideHost(rules, name, port).isAllowed
  expect([host('api.example.com', 443), host('api.example.com', 80), host('x.cdn.net', 8443), host('a.b.cdn.net', 8443)]).toEqual([true, true, true, true])
  expect([host('api.example.com', 22), host('x.cdn.net', 443), host('cdn.net', 8443), host('evilcdn.net', 8443), host('api.example.com.evil.net', 443), host('example.com', 443)]).toEqual(Array.from({ length: 6 }, () => false)) // prettier-ignore
  expect(decideHost(rules, 'x.cdn.net', 8443)).toMatchObject({ isRead: false })
  const ask = (method: string, path: string) => decideRequest(rules, 'api.example.com', 443, method, { path, isCertain: true })
  expect([ask('GET', '/v1/x'), ask('GET', '/health'), ask('POST', '/v1/orders')].map(({ isAllowed }) => isAllowed)).toEqual([true, true, true])
  expect([ask('DELETE', '/v1/x'), ask('GET', '/v2'), ask('GET', '/health/x'), ask('POST', '/v1/orders/1'), ask('get', '/v1/x')].map(({ isAllowed }) => isAllowed)).toEqual(Array.from({ length: 5 }, () => false)) // prettier-ignore
  const forgotten = rules.map((rule) => (rule.credential ? { ...rule, credential: { ...rule.credential, value: '' } } : rule))
  expect(decideRequest(forgotten, 'api.example.com', 443, 'POST', { path: '/v1/orders', isCertain: true })).toMatchObject({
    isAllowed: false,
    reason: expect.stringContaining('forgotten'),
  })
  // Where a path has an encoded slash, whoever reads it as another one gains nothing: only rules for every path count.
  const unsure = { path: '/v1/a%2fb', isCertain: false }
  expect(decideRequest(rules, 'api.example.com', 443, 'GET', unsure)).toMatchObject({ isAllowed: false, reason: expect.stringContaining('encoded slash') })
  const wide = [...rules, { host: 'api.example.com', methods: ['GET' as const], paths: ['/*'] }]
  expect(decideRequest(wide, 'api.example.com', 443, 'GET', unsure)).toMatchObject({ isAllowed: true, rule: wide[3] })
  expect(decideRequest(wide, 'api.example.com', 443, 'POST', unsure)).toMatchObject({ isAllowed: false })
})

test('paths that climb are what they lead to; those that servers read differently are none', () => {
  const paths = ['/a/../b', '/a/%2e%2e/b', '/a/.%2E/b', '/./a', '/a?x=/../y']
  expect(paths.map((each) => plainPath(each)?.path)).toEqual(['/b', '/b', '/b', '/a', '/a'])
  expect(['/@a%2fb?x=%2f', '/a%2F..%2fb', '/a/b?x=%2f'].map((each) => plainPath(each)?.isCertain)).toEqual([false, false, true])
  expect(['/a\\b', '/a%5cb', '//evil.com/x', 'a', '', '/a\nb', '/a%00b', 'http://x/'].map(plainPath)).toEqual(Array.from({ length: 8 }))
})

test('bytes and requests are counted over the whole life, and end at their limits', () => {
  const meter = createMeter({ bytesMax: 100, requestsMax: 3 }, { bytes: 40, requests: 1 })
  expect([meter.whyNoRequest(), meter.spend(60), meter.spend(1), meter.whyNoRequest()]).toEqual([undefined, true, false, expect.stringContaining('100 bytes')])
  meter.setLimits({ bytesMax: 1_000, requestsMax: 3 })
  expect(meter.whyNoRequest()).toContain('3 requests')
  expect(meter.used()).toEqual({ bytes: 101, requests: 4 })
})

async function realHello(servername: string | undefined): Promise<Buffer> {
  const bytes = Promise.withResolvers<Buffer>()
  const server = createServer((socket) => socket.once('data', (piece: Buffer) => (bytes.resolve(piece), socket.destroy())))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  connectTls({ port, host: '127.0.0.1', ...(servername !== undefined && { servername }) }).on('error', () => {})
  const hello = await bytes.promise
  server.close()
  return hello
}

test('the name in a first message of TLS is found, also when it comes in pieces and records; anything else is no such message', async () => {
  const hello = await realHello('api.example.com')
  expect(readHello(hello)).toEqual({ is: 'hello', serverName: 'api.example.com' })
  expect(readHello(await realHello(undefined))).toEqual({ is: 'hello', serverName: undefined })
  for (let length = 0; length < hello.length; length += 7) expect(readHello(hello.subarray(0, length))).toEqual({ is: 'incomplete' })
  const body = hello.subarray(5)
  const record = (piece: Buffer) => Buffer.concat([Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 0xff]), piece])
  const split = Buffer.concat([record(body.subarray(0, 50)), record(body.subarray(50))])
  expect(readHello(split)).toEqual({ is: 'hello', serverName: 'api.example.com' })
  expect(readHello(Buffer.from('GET / HTTP/1.1\r\n'))).toEqual({ is: 'other' })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(hello.length), (noise, at) => {
      expect(['incomplete', 'hello', 'other']).toContain(readHello(Buffer.concat([hello.subarray(0, at), noise])).is)
      expect(['incomplete', 'hello', 'other']).toContain(readHello(Buffer.from(noise)).is)
    }),
  )
})

test("a sandbox's authority makes certificates that hold for their name, under it alone", async () => {
  const [ours, other] = [createAuthority('a'), createAuthority('b')]
  expect(new X509Certificate(ours.certificate)).toMatchObject({ ca: true, subject: 'CN=Longhaul sandbox a' })
  const server = createTlsServer({ SNICallback: (name, done) => done(null, ours.contextFor(name)) }, (socket) => socket.end('hello'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const attempt = (ca: string, servername: string, host = servername) =>
    new Promise<string>((resolve) => {
      const socket = connectTls({
        port,
        host: '127.0.0.1',
        servername,
        ca,
        checkServerIdentity: (_, certificate) => (certificate.subjectaltname === `DNS:${host}` ? undefined : new Error('another name')),
      })
      socket.on('secureConnect', () => (resolve('trusted'), socket.destroy()))
      socket.on('error', (error) => resolve(error.message))
    })
  expect(await attempt(ours.certificate, 'api.example.com')).toBe('trusted')
  expect(await attempt(other.certificate, 'api.example.com')).not.toBe('trusted')
  expect(await attempt(ours.certificate, 'api.example.com', 'evil.example.com')).toBe('another name')
  server.close()
})

test('a request is for a file of a package when its registry has one there; what the registry states of another address, or by a weak digest, counts for nothing', () => {
  const registries = { 'npm.test': 'npm' as const, 'files.test': 'https://index.test/simple/' }
  const at = (host: string, path: string) => packageFileAt(registries, host, path)
  expect(at('npm.test', '/@a/b-c/-/b-c-1.0.0-rc.1.tgz')).toMatchObject({
    url: 'https://npm.test/@a/b-c/-/b-c-1.0.0-rc.1.tgz',
    document: { url: 'https://npm.test/@a%2fb-c/1.0.0-rc.1' },
  })
  const indexOf = (path: string) => at('files.test', path)?.document.url
  expect([indexOf('/p/a/Some_Thing-1.0-py3-none-any.whl'), indexOf('/p/some.thing-el-1.0.tar.gz'), indexOf('/x-2.zip')]).toEqual(
    ['some-thing', 'some-thing-el', 'x'].map((name) => `https://index.test/simple/${name}/`),
  )
  const none: [string, string][] = [['else.test', '/a/-/a-1.0.0.tgz'], ['npm.test', '/a'], ['npm.test', '/a/-/b-1.0.0.tgz'], ['npm.test', '/a/../a/-/a-1.tgz'], ['npm.test', '/a/-/a-1.0.0.tgz/x'], ['files.test', '/simple/a/'], ['files.test', '/a-1.0-py3-none-any.whl.metadata'], ['constructor', '/a/-/a-1.tgz']] // prettier-ignore
  expect(none.filter(([host, path]) => at(host, path) !== undefined)).toEqual([])

  const npm = at('npm.test', '/a/-/a-1.0.0.tgz')!
  const integrity = `sha1-abc sha512-${Buffer.alloc(64, 7).toString('base64')}`
  const version = (tarball: string, stated: string) => npm.digestIn({ dist: { tarball, integrity: stated } })
  expect(version('https://npm.test/a/-/a-1.0.0.tgz', integrity)).toBe('07'.repeat(64))
  expect([version('https://npm.test/a/-/a-1.0.1.tgz', integrity), version('http://npm.test/a/-/a-1.0.0.tgz', integrity), version(npm.url, 'sha1-abc'), npm.digestIn(null)]).toEqual([undefined, undefined, undefined, undefined]) // prettier-ignore
  const wheel = at('files.test', '/p/a-1.0-py3-none-any.whl')!
  const index = (url: string, hashes: object) => wheel.digestIn({ files: [{ url: 'https://files.test/other.whl', hashes: { sha256: 'f'.repeat(64) } }, { url, hashes }] }) // prettier-ignore
  expect(index('https://files.test/p/a-1.0-py3-none-any.whl#sha256=x', { sha256: 'a'.repeat(64) })).toBe('a'.repeat(64))
  expect([index('https://else.test/p/a-1.0-py3-none-any.whl', { sha256: 'a'.repeat(64) }), index(wheel.url, { md5: 'a' }), index(wheel.url, { sha256: 'zz' })]).toEqual([undefined, undefined, undefined]) // prettier-ignore
})
