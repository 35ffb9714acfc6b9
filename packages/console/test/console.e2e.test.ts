import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openBrowser, visit } from './support/browser.ts'
import { testPages } from './support/pages.ts'
import { startServer } from './support/server.ts'
import type { TestServer } from './support/server.ts'

let server: TestServer
let browser: Browser
/** The address of a run that has been asked and answered. */
let answered: string

const question = 'What was our ARR at the end of last quarter, by region?'

beforeAll(async () => {
  server = await startServer()
  browser = await openBrowser()
  await using v = await visit(browser, server, '/?agent=analyst')
  answered = await ask(v.page, question)
  await v.page.getByText('Completed', { exact: true }).first().waitFor({ timeout: 60_000 })
}, 240_000)

afterAll(async () => {
  await browser?.close()
  await server?.stop()
})

/** Asks on the home page and gives the path of the run that it led to. */
async function ask(page: Page, text: string): Promise<string> {
  const box = page.getByRole('textbox', { name: 'Question' })
  await box.fill(text)
  await page.getByRole('button', { name: 'Ask', exact: true, disabled: false }).waitFor({ timeout: 60_000 }) // The agent may still be starting.
  await box.press('Enter')
  await page.waitForURL('**/runs/*')
  return new URL(page.url()).pathname
}

const timeline = (page: Page) => page.getByRole('tree', { name: 'What the run did, in order' })

describe('signing in', () => {
  test('the key in the address signs in and is gone from the address at once', async () => {
    await using v = await visit(browser, server, `/#key=${server.key}`, { isSignedIn: false })
    await v.page.getByRole('heading', { name: 'Ask' }).waitFor()
    expect(v.page.url()).not.toContain(server.key)
    await v.page.reload()
    await v.page.getByRole('heading', { name: 'Ask' }).waitFor()
  })

  test('without a key every page leads to the sign-in page, and from there back to the page that was wanted', async () => {
    await using v = await visit(browser, server, '/system', { isSignedIn: false })
    await v.page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await v.page.getByRole('button', { name: 'API key' }).click()
    await v.page.getByLabel('API key', { exact: true }).fill(server.key)
    await v.page.getByRole('button', { name: 'Sign in' }).click()
    await v.page.getByRole('heading', { name: 'System', level: 1 }).waitFor()
  })

  test('a wrong key is refused and says so', async () => {
    await using v = await visit(browser, server, '/sign-in', { isSignedIn: false })
    await v.page.getByRole('button', { name: 'API key' }).click()
    await v.page.getByLabel('API key', { exact: true }).fill('lh_wrong')
    await v.page.getByRole('button', { name: 'Sign in' }).click()
    await v.page.getByText('This server does not know that key').waitFor()
    expect(await v.page.evaluate(() => localStorage.getItem('longhaul.key'))).toBeNull()
  })

  test('the sign-in page never sends anybody to another site', async () => {
    await using v = await visit(browser, server, '/sign-in?to=//example.com/', { isSignedIn: false })
    await v.page.getByRole('button', { name: 'API key' }).click()
    await v.page.getByLabel('API key', { exact: true }).fill(server.key)
    await v.page.getByRole('button', { name: 'Sign in' }).click()
    await v.page.getByRole('heading', { name: 'Ask' }).waitFor()
    expect(new URL(v.page.url()).origin).toBe(new URL(server.url).origin)
  })
})

describe('a run', () => {
  test('asked, watched and answered: the sentence, the table, its SQL, the chart and the bill', async () => {
    await using v = await visit(browser, server, '/?agent=analyst')
    await ask(v.page, question)
    await timeline(v.page)
      .getByRole('treeitem', { name: /^Model call/ })
      .first()
      .waitFor({ timeout: 30_000 }) // Live: before there is an answer.
    await v.page.getByRole('heading', { name: 'Answer' }).waitFor({ timeout: 60_000, state: 'attached' })
    await v.page
      .getByRole('columnheader', { name: /region/i })
      .first()
      .waitFor()
    await v.page.getByRole('button', { name: 'SQL', exact: false }).first().click()
    await v.page
      .getByText(/select/i)
      .first()
      .waitFor()
    const chart = v.page.locator('figure img').first()
    await chart.waitFor()
    expect(await chart.evaluate((image: HTMLImageElement) => image.decode().then(() => image.naturalWidth))).toBeGreaterThan(0)
    await v.page.getByText('Offline stand-in, not a language model').first().waitFor()
    expect(v.complaints).toEqual([])
  })

  test('a click on a model call shows its exact prompt, and the address leads there again', async () => {
    await using v = await visit(browser, server, answered)
    await timeline(v.page)
      .getByRole('treeitem', { name: /^Model call/ })
      .first()
      .click()
    const detail = v.page.getByRole('complementary', { name: 'Detail' })
    await detail.getByText('Instructions', { exact: true }).waitFor()
    await detail.getByText(question).first().waitFor()
    expect(new URL(v.page.url()).searchParams.get('step')).toMatch(/^\d/)
    await v.page.reload()
    await v.page.getByRole('complementary', { name: 'Detail' }).getByText('Instructions', { exact: true }).waitFor()
  })

  test('a command shows its script, what it printed, how it ended and what it ran in', async () => {
    await using v = await visit(browser, server, `${answered}?show=exec`)
    await timeline(v.page)
      .getByRole('treeitem', { name: /^Command/ })
      .first()
      .click()
    const detail = v.page.getByRole('complementary', { name: 'Detail' })
    for (const part of ['Script', 'Standard output', 'Exit code', 'Sandbox']) await detail.getByText(part, { exact: true }).waitFor()
  })

  test('is walked through by keyboard alone', async () => {
    await using v = await visit(browser, server, answered)
    await timeline(v.page).focus()
    await v.page.keyboard.press('ArrowDown')
    await v.page.keyboard.press('Enter')
    const first = new URL(v.page.url()).searchParams.get('step')
    expect(first).not.toBeNull()
    await v.page.getByRole('complementary', { name: 'Detail' }).waitFor()
    await v.page.keyboard.press('ArrowDown')
    await expect.poll(() => new URL(v.page.url()).searchParams.get('step')).not.toBe(first)
    await v.page.keyboard.press('Escape')
    await v.page.getByRole('complementary', { name: 'Detail' }).waitFor({ state: 'detached' })
  })

  test('that has ended cannot be cancelled, and the button says why', async () => {
    await using v = await visit(browser, server, answered)
    const button = v.page.getByRole('button', { name: 'Cancel run' })
    await button.waitFor()
    expect(await button.getAttribute('aria-disabled')).toBe('true')
    await button.hover()
    await v.page.getByRole('tooltip').getByText('The run has ended.').waitFor()
    await button.click({ force: true })
    expect(await v.page.getByRole('dialog', { name: 'Cancel this run?' }).count()).toBe(0)
  })

  test('cancelling asks first; Escape takes it back and gives back the focus; what ended meanwhile stays as it is', async () => {
    await using v = await visit(browser, server, '/runs')
    // As if the page had not yet heard of the run's end: an offline model is too fast for a browser to be in time.
    const runAddress = `**/v1${answered}`
    await v.page.route(runAddress, async (route) => {
      const response = await route.fetch()
      await route.fulfill({ response, json: { ...(await response.json()), state: 'running' } })
    })
    await v.page.goto(answered)
    const button = v.page.getByRole('button', { name: 'Cancel run' })
    await button.click()
    const dialog = v.page.getByRole('dialog', { name: 'Cancel this run?' })
    await dialog.waitFor()
    await v.page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    expect(await button.evaluate((element) => element === document.activeElement)).toBe(true)

    await v.page.unroute(runAddress)
    await v.page.keyboard.press('Enter')
    await dialog.getByRole('button', { name: 'Cancel run' }).click()
    await dialog.waitFor({ state: 'detached' })
    await v.page.getByText('Completed', { exact: true }).first().waitFor()
    expect(await button.getAttribute('aria-disabled')).toBe('true')
  })

  test('that does not exist is said not to, with what to do', async () => {
    await using v = await visit(browser, server, '/runs/0197a4c2-7d30-7cc1-9b1e-52a3a5f0c0de')
    await v.page.getByText('No such run').waitFor()
  })
})

test('the list of runs is filtered by its address, and the address by the list', async () => {
  await using v = await visit(browser, server, '/runs')
  await v.page
    .getByRole('row', { name: new RegExp(question.slice(0, 20)) })
    .first()
    .waitFor()
  await v.page.getByRole('combobox', { name: 'State' }).selectOption('completed')
  await expect.poll(() => new URL(v.page.url()).searchParams.get('state')).toBe('completed')
  await v.page.goto('/runs?state=pending&agent=nobody')
  await v.page.getByText('No run is like that').waitFor()
})

test('a lost connection is said, and heals by itself', async () => {
  await using v = await visit(browser, server, '/runs')
  await v.page.getByRole('row').nth(1).waitFor()
  await v.page.context().setOffline(true)
  await v.page.getByText('The server is not answering').waitFor({ timeout: 20_000 })
  await v.page.context().setOffline(false)
  await v.page.getByText('The server is not answering').waitFor({ state: 'detached', timeout: 20_000 })
})

test('the first pages of most visits are asked for beside the shell, with the texts of the reader’s language, and nothing of other pages', async () => {
  for (const [path, language, wanted, unwanted] of [
    ['/', 'en', 'HomePage', 'RunPage'],
    [answered, 'zh', 'RunPage', 'HomePage'],
    ['/budgets', 'en', undefined, 'HomePage'],
  ] as const) {
    await using v = await visit(browser, server, 'about:blank', { language })
    const asked: string[] = []
    await v.page.route('**/assets/*.js', async (route) => {
      asked.push(new URL(route.request().url()).pathname)
      await (route.request().url().includes('/assets/shell-') ? route.abort() : route.continue()) // The shell never runs.
    })
    await v.page.goto(path)
    const has = (name: string | undefined) => asked.some((file) => name !== undefined && file.startsWith(`/assets/${name}-`))
    if (wanted) await expect.poll(() => has(wanted) && has('start'), { timeout: 10_000 }).toBe(true)
    expect([has(unwanted), has(language === 'zh' ? 'en' : 'zh')]).toEqual([false, false])
    if (!wanted) expect(has('start')).toBe(false)
  }
})

test('readers who want less motion have no transitions at all: any duration would give each element one for all that ever changes', async () => {
  await using v = await visit(browser, server, '/', { reducedMotion: 'reduce' })
  await v.page.getByRole('textbox', { name: 'Question' }).waitFor()
  const durations = await v.page.evaluate(() => [...document.querySelectorAll('body, body *')].map((element) => getComputedStyle(element).transitionDuration))
  expect(new Set(durations)).toEqual(new Set(['0s']))
})

test('language and theme are chosen in the header and remembered', async () => {
  await using v = await visit(browser, server, '/')
  await v.page.getByRole('button', { name: /Switch to Chinese/ }).click()
  await v.page.getByRole('heading', { name: '提问' }).waitFor()
  await v.page.getByRole('button', { name: '切换到深色' }).click()
  await v.page.reload()
  await v.page.getByRole('heading', { name: '提问' }).waitFor()
  expect(await v.page.evaluate(() => [document.documentElement.lang, document.documentElement.dataset['theme']])).toEqual(['zh', 'dark'])
})

test('a page opened after the language was changed has its texts, and changing it there leaves none behind', async () => {
  await using v = await visit(browser, server, '/')
  await v.page.getByRole('textbox', { name: 'Question' }).waitFor()
  const texts: string[] = []
  v.page.on('response', (response) => {
    if (/assets\/(start|en|zh)-/.test(response.url())) texts.push(response.url().replace(/.*assets\/(\w+)-.*/, '$1'))
  })
  await v.page.reload()
  await v.page.getByRole('textbox', { name: 'Question' }).waitFor()
  expect(texts).toEqual(['start']) // Neither the other language nor what only pages say.
  await v.page.getByRole('button', { name: /Switch to Chinese/ }).click()
  await v.page.getByRole('heading', { name: '提问' }).waitFor()
  await v.page.getByRole('link', { name: '运行', exact: true }).click()
  await v.page.getByRole('columnheader', { name: '提问者' }).waitFor()
  await v.page.getByRole('button', { name: /切换到英文/ }).click()
  await v.page.getByRole('columnheader', { name: 'Asked by' }).waitFor()
  expect(await v.page.locator('main').innerText()).not.toMatch(/\p{Script=Han}|\bruns\.\w/u)
  expect(texts).toEqual(['start', 'start', 'zh', 'en'])
})

describe('every page', () => {
  const pages: [string, () => string][] = [
    ['ask', () => '/'],
    ['runs', () => '/runs'],
    ['run', () => answered],
    ['an entry of a run', () => `${answered}?step=0`],
    ['approvals', () => '/approvals'],
    ['system', () => '/system'],
    ['sign-in', () => '/sign-in'],
  ]

  testPages(() => ({ browser, server }), pages)
})
