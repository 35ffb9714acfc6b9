import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { makeApi } from '../../test/support/fake-services.ts'

async function makeConsole() {
  const parent = await mkdtemp(join(tmpdir(), 'console-'))
  onTestFinished(() => rm(parent, { recursive: true }))
  await mkdir(join(parent, 'dist/assets'), { recursive: true })
  await writeFile(join(parent, 'secret.txt'), 'SECRET')
  await writeFile(join(parent, 'dist/.env'), 'SECRET')
  await writeFile(join(parent, 'dist/index.html'), '<title>Console</title>')
  await writeFile(join(parent, 'dist/mark.svg'), '<svg/>')
  await writeFile(join(parent, 'dist/assets/index-Rt4Opp73.js'), 'run()')
  return makeApi({ consoleFolder: join(parent, 'dist') })
}

test.each(['/', '/runs', '/runs/0195e0d6', '/settings?tab=keys', '/index.html'])('%s is a page of the console', async (path) => {
  const { app } = await makeConsole()
  const response = await app.request(path)
  expect([response.status, await response.text()]).toEqual([200, '<title>Console</title>'])
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-cache',
    'content-security-policy': expect.stringContaining("script-src 'self';"),
  })
})

test('a page whose name has a dot is one for whoever asks for a page; as a file it is missing', async () => {
  const { app } = await makeConsole()
  const path = '/settings/hooks/concierge.slack'
  expect(await (await app.request(path, { headers: { accept: 'text/html,application/xhtml+xml' } })).text()).toBe('<title>Console</title>')
  expect((await app.request(path, { headers: { accept: 'image/*' } })).status).toBe(404)
  expect((await app.request('/assets/gone.js', { headers: { accept: 'text/html' } })).status).toBe(404)
})

test('files whose name holds a hash are kept for good, others are asked for again', async () => {
  const { app } = await makeConsole()
  const asset = await app.request('/assets/index-Rt4Opp73.js')
  expect([asset.headers.get('content-type'), asset.headers.get('cache-control'), await asset.text()]).toEqual([
    'text/javascript; charset=utf-8',
    'public, max-age=31536000, immutable',
    'run()',
  ])
  const mark = await app.request('/mark.svg')
  expect([mark.headers.get('content-type'), mark.headers.get('cache-control')]).toEqual(['image/svg+xml', 'no-cache'])
  const again = await app.request('/mark.svg', { headers: { 'if-none-match': String(mark.headers.get('etag')) } })
  expect([again.status, await again.text()]).toEqual([304, ''])
})

test('what can be packed is sent as the browser takes it, and each form has a tag of its own', async () => {
  const { app } = await makeConsole()
  const ask = async (path: string, accepted?: string) => {
    const response = await app.request(path, accepted === undefined ? {} : { headers: { 'accept-encoding': accepted } })
    const coding = response.headers.get('content-encoding')
    const bytes = Buffer.from(await response.arrayBuffer())
    const text = coding === 'br' ? brotliDecompressSync(bytes) : coding === 'gzip' ? gunzipSync(bytes) : bytes
    return { coding, text: text.toString(), tag: response.headers.get('etag'), vary: response.headers.get('vary') }
  }
  const asset = '/assets/index-Rt4Opp73.js'
  const answers = [await ask(asset), await ask(asset, 'gzip, deflate'), await ask(asset, 'gzip, deflate, br, zstd'), await ask(asset, 'br;q=0, gzip;q=0.5')]
  expect(answers.map(({ coding, text, vary }) => [coding, text, vary])).toEqual(
    [null, 'gzip', 'br', 'gzip'].map((coding) => [coding, 'run()', 'accept-encoding']),
  )
  expect(new Set(answers.map(({ tag }) => tag)).size).toBe(3)
  expect((await ask('/', 'br')).text).toBe('<title>Console</title>')
})

test.each([
  '/../secret.txt',
  '/%2e%2e/secret.txt',
  '/..%2fsecret.txt',
  '/assets/../../secret.txt',
  '/assets/..%5c..%5csecret.txt',
  '/.env',
  '//etc/passwd',
  '/assets/missing.js',
  '/missing.png',
  '/assets',
])('%s leads nowhere but to the console', async (path) => {
  const { app } = await makeConsole()
  const response = await app.request(path)
  const text = await response.text()
  expect(text).not.toMatch(/SECRET|root:/)
  expect([response.status === 404, response.status === 200 && text === '<title>Console</title>']).toContain(true)
})

test('a missing asset is not answered with a page, which would be run as a script', async () => {
  const { app } = await makeConsole()
  expect((await app.request('/assets/gone-123.js')).status).toBe(404)
  expect((await app.request('/gone.js')).status).toBe(404)
})

test('a console that is not built says how to build it', async () => {
  const { app } = makeApi({ consoleFolder: '/nowhere' })
  for (const path of ['/', '/runs', '/assets/x.js']) {
    const response = await app.request(path)
    expect([response.status, await response.text()]).toEqual([503, expect.stringContaining('npm run build -w @longhaul/console')])
  }
})
