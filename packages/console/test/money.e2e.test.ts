import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClient } from '@longhaul/sdk/client'
import { axeFindings, openBrowser, sidewaysPx, visit } from './support/browser.ts'
import { startServer } from './support/server.ts'
import type { TestServer } from './support/server.ts'

/** A year of usage as the page of budgets shows it: in its chart, with what is forecast, and with what would have been. */
let server: TestServer
let browser: Browser

beforeAll(async () => {
  server = await startServer()
  browser = await openBrowser()
  execFileSync(process.execPath, ['--conditions=longhaul-source', join(import.meta.dirname, '../../server/test/support/insert-usage-year.ts'), server.dataDir])
}, 240_000)

afterAll(async () => {
  await browser?.close()
  await server?.stop()
})

const screens = [
  ['wide', { width: 1440, height: 900 }],
  ['narrow', { width: 390, height: 844 }],
] as const

test.each(screens)('twelve months of cost, the last with what is still expected, on a %s screen', async (_, viewport) => {
  await using v = await visit(browser, server, '/budgets?span=year', { viewport, timezoneId: 'UTC' })
  const bars = v.page.getByRole('figure', { name: 'Usage over time' }).getByRole('listitem')
  await v.page.getByText(/expected by .* four times out of five/).waitFor()
  await bars.filter({ hasText: 'expected' }).waitFor()
  const texts = await bars.allInnerTexts()
  // A month of ten dollars on weekdays and one on days of the weekend.
  expect(texts).toHaveLength(12)
  for (const text of texts.slice(0, 11)) expect(Number(/: \$(\d+)\.00$/.exec(text.trim())?.[1])).toBeGreaterThan(200)
  expect(texts.at(-1)).toMatch(/\+ \$[\d.]+ expected \(\$[\d.]+ to \$[\d.]+\)/)
  expect(await sidewaysPx(v.page)).toBe(0)
  expect(await axeFindings(v.page)).toEqual([])
  expect(v.complaints).toEqual([])
})

test('days to come continue the days that were, a budget says when it is used up, and other models are compared', async () => {
  await createClient({ url: server.url, key: server.key }).budgets.set({ name: 'spender', scope: 'agent', subject: 'spender', per: 'total', limit: 400 })
  await using v = await visit(browser, server, '/budgets?span=month', { timezoneId: 'UTC' })
  const bars = v.page.getByRole('figure', { name: 'Usage over time' }).getByRole('listitem')
  await bars.filter({ hasText: 'expected' }).first().waitFor()
  await v.page.getByRole('button', { name: 'spender' }).click()
  await v.page.getByText(/Reaches its limit on/).waitFor()

  await v.page.getByLabel('All calls by the model').fill('openai/gpt-5-mini')
  await v.page.getByLabel('A limit for each month, in dollars').fill('100')
  await v.page.getByRole('button', { name: 'Compare' }).click()
  await v.page.getByText(/would have been \$[\d.]+ with openai\/gpt-5-mini/).waitFor()
  await v.page.getByText('The limit would not have been reached by 0 calls.').waitFor() // Calls that are rolled up alone are in no order.
  expect(new URL(v.page.url()).searchParams.get('asModel')).toBe('openai/gpt-5-mini')
  await v.page.reload()
  await v.page.getByText(/would have been \$[\d.]+ with openai\/gpt-5-mini/).waitFor()
  await v.page.getByLabel('All calls by the model').fill('nobody/nothing')
  await v.page.getByRole('button', { name: 'Compare' }).click()
  await v.page.getByText('no price of "nobody/nothing" is known').waitFor()
  expect(await axeFindings(v.page)).toEqual([])
  expect(v.complaints).toEqual([])
})
