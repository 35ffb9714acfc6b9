/** The whole way of a question that a tool server asks a person, with the real program: asked, waited for over a kill, answered, and the call made again. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { acceptedContent, inputRequired } from '@modelcontextprotocol/server'
import { afterAll, expect, test } from 'vitest'
import { until } from './support/api-bed.ts'
import { startFakeProvider } from './support/fake-provider.ts'
import { openMcpServer, text } from './support/mcp-server.ts'
import { openServerProcess } from './support/server-process.ts'

/** Two programs start in a row here. */
const limitMs = 120_000

const booked: unknown[] = []
const schema = {
  type: 'object' as const,
  properties: { seats: { type: 'integer' as const, minimum: 1, maximum: 9 }, quiet: { type: 'boolean' as const, default: true } },
  required: ['seats'],
}
const rail = await openMcpServer({
  tools: [
    {
      name: 'book',
      call: (_, { mcpReq }) => {
        if (!mcpReq.inputResponses?.['seats'])
          return inputRequired({
            inputRequests: { seats: inputRequired.elicit({ message: 'How many seats?', requestedSchema: schema }) },
            requestState: 'on hold',
          })
        const content = acceptedContent(mcpReq.inputResponses, 'seats')
        if (!content) return text('Nothing was booked.')
        booked.push([mcpReq.requestState(), content])
        return text('Booked.')
      },
    },
  ],
  prompts: [
    {
      name: 'trip',
      description: 'Plans a trip',
      arguments: [{ name: 'to', required: true }],
      get: ({ to }) => ({ messages: [{ role: 'user', content: { type: 'text', text: `Plan a trip\u200b to ${to}.` } }] }),
    },
  ],
})
const provider = await startFakeProvider((request, index) =>
  !JSON.stringify(request).includes('Plan a trip') && index % 2 === 0
    ? { toolCalls: [{ id: `c${index}`, name: 'rail__book', input: { train: 'ICE 1' } }] }
    : { text: ['Done.'] },
)
const agents = await mkdtemp(join(tmpdir(), 'asked-agents-'))
const folder = join(agents, 'traveller', 'agent')
await mkdir(join(folder, 'connections'), { recursive: true })
await writeFile(join(folder, 'agent.ts'), "import { agent } from '@longhaul/sdk'\nexport default agent({ description: 'Books trains', stockTools: [] })\n")
await writeFile(join(folder, 'connections', 'rail.json'), JSON.stringify({ kind: 'mcp', url: rail.url }))
const server = await openServerProcess({
  env: {
    LONGHAUL_AGENTS_DIR: agents,
    LONGHAUL_TOOLS_PRIVATE_HOSTS: rail.host,
    LONGHAUL_OPENAI_COMPATIBLE_BASE_URL: provider.compatibleUrl,
    LONGHAUL_OPENAI_COMPATIBLE_MODEL: 'fake',
    LONGHAUL_LEASE_MS: '1000',
  },
})
await server.start()
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await provider[Symbol.asyncDispose]()
  await rail[Symbol.asyncDispose]()
  await rm(agents, { recursive: true })
})

const startAsking = async () => {
  const { id } = await server.client.runs.start({ agent: 'traveller', input: 'To Berlin, please' })
  const run = await until(
    () => server.client.runs.get({ runId: id }),
    ({ state }) => state === 'waiting' || state === 'failed',
    60_000,
  )
  return { id, approvalId: run.wait?.approvalId ?? '' }
}
const ended = (runId: string) =>
  until(
    () => server.client.runs.get({ runId }),
    ({ state }) => state === 'completed' || state === 'failed',
    60_000,
  )

test(
  'a run waits over a kill for what a tool server asks, takes only answers that fit, and the call is made again with them',
  async () => {
    const { id, approvalId } = await startAsking()
    server.life().kill('SIGKILL')
    await server.ended()
    await server.start()
    const { items } = await server.client.approvals.list({ state: 'pending' })
    expect(items).toMatchObject([
      {
        id: approvalId,
        title: 'A tool server asks',
        detail: {
          tool: 'rail__book',
          input: { train: 'ICE 1' },
          asks: [{ key: 'seats', message: 'How many seats?', fields: [{ name: 'seats' }, { name: 'quiet' }] }],
        },
      },
    ])
    const bad = [undefined, {}, { seats: { seats: 99 } }, { seats: { seats: 'many' } }, { seats: { seats: 1, more: 'x' } }, { other: { seats: 1 } }]
    for (const answers of bad)
      await expect(server.client.approvals.decide({ approvalId, approved: true, ...(answers && { answers: answers as never }) })).rejects.toMatchObject({
        code: 'invalid',
      })
    await expect(server.client.approvals.decide({ approvalId, approved: false, answers: { seats: { seats: 2 } } })).rejects.toMatchObject({ code: 'invalid' })
    await server.client.approvals.decide({ approvalId, approved: true, answers: { seats: { seats: 2 } } })
    expect(await ended(id)).toMatchObject({ state: 'completed', output: { text: 'Done.' }, labels: expect.arrayContaining([`tool_server:${rail.host}`]) })
    expect(booked).toEqual([['on hold', { seats: 2, quiet: true }]])
  },
  limitMs,
)

test(
  'a no is told to the tool server, and the model hears what it says then',
  async () => {
    const { id, approvalId } = await startAsking()
    await server.client.approvals.decide({ approvalId, approved: false })
    expect(await ended(id)).toMatchObject({ state: 'completed' })
    expect(JSON.stringify(provider.requests.at(-1))).toContain('Nothing was booked.')
  },
  limitMs,
)

test(
  'a run begins with a prompt that a person has chosen, as the words of its server',
  async () => {
    const of = { agent: 'traveller', connection: 'rail' }
    const offered = { name: 'trip', title: null, description: 'Plans a trip', arguments: [{ name: 'to', description: null, isRequired: true }] }
    expect(await server.client.prompts.list(of)).toEqual({ items: [offered] })
    const label = `tool_server:${rail.host}`
    expect(await server.client.prompts.get({ ...of, name: 'trip', arguments: { to: 'Rome' } })).toEqual({
      description: null,
      text: 'Plan a trip to Rome.',
      label,
    })
    const prompt = { connection: 'rail', name: 'trip', arguments: { to: 'Rome' } }
    const { id, input, labels } = await server.client.runs.start({ agent: 'traveller', prompt, input: 'By night.' })
    expect(input).toEqual({ message: 'Plan a trip to Rome.\n\nBy night.', prompt: { connection: 'rail', name: 'trip' } })
    expect(await ended(id)).toMatchObject({ state: 'completed', labels: [label] })
    expect(labels ?? [label]).toEqual([label])
    await expect(server.client.runs.start({ agent: 'traveller', prompt: { ...prompt, connection: 'none' } })).rejects.toMatchObject({ code: 'not_found' })
    await expect(server.client.runs.start({ agent: 'traveller', prompt: { ...prompt, name: 'none' } })).rejects.toMatchObject({ code: 'conflict' })
    await expect(server.client.runs.start({ agent: 'traveller', prompt, input: { x: 1 } })).rejects.toMatchObject({ code: 'invalid' })
  },
  limitMs,
)
