import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import type { TestServer } from './server.ts'

const args = [
  '--no-sandbox',
  '--headless',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Debian's Chromium, or the one that `E2E_BROWSER` names. */
export const openBrowser = (): Promise<Browser> => chromium.launch({ executablePath: process.env['E2E_BROWSER'] ?? '/usr/bin/chromium', args })

export type Visit = { page: Page; complaints: string[]; [Symbol.asyncDispose](): Promise<void> }
export type VisitOptions = BrowserContextOptions & {
  isSignedIn?: boolean
  language?: 'en' | 'zh'
  /** Of somebody else than the administrator. */
  key?: string
}

/** A visitor with a fresh browser profile. `complaints` gathers what the browser reports: errors of scripts, breaches of the content-security policy. */
export async function visit(
  browser: Browser,
  server: TestServer,
  path: string,
  { isSignedIn = true, language = 'en', key = server.key, ...options }: VisitOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    baseURL: server.url,
    locale: language,
    reducedMotion: 'reduce',
    ...options,
  })
  await context.addInitScript(
    ([given, chosen]) => {
      if (sessionStorage.getItem('begun')) return
      sessionStorage.setItem('begun', 'yes')
      if (given) localStorage.setItem('longhaul.key', given)
      localStorage.setItem('longhaul.language', chosen ?? 'en')
    },
    [isSignedIn ? key : '', language],
  )
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    // A refused request is an answer like any other; the browser reports it all the same.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) complaints.push(message.text())
  })
  await page.goto(path)
  return { page, complaints, [Symbol.asyncDispose]: () => context.close() }
}

const axeSource = readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')

/** What axe finds against WCAG 2.2 A and AA, one line for each rule and element. */
export async function axeFindings(page: Page): Promise<string[]> {
  // Evaluated over the debugging protocol, which the page's content-security policy does not concern.
  await page.evaluate(await axeSource)
  return page.evaluate(async () => {
    type Result = { violations: { id: string; nodes: { target: string[]; failureSummary?: string }[] }[] }
    const { axe } = globalThis as unknown as { axe: { run(options: object): Promise<Result> } }
    const { violations } = await axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary?.split('\n').slice(1, 3).join(' ').trim()}`),
    )
  })
}

/** How much wider the page is than the screen; 0 when nothing scrolls sideways. */
export const sidewaysPx = (page: Page): Promise<number> =>
  page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth))
