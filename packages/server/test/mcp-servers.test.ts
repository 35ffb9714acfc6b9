/** Hosted MCP servers with the real program: deployed by one command, asked by official clients of both generations, and what becomes of sessions when something ends. */
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from './support/api-bed.ts'
import { isHere } from './support/sandbox-modes.ts'
import { openServerProcess } from './support/server-process.ts'

const canRun = isHere('bwrap', 'hosted MCP servers')
const limitMs = 120_000
const root = join(import.meta.dirname, '../../..')
const folder = join(import.meta.dirname, 'fixtures/mcp-everything')
const server = await openServerProcess({ env: { LONGHAUL_SANDBOX_DRIVER: canRun ? 'bwrap' : 'virtual', LONGHAUL_SANDBOX_ACCEPT: 'memory,cpu,disk' } })
const longhaul = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--conditions=longhaul-source', join(root, 'packages/cli/bin/longhaul.js'), ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], LONGHAUL_URL: server.url(), LONGHAUL_API_KEY: server.key() },
  })
  if (status !== 0) throw new Error(`${stdout}${stderr}`)
  return stdout
}
/** A program of the old generation that knows no package, as many are. */
const plainProgram = `
import { createInterface } from 'node:readline'
const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n')
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line)
  if (method === 'initialize')
    say({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'plain', version: '1' } } })
  else if (method === 'tools/call' && params.name === 'ask') say({ id: 'mine', method: 'roots/list' })
  else if (method === 'tools/call' && params.name === 'echo') say({ id, result: { content: [{ type: 'text', text: JSON.stringify(params.arguments) }] } })
  else if (id !== undefined && method !== 'tools/call') say({ id, error: { code: -32601, message: 'Method not found' } })
}
`
let deployed = ''
const plain = join(await mkdtemp(join(tmpdir(), 'mcp-servers-')), 'plain')
beforeAll(async () => {
  if (!canRun) return
  await mkdir(join(plain, 'agent'), { recursive: true })
  await writeFile(join(plain, 'agent', 'main.mjs'), plainProgram)
  await writeFile(
    join(plain, 'agent', 'agent.json'),
    JSON.stringify({ kind: 'mcp', description: 'Plain', command: 'node', args: ['main.mjs'], answerMsMax: 1_000, idleMs: 3_000 }),
  )
  await server.start()
  longhaul('deploy', plain)
  // Of a credential that nobody has set, its program must not be begun without it.
  const rules = [{ host: 'api.example.com', credential: { header: 'Authorization', secret: 'nobody-has-it', prefix: 'Bearer ' } }]
  await writeFile(
    join(plain, 'agent', 'agent.json'),
    JSON.stringify({ kind: 'mcp', description: 'Out', command: 'node', args: ['main.mjs'], egress: { rules } }),
  )
  longhaul('deploy', plain, '--agent', 'outward')
  deployed = longhaul('deploy', folder, '--agent', 'everything')
}, limitMs)
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await rm(join(plain, '..'), { recursive: true })
})

type Mode = 'auto' | 'legacy'
const eras = [
  ['2026-07-28', 'auto'],
  ['2025-11-25', 'legacy'],
] as const satisfies [string, Mode][]

async function connect(mode: Mode, { key = server.key(), name = 'everything' } = {}) {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode }, capabilities: { sampling: {}, elicitation: { form: {} } } })
  client.setRequestHandler('sampling/createMessage', async () => ({ model: 'm', role: 'assistant' as const, content: { type: 'text' as const, text: 'four' } }))
  client.setRequestHandler('elicitation/create', async () => ({ action: 'accept' as const, content: { response: 'yes' } }))
  const transport = new StreamableHTTPClientTransport(new URL(`/mcp/${name}`, server.url()), { requestInit: { headers: { authorization: `Bearer ${key}` } } })
  await client.connect(transport)
  return Object.assign(client, { wire: transport, [Symbol.asyncDispose]: () => client.close() })
}
const called = async (client: Client, name: string, args: Record<string, unknown> = {}) => {
  const { content, isError } = await client.callTool({ name, arguments: args })
  const [first] = content
  return { isError: isError ?? false, said: first?.type === 'text' ? first.text : JSON.stringify(first) }
}

test.runIf(canRun).each(eras)(
  'a client of %s gets tools, resources, prompts, completion and progress as the program gives them',
  { timeout: limitMs },
  async (version, mode) => {
    await using client = await connect(mode)
    expect(client.getNegotiatedProtocolVersion()).toBe(version)
    expect(deployed).toContain(`${server.url()}/mcp/everything`)
    expect(client.getServerVersion()).toMatchObject({ name: 'everything' })
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('test_simple_text')
    expect(await called(client, 'test_simple_text')).toEqual({ isError: false, said: 'This is a simple text response for testing.' })
    const { contents } = await client.readResource({ uri: 'test://template/7/data' })
    expect(contents).toMatchObject([{ text: expect.stringContaining('Data for ID: 7') }])
    const { messages } = await client.getPrompt({ name: 'test_prompt_with_arguments', arguments: { arg1: 'a', arg2: 'b' } })
    expect(messages).toMatchObject([{ content: { text: "Prompt with arguments: arg1='a', arg2='b'" } }])
    const completed = await client.complete({ ref: { type: 'ref/prompt', name: 'test_prompt_with_arguments' }, argument: { name: 'arg1', value: 'part' } })
    expect(completed.completion.values).toEqual(['party'])
    const progress: number[] = []
    await client.callTool({ name: 'test_tool_with_progress', arguments: {} }, { onprogress: (one) => void progress.push(one.progress) })
    expect(progress).toEqual([0, 50, 100])
    await expect(client.readResource({ uri: 'test://nothing' })).rejects.toThrow()
  },
)

test.runIf(canRun)('a program asks the client of its session, logs to it, and tells it of changes', { timeout: limitMs }, async () => {
  await using client = await connect('legacy')
  expect(await called(client, 'test_sampling', { prompt: '2 + 2?' })).toEqual({ isError: false, said: 'LLM response: four' })
  expect((await called(client, 'test_elicitation', { message: 'Really?' })).said).toContain('action=accept, content={"response":"yes"}')
  const told: string[] = []
  client.setNotificationHandler('notifications/message', ({ params }) => void told.push(String(params.data)))
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => void told.push(params.uri))
  await client.callTool({ name: 'test_tool_with_logging', arguments: {} })
  expect(told).toEqual(['Tool execution started', 'Tool processing data', 'Tool execution completed'])
  await client.subscribeResource({ uri: 'test://watched-resource' })
  await client.callTool({ name: 'change', arguments: {} })
  await until(
    async () => told,
    () => told.includes('test://watched-resource'),
    10_000,
  )
})

test.runIf(canRun)('each session has a program of its own, and the clients of one key without sessions share one', { timeout: limitMs }, async () => {
  const other = (await server.client.keys.create({ name: 'other', permissions: ['tools:call'] })).secret
  const counts = async (mode: Mode, key?: string) => {
    await using client = await connect(mode, { ...(key !== undefined && { key }) })
    return Number((await called(client, 'count')).said)
  }
  expect([await counts('legacy'), await counts('legacy')]).toEqual([1, 1])
  const first = await counts('auto')
  expect(await counts('auto')).toBe(first + 1)
  expect(await counts('auto', other)).toBe(1)
})

test.runIf(canRun)('a session is there for its key alone, and gone with its end', { timeout: limitMs }, async () => {
  const other = (await server.client.keys.create({ name: 'other-too', permissions: ['tools:call'] })).secret
  await using client = await connect('legacy')
  const ask = (key: string, id = client.wire.sessionId ?? '') =>
    fetch(`${server.url()}/mcp/everything`, {
      method: 'POST',
      headers: {
        ...{ authorization: `Bearer ${key}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
        ...{ 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' },
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 99, method: 'ping' }),
    })
  expect((await ask(server.key())).status).toBe(200) // The control.
  expect((await ask(other)).status).toBe(404)
  expect((await ask(server.key(), 'another')).status).toBe(404)
  await client.wire.terminateSession()
  expect((await ask(server.key())).status).toBe(404)
})

test.runIf(canRun)('a key needs tools:call and the reach; what is no MCP server is not found', { timeout: limitMs }, async () => {
  const asker = (await server.client.keys.create({ name: 'asker', permissions: ['runs:write', 'runs:read', 'agents:read'] })).secret
  const limited = (await server.client.keys.create({ name: 'limited', permissions: ['tools:call'], agents: ['plain'] })).secret
  await expect(connect('legacy', { key: asker })).rejects.toThrow(/tools:call/)
  await expect(connect('legacy', { key: limited })).rejects.toThrow(/No agent everything/)
  await using reached = await connect('legacy', { key: limited, name: 'plain' })
  expect((await called(reached, 'echo', { a: 1 })).said).toBe('{"a":1}')
  await expect(connect('legacy', { name: 'nobody' })).rejects.toThrow(/No agent nobody/)
  await expect(connect('legacy', { name: 'outward' })).rejects.toThrow(/no secret nobody-has-it/)
  await expect(connect('legacy', { key: 'lh_0123456789012345678901234567890123456789012' })).rejects.toThrow()
  const run = await server.client.runs.start({ agent: 'everything', input: 'x' })
  const ended = await until(
    () => server.client.runs.get({ runId: run.id }),
    ({ state }) => state === 'failed',
    20_000,
  )
  expect(ended.failure?.message).toContain('/mcp/everything')
})

test.runIf(canRun)(
  'limits and policies hold for each call, a cancelled call is cancelled in the program, and no key is inside',
  { timeout: limitMs },
  async () => {
    await using client = await connect('auto')
    expect(await called(client, 'switched_off')).toEqual({ isError: true, said: 'The tool switched_off is switched off.' })
    await server.client.policies.put({ name: 'no-images', text: 'forbid (principal, action == Action::"tools.call", resource == Tool::"test_image_content");' })
    expect(await called(client, 'test_image_content')).toMatchObject({ isError: true, said: expect.stringContaining('no-images') })
    await server.client.policies.delete({ name: 'no-images' })
    expect((await called(client, 'test_image_content')).isError).toBe(false)
    for (const mode of ['auto', 'legacy'] as const) {
      await using one = await connect(mode)
      const before = Number((await called(one, 'cancelled')).said)
      const stop = new AbortController()
      const hanging = one.callTool({ name: 'hang', arguments: {} }, { signal: stop.signal })
      setTimeout(() => stop.abort(), 200)
      await expect(hanging).rejects.toThrow()
      await until(
        () => called(one, 'cancelled'),
        ({ said }) => Number(said) === before + 1,
        10_000,
      )
    }
    const { said } = await called(client, 'environment')
    expect(said).toContain('PATH')
    expect(said).not.toMatch(/lh_|postgres|LONGHAUL/)
    const noted = async () => (await server.client.audit.list({ limit: 200 })).items
    const entries = await until(noted, (items) => items.some(({ action, target }) => action === 'tools.call' && target === 'environment'), 10_000)
    expect(entries).toContainEqual(expect.objectContaining({ action: 'mcp.connect', target: 'everything' }))
    expect(entries).toContainEqual(expect.objectContaining({ action: 'tools.call', target: 'test_image_content', outcome: 'refused' }))
  },
)

test.runIf(canRun)('a program that dies takes its session with it and says why; the next one is begun after a pause', { timeout: limitMs }, async () => {
  await using client = await connect('legacy')
  await expect(client.callTool({ name: 'die', arguments: {} })).rejects.toThrow(/ended with code 7.*disk is on fire/s)
  await until(
    () => client.ping().then(() => '', String),
    (said) => /no such session/.test(said),
    10_000,
  )
  const again = await until(
    () => connect('legacy').catch(() => undefined),
    (found) => found !== undefined,
    20_000,
  )
  await again?.close()
})

test.runIf(canRun)('a program of the old generation is found by clients of the new one; time and idleness are bounded', { timeout: limitMs }, async () => {
  await using client = await connect('auto', { name: 'plain' })
  expect(client.getNegotiatedProtocolVersion()).toBe('2025-11-25')
  expect(await called(client, 'hang')).toEqual({ isError: true, said: 'It took longer than 1 s.' })
  expect((await called(client, 'echo', { still: 'there' })).said).toBe('{"still":"there"}')
  await new Promise((resolve) => setTimeout(resolve, 6_000))
  await expect(client.ping()).rejects.toThrow(/no such session/)
})

test.runIf(canRun)('what is stopped is ended and not begun until the stop is lifted', { timeout: limitMs }, async () => {
  await using client = await connect('legacy')
  await using stateless = await connect('auto')
  const { stop } = await server.client.stops.create({ agent: 'everything', reason: 'a test' })
  await expect(called(client, 'count')).rejects.toThrow(/was stopped/)
  await expect(called(stateless, 'count')).rejects.toThrow(/was stopped/)
  await expect(connect('legacy')).rejects.toThrow(/was stopped/)
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  await server.client.stops.lift({ stopId: stop.id })
  await expect(client.ping()).rejects.toThrow(/no such session/)
  await using after = await connect('legacy')
  expect((await called(after, 'count')).said).toBe('1')
})

const meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}
const send = (body: object, headers: Record<string, string> = {}) =>
  fetch(`${server.url()}/mcp/everything`, {
    method: 'POST',
    headers: {
      ...{ authorization: `Bearer ${server.key()}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      ...headers,
    },
    body: JSON.stringify(body),
  })

test.runIf(canRun)('what headers say has to be what the body holds', { timeout: limitMs }, async () => {
  const call = (headers: Record<string, string>, region = 'west', version = '2026-07-28') =>
    send(
      {
        ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
        params: { name: 'mirrored', arguments: { region }, _meta: { ...meta, 'io.modelcontextprotocol/protocolVersion': version } },
      },
      { 'mcp-protocol-version': version, 'mcp-method': 'tools/call', ...headers },
    )
  const good = { 'mcp-name': 'mirrored', 'mcp-param-region': 'west' }
  expect((await call(good)).status).toBe(200)
  expect((await call({ ...good, 'mcp-param-region': `=?base64?${Buffer.from('west').toString('base64')}?=` })).status).toBe(200)
  for (const wrong of [{ 'mcp-name': 'count' }, { 'mcp-param-region': 'east' }, { 'mcp-param-region': '=?base64?d2VzdA?=' }, { 'mcp-method': 'tools/list' }]) {
    const refused = await call({ ...good, ...wrong })
    expect([refused.status, await refused.json()]).toMatchObject([400, { id: 1, error: { code: -32_020 } }])
  }
  expect((await call({ 'mcp-name': 'mirrored' })).status).toBe(400)
  const later = await call(good, 'west', '2030-01-01')
  expect([later.status, await later.json()]).toMatchObject([400, { error: { code: -32_022, data: { supported: ['2026-07-28'] } } }])
  expect((await send([{ jsonrpc: '2.0', id: 1, method: 'ping' }])).status).toBe(400)
  expect((await send({ jsonrpc: '2.0', id: 1, method: 'ping' })).status).toBe(400) // It has no session.
  expect((await send({ jsonrpc: '2.0', id: 1, method: 'ping', params: { filling: 'x'.repeat(1_100_000) } })).status).toBe(413)
})

test.runIf(canRun)('without sessions a client is told of changes on the stream that it listens to, under its own id', { timeout: limitMs }, async () => {
  const listen = { jsonrpc: '2.0', id: 'mine', method: 'subscriptions/listen' }
  const stop = new AbortController()
  const stream = await fetch(`${server.url()}/mcp/everything`, {
    method: 'POST',
    headers: {
      ...{ authorization: `Bearer ${server.key()}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      ...{ 'mcp-protocol-version': '2026-07-28', 'mcp-method': listen.method },
    },
    body: JSON.stringify({ ...listen, params: { notifications: { toolsListChanged: true }, _meta: meta } }),
    signal: stop.signal,
  })
  await using client = await connect('auto')
  expect((await called(client, 'change')).said).toBe('told')
  const decoder = new TextDecoder()
  let heard = ''
  for await (const piece of stream.body ?? []) {
    heard += decoder.decode(piece)
    if (heard.includes('tools/list_changed')) break
  }
  stop.abort()
  expect(heard).toMatch(/tools\/list_changed.*"io.modelcontextprotocol\/subscriptionId":"mine"/)
})
