import type { Tool } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { startFakeApi } from './support/fake-api.ts'
import { command } from './support/run-command.ts'

const hash = 'ab'.repeat(32)
const tool = (name: string, more: Partial<Tool> = {}): Tool => ({
  agent: 'support',
  version: '0123456789ab',
  name,
  kind: 'mcp',
  connection: 'crm',
  state: 'ready',
  description: '[crm] Finds a customer',
  inputSchema: { type: 'object' },
  limits: { perMinute: 30 },
  calls: { count: 12, errorCount: 2, durationMsP50: 80, durationMsP95: 1_500 },
  pin: { hash: 'cd'.repeat(32), offeredHash: null, changes: [], decidedBy: null, decidedAt: null },
  ...more,
})
const changed = () =>
  tool('crm__find', {
    state: 'changed',
    pin: {
      hash: 'cd'.repeat(32),
      offeredHash: hash,
      changes: [{ path: 'description', from: 'Finds', to: 'Finds, and sends' }],
      decidedBy: null,
      decidedAt: null,
    },
  })

test('tools are listed with how they fared, what waits for approval and which server is away', async () => {
  await using api = await startFakeApi({ tools: [tool('crm__add'), changed()] })
  const { exit, out } = await command(api, ['tools', 'list', 'support', '--refresh'])
  expect(exit).toBe(0)
  expect(out).toMatch(/crm__add +ready +mcp +12 +2 +80 ms +1\.5 s +30 a minute/)
  expect(out).toContain('npx longhaul tools get support crm__find')
  expect(out).toContain('shop cannot be reached')
  expect((await command(api, ['tools', 'list', 'support', '--json'])).json()).toMatchObject([
    { items: [{ name: 'crm__add' }, { name: 'crm__find' }], problems: [] },
  ])
})

test('a connection that waits for somebody to authorize it is named with the list', async () => {
  const message = 'Nobody has authorized the connection crm of support. Do it with: longhaul tools authorize support crm'
  await using api = await startFakeApi({ tools: [tool('crm__add', { kind: 'openapi', pin: null })], problems: [{ connection: 'crm', message }] })
  expect((await command(api, ['tools', 'list', 'support'])).out.replaceAll(/\s+/g, ' ')).toContain(`crm: ${message}`)
})

test('what has changed is shown, and approved by the hash that was shown', async () => {
  await using api = await startFakeApi({ tools: [changed()] })
  const { out } = await command(api, ['tools', 'get', 'support', 'crm__find'], { columns: 200 })
  expect(out).toContain('- "Finds"')
  expect(out).toContain('+ "Finds, and sends"')
  expect(out).toContain(`npx longhaul tools approve support crm__find --hash ${hash}`)
  expect(await command(api, ['tools', 'approve', 'support', 'crm__find', '--hash', 'ef'.repeat(32)])).toMatchObject({ exit: 6 })
  expect(await command(api, ['tools', 'approve', 'support', 'crm__find', '--hash', hash])).toMatchObject({
    exit: 0,
    out: expect.stringContaining('is approved'),
  })
  expect(await command(api, ['tools', 'get', 'support', 'crm__fnd'])).toMatchObject({ exit: 5, err: expect.stringContaining('Did you mean crm__find?') })
})

test('limits are set and taken back; none at all is an error', async () => {
  await using api = await startFakeApi({ tools: [] })
  expect((await command(api, ['tools', 'limit', 'support', 'crm__*', '--per-minute', '10', '--timeout', '5', '--off', '--json'])).json()).toEqual([
    { agent: 'support', limits: { 'crm__*': { perMinute: 10, timeoutMs: 5_000, isOff: true } } },
  ])
  expect(await command(api, ['tools', 'limit', 'support', 'crm__*', '--clear'])).toMatchObject({ exit: 0 })
  expect(await command(api, ['tools', 'limit', 'support', 'crm__*'])).toMatchObject({ exit: 2 })
  expect(await command(api, ['tools', 'limit', 'support', 'crm__*', '--clear', '--off'])).toMatchObject({ exit: 2 })
})

test('prompts of a connection are listed and shown, and a run begins with one', async () => {
  const prompt = { name: 'summary', title: null, description: 'Sums up a customer', arguments: [{ name: 'customer', description: null, isRequired: true }] }
  const answers = { 'prompts.list': { items: [prompt] }, 'prompts.get': { description: null, text: 'Sum up Ada.', label: 'tool_server:crm.example.com' } }
  await using api = await startFakeApi({ answers })
  expect((await command(api, ['tools', 'prompts', 'support', 'crm'])).out).toMatch(/summary +customer +Sums up a customer/)
  expect((await command(api, ['tools', 'prompts', 'support', 'crm', 'summary', '--argument', 'customer=Ada'])).out).toContain('Sum up Ada.')
  expect(api.requests.at(-1)).toMatchObject({ body: { name: 'summary', arguments: { customer: 'Ada' } } })
  await command(api, ['ask', 'support', 'In French', '--prompt', 'crm/summary', '--argument', 'customer=Ada'])
  const body = { agent: 'support', input: 'In French', prompt: { connection: 'crm', name: 'summary', arguments: { customer: 'Ada' } } }
  expect(api.requests.find(({ path, method }) => method === 'POST' && path === '/v1/runs')).toMatchObject({ body })
  expect(await command(api, ['ask', 'support', 'x', '--prompt', 'summary'])).toMatchObject({ exit: 2, err: expect.stringContaining('connection/name') })
})
