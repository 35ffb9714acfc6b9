/** Programs of others, unmodified, deployed and asked on the real server: their models are ours, with the run's budget, and their doings are in its trace. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { collect } from '../../packages/cli/src/code/collect.ts'
import { until } from '../../packages/server/test/support/api-bed.ts'
import { type FakeRequest, type FakeStep, startFakeProvider } from '../../packages/server/test/support/fake-provider.ts'
import { isHere } from '../../packages/server/test/support/sandbox-modes.ts'
import { openServerProcess } from '../../packages/server/test/support/server-process.ts'

const canRun = isHere('bwrap', 'custom agents')
/** Bundling and starting programs, on a machine that does other things as well. */
const limitMs = 120_000

/** What the model says depends on what it is shown, so that any order of conversations will do. */
const said = ({ text }: FakeRequest) => text
const script = (request: FakeRequest): FakeStep => {
  const asked = said(request)
  if (asked.includes('transfer_to_Support') && !asked.includes('"transfer_to_Support","arguments"') && !asked.includes('find_article'))
    return { toolCalls: [{ id: 'handoff', name: 'transfer_to_Support', input: {} }] }
  if (asked.includes('find_article') && !asked.includes('open Settings'))
    return { toolCalls: [{ id: 'find', name: 'find_article', input: { topic: 'password' } }] }
  if (asked.includes('open Settings')) return { text: ['Open Settings, then Security.'] }
  if (asked.includes('"weather"') && !asked.includes('7 degrees')) return { toolCalls: [{ id: 'w', name: 'weather', input: { city: 'Oslo' } }] }
  if (asked.includes('7 degrees')) return { text: ['Seven ', 'degrees.'] }
  return { text: ['A right ', 'that ends.'] }
}
const provider = await startFakeProvider(script)
const server = await openServerProcess({
  env: {
    LONGHAUL_SANDBOX_DRIVER: canRun ? 'bwrap' : 'virtual',
    LONGHAUL_SANDBOX_ACCEPT: 'memory,cpu,disk',
    LONGHAUL_OPENAI_COMPATIBLE_BASE_URL: provider.compatibleUrl,
    LONGHAUL_OPENAI_COMPATIBLE_MODEL: 'fake',
    LONGHAUL_TOOLS_PRIVATE_HOSTS: '127.0.0.1',
  },
})
beforeAll(async () => canRun && (await server.start()), limitMs)
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await provider[Symbol.asyncDispose]()
})

async function deploy(name: string, change: (text: string) => string = (text) => text) {
  const { agent, files: collected } = await collect(fileURLToPath(new URL(name, import.meta.url)), { agent: name })
  const changed = (base64: string) => Buffer.from(change(Buffer.from(base64, 'base64').toString())).toString('base64')
  const files = collected.map((file) => (file.path === 'agent/agent.json' ? { ...file, base64: changed(file.base64) } : file))
  const version = await server.client.versions.create({ agent, files })
  expect(version.problem).toBeNull()
  await server.client.deployments.create({ agent, version: version.version, share: 100, guard: null })
}

async function ask(agent: string, input: string, session?: string) {
  const { id } = await server.client.runs.start({ agent, input, ...(session !== undefined && { session }) })
  const run = await until(
    () => server.client.runs.get({ runId: id }),
    ({ state }) => state !== 'pending' && state !== 'running',
    60_000,
  )
  const { items } = await server.client.runs.events({ runId: id })
  return { run, events: items }
}
type Events = Awaited<ReturnType<typeof ask>>['events']
const kinds = (events: Events) =>
  events.flatMap(({ type, op, data }) => (type === 'step.completed' && 'kind' in data ? [`${op} ${data.kind} ${data.name}`] : []))

test.runIf(canRun)(
  'a plain Python program keeps a conversation, remembers, and asks the model in its run',
  async () => {
    await deploy('python')
    const first = await ask('python', 'What is a lease?', 'one')
    expect(first.run).toMatchObject({
      state: 'completed',
      output: { text: 'A right that ends.', output: { turns: 1 }, model: 'compatible/fake', usage: { input: 10, output: 5 } },
    })
    expect(kinds(first.events)).toEqual(['0.0 call recall', '0.1 model default', '0.2 call remember', '0 invoke invocations'])
    expect((await ask('python', 'And a fence?', 'one')).run.output).toMatchObject({ output: { turns: 2 } }) // The same instance.
    expect((await ask('python', 'What is a lease?', 'two')).run.output).toMatchObject({ output: { turns: 1 } }) // Another conversation's is another.
    expect((await ask('python', 'What is a lease?')).run.output).toMatchObject({ output: { turns: 1 } })
    const { items } = await server.client.memory.list({ agent: 'python' })
    expect(items.map(({ text }) => text)).toContain('Asked: And a fence?')
    expect(first.run.usage).toMatchObject({ input: 10, output: 5 })
  },
  limitMs,
)

test.runIf(canRun)(
  'an unmodified LangGraph.js graph answers, and its words stream',
  async () => {
    await deploy('langgraph')
    const { run, events } = await ask('langgraph', 'What is the weather in Oslo?', 'one')
    expect(run).toMatchObject({ state: 'completed', output: { text: 'Seven degrees.', usage: { input: 20, output: 10 } } })
    expect(kinds(events)).toEqual(['0.0 model default', '0.1 model default', '0 invoke invocations'])
    const call = await server.client.runs.step({ runId: run.id, op: '0.0' })
    expect(call).toMatchObject({
      input: { messages: expect.anything() },
      output: { content: [{ type: 'tool-call', toolName: 'weather', input: { city: 'Oslo' } }] },
    })
  },
  limitMs,
)

test.runIf(canRun)(
  'unmodified agents of the OpenAI Agents SDK hand off, call their tools and answer',
  async () => {
    await deploy('openai-agents')
    const { run, events } = await ask('openai-agents', 'How do I reset my password?', 'one')
    expect(run).toMatchObject({ state: 'completed', output: { text: 'Open Settings, then Security.', output: { agent: 'Support' } } })
    expect(kinds(events)).toEqual(['0.0 model default', '0.1 model default', '0.2 model default', '0 invoke invocations'])
  },
  limitMs,
)

test.runIf(canRun)(
  'a plain Python program asks people, sleeps until they have decided, and pays once',
  async () => {
    const paid: string[] = []
    const shop = createServer((request, response) => {
      let body = ''
      request.on('data', (piece: Buffer) => (body += piece.toString()))
      request.on('end', () => response.end(String(paid.push(body))))
    })
    await new Promise<void>((resolve) => shop.listen(0, '127.0.0.1', resolve))
    try {
      const { client } = server
      await client.policies.put({
        name: 'refunds',
        text: '@require("approval")\nforbid (principal, action == Action::"tools.call", resource == Tool::"http_request");',
      })
      await deploy('refunds', (text) => text.replace('8790', String((shop.address() as AddressInfo).port)))
      const { id: runId } = await client.runs.start({ agent: 'refunds', input: { order: 17, amount: 40 } })
      const decideNext = async (title: string, decision: { approved: boolean; comment?: string; answers?: Record<string, Record<string, string>> }) => {
        const { wait } = await until(
          () => client.runs.get({ runId }),
          (run) => run.wait?.name === title,
          60_000,
        )
        expect(paid).toEqual([])
        await client.approvals.decide({ approvalId: wait?.approvalId ?? '', ...decision })
      }
      await decideNext('What do we tell the customer of order 17?', { approved: true, answers: { form: { words: 'Sorry!' } } })
      await decideNext('Call http_request?', { approved: true })
      const run = await until(
        () => client.runs.get({ runId }),
        ({ state }) => state === 'completed',
        60_000,
      )
      expect(run.output).toMatchObject({ text: 'Order 17: 40 EUR are refunded.' })
      expect(paid.map((body) => JSON.parse(body) as unknown)).toEqual([{ order: 17, amount: 40, words: 'Sorry!' }])
    } finally {
      shop.close()
    }
  },
  limitMs,
)
