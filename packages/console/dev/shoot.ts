import { chromium } from 'playwright-core'
import { readFileSync } from 'node:fs'

/** `node shoot.ts <name> <path> [width] [theme] [language] [height]` … pictures of pages for looking at. */
const { address, key, runs } = JSON.parse(readFileSync('/tmp/fake.json', 'utf8'))
const base = `http://127.0.0.1:${address.port}`
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] })
for (const spec of process.argv.slice(2)) {
  const [name = '', path = '/', width = '1440', theme = 'light', language = 'en', height = '900', full = ''] = spec.split('|')
  const context = await browser.newContext({ viewport: { width: Number(width), height: Number(height) }, colorScheme: theme as 'light', locale: language, deviceScaleFactor: Number(width) < 500 ? 2 : 1, isMobile: Number(width) < 500, hasTouch: Number(width) < 500 })
  await context.addInitScript(([k, l]) => { if (k) localStorage.setItem('longhaul.key', k); localStorage.setItem('longhaul.language', l ?? 'en') }, [path.startsWith('/sign-in') ? '' : key, language])
  const page = await context.newPage()
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && console.log(name, m.type(), m.text()))
  page.on('pageerror', (e) => console.log(name, 'pageerror', e.message))
  await page.goto(base + path.replace(/\$(\d)/, (_, i) => runs[Number(i)][0]))
  await page.waitForTimeout(900)
  await page.screenshot({ path: `/tmp/shots/${name}.png`, fullPage: full === 'full' })
  await context.close()
}
await browser.close()
