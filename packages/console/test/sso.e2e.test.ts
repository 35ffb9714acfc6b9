/** Single sign-on in a real browser: set in the console, at a real OpenID provider, back to the page that was wanted. */
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientSecret, openProvider } from '../../server/test/support/openid-provider.ts'
import { axeFindings, openBrowser, visit } from './support/browser.ts'
import { startServer } from './support/server.ts'
import type { TestServer } from './support/server.ts'

let server: TestServer
let browser: Browser
let provider: Awaited<ReturnType<typeof openProvider>>

beforeAll(async () => {
  server = await startServer({ settings: { LONGHAUL_SSO_PRIVATE_HOSTS: '127.0.0.1' } })
  provider = await openProvider([`${server.url}/sign-in/return`])
  browser = await openBrowser()
})
afterAll(async () => {
  await browser?.close()
  await provider?.[Symbol.asyncDispose]()
  await server?.stop()
})

test('an administrator sets it, and somebody new signs in and lands on the page that was wanted', async () => {
  await using admin = await visit(browser, server, '/settings/people')
  const { page } = admin
  await page.getByText(`${server.url}/sign-in/return`).waitFor()
  await page.getByRole('button', { name: 'Set up' }).click()
  await page.getByLabel('Issuer').fill(provider.issuer)
  await page.getByLabel('Client ID').fill('longhaul')
  await page.getByLabel('Client secret').fill(clientSecret)
  await page.getByLabel('Scopes besides openid').fill('email, profile, groups')
  await page.getByLabel('Claim for roles').fill('groups')
  await page.getByLabel('What its values come to').fill('platform = developr')
  expect(await page.getByRole('button', { name: 'Save' }).getAttribute('aria-disabled')).toBe('true')
  await page.getByLabel('What its values come to').fill('platform = developer, approver')
  await page.getByLabel('Let in whoever').check()
  expect(await axeFindings(page)).toEqual([])
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText(provider.issuer).waitFor()
  expect(admin.complaints).toEqual([])

  provider.become({ sub: 'ada', email: 'ada@example.com', email_verified: true, name: 'Ada', groups: ['platform'] })
  await using v = await visit(browser, server, '/runs', { isSignedIn: false })
  await v.page.getByRole('button', { name: 'Single sign-on' }).click()
  await v.page.getByRole('heading', { name: 'Runs', level: 1 }).waitFor()
  expect(v.page.url()).toBe(`${server.url}/runs`)
  expect((await v.page.context().cookies()).filter(({ domain }) => domain === '127.0.0.1').map(({ name }) => name)).not.toContain('__Host-longhaul-sso')
  await v.page.goto('/me')
  await v.page.getByText('ada@example.com').first().waitFor()

  provider.become({ sub: 'eve', email: 'eve@example.com', email_verified: true, groups: [] })
  await using w = await visit(browser, server, '/sign-in', { isSignedIn: false })
  await w.page.getByRole('button', { name: 'Single sign-on' }).click()
  await w.page.getByText('comes to no role here').waitFor()
  expect(new URL(w.page.url()).search).toBe('') // Neither code nor state is left in the address.
  await w.page.getByRole('link', { name: 'Sign in another way' }).click()
  await w.page.getByRole('heading', { name: 'Sign in' }).waitFor()
})
