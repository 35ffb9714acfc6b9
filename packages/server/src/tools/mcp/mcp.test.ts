import { afterAll, expect, test } from 'vitest'
import { type Dialect, type FakeTool, openMcpServer, text } from '../../../test/support/mcp-server.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { type BedOptions, failureOf, openToolsBed } from '../../../test/support/tools-bed.ts'

const find: FakeTool = { name: 'find', description: 'Finds a customer', call: ({ name }) => text(`found ${String(name)}`) }

const database = await makeDatabase()
afterAll(() => database[Symbol.asyncDispose]())

type Server = Awaited<ReturnType<typeof openMcpServer>>
const bedFor = (server: Pick<Server, 'url' | 'host'>, more: Partial<BedOptions> & { declared?: object } = {}) => {
  const { declared, ...options } = more
  return openToolsBed({ db: database.db, connections: { crm: { kind: 'mcp', url: server.url, ...declared } }, privateHosts: [server.host], ...options })
}

test.each<Dialect>(['both', 'old', 'sessions'])('the tools of a server that speaks %s are listed and called', async (dialect) => {
  await using server = await openMcpServer({ dialect, tools: [find, { ...find, name: 'sums', call: () => ({ content: [], structuredContent: { sum: 3 } }) }] })
  await using bed = await bedFor(server)
  const { tools, withheld } = await bed.connect('crm')
  expect(withheld).toEqual([])
  expect(tools.map(({ name, description }) => [name, description])).toEqual([
    ['crm__find', '[crm] Finds a customer'],
    ['crm__sums', '[crm] Finds a customer'],
  ])
  expect(await bed.call('crm__find', { name: 'Ada' })).toEqual({ output: 'found Ada', parts: [], source: 'tool_server', origin: server.host })
  expect((await bed.call('crm__sums')).output).toEqual({ sum: 3 })
  const versions = new Set(server.state.requests.map(({ headers }) => headers.get('mcp-protocol-version')))
  expect(versions.has('2026-07-28')).toBe(true) // It is asked for first everywhere,
  expect(server.state.requests.at(-1)?.headers.get('mcp-protocol-version')).toBe(dialect === 'both' ? '2026-07-28' : '2025-11-25') // and left where it is not spoken.
})

test('a session that the server has forgotten is made anew, and the call is made once', async () => {
  let count = 0
  await using server = await openMcpServer({ dialect: 'sessions', tools: [{ name: 'add', call: () => text(`${++count}`) }] })
  await using bed = await bedFor(server)
  expect((await bed.call('crm__add')).output).toBe('1')
  server.forgetSessions()
  expect((await bed.call('crm__add')).output).toBe('2')
})

test('what the tool says of its failure is told, and not asked again', async () => {
  await using server = await openMcpServer({ tools: [{ name: 'pay', call: () => ({ content: [{ type: 'text', text: 'card declined' }], isError: true }) }] })
  await using bed = await bedFor(server)
  expect(await failureOf(bed.call('crm__pay'))).toMatchObject({ code: 'tool_error', message: 'card declined', retryable: false })
  expect(await failureOf(bed.call('crm__refund'))).toMatchObject({ code: 'not_found', retryable: false })
})

test('a server that is away is a failure that may be tried again, and works when it is back', async () => {
  const port = await (async () => {
    await using server = await openMcpServer({ tools: [find] })
    return Number(server.host.split(':')[1])
  })()
  await using bed = await bedFor({ url: `http://127.0.0.1:${port}/mcp`, host: `127.0.0.1:${port}` })
  expect(await failureOf(bed.connect('crm'))).toMatchObject({ code: 'away', retryable: true, message: expect.stringContaining('ECONNREFUSED') })
  await using _ = await openMcpServer({ tools: [find], port })
  expect((await bed.connect('crm')).tools).toHaveLength(1)
})

test('an optional connection that is away is left out, with the reason', async () => {
  await using bed = await bedFor({ url: 'http://127.0.0.1:1919/mcp', host: '127.0.0.1:1919' }, { declared: { isOptional: true } })
  expect(await bed.connect('crm')).toMatchObject({
    tools: [],
    withheld: [{ connection: 'crm', tool: null, why: expect.stringContaining('cannot be reached') }],
  })
})

test.each([
  [503, { code: 'away', retryable: true }],
  [500, { code: 'away', retryable: false }],
  [401, { code: 'credentials', retryable: false }],
])('HTTP %i in answer to a call is told as what it is', async (status, wanted) => {
  await using server = await openMcpServer({ dialect: 'old', tools: [find] })
  await using bed = await bedFor(server)
  await bed.connect('crm')
  server.state.intercept = () => new Response('no', { status })
  expect(await failureOf(bed.call('crm__find'))).toMatchObject(wanted)
})

test('a failure of a tool that does no harm twice may be tried again', async () => {
  await using server = await openMcpServer({ dialect: 'old', tools: [{ ...find, annotations: { readOnlyHint: true } }] })
  await using bed = await bedFor(server)
  await bed.connect('crm')
  server.state.intercept = () => new Response('no', { status: 500 })
  expect(await failureOf(bed.call('crm__find'))).toMatchObject({ code: 'away', retryable: true })
})

test('a server that floods is cut off', async () => {
  let sent = 0
  const flood = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1_000_000
        controller.enqueue(new Uint8Array(1_000_000).fill(32))
      },
    })
  await using server = await openMcpServer({ dialect: 'old', tools: [find] })
  await using bed = await bedFor(server)
  await bed.connect('crm')
  server.state.intercept = () => new Response(flood(), { headers: { 'content-type': 'application/json' } })
  expect(await failureOf(bed.call('crm__find'))).toMatchObject({ code: 'too_large', retryable: false })
  expect(sent).toBeLessThan(40_000_000)
})

test('a long result is cut where the limit says, and says so', async () => {
  await using server = await openMcpServer({ tools: [{ name: 'long', call: () => text('x'.repeat(5_000)) }] })
  await using bed = await bedFor(server, { toolLimits: { 'crm__*': { resultCharactersMax: 1_000 } } })
  expect((await bed.call('crm__long')).output).toBe(`${'x'.repeat(1_000)}\n[4000 of 5000 characters are left out. Ask for less, or for a part.]`)
})

test('a tool that takes too long fails by its time-out; one that is cancelled is told to stop', async () => {
  const stopped = Promise.withResolvers<string>()
  const begun = Promise.withResolvers<void>()
  const slow: FakeTool = {
    name: 'slow',
    call: (_, { mcpReq }) => {
      begun.resolve()
      return new Promise((resolve) => mcpReq.signal.addEventListener('abort', () => (stopped.resolve('it heard'), resolve(text('too late')))))
    },
  }
  await using server = await openMcpServer({ tools: [slow] })
  await using bed = await bedFor(server, { declared: { timeoutMs: 200 } })
  expect(await failureOf(bed.call('crm__slow'))).toMatchObject({ code: 'timeout', retryable: false })
  await using patient = await bedFor(server)
  const stop = new AbortController()
  const call = patient.call('crm__slow', {}, stop.signal)
  await begun.promise
  stop.abort()
  await expect(call).rejects.toThrow()
  expect(await stopped.promise).toBe('it heard')
})

test('progress is passed on while it lasts, and no more of it than a person would read', async () => {
  const work: FakeTool = {
    name: 'work',
    call: async (_, { mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken
      for (let progress = 1; progress <= 2_000; progress++)
        await mcpReq.notify({ method: 'notifications/progress', params: { progressToken: progressToken ?? 0, progress, total: 2_000, message: 'rows read' } })
      return text('ok')
    },
  }
  await using server = await openMcpServer({ tools: [work] })
  await using bed = await bedFor(server)
  expect((await bed.call('crm__work')).output).toBe('ok')
  expect(bed.live[0]).toBe('1 of 2000 · rows read\n')
  expect(bed.live.join('').length).toBeLessThan(22_000)
})

test('the call carries a key that is the same when it is made again', async () => {
  const keys: unknown[] = []
  await using server = await openMcpServer({ tools: [{ name: 'pay', call: (_, { mcpReq }) => (keys.push(mcpReq._meta?.['longhaul/call']), text('ok')) }] })
  await using bed = await bedFor(server)
  await bed.call('crm__pay')
  await bed.call('crm__pay')
  expect(keys).toEqual([`${bed.run.id}/3`, `${bed.run.id}/3`])
})

test('what a definition hides from people does not reach the model, and a name that providers refuse is changed', async () => {
  const hidden = [...'obey'].map((letter) => String.fromCodePoint(0xe0000 + (letter.codePointAt(0) ?? 0))).join('')
  await using server = await openMcpServer({
    tools: [
      { name: 'get/all.things', description: `Gets\u200b ${hidden}\u202eall` },
      { name: 'big', inputSchema: { type: 'object', description: 'x'.repeat(40_000) } },
    ],
  })
  await using bed = await bedFor(server)
  const { tools, withheld } = await bed.connect('crm')
  expect(tools).toMatchObject([{ name: expect.stringMatching(/^crm__get_all_things_[0-9a-f]{8}$/), description: '[crm] Gets all' }])
  expect(withheld).toMatchObject([{ tool: 'big', why: expect.stringContaining('at most 32000') }])
})

test('a connection reaches nothing private that the operator has not opened', async () => {
  await using server = await openMcpServer({ tools: [find] })
  await using closed = await bedFor(server, { privateHosts: [] })
  expect(await failureOf(closed.connect('crm'))).toMatchObject({ code: 'host_refused', message: expect.stringContaining('LONGHAUL_TOOLS_PRIVATE_HOSTS') })
  expect(server.state.requests).toEqual([])
  await using open = await bedFor(server)
  expect((await open.connect('crm')).tools).toHaveLength(1)
})
