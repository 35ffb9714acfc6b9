import { chromium } from 'playwright-core'
import { readFileSync } from 'node:fs'
const { address, key } = JSON.parse(readFileSync('/tmp/fake.json', 'utf8'))
const base = `http://127.0.0.1:${address.port}`
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] })
const context = await browser.newContext({ viewport: { width: 1440, height: 320 } })
await context.addInitScript((k) => localStorage.setItem('longhaul.key', k), key)
const page = await context.newPage()
await page.goto(base + '/')
await page.getByRole('textbox', { name: 'Question' }).fill('What was our ARR?'); await page.keyboard.press('Enter'); await page.waitForURL('**/runs/*')
await page.waitForTimeout(8000)
await page.evaluate(() => window.scrollTo(0, 440)); await page.waitForTimeout(100)
const row = page.locator('#entry-1-0-0')
const look = async () => [await page.evaluate(() => window.scrollY), (await row.boundingBox())?.y]
console.log('before', await look())
await page.getByText('Completed', { exact: true }).first().waitFor({ state: 'attached', timeout: 30000 }); await page.waitForTimeout(800)
console.log('after', await look())
await page.screenshot({ path: '/tmp/shots/anchor.png' })
await page.goto(base + '/')
await page.getByRole('textbox', { name: 'Question' }).fill('What was our ARR?'); await page.keyboard.press('Enter'); await page.waitForURL('**/runs/*')
await page.waitForTimeout(5000)
console.log('jump button', await page.getByRole('button', { name: 'Jump to the latest' }).count())
await page.screenshot({ path: '/tmp/shots/jump.png' })
await page.getByRole('button', { name: 'Jump to the latest' }).click()
for (let i = 0; i < 6; i++) { await page.waitForTimeout(900); console.log('follow', await page.evaluate(() => document.documentElement.scrollHeight - innerHeight - scrollY)) }
await browser.close()
