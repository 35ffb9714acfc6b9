/** Nobody overwrites what they have not seen: etags of all things that are edited, over HTTP, gRPC and the client. */
import { type EditedThing, editedBy, editedThings, operations } from '@longhaul/protocol'
import { createClient } from '@longhaul/sdk/client'
import type { Json } from '@longhaul/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listenGrpc } from '../src/api/grpc/index.ts'
import { addressCheck } from '../src/api/index.ts'
import { insertVersion } from '../src/agents/version-store.ts'
import { openHolds, sql } from '../src/db/index.ts'
import { silentLog, sleep } from '../src/kernel/index.ts'
import { type Bed, type BedCaller, openBed } from './support/api-bed.ts'
import { type Failed, grpcClient } from './support/grpc-client.ts'

let bed: Bed
let boss: BedCaller
let personId: string

type Edit = { path: string; body: Json }
type Body = { etag?: string; items?: { etag?: string; name?: string; id?: string; namespace?: string | null; agent?: string | null }[] }

beforeAll(async () => {
  bed = await openBed({ mine: () => [] })
  boss = await bed.caller('boss', { personalData: true })
  await boss.ask('POST', '/v1/secrets/signing', { value: 'a'.repeat(40) })
  const invited = (await (await boss.ask('POST', '/v1/people', { email: 'ada@example.com', roles: ['viewer'] })).json()) as { id: string }
  personId = invited.id
  await boss.ask('POST', '/v1/tenants', { id: 'second' })
  await insertVersion(bed.db.forTenant('acme'), 'acme', agent, previewed, Buffer.from(''))
})
afterAll(() => bed[Symbol.asyncDispose]())

const agent = 'mine'
const previewed = '0123456789ab'

/** How each thing is changed, and where it is found afterwards. `n` makes each change another one. */
const edits: Record<string, (n: number) => Edit & { get?: string; list: string; isIt?: (item: NonNullable<Body['items']>[number]) => boolean }> = {
  budget: (n) => ({ path: '/v1/budgets', body: { name: 'b', limit: n }, get: '/v1/budgets/b', list: '/v1/budgets', isIt: named('b') }),
  route: (n) => ({
    path: '/v1/routes',
    body: { name: 'r', description: `${n}`, targets: [{ model: 'openai/gpt-5' }] },
    get: '/v1/routes/r',
    list: '/v1/routes',
  }),
  guardrail: (n) => ({
    path: '/v1/guardrails',
    body: { name: 'g', guards: [{ type: 'size', inputBytesMax: n }] },
    get: '/v1/guardrails/g',
    list: '/v1/guardrails',
  }),
  policy: (n) => ({
    path: '/v1/policies/p',
    body: { text: `// ${n}\nforbid (principal, action == Action::"runs.cancel", resource) when { false };` },
    get: '/v1/policies/p',
    list: '/v1/policies',
  }),
  schedule: (n) => ({
    path: '/v1/schedules',
    body: { name: 's', agent, input: n, calendar: { kind: 'interval', everyMs: 3_600_000 } },
    get: '/v1/schedules/s',
    list: '/v1/schedules',
  }),
  hook: (n) => ({
    path: '/v1/hooks',
    body: { name: 'h', agent, scheme: 'hmac', secret: 'signing', toleranceMs: 10_000 + n },
    get: '/v1/hooks/h',
    list: '/v1/hooks',
  }),
  secret: (n) => ({ path: '/v1/secrets/token', body: { value: `v${n}` }, get: '/v1/secrets/token', list: '/v1/secrets', isIt: named('token') }),
  limit: (n) => ({ path: '/v1/limits', body: { namespace: 'default', runningMax: n }, list: '/v1/limits', isIt: ({ namespace }) => namespace === 'default' }),
  namespace: (n) => ({ path: '/v1/namespaces/prod', body: { description: `${n}` }, list: '/v1/namespaces', isIt: named('prod') }),
  tenant: (n) => ({
    path: '/v1/tenants/second',
    body: { description: `${n}` },
    get: '/v1/tenants/second',
    list: '/v1/tenants',
    isIt: ({ id }) => id === 'second',
  }),
  person: (n) => ({ path: `/v1/people/${personId}`, body: { name: `Ada ${n}` }, list: '/v1/people' }),
  retention: (n) => ({ path: '/v1/retention', body: { namespace: 'default', days: n }, list: '/v1/retention' }),
  preview: (n) => ({
    path: `/v1/agents/${agent}/previews`,
    body: { name: 'pv', version: previewed, keepForMs: 60_000 + n },
    list: `/v1/agents/${agent}/previews`,
  }),
}
const named =
  (wanted: string) =>
  ({ name }: { name?: string }) =>
    name === wanted
/** Its provider is asked before anything is stored; what it has in common with the others is the table alone. */
const notTried = ['sso']

test('the table of edited things names operations that there are, and every thing of it is tried here', () => {
  const ids = new Set(operations.map(({ id }) => id))
  const named = Object.values(editedThings).flatMap(({ read, edits: all, shownBy }: EditedThing) => [read, ...all, ...shownBy])
  expect(named.filter((id) => !ids.has(id))).toEqual([])
  expect(Object.keys(editedThings).toSorted()).toEqual([...Object.keys(edits), ...notTried].toSorted())
  // What is set or put is edited, unless it says otherwise here.
  // A list of prices by day, files, one's own, and two that are one row each and set whole.
  const others = ['models.set', 'sandboxes.write', 'passkeys.rename', 'callPrivacy.set', 'providers.set']
  expect([...ids].filter((id) => /\.(set|put|update|write|rename)$/.test(id) && !editedBy.has(id) && !others.includes(id))).toEqual([])
})

test.each(Object.keys(edits))('a %s has one etag wherever it is answered, and an edit under an older one is refused and changes nothing', async (name) => {
  const edit = edits[name]!
  const send = async (n: number, headers: Record<string, string> = {}) => {
    const { path, body } = edit(n)
    const response = await boss.ask('POST', path, body, headers)
    return {
      status: response.status,
      etag: response.headers.get('etag'),
      body: (await response.json()) as Body & { error?: { code: string; message: string } },
    }
  }
  const { get, list, isIt = () => true } = edit(0)
  const listed = async () => (await boss.read<Body>(list)).items?.find(isIt)?.etag

  const first = await send(1)
  expect(first, JSON.stringify(first.body)).toMatchObject({ status: 200, body: { etag: expect.stringMatching(/^[\w-]{22}$/) } })
  expect(first.etag).toBe(`"${first.body.etag}"`)
  expect(await listed()).toBe(first.body.etag)
  if (get) {
    const response = await boss.ask('GET', get)
    expect(response.headers.get('etag')).toBe(first.etag)
    await response.body?.cancel()
  }
  const second = await send(2, { 'if-match': first.etag! })
  expect(second).toMatchObject({ status: 200 })
  expect(second.body.etag).not.toBe(first.body.etag)

  const late = await send(3, { 'if-match': first.etag! })
  expect(late).toMatchObject({
    status: 412,
    etag: second.etag,
    body: { error: { code: 'precondition_failed', message: expect.stringContaining(second.body.etag!) } },
  })
  expect(await send(3, { 'if-none-match': '*' })).toMatchObject({ status: 412 })
  expect(await listed()).toBe(second.body.etag)
  expect(await send(3, { 'if-match': '*' })).toMatchObject({ status: 200 })
})

test('what is not there matches nothing, and is made only where it is absent', async () => {
  const make = (headers: Record<string, string>) => boss.ask('POST', '/v1/budgets', { name: 'fresh', limit: 1 }, headers)
  expect((await make({ 'if-match': '*' })).status).toBe(412)
  expect((await make({ 'if-match': '"abc"' })).status).toBe(412)
  expect((await make({ 'if-none-match': '*' })).status).toBe(200)
  expect((await make({ 'if-none-match': '*' })).status).toBe(412)
  expect((await boss.ask('DELETE', '/v1/budgets/fresh', undefined, { 'if-match': '"abc"' })).status).toBe(412)
  const { etag } = await boss.read<Body>('/v1/budgets/fresh')
  expect((await boss.ask('GET', '/v1/budgets/fresh', undefined, { 'if-none-match': `"${etag}"` })).status).toBe(304)
  expect((await boss.ask('GET', '/v1/budgets/fresh', undefined, { 'if-none-match': '"abc"' })).status).toBe(200)
  expect((await boss.ask('DELETE', '/v1/budgets/fresh', undefined, { 'if-match': `"abc", W/"${etag}"` })).status).toBe(412) // A weak one is never the same.
  expect((await boss.ask('DELETE', '/v1/budgets/fresh', undefined, { 'if-match': `"abc", "${etag}"` })).status).toBe(200)
  expect((await boss.ask('POST', '/v1/keys', { name: 'k' }, { 'if-match': '*' })).status).toBe(400)
})

test('spending of a budget is no edit of it', async () => {
  await boss.ask('POST', '/v1/budgets', { name: 'spent', limit: 5, unit: 'requests', per: 'total' })
  const { etag } = await boss.read<Body>('/v1/budgets/spent')
  const [budget] = await bed.db.rows<{ id: string }>(sql`select id from budgets where name = 'spent'`)
  await bed.owner.rows(
    sql`insert into budget_counters (tenant_id, budget_id, subject, starts_at, spent, granted) values ('acme', ${budget?.id}, '*', '-infinity', 3, 5)`,
  )
  expect(await boss.read('/v1/budgets/spent')).toMatchObject({ counters: [{ spent: 3 }] })
  expect((await boss.read<Body>('/v1/budgets/spent')).etag).toBe(etag)
})

test('of many who edit at once what they have all read, one succeeds, at whichever server', async () => {
  await boss.ask('POST', '/v1/budgets', { name: 'contested', limit: 1 })
  const { etag } = await boss.read<Body>('/v1/budgets/contested')
  const all = await Promise.all(
    Array.from({ length: 8 }, (_, n) => boss.ask('POST', '/v1/budgets', { name: 'contested', limit: n + 2 }, { 'if-match': `"${etag}"` })),
  )
  expect(all.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([200, 412, 412, 412, 412, 412, 412, 412])

  // Two servers: what one holds the other waits for.
  const [one, other] = [openHolds(bed.db), openHolds(bed.db)]
  let isInside = false
  const inside = async () => {
    expect(isInside).toBe(false)
    isInside = true
    await sleep(5)
    isInside = false
  }
  await Promise.all([one, other, one, other, one, other].map((holds) => holds.during('x', inside)))
  const held = one.during('x', () => sleep(200))
  await expect(openHolds(bed.db, 20).during('x', inside)).rejects.toMatchObject({ code: 'unavailable' })
  await openHolds(bed.db, 20).during('y', inside)
  await held
})

test('the client and gRPC say the same', async () => {
  const client = createClient({ url: 'http://localhost', key: boss.secret, fetch: async (input, init) => bed.app.request(String(input), init) })
  const made = await client.budgets.set({ name: 'typed', limit: 1 }, { ifAbsent: true })
  await expect(client.budgets.set({ name: 'typed', limit: 1 }, { ifAbsent: true })).rejects.toMatchObject({ code: 'precondition_failed', status: 412 })
  const changed = await client.budgets.set({ name: 'typed', limit: 2 }, { ifMatch: made.etag })
  await expect(client.budgets.set({ name: 'typed', limit: 3 }, { ifMatch: made.etag })).rejects.toMatchObject({ code: 'precondition_failed' })
  expect(await client.budgets.get({ name: 'typed' })).toMatchObject({ limit: 2, etag: changed.etag })

  const grpc = await listenGrpc({
    ...{ pipeline: bed.pipeline, checkAddress: addressCheck('127.0.0.1'), host: '127.0.0.1', port: 0, bodyBytesMax: 100_000, connectionsMax: 10 },
    ...{ health: async () => {}, stopping: bed.stopping.signal, log: silentLog },
  })
  const remote = await grpcClient(grpc.url)
  const set = (etag: string | undefined) =>
    remote.call('longhaul.v1.BudgetsService/Set', { name: 'typed', limit: 4 }, { key: boss.secret, metadata: { 'if-match': `"${etag}"` } })
  expect(await set(made.etag).catch((error: Failed) => error)).toMatchObject({ code: 10, detail: { code: 'precondition_failed' } })
  expect((await set(changed.etag)).output).toMatchObject({ limit: 4, etag: expect.stringMatching(/^[\w-]{22}$/) })
  remote.close()
  await grpc.stop()
})
