/** What leaves a sandbox and what does not, tried from inside with real programs. Each refusal has something beside it that works. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Egress } from '@longhaul/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sql } from '../../src/db/index.ts'
import { type World, openWorld } from '../support/egress-world.ts'
import { type ManagedBed, create, makeCaller, openManagedBed, script } from '../support/managed-bed.ts'
import { isHere, usableModes } from '../support/sandbox-modes.ts'

const isReal = usableModes().length > 0
const secret = 'Bearer the-secret-that-never-enters'
const rules = (...given: Egress['rules']): Egress => ({ rules: given, bytesMax: 50_000_000, requestsMax: 500 })

const folder = mkdtempSync(join(tmpdir(), 'longhaul-registry-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe.skipIf(!isReal)('a way out', () => {
  let world: World
  let bed: ManagedBed
  const caller = makeCaller()
  beforeAll(async () => {
    world = await openWorld(
      {
        'rebind.test': ['127.0.0.1'],
        'metadata.test': ['169.254.169.254'],
        'mapped.test': ['::ffff:127.0.0.1'],
        'nat64.test': ['64:ff9b::7f00:1'],
        'mixed.test': ['10.0.0.1', '93.184.216.34'],
      },
      ({ url, headers, body }, response) => {
        if (url.startsWith('/redirect')) return void response.writeHead(302, { location: 'http://rebind.test/' }).end()
        if (url.startsWith('/echo')) return void response.end(JSON.stringify({ host: headers.host, authorization: headers.authorization ?? null, body }))
        if (url.startsWith('/big')) return void response.end(Buffer.alloc(3_000_000, 120))
        const file = join(folder, decodeURIComponent(new URL(url, 'http://x').pathname))
        const index = join(file, 'index.html')
        if (existsSync(index)) return void response.writeHead(200, { 'content-type': 'text/html' }).end(readFileSync(index))
        if (existsSync(file) && statSync(file).isFile()) return void response.end(readFileSync(file))
        response.writeHead(url === '/' || url.startsWith('/v1/') ? 200 : 404).end('hello\n')
      },
    )
    bed = await openManagedBed({ reach: world.reach })
  })
  afterAll(async () => {
    await bed[Symbol.asyncDispose]()
    await world[Symbol.asyncDispose]()
  })
  const withRules = async (...given: Egress['rules']) => (await create(bed, caller, { egress: rules(...given) })).id
  const run = async (id: string, text: string) => {
    const { stdout, stderr } = await script(bed, caller, id, text)
    return `${stdout}${stderr}`.trim()
  }
  const status = (id: string, url: string, more = '') => run(id, `curl -sS -o /dev/null -w '%{http_code}' ${more} '${url}' 2>&1`)
  /** Its newest connections, once there are so many: one that ends is written down when both sides are closed. */
  const connections = async (id: string, count: number) => {
    const end = performance.now() + 20_000
    for (;;) {
      const { items } = await bed.service.connections(caller, id, { limit: 50 })
      if (items.length >= count || performance.now() > end) return items
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  test('nothing leaves without rules, and what a rule names leaves', async () => {
    const { id } = await create(bed, caller)
    expect(await run(id, 'env | grep -ci proxy; curl -sS -m 3 -x http://127.0.0.1:3128 http://open.test/ 2>&1 | grep -c "Failed to connect"')).toBe('0\n1')
    await bed.service.setEgress(caller, id, rules({ host: 'open.test' }))
    expect(await run(id, 'curl -sS http://open.test/')).toBe('hello')
    expect(await status(id, 'http://closed.test/')).toBe('403')
    expect(await run(id, 'curl -sS http://closed.test/')).toContain('No rule allows closed.test:80')
    expect((await connections(id, 3)).map(({ host, verdict, method, path }) => [host, verdict, method, path])).toEqual([
      ['closed.test', 'refused', 'GET', '/'],
      ['closed.test', 'refused', 'GET', '/'],
      ['open.test', 'allowed', 'GET', '/'],
    ])
    expect(world.dialled.every((each) => each.startsWith('93.184.216.34:'))).toBe(true)
    await bed.service.setEgress(caller, id, null)
    expect(await run(id, 'curl -sS -m 3 http://open.test/ 2>&1 | grep -c "Could not resolve"')).toBe('1')
    const [row] = await bed.db.rows<{ requests: number; bytes: number }>(
      sql`select egress_requests as requests, egress_bytes as bytes from sandboxes where id = ${id}`,
    )
    expect(row).toMatchObject({ requests: 3 })
    expect(row?.bytes).toBeGreaterThan(0)
  })

  test('TLS passes through unread when a rule names only the host, and is read when it says more', async () => {
    const id = await withRules({ host: 'tunnel.test' }, { host: 'read.test', methods: ['GET'], paths: ['/v1/*'] })
    await bed.service.files(caller, id, { action: 'write', files: [{ path: 'world.pem', base64: Buffer.from(world.certificate).toString('base64') }] })
    expect(await status(id, 'https://tunnel.test/v1/x', '--cacert world.pem')).toBe('200')
    const [tunnelled] = await connections(id, 1)
    expect(tunnelled).toMatchObject({ host: 'tunnel.test', port: 443, method: null, verdict: 'allowed' })
    expect(tunnelled?.bytesIn).toBeGreaterThan(100)
    // Through the tunnel it is the world's own certificate, which nobody inside trusts by himself.
    expect(await run(id, 'curl -sS https://tunnel.test/ 2>&1 | grep -c certificate')).toBe('1')
    expect(await status(id, 'https://read.test/v1/x')).toBe('200')
    expect((await connections(id, 3)).find(({ host }) => host === 'read.test')).toMatchObject({ method: 'GET', path: '/v1/x', verdict: 'allowed', status: 200 })
    expect(await status(id, 'https://read.test/v2')).toBe('403')
    expect(await status(id, 'https://read.test/v1/x', '-X DELETE')).toBe('403')
    expect(await status(id, 'https://read.test/v1/../v2', '--path-as-is')).toBe('403')
    expect(await status(id, 'https://read.test/v1/%2e%2e/v2', '--path-as-is')).toBe('403')
    expect(await status(id, 'https://read.test/v1/a%2f..%2f..%2fv2', '--path-as-is')).toBe('403')
  })

  test('a credential is put in on the way: the other side sees it, nothing inside does', async () => {
    const id = await withRules({ host: 'api.test', credential: { header: 'Authorization', value: secret } })
    await run(id, 'curl -sS -H "Authorization: Bearer mine" -H "Host: api.test" https://api.test/v1/who')
    expect(world.seen.at(-1)).toMatchObject({ isTls: true, headers: { authorization: secret, host: 'api.test' } })
    await run(id, 'curl -sS http://api.test/v1/plain')
    expect(world.seen.at(-1)).toMatchObject({ isTls: false, headers: { authorization: secret } })
    const everything = await run(
      id,
      'env; cat /run/longhaul/egress/* 2>/dev/null; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr "\\0" "\\n"; cat /proc/net/unix',
    )
    expect(everything).toContain('HTTPS_PROXY=http://127.0.0.1:3128')
    expect(everything).not.toContain('the-secret')
    const rows = JSON.stringify(
      await bed.db.rows(sql`select sandboxes.*, sandbox_connections.* from sandboxes left join sandbox_connections on sandbox_id = sandboxes.id`),
    )
    expect(rows).toContain('api.test')
    expect(rows).not.toContain('the-secret')
    expect(JSON.stringify(await bed.service.get(caller, id))).not.toContain('the-secret')
    // Headers that only the proxy is told go no further.
    await run(id, 'curl -sS --proxy-header "Proxy-Authorization: Basic eDp5" -H "Connection: x-hop" -H "X-Hop: 1" http://api.test/v1/x')
    expect(Object.keys(world.seen.at(-1)?.headers ?? {})).not.toEqual(expect.arrayContaining(['proxy-authorization']))
    expect(world.seen.at(-1)?.headers['x-hop']).toBeUndefined()
  })

  test('the value of a credential is forgotten at a restart: refused until it is set again', async () => {
    const id = await withRules({ host: 'api.test', credential: { header: 'authorization', value: secret } })
    expect(await status(id, 'http://api.test/')).toBe('200')
    await bed.restart()
    expect((await bed.service.get(caller, id)).egress?.rules[0]?.credential).toEqual({ header: 'authorization', isKnown: false })
    expect(await run(id, 'curl -sS http://api.test/')).toContain('forgotten when the server restarted')
    await bed.service.setEgress(caller, id, rules({ host: 'api.test', credential: { header: 'authorization', value: secret } }))
    expect(await status(id, 'http://api.test/')).toBe('200')
    // A fork has the same ways out.
    const fork = await bed.service.fork(caller, id, {})
    await run(fork.id, 'curl -sS http://api.test/v1/fork')
    expect(world.seen.at(-1)).toMatchObject({ url: '/v1/fork' })
    expect(world.seen.at(-1)?.headers.authorization).toBe(secret)
  })

  test('addresses, inner names and what leads to them are refused, however they are written', async () => {
    const id = await withRules({ host: '*.test' }, { host: 'a.local' })
    for (const host of ['127.0.0.1', '127.1', '2130706433', '0x7f000001', '017700000001', '[::1]', '169.254.169.254', 'localhost', '93.184.216.34']) {
      const said = await run(
        id,
        `curl -sS -m 5 -x http://127.0.0.1:3128 --noproxy '' -o /dev/null -w '%{http_code}' 'http://${host}:${world.plainPort}/' 2>&1; curl -sS -m 5 -x http://127.0.0.1:3128 --noproxy '' -p -o /dev/null -w '%{http_connect}' 'http://${host}/' 2>&1 | tail -c 3`,
      )
      expect(said, host).toMatch(/403\s*403$/)
    }
    for (const host of ['rebind.test', 'metadata.test', 'mapped.test', 'nat64.test']) {
      expect(await run(id, `curl -sS http://${host}/`), host).toContain('which is not a public address')
      expect((await connections(id, 1)).find((each) => each.host === host)).toMatchObject({ verdict: 'refused' })
    }
    // Of several addresses a public one is taken, and it is the one that is dialled.
    const before = world.dialled.length
    expect(await status(id, 'http://mixed.test/')).toBe('200')
    expect(world.dialled.slice(before)).toEqual(['93.184.216.34:80'])
    // A redirect is a request like any other.
    expect(await run(id, 'curl -sSL http://open.test/redirect')).toContain('which is not a public address')
    expect(await run(id, 'curl -sS http://a.local/')).toContain('could not be looked up')
    expect(await status(id, 'http://open.test:22/')).toBe('403')
  })

  test('TLS for another name than the connection’s, Host for another than the request’s, and no TLS where it should be, are refused', async () => {
    const id = await withRules({ host: 'front.test' }, { host: 'read.test', methods: ['GET'] })
    const code = `
import socket, ssl, sys
def through(host, sni, request=b''):
    s = socket.create_connection(('127.0.0.1', 3128), 5)
    s.sendall(('CONNECT %s:443 HTTP/1.1\\r\\nHost: %s:443\\r\\n\\r\\n' % (host, host)).encode())
    head = s.recv(1000)
    if b' 200 ' not in head: return head.split(b'\\r\\n')[0].decode()
    try:
        if sni is not None:
            context = ssl._create_unverified_context()
            s = context.wrap_socket(s, server_hostname=sni or None)
        s.sendall(request or b'GET /v1/x HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n' % host.encode())
        data = b''
        while True:
            piece = s.recv(4000)
            if not piece: break
            data += piece
        return data.split(b'\\r\\n')[0].decode() or 'cut'
    except (OSError, ssl.SSLError) as error:
        return 'cut'
front = b'GET / HTTP/1.1\\r\\nHost: hidden.test\\r\\nConnection: close\\r\\n\\r\\n'
print(through('front.test', 'front.test'), through('front.test', 'hidden.test'), through('front.test', ''), through('read.test', 'read.test'), through('read.test', 'read.test', front), through('read.test', 'hidden.test'), through('front.test', None, b'SSH-2.0-x\\r\\n'), sep='|')
`
    await bed.service.files(caller, id, { action: 'write', files: [{ path: 'abuse.py', base64: Buffer.from(code).toString('base64') }] })
    expect(await run(id, '/usr/bin/python3 abuse.py')).toBe('HTTP/1.1 200 OK|cut|cut|HTTP/1.1 200 OK|HTTP/1.1 421 Misdirected Request|cut|cut')
    expect(world.seen.some(({ headers }) => headers.host === 'hidden.test')).toBe(false)
    const reasons = (await bed.service.connections(caller, id, { limit: 20 })).items.flatMap(({ reason }) => reason ?? [])
    expect(reasons.join('\n')).toMatch(/TLS was asked for "hidden\.test" in a connection to front\.test/)
    expect(reasons.join('\n')).toMatch(/TLS was asked for no name/)
    expect(reasons.join('\n')).toMatch(/The Host header is not read\.test/)
  })

  test('a body cannot be made into a second request', async () => {
    const id = await withRules({ host: 'smuggle.test', methods: ['GET', 'DELETE', 'POST'], paths: ['/v1/*'] })
    const hidden = 'POST /admin HTTP/1.1\\r\\nHost: smuggle.test\\r\\nContent-Length: 0\\r\\n\\r\\n'
    const send = (request: string) =>
      run(
        id,
        `printf '${request}' | /usr/bin/python3 -c "import socket,sys; s=socket.create_connection(('127.0.0.1',3128),5); s.sendall(sys.stdin.buffer.read()); s.settimeout(1)\ntry:\n  print(s.recv(1000).split(b'\\r\\n')[0].decode())\nexcept OSError: print('nothing')"`,
      )
    const before = world.seen.length
    const size = hidden.replaceAll('\\r\\n', '..').length.toString(16)
    // Node writes a body after DELETE without its length, unless it is told.
    expect(
      await send(
        `DELETE http://smuggle.test/v1/x HTTP/1.1\\r\\nHost: smuggle.test\\r\\nTransfer-Encoding: chunked\\r\\nConnection: close\\r\\n\\r\\n${size}\\r\\n${hidden}\\r\\n0\\r\\n\\r\\n`,
      ),
    ).toContain('200')
    expect(world.seen.at(-1)).toMatchObject({ method: 'DELETE', body: expect.stringContaining('POST /admin') })
    await send(
      `POST http://smuggle.test/v1/x HTTP/1.1\\r\\nHost: smuggle.test\\r\\nContent-Length: 4\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n${hidden}`,
    )
    await send(`GET http://smuggle.test/v1/x HTTP/1.1\\r\\nHost: smuggle.test\\r\\nHost: other.test\\r\\n\\r\\n`)
    const arrived = world.seen.slice(before).map(({ method, url }) => `${method} ${url}`)
    expect(arrived.filter((each) => each.includes('admin'))).toEqual([])
    expect(
      await send(`POST http://smuggle.test/v1/y HTTP/1.1\\r\\nHost: smuggle.test\\r\\nContent-Length: 4\\r\\nConnection: close\\r\\n\\r\\nbody`),
    ).toContain('200')
    expect(world.seen.at(-1)).toMatchObject({ method: 'POST', url: '/v1/y', body: 'body' })
  })

  test('bytes and requests have limits, through tunnels and restarts', async () => {
    const { id } = await create(bed, caller, { egress: { rules: [{ host: 'big.test' }], bytesMax: 5_000_000, requestsMax: 1_000 } })
    expect(await run(id, 'curl -sS http://big.test/big | wc -c')).toBe('3000000')
    expect(Number((await run(id, 'curl -sS http://big.test/big 2>/dev/null | wc -c')).split('\n')[0])).toBeLessThan(2_100_000)
    expect(await run(id, 'curl -sS http://big.test/')).toContain('has moved the 5000000 bytes')
    await bed.restart()
    expect(await run(id, 'curl -sS http://big.test/')).toContain('has moved the 5000000 bytes')
    const few = (await create(bed, caller, { egress: { rules: [{ host: 'big.test' }], bytesMax: 5_000_000, requestsMax: 3 } })).id
    expect(await run(few, 'for i in 1 2 3 4 5; do curl -sS -o /dev/null -w "%{http_code} " http://big.test/; done')).toBe('200 200 200 429 429')
    expect(await bed.service.stats(caller, few)).toMatchObject({ egressRequests: 5 })
  })

  test('sandboxes cannot use one another’s way out', async () => {
    const open = await withRules({ host: 'open.test' })
    const { id: closed } = await create(bed, caller)
    await run(open, 'true')
    expect(
      await run(
        closed,
        'for each in /run/longhaul/egress/*; do test -e "$each" && echo; done | wc -l; curl -sS -m 3 --unix-socket /run/longhaul/egress/proxy.sock http://open.test/ 2>&1 | grep -ci "couldn.t connect\\|could not connect\\|failed to connect"',
      ),
    ).toBe('0\n1')
    expect(
      await run(
        open,
        'curl -sS --unix-socket /run/longhaul/egress/proxy.sock -x "" http://open.test/ -o /dev/null -w "%{http_code}"; rm -f /run/longhaul/egress/proxy.sock 2>&1 | grep -c "Read-only\\|denied"; touch /run/longhaul/egress/x 2>&1 | grep -c "Read-only\\|denied"',
      ),
    ).toMatch(/1\n1$/)
    expect(await status(open, 'http://open.test/')).toBe('200')
  })

  const hasGit = isHere('git', 'git through the proxy')
  const hasPython = isHere('python3', 'Python through the proxy')

  test.skipIf(!hasPython)('Python, Node and curl find the proxy and its authority by themselves', async () => {
    const id = await withRules({ host: 'api.test', credential: { header: 'x-key', value: 'k' } })
    expect(
      await run(
        id,
        `/usr/bin/python3 -c "import urllib.request as u; print(u.urlopen('https://api.test/v1/x').read().decode().strip(), u.urlopen('http://api.test/v1/x').status)"`,
      ),
    ).toBe('hello 200')
    expect(
      await run(
        id,
        `node -e "Promise.all([fetch('https://api.test/v1/x'), fetch('http://api.test/v1/x')]).then(async ([a, b]) => console.log((await a.text()).trim(), b.status))"`,
      ),
    ).toBe('hello 200')
    expect(await run(id, 'curl -sS https://api.test/v1/x')).toBe('hello')
    expect(world.seen.slice(-5).every(({ headers }) => headers['x-key'] === 'k')).toBe(true)
    const { id: none } = await create(bed, caller)
    expect(await run(none, `node -e "fetch('http://api.test/').then(() => console.log('out'), () => console.log('kept in'))"`)).toBe('kept in')
  })

  test.skipIf(!hasGit)('git clones through it', async () => {
    const git = (...args: string[]) =>
      execFileSync('git', args, { cwd: folder, env: { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1' }, stdio: 'pipe' })
    git('init', '-q', 'work')
    writeFileSync(join(folder, 'work/readme'), 'cloned\n')
    git('-C', 'work', 'add', '.')
    git('-C', 'work', '-c', 'user.name=x', '-c', 'user.email=x@x', 'commit', '-qm', 'first')
    git('clone', '-q', '--bare', 'work', 'repository.git')
    git('-C', 'repository.git', 'update-server-info')
    const id = await withRules({ host: 'git.test', methods: ['GET'], paths: ['/repository.git/*'] })
    expect(await run(id, 'git clone -q https://git.test/repository.git got && cat got/readme')).toBe('cloned')
    expect(await run(id, 'git clone -q https://git.test/other.git 2>&1 | grep -c 403')).toBe('1')
  })

  test('npm installs through it, from the registry that is allowed and no other', async () => {
    mkdirSync(join(folder, 'pack/package'), { recursive: true })
    mkdirSync(join(folder, '@scope'))
    for (const name of ['tiny', '@scope/part']) {
      writeFileSync(join(folder, 'pack/package/package.json'), JSON.stringify({ name, version: '1.0.0', main: 'index.js' }))
      writeFileSync(join(folder, 'pack/package/index.js'), `module.exports = '${name} installed'\n`)
      execFileSync('tar', ['-czf', join(folder, `${name}.tgz`), '-C', join(folder, 'pack'), 'package'])
      const integrity = `sha512-${createHash('sha512')
        .update(readFileSync(join(folder, `${name}.tgz`)))
        .digest('base64')}`
      const dist = { tarball: `https://registry.test/${name}.tgz`, integrity }
      writeFileSync(
        join(folder, name),
        JSON.stringify({ name, 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': { name, version: '1.0.0', main: 'index.js', dist } } }),
      )
    }
    const id = await withRules({ host: 'registry.test', methods: ['GET'] })
    const hasNpm = (await run(id, 'command -v npm || true')) !== ''
    if (!hasNpm) return void process.stderr.write('SKIPPED: npm through the proxy: npm is not installed under /usr.\n')
    expect(
      await run(
        id,
        "npm install --silent --no-audit --no-fund --registry https://registry.test/ tiny @scope/part >/dev/null 2>err; cat err; node -p \"require('tiny') + require('@scope/part')\"",
      ),
    ).toBe('tiny installed@scope/part installed')
    expect(world.seen.some(({ url }) => url === '/@scope%2fpart')).toBe(true) // As npm asks for it.
    expect(await run(id, 'npm view --fetch-retries 0 --registry https://elsewhere.test/ tiny 2>&1 | grep -c 403 | head -1')).not.toBe('0')
  })

  test.skipIf(!hasPython)('pip installs through it', async () => {
    const id = await withRules({ host: 'pypi.test', methods: ['GET'] })
    if ((await run(id, '/usr/bin/python3 -m pip --version >/dev/null 2>&1 && echo here')) !== 'here')
      return void process.stderr.write('SKIPPED: pip through the proxy: pip is not installed.\n')
    const wheel = 'small-1.0-py3-none-any.whl'
    mkdirSync(join(folder, 'simple/small'), { recursive: true })
    const made = `
import zipfile, sys
z = zipfile.ZipFile(sys.argv[1], 'w')
z.writestr('small.py', 'said = "installed"\\n')
z.writestr('small-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: small\\nVersion: 1.0\\n')
z.writestr('small-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
z.writestr('small-1.0.dist-info/RECORD', 'small.py,,\\nsmall-1.0.dist-info/METADATA,,\\nsmall-1.0.dist-info/WHEEL,,\\nsmall-1.0.dist-info/RECORD,,\\n')
z.close()`
    execFileSync('/usr/bin/python3', ['-c', made, join(folder, wheel)])
    writeFileSync(join(folder, 'simple/small/index.html'), `<a href="/${wheel}">${wheel}</a>`)
    const install = `/usr/bin/python3 -m pip install -q --no-cache-dir --disable-pip-version-check --target lib --index-url https://pypi.test/simple small`
    expect(await run(id, `${install} 2>err; grep -v -i -e warning -e notice err; PYTHONPATH=lib /usr/bin/python3 -c 'import small; print(small.said)'`)).toBe(
      'installed',
    )
  })
})
