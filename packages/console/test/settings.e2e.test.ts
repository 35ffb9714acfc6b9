import { readFile } from 'node:fs/promises'
import { createClient } from '@longhaul/sdk/client'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { axeFindings, openBrowser, visit } from './support/browser.ts'
import { testPages } from './support/pages.ts'
import { startServer } from './support/server.ts'
import type { TestServer } from './support/server.ts'

let server: TestServer
let browser: Browser
const admin = () => createClient({ url: server.url, key: server.key })

beforeAll(async () => {
  server = await startServer()
  browser = await openBrowser()
  await admin().policies.put({
    name: 'standing',
    text: 'forbid (principal, action == Action::"tools.call", resource == Tool::"nothing");',
    description: 'Does no harm.',
  })
  await admin().secrets.set({ name: 'standing', value: 'kept', description: 'Of the tests.' })
  await admin().limits.set({ agent: 'hello', runningMax: 5 })
}, 240_000)

afterAll(async () => {
  await browser?.close()
  await server?.stop()
})

const row = (page: Page, name: string | RegExp) => page.getByRole('row', { name })
const heading = (page: Page, name: string) => page.getByRole('heading', { name, level: 1 }).waitFor()

describe('keys', () => {
  test('made, shown once, used, found in the audit log, and the log verifies', async () => {
    await using v = await visit(browser, server, '/settings/keys')
    await v.page.getByRole('button', { name: 'New key' }).click()
    const dialog = v.page.getByRole('dialog')
    await dialog.getByRole('button', { name: 'New key' }).click()
    await dialog.getByText('Lower-case letters').waitFor() // Nothing was sent, and nothing is lost.
    await dialog.getByLabel('Name', { exact: true }).fill('journey')
    await dialog.getByRole('radio', { name: /Operator/ }).check()
    await v.page.mouse.click(5, 5) // Beside it: what is written stays.
    expect(await dialog.getByLabel('Name', { exact: true }).inputValue()).toBe('journey')
    await dialog.getByRole('checkbox', { name: 'hello' }).check()
    await dialog.getByRole('button', { name: 'New key' }).click()

    const once = v.page.getByRole('dialog', { name: /journey.*is made/ })
    const secret = (await once.getByText(/^lh_/).textContent()) ?? ''
    await v.page.keyboard.press('Escape') // The only copy there is does not go by accident.
    await once.getByRole('checkbox', { name: 'I have kept it' }).check()
    await once.getByRole('button', { name: 'Done' }).click()
    await once.waitFor({ state: 'detached' })
    expect(await v.page.content()).not.toContain(secret)

    const { id: runId } = await createClient({ url: server.url, key: secret }).runs.start({ agent: 'hello', input: 'What time is it in Tokyo?' })
    await expect(createClient({ url: server.url, key: secret }).keys.list()).rejects.toMatchObject({ code: 'forbidden' })

    await v.page.goto('/audit?action=keys.create')
    await row(v.page, /keys\.create/)
      .first()
      .waitFor()
    await v.page.getByRole('combobox', { name: 'Who' }).selectOption({ label: 'journey' })
    await v.page.getByRole('button', { name: 'Clear the filters' }).waitFor()
    await v.page
      .getByRole('textbox', { name: 'What' })
      .or(v.page.getByRole('combobox', { name: 'What' }))
      .fill('')
    await row(v.page, new RegExp(`Refused keys\\.list .* journey`)).waitFor()
    await row(v.page, /Done runs\.start .* journey/)
      .getByRole('button')
      .click()
    await v.page.getByText('All by journey').waitFor()
    await v.page.getByRole('button', { name: 'Verify', exact: true }).click()
    await v.page.getByText(/Verified up to entry \d/).waitFor()
    expect(runId).toMatch(/-/)
    expect(v.complaints).toEqual([])
  })

  test('rotated, the old one works for the overlap; revoked, it does not work any more', async () => {
    const old = await admin().keys.create({ name: 'turning', role: 'viewer' })
    await using v = await visit(browser, server, '/settings/keys')
    await v.page.getByRole('button', { name: 'Rotate turning' }).click()
    await v.page.getByRole('combobox', { name: 'The old one ends' }).selectOption({ label: '1 h' })
    await v.page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click()
    const once = v.page.getByRole('dialog', { name: /turning.*is made/ })
    await once.getByText('The old key still works for 1 h.').waitFor()
    const secret = (await once.getByText(/^lh_/).textContent()) ?? ''
    await once.getByRole('checkbox').check()
    await once.getByRole('button', { name: 'Done' }).click()
    for (const key of [old.secret, secret]) await createClient({ url: server.url, key }).agents.list()

    const before = await v.page.getByRole('button', { name: 'Revoke turning' }).count()
    await v.page.getByRole('button', { name: 'Revoke turning' }).first().click()
    await v.page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
    await expect.poll(() => v.page.getByRole('button', { name: 'Revoke turning' }).count()).toBe(before - 1)
    await expect(createClient({ url: server.url, key: secret }).agents.list()).rejects.toMatchObject({ code: 'unauthenticated' })
  })
})

test('a policy is written, tried as a draft, put in force, and names itself where it refuses', async () => {
  await using v = await visit(browser, server, '/settings/new-policy')
  await v.page.getByLabel('Name', { exact: true }).fill('no-hello')
  const editor = v.page.getByLabel('Policy', { exact: true })
  await editor.fill('forbid (principal, action == Action::"runs.start", resource == Agent::"hello"')
  await v.page.getByRole('button', { name: 'Put in force' }).click()
  await v.page.getByText('It was not put in force').waitFor()
  await editor.fill('forbid (principal, action == Action::"runs.start", resource == Agent::"hello");')

  const tester = v.page.getByRole('region', { name: 'Test' })
  await tester.getByLabel('Action').fill('runs.start')
  await tester.getByLabel('About what').fill('hello')
  await tester.getByLabel('Context (JSON)').fill('{')
  await tester.getByText('This is not a JSON object').waitFor()
  await tester.getByLabel('Context (JSON)').fill('{}')
  await tester.getByRole('button', { name: 'Test' }).click()
  await tester.getByText('Forbidden').waitFor()
  await tester.getByText('no-hello (this text)').waitFor()
  await tester.getByLabel('About what').fill('analyst')
  await tester.getByRole('button', { name: 'Test' }).click()
  await tester.getByText('Allowed').waitFor()
  await admin().runs.start({ agent: 'hello', input: 'Still allowed: a draft forbids nothing.' })

  await v.page.getByRole('button', { name: 'Put in force' }).click()
  await heading(v.page, 'no-hello')
  await expect(admin().runs.start({ agent: 'hello', input: 'x' })).rejects.toMatchObject({
    code: 'forbidden',
    message: expect.stringContaining('forbidden by the policy no-hello'),
  })
  await v.page.goto('/audit?outcome=refused&action=runs.start')
  await row(v.page, /Refused runs\.start/)
    .first()
    .getByRole('button')
    .click()
  await v.page.getByText(/forbidden by the policy no-hello/).waitFor()

  await v.page.goto('/settings/policies/no-hello')
  await v.page.getByRole('button', { name: 'Put out of force' }).click()
  await v.page.getByRole('dialog').getByRole('button', { name: 'Put out of force' }).click()
  await heading(v.page, 'Policies')
  await row(v.page, /no-hello/).waitFor({ state: 'detached' })
  await admin().runs.start({ agent: 'hello', input: 'What time is it in Paris?' })
})

test('a secret is stored, replaced and destroyed, and its value comes back in no answer', async () => {
  await using v = await visit(browser, server, '/settings/secrets')
  const value = 'sk-canary-5f2a'
  const answers: Promise<string>[] = []
  v.page.on('response', (response) => {
    if (response.url().includes('/v1/')) answers.push(response.text().catch(() => ''))
  })
  await v.page.getByRole('button', { name: 'New secret' }).click()
  await v.page.getByLabel('Name', { exact: true }).fill('canary')
  await v.page.getByLabel('Value', { exact: true }).fill(value)
  await v.page.getByRole('button', { name: 'Store' }).click()
  await row(v.page, /canary.* 1 /).waitFor()
  await v.page.getByRole('button', { name: 'New value for canary' }).click()
  await v.page.getByLabel('Value', { exact: true }).fill(`${value}-2`)
  await v.page.getByRole('button', { name: 'Store version 2' }).click()
  await row(v.page, /canary.* 2 /).waitFor()
  await v.page.getByRole('button', { name: 'Versions of canary' }).click()
  await v.page.getByRole('list', { name: 'Versions of canary' }).getByText('v1').waitFor()

  await v.page.getByRole('button', { name: 'Destroy canary' }).click()
  const destroy = v.page.getByRole('dialog').getByRole('button', { name: 'Destroy' })
  expect(await destroy.getAttribute('aria-disabled')).toBe('true')
  await v.page.getByLabel('Write canary to go on').fill('canary')
  await destroy.click()
  await row(v.page, /canary \d/).waitFor({ state: 'detached' })
  expect((await Promise.all(answers)).length).toBeGreaterThan(3)
  expect((await Promise.all(answers)).join('\n')).not.toContain(value)
  expect(await v.page.content()).not.toContain(value)
})

test('limits and quotas: what is no number is said, the rest is kept, and holds', async () => {
  await using v = await visit(browser, server, '/settings/limits')
  await v.page.getByRole('button', { name: 'New limit' }).click()
  const dialog = v.page.getByRole('dialog')
  await dialog.getByRole('combobox', { name: 'Agent' }).selectOption('analyst')
  await dialog.getByLabel('At once').fill('some')
  await dialog.getByText('A number, or nothing').waitFor()
  expect(await dialog.getByRole('button', { name: 'Save' }).getAttribute('aria-disabled')).toBe('true')
  await dialog.getByLabel('At once').fill('3')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await row(v.page, /analyst all all 3/).waitFor()
  await v.page.getByRole('button', { name: 'New namespace' }).click()
  await dialog.getByLabel('Name').fill('staging')
  await dialog.getByLabel('Runs in flight').fill('0')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await row(v.page, /staging 0 \/ 0/).waitFor()
  await expect(admin().runs.start({ agent: 'hello', input: 'x', namespace: 'staging' })).rejects.toMatchObject({ code: 'over_limit' })
  await v.page.getByRole('button', { name: 'Remove the namespace staging' }).click()
  await dialog.getByRole('button', { name: 'Remove' }).click()
  await row(v.page, /staging/).waitFor({ state: 'detached' })
})

test('what somebody else changes while a form is open is shown beside what was written, and is overwritten only then', async () => {
  await admin().namespaces.put({ name: 'shared', description: 'Before', quotas: { runsInFlightMax: 5 } })
  await using v = await visit(browser, server, '/settings/limits')
  await v.page.getByRole('button', { name: 'Change the namespace shared' }).click()
  const dialog = v.page.getByRole('dialog')
  await dialog.getByLabel('Runs in flight').fill('7')
  await admin().namespaces.put({ name: 'shared', description: 'Before', quotas: { runsInFlightMax: 6 } })

  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog
    .getByText(/changed/)
    .first()
    .waitFor()
  const changed = dialog.getByRole('group', { name: 'What somebody else changed' })
  expect(await changed.innerText()).toMatch(/"runsInFlightMax": 5[\s\S]*"runsInFlightMax": 6/)
  expect(await dialog.getByLabel('Runs in flight').inputValue()).toBe('7')
  const found = async () => (await admin().namespaces.list()).items.find(({ name }) => name === 'shared')?.quotas.runsInFlightMax
  expect(await found()).toBe(6)

  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.waitFor({ state: 'detached' })
  expect(await found()).toBe(7)
  await admin().namespaces.delete({ name: 'shared' })
})

describe('the audit log', () => {
  test('is filtered by its address, and goes on to older entries', async () => {
    for (let i = 0; i < 55; i++) await admin().secrets.set({ name: 'counted', value: String(i) })
    await expect.poll(async () => (await admin().audit.list({ action: 'secrets.set', limit: 200 })).items.length).toBeGreaterThan(55)
    await using v = await visit(browser, server, '/audit?action=secrets.set')
    await v.page.getByRole('link', { name: 'Older' }).click()
    await v.page.getByRole('link', { name: 'Newest' }).waitFor()
    await row(v.page, /secrets\.set standing/).waitFor()
    await v.page.goto('/audit?from=2020-01-01&to=2020-01-31')
    await v.page.getByText('No entry is like that').waitFor()
    await v.page.getByRole('link', { name: 'Clear the filters' }).click()
    await row(v.page, /secrets\.set/)
      .first()
      .waitFor()
  })

  test('is saved whole as JSON lines and as OCSF, and a head that was kept verifies', async () => {
    await using v = await visit(browser, server, '/audit')
    const save = async (name: string) => {
      const [file] = await Promise.all([v.page.waitForEvent('download'), v.page.getByRole('button', { name }).click()])
      return (await readFile(await file.path(), 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    }
    const [first, ...entries] = await save('JSON lines')
    expect(first).toMatchObject({ type: 'audit', tenantId: 'default', after: 0 })
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, at) => at + 1))
    const ocsf = await save('OCSF')
    expect(ocsf.length).toBeGreaterThanOrEqual(entries.length)
    expect(ocsf[0]).toMatchObject({ class_uid: 6003, api: { operation: entries[0].action }, metadata: { sequence: 1 }, unmapped: { hash: entries[0].hash } })

    const [head] = await Promise.all([v.page.waitForEvent('download'), v.page.getByRole('button', { name: 'Keep head' }).click()])
    await v.page.getByLabel('File of a head that was kept').setInputFiles(await head.path())
    await v.page.getByText(/Verified, and it goes on from the head at entry/).waitFor()
    await v.page.getByLabel('File of a head that was kept').setInputFiles({ name: 'other.json', mimeType: 'application/json', buffer: Buffer.from('{}') })
    await v.page.getByText('other.json is not a head').waitFor()
  })

  test('that is not what was written says where, and what to do', async () => {
    await using v = await visit(browser, server, '/audit')
    // The server’s own tests change rows; here only its answer is another one.
    await v.page.route('**/v1/audit/verify', async (route) => {
      const response = await route.fetch()
      await route.fulfill({
        response,
        json: { ...(await response.json()), isIntact: false, problem: 'Entry 7 was changed, or one before it: its hash does not fit.' },
      })
    })
    await v.page.getByRole('button', { name: 'Verify', exact: true }).click()
    await v.page.getByText('Entry 7 was changed').waitFor()
    await v.page.getByText('Keep this database as it is').waitFor()
  })
})

describe('a visitor without the right', () => {
  const guarded: [path: string, needs: string, asks: RegExp][] = [
    ['/settings/keys', 'keys:manage', /\/v1\/keys/],
    ['/settings/policies', 'policies:manage', /\/v1\/polic/],
    ['/settings/policies/standing', 'policies:manage', /\/v1\/polic/],
    ['/settings/new-policy', 'policies:manage', /\/v1\/polic/],
    ['/settings/secrets', 'secrets:manage', /\/v1\/secrets/],
    ['/settings/tenants', 'tenants:manage', /\/v1\/tenants/],
    ['/audit', 'audit:read', /\/v1\/audit/],
    ['/sandboxes', 'sandboxes:read', /\/v1\/sandboxes/],
    ['/sandboxes/snapshots', 'sandboxes:read', /\/v1\/snapshots/],
    ['/sandboxes/some', 'sandboxes:read', /\/v1\/sandboxes/],
  ]
  let key: string
  beforeAll(async () => {
    key = (await admin().keys.create({ name: 'only-looks', role: 'viewer' })).secret
  })

  test('sees no link there', async () => {
    await using v = await visit(browser, server, '/settings', { key })
    await heading(v.page, 'Limits') // The first section that is theirs.
    const links = await v.page.getByRole('link').evaluateAll((all) => all.map((link) => link.getAttribute('href')))
    expect(links.filter((href) => guarded.some(([path]) => href?.startsWith(path)))).toEqual([])
    expect(links).toContain('/settings/deliveries')
    await row(v.page, /hello/).first().waitFor()
    expect(await v.page.getByRole('button', { name: /limit|namespace/i }).count()).toBe(0)
  })

  for (const [path, needs, asks] of guarded)
    test(`is told at ${path} what is missing, and nothing is asked of the server`, async () => {
      await using v = await visit(browser, server, '/runs', { key })
      const asked: string[] = []
      v.page.on('request', (request) => asked.push(new URL(request.url()).pathname))
      await v.page.goto(path)
      await v.page.getByText(`This needs the permission ${needs}.`).waitFor()
      await v.page.waitForLoadState('networkidle').catch(() => {}) // The header goes on asking; that is enough time for more.
      expect(asked.filter((each) => asks.test(each))).toEqual([])
      expect(asked.some((each) => each.startsWith('/v1/system'))).toBe(true)
      expect(await v.page.getByRole('main').getByRole('button').count()).toBe(0)
      await using other = await visit(browser, server, path)
      await other.page.getByRole('heading', { level: 1 }).waitFor()
      expect(await other.page.getByText('This needs the permission').count()).toBe(0)
    })
})

describe('every page', () => {
  testPages(
    () => ({ browser, server }),
    [
      ['keys', () => '/settings/keys'],
      ['policies', () => '/settings/policies'],
      ['a policy', () => '/settings/policies/standing'],
      ['a new policy', () => '/settings/new-policy'],
      ['secrets', () => '/settings/secrets'],
      ['limits', () => '/settings/limits'],
      ['deliveries', () => '/settings/deliveries'],
      ['tenants', () => '/settings/tenants'],
      ['audit', () => '/audit'],
    ],
  )

  test('axe finds nothing in the dialogs', async () => {
    const dialogs = [
      ['/settings/keys', 'New key'],
      ['/settings/keys', 'Rotate administrator'],
      ['/settings/secrets', 'New secret'],
      ['/settings/secrets', 'Destroy standing'],
      ['/settings/limits', 'New limit'],
      ['/settings/tenants', 'New tenant'],
    ] as const
    for (const [path, name] of dialogs) {
      await using v = await visit(browser, server, path)
      await v.page.getByRole('button', { name }).click()
      await v.page.getByRole('dialog').waitFor()
      expect([name, await axeFindings(v.page)]).toEqual([name, []])
    }
  })
})
