/** Keys of tenants: whose calls they are used for, that they share the load and can be changed, and that they are nowhere else. */
import { expect, test } from 'vitest'
import { openFacesBed } from '../../test/support/faces-bed.ts'
import { canaryKey } from '../../test/support/fake-gateway.ts'
import { type FakeRequest, startFakeProvider } from '../../test/support/fake-provider.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { identifier, sql } from '../db/index.ts'
import { type Caller, openSecrets, openTenantKeys } from '../identity/index.ts'
import { secretBytes, silentLog } from '../kernel/index.ts'
import { openCallLog } from './calls/call-log.ts'
import { openTenantProviders } from './tenant-providers.ts'

const admin: Caller = { tenantId: 'acme', askerId: undefined, keyId: 'admin', name: 'admin', permissions: [], access: { personalData: true } }
const chat = { model: 'mistral/m', messages: [{ role: 'user', content: 'Hello' }] }
const path = '/openai/v1/chat/completions'
const keyOf = ({ headers }: FakeRequest) => headers.authorization?.replace('Bearer ', '')

async function openBed() {
  const database = await makeDatabase()
  const { db } = database
  const masterKeys = { current: secretBytes(32) }
  const secrets = openSecrets({ db, masterKeys, log: silentLog })
  const vendor = await startFakeProvider([{ text: ['Hi'] }])
  const options = { db, secrets, baseUrls: { mistral: vendor.compatibleUrl }, log: silentLog }
  const providers = openTenantProviders(options)
  const callLog = openCallLog({ db, keys: openTenantKeys({ db, masterKeys, log: silentLog }), log: silentLog })
  const bed = await openFacesBed([{ text: ['Hi'] }], { tenantProviders: providers.of, callLog })
  return {
    ...bed,
    ...{ db, secrets, vendor, providers, options, callLog },
    setSecret: (name: string, value: string, more: object = {}) => secrets.set(admin, { name, value, ...more }),
    async ask(more: object = {}, headers: Record<string, string> = {}) {
      const answer = await bed.post(path, { ...chat, ...more }, headers)
      return { status: answer.status, text: await answer.text() }
    },
    async [Symbol.asyncDispose]() {
      await bed[Symbol.asyncDispose]()
      await callLog.stop()
      await vendor[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

test('a tenant’s keys are used for its calls alone, share the load, and change with their secrets', async () => {
  await using t = await openBed()
  expect(await t.ask()).toMatchObject({ status: 404 }) // The server has no key of this one.
  await t.setSecret('one', 'sk-tenant-one')
  await t.setSecret('two', 'sk-tenant-two')
  await t.providers.set(admin, { name: 'mistral', secrets: ['one', 'two'] })
  for (let i = 0; i < 4; i++) expect(await t.ask({ stream: i % 2 === 0 })).toMatchObject({ status: 200 })
  expect(t.vendor.requests.map(keyOf)).toEqual(['sk-tenant-one', 'sk-tenant-two', 'sk-tenant-one', 'sk-tenant-two'])
  // Another face is translated, with the same keys.
  const messages = await t.post('/anthropic/v1/messages', { ...chat, max_tokens: 5 })
  expect([messages.status, t.vendor.requests.map(keyOf).at(-1)]).toEqual([200, 'sk-tenant-one'])
  await messages.text()
  expect(await t.ask({}, { authorization: 'Bearer lh_foreign' })).toMatchObject({ status: 404 })
  const { data } = (await (await fetch(`${t.url}/openai/v1/models`, { headers: { authorization: 'Bearer lh_caller' } })).json()) as { data: { id: string }[] }
  expect(data.map(({ id }) => id)).toContain('mistral/mistral-large-latest')
  // A new version of a secret counts within seconds, here and at another server.
  const other = openTenantProviders(t.options)
  expect((await other.of('acme')).get('mistral')?.secrets).toEqual(['sk-tenant-one', 'sk-tenant-two'])
  await t.setSecret('one', 'sk-tenant-new')
  await expect.poll(async () => (await other.of('acme')).get('mistral')?.secrets, { timeout: 6_000 }).toEqual(['sk-tenant-new', 'sk-tenant-two'])
  await expect.poll(async () => (await t.ask(), t.vendor.requests.map(keyOf).at(-1)), { timeout: 6_000 }).toBe('sk-tenant-new')
  await t.providers.delete(admin, 'mistral')
  expect(await t.ask()).toMatchObject({ status: 404 })
})

test('they go before the server’s key of the same provider, and where they cannot be had nothing is called at the server’s expense', async () => {
  await using t = await openBed()
  const ask = () => t.ask({ model: 'openai/m' })
  await using vendor = await startFakeProvider([{ text: ['Hi'] }])
  const providers = openTenantProviders({ ...t.options, baseUrls: { openai: vendor.baseUrls.openai } })
  await using bed = await openFacesBed([{ text: ['Hi'] }], { tenantProviders: providers.of })
  const send = async () => {
    const answer = await bed.post('/openai/v1/responses', { model: 'openai/m', input: 'Hello' })
    return { status: answer.status, text: await answer.text() }
  }
  expect(await send()).toMatchObject({ status: 200 })
  expect(bed.fake.requests.map(({ key }) => key)).toEqual([canaryKey]) // The control: the server’s own.
  await t.setSecret('mine', 'sk-tenant-mine')
  await providers.set(admin, { name: 'openai', secrets: ['mine'] })
  expect(await send()).toMatchObject({ status: 200 })
  expect(vendor.requests.map(({ key }) => key)).toEqual(['sk-tenant-mine'])
  await t.secrets.delete(admin, 'mine')
  await expect.poll(send, { timeout: 6_000 }).toMatchObject({ status: 502, text: expect.stringContaining('No secret mine') as string })
  expect(await providers.list('acme')).toMatchObject([{ name: 'openai', problem: expect.stringContaining('No secret mine') as string }])
  expect(bed.fake.requests).toHaveLength(1)
  expect(await ask()).toMatchObject({ status: 502 }) // And so at every server.
})

test('a key is in no answer, log, list or table, also when the provider repeats it', async () => {
  await using t = await openBed()
  const key = 'sk-tenant-canary-0123456789'
  await using vendor = await startFakeProvider([{ status: 401, error: { type: 'authentication_error', message: `Incorrect API key provided: ${key}.` } }])
  const providers = openTenantProviders({ ...t.options, baseUrls: { mistral: vendor.compatibleUrl } })
  await using bed = await openFacesBed([{ text: ['Hi'] }], { tenantProviders: providers.of, callLog: t.callLog })
  await t.setSecret('mine', key)
  const said = [JSON.stringify(await providers.set(admin, { name: 'mistral', secrets: ['mine'] }))]
  for (const [to, more] of [
    [path, {}],
    ['/anthropic/v1/messages', { max_tokens: 5 }],
  ] as const) {
    const answer = await bed.post(to, { ...chat, ...more })
    expect(answer.status).toBe(502)
    said.push(JSON.stringify([...answer.headers]), await answer.text())
  }
  expect(vendor.requests.map(keyOf)).toContain(key) // The control: it was sent.
  await t.callLog.stop()
  said.push(JSON.stringify(bed.lines), JSON.stringify(await providers.list('acme')))
  for (const table of ['providers', 'calls', 'audit_notes', 'secrets', 'call_texts'])
    said.push(JSON.stringify(await t.db.rows(sql`select row_to_json(t)::text as row from (select * from ${identifier(table)}) t`)))
  expect(said.join('\n')).toContain('providers.set')
  expect(said.join('\n')).not.toContain(key)
  expect(said.join('\n')).not.toContain(Buffer.from(key).toString('hex'))
})

test('what cannot be right is refused: vendors, addresses of others, secrets that are for something else', async () => {
  await using t = await openBed()
  await t.setSecret('mine', 'sk-mine')
  await t.setSecret('for-tools', 'x', { hosts: ['api.stripe.com'] })
  await t.setSecret('for-agents', 'x', { agents: ['analyst'] })
  const set = (name: string, more: object = {}) => t.providers.set(admin, { name, secrets: ['mine'], ...more })
  await expect(set('nobody')).rejects.toThrow('no provider "nobody"')
  await expect(set('openai', { secrets: ['gone'] })).rejects.toMatchObject({ code: 'not_found' })
  await expect(set('openai', { secrets: ['for-tools'] })).rejects.toThrow('hosts')
  await expect(set('openai', { secrets: ['for-agents'] })).rejects.toThrow('agents')
  for (const baseUrl of [
    'https://127.0.0.1/v1',
    'https://evil.example.com/v1',
    'https://openai.azure.com.evil.example.com',
    'https://a:b@x.openai.azure.com',
    'https://x.openai.azure.com:8443',
  ])
    await expect(set('azure', { baseUrl })).rejects.toMatchObject({ code: 'invalid' })
  await expect(set('azure')).rejects.toThrow('address of your own')
  await expect(set('openai', { baseUrl: 'https://api.mistral.ai/v1' })).rejects.toMatchObject({ code: 'invalid' })
  expect(await set('azure', { baseUrl: 'https://mine.openai.azure.com/openai/v1' })).toMatchObject({ name: 'azure', problem: null })
  expect(await set('openai')).toMatchObject({ problem: null })
})
