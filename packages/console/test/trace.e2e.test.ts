import { createHmac } from 'node:crypto'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { isTerminal } from '@longhaul/protocol'
import type { Json, Run } from '@longhaul/protocol'
import { createClient } from '@longhaul/sdk/client'
import type { Client } from '@longhaul/sdk/client'
import { openBrowser, visit } from './support/browser.ts'
import { testPages } from './support/pages.ts'
import { startServer } from './support/server.ts'
import type { TestServer } from './support/server.ts'

/** Finding out why and trying again: forks and comparisons; and the pages of what comes in, is remembered, is looked at, is kept. */
let server: TestServer
let browser: Browser
let client: Client
let answered: Run
let forked: Run

const question = 'What was our ARR at the end of last quarter, by region?'
const secret = 'a secret of the sender'

beforeAll(async () => {
  server = await startServer({ agents: ['keeper', 'boss'] })
  browser = await openBrowser()
  client = createClient({ url: server.url, key: server.key })
  for (const agent of ['analyst', 'keeper', 'boss', 'approval']) await ready(agent)
  answered = await run('analyst', question)
  forked = await ended((await client.runs.fork({ runId: answered.id, op: '2', changes: { outputTokensMax: 500 } })).id)
  await run('keeper', { facts: [{ name: 'language', text: 'Prefers German.' }] })
  await run('keeper', { reads: 'https://status.example.invalid/77', facts: [{ kind: 'episode', text: 'Was told of an incident.' }] })
  await client.guardrails.set({ name: 'private', guards: [{ type: 'words', words: ['churn'], on: 'request', action: 'annotate' }] })
  await run('analyst', 'How high was churn?')
  await client.secrets.set({ name: 'sender', value: secret })
  await client.hooks.set({ name: 'issues', agent: 'keeper', scheme: 'github', secret: 'sender', action: { type: 'start', input: '' } })
  await client.runs.start({ agent: 'hello', input: 'What time is it in Tokyo?', destinations: [{ type: 'queue', queue: 'ends' }] })
  await queued()
}, 400_000)

afterAll(async () => {
  await browser?.close()
  await server?.stop()
})

const ready = (agent: string) =>
  vi.waitFor(async () => expect((await client.agents.get({ name: agent })).status).toBe('ready'), { timeout: 120_000, interval: 200 })
const queued = () => vi.waitFor(async () => expect((await client.queues.list({})).items).toMatchObject([{ name: 'ends', readyCount: 1 }]), { timeout: 60_000 })
const ended = (runId: string) =>
  vi.waitFor(
    async () => {
      const found = await client.runs.get({ runId })
      expect(isTerminal(found.state)).toBe(true)
      return found
    },
    { timeout: 90_000, interval: 200 },
  )
const run = async (agent: string, input: Json) => ended((await client.runs.start({ agent, input })).id)
const row = (page: Page, table: string, text: string) => page.getByRole('table', { name: table, exact: true }).getByRole('row').filter({ hasText: text })
/** Presses Tab until what has the focus is called so, as somebody without a mouse does. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let i = 0; i < 120; i++) {
    await page.keyboard.press('Tab')
    const label = await page.evaluate(() => {
      const focused = document.activeElement
      return focused?.getAttribute('aria-label') ?? focused?.textContent ?? ''
    })
    if (name.test(label)) return
  }
  throw new Error(`Tab never came to ${name}`)
}

test('a wrong answer: the call is found, forked there with another prompt, and both runs are held against each other', async () => {
  await using v = await visit(browser, server, `/runs/${answered.id}`)
  const line = v.page.getByRole('tree').getByRole('treeitem', { name: /^Model call/ })
  await line.nth(1).click()
  await expect.poll(() => new URL(v.page.url()).searchParams.get('step')).toBe('2')
  await v.page.getByRole('button', { name: 'Fork from here' }).click()
  const dialog = v.page.getByRole('dialog', { name: 'Fork this run' })
  expect(await dialog.getByLabel('From', { exact: true }).inputValue()).toBe('2')
  const instructions = dialog.getByLabel('Instructions')
  await expect.poll(() => instructions.inputValue()).toContain('Kestrel') // Those that were sent.
  await instructions.fill('Answer in one sentence, in euros.')
  await dialog.getByRole('button', { name: 'Fork', exact: true }).click()
  await v.page.waitForURL((url) => url.pathname.startsWith('/runs/') && !url.pathname.endsWith(answered.id))
  await v.page.getByText('A fork from step 2').waitFor()
  await v.page.getByText('Changed: instructions. What it would write is withheld.').waitFor()
  const id = new URL(v.page.url()).pathname.slice('/runs/'.length)
  await ended(id)
  const prompts = await Promise.all(['0', '2'].map((op) => client.runs.step({ runId: id, op })))
  expect(prompts.map(({ input }) => JSON.stringify(input).includes('in euros'))).toEqual([false, true]) // From the step on, and not before.

  await v.page.getByRole('link', { name: 'Compare with the original' }).click()
  await v.page.getByText(/events are shared/).waitFor()
  await v.page.getByRole('table', { name: 'Steps that differ' }).getByRole('button', { name: 'Model call' }).first().click()
  const input = v.page.getByRole('group', { name: 'Input' })
  await input.getByText('Answer in one sentence, in euros.').waitFor()
  expect(await input.getByText('Added:').count()).toBeGreaterThan(0)
  await v.page.getByRole('link', { name: 'The step in B' }).click()
  await v.page.waitForURL(`**/runs/${id}?step=2`)
  expect(v.complaints).toEqual([])
})

test('two runs are chosen in the list and compared, the older one first', async () => {
  await using v = await visit(browser, server, '/runs?agent=analyst')
  const boxes = v.page.getByRole('checkbox')
  await boxes.first().check()
  const compare = v.page.getByRole('region', { name: 'With what is chosen' }).getByRole('button', { name: 'Compare' })
  expect(await compare.getAttribute('aria-disabled')).toBe('true')
  await boxes.last().check()
  await compare.click()
  await v.page.waitForURL(`**/runs/${answered.id}/compare/*`)
  await v.page.getByRole('heading', { name: 'Steps that differ' }).waitFor()
})

test('what a child asks is decided on the page of its parent', async () => {
  const { id } = await client.runs.start({ agent: 'boss', input: { order: 'P-1', amountUsd: 120, reason: 'late' } })
  await using v = await visit(browser, server, `/runs/${id}`)
  const card = v.page.getByRole('region', { name: 'Runs that it has started ask' }).getByRole('article', { name: 'Refund $120 for order P-1?' })
  await card.getByRole('button', { name: 'Deny' }).click({ timeout: 60_000 })
  await card.waitFor({ state: 'detached' })
  expect(await ended(id)).toMatchObject({ state: 'completed', output: 'completed' })
})

test('a run shows whose words it has read, and so does what it had remembered', async () => {
  await using v = await visit(browser, server, '/memory?kind=episode')
  await v.page.getByRole('button', { name: 'Was told of an incident.' }).click()
  await v.page.getByText('call:fetch_page').last().waitFor()
  await v.page.getByRole('link', { name: 'The run that remembered it' }).click()
  await v.page.getByText('Has read').waitFor()
  await v.page.getByText('call:fetch_page').waitFor()
  await v.page.goto(`/runs/${answered.id}`) // It has read nothing from outside.
  await v.page.getByText('Data access').waitFor()
  expect(await v.page.getByText('Has read').count()).toBe(0)
})

test('what is remembered is found and forgotten, and nothing else is', async () => {
  await using v = await visit(browser, server, '/memory')
  await row(v.page, 'Memory', 'Prefers German.').waitFor()
  await v.page.getByRole('searchbox', { name: 'Search in what is remembered' }).fill('german')
  await row(v.page, 'Memory', 'incident').waitFor({ state: 'detached' })
  await v.page.getByRole('button', { name: /language/ }).click()
  await v.page.getByRole('button', { name: 'Forget', exact: true }).click()
  const dialog = v.page.getByRole('dialog', { name: 'Have this forgotten?' })
  await dialog.getByRole('button', { name: 'Forget' }).click()
  await dialog.waitFor({ state: 'detached' })
  expect((await client.memory.list({})).items.map(({ text }) => text)).toEqual(['Was told of an incident.'])
})

test('a hook is made with a secret that is shown once, takes what it signs, is paused and deleted', async () => {
  await using v = await visit(browser, server, '/settings/hooks')
  await v.page.getByRole('button', { name: 'New hook' }).click()
  const dialog = v.page.getByRole('dialog', { name: 'New hook' })
  await dialog.getByLabel('Name', { exact: true }).fill('pushes')
  await dialog.getByLabel('Agent', { exact: true }).selectOption('keeper')
  await dialog.getByLabel('Signed by').selectOption('github')
  await dialog.getByLabel('Input', { exact: true }).fill('facts=/facts')
  await dialog.getByRole('button', { name: 'Save' }).click()
  const once = v.page.getByRole('dialog', { name: 'The hook “pushes” is made' })
  await once.waitFor()
  const [address = '', value = ''] = await once.locator('code').allTextContents()
  await once.getByRole('checkbox').check()
  await once.getByRole('button', { name: 'Done' }).click()
  const post = async (key: string) => {
    const body = JSON.stringify({ facts: [] })
    const signature = `sha256=${createHmac('sha256', key).update(body).digest('hex')}`
    return (await fetch(address, { method: 'POST', headers: { 'content-type': 'application/json', 'x-hub-signature-256': signature }, body })).status
  }
  expect([await post(value), await post('another')]).toEqual([200, 401])
  await v.page.getByRole('link', { name: 'pushes' }).click()
  await row(v.page, 'What came', 'Started').waitFor()
  await row(v.page, 'What came', 'not signed right').waitFor()
  expect(await v.page.content()).not.toContain(value)

  await v.page.getByRole('button', { name: 'Pause' }).click()
  await v.page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click()
  await v.page.getByText('Paused: what comes is refused until it is resumed').waitFor()
  expect(await post(value)).toBe(409)
  await v.page.getByRole('button', { name: 'Delete' }).click()
  await v.page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await v.page.waitForURL('**/settings/hooks')
  expect((await client.hooks.list({})).items.map(({ name }) => name)).toEqual(['issues'])
  expect(v.complaints).toEqual([])
})

test('a guardrail is made, and what it finds is listed with the run', async () => {
  await using v = await visit(browser, server, '/settings/guardrails')
  await v.page.getByRole('button', { name: 'New guardrail' }).click()
  const dialog = v.page.getByRole('dialog', { name: 'New guardrail' })
  await dialog.getByLabel('Name', { exact: true }).fill('heron')
  await dialog.getByLabel('Kind of guard').selectOption('words')
  await dialog.getByRole('button', { name: 'Add a guard' }).click()
  expect(await dialog.getByRole('button', { name: 'Save' }).getAttribute('aria-disabled')).toBe('true') // No words yet.
  const words = dialog.getByRole('group', { name: 'Words' })
  await words.getByRole('textbox').fill('Project Heron')
  await words.getByLabel('Files that cannot be looked into').selectOption('block')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.waitFor({ state: 'detached' })
  expect((await client.guardrails.get({ name: 'heron' })).guards).toMatchObject([
    { type: 'personal' },
    { type: 'words', words: ['Project Heron'], action: 'block', unreadFiles: 'block' },
  ])
  await v.page.getByRole('button', { name: 'heron' }).click()
  await v.page.getByText('refuses files that it cannot look into').waitFor()
  await vi.waitFor(async () => expect((await run('analyst', 'What is Project Heron?')).state).toBe('failed'), { timeout: 60_000 })
  await v.page.goto('/settings/guardrail-decisions?guardrail=heron')
  await row(v.page, 'Guard decisions', 'Refused').getByRole('link').first().click()
  await v.page.getByRole('heading', { name: 'What is Project Heron?' }).waitFor()
  await client.guardrails.delete({ name: 'heron' })
})

test('messages of a queue are looked at and given back, and one is acknowledged', async () => {
  await using v = await visit(browser, server, '/settings/queues')
  const look = async () => {
    await v.page.getByRole('button', { name: 'Look at the oldest' }).click()
    return v.page.getByRole('dialog', { name: 'The oldest messages of ends' })
  }
  await v.page.getByRole('button', { name: 'ends' }).click()
  const first = await look()
  await first.getByRole('link', { name: 'hello' }).waitFor()
  expect((await client.queues.list({})).items).toMatchObject([{ readyCount: 0, takenCount: 1 }])
  await first.getByRole('button', { name: 'Give back' }).click()
  await first.waitFor({ state: 'detached' })
  expect((await client.queues.list({})).items).toMatchObject([{ readyCount: 1, takenCount: 0 }])
  const second = await look()
  await second.getByRole('button', { name: 'Acknowledge the message of hello' }).click()
  await second.getByText('Gone for good').waitFor()
  await second.getByRole('button', { name: 'Give back' }).click()
  await v.page.getByText('No messages in any queue').waitFor()
})

test('how long runs are kept is said for a namespace, with what it deletes in sight', async () => {
  await using v = await visit(browser, server, '/settings/retention')
  await v.page.getByRole('button', { name: 'Change how long runs of default are kept' }).click()
  const dialog = v.page.getByRole('dialog', { name: 'How long runs of default are kept' })
  await dialog.getByRole('radio', { name: /For a time/ }).check()
  await dialog.getByLabel('Days').fill('0')
  expect(await dialog.getByRole('button', { name: 'Save' }).getAttribute('aria-disabled')).toBe('true')
  await dialog.getByLabel('Days').fill('400')
  await dialog.getByText('Nothing brings them back.').waitFor()
  await dialog.getByRole('button', { name: 'Save' }).click()
  await row(v.page, 'Retention', 'default').getByText('400 days').waitFor()
  expect((await client.retention.list({})).items).toMatchObject([{ namespace: 'default', days: 400 }])
})

test('a secret is limited to hosts and agents', async () => {
  await using v = await visit(browser, server, '/settings/secrets')
  await v.page.getByRole('button', { name: 'New secret' }).click()
  const dialog = v.page.getByRole('dialog', { name: 'New secret' })
  await dialog.getByLabel('Name').fill('crm-token')
  await dialog.getByLabel('Value').fill('x')
  await dialog.getByLabel('Hosts').fill('https://crm')
  await dialog.getByText('A host such as api.example.com, *.example.com or *.').waitFor()
  await dialog.getByLabel('Hosts').fill('crm.example.com, *.crm.example.com')
  await dialog.getByLabel('Agents', { exact: true }).fill('analyst')
  await dialog.getByRole('button', { name: 'Store' }).click()
  await dialog.waitFor({ state: 'detached' })
  expect((await client.secrets.get({ name: 'crm-token' })).items[0]).toMatchObject({ hosts: ['crm.example.com', '*.crm.example.com'], agents: ['analyst'] })
})

test('failed runs are forked together', async () => {
  await client.attention.dismiss({})
  const failed = [await run('approval', 'no refund'), await run('approval', 'none either')]
  await using v = await visit(browser, server, '/attention')
  const boxes = v.page.getByRole('checkbox')
  await expect.poll(() => boxes.count(), { timeout: 30_000 }).toBe(2)
  await boxes.nth(0).check()
  await boxes.nth(1).check()
  await v.page.getByRole('region', { name: 'With what is chosen' }).getByRole('button', { name: 'Fork' }).click()
  const dialog = v.page.getByRole('dialog', { name: 'Fork 2 runs' })
  await dialog.getByRole('button', { name: 'Fork', exact: true }).click()
  await dialog.waitFor({ state: 'detached' })
  const forks = (await client.runs.list({ agent: 'approval' })).items.flatMap(({ fork }) => fork?.runId ?? [])
  expect(forks.toSorted()).toEqual(failed.map(({ id }) => id).toSorted())
})

test('by keyboard alone: from the question to the answer, the call in it, and a fork of that', async () => {
  await using v = await visit(browser, server, '/?agent=analyst')
  await v.page.getByRole('heading', { name: 'Ask' }).waitFor({ timeout: 60_000 })
  await v.page.keyboard.press('Control+k')
  await v.page.getByRole('combobox', { name: /Go to/ }).waitFor()
  await v.page.keyboard.type('runs')
  await v.page.getByRole('option', { name: /^Runs/, selected: true }).waitFor()
  await v.page.keyboard.press('Enter')
  await v.page.waitForURL('**/runs')
  await tabTo(v.page, /^What was our ARR/)
  await v.page.keyboard.press('Enter')
  await v.page.waitForURL('**/runs/*')
  await v.page.getByRole('treeitem').first().waitFor()
  await tabTo(v.page, /^Fork$/)
  await v.page.keyboard.press('Enter')
  const dialog = v.page.getByRole('dialog', { name: 'Fork this run' })
  await dialog.waitFor()
  await tabTo(v.page, /^Fork$/)
  const before = v.page.url()
  await v.page.keyboard.press('Enter')
  await v.page.waitForURL((url) => url.href !== before)
  await v.page.getByText('A fork from the beginning').waitFor()
}, 180_000)

test('a visitor without a right neither sees nor reaches what needs it', async () => {
  const { secret: onlooker } = await client.keys.create({ name: 'onlooker', role: 'viewer' })
  await using v = await visit(browser, server, `/runs/${answered.id}?step=2`, { key: onlooker })
  await v.page.getByRole('button', { name: 'Copy link to this entry' }).waitFor()
  expect(await v.page.getByRole('button', { name: 'Fork from here' }).count()).toBe(0)
  expect(await v.page.getByRole('button', { name: 'Fork', exact: true }).getAttribute('aria-disabled')).toBe('true')
  const asked: string[] = []
  v.page.on('request', (request) => asked.push(new URL(request.url()).pathname))
  await v.page.goto('/settings/hooks')
  await row(v.page, 'Webhooks in', 'issues').waitFor() // Reading is allowed.
  expect(await v.page.getByRole('button', { name: 'New hook' }).getAttribute('aria-disabled')).toBe('true')
  const sections = v.page.getByRole('navigation', { name: 'Settings' })
  expect(await sections.getByRole('link', { name: /Guard|Secrets|People|API keys/ }).count()).toBe(0)
  for (const path of ['/settings/guardrails', '/settings/guardrail-decisions']) {
    await v.page.goto(path)
    await v.page.getByText('Not with this key').waitFor()
  }
  expect(asked.filter((path) => path.includes('guardrail') && path.startsWith('/v1/'))).toEqual([])
})

test('nothing runs in the page but the files that the server serves', async () => {
  const policy = (await fetch(`${server.url}/runs`)).headers.get('content-security-policy') ?? ''
  expect(policy).toMatch(/script-src 'self'(;|$)/)
  expect(policy).not.toContain('unsafe-inline')
  await using v = await visit(browser, server, '/runs')
  await v.page.getByRole('heading', { name: 'Runs', level: 1 }).waitFor()
  await v.page.evaluate(() => {
    const script = document.createElement('script')
    script.textContent = 'document.title = "it ran"'
    document.body.append(script)
  })
  expect(await v.page.title()).not.toBe('it ran')
  expect(v.complaints.join()).toContain('Content Security Policy') // It was tried, and the browser refused.
})

describe('every page', () => {
  testPages(
    () => ({ browser, server }),
    [
      ['compare', () => `/runs/${answered.id}/compare/${forked.id}`],
      ['fork', () => `/runs/${forked.id}`],
      ['memory', () => '/memory'],
      ['guardrails', () => '/settings/guardrails'],
      ['decisions', () => '/settings/guardrail-decisions'],
      ['hooks', () => '/settings/hooks'],
      ['hook', () => '/settings/hooks/issues'],
      ['queues', () => '/settings/queues'],
      ['retention', () => '/settings/retention'],
    ],
  )
})
