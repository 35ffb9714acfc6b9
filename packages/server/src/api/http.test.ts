import { ErrorBody, operations } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { approvalId, keyId, leak, makeApi, otherTenantsRunId, runId } from '../../test/support/fake-services.ts'
import { AppError, createLog } from '../kernel/index.ts'
import { assertComplete } from './implement.ts'

/** A request for every operation that works. */
const good: Record<string, [string, string, unknown?]> = {
  'runs.start': ['POST', '/v1/runs', { agent: 'analyst', input: { question: 'why' }, idempotencyKey: 'k' }],
  'runs.get': ['GET', `/v1/runs/${runId}`],
  'runs.list': ['GET', '/v1/runs?limit=2&state=running'],
  'runs.events': ['GET', `/v1/runs/${runId}/events?after=3`],
  'runs.step': ['GET', `/v1/runs/${runId}/steps/0`],
  'runs.cancel': ['POST', `/v1/runs/${runId}/cancel`],
  'runs.retry': ['POST', `/v1/runs/${runId}/retry`],
  'runs.signal': ['POST', `/v1/runs/${runId}/signals/go`, { payload: [1] }],
  'approvals.list': ['GET', '/v1/approvals?state=pending'],
  'approvals.decide': ['POST', `/v1/approvals/${approvalId}`, { approved: true }],
  'agents.list': ['GET', '/v1/agents'],
  'agents.get': ['GET', '/v1/agents/analyst'],
  'versions.create': ['POST', '/v1/agents/analyst/versions', { files: [{ path: 'agent/agent.ts', base64: '' }] }],
  'versions.list': ['GET', '/v1/agents/analyst/versions'],
  'deployments.create': ['POST', '/v1/agents/analyst/deployments', { version: '0123456789ab' }],
  'deployments.list': ['GET', '/v1/agents/analyst/deployments'],
  'deployments.rollback': ['POST', '/v1/agents/analyst/rollback', {}],
  'tools.list': ['GET', '/v1/agents/analyst/tools'],
  'tools.refresh': ['POST', '/v1/agents/analyst/tools/refresh'],
  'tools.approve': ['POST', '/v1/agents/analyst/tools/crm__find/approve', { hash: 'ab'.repeat(32) }],
  'tools.limit': ['POST', '/v1/agents/analyst/tool-limits', { pattern: 'crm__*', limits: { perMinute: 3 } }],
  'keys.create': ['POST', '/v1/keys', { name: 'reader', permissions: ['runs:read'] }],
  'keys.list': ['GET', '/v1/keys'],
  'keys.delete': ['DELETE', `/v1/keys/${keyId}`],
  'system.get': ['GET', '/v1/system'],
}

test.each(operations.map((operation) => [operation.id, operation] as const))(
  '%s works, needs its permission, and shows no field that is not in the contract',
  async (id, operation) => {
    const { ask } = makeApi()
    const [method, path, body] = good[id] ?? ['', '']
    const response = await ask(method, path, body)
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json'])
    const text = await response.text()
    expect(text).not.toContain(leak)
    expect(operation.output.parse(JSON.parse(text))).toEqual(JSON.parse(text))

    expect((await ask(method, path, body, { authorization: `Bearer lh_${operation.permission}` })).status).toBe(200)
    for (const authorization of ['', 'Bearer ', 'Bearer unknown', 'Basic lh_all', 'lh_all']) {
      const refused = await ask(method, path, body, { authorization })
      expect([authorization, refused.status, ErrorBody.parse(await refused.json()).error.code]).toEqual([authorization, 401, 'unauthenticated'])
      expect(refused.headers.get('www-authenticate')).toBe('Bearer')
    }
    const forbidden = await ask(method, path, body, { authorization: `Bearer lh_but-${operation.permission}` })
    expect([forbidden.status, ErrorBody.parse(await forbidden.json()).error]).toEqual([
      403,
      { code: 'forbidden', message: expect.stringContaining(operation.permission), requestId: expect.any(String) },
    ])
  },
)

test('nothing is done for a caller who may not, however the request looks', async () => {
  const { ask, calls } = makeApi()
  for (const [method, path] of Object.values(good))
    for (const body of [undefined, 'not json', 'x'.repeat(5_000)]) {
      if (method !== 'POST' && body) continue
      expect((await ask(method, path, body, { authorization: 'Bearer lh_files:read' })).status).toBe(403)
    }
  expect(calls).toEqual([])
})

test('the behaviour gets the parsed input with its defaults, and the caller', async () => {
  const { ask, calls } = makeApi()
  await ask('POST', '/v1/runs', { agent: 'analyst' })
  await ask('POST', `/v1/runs/${runId}/signals/go%2Fnow`, { payload: 1 })
  await ask('GET', '/v1/runs')
  expect(calls).toEqual([
    ['runs.start', expect.objectContaining({ tenantId: 'acme', keyId }), { agent: 'analyst', input: null }],
    ['runs.signal', expect.anything(), { runId, name: 'go/now', payload: 1 }],
    ['runs.list', expect.objectContaining({ tenantId: 'acme' }), { limit: 50 }],
  ])
})

test.each<[string, [string, string, unknown?], number, string, RegExp]>([
  [
    'all mistakes',
    ['POST', '/v1/runs', { agnet: 'x', agent: 'Bad Name', session: 7 }],
    400,
    'invalid',
    /agent: must be lower-case.*session: .*Unrecognized key: "agnet"/,
  ],
  ['a body that is not JSON', ['POST', '/v1/runs', '{"agent": "a",}'], 400, 'invalid', /not JSON: .*position 14/],
  ['a body that is no object', ['POST', '/v1/runs', '[1]'], 400, 'invalid', /must be a JSON object/],
  ['a body of null', ['POST', '/v1/runs', 'null'], 400, 'invalid', /must be a JSON object/],
  ['a body that is too large', ['POST', '/v1/runs', { agent: 'a', input: 'x'.repeat(1_000) }], 413, 'too_large', /larger than 1000 bytes/],
  [
    'a character that cannot be stored',
    ['POST', '/v1/runs', '{"agent":"a","input":{"deep":["\\u0000"]}}'],
    400,
    'invalid',
    /\$\.input\.deep\[0\] holds U\+0000/,
  ],
  ['the same in the path', ['POST', `/v1/runs/${runId}/signals/a%00b`, {}], 400, 'invalid', /name holds U\+0000/],
  ['nesting that overflows', ['POST', '/v1/runs', `{"agent":"a","input":${'['.repeat(300)}${']'.repeat(300)}}`], 400, 'invalid', /nested deeper/],
  ['a prototype', ['POST', '/v1/runs', '{"agent":"a","__proto__":{"session":"x"}}'], 400, 'invalid', /Unrecognized key/],
  ['an id that is none', ['GET', '/v1/runs/7'], 400, 'invalid', /runId: /],
  ['an unknown query parameter', ['GET', '/v1/runs?satte=running'], 400, 'invalid', /Unrecognized key: "satte"/],
  ['a query parameter given twice', ['GET', '/v1/runs?limit=1&limit=2'], 400, 'invalid', /limit: given more than once/],
  ['a limit that is none', ['GET', '/v1/runs?limit=many'], 400, 'invalid', /limit: /],
  ['a limit that is too large', ['GET', '/v1/runs?limit=100000'], 400, 'invalid', /limit: /],
  ['another tenant’s run', ['GET', `/v1/runs/${otherTenantsRunId}`], 404, 'not_found', /No run/],
  ['events of another tenant’s run', ['GET', `/v1/runs/${otherTenantsRunId}/events`], 404, 'not_found', /No run/],
  ['a step that is not there', ['GET', `/v1/runs/${runId}/steps/9.9`], 404, 'not_found', /has no step 9.9/],
  ['an agent that is not there', ['GET', '/v1/agents/nobody'], 404, 'not_found', /No agent nobody/],
  ['a file that is not there', ['GET', `/v1/files/${runId}`], 404, 'not_found', /No file/],
  ['a file id that is none', ['GET', '/v1/files/..%2f..%2fetc'], 400, 'invalid', /fileId: must be a UUID/],
  ['an address that is not there', ['GET', '/v1/rnus'], 404, 'not_found', /nothing at \/v1\/rnus/],
  ['a method that is not offered', ['DELETE', '/v1/runs'], 405, 'invalid', /DELETE is not offered here. Use POST or GET/],
  ['a method nobody offers', ['PATCH', '/healthz'], 405, 'invalid', /Use GET/],
  ['a preflight', ['OPTIONS', '/v1/runs'], 405, 'invalid', /OPTIONS is not offered/],
  ['a method outside the API', ['POST', '/anything'], 405, 'invalid', /POST is not offered/],
])('%s is refused in the one shape', async (_, [method, path, body], status, code, message) => {
  const { ask, calls } = makeApi()
  const response = await ask(method, path, body)
  expect(response.headers.get('access-control-allow-origin')).toBe(null)
  const { error } = ErrorBody.parse(await response.json())
  expect([response.status, error.code]).toEqual([status, code])
  expect(error.message).toMatch(message)
  expect(error.requestId).toBe(response.headers.get('x-request-id'))
  expect(calls).toEqual([])
})

test('a body of exactly the limit is taken, with its length announced or not', async () => {
  const { app } = makeApi()
  const body = (bytes: number) => JSON.stringify({ agent: 'a', input: 'ü'.repeat((bytes - 24) / 2) }) // Two bytes each.
  expect(Buffer.byteLength(body(1_000))).toBe(1_000)
  for (const [bytes, status] of [
    [1_000, 200],
    [1_002, 413],
  ] as const) {
    for (const headers of [{}, { 'content-length': String(bytes) }]) {
      expect(
        (await app.request('/v1/runs', { method: 'POST', headers: { authorization: 'Bearer lh_all', ...headers }, body: body(bytes) })).status,
        `${bytes}`,
      ).toBe(status)
    }
  }
})

test('text that is not UTF-8 is refused, not changed', async () => {
  const { app } = makeApi()
  const body = Buffer.concat([Buffer.from('{"agent":"a","input":"'), Buffer.from([0xff]), Buffer.from('"}')])
  const response = await app.request('/v1/runs', { method: 'POST', headers: { authorization: 'Bearer lh_all' }, body })
  expect([response.status, ErrorBody.parse(await response.json()).error.message]).toEqual([400, expect.stringContaining('not JSON')])
})

test('what goes wrong inside is logged whole and shown to nobody', async () => {
  const lines: { level: string; message: string; data: Record<string, unknown> }[] = []
  const log = createLog((level, message, data) => lines.push({ level, message, data }), 'debug')
  const cause = new Error('password of the database is hunter2')
  const { ask } = makeApi({
    log,
    services: { agents: { list: async () => Promise.reject(cause), find: async () => Promise.reject(new AppError('unavailable', 'Later.')) } },
  })
  const response = await ask('GET', '/v1/agents', undefined, { 'x-request-id': 'trace-7' })
  expect([response.status, await response.json()]).toEqual([500, { error: { code: 'internal', message: 'Internal error.', requestId: 'trace-7' } }])
  expect(lines.filter(({ level }) => level === 'error')).toEqual([{ level: 'error', message: 'request failed', data: { requestId: 'trace-7', error: cause } }])
  expect((await ask('GET', '/v1/agents/analyst')).status).toBe(503)
  expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1)
})

test('output that breaks the contract is a fault of the server, not shown', async () => {
  const { ask } = makeApi({ services: { agents: { list: async () => [{ name: leak } as never], find: async () => undefined } } })
  const response = await ask('GET', '/v1/agents')
  expect(response.status).toBe(500)
  expect(await response.text()).not.toContain(leak)
})

test('every request leaves one line with who, what and how it went, and no secret', async () => {
  const lines: [string, Record<string, unknown>][] = []
  const { ask } = makeApi({ log: createLog((_, message, data) => lines.push([message, data])) })
  await ask('POST', '/v1/runs', { agent: 'analyst', input: 'private question' })
  await ask('GET', '/v1/agents', undefined, { authorization: 'Bearer lh_secret', 'x-request-id': 'bad id\u00e9' })
  await ask('GET', '/healthz')
  expect(lines).toEqual([
    [
      'request',
      {
        requestId: expect.any(String),
        method: 'POST',
        path: '/v1/runs',
        status: 200,
        ms: expect.any(Number),
        operation: 'runs.start',
        tenantId: 'acme',
        keyId,
      },
    ],
    [
      'request',
      {
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        method: 'GET',
        path: '/v1/agents',
        status: 401,
        ms: expect.any(Number),
        operation: 'agents.list',
        code: 'unauthenticated',
      },
    ],
  ])
  expect(JSON.stringify(lines)).not.toMatch(/private question|lh_secret|lh_all/)
})

test('every response protects the browser that shows it', async () => {
  const { ask } = makeApi()
  for (const [method, path] of [
    ['GET', '/v1/agents'],
    ['GET', '/v1/nothing'],
    ['GET', '/'],
    ['GET', '/healthz'],
    ['PUT', '/x'],
  ] as const) {
    const { headers } = await ask(method, path)
    expect([
      path,
      headers.get('x-content-type-options'),
      headers.get('x-frame-options'),
      headers.get('content-security-policy'),
      headers.get('cache-control'),
    ]).toEqual([path, 'nosniff', 'DENY', expect.stringMatching(/default-src 'none'.*frame-ancestors 'none'/), expect.any(String)])
    expect(headers.get('access-control-allow-origin')).toBe(null)
  }
})

test.each<[string, string, Record<string, string>, number]>([
  ['localhost', '127.0.0.1', { host: 'localhost:8080' }, 200],
  ['the address', '127.0.0.1', { host: '127.0.0.1:8080' }, 200],
  ['the address of IPv6', '::1', { host: '[::1]:8080' }, 200],
  ['a page of this machine', '127.0.0.1', { host: 'localhost:8080', origin: 'http://localhost:5173' }, 200],
  ['a name that was made to point here', '127.0.0.1', { host: 'evil.example:8080' }, 403],
  ['a name that only begins like ours', '127.0.0.1', { host: 'localhost.evil.example' }, 403],
  ['a number that is not ours', '127.0.0.1', { host: '10.0.0.1' }, 403],
  ['a page of elsewhere', '127.0.0.1', { host: 'localhost:8080', origin: 'https://evil.example' }, 403],
  ['a page of nowhere', '127.0.0.1', { host: 'localhost:8080', origin: 'null' }, 403],
  ['the public name', '127.0.0.1', { host: 'longhaul.example', origin: 'https://longhaul.example' }, 200],
  ['any name where other machines are let in', '0.0.0.0', { host: 'longhaul.internal', origin: 'http://longhaul.internal' }, 200],
])('a request to %s when listening on %s', async (_, host, headers, status) => {
  const { ask } = makeApi({ host, publicUrl: 'https://longhaul.example/' })
  expect((await ask('GET', '/v1/agents', undefined, headers)).status).toBe(status)
  expect((await ask('GET', '/', undefined, headers)).status).toBe(status === 200 ? 503 : 403) // The page that says the console is not built.
})

test('healthz needs no key, says whether the server can work, and asks once for all who ask at a time', async () => {
  let checks = 0
  let failure: Error | undefined
  const { app } = makeApi({
    health: async () => {
      checks++
      await null
      if (failure) throw failure
    },
  })
  expect(await Promise.all([1, 2, 3].map(async () => (await app.request('/healthz')).json()))).toEqual([{ status: 'ok' }, { status: 'ok' }, { status: 'ok' }])
  expect(checks).toBe(1)
  failure = new AppError('unavailable', 'The database is not answering.')
  const response = await app.request('/healthz')
  expect([response.status, ErrorBody.parse(await response.json()).error]).toMatchObject([
    503,
    { code: 'unavailable', message: 'The database is not answering.' },
  ])
  failure = new Error('secret detail')
  expect(await (await app.request('/healthz')).text()).not.toContain('secret detail')
  failure = undefined
  expect((await app.request('/healthz')).status).toBe(200)
})

test('an operation without an implementation, with two, or outside the list keeps the server from starting', () => {
  const all = operations.map((operation) => ({ operation, handle: async () => ({}) }))
  expect(() => assertComplete(operations, all)).not.toThrow()
  expect(() => assertComplete(operations, all.slice(1))).toThrow('runs.start has 0 implementations')
  expect(() => assertComplete(operations, [...all, ...all.slice(-1)])).toThrow('system.get has 2 implementations')
  expect(() => assertComplete(operations.slice(1), all)).toThrow('runs.start is not in the list')
  expect(() => makeApi({ implementations: all.slice(1) })).toThrow('runs.start has 0 implementations')
})
