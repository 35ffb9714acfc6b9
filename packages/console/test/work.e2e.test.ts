import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { isTerminal } from '@longhaul/protocol'
import { createClient } from '@longhaul/sdk/client'
import type { Client } from '@longhaul/sdk/client'
import { axeFindings, openBrowser, sidewaysPx, visit } from './support/browser.ts'
import { startServer } from './support/server.ts'
import type { TestServer } from './support/server.ts'

/** Pages for those who deploy, operate and pay: the real server, its examples, and a browser. */
let server: TestServer
let browser: Browser
let client: Client
let answered: string

const question = 'What was our ARR at the end of last quarter, by region?'
const enabled = ':not([aria-disabled="true"])'

beforeAll(async () => {
  server = await startServer()
  browser = await openBrowser()
  client = createClient({ url: server.url, key: server.key })
  await ready('analyst')
  answered = (await ask('analyst', question)).id
}, 240_000)

afterAll(async () => {
  await browser?.close()
  await server?.stop()
})

const ready = (agent: string) =>
  vi.waitFor(async () => expect((await client.agents.get({ name: agent })).status).toBe('ready'), { timeout: 60_000, interval: 200 })

/** Asks and waits for the end. */
async function ask(agent: string, input: string) {
  const { id } = await client.runs.start({ agent, input })
  return vi.waitFor(
    async () => {
      const run = await client.runs.get({ runId: id })
      expect(isTerminal(run.state)).toBe(true)
      return run
    },
    { timeout: 60_000, interval: 200 },
  )
}

/** Another version of an example: its own files, with one of them changed. */
async function upload(agent: string, change: (source: string) => string): Promise<string> {
  const folder = join(import.meta.dirname, '../../../examples', agent)
  const names = await readdir(join(folder, 'agent'), { recursive: true, withFileTypes: true })
  const files = await Promise.all(
    names
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name)
        const bytes = await readFile(path)
        const isChanged = path.endsWith('agent/agent.ts')
        return { path: path.slice(folder.length + 1), base64: (isChanged ? Buffer.from(change(bytes.toString())) : bytes).toString('base64') }
      }),
  )
  return (await client.versions.create({ agent, files })).version
}

const row = (page: Page, table: string, text: string) => page.getByRole('table', { name: table, exact: true }).getByRole('row').filter({ hasText: text })

test('home shows what runs, what was spent, what waits and what was deployed', async () => {
  await using v = await visit(browser, server, '/')
  for (const name of ['Home', 'Ask', 'Budgets', 'Last deployments', 'Waits for you', 'Just failed', 'Recent runs'])
    await v.page.getByRole('heading', { name, exact: true }).waitFor()
  await expect.poll(() => v.page.locator('dl', { hasText: 'Begun today' }).innerText()).toMatch(/Begun today\s+[1-9]/)
  await v.page.getByRole('link', { name: new RegExp(question.slice(0, 20)) }).waitFor()
  expect(v.complaints).toEqual([])
})

test('a version is deployed as a canary with its plan in sight, its weight is changed, and it is rolled back with evidence', async () => {
  await ready('hello')
  const before = (await client.agents.get({ name: 'hello' })).version
  const next = await upload('hello', (source) => `${source}\n// Another version.\n`)
  await using v = await visit(browser, server, '/agents')
  await v.page.getByRole('link', { name: 'hello', exact: true }).click()
  await row(v.page, 'Versions', next).getByRole('button', { name: 'Deploy' }).click()
  const dialog = v.page.getByRole('dialog', { name: 'Deploy hello' })
  await dialog.getByText(`All new runs go to ${next}.`).waitFor()
  await dialog.getByRole('radio', { name: /Canary/ }).check()
  await dialog.getByLabel('Share of new runs in %').fill('0')
  expect(await dialog.getByRole('button', { name: 'Deploy as canary' }).getAttribute('aria-disabled')).toBe('true')
  await dialog.getByLabel('Share of new runs in %').fill('25')
  await dialog.getByText(`25 % of new runs go to ${next}, the others to ${before}.`).waitFor()
  await dialog.getByLabel('Always for').fill('thread-81, thread-82')
  await dialog.getByLabel('Never for').fill('thread-12')
  await dialog.getByText('Always for: thread-81, thread-82.').waitFor()
  await dialog.getByLabel('Longer by so many times').fill('0.5')
  await dialog.getByText('A number from 1 to 100.').waitFor()
  expect(await dialog.getByRole('button', { name: 'Deploy as canary' }).getAttribute('aria-disabled')).toBe('true')
  await dialog.getByLabel('Longer by so many times').fill('1.5')
  await dialog.getByLabel('Dearer by so many times').fill('2')
  await dialog.getByLabel('Fewer evaluation cases passed by %').fill('5')
  await dialog.getByText('its mean cost is more than 2 times the other’s').waitFor()
  await dialog.getByRole('button', { name: 'Deploy as canary' }).click()
  await dialog.waitFor({ state: 'detached' })
  expect((await client.deployments.list({ agent: 'hello' })).items[0]?.guard).toMatchObject({
    windowMs: 3_600_000,
    failureShareMax: 0.1,
    durationRatioMax: 1.5,
    costRatioMax: 2,
    scoreDropMax: 0.05,
  })
  await row(v.page, 'Versions', next).getByText('Canary 25 %').waitFor()
  expect((await client.versions.list({ agent: 'hello' })).items.find(({ version }) => version === next)).toMatchObject({ deployment: 'canary', share: 25 })

  await v.page.getByRole('button', { name: 'Change weight' }).click()
  await v.page.getByText('Never for: thread-12.').first().waitFor()
  // Whom it names stays as it was, and is enough where there is no share.
  await v.page.getByLabel('Share of new runs in %').fill('0')
  expect(await v.page.getByRole('button', { name: 'Deploy as canary' }).getAttribute('aria-disabled')).not.toBe('true')
  await v.page.getByLabel('Share of new runs in %').fill('60')
  await v.page.getByRole('button', { name: 'Deploy as canary' }).click()
  await row(v.page, 'Versions', next).getByText('Canary 60 %').waitFor()

  expect((await client.deployments.list({ agent: 'hello' })).items[0]).toMatchObject({
    share: 60,
    canarySubjects: { always: ['thread-81', 'thread-82'], never: ['thread-12'] },
  })

  await v.page.getByRole('button', { name: 'Roll back' }).click()
  const back = v.page.getByRole('dialog', { name: 'Roll back hello?' })
  await row(v.page, 'How runs of the last seven days fared', 'Taken back').waitFor()
  await back.getByLabel('Reason (optional)').fill('Only a try.')
  await back.getByRole('button', { name: 'Roll back' }).click()
  await back.waitFor({ state: 'detached' })
  await row(v.page, 'Deployments', 'Only a try.').getByText('Rolled back').waitFor()
  expect((await client.agents.get({ name: 'hello' })).version).toBe(before)
  expect(v.complaints).toEqual([])
})

test('two versions are compared in what they say about themselves', async () => {
  const before = (await client.agents.get({ name: 'hello' })).version
  const next = await upload('hello', (source) => source.replace(/description: '([^']*)'/, "description: 'Says what time it is, and whether that is late.'"))
  await using v = await visit(browser, server, `/agents/hello/diff?from=${before}&to=${next}`)
  const part = v.page.getByRole('group', { name: 'What it is for' })
  await part.getByText('Says what time it is, and whether that is late.').waitFor()
  expect(await part.getByText('Added:').count()).toBe(1)
  expect(await part.getByText('Removed:').count()).toBe(1)
})

test('two versions are compared in their code, file by file and line by line; what is no text is named', async () => {
  const long = (middle: string) =>
    [...Array.from({ length: 3_000 }, (_, i) => `// ${i}`), middle, ...Array.from({ length: 40 }, (_, i) => `// after ${i}`)].join('\n')
  const agent = (await readFile(join(import.meta.dirname, '../../../examples/hello/agent/agent.ts'))).toString('base64')
  const make = (files: Record<string, string>) =>
    client.versions.create({
      agent: 'hello',
      files: [
        { path: 'agent/agent.ts', base64: agent },
        ...Object.entries(files).map(([path, text]) => ({ path, base64: Buffer.from(text).toString('base64') })),
      ],
    })
  const before = await make({ 'agent/long.ts': long('const old = 1'), 'agent/gone.md': 'gone\n', 'agent/mark.bin': '\0one' })
  const after = await make({ 'agent/long.ts': long('const now = 2\nconst more = 3'), 'agent/new.md': 'new\n', 'agent/mark.bin': '\0three' })
  await using v = await visit(browser, server, `/agents/hello/diff?from=${before.version}&to=${after.version}&file=agent/long.ts`)
  await v.page.getByText('4 files changed, 1 is the same').waitFor()
  const cells = async (file: string) => (await row(v.page, 'Code', file).first().innerText()).split(/\s+/).slice(0, 6).join(' ')
  await expect.poll(() => cells('agent/long.ts')).toContain('Changed 2 added, 1 removed')
  expect(await cells('agent/gone.md')).toContain('Removed 0 added, 1 removed')
  expect(await cells('agent/new.md')).toContain('Added 1 added, 0 removed')
  const lines = v.page.getByRole('group', { name: 'agent/long.ts' })
  await lines.getByText('const more = 3').waitFor()
  expect(await lines.getByText('// 100', { exact: true }).count()).toBe(0)
  await v.page.getByRole('button', { name: 'Side by side' }).click()
  await lines.getByText('2997 lines are the same').click()
  await lines.getByText('// 5', { exact: true }).first().waitFor()
  expect(await lines.locator(':scope > div > *').count()).toBeLessThan(200) // Of three thousand lines those on the screen.
  await v.page.getByRole('button', { name: 'agent/mark.bin' }).click()
  await v.page.getByText('Not text, so not shown. Before: 4 B; after: 6 B.').waitFor()
  expect(await axeFindings(v.page)).toEqual([])

  const viewer = await client.keys.create({ name: 'reads-agents', permissions: ['agents:read', 'system:read'] })
  await using other = await visit(browser, server, `/agents/hello/diff?from=${before.version}&to=${after.version}`, { key: viewer.secret })
  await other.page.getByText('This key lacks the permission agents:deploy.').waitFor()
  expect(await other.page.getByText('agent/long.ts').count()).toBe(0)
  expect([...v.complaints, ...other.complaints]).toEqual([])
})

test('over budget: the run says so, the budget is raised, and the run goes on as another', async () => {
  await using v = await visit(browser, server, '/budgets')
  await v.page.getByRole('button', { name: 'New budget' }).click()
  const making = v.page.getByRole('dialog', { name: 'New budget' })
  await making.getByLabel('Name').fill('tight')
  await making.getByLabel('In', { exact: true }).selectOption('requests')
  await making.getByLabel('Per', { exact: true }).selectOption('day')
  await making.getByLabel('Limit').fill('1')
  await making.getByRole('button', { name: 'Save' }).click()
  await row(v.page, 'Budgets', 'tight').waitFor()

  const failed = await ask('analyst', question)
  expect(failed.failure?.code).toBe('over_budget')
  await v.page.goto(`/runs/${failed.id}`)
  await v.page.getByText('will not succeed when tried again').waitFor()
  await v.page.getByRole('link', { name: 'Raise the budget' }).click()
  await v.page.getByRole('button', { name: 'tight' }).click()
  await v.page.getByRole('button', { name: 'Change limit' }).click()
  const changing = v.page.getByRole('dialog', { name: 'Change the limit of tight' })
  await changing.getByLabel('Limit').fill('1000')
  await changing.getByRole('button', { name: 'Save' }).click()
  await changing.waitFor({ state: 'detached' })
  await row(v.page, 'Budgets', 'tight').getByText('1,000').first().waitFor()

  await v.page.goto(`/runs/${failed.id}`)
  await v.page.getByRole('button', { name: 'Start anew' }).click()
  await v.page.waitForURL((url) => url.pathname.startsWith('/runs/') && !url.pathname.endsWith(failed.id))
  await v.page.getByText('Completed', { exact: true }).first().waitFor({ timeout: 60_000 })
  await client.budgets.delete({ name: 'tight' })
  expect(v.complaints).toEqual([])
}, 180_000)

test('what failed is chosen and dismissed together, and nothing else is', async () => {
  await client.budgets.set({ name: 'none-at-all', scope: 'agent', subject: 'analyst', unit: 'requests', per: 'day', limit: 0 })
  const ids = [(await ask('analyst', 'One?')).id, (await ask('analyst', 'Two?')).id, (await ask('analyst', 'Three?')).id]
  await client.budgets.delete({ name: 'none-at-all' })
  await using v = await visit(browser, server, '/attention?reason=failed')
  const boxes = v.page.getByRole('checkbox')
  await expect.poll(() => boxes.count()).toBe(3)
  await boxes.nth(0).check()
  await boxes.nth(1).check()
  const bar = v.page.getByRole('region', { name: 'With what is chosen' })
  await bar.getByText('2 chosen').waitFor()
  await bar.getByRole('button', { name: 'Dismiss' }).click()
  await v.page.getByText('2 were dealt with.').waitFor()
  await expect.poll(() => boxes.count()).toBe(1)
  expect((await client.attention.list({ reason: 'failed' })).items.map(({ id }) => id)).toEqual([ids[0]])
  await client.attention.dismiss({})
})

test('runs are found by what was asked, and several are cancelled at once', async () => {
  const waiting = await Promise.all([1, 2, 3].map((n) => client.runs.start({ agent: 'approval', input: { order: `Z-${n}`, amountUsd: n, reason: 'bulk' } })))
  for (const { id } of waiting) await expect.poll(async () => (await client.runs.get({ runId: id })).state, { timeout: 60_000 }).toBe('waiting')
  await using v = await visit(browser, server, '/runs')
  await v.page.getByRole('searchbox', { name: 'Search in questions and inputs' }).fill('z-')
  await expect.poll(() => new URL(v.page.url()).searchParams.get('search')).toBe('z-')
  await expect.poll(() => v.page.getByRole('checkbox').count()).toBe(3)
  await v.page.getByRole('checkbox', { name: /Z-1/ }).check()
  await v.page.getByRole('checkbox', { name: /Z-2/ }).check()
  await v.page.getByRole('region', { name: 'With what is chosen' }).getByRole('button', { name: 'Cancel', exact: true }).click()
  const dialog = v.page.getByRole('dialog', { name: 'Cancel 2 runs?' })
  await dialog.getByRole('button', { name: 'Cancel', exact: true }).last().click()
  await dialog.waitFor({ state: 'detached' })
  const states = await Promise.all(waiting.map(async ({ id }) => (await client.runs.get({ runId: id })).state))
  expect(states).toEqual(['cancelled', 'cancelled', 'waiting'])
  await client.runs.cancel({ runId: waiting[2]?.id ?? '' })
})

test('a schedule is made, shows when it fires next, fires now, and is paused', async () => {
  await using v = await visit(browser, server, '/schedules')
  await v.page.getByRole('button', { name: 'New schedule' }).click()
  const dialog = v.page.getByRole('dialog', { name: 'New schedule' })
  await dialog.getByLabel('Name').fill('every-monday')
  await dialog.getByLabel('Agent').selectOption('hello')
  await dialog.getByLabel('Cron expression').fill('61 9 * * 1')
  await dialog.getByLabel('Input').fill('What time is it in Tokyo?')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.getByRole('alert').waitFor() // What was written is still there.
  await dialog.getByLabel('Cron expression').fill('0 9 * * 1')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.waitFor({ state: 'detached' })
  await v.page.getByRole('button', { name: 'every-monday' }).click()
  await v.page.getByRole('heading', { name: 'Next fires' }).waitFor()
  const detail = v.page.getByRole('cell').filter({ has: v.page.getByRole('heading', { name: 'Next fires' }) })
  expect(await detail.locator('ol').first().locator('li').count()).toBe(5)
  await v.page.getByRole('button', { name: 'Fire now' }).click()
  await v.page.getByRole('link', { name: 'Started' }).waitFor()
  await v.page.getByRole('button', { name: 'Pause' }).click()
  await v.page.getByText('Paused: it fires no more until it is resumed.').waitFor()
  expect((await client.schedules.get({ name: 'every-monday' })).isPaused).toBe(true)
})

test('an agent is stopped and resumed', async () => {
  await using v = await visit(browser, server, '/agents/hello')
  await v.page.getByRole('button', { name: 'Stop', exact: true }).and(v.page.locator(enabled)).click()
  const dialog = v.page.getByRole('dialog', { name: 'Stop hello?' })
  await dialog.getByLabel('Reason (optional)').fill('A look at it first.')
  await dialog.getByRole('button', { name: 'Stop' }).click()
  await v.page.getByText('hello is stopped').waitFor()
  await v.page.getByText('A look at it first.').waitFor()
  expect((await client.stops.list({})).items).toMatchObject([{ agent: 'hello' }])
  await v.page.getByRole('button', { name: 'Resume' }).click()
  await v.page.getByRole('dialog', { name: 'Resume?' }).getByRole('button', { name: 'Resume' }).click()
  await v.page.getByText('hello is stopped').waitFor({ state: 'detached' })
  expect((await client.stops.list({})).items).toEqual([])
})

test('a route is turned over to its second target', async () => {
  await client.routes.set({ name: 'careful', targets: [{ model: 'openai/gpt-5' }, { model: 'offline/planner' }] })
  await using v = await visit(browser, server, '/models')
  await v.page.getByRole('row').filter({ hasText: 'careful' }).getByText('1 cannot be asked').waitFor() // Nobody has given this server a key of it.
  await v.page.getByRole('button', { name: 'careful' }).click()
  await v.page.getByText('Set OPENAI_API_KEY and start again.').waitFor()
  await v.page.getByRole('listitem').filter({ hasText: 'offline/planner' }).getByRole('button', { name: 'Ask first' }).click()
  await v.page.getByRole('dialog', { name: 'Turn careful over?' }).getByRole('button', { name: 'Ask first' }).click()
  await expect.poll(async () => (await client.routes.get({ name: 'careful' })).targets.map(({ model }) => model)).toEqual(['offline/planner', 'openai/gpt-5'])
})

test('a chat goes on over turns, and what a run asks is decided in it', async () => {
  await using v = await visit(browser, server, '/chat?agent=analyst')
  const box = v.page.getByRole('textbox', { name: 'Message' })
  await box.fill(question)
  await box.press('Enter')
  const turns = v.page.getByRole('log').getByRole('article')
  await turns.first().getByText('Completed', { exact: true }).waitFor({ timeout: 60_000 })
  await expect.poll(() => new URL(v.page.url()).searchParams.get('session')).toMatch(/^chat-/)
  const session = new URL(v.page.url()).searchParams.get('session')
  await box.fill('Which ten customers have the highest ARR?')
  await box.press('Enter')
  await turns.nth(1).getByText('Completed', { exact: true }).waitFor({ timeout: 60_000 })
  expect((await client.runs.list({ session: session ?? '' })).items).toHaveLength(2)

  await client.runs.start({ agent: 'approval', input: { order: 'C-1', amountUsd: 120, reason: 'late' }, session: 'chat-approval' })
  await v.page.goto('/chat?agent=approval&session=chat-approval')
  await v.page.getByRole('article', { name: 'Refund $120 for order C-1?' }).getByRole('button', { name: 'Approve' }).click({ timeout: 60_000 })
  await v.page.getByText('Waiting for the signal “settled”').waitFor({ timeout: 30_000 })
  await v.page.getByRole('button', { name: 'Stop' }).click()
  await v.page.getByText('Cancelled', { exact: true }).first().waitFor()
  expect(v.complaints).toEqual([])
}, 180_000)

test('everything is reached by keyboard: the palette, the letters after g, the sheet of shortcuts', async () => {
  await using v = await visit(browser, server, '/agents')
  await v.page.getByRole('heading', { name: 'Agents', level: 1 }).waitFor()
  await v.page.keyboard.press('Control+k')
  await v.page.getByRole('combobox', { name: /Go to/ }).fill('sched')
  await v.page.getByRole('option', { name: /Schedules/ }).waitFor()
  await v.page.keyboard.press('Enter')
  await v.page.getByRole('heading', { name: 'Schedules', level: 1 }).waitFor()
  await v.page.keyboard.press('g')
  await v.page.keyboard.press('r')
  await v.page.getByRole('heading', { name: 'Runs', level: 1 }).waitFor()
  await v.page.keyboard.press('/')
  expect(await v.page.getByRole('searchbox').evaluate((element) => element === document.activeElement)).toBe(true)
  await v.page.keyboard.press('g') // It is a letter there, not a way to leave.
  await v.page.keyboard.press('a')
  expect(new URL(v.page.url()).pathname).toBe('/runs')
  await v.page.getByRole('searchbox').blur()
  await v.page.keyboard.press('Shift+?')
  await v.page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
  expect(await axeFindings(v.page)).toEqual([])
  await v.page.keyboard.press('Escape')
  await v.page.keyboard.press('Control+k')
  await v.page.getByRole('combobox', { name: /Go to/ }).fill(question.slice(0, 12))
  await v.page
    .getByRole('option', { name: new RegExp(question.slice(0, 20)) })
    .first()
    .click()
  await v.page.waitForURL('**/runs/*')
})

test('a visitor without a right neither sees nor reaches what needs it', async () => {
  const { secret } = await client.keys.create({ name: 'onlooker', role: 'viewer' })
  await using v = await visit(browser, server, '/', { key: secret })
  const nav = v.page.getByRole('navigation', { name: 'Main' })
  await nav.getByRole('link', { name: 'Agents' }).waitFor()
  expect(await nav.getByRole('link', { name: /Budgets|Chat/ }).count()).toBe(0)
  expect(await v.page.getByText('Spent today').count()).toBe(0)
  const asked: string[] = []
  v.page.on('request', (request) => asked.push(new URL(request.url()).pathname))
  await v.page.goto('/budgets')
  await v.page.getByText('Not with this key').waitFor()
  expect(asked.filter((path) => /^\/v1\/.*(budget|usage)/.test(path))).toEqual([])
  await v.page.keyboard.press('g')
  await v.page.keyboard.press('c') // Chatting needs a right as well.
  expect(new URL(v.page.url()).pathname).toBe('/budgets')
  await v.page.goto('/agents/hello')
  for (const name of ['Stop', 'Roll back']) expect(await v.page.getByRole('button', { name, exact: true }).getAttribute('aria-disabled')).toBe('true')
})

test('the journal is shown row by row, and its file has every row', async () => {
  await using v = await visit(browser, server, `/runs/${answered}/journal`)
  await v.page.getByRole('button', { name: 'run.started' }).click()
  await v.page.getByText(/^SHA-256 [0-9a-f]{64}$/).waitFor()
  const saving = v.page.waitForEvent('download')
  await v.page.getByRole('button', { name: 'Export' }).click()
  const lines = (await readFile(await (await saving).path(), 'utf8')).trim().split('\n')
  const { eventCount } = await client.runs.get({ runId: answered })
  expect(lines.map((line) => (JSON.parse(line) as { seq: number }).seq)).toEqual(Array.from({ length: eventCount }, (_, seq) => seq))
})

describe('every page', () => {
  const pages: [string, () => string][] = [
    ['agents', () => '/agents'],
    ['agent', () => '/agents/hello'],
    ['diff', () => '/agents/hello/diff'],
    ['schedules', () => '/schedules'],
    ['attention', () => '/attention'],
    ['models', () => '/models?search=gpt-5'],
    ['budgets', () => '/budgets'],
    ['chat', () => '/chat?agent=analyst'],
    ['journal', () => `/runs/${answered}/journal`],
  ]
  for (const [name, path] of pages) {
    for (const colorScheme of ['light', 'dark'] as const) {
      test(`${name}, ${colorScheme}: axe finds nothing, the browser complains of nothing`, async () => {
        await using v = await visit(browser, server, path(), { colorScheme })
        await v.page.getByRole('heading', { level: 1 }).waitFor()
        await v.page.waitForLoadState('networkidle').catch(() => {}) // A live page is never idle; what matters is there by then.
        expect(await axeFindings(v.page)).toEqual([])
        expect(v.complaints).toEqual([])
      })
    }
    test(`${name}: nothing scrolls sideways on a phone, in either language`, async () => {
      for (const language of ['en', 'zh'] as const) {
        await using v = await visit(browser, server, path(), { language, viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true })
        await v.page.getByRole('heading', { level: 1 }).waitFor()
        await v.page.waitForLoadState('networkidle').catch(() => {})
        expect([language, await sidewaysPx(v.page)]).toEqual([language, 0])
      }
    })
  }
})
