import { createClient } from '@longhaul/sdk/client'
import type { Client } from '@longhaul/sdk/client'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { axeFindings, openBrowser, sidewaysPx, visit } from './support/browser.ts'
import { startServer, untilLoaded } from './support/server.ts'
import type { TestServer } from './support/server.ts'

/** Files in a conversation: chosen, dropped, pasted, sent, read by the agent, seen and saved again. */
let server: TestServer
let browser: Browser
let client: Client

const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64')
const csv = { name: 'figures.csv', mimeType: 'text/csv', buffer: Buffer.from('region,sales\nnorth,20\nsouth,22\n') }
const picture = { name: 'dot.png', mimeType: 'image/png', buffer: png }

beforeAll(async () => {
  server = await startServer({ agents: ['clerk'], settings: { LONGHAUL_ATTACHMENT_BYTES_MAX: '1000000' } })
  browser = await openBrowser()
  client = createClient({ url: server.url, key: server.key })
  await untilLoaded(client, 'clerk')
}, 240_000)

afterAll(async () => {
  await browser?.close()
  await server?.stop()
})

const composer = (page: Page) => page.locator('form').filter({ has: page.getByLabel('Message') })
const chips = (page: Page) => composer(page).getByRole('list', { name: 'Attached files' }).getByRole('listitem')
const choose = (page: Page, files: Parameters<ReturnType<Page['locator']>['setInputFiles']>[0]) => page.locator('input[type=file]').setInputFiles(files)
const isSent = (page: Page, name: string) =>
  chips(page)
    .filter({ hasText: name })
    .filter({ hasText: /\d (B|byte)/ })
    .filter({ hasNotText: '%' })
    .waitFor()

/** A file that comes by the mouse or the clipboard. */
const bring = (page: Page, event: 'drop' | 'paste', name: string) =>
  page.evaluate(
    ([kind, called]) => {
      const data = new DataTransfer()
      data.items.add(new File(['dropped\n'], called ?? '', { type: 'text/plain' }))
      const target = document.querySelector('textarea')
      const made =
        kind === 'drop'
          ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
          : new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })
      target?.dispatchEvent(made)
    },
    [event, name],
  )

test('files are chosen, dropped and pasted; one that is too large says so, and nothing that was written is lost', async () => {
  await using v = await visit(browser, server, '/chat?agent=clerk')
  const { page } = v
  await page.getByLabel('Message').fill('Count the lines.')
  await page.getByRole('button', { name: 'Attach files' }).waitFor()
  await choose(page, [csv, picture])
  await isSent(page, 'figures.csv')
  await isSent(page, 'dot.png')
  await bring(page, 'drop', 'dropped.txt')
  await bring(page, 'paste', 'pasted.txt')
  await isSent(page, 'dropped.txt')
  await isSent(page, 'pasted.txt')
  await choose(page, { name: 'large.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(1_000_001) })
  await chips(page).filter({ hasText: 'large.bin' }).filter({ hasText: 'at most 1000000' }).waitFor()
  expect(await page.getByRole('button', { name: 'Send', exact: true }).getAttribute('aria-disabled')).toBe('true')
  expect(await axeFindings(page)).toEqual([])
  await page.getByRole('button', { name: 'Remove large.bin' }).click()
  await page.getByRole('button', { name: 'Remove pasted.txt' }).click()
  await expect.poll(() => chips(page).count()).toBe(3)
  expect(await page.getByLabel('Message').inputValue()).toBe('Count the lines.')
  await page.getByLabel('Message').press('Enter')
  await page.getByText('6 total').waitFor({ timeout: 60_000 })
  await expect.poll(() => chips(page).count()).toBe(0)
  const turn = page.getByRole('article').filter({ hasText: 'Count the lines.' })
  await expect.poll(() => turn.locator('img').evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(1)
  const [download] = await Promise.all([page.waitForEvent('download'), turn.getByRole('button', { name: /^Download figures\.csv/ }).click()])
  expect(download.suggestedFilename()).toBe('figures.csv')
  await turn.getByRole('link', { name: 'Steps' }).click()
  await page.getByRole('heading', { name: 'Count the lines.' }).waitFor()
  await page.getByRole('button', { name: /^Download dot\.png/ }).waitFor()
  expect(v.complaints).toEqual([])
}, 120_000)

test('by keyboard alone, on a phone, and in Chinese', async () => {
  await using v = await visit(browser, server, '/chat?agent=clerk', { language: 'zh', viewport: { width: 390, height: 800 } })
  const { page } = v
  const attach = page.getByRole('button', { name: '添加附件' })
  await attach.waitFor()
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), attach.press('Enter')])
  await chooser.setFiles([csv, picture, { ...csv, name: `${'a very long name of a file '.repeat(6)}.csv` }])
  const list = page.locator('form').getByRole('list', { name: '附件' })
  await expect.poll(() => list.getByRole('listitem').count()).toBe(3)
  await expect.poll(() => list.innerText()).not.toContain('%')
  await page.locator('textarea').focus() // Away from the button, whose hint lies outside of all landmarks.
  expect(await sidewaysPx(page)).toBe(0)
  expect(await axeFindings(page)).toEqual([])
  await page.getByRole('button', { name: '移除 dot.png' }).focus()
  await page.keyboard.press('Enter')
  await expect.poll(() => list.getByRole('listitem').count()).toBe(2)
  await page.getByRole('button', { name: '发送', exact: true }).click()
  // Without a word: it is about its files.
  await page.getByText('total').waitFor({ timeout: 60_000 })
  expect(await sidewaysPx(page)).toBe(0)
  expect(await axeFindings(page)).toEqual([])
}, 120_000)
