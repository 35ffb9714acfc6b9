import { afterAll, expect, test } from 'vitest'
import { openMcpServer, text } from '../../test/support/mcp-server.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { type BedSecret, failureOf, openToolsBed } from '../../test/support/tools-bed.ts'
import { sql } from '../db/index.ts'

const database = await makeDatabase()
afterAll(() => database[Symbol.asyncDispose]())

const bedFor = (server: { url: string; host: string }) =>
  openToolsBed({
    db: database.db,
    privateHosts: [server.host],
    connections: { crm: { kind: 'mcp', url: server.url, headers: { Authorization: { secret: 'crm', prefix: 'Bearer ' }, 'x-team': 'sales' } } },
  })
const usesOf = (tenantId: string) =>
  database.owner.rows<{ outcome: string; detail: { runId?: string; purpose: string } }>(
    sql`select outcome, detail from audit_notes where tenant_id = ${tenantId} and action = 'secrets.use' order by id`,
  )

test('a secret goes into the header of its own server, a new version at once, and each use is in the audit log with its run', async () => {
  await using server = await openMcpServer({ tools: [{ name: 'find', call: () => text('ok') }] })
  await using bed = await bedFor(server)
  await bed.setSecret('crm', { value: 'first-secret', hosts: ['127.0.0.1'] })
  await bed.call('crm__find')
  expect(server.state.requests.at(-1)?.headers.get('authorization')).toBe('Bearer first-secret')
  expect(server.state.requests.at(-1)?.headers.get('x-team')).toBe('sales')
  await bed.setSecret('crm', { value: 'the-second-secret', agents: ['helper'] }) // Its hosts stay.
  await bed.call('crm__find')
  expect(server.state.requests.at(-1)?.headers.get('authorization')).toBe('Bearer the-second-secret')
  const uses = await usesOf(bed.run.tenantId)
  expect(uses.at(-1)).toMatchObject({ outcome: 'done', detail: { runId: bed.run.id, purpose: expect.stringContaining('127.0.0.1') } })
})

test.each<[string, BedSecret | undefined, object, string]>([
  [
    'another host',
    { value: 'hush', hosts: ['crm.example.com'] },
    { code: 'secret_refused', message: expect.stringContaining('may not be sent to 127.0.0.1. Its hosts are: crm.example.com.') },
    'refused',
  ],
  ['no host', { value: 'hush' }, { code: 'secret_refused', message: expect.stringContaining('longhaul secrets set crm --host 127.0.0.1') }, 'refused'],
  [
    'another agent',
    { value: 'hush', hosts: ['127.0.0.1'], agents: ['analyst'] },
    { code: 'secret_refused', message: expect.stringContaining('not for the agent helper') },
    'refused',
  ],
  ['nobody, since it is not there', undefined, { code: 'secret_missing', message: expect.stringContaining('longhaul secrets set crm') }, 'failed'],
])('a secret for %s is not sent, nothing of it is told, and the attempt is in the audit log', async (_, secret, wanted, outcome) => {
  await using server = await openMcpServer({ tools: [] })
  await using bed = await bedFor(server)
  if (secret) await bed.setSecret('crm', secret)
  const failure = await failureOf(bed.connect('crm'))
  expect(failure).toMatchObject({ ...wanted, retryable: false })
  expect(JSON.stringify(failure)).not.toContain('hush')
  expect(server.state.requests).toEqual([])
  expect(await usesOf(bed.run.tenantId)).toMatchObject([{ outcome }])
})

test('the secret of another tenant is none', async () => {
  await using server = await openMcpServer({ tools: [{ name: 'find', call: () => text('ok') }] })
  await using owner = await bedFor(server)
  await owner.setSecret('crm', { value: 'hush', hosts: ['127.0.0.1'] })
  await using stranger = await bedFor(server)
  expect(await failureOf(stranger.connect('crm'))).toMatchObject({ code: 'secret_missing' })
  expect((await owner.connect('crm')).tools).toHaveLength(1)
})

test('a redirect does not carry it elsewhere', async () => {
  await using other = await openMcpServer({ tools: [] })
  await using server = await openMcpServer({ tools: [] })
  server.state.intercept = () => new Response(null, { status: 307, headers: { location: other.url } })
  await using bed = await bedFor(server)
  await bed.setSecret('crm', { value: 'hush', hosts: ['127.0.0.1'] })
  await failureOf(bed.connect('crm'))
  expect(server.state.requests.length).toBeGreaterThan(0)
  expect(other.state.requests).toEqual([])
})
