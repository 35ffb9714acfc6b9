/** The whole way, with the real program: a folder's connection, a model that calls its tool, a crash in the middle of the call, and clients of MCP at the other end. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { createClient } from '@longhaul/sdk/client'
import { afterAll, expect, test } from 'vitest'
import { until } from './support/api-bed.ts'
import { startFakeProvider } from './support/fake-provider.ts'
import { openMcpServer, text } from './support/mcp-server.ts'
import { openServerProcess } from './support/server-process.ts'

/** Three programs start in a row here. */
const limitMs = 120_000

const root = join(import.meta.dirname, '../../..')
const keys: unknown[] = []
const firstCall = Promise.withResolvers<void>()
const crm = await openMcpServer({
  tools: [
    {
      name: 'find',
      description: 'Finds a customer',
      inputSchema: { type: 'object', properties: { name: { type: 'string' } } },
      call: async ({ name }, { mcpReq }) => {
        keys.push(mcpReq._meta?.['longhaul/call'])
        firstCall.resolve()
        if (keys.length === 1) await new Promise((resolve) => mcpReq.signal.addEventListener('abort', resolve))
        return text(`${String(name)} lives in London`)
      },
    },
  ],
})
const provider = await startFakeProvider((_, index) =>
  index % 2 === 0 ? { toolCalls: [{ id: `c${index}`, name: 'crm__find', input: { name: 'Ada' } }] } : { text: ['In London.'] },
)
const agents = await mkdtemp(join(tmpdir(), 'tools-agents-'))
const helper = join(agents, 'helper', 'agent')
await mkdir(join(helper, 'connections'), { recursive: true })
await writeFile(join(helper, 'agent.ts'), "import { agent } from '@longhaul/sdk'\nexport default agent({ description: 'Knows customers', stockTools: [] })\n")
await writeFile(
  join(helper, 'connections', 'crm.json'),
  JSON.stringify({ kind: 'mcp', url: crm.url, headers: { authorization: { secret: 'crm', prefix: 'Bearer ' } } }),
)
const server = await openServerProcess({
  env: {
    LONGHAUL_AGENTS_DIR: agents,
    LONGHAUL_TOOLS_PRIVATE_HOSTS: crm.host,
    LONGHAUL_OPENAI_COMPATIBLE_BASE_URL: provider.compatibleUrl,
    LONGHAUL_OPENAI_COMPATIBLE_MODEL: 'fake',
    LONGHAUL_LEASE_MS: '1000',
  },
})
await server.start()
await server.client.secrets.set({ name: 'crm', value: 'hush-hush', hosts: ['127.0.0.1'] })
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await provider[Symbol.asyncDispose]()
  await crm[Symbol.asyncDispose]()
  await rm(agents, { recursive: true })
})

test(
  'a call of a tool that a kill -9 of the server interrupts is made again with the same key, and the run ends as if nothing had been',
  async () => {
    const { id } = await server.client.runs.start({ agent: 'helper', input: 'Where does Ada live?' })
    await firstCall.promise
    server.life().kill('SIGKILL')
    await server.ended()
    await server.start()
    const run = await until(
      () => server.client.runs.get({ runId: id }),
      ({ state }) => state === 'completed' || state === 'failed',
      60_000,
    )
    expect(run).toMatchObject({ state: 'completed', output: { text: 'In London.' } })
    expect(keys).toEqual([`${id}/2.0.0`, `${id}/2.0.0`])
    const step = await server.client.runs.step({ runId: id, op: '2.0.0' })
    expect(step).toMatchObject({ kind: 'call', name: 'crm__find', output: { output: 'Ada lives in London', source: 'tool_server' } })
    expect(crm.state.requests.at(-1)?.headers.get('authorization')).toBe('Bearer hush-hush')
    const everything =
      JSON.stringify([run, await server.client.runs.events({ runId: id }), await server.client.agents.get({ name: 'helper' })]) +
      JSON.stringify(provider.requests.map(({ body }) => body)) +
      server.life().output()
    expect(everything).not.toContain('hush-hush')
    expect(everything).toContain('crm__find')
  },
  limitMs,
)

test('the registry counts the calls', async () => {
  const { items } = await server.client.tools.list({ agent: 'helper' })
  expect(items).toMatchObject([{ name: 'crm__find', kind: 'mcp', state: 'ready', calls: { count: 1, errorCount: 0, durationMsP50: expect.any(Number) } }])
})

test(
  'official clients of MCP ask the agent over HTTP, and over standard input through the command line',
  async () => {
    const http = new StreamableHTTPClientTransport(new URL('/mcp', server.url()), { requestInit: { headers: { authorization: `Bearer ${server.key()}` } } })
    const stdio = new StdioClientTransport({
      command: process.execPath,
      args: ['--conditions=longhaul-source', join(root, 'packages/cli/bin/longhaul.js'), 'mcp'],
      env: { PATH: process.env['PATH'] ?? '', LONGHAUL_URL: server.url(), LONGHAUL_API_KEY: server.key() },
    })
    for (const transport of [http, stdio]) {
      const client = new Client({ name: 'test', version: '1' })
      await client.connect(transport)
      expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['ask_helper', 'helper__crm__find', 'get_run', 'cancel_run'])
      const progress: string[] = []
      const result = await client.callTool(
        { name: 'ask_helper', arguments: { message: 'Where does Ada live?' } },
        { onprogress: ({ message }) => void progress.push(message ?? '') },
      )
      expect(result).toMatchObject({ content: [{ type: 'text', text: 'In London.' }], structuredContent: { state: 'completed', text: 'In London.' } })
      expect(progress).toContain('call: crm__find')
      await client.close()
    }
  },
  limitMs,
)

test(
  'a tool of an agent is called without it, by a run with everything that holds for its tools',
  async () => {
    const connect = async (key: string) => {
      const client = new Client({ name: 'test', version: '1' })
      await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', server.url()), { requestInit: { headers: { authorization: `Bearer ${key}` } } }))
      return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() })
    }
    const find = { name: 'helper__crm__find', arguments: { name: 'Bob' } }
    await using client = await connect(server.key())
    const asked = provider.requests.length
    const result = await client.callTool(find)
    expect(result).toMatchObject({ content: [{ text: 'Bob lives in London' }], structuredContent: { state: 'completed', output: 'Bob lives in London' } })
    const { runId } = result.structuredContent as { runId: string }
    expect(await server.client.runs.get({ runId })).toMatchObject({
      agent: 'helper',
      input: { tool: 'crm__find', input: { name: 'Bob' } },
      labels: [expect.stringMatching(/^tool_server:/)],
    })
    expect(await server.client.runs.step({ runId, op: '0' })).toMatchObject({ kind: 'call', name: 'crm__find' })
    expect(keys.at(-1)).toBe(`${runId}/0`)
    const commandLine = [join(root, 'packages/cli/bin/longhaul.js'), 'tools', 'call', 'helper', 'crm__find', '--input', '{"name":"Eve"}']
    const env = { PATH: process.env['PATH'] ?? '', LONGHAUL_URL: server.url(), LONGHAUL_API_KEY: server.key() }
    expect((await promisify(execFile)(process.execPath, ['--conditions=longhaul-source', ...commandLine], { env })).stdout).toContain('Eve lives in London')
    expect(provider.requests).toHaveLength(asked) // No model was asked.

    const { secret } = await server.client.keys.create({ name: 'asker', permissions: ['agents:read', 'runs:read', 'runs:write'] })
    await using asker = await connect(secret)
    expect((await asker.listTools()).tools.map(({ name }) => name)).toEqual(['ask_helper', 'get_run', 'cancel_run'])
    expect(await asker.callTool(find)).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('tools:call') }] })

    await server.client.policies.put({
      name: 'ask-first',
      text: '@require("approval") @approvers("2") forbid (principal, action == Action::"tools.call", resource == Tool::"crm__find");',
    })
    const waiting = await client.callTool(find)
    expect(waiting.structuredContent).toMatchObject({ state: 'waiting', problem: 'It waits for approval "Call crm__find?".' })
    const { runId: held } = waiting.structuredContent as { runId: string }
    const [approval] = (await server.client.approvals.list({ runId: held })).items
    const decision = { approvalId: approval?.id ?? '', approved: true }
    expect(await server.client.approvals.decide(decision)).toMatchObject({ state: 'pending', rule: { approversMin: 2 } })
    const second = await server.client.keys.create({ name: 'second', permissions: ['approvals:decide'] })
    expect(await createClient({ url: server.url(), key: second.secret }).approvals.decide(decision)).toMatchObject({ state: 'approved' })
    const ended = await until(
      () => client.callTool({ name: 'get_run', arguments: { runId: held } }),
      ({ structuredContent }) => (structuredContent as { state: string }).state === 'completed',
      30_000,
    )
    expect(ended.structuredContent).toMatchObject({ output: 'Bob lives in London' })
    await server.client.policies.delete({ name: 'ask-first' })

    // Who may not start the agent may not go round it either.
    await server.client.policies.put({ name: 'no-helper', text: 'forbid (principal, action == Action::"runs.start", resource == Agent::"helper");' })
    expect(await client.callTool(find)).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('no-helper') }] })
    await expect(server.client.tools.start({ agent: 'helper', tool: 'crm__find', input: {} })).rejects.toThrow(/no-helper/)
    await server.client.policies.delete({ name: 'no-helper' })

    await server.client.tools.limit({ agent: 'helper', pattern: 'crm__find', limits: { isOff: true } })
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['ask_helper', 'get_run', 'cancel_run'])
    expect(await client.callTool(find)).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('switched off') }] })
    await server.client.tools.limit({ agent: 'helper', pattern: 'crm__find', limits: {} })
    expect(await client.callTool({ name: 'helper__crm__nothing', arguments: {} })).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('no tool') }],
    })
  },
  limitMs,
)
