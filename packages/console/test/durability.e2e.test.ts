import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { axeFindings, openBrowser, sidewaysPx, visit } from './support/browser.ts'
import { startServer } from './support/server.ts'
import type { TestServer } from './support/server.ts'

let server: TestServer
let browser: Browser

beforeAll(async () => {
  server = await startServer({ agents: ['broken', 'gallery', 'marathon', 'wandering'] })
  browser = await openBrowser()
}, 240_000)

afterAll(async () => {
  await browser?.close()
  await server?.stop()
})

/** Waits for a run to be shown in a state. A failure says what the server has of the run, so that one knows on which side it was lost. */
async function reaches(page: Page, state: string, timeout = 30_000): Promise<void> {
  try {
    await page.locator('header').getByText(state, { exact: true }).first().waitFor({ timeout })
  } catch (error) {
    const address = `${server.url}/v1${new URL(page.url()).pathname}`
    const headers = { authorization: `Bearer ${server.key}`, accept: 'application/json' }
    const [run, events] = await Promise.all([address, `${address}/events`].map(async (url) => (await fetch(url, { headers })).text()))
    throw new Error(`The page does not show ${state}. The server says: ${run}\n${events}`, { cause: error })
  }
}

/** Chooses an agent, gives it `input` as it is, and follows it to its run. */
async function start(page: Page, agent: string, input: string): Promise<string> {
  await page.goto(`/?agent=${agent}`)
  await page.getByRole('textbox').fill(input)
  await page
    .getByRole('button', { name: /^(Ask|Start|提问|启动)$/, disabled: false })
    .and(page.locator(':not([aria-disabled="true"])'))
    .click({ timeout: 60_000 }) // The agent may still be starting.
  await page.waitForURL('**/runs/*')
  return new URL(page.url()).pathname
}

const timeline = (page: Page) => page.getByRole('tree', { name: 'What the run did, in order' })
const refund = (order: string) => JSON.stringify({ order, amountUsd: 120, reason: 'arrived broken' })

describe('a function that takes JSON', () => {
  test('is offered its example, refuses what is no JSON before it is sent, and says so', async () => {
    await using v = await visit(browser, server, '/?agent=approval')
    const box = v.page.getByRole('textbox', { name: 'Input (JSON)' })
    expect(JSON.parse(await box.inputValue())).toMatchObject({ amountUsd: 120 })
    await v.page.getByRole('button', { name: 'Start' }).and(v.page.locator(':not([aria-disabled="true"])')).waitFor({ timeout: 60_000 })

    await box.fill('{"order": "A-1", ')
    await v.page
      .getByText(/^Not JSON yet:/)
      .first()
      .waitFor()
    expect(await v.page.getByRole('button', { name: 'Start' }).getAttribute('aria-disabled')).toBe('true')
    await box.press('Control+Enter')
    expect(new URL(v.page.url()).pathname).toBe('/')

    await box.fill(refund('A-0'))
    await v.page.getByText(/^Not JSON yet:/).waitFor({ state: 'detached' })
    await box.press('Control+Enter')
    await v.page.waitForURL('**/runs/*')
  })
})

describe('a person decides', () => {
  test('approved on the run’s page, then the signal is sent by its form, and the result is there', async () => {
    await using v = await visit(browser, server, '/')
    await start(v.page, 'approval', refund('A-1'))
    const card = v.page.getByRole('article', { name: 'Refund $120 for order A-1?' })
    await card.getByText('arrived broken').waitFor()
    await card.getByRole('textbox', { name: 'Comment (optional)' }).fill('Go ahead.')
    await card.getByRole('button', { name: 'Approve' }).click()

    await v.page.getByText('Waiting for the signal “settled”').waitFor({ timeout: 30_000 })
    await v.page.getByText(/of it waiting/).waitFor()
    const payload = v.page.getByLabel('Payload (JSON)')
    await payload.fill('{"bank": ')
    await v.page.getByRole('button', { name: 'Send signal' }).click()
    await v.page.getByText(/^This is not JSON/).waitFor()
    await payload.fill('{"bank": "B-77"}')
    await v.page.getByRole('button', { name: 'Send signal' }).click()

    await reaches(v.page, 'Completed')
    await v.page.getByText('"B-77"').first().waitFor()
    await timeline(v.page)
      .getByRole('treeitem', { name: /^pay out/ })
      .waitFor()
    expect(v.complaints).toEqual([])
  })

  test('denied on the page of approvals: the run ends refused, with who and why', async () => {
    await using v = await visit(browser, server, '/')
    const path = await start(v.page, 'approval', refund('A-2'))
    await v.page.getByRole('article', { name: 'Refund $120 for order A-2?' }).waitFor()
    await v.page.goto('/approvals')
    const card = v.page.getByRole('article', { name: 'Refund $120 for order A-2?' })
    await card.getByRole('textbox', { name: 'Comment (optional)' }).fill('Not twice.')
    await card.getByRole('button', { name: 'Deny' }).click()
    await card.waitFor({ state: 'detached' })
    await v.page.goto(path)
    await reaches(v.page, 'Completed')
    await v.page.getByText('"refused"').first().waitFor()
    await v.page.getByText('"Not twice."').first().waitFor()
    expect(
      await timeline(v.page)
        .getByRole('treeitem', { name: /^pay out/ })
        .count(),
    ).toBe(0)
  })
})

describe('a person decides by keyboard', () => {
  const focused = (page: Page) => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent)
  const name = (order: string) => `Refund $120 for order ${order}?`

  test('from card to card with j and k; no single key decides; r and Enter deny with the reason, a and Enter approve', async () => {
    await using v = await visit(browser, server, '/')
    for (const order of ['K-1', 'K-2']) {
      await start(v.page, 'approval', refund(order))
      await v.page.getByRole('article', { name: name(order) }).waitFor()
    }
    await v.page.goto('/approvals')
    await v.page.getByRole('article', { name: name('K-1') }).waitFor()
    await v.page.keyboard.press('j')
    expect(await focused(v.page)).toBe(name('K-2')) // Newest first.
    await v.page.keyboard.press('j')
    expect(await focused(v.page)).toBe(name('K-1'))
    await v.page.keyboard.press('ArrowUp')
    expect(await focused(v.page)).toBe(name('K-2'))

    // What any one key could have decided is still open.
    for (const key of ['a', 'Escape', 'k', 'r', 'Escape']) await v.page.keyboard.press(key)
    expect(await focused(v.page)).toBe(name('K-2'))
    expect(await v.page.getByRole('article', { name: /order K-/ }).count()).toBe(2)
    const open = await fetch(`${server.url}/v1/approvals?state=pending`, { headers: { authorization: `Bearer ${server.key}` } })
    expect(((await open.json()) as { items: { title: string }[] }).items.filter(({ title }) => title.includes('order K-'))).toHaveLength(2)

    await v.page.keyboard.press('r')
    await v.page.keyboard.type('Not a second time')
    await v.page.keyboard.press('Enter')
    await v.page.getByRole('article', { name: name('K-2') }).waitFor({ state: 'detached' })
    expect(await focused(v.page)).toBe(name('K-1'))

    await v.page.keyboard.press('a')
    expect(await focused(v.page)).toBe('Approve')
    await v.page.keyboard.press('Enter')
    await v.page.getByRole('article', { name: name('K-1') }).waitFor({ state: 'detached' })
    const decided = await fetch(`${server.url}/v1/approvals?limit=2`, { headers: { authorization: `Bearer ${server.key}` } })
    expect(await decided.json()).toMatchObject({ items: [{ state: 'denied', comment: 'Not a second time' }, { state: 'approved' }] })
    expect(v.complaints).toEqual([])
  })

  test('Enter on a card opens its run, and the shortcuts are listed', async () => {
    await using v = await visit(browser, server, '/')
    const path = await start(v.page, 'approval', refund('K-3000'))
    await v.page.getByRole('article', { name: name('K-3000') }).waitFor()
    await v.page.goto('/approvals')
    await v.page.getByRole('article', { name: name('K-3000') }).waitFor()
    await v.page.keyboard.press('?')
    await v.page.getByRole('dialog').getByText('Write why, and deny').waitFor()
    await v.page.keyboard.press('j') // A dialog is open: the cards behind it are left alone.
    await v.page.keyboard.press('Escape')
    await v.page.keyboard.press('j')
    await v.page.keyboard.press('Enter')
    await v.page.waitForURL(`**${path}`)
    const card = v.page.getByRole('article', { name: name('K-3000') })
    const sources = card.getByRole('region', { name: 'Where this comes from' })
    await sources.getByText('order').waitFor()
    await sources
      .getByText(/^asked by /)
      .first()
      .waitFor()
    expect(await axeFindings(v.page)).toEqual([])
    await v.page.keyboard.press('j')
    expect(await focused(v.page)).toBe(name('K-3000'))
    await v.page.keyboard.press('a')
    await v.page.keyboard.press('Enter')
    await card.waitFor({ state: 'detached' })
  })
})

test('the home page does not say that nothing needs attention while there are failed runs', async () => {
  await using v = await visit(browser, server, '/')
  await start(v.page, 'approval', '{"order": 1}')
  await reaches(v.page, 'Failed')
  await v.page.goto('/')
  await v.page
    .getByRole('main')
    .getByRole('link', { name: /need(s)? attention$/ })
    .first()
    .waitFor()
  expect(await v.page.getByText('Nothing needs attention').count()).toBe(0)
})

describe('when something dies', () => {
  test('a worker killed in the middle: the interruption is shown, no finished stage is walked twice, and the answer comes', async () => {
    await using v = await visit(browser, server, '/')
    await start(v.page, 'marathon', 'Go.')
    await timeline(v.page)
      .getByRole('treeitem', { name: /^stage 3/ })
      .waitFor()
    process.kill(await server.workerPid('marathon'), 'SIGKILL')
    await timeline(v.page)
      .getByRole('treeitem', { name: /^Interrupted|worker.*lost/i })
      .waitFor()
    await v.page.getByText('Arrived after 12 stages.').waitFor({ timeout: 40_000 })
    await v.page.getByText('1 interruption').waitFor()
    expect(
      await timeline(v.page)
        .getByRole('treeitem', { name: /^stage 1\b/ })
        .filter({ hasText: 'tries' })
        .count(),
    ).toBe(0)
  })

  test('the server killed with the page open: a banner, then it heals by itself and the answer appears', async () => {
    await using v = await visit(browser, server, '/')
    await start(v.page, 'marathon', 'Go again.')
    await timeline(v.page)
      .getByRole('treeitem', { name: /^stage 2/ })
      .waitFor()
    await server.crash()
    await v.page.getByText('The server is not answering').waitFor({ timeout: 20_000 })
    await server.restart()
    await v.page.getByText('The server is not answering').waitFor({ state: 'detached', timeout: 30_000 })
    await v.page.getByText('Arrived after 12 stages.').waitFor({ timeout: 40_000 })
    expect(v.complaints).toEqual([])
  }, 180_000)

  test('code that no longer matches its history: the first difference is shown, and once the code is right Retry brings the run to its end', async () => {
    await using v = await visit(browser, server, '/')
    const path = await start(v.page, 'wandering', 'Home.')
    await v.page.getByText('Waiting for the signal “go”').waitFor({ timeout: 30_000 })
    const detour = join(await dataDirOf(v.page), 'detour')
    await writeFile(detour, '')
    process.kill(await server.workerPid('wandering'), 'SIGKILL')

    await v.page.goto(path)
    await v.page.getByRole('button', { name: 'Send signal' }).click() // It has to be executed again for that.
    await v.page.getByText('First difference').waitFor({ timeout: 30_000 })
    const difference = v.page.getByRole('figure', { name: /First difference/ })
    await difference.getByText(/take the road/).waitFor()
    await difference.getByText(/take the detour/).waitFor()
    expect(await axeFindings(v.page)).toEqual([])

    await rm(detour)
    await v.page.getByRole('button', { name: 'Retry' }).click()
    await v.page.getByText('It did take the road.').waitFor({ timeout: 30_000 })
  })
})

/** The folder of the agent's data, which the agent itself recorded. */
async function dataDirOf(page: Page): Promise<string> {
  await timeline(page)
    .getByRole('treeitem', { name: /^take the road/ })
    .click()
  const text = await page
    .getByRole('complementary', { name: 'Detail' })
    .getByText(/^\/.*wandering/)
    .first()
    .innerText()
  await mkdir(text, { recursive: true })
  return text
}

test('an agent that does not load says why, and cannot be asked', async () => {
  await using v = await visit(browser, server, '/?agent=broken')
  await v.page.getByRole('heading', { name: 'Home' }).waitFor()
  await v.page.getByText('The price list is missing: prices.csv').first().waitFor({ timeout: 60_000 })
  await v.page.getByText('broken does not load').first().waitFor()
  expect(await v.page.getByRole('button', { name: 'Ask', exact: true }).getAttribute('aria-disabled')).toBe('true')
})

test('a question asked in Chinese in the Chinese interface is answered in Chinese', async () => {
  await using v = await visit(browser, server, '/', { language: 'zh' })
  await start(v.page, 'analyst', '上个季度末的 ARR 按地区是多少？')
  await v.page.getByRole('heading', { name: '上个季度末的 ARR 按地区是多少？' }).waitFor()
  await reaches(v.page, '已完成', 60_000)
  await v.page
    .locator('.prose')
    .getByText(/年度经常性收入.*北美/)
    .waitFor()
  await v.page.getByRole('columnheader', { name: /arr/ }).waitFor()
  // The language of the reader, through and through: no sentence of the other one is left over.
  expect(await v.page.getByText(/^(Completed|Timeline|Duration|Tokens|Copy as CSV)$/).count()).toBe(0)
})

describe('what is hard to show', () => {
  let path: string

  test('a wide table scrolls in itself, a failed step says why, a long output can be opened, on a desk and on a phone', async () => {
    await using v = await visit(browser, server, '/')
    path = await start(v.page, 'gallery', 'Show.')
    await reaches(v.page, 'Completed', 60_000)
    await v.page.getByRole('columnheader').nth(19).waitFor({ state: 'attached' })
    await v.page.getByRole('button', { name: 'Show all 200 rows' }).click()
    await expect.poll(() => v.page.getByRole('row').count()).toBeGreaterThan(200)
    await v.page.getByText('The query found no rows.').waitFor()
    expect(await axeFindings(v.page)).toEqual([])
    expect(await sidewaysPx(v.page)).toBe(0)

    await timeline(v.page)
      .getByRole('treeitem', { name: /^fail for good/ })
      .click()
    await v.page.getByRole('complementary', { name: 'Detail' }).getByText('column "regoin" does not exist').first().waitFor()
    await timeline(v.page)
      .getByRole('treeitem', { name: /^Command/ })
      .first()
      .click()
    await v.page.getByRole('complementary', { name: 'Detail' }).getByText('disk is nearly full').first().waitFor()
    expect(v.complaints).toEqual([])
  })

  test.each([
    ['desk', { viewport: { width: 1_440, height: 900 } }],
    ['phone', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }],
  ])('of a command that wrote more than its step holds, all of it is downloaded, on a %s', async (place, options) => {
    await using v = await visit(browser, server, path, options)
    await timeline(v.page)
      .getByRole('treeitem', { name: /^Command/ })
      .last()
      .click()
    const button = v.page.getByRole('button', { name: 'stdout.txt' })
    await v.page.getByText('The output was longer than a step holds. It is kept as a file:').waitFor()
    await button.scrollIntoViewIfNeeded()
    expect(await sidewaysPx(v.page)).toBe(0)
    const [download] = await Promise.all([v.page.waitForEvent('download'), button.click()])
    expect(download.suggestedFilename()).toBe('stdout.txt')
    expect(await readFile(await download.path(), 'utf8')).toBe(Array.from({ length: 100_000 }, (_, i) => `${i + 1}\n`).join(''))
    expect(v.complaints).toEqual([])
  })

  test('on a phone nothing of it scrolls the page sideways', async () => {
    await using v = await visit(browser, server, path, { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true })
    await v.page.getByRole('columnheader').first().waitFor()
    expect(await sidewaysPx(v.page)).toBe(0)
  })
})
