/** People in a real browser: the link, the password, the second factor, what other sites can do, and what a planted cookie is worth. */
import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { axeFindings, openBrowser, sidewaysPx, visit } from './support/browser.ts'
import { startServer } from './support/server.ts'
import type { TestServer } from './support/server.ts'

let server: TestServer
let browser: Browser
const password = 'correct horse battery staple'

beforeAll(async () => {
  server = await startServer()
  browser = await openBrowser()
})
afterAll(async () => {
  await browser?.close()
  await server?.stop()
})

let count = 0
async function invite(roles: string[]): Promise<{ email: string; link: string }> {
  const email = `person-${count++}@example.com`
  const response = await fetch(`${server.url}/v1/people`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.key}` },
    body: JSON.stringify({ email, roles }),
  })
  return { email, link: ((await response.json()) as { link: string }).link }
}
async function join(page: Page): Promise<void> {
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByLabel('The same again').fill(password)
  await page.getByRole('button', { name: 'Set the password and sign in' }).click()
  await page.getByRole('heading', { name: 'Ask' }).waitFor()
}
async function signIn(page: Page, email: string): Promise<void> {
  await page.getByLabel('E-mail').fill(email)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}
const loginCookie = async (page: Page) => (await page.context().cookies()).find(({ name }) => name === '__Host-longhaul')

/** What an authenticator shows. The server's own code for it has the RFC's vectors. */
function codeOf(secret: string, later = 0): string {
  const bits = [...secret.replaceAll(' ', '')].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('')
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + later))
  const mac = createHmac('sha1', Buffer.from((bits.match(/.{8}/g) ?? []).map((eight) => Number.parseInt(eight, 2))))
    .update(counter)
    .digest()
  return String((mac.readUInt32BE((mac.at(-1) ?? 0) & 15) & 0x7fff_ffff) % 1_000_000).padStart(6, '0')
}

test('an invited person sets a password, is signed in by a cookie that scripts do not see, signs out and in again', async () => {
  const { email, link } = await invite(['developer'])
  await using v = await visit(browser, server, link, { isSignedIn: false })
  await v.page.getByText('For person-').waitFor()
  expect(await axeFindings(v.page)).toEqual([])
  await join(v.page)
  expect(await loginCookie(v.page)).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Strict', path: '/', domain: '127.0.0.1' })
  expect(await v.page.evaluate(() => document.cookie)).toBe('')
  await v.page.reload()
  await v.page.getByRole('heading', { name: 'Ask' }).waitFor()
  await v.page.getByRole('button', { name: 'Settings' }).click()
  await v.page.getByRole('button', { name: 'Sign out' }).click()
  await v.page.getByRole('heading', { name: 'Sign in' }).waitFor()
  expect(await loginCookie(v.page)).toBe(undefined)
  expect(await axeFindings(v.page)).toEqual([])
  await v.page.goto('/runs')
  await v.page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await signIn(v.page, email)
  await v.page.getByRole('heading', { name: 'Runs', level: 1 }).waitFor() // The page that was wanted.
  expect(v.complaints).toEqual([])
})

test('a cookie that somebody planted before is not the one that is signed in afterwards', async () => {
  const { link, email } = await invite(['viewer'])
  await using v = await visit(browser, server, link, { isSignedIn: false })
  const planted = 'p'.repeat(43)
  await v.page.context().addCookies([{ name: '__Host-longhaul', value: planted, url: server.url.replace('http:', 'https:'), secure: true, httpOnly: true }])
  await join(v.page)
  const first = (await loginCookie(v.page))?.value
  expect(first).not.toBe(planted)
  const asPlanted = (value: string) => fetch(`${server.url}/v1/me`, { headers: { cookie: `__Host-longhaul=${value}` } })
  expect((await asPlanted(planted)).status).toBe(401)
  expect((await asPlanted(first ?? '')).status).toBe(200) // The control.
  await v.page.goto('/sign-in')
  await signIn(v.page, email)
  await v.page.getByRole('heading', { name: 'Ask' }).waitFor()
  expect((await loginCookie(v.page))?.value).not.toBe(first)
})

test('another site can neither act as a visitor who is signed in, nor sign a visitor in', async () => {
  const { link } = await invite(['developer'])
  await using v = await visit(browser, server, link, { isSignedIn: false })
  await join(v.page)
  const me = await v.page.evaluate(async () => (await fetch('/v1/me')).json() as Promise<{ person: { id: string } }>)
  const runsOf = async () => {
    const response = await fetch(`${server.url}/v1/runs`, { headers: { authorization: `Bearer ${server.key}` } })
    return ((await response.json()) as { items: { asker: { id: string } }[] }).items.filter(({ asker }) => asker.id === me.person.id).length
  }
  // Of another name, and so another site; on the same name with another port, and so the same site, which SameSite lets through.
  const evil = createServer((_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>evil</title>'))
  await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve))
  const { port } = evil.address() as AddressInfo
  try {
    for (const host of ['localhost', '127.0.0.1']) {
      await v.page.goto(`http://${host}:${port}/`)
      await v.page.evaluate(async (url) => {
        const body = JSON.stringify({ agent: 'analyst', input: 'evil' })
        await fetch(`${url}/v1/runs`, { method: 'POST', credentials: 'include', mode: 'no-cors', body }).catch(() => {})
      }, server.url)
      // A form needs no script: its one field is JSON with a tail.
      const answered = v.page.waitForResponse(`${server.url}/v1/runs`)
      await v.page.evaluate((url) => {
        const form = document.createElement('form')
        Object.assign(form, { method: 'POST', action: `${url}/v1/runs`, enctype: 'text/plain' })
        const field = document.createElement('input')
        Object.assign(field, { name: '{"agent":"analyst","input":"', value: '"}' })
        form.append(field)
        document.body.append(form)
        form.submit()
      }, server.url)
      expect([401, 403]).toContain((await answered).status())
      await v.page.waitForURL(`${server.url}/v1/runs`)
    }
    expect(await runsOf()).toBe(0)
  } finally {
    evil.close()
  }
  // The control: our own page may.
  await v.page.goto('/?agent=analyst')
  await v.page.getByRole('textbox').first().fill('How many customers are there?')
  await v.page.getByRole('button', { name: /^Ask/ }).click()
  await v.page.waitForURL(/\/runs\//)
  expect(await runsOf()).toBe(1)
})

test('an administrator turns on a second factor, gives it where something is sensitive, and invites somebody; a program is let in', async () => {
  const { email, link } = await invite(['administrator'])
  await using v = await visit(browser, server, link, { isSignedIn: false })
  await join(v.page)
  await v.page.goto('/settings/people')
  await v.page.getByRole('button', { name: 'Invite' }).click()
  await v.page.getByLabel('E-mail').fill('new@example.com')
  await v.page.getByLabel('Viewer').check()
  await v.page.getByRole('dialog').getByRole('button', { name: 'Invite' }).click()
  await v.page.getByText('you have none yet').waitFor()
  await v.page.getByRole('link', { name: 'Turn on' }).click()
  await v.page.getByRole('heading', { name: 'Your account' }).waitFor()
  await v.page.getByLabel('Your password', { exact: true }).first().fill(password)
  await v.page.getByRole('button', { name: 'Turn on' }).click()
  const secret = (await v.page.getByLabel('Secret of the authenticator').textContent()) ?? ''
  await v.page.getByLabel('Code', { exact: true }).fill(codeOf(secret, -1))
  await v.page.getByRole('button', { name: 'Confirm' }).click()
  const codes = v.page.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem')
  await codes.first().waitFor()
  expect(await codes.count()).toBe(10)
  expect(await axeFindings(v.page)).toEqual([])

  // Anew: the sign-in asks for it.
  await v.page.context().clearCookies()
  await v.page.goto('/settings/people')
  await signIn(v.page, email)
  await v.page.getByLabel('Code', { exact: true }).fill(codeOf(secret))
  await v.page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await v.page.getByRole('heading', { name: 'People' }).waitFor()
  await v.page.getByRole('button', { name: 'Invite' }).click()
  await v.page.getByLabel('E-mail').fill('new@example.com')
  await v.page.getByLabel('Viewer').check()
  await v.page.getByRole('dialog').getByRole('button', { name: 'Invite' }).click()
  expect(await v.page.getByLabel('Link', { exact: true }).textContent()).toContain('/join#token=')
  await v.page.getByRole('button', { name: 'Close' }).click()
  await v.page.getByText('new@example.com').waitFor()
  expect(await axeFindings(v.page)).toEqual([])

  const started = await fetch(`${server.url}/v1/sign-in/device`, { method: 'POST', body: JSON.stringify({ name: 'a test' }) })
  const device = (await started.json()) as { address: string; userCode: string; deviceCode: string }
  await v.page.goto(device.address)
  await v.page.getByText(device.userCode).waitFor()
  await v.page.getByRole('button', { name: 'Allow' }).click()
  await v.page.getByText('The program goes on by itself').waitFor()
  const polled = await fetch(`${server.url}/v1/sign-in/device/poll`, { method: 'POST', body: JSON.stringify({ deviceCode: device.deviceCode }) })
  expect(await polled.json()).toMatchObject({ state: 'approved', token: expect.stringMatching(/^lp_/) })
  await v.page.goto('/me')
  await v.page.getByRole('list', { name: 'Where you are signed in' }).getByText('a test').waitFor()
  expect(await sidewaysPx(v.page)).toBe(0)
  expect(v.complaints).toEqual([])
})

test('somebody makes a passkey, signs in with it alone and as a second factor, steps up with it, names it and takes it away', async () => {
  const { email, link } = await invite(['administrator'])
  const atName = { ...server, url: server.url.replace('127.0.0.1', 'localhost') } // Passkeys are for names.
  await using v = await visit(browser, atName, link, { isSignedIn: false })
  const devtools = await v.page.context().newCDPSession(v.page)
  await devtools.send('WebAuthn.enable')
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
  await join(v.page)
  await v.page.goto('/me')
  await v.page.getByLabel('Name of the passkey').fill('laptop')
  await v.page.getByLabel('Your password, to add a passkey').fill(password)
  await v.page.getByRole('button', { name: 'Add a passkey' }).click()
  await v.page.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem').first().waitFor()
  const mine = v.page.getByRole('list', { name: 'Passkeys' })
  await mine.getByText('laptop').waitFor()
  expect(await axeFindings(v.page)).toEqual([])
  expect(await sidewaysPx(v.page)).toBe(0)

  await v.page.context().clearCookies()
  await v.page.goto('/sign-in')
  expect(await axeFindings(v.page)).toEqual([])
  await v.page.getByRole('button', { name: 'Sign in with a passkey' }).click()
  await v.page.getByRole('heading', { name: 'Ask' }).waitFor()

  await v.page.context().clearCookies()
  await v.page.goto('/sign-in')
  await signIn(v.page, email)
  await v.page.getByRole('button', { name: 'Use a passkey' }).click()
  await v.page.getByRole('heading', { name: 'Ask' }).waitFor()

  // A login whose second factor was given long ago: the dialog asks, and what was wanted is done.
  await v.page.goto('/me')
  await mine.getByRole('button', { name: 'Rename' }).click()
  await v.page.getByLabel('New name').fill('old laptop')
  await v.page.getByRole('button', { name: 'Save' }).click()
  await mine.getByText('old laptop').waitFor()
  const refusal = { status: 403, json: { error: { code: 'step_up_required', message: 'long ago', requestId: 'r' } } }
  await v.page.route('**/v1/me/passkeys/*', (route) => route.fulfill(refusal), { times: 1 })
  await mine.getByRole('button', { name: 'Remove' }).click()
  await mine.getByRole('button', { name: 'Really remove' }).click()
  await v.page.getByRole('dialog').getByRole('button', { name: 'Use a passkey' }).click()
  await mine.waitFor({ state: 'detached' })

  // Taken away: it opens nothing any more, and the page says so.
  await v.page.context().clearCookies()
  await v.page.goto('/sign-in')
  await v.page.getByRole('button', { name: 'Sign in with a passkey' }).click()
  await v.page.getByText('This passkey is not known here').waitFor()
  expect(v.complaints).toEqual([])
})
