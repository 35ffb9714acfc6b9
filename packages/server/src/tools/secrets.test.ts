import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openMcpServer, text } from '../../test/support/mcp-server.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { failureOf, openToolsBed } from '../../test/support/tools-bed.ts'

const database = await makeDatabase()
const folder = await mkdtemp(join(tmpdir(), 'secrets-'))
const secretsFile = join(folder, 'secrets.yaml')
afterAll(async () => {
  await rm(folder, { recursive: true })
  await database[Symbol.asyncDispose]()
})

const bedFor = (server: { url: string; host: string }) =>
  openToolsBed({
    db: database.db,
    secretsFile,
    privateHosts: [server.host],
    connections: { crm: { kind: 'mcp', url: server.url, headers: { Authorization: { secret: 'crm', prefix: 'Bearer ' }, 'x-team': 'sales' } } },
  })

test('a secret goes into the header of its own server, and a new one is used as soon as the file has it', async () => {
  await using server = await openMcpServer({ tools: [{ name: 'find', call: () => text('ok') }] })
  await using bed = await bedFor(server)
  await writeFile(secretsFile, 'crm: { value: first-secret, hosts: [127.0.0.1] }')
  await bed.call('crm__find')
  expect(server.state.requests.at(-1)?.headers.get('authorization')).toBe('Bearer first-secret')
  expect(server.state.requests.at(-1)?.headers.get('x-team')).toBe('sales')
  await writeFile(secretsFile, 'crm: { value: the-second-secret, hosts: [127.0.0.1], agents: [helper] }')
  await bed.call('crm__find')
  expect(server.state.requests.at(-1)?.headers.get('authorization')).toBe('Bearer the-second-secret')
})

test.each([
  [
    'another host',
    'crm: { value: hush, hosts: [crm.example.com] }',
    { code: 'secret_refused', message: 'The secret crm may not be sent to 127.0.0.1. Its `hosts` in the secrets file are: crm.example.com.' },
  ],
  [
    'another agent',
    'crm: { value: hush, hosts: ["127.0.0.1"], agents: [analyst] }',
    { code: 'secret_refused', message: expect.stringContaining('not for the agent helper') },
  ],
  ['nobody, since it is not there', '{}', { code: 'secret_missing', message: expect.stringContaining('LONGHAUL_SECRETS_FILE') }],
  ['nobody, since the file is wrong', 'crm: { value: hush, host: a.b }', { code: 'secrets_file', message: expect.stringContaining('crm') }],
])('a secret for %s is not sent, and nothing of it is told', async (_, content, wanted) => {
  await using server = await openMcpServer({ tools: [] })
  await using bed = await bedFor(server)
  await writeFile(secretsFile, content)
  const failure = await failureOf(bed.connect('crm'))
  expect(failure).toMatchObject({ ...wanted, retryable: false })
  expect(JSON.stringify(failure)).not.toContain('hush')
  expect(server.state.requests).toEqual([])
})

test('a redirect does not carry it elsewhere', async () => {
  await writeFile(secretsFile, 'crm: { value: hush, hosts: [127.0.0.1] }')
  await using other = await openMcpServer({ tools: [] })
  await using server = await openMcpServer({ tools: [] })
  server.state.intercept = () => new Response(null, { status: 307, headers: { location: other.url } })
  await using bed = await bedFor(server)
  await failureOf(bed.connect('crm'))
  expect(server.state.requests.length).toBeGreaterThan(0)
  expect(other.state.requests).toEqual([])
})
