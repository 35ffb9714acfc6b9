/** MCP servers, those that are hosted here and those that ask a person, as people meet them in the console. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createClient } from '@longhaul/sdk/client'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { connectMcp } from '../../server/test/support/mcp-client.ts'
import { acceptedContent, inputRequired, openMcpServer, text } from '../../server/test/support/mcp-server.ts'
import { axeFindings, openBrowser, sidewaysPx, visit } from './support/browser.ts'
import { startServer, untilLoaded } from './support/server.ts'
import type { TestServer } from './support/server.ts'

let server: TestServer
let browser: Browser
let rail: Awaited<ReturnType<typeof openMcpServer>>
const admin = () => createClient({ url: server.url, key: server.key })

const booked: unknown[] = []
const schema = {
  type: 'object' as const,
  properties: {
    seats: { type: 'integer' as const, title: 'Seats', minimum: 1, maximum: 9 },
    class: { type: 'string' as const, title: 'Class', enum: ['first', 'second'] },
    quiet: { type: 'boolean' as const, title: 'Quiet', default: true },
  },
  required: ['seats', 'class'],
}
const hosted = `
import { createInterface } from 'node:readline'
const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n')
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line)
  if (method === 'initialize')
    say({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'stock', version: '1' } } })
  else if (method === 'tools/list')
    say({ id, result: { tools: [{ name: params?.cursor ? 'second' : 'count', description: 'Counts what is there.', inputSchema: { type: 'object' } }], ...(!params?.cursor && { nextCursor: 'more' }) } })
  else if (method === 'tools/call') say({ id, result: { content: [{ type: 'text', text: 'seven' }] } })
  else if (id !== undefined) say({ id, error: { code: -32601, message: 'Method not found' } })
}
`

beforeAll(async () => {
  rail = await openMcpServer({
    tools: [
      {
        name: 'book',
        call: (_, { mcpReq }) => {
          if (!mcpReq.inputResponses?.['seats'])
            return inputRequired({ inputRequests: { seats: inputRequired.elicit({ message: 'How many seats?', requestedSchema: schema }) } })
          const content = acceptedContent(mcpReq.inputResponses, 'seats')
          if (!content) return text('Nothing was booked.')
          booked.push(content)
          return text('It is booked.')
        },
      },
    ],
    prompts: [
      {
        name: 'trip',
        description: 'Plans a trip',
        arguments: [{ name: 'to', required: true }, { name: 'by' }],
        get: ({ to, by }) => ({ messages: [{ role: 'user', content: { type: 'text', text: `Plan a trip to ${to}${by ? ` by ${by}` : ''}.` } }] }),
      },
    ],
  })
  server = await startServer({
    settings: { LONGHAUL_TOOLS_PRIVATE_HOSTS: rail.host, LONGHAUL_SANDBOX_ACCEPT: 'memory,cpu,disk' },
    async prepare(agentsDir) {
      const traveller = join(agentsDir, 'traveller/agent')
      await mkdir(join(traveller, 'connections'), { recursive: true })
      await writeFile(
        join(traveller, 'agent.ts'),
        `import { durable } from '@longhaul/sdk'\nexport default durable('Books trains.', async (ctx, input) => ctx.tool('rail__book', { train: input }))\n`,
      )
      await writeFile(join(traveller, 'connections/rail.json'), JSON.stringify({ kind: 'mcp', url: rail.url }))
      const planner = join(agentsDir, 'planner/agent')
      await mkdir(join(planner, 'connections'), { recursive: true })
      await writeFile(join(planner, 'agent.ts'), `import { agent } from '@longhaul/sdk'\nexport default agent({ description: 'Plans.', stockTools: [] })\n`)
      await writeFile(join(planner, 'connections/rail.json'), JSON.stringify({ kind: 'mcp', url: rail.url }))
      const stock = join(agentsDir, 'stock/agent')
      await mkdir(stock, { recursive: true })
      await writeFile(join(stock, 'main.mjs'), hosted)
      await writeFile(
        join(stock, 'agent.json'),
        JSON.stringify({ kind: 'mcp', description: 'What is in the warehouses.', command: 'node', args: ['main.mjs'] }),
      )
    },
  })
  browser = await openBrowser()
  await untilLoaded(admin(), 'traveller')
  await untilLoaded(admin(), 'stock')
  await untilLoaded(admin(), 'planner')
}, 240_000)

afterAll(async () => {
  await browser?.close()
  await server?.stop()
  await rail?.[Symbol.asyncDispose]()
})

const card = (page: Page) => page.getByRole('article', { name: 'A tool server asks' })
const ended = (runId: string) =>
  vi.waitUntil(
    async () => {
      const run = await admin().runs.get({ runId })
      return run.state === 'completed' && run
    },
    { timeout: 30_000, interval: 200 },
  )

test('what a tool server asks is a form: it cannot be sent before it is filled in, and the tool gets what was written', async () => {
  const { id } = await admin().runs.start({ agent: 'traveller', input: 'ICE 1000' })
  await using v = await visit(browser, server, '/approvals')
  const form = card(v.page).getByRole('group', { name: 'rail asks, and gets what you answer' })
  await form.getByText('How many seats?').waitFor()
  expect(await card(v.page).getByText('ICE 1000').count()).toBeGreaterThan(0)
  const approve = card(v.page).getByRole('button', { name: 'Approve' })
  expect(await approve.getAttribute('aria-disabled')).toBe('true')

  // By keyboard the letter leads to what is missing, and Enter there sends nothing.
  await v.page.keyboard.press('j')
  await v.page.keyboard.press('a')
  await v.page.keyboard.type('12')
  await v.page.keyboard.press('Enter')
  expect(await form.getByLabel('Seats').inputValue()).toBe('12')
  await form.getByLabel('Class').selectOption('first')
  expect(await approve.getAttribute('aria-disabled')).toBe('true') // Twelve are more than there may be.
  await form.getByLabel('Seats').fill('2')
  await form.getByLabel('Quiet').selectOption('No')
  expect(await approve.getAttribute('aria-disabled')).toBeNull()
  expect(await axeFindings(v.page)).toEqual([])
  expect(booked).toEqual([])
  await approve.click()
  await card(v.page).waitFor({ state: 'detached' })
  expect(JSON.stringify((await ended(id)).output)).toContain('It is booked.')
  expect(booked).toEqual([{ seats: 2, class: 'first', quiet: false }])
  expect(v.complaints).toEqual([])
})

test('a form that is denied on its run’s page, on a phone, books nothing', async () => {
  booked.length = 0
  const { id } = await admin().runs.start({ agent: 'traveller', input: 'ICE 2000' })
  await using v = await visit(browser, server, `/runs/${id}`, { language: 'zh', viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true })
  await card(v.page).getByText('How many seats?').waitFor()
  expect(await sidewaysPx(v.page)).toBe(0)
  await card(v.page).getByRole('button', { name: '拒绝' }).tap()
  await card(v.page).waitFor({ state: 'detached' })
  expect(JSON.stringify((await ended(id)).output)).toContain('Nothing was booked.')
  expect(booked).toEqual([])
})

test('a prompt of a tool server is chosen in the chat, filled in, read, and sent with what was written', async () => {
  await using v = await visit(browser, server, '/chat?agent=planner')
  await v.page.getByRole('textbox', { name: 'Message' }).fill('By Friday, please.')
  await v.page.getByRole('button', { name: 'Begin with a prompt of a tool server' }).click()
  const dialog = v.page.getByRole('dialog')
  await dialog.getByLabel('Prompt').waitFor()
  expect(await dialog.getByLabel('Prompt').inputValue()).toBe('rail trip')
  const send = dialog.getByRole('button', { name: 'Send' })
  expect(await send.getAttribute('aria-disabled')).toBe('true')
  await dialog.getByLabel('to', { exact: true }).fill('Berlin')
  await dialog.getByRole('button', { name: 'Read it first' }).click()
  await dialog.getByText('Plan a trip to Berlin.', { exact: true }).waitFor()
  await dialog.getByLabel('by (optional)').fill('train')
  expect(await dialog.getByText('Plan a trip to Berlin.', { exact: true }).count()).toBe(0) // It would not be sent any more.
  expect(await axeFindings(v.page)).toEqual([])
  await send.click()
  await dialog.waitFor({ state: 'detached' })
  await v.page.getByRole('log').getByText('Plan a trip to Berlin by train.').first().waitFor()
  const { items } = await admin().runs.list({ agent: 'planner' })
  expect(items).toMatchObject([
    {
      input: { message: 'Plan a trip to Berlin by train.\n\nBy Friday, please.', prompt: { connection: 'rail', name: 'trip' } },
      labels: [`tool_server:${rail.host}`],
    },
  ])
  expect(v.complaints).toEqual([])
})

test('a hosted MCP server is listed with its address; its page has its tools, its calls and whether it is stopped', async () => {
  const address = `${server.url}/mcp/stock`
  await using v = await visit(browser, server, '/tools')
  const list = v.page.getByRole('region', { name: 'Hosted MCP servers' })
  await list.getByText(address).waitFor()
  await list.getByRole('link', { name: 'stock' }).click()
  await v.page.getByText('Open to clients').first().waitFor()
  await v.page.getByText('None among the last 200 tool calls').waitFor()

  const offered = v.page.getByRole('region', { name: 'What it offers' })
  await offered.getByRole('button', { name: 'Ask it' }).click()
  await offered.getByText('count', { exact: true }).waitFor({ timeout: 60_000 })
  await offered.getByText('second', { exact: true }).waitFor() // On the second page of what it lists.

  const client = await connectMcp(address, server.key)
  expect(await client.callTool({ name: 'count', arguments: {} })).toMatchObject({ content: [{ text: 'seven' }] })
  await client.close()
  await v.page.reload()
  await v.page.getByRole('region', { name: 'Last tool calls' }).getByText('count', { exact: true }).waitFor()
  expect(await axeFindings(v.page)).toEqual([])

  const { stop } = await admin().stops.create({ agent: 'stock' })
  await v.page.reload()
  await v.page.getByText('Stopped', { exact: true }).first().waitFor()
  await offered.getByRole('button', { name: 'Ask it' }).click()
  await offered.getByText(/stopped/i).waitFor() // The reason, not an empty list.
  await admin().stops.lift({ stopId: stop.id })
  expect(v.complaints).toEqual([])
})

test('whoever may call no tools is told so, and nothing sideways on a phone in either language', async () => {
  const { secret } = await admin().keys.create({ name: 'reader', permissions: ['agents:read', 'runs:read', 'system:read'] })
  await using v = await visit(browser, server, '/tools?agent=stock', { key: secret })
  const ask = v.page.getByRole('button', { name: 'Ask it' })
  await ask.waitFor()
  expect(await ask.getAttribute('aria-disabled')).toBe('true')
  expect(await v.page.getByRole('region', { name: 'Last tool calls' }).count()).toBe(0)
  for (const language of ['en', 'zh'] as const) {
    await using phone = await visit(browser, server, '/tools?agent=stock', { language, viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true })
    await phone.page.getByText('/mcp/stock').first().waitFor()
    expect([language, await sidewaysPx(phone.page)]).toEqual([language, 0])
  }
})
