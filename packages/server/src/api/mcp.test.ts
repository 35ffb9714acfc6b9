import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { Json, Run } from '@longhaul/protocol'
import { afterAll, expect, test } from 'vitest'
import { type Bed, type Opening, openBed, until } from '../../test/support/api-bed.ts'

const answers: Opening = (start) => [
  {
    type: 'op',
    run: start.run,
    op: '0',
    kind: 'exec',
    name: 'count',
    input: { script: `echo ${JSON.stringify(start.input)} for ${start.session ?? 'nobody'}` },
  },
]
const asks: Opening = (start) => [
  { type: 'op.wait', run: start.run, op: '0', kind: 'approval', name: 'Send it?', timeoutMs: null },
  { type: 'run.idle', run: start.run, ops: ['0'] },
]
const hangs: Opening = (start) => [{ type: 'op', run: start.run, op: '0', kind: 'exec', name: 'sleep', input: { script: 'sleep 60' } }]

const bed: Bed = await openBed({ helper: answers, asker: asks, 'slow-one': hangs })
const ann = await bed.caller('ann', { personalData: true })
afterAll(() => bed[Symbol.asyncDispose]())

const eras = [
  ['2026-07-28', 'auto'],
  ['2025-11-25', 'legacy'],
] as const

async function connect(secret: string, mode: 'auto' | 'legacy', headers: Record<string, string> = {}) {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
  const transport = new StreamableHTTPClientTransport(new URL('http://localhost/mcp'), {
    requestInit: { headers: { authorization: `Bearer ${secret}`, ...headers } },
    fetch: async (url, init) => bed.app.request(String(url), init as RequestInit),
  })
  await client.connect(transport)
  return Object.assign(client, { session: () => transport.sessionId ?? '', [Symbol.asyncDispose]: () => client.close() })
}

test.each(eras)('a client of %s lists agents as tools, and gets an answer with its progress', async (version, mode) => {
  await using client = await connect(ann.secret, mode)
  expect(client.getNegotiatedProtocolVersion()).toBe(version)
  const { tools } = await client.listTools()
  expect(tools.map(({ name }) => name)).toEqual(['ask_asker', 'ask_helper', 'ask_slow-one', 'get_run', 'cancel_run'])
  const progress: string[] = []
  const result = await client.callTool(
    { name: 'ask_helper', arguments: { message: 'hello', session: 'talk' } },
    { onprogress: ({ message }) => void progress.push(message ?? '') },
  )
  expect(result.isError).toBeFalsy()
  expect(result.structuredContent).toMatchObject({ state: 'completed', output: { stdout: 'hello for talk\n' } })
  expect(progress).toContain('exec: count')
})

test.each(eras)('a client of %s that cancels stops the run', async (_, mode) => {
  await using client = await connect(ann.secret, mode)
  const stop = new AbortController()
  const call = client.callTool(
    { name: 'ask_slow-one', arguments: { message: 'x' } },
    { signal: stop.signal, onprogress: ({ message }) => message === 'exec: sleep' && stop.abort() },
  )
  await expect(call).rejects.toThrow()
  const runs = await until(
    () => ann.read<{ items: Run[] }>('/v1/runs?agent=slow-one'),
    ({ items }) => items[0]?.state === 'cancelled',
  )
  expect(runs.items.every(({ state }) => state === 'cancelled')).toBe(true)
})

test('a run that waits for a person is told as that, and asked for later', async () => {
  await using client = await connect(ann.secret, 'auto')
  const result = await client.callTool({ name: 'ask_asker', arguments: { message: 'x' } })
  expect(result.structuredContent).toMatchObject({ state: 'waiting', problem: 'It waits for approval "Send it?".' })
  const { runId } = result.structuredContent as { runId: string }
  const { items } = await ann.read<{ items: { id: string; runId: string }[] }>('/v1/approvals')
  const approvalId = items.find((approval) => approval.runId === runId)?.id
  await ann.ask('POST', `/v1/approvals/${approvalId}`, { approved: true })
  const ended = await until(
    () => client.callTool({ name: 'get_run', arguments: { runId } }),
    ({ structuredContent }) => (structuredContent as { state: string }).state === 'completed',
  )
  expect(ended.structuredContent).toMatchObject({ output: { approved: true, by: 'ann' } })
})

test('one of another key or session does not cancel it; the client’s own does', async () => {
  const eve = await bed.caller('eve', { personalData: true })
  await using client = await connect(ann.secret, 'legacy')
  const begun = Promise.withResolvers<void>()
  client
    .callTool({ name: 'ask_slow-one', arguments: { message: 'x' } }, { onprogress: ({ message }) => message === 'exec: sleep' && begun.resolve() })
    .catch(() => {}) // Its end is looked at as the run's.
  await begun.promise
  const [run] = (await ann.read<{ items: Run[] }>('/v1/runs?agent=slow-one')).items
  const state = async () => (await ann.read<Run>(`/v1/runs/${run?.id}`)).state
  const cancelAll = async (secret: string, session: string) => {
    for (let requestId = 0; requestId < 10; requestId++) {
      const headers = { authorization: `Bearer ${secret}`, 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }
      const { status } = await post(headers, { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } })
      expect(status).toBe(202)
    }
  }
  await cancelAll(eve.secret, client.session())
  await cancelAll(ann.secret, 'another')
  await cancelAll(ann.secret, '')
  await client.callTool({ name: 'ask_helper', arguments: { message: 'time enough for a cancellation' } })
  expect(await state()).toBe('running')
  await cancelAll(ann.secret, client.session())
  await until(state, (found) => found === 'cancelled')
})

test('permissions are those of the key, and another’s runs are not there', async () => {
  const { secret } = await bed.keys.createFirst('acme', { name: 'reader', permissions: ['agents:read'], access: { personalData: true } })
  await using reader = await connect(secret, 'auto')
  expect((await reader.listTools()).tools.length).toBe(5)
  expect(await reader.callTool({ name: 'ask_helper', arguments: { message: 'x' } })).toMatchObject({
    isError: true,
    content: [{ text: expect.stringContaining('runs:write') }],
  })
  const { secret: foreign } = await bed.keys.createFirst('globex', {
    name: 'foreigner',
    permissions: ['agents:read', 'runs:read', 'runs:write'],
    access: { personalData: true },
  })
  const [run] = (await ann.read<{ items: Run[] }>('/v1/runs')).items
  await using foreigner = await connect(foreign, 'auto')
  for (const name of ['get_run', 'cancel_run'])
    expect(await foreigner.callTool({ name, arguments: { runId: run?.id ?? '' } })).toMatchObject({ isError: true, content: [{ text: `No run ${run?.id}.` }] })
  await using owner = await connect(ann.secret, 'auto')
  expect(await owner.callTool({ name: 'get_run', arguments: { runId: run?.id ?? '' } })).toMatchObject({ structuredContent: { runId: run?.id } })
})

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
}
const post = (headers: Record<string, string>, body: Json = initialize) =>
  bed.app.request('/mcp', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', authorization: `Bearer ${ann.secret}`, ...headers },
    body: JSON.stringify(body),
  })

test.each([
  ['without a key', { authorization: '' }, 401],
  ['with a key of nobody', { authorization: 'Bearer lh_0123456789012345678901234567890123456789012' }, 401],
  ['under another name of this machine', { host: 'evil.example' }, 403],
  ['from a page of another origin', { origin: 'https://evil.example' }, 403],
])('a request %s is refused', async (_, headers, status) => {
  expect((await post(headers)).status).toBe(status)
  expect((await post({})).status).toBe(200)
})

test('what is asked wrongly is told', async () => {
  await using client = await connect(ann.secret, 'auto')
  expect(await client.callTool({ name: 'ask_nobody', arguments: { message: 'x' } })).toMatchObject({
    isError: true,
    content: [{ text: expect.stringContaining('No agent nobody') }],
  })
  expect(await client.callTool({ name: 'ask_helper', arguments: {} })).toMatchObject({ isError: true, content: [{ text: 'message: is missing.' }] })
  expect(await client.callTool({ name: 'get_run', arguments: { runId: '7' } })).toMatchObject({ isError: true })
  expect(
    (await post({}, { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'ask_helper', arguments: { message: 'x'.repeat(1_100_000) } } })).status,
  ).toBe(413)
})
