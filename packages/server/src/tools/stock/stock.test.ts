import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Json } from '@longhaul/protocol'
import { afterAll, expect, test } from 'vitest'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { failureOf, openToolsBed } from '../../../test/support/tools-bed.ts'
import { calculate } from './calculator.ts'

const database = await makeDatabase()
afterAll(() => database[Symbol.asyncDispose]())

test.each([
  ['0.1 + 0.2', '0.3'],
  ['round(1250 * 1.07^5, 2)', '1753.19'],
  ['2^64', '18446744073709600000'],
  ['(37710480 - 33500000) / 33500000 * 100', '12.568597'],
  ['max(3, 9, 4) % 5', '4'],
  ['sqrt(2) > 1.4 ? 1 : 0', '1'],
  ['1 < 2', 'true'],
  ['median(1, 9, 4) + mean(2, 4) + gcd(12, 18) + log10(1000)', '16'],
  ['sum(1, 2, 3) / 0', 'Infinity'],
  ['9^9^9^9', 'Infinity'],
])('%s = %s', async (expression, wanted) => expect((await calculate(expression)).slice(0, 30)).toMatch(new RegExp(`^${wanted.replaceAll('.', '\\.')}`)))

test.each([
  'import("fs")',
  'x = 3',
  'f(x) = x',
  '[1, 2, 3]',
  '1:1e9',
  'ones(1e5, 1e5)',
  'factorial(1e6)',
  'evaluate("1")',
  'parse("1").constructor',
  '"text"',
  'cos.constructor("return process")()',
  '{a: 1}',
  '5 cm',
  '(1; 2)',
  '1 +',
  '+'.repeat(500) + '1',
  'process',
])('%s is refused', async (expression) => expect(await failureOf(calculate(expression))).toMatchObject({ code: 'invalid', retryable: false }))

type Asked = { method: string; path: string; headers: Record<string, unknown>; body: string }

async function openSite(answer: (asked: Asked) => { status?: number; headers?: Record<string, string>; body?: string }) {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const one = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() }
      asked.push(one)
      const { status = 200, headers = { 'content-type': 'text/html' }, body = '' } = answer(one)
      response.writeHead(status, headers).end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    asked,
    host,
    url: `http://${host}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const bedFor = (host: string, more: object = {}) => openToolsBed({ db: database.db, privateHosts: [host], allowedHosts: ['127.0.0.1'], ...more })

test('http_request sends what it is told, with a key of its own, and gives back what came', async () => {
  await using site = await openSite(() => ({ status: 201, headers: { 'content-type': 'application/json', 'set-cookie': 'a=b' }, body: '{"id":7}' }))
  await using bed = await bedFor(site.host)
  const result = await bed.call('http_request', { method: 'POST', url: `${site.url}/orders`, headers: { 'content-type': 'application/json' }, body: '{"n":1}' })
  expect(result).toEqual({
    output: { status: 201, headers: { 'content-type': 'application/json' }, body: '{"id":7}' },
    parts: [],
    source: 'web',
    origin: site.host,
  })
  expect(site.asked).toMatchObject([{ method: 'POST', path: '/orders', body: '{"n":1}', headers: { 'idempotency-key': `${bed.run.id}/3` } }])
})

test('it reaches no host that the agent does not name, nor by a redirect', async () => {
  await using other = await openSite(() => ({ body: 'secret' }))
  await using site = await openSite(({ path }) =>
    path === '/away' ? { status: 302, headers: { location: `http://localhost:${other.host.split(':')[1]}/` } } : { body: 'ok' },
  )
  await using bed = await bedFor(site.host)
  expect((await bed.call('http_request', { url: site.url })).output).toMatchObject({ body: 'ok' })
  expect(await failureOf(bed.call('http_request', { url: `${site.url}/away` }))).toMatchObject({
    code: 'host_refused',
    message: expect.stringContaining('localhost may not be reached'),
  })
  expect(await failureOf(bed.call('http_request', { url: 'http://elsewhere.example/' }))).toMatchObject({ code: 'host_refused' })
  await using none = await bedFor(site.host, { allowedHosts: [] })
  expect(await failureOf(none.call('http_request', { url: site.url }))).toMatchObject({
    code: 'host_refused',
    message: expect.stringContaining('Allowed: none'),
  })
  expect(other.asked).toEqual([])
})

test('headers that were meant for one origin do not go to another', async () => {
  await using other = await openSite(() => ({ body: 'there' }))
  await using site = await openSite(() => ({ status: 307, headers: { location: other.url } }))
  await using bed = await bedFor(site.host, { privateHosts: [site.host, other.host] })
  expect((await bed.call('http_request', { url: site.url, headers: { authorization: 'Bearer mine', 'x-mine': '1' } })).output).toMatchObject({ body: 'there' })
  expect(site.asked[0]?.headers).toMatchObject({ authorization: 'Bearer mine' })
  expect(other.asked[0]?.headers).not.toHaveProperty('authorization')
  expect(other.asked[0]?.headers).not.toHaveProperty('x-mine')
  expect(await failureOf(bed.call('http_request', { url: site.url, headers: { Host: 'evil' } }))).toMatchObject({ code: 'invalid' })
})

test('fetch_page gives a page as text, in parts, without what is not its text', async () => {
  const page = `<html><head><title>Prices</title><script>alert(1)</script></head><body><nav>Menu</nav><h1>Our prices</h1><p>Ten <b>euros</b>. <a href="/more">More</a></p><p>${'word '.repeat(6_000)}</p></body></html>`
  await using site = await openSite(() => ({ body: page }))
  await using bed = await bedFor(site.host)
  const first = await bed.call('fetch_page', { url: `${site.url}/prices` })
  expect(first).toMatchObject({ source: 'web', output: { title: 'Prices', goesOnAt: 20_000 } })
  const shown = JSON.stringify(first.output)
  expect(shown).toMatch(/OUR PRICES|Our prices/)
  expect(shown).toContain(`${site.url}/more`)
  expect(shown).not.toMatch(/alert|Menu/)
  const rest = (await bed.call('fetch_page', { url: `${site.url}/prices`, from: 20_000 })).output
  expect(rest).not.toHaveProperty('goesOnAt')
})

test('fetch_page refuses what is no page, and tells what the server said', async () => {
  await using site = await openSite(({ path }) => (path === '/image' ? { headers: { 'content-type': 'image/png' }, body: 'x' } : { status: 404 }))
  await using bed = await bedFor(site.host)
  expect(await failureOf(bed.call('fetch_page', { url: `${site.url}/image` }))).toMatchObject({ code: 'not_text' })
  expect(await failureOf(bed.call('fetch_page', { url: `${site.url}/gone` }))).toMatchObject({ code: 'http_error', message: expect.stringContaining('404') })
})

const found = { title: 'Ada', url: 'https://example.com/ada', excerpt: 'first programmer' }
const providers: [string, Json, (asked: Asked) => void][] = [
  [
    'brave',
    { web: { results: [{ title: found.title, url: found.url, description: 'first <strong>programmer</strong>', age: 'x' }] } },
    ({ method, path, headers }) => expect([method, path, headers['x-subscription-token']]).toEqual(['GET', '/res/v1/web/search?q=who+is+Ada&count=3', 'k-1']),
  ],
  [
    'tavily',
    { query: 'x', results: [{ title: found.title, url: found.url, content: found.excerpt, score: 0.9 }] },
    ({ method, path, headers, body }) =>
      expect([method, path, headers.authorization, JSON.parse(body)]).toEqual(['POST', '/search', 'Bearer k-1', { query: 'who is Ada', max_results: 3 }]),
  ],
  [
    'searxng',
    { results: [{ title: found.title, url: found.url, content: found.excerpt }] },
    ({ path }) => expect(path).toBe('/search?q=who+is+Ada&format=json'),
  ],
]

test.each(providers)('web_search asks %s as its documentation says', async (provider, answer, check) => {
  await using site = await openSite(() => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(answer) }))
  await using bed = await bedFor(site.host, { search: { provider, apiKey: 'k-1', baseUrl: site.url } })
  expect(await bed.call('web_search', { query: 'who is Ada', count: 3 })).toEqual({ output: [found], parts: [], source: 'web', origin: site.host })
  const [asked] = site.asked
  if (asked) check(asked)
  expect(site.asked).toHaveLength(1)
})

test('web_search without a provider names the setting; a provider that fails is told without its key', async () => {
  await using none = await bedFor('x')
  expect(await failureOf(none.call('web_search', { query: 'x' }))).toMatchObject({
    code: 'not_configured',
    message: expect.stringContaining('LONGHAUL_SEARCH_PROVIDER'),
  })
  await using site = await openSite(() => ({ status: 429, headers: { 'retry-after': '7' } }))
  await using bed = await bedFor(site.host, { search: { provider: 'brave', apiKey: 'hush', baseUrl: site.url } })
  const failure = await failureOf(bed.call('web_search', { query: 'x' }))
  expect(failure).toMatchObject({ code: 'away', retryable: true, retryAfterMs: 7_000 })
  expect(JSON.stringify(failure)).not.toContain('hush')
})
