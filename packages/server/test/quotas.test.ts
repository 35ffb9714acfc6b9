/** Quotas of tenants and namespaces: what is allowed starts, one more is `over_limit`, whatever comes at once. */
import { ErrorBody } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { openBed } from './support/api-bed.ts'

type Quotas = Record<string, number>

const openings: Parameters<typeof openBed>[0] = {
  listens: ({ run }) => [
    { type: 'op.wait', run, op: '0', kind: 'signal', name: 'news', timeoutMs: null },
    { type: 'run.idle', run, ops: ['0'] },
  ],
  draws: ({ run }) => [
    {
      type: 'op',
      run,
      op: '0',
      kind: 'artifact',
      name: 'a.txt',
      input: { name: 'a.txt', mediaType: 'text/plain', base64: Buffer.alloc(1_000, 'a').toString('base64') },
      retry: { attemptsMax: 1, delayMsMin: 0, delayMsMax: 0 },
    },
  ],
}

async function open(tenant: Quotas, namespaces: Record<string, Quotas> = {}) {
  const bed = await openBed(openings)
  const installer = await bed.caller('installer', { personalData: true }, { tenantId: 'default' })
  const created = await installer.ask('POST', '/v1/tenants', { id: 'globex', quotas: tenant })
  expect(created.status).toBe(200)
  const { key } = (await created.json()) as { key: { secret: string } }
  await bed.deploy('globex')
  const boss = await bed.caller('boss', { personalData: true }, { tenantId: 'globex' })
  for (const [name, quotas] of Object.entries(namespaces)) await boss.ask('POST', `/v1/namespaces/${name}`, { quotas })
  const start = async (namespace = 'default', agent = 'listens') => {
    const response = await boss.ask('POST', '/v1/runs', { agent, namespace })
    const body = (await response.json()) as { id: string }
    return response.status === 200 ? body.id : ErrorBody.parse(body).error
  }
  return { bed, installer, boss, start, secret: key.secret, [Symbol.asyncDispose]: () => bed[Symbol.asyncDispose]() }
}

test('of forty starts at once as many are accepted as may be in flight, and another one when one has ended', async () => {
  await using t = await open({ runsInFlightMax: 5 })
  const all = await Promise.all(Array.from({ length: 40 }, () => t.start()))
  const started = all.filter((result) => typeof result === 'string')
  expect(started).toHaveLength(5)
  expect(all.find((result) => typeof result !== 'string')).toMatchObject({
    code: 'over_limit',
    message: expect.stringMatching(/tenant globex has 5 runs in flight, and 5 are allowed/),
  })
  await t.boss.ask('POST', `/v1/runs/${started[0]}/cancel`, {})
  expect(await t.start()).toEqual(expect.any(String))
  expect(await t.start()).toMatchObject({ code: 'over_limit' })
})

test('a namespace’s quota holds for it alone, the tenant’s for all of them together', async () => {
  await using t = await open({ runsInFlightMax: 3 }, { dev: { runsInFlightMax: 1 }, prod: {} })
  expect(await t.start('dev')).toEqual(expect.any(String))
  expect(await t.start('dev')).toMatchObject({ code: 'over_limit', message: expect.stringContaining('namespace dev') })
  expect([await t.start('prod'), await t.start('default')]).toEqual([expect.any(String), expect.any(String)])
  expect(await t.start('prod')).toMatchObject({ code: 'over_limit', message: expect.stringContaining('tenant globex') })
  expect(await t.start('nowhere')).toMatchObject({ code: 'not_found' })
  const { items } = await t.boss.read<{ items: { name: string; consumption: { runsInFlight: number } }[] }>('/v1/namespaces')
  expect(items.map(({ name, consumption }) => [name, consumption.runsInFlight])).toEqual([
    ['default', 1],
    ['dev', 1],
    ['prod', 1],
  ])
  expect((await t.boss.ask('DELETE', '/v1/namespaces/prod')).status).toBe(409)
})

test('starts per minute are counted, and a raised quota counts at once', async () => {
  await using t = await open({}, { dev: { startsPerMinuteMax: 2 } })
  expect([await t.start('dev'), await t.start('dev')]).toEqual([expect.any(String), expect.any(String)])
  expect(await t.start('dev')).toMatchObject({ code: 'over_limit', message: expect.stringContaining('within a minute') })
  await t.boss.ask('POST', '/v1/namespaces/dev', { quotas: { startsPerMinuteMax: 3 } })
  expect(await t.start('dev')).toEqual(expect.any(String))
})

test('files are kept up to the tenant’s storage, and not beyond', async () => {
  await using t = await open({ storageBytesMax: 1_500 })
  const ends = [await t.boss.start('draws'), await t.boss.start('draws')]
  expect(ends).toMatchObject([{ state: 'completed' }, { state: 'failed', failure: { code: 'over_limit' } }])
  expect(await t.installer.read('/v1/tenants/globex')).toMatchObject({ consumption: { storageBytes: 1_000 } })
})

test('a new tenant’s key works within it alone, and not while it is suspended', async () => {
  await using t = await open({})
  const ask = (path: string) => t.bed.app.request(path, { headers: { authorization: `Bearer ${t.secret}` } })
  expect((await ask('/v1/keys')).status).toBe(200)
  expect((await ask('/v1/tenants')).status).toBe(403)
  expect((await t.installer.ask('POST', '/v1/tenants', { id: 'globex' })).status).toBe(409)
  await t.installer.ask('POST', '/v1/tenants/globex', { isSuspended: true })
  const refused = await ask('/v1/keys')
  expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('suspended')])
  await t.installer.ask('POST', '/v1/tenants/globex', { isSuspended: false })
  expect((await ask('/v1/keys')).status).toBe(200)
  expect((await t.installer.ask('POST', '/v1/tenants/default', { isSuspended: true })).status).toBe(409)
  await t.bed.audit.append()
  const actions = (await t.bed.audit.list('globex', { limit: 50 })).map(({ action, who }) => [action, who.name])
  expect(actions).toEqual(
    expect.arrayContaining([
      ['tenants.create', 'default/installer'],
      ['tenants.update', 'default/installer'],
    ]),
  )
})

test('sandboxes are made up to the quota, and the tenant’s use says how many there are', async () => {
  await using t = await open({ sandboxesMax: 1 })
  const make = () => t.boss.ask('POST', '/v1/sandboxes', {})
  const first = (await (await make()).json()) as { id: string }
  const refused = await make()
  expect([refused.status, await refused.text()]).toEqual([429, expect.stringContaining('tenant globex has 1 sandboxes, and 1 are allowed')])
  expect(await t.installer.read('/v1/tenants/globex')).toMatchObject({ consumption: { sandboxes: 1 } })
  expect((await t.boss.ask('POST', `/v1/sandboxes/${first.id}/stop`)).status).toBe(200)
  expect((await make()).status).toBe(200)
})

test('requests are let in up to the tenant’s and the namespace’s quota, and each answer says what is left', async () => {
  await using t = await open({ requestsPerMinuteMax: 20 }, { dev: { requestsPerMinuteMax: 2 } })
  const left = ({ headers }: Response) => [headers.get('ratelimit-limit'), headers.get('ratelimit-remaining')]
  const [one, two, three] = [
    await t.boss.ask('GET', '/v1/runs?namespace=dev'),
    await t.boss.ask('GET', '/v1/runs?namespace=dev'),
    await t.boss.ask('GET', '/v1/runs?namespace=dev'),
  ]
  expect([one.status, two.status, three.status]).toEqual([200, 200, 429])
  expect([left(one), left(two)]).toEqual([
    ['2', '1'],
    ['2', '0'],
  ])
  expect(three.headers.get('retry-after')).toMatch(/^(29|30)$/)
  expect(await three.text()).toContain('namespace dev has used up its quota of 2 requests a minute')
  const others = await Promise.all(Array.from({ length: 30 }, () => t.boss.ask('GET', '/v1/runs')))
  const inTenant = others.filter(({ status }) => status === 200)
  expect(inTenant.length).toBeGreaterThan(5)
  expect(inTenant.length).toBeLessThan(20)
  expect(left(inTenant[0]!)[0]).toBe('20')
  expect(await others.find(({ status }) => status === 429)!.text()).toContain('tenant globex has used up its quota of 20 requests a minute')
  expect((await t.installer.ask('GET', '/v1/runs')).status).toBe(200) // Another tenant is not held up.
})
