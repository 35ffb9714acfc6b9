import type { Browser } from 'playwright-core'
import { expect, test } from 'vitest'
import { axeFindings, sidewaysPx, visit } from './browser.ts'
import type { TestServer } from './server.ts'

/** What holds of every page: nothing for axe or the browser to complain of, in both themes, and nothing sideways on a phone, in both languages. */
export function testPages(at: () => { browser: Browser; server: TestServer }, pages: readonly (readonly [name: string, path: () => string])[]): void {
  for (const [name, path] of pages) {
    for (const colorScheme of ['light', 'dark'] as const) {
      test(`${name}, ${colorScheme}: axe finds nothing, the browser complains of nothing`, async () => {
        await using v = await visit(at().browser, at().server, path(), { colorScheme })
        await v.page.getByRole('heading').first().waitFor()
        await v.page.waitForLoadState('networkidle').catch(() => {}) // A live page is never idle; what matters is there by then.
        expect(await axeFindings(v.page)).toEqual([])
        expect(v.complaints).toEqual([])
      })
    }

    test(`${name}: nothing scrolls sideways on a phone, in either language`, async () => {
      for (const language of ['en', 'zh'] as const) {
        await using v = await visit(at().browser, at().server, path(), { language, viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true })
        await v.page.getByRole('heading').first().waitFor()
        await v.page.locator('[aria-busy=true]').first().waitFor({ state: 'detached' })
        expect([language, await sidewaysPx(v.page)]).toEqual([language, 0])
      }
    })
  }
}
