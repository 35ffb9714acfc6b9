import { createClient } from '@longhaul/sdk/client'
import type { Client } from '@longhaul/sdk/client'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openBrowser, visit } from './support/browser.ts'
import { testPages } from './support/pages.ts'
import { startServer, until, untilLoaded } from './support/server.ts'
import type { TestServer } from './support/server.ts'

/** Models beyond runs: the log of calls and what is kept of them, providers with keys of one's own, catalogues that are read anew; and channels of an agent's folder. */
let server: TestServer
let browser: Browser
let client: Client
let callId: string

const card = '4111 1111 1111 1111'
const catalogue = {
  readOn: new Date().toISOString().slice(0, 10), // One that is older than the program’s own would not count.
  models: [
    { model: 'openai/gpt-5', prices: [{ input: 900, output: 900 }] },
    { model: 'openai/brand-new', prices: [{ input: 1, output: 2 }] },
  ],
}

beforeAll(async () => {
  server = await startServer({ agents: ['concierge'] })
  browser = await openBrowser()
  client = createClient({ url: server.url, key: server.key })
  await untilLoaded(client, 'concierge')
  callId = await ask(`My card is ${card}.`, 'ana')
  await ask('What time is it in Tokyo?', 'ben')
  await client.secrets.set({ name: 'openai-main', value: 'sk-of-the-tenant' })
  await until('both calls in their log', async () => (await client.calls.list({})).items.length === 2)
}, 400_000)

afterAll(async () => {
  await browser?.close()
  await server?.stop()
})

/** As a program asks that knows only OpenAI's interface. */
async function ask(content: string, user: string): Promise<string> {
  const answer = await fetch(`${server.url}/openai/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'offline/planner', user, messages: [{ role: 'user', content }] }),
  })
  expect(answer.status).toBe(200)
  return answer.headers.get('x-request-id') ?? ''
}

const table = (page: Page, name: string) => page.getByRole('table', { name, exact: true })
const body = (page: Page) => page.locator('main').innerText()

test('the log of calls: filtered in the address, one is read masked, and unmasked only with a reason that the audit log has', async () => {
  await using v = await visit(browser, server, '/models')
  const { page } = v
  await page.getByRole('link', { name: 'Calls', exact: true }).click()
  await expect.poll(() => table(page, 'Calls').getByRole('row').count()).toBe(3)
  await page.getByRole('searchbox', { name: 'User' }).fill('ana')
  await expect.poll(() => new URL(page.url()).searchParams.get('user')).toBe('ana')
  await expect.poll(() => table(page, 'Calls').getByRole('row').count()).toBe(2)
  await table(page, 'Calls').getByRole('link').click()
  await page.waitForURL(`**/models/calls/${callId}`)
  await page.getByText('Personal data and secrets are hidden.').waitFor()
  expect(await body(page)).not.toContain(card)
  await page.getByRole('button', { name: 'Show unmasked' }).click()
  const dialog = page.getByRole('dialog')
  const show = dialog.getByRole('button', { name: 'Show unmasked' })
  expect(await show.getAttribute('aria-disabled')).toBe('true')
  await dialog.getByLabel('Reason').fill('ticket 4711')
  await show.click()
  await page.getByText(card).first().waitFor()
  await expect.poll(async () => JSON.stringify((await client.audit.list({ action: 'calls.reveal' })).items)).toContain('ticket 4711')
  // Gone with the page.
  await page.reload()
  await page.getByText('Personal data and secrets are hidden.').waitFor()
  expect(await body(page)).not.toContain(card)
  expect(v.complaints).toEqual([])
})

test('what is kept is said for each namespace, and a call made after it has no words', async () => {
  await using v = await visit(browser, server, '/settings/call-privacy')
  const { page } = v
  await page.getByRole('button', { name: 'Change what is kept of calls of all others' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('radio', { name: /^Nothing/ }).check()
  await dialog.getByLabel('Days').fill('7')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.getByText('Nothing · 7 days').waitFor()
  let id = ''
  await vi.waitFor(
    async () => {
      id = await ask('Forget this.', 'eve')
      await vi.waitFor(async () => expect((await client.calls.get({ callId: id })).privacy).toBe('none'), { timeout: 3_000 })
    },
    { timeout: 30_000 },
  )
  await page.goto(`/models/calls/${id}`)
  await page.getByText('Neither the request nor the answer is kept').waitFor()
  expect(await body(page)).not.toContain('Forget this.')
  expect(v.complaints).toEqual([])
})

test('a provider is given keys by the names of secrets, and taken away again', async () => {
  await using v = await visit(browser, server, '/models/providers')
  const { page } = v
  await page.getByText('No keys of your own').waitFor()
  await page.getByRole('button', { name: 'Add a provider' }).click()
  const dialog = page.getByRole('dialog')
  const save = dialog.getByRole('button', { name: 'Save' })
  await dialog.getByLabel('Provider', { exact: true }).fill('openai')
  expect(await save.getAttribute('aria-disabled')).toBe('true')
  await dialog.getByRole('checkbox', { name: 'openai-main' }).check()
  await save.click()
  await table(page, 'Providers')
    .getByRole('row', { name: /openai/ })
    .waitFor()
  expect((await client.providers.list({})).items).toMatchObject([{ name: 'openai', secrets: ['openai-main'] }])
  await page.getByRole('button', { name: 'Remove openai?' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
  await page.getByText('No keys of your own').waitFor()
  expect((await client.providers.list({})).items).toEqual([])
  expect(v.complaints).toEqual([])
})

test('a catalogue is read from a file; what it changes is shown before it counts, and taken back after', async () => {
  const priceOf = async (model: string) => (await client.models.list({ search: model, limit: 5 })).items.find((one) => one.model === model)?.price?.input
  const before = await priceOf('openai/gpt-5')
  expect(before).toBeLessThan(90)
  await using v = await visit(browser, server, '/models/catalogue')
  const { page } = v
  await page.getByText('Only the program’s own catalogue').waitFor()
  await page.getByRole('button', { name: 'Read a catalogue' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('radio', { name: /^A file/ }).check()
  const file = (text: string) => ({ name: 'models.json', mimeType: 'application/json', buffer: Buffer.from(text) })
  const read = dialog.getByRole('button', { name: 'Read a catalogue' })
  await dialog.locator('input[type=file]').setInputFiles(file('{'))
  await read.click()
  await dialog.getByText('models.json is no JSON.').waitFor()
  await dialog.locator('input[type=file]').setInputFiles(file(JSON.stringify(catalogue)))
  await read.click()
  const rows = table(page, 'What it would change').getByRole('row')
  await expect.poll(() => rows.count()).toBe(3)
  expect(await rows.nth(1).innerText()).toContain('openai/gpt-5') // To look at first.
  expect(await priceOf('openai/gpt-5')).toBe(before)
  await page.getByRole('button', { name: 'Apply', exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Apply', exact: true }).click()
  await page.getByText('counts now').waitFor()
  await expect.poll(() => priceOf('openai/gpt-5')).toBe(900)
  await page.getByRole('button', { name: 'Roll back' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click()
  await page.getByText('The program’s own catalogue counts.').waitFor()
  await expect.poll(() => priceOf('openai/gpt-5')).toBe(before)
  expect(v.complaints).toEqual([])
})

test('what a folder declares is shown as such, and a channel says what Slack is to be given', async () => {
  await using v = await visit(browser, server, '/agents/concierge')
  const { page } = v
  const channel = table(page, 'Channels and hooks').getByRole('row', { name: /concierge\.slack/ })
  await channel.getByText('folder', { exact: true }).waitFor()
  expect(await channel.innerText()).toContain('slack-signing, slack-token')
  await table(page, 'Schedules')
    .getByRole('row', { name: /concierge\.morning/ })
    .getByText('folder', { exact: true })
    .waitFor()
  await channel.getByRole('link').click()
  await page.getByText('Give Slack this address as Request URL').waitFor()
  await page.getByText(/A channel from the folder of concierge, version [0-9a-f]+/).waitFor()
  expect(await page.getByRole('button', { name: 'Delete' }).getAttribute('aria-disabled')).toBe('true')
  expect(v.complaints).toEqual([])
})

test('without the rights there is neither the tab nor the page', async () => {
  const { secret: viewer } = await client.keys.create({ name: 'looker', role: 'viewer' })
  await using v = await visit(browser, server, '/models/calls', { key: viewer })
  const { page } = v
  await page.getByText('This needs the permission calls:read.').waitFor()
  const tabs = page.getByRole('navigation', { name: 'Models' })
  await tabs.getByRole('link', { name: 'Catalogue' }).waitFor()
  expect(await tabs.getByRole('link').allInnerTexts()).toEqual(['Models', 'Catalogue'])
})

describe('pages', () => {
  testPages(
    () => ({ browser, server }),
    [
      ['calls', () => '/models/calls'],
      ['a call', () => `/models/calls/${callId}`],
      ['providers', () => '/models/providers'],
      ['catalogues', () => '/models/catalogue'],
      ['what is kept of calls', () => '/settings/call-privacy'],
      ['an agent with channels', () => '/agents/concierge'],
      ['a channel', () => '/settings/hooks/concierge.slack'],
    ],
  )
})
