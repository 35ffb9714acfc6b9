/** Webhooks as they come over HTTP, on a real database: what is signed starts a run or becomes a signal, once, and nothing else does anything. */
import { createHmac } from 'node:crypto'
import { ErrorBody, type Hook, type HookDelivery, type Run } from '@longhaul/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sql } from '../src/db/index.ts'
import { newId } from '../src/kernel/index.ts'
import { type Bed, type BedCaller, openBed } from './support/api-bed.ts'

let bed: Bed
let acme: BedCaller
let globex: BedCaller

beforeAll(async () => {
  bed = await openBed({
    draws: ({ run }) => [{ type: 'run.completed', run, output: null }],
    listens: ({ run }) => [
      { type: 'op.wait', run, op: '0', kind: 'signal', name: 'paid', timeoutMs: null },
      { type: 'run.idle', run, ops: ['0'] },
    ],
  })
  await bed.deploy('globex')
  acme = await bed.caller('acme-boss', { personalData: true })
  globex = await bed.caller('globex-boss', { personalData: true }, { tenantId: 'globex' })
  await acme.ask('POST', '/v1/secrets/token', { value: 'the secret of acme' })
  await globex.ask('POST', '/v1/secrets/token', { value: 'the secret of globex' })
})
afterAll(() => bed[Symbol.asyncDispose]())

type Setting = Record<string, unknown>
/** A hook of a name of its own. */
async function set(setting: Setting = {}, caller = acme): Promise<Hook> {
  const response = await caller.ask('POST', '/v1/hooks', { name: `h-${newId()}`, agent: 'draws', scheme: 'github', secret: 'token', ...setting } as never)
  if (response.status !== 200) throw new Error(await response.text())
  return (await response.json()) as Hook
}
const post = (path: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string>) => bed.app.request(path, { method: 'POST', body, headers })
const hex = (text: string, secret = 'the secret of acme') => createHmac('sha256', secret).update(text).digest('hex')
const github = (path: string, body: string, headers: Record<string, string> = {}) =>
  post(path, body, { 'x-hub-signature-256': `sha256=${hex(body)}`, ...headers })
const seconds = (laterS = 0) => String(Math.floor(Date.now() / 1_000) + laterS)
const slack = (path: string, body: string, at = seconds()) =>
  post(path, body, { 'x-slack-request-timestamp': at, 'x-slack-signature': `v0=${hex(`v0:${at}:${body}`)}` })
const deliveries = async (hook: Hook) => (await acme.read<{ items: HookDelivery[] }>(`/v1/hooks/${hook.name}/deliveries`)).items
const runsOf = async (hook: Hook) =>
  (await acme.read<{ items: Run[] }>('/v1/runs?limit=200')).items.filter(({ input }) => JSON.stringify(input).includes(hook.id))
const codeOf = async (response: Response) => [response.status, ErrorBody.parse(await response.json()).error.code]

test('a signed event starts one run with the setter’s access, however often it comes', async () => {
  const hook = await set({ action: { type: 'start', input: { about: '/id', title: '/issue/title' } } })
  expect(hook.path).toBe(`/hooks/acme/${hook.name}`)
  const body = JSON.stringify({ id: hook.id, issue: { title: 'It is broken' } })
  const answers = await Promise.all([github(hook.path, body, { 'x-github-delivery': 'one' }), github(hook.path, body, { 'x-github-delivery': 'two' })])
  const said = (await Promise.all([...answers, github(hook.path, body)].map(async (response) => (await response).json()))) as {
    outcome: string
    runId: string
  }[]
  expect(said.map(({ outcome }) => outcome).toSorted()).toEqual(['repeated', 'repeated', 'started'])
  expect(new Set(said.map(({ runId }) => runId)).size).toBe(1)
  const runs = await runsOf(hook)
  expect(runs).toMatchObject([
    { agent: 'draws', input: { about: hook.id, title: 'It is broken' }, asker: { id: acme.id, name: 'acme-boss' }, labels: [`hook:${hook.name}`] },
  ])
  const noted = await deliveries(hook)
  expect(noted.map(({ outcome }) => outcome).toSorted()).toEqual(['repeated', 'repeated', 'started'])
  expect(new Set(noted.map((each) => each.runId))).toEqual(new Set([runs[0]?.id]))
})

test('what is not signed right does nothing, looks like no hook at all, and is noted without what it said', async () => {
  const hook = await set()
  const body = JSON.stringify({ id: hook.id, private: 'CANARY' })
  const wrong = await post(hook.path, body, { 'x-hub-signature-256': `sha256=${hex(body, 'a guess')}`, 'x-github-delivery': 'CANARY' })
  const nobodys = await github(`/hooks/acme/${hook.name}x`, body)
  const noTenant = await github(`/hooks/nobody/${hook.name}`, body)
  const texts = await Promise.all([wrong, nobodys, noTenant].map(async (response) => (await response.text()).replace(/"requestId":"[^"]*"/, '')))
  expect([wrong.status, nobodys.status, noTenant.status]).toEqual([401, 401, 401])
  expect(new Set(texts).size).toBe(1)
  expect(await runsOf(hook)).toEqual([])
  const noted = await deliveries(hook)
  expect(noted).toMatchObject([{ outcome: 'refused', reason: 'signature', eventId: null, runId: null }])
  expect(JSON.stringify(noted)).not.toContain('CANARY')
})

test('an old signature and a replay do nothing', async () => {
  const hook = await set({ scheme: 'slack' })
  const body = JSON.stringify({ type: 'event_callback', event_id: 'Ev1', id: hook.id })
  expect(await codeOf(await slack(hook.path, body, seconds(-301)))).toEqual([401, 'unauthenticated'])
  expect(await codeOf(await slack(hook.path, body, seconds(302)))).toEqual([401, 'unauthenticated'])
  expect((await deliveries(hook)).map(({ reason }) => reason)).toEqual(['timestamp', 'timestamp'])
  expect(await (await slack(hook.path, body)).json()).toMatchObject({ outcome: 'started' })
  // The same event, signed at another time and with other words around it, as Slack does when it tries again.
  expect(await (await slack(hook.path, body.replace('}', ',"attempt":2}'), seconds(-5))).json()).toMatchObject({ outcome: 'repeated' })
  expect(await runsOf(hook)).toHaveLength(1)
})

test('a hook belongs to its tenant: another’s secret does not open it, and another’s runs get no signal', async () => {
  const hook = await set({ name: 'same' })
  const other = await set({ name: 'same' }, globex)
  const body = JSON.stringify({ id: hook.id })
  expect((await github(other.path, body)).status).toBe(401)
  expect((await github(hook.path, body)).status).toBe(200)
  const { items } = await globex.read<{ items: Run[] }>('/v1/runs')
  expect(items).toEqual([])

  const run = await acme.start('listens')
  const signals = await set({ name: 'signals', agent: 'listens', action: { type: 'signal', run: '/run', signal: 'paid' } }, globex)
  const told = JSON.stringify({ run: run.id })
  expect(await codeOf(await post(signals.path, told, { 'x-hub-signature-256': `sha256=${hex(told, 'the secret of globex')}` }))).toEqual([404, 'not_found'])
})

test('an event becomes a signal to the run that it names, once, and to runs of the hook’s agent alone', async () => {
  const run = await acme.start('listens')
  const done = await acme.start('draws')
  const hook = await set({ scheme: 'stripe', agent: 'listens', action: { type: 'signal', run: '/data/run', signal: 'paid', payload: '/data/sum' } })
  const stripe = (body: string) => {
    const at = seconds()
    return post(hook.path, body, { 'stripe-signature': `t=${at},v1=${hex(`${at}.${body}`)}` })
  }
  const event = (id: string, runId: string) => JSON.stringify({ id, type: 'paid', data: { run: runId, sum: 12 } })
  expect(await (await stripe(event('evt_1', run.id))).json()).toEqual({ outcome: 'signalled', runId: run.id })
  expect(await (await stripe(event('evt_1', run.id))).json()).toEqual({ outcome: 'repeated', runId: run.id })
  expect(await codeOf(await stripe(event('evt_2', done.id)))).toEqual([404, 'not_found'])
  expect(await codeOf(await stripe(event('evt_3', 'last')))).toEqual([400, 'invalid'])
  expect((await deliveries(hook)).map(({ outcome, reason, eventId }) => [outcome, reason, eventId])).toEqual([
    ['refused', 'mapping', 'evt_3'],
    ['refused', 'not_found', 'evt_2'],
    ['repeated', null, 'evt_1'],
    ['signalled', null, 'evt_1'],
  ])
  await expect.poll(async () => (await acme.read<Run>(`/v1/runs/${run.id}`)).state).toBe('completed')
  expect((await acme.read<Run>(`/v1/runs/${run.id}`)).labels).toEqual([`hook:${hook.name}`])
  const signalled = (await acme.events(run.id)).filter((each) => JSON.stringify(each).includes('12'))
  expect(signalled.length).toBeGreaterThan(0)
})

test('Slack’s challenge is answered once it is signed', async () => {
  const hook = await set({ scheme: 'slack' })
  const body = JSON.stringify({ type: 'url_verification', challenge: 'abc', id: hook.id })
  expect(await (await slack(hook.path, body)).json()).toEqual({ challenge: 'abc' })
  expect((await slack(hook.path, body, seconds(-900))).status).toBe(401)
  expect(await runsOf(hook)).toEqual([])
})

test('a paused hook refuses, other types of events are left, and a ping starts nothing', async () => {
  const hook = await set({ events: ['issues', 'ping'] })
  const event = (n: number) => JSON.stringify({ id: hook.id, n })
  expect(await (await github(hook.path, event(1), { 'x-github-event': 'push' })).json()).toEqual({ outcome: 'left', runId: null })
  expect(await (await github(hook.path, event(2), { 'x-github-event': 'ping' })).json()).toEqual({ outcome: 'left', runId: null })
  await acme.ask('POST', `/v1/hooks/${hook.name}/pause`)
  expect(await codeOf(await github(hook.path, event(3), { 'x-github-event': 'issues' }))).toEqual([409, 'conflict'])
  expect(await runsOf(hook)).toEqual([])
  await acme.ask('POST', `/v1/hooks/${hook.name}/resume`)
  expect(await (await github(hook.path, event(3), { 'x-github-event': 'issues' })).json()).toMatchObject({ outcome: 'started' })
})

test('ten megabytes, text that is no JSON, and a hook whose secret is gone are refused', async () => {
  const hook = await set()
  expect(await codeOf(await post(hook.path, new Uint8Array(10_000_000), { 'content-length': '10000000' }))).toEqual([413, 'too_large'])
  expect(await codeOf(await post(hook.path, new Uint8Array(10_000_000), {}))).toEqual([413, 'too_large'])
  expect(await deliveries(hook)).toEqual([])
  expect(await codeOf(await github(hook.path, '{'))).toEqual([400, 'invalid'])
  await acme.ask('POST', '/v1/secrets/short-lived', { value: 'the secret of acme' })
  const orphan = await set({ secret: 'short-lived' })
  await acme.ask('DELETE', '/v1/secrets/short-lived')
  expect(await codeOf(await github(orphan.path, '{}'))).toEqual([401, 'unauthenticated'])
  expect(await deliveries(orphan)).toMatchObject([{ reason: 'secret' }])
  expect(await deliveries(hook)).toMatchObject([{ reason: 'payload' }])
})

test('whoever is limited to agents sets no hook for others, and a hook needs an agent and a secret that are there', async () => {
  const limited = await bed.caller('limited', { personalData: true }, { agents: ['listens'] })
  const body = { name: 'mine', agent: 'draws', scheme: 'github', secret: 'token' }
  expect((await limited.ask('POST', '/v1/hooks', body)).status).toBe(404)
  const hook = await set()
  expect((await limited.ask('GET', `/v1/hooks/${hook.name}`)).status).toBe(404)
  expect((await limited.ask('DELETE', `/v1/hooks/${hook.name}`)).status).toBe(404)
  expect((await limited.ask('POST', '/v1/hooks', { ...body, name: hook.name, agent: 'listens' })).status).toBe(409)
  expect((await acme.ask('POST', '/v1/hooks', { ...body, agent: 'nobody' })).status).toBe(404)
  expect((await acme.ask('POST', '/v1/hooks', { ...body, secret: 'nothing' })).status).toBe(404)
  const regional = await bed.caller('regional', { personalData: false })
  expect((await regional.ask('GET', `/v1/hooks/${hook.name}`)).status).toBe(404)
})

test('nothing comes in for a tenant that is suspended', async () => {
  const boss = await bed.caller('initech-boss', { personalData: true }, { tenantId: 'initech' })
  await bed.deploy('initech')
  await bed.db.rows(sql`insert into tenants (id) values ('initech') on conflict do nothing`)
  await boss.ask('POST', '/v1/secrets/token', { value: 'the secret of acme' })
  const hook = await set({}, boss)
  expect((await github(hook.path, '{"n":1}')).status).toBe(200)
  await bed.tenants.update({ ...(await bed.keys.authenticate(acme.secret))!, tenantId: 'default' }, 'initech', { isSuspended: true })
  expect((await github(hook.path, '{"n":2}')).status).toBe(401)
})

test('a secret is read with a note in the audit log, and setting a hook is noted', async () => {
  const hook = await set()
  await github(hook.path, '{}')
  await bed.audit.append()
  const entries = await bed.audit.list('acme', { limit: 50 })
  expect(entries).toContainEqual(expect.objectContaining({ action: 'hooks.set', target: hook.name }))
  expect(entries).toContainEqual(
    expect.objectContaining({ action: 'secrets.use', target: 'token', detail: expect.objectContaining({ purpose: `hook ${hook.name}` }) }),
  )
  expect(JSON.stringify(entries)).not.toContain('the secret of acme')
})

test('more than a hook may take in a minute is refused, and of refusals only some are noted', async () => {
  const hook = await set()
  const answers = await Promise.all(Array.from({ length: 80 }, (_, n) => post(hook.path, `${n}`, { 'x-hub-signature-256': 'sha256=0' })))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]))
  expect((await deliveries(hook)).length).toBeLessThan(20)
})

test('a sender who has the secret may not send without end', async () => {
  const hook = await set({ events: ['issues'] })
  const answers = await Promise.all(Array.from({ length: 130 }, (_, n) => github(hook.path, `${n}`, { 'x-github-event': 'push' })))
  const refused = answers.filter(({ status }) => status === 429)
  expect(refused.length).toBeGreaterThan(10)
  expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await github((await set()).path, '{}')).status).toBe(200) // Another hook has its own.
})
