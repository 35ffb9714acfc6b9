import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type FakeApi, startFakeApi } from './support/fake-api.ts'
import { command } from './support/run-command.ts'

const secret = (name: string, more: object = {}) => ({
  name,
  description: '',
  hosts: ['crm.example.com'],
  agents: null,
  version: 1,
  createdAt: '2026-11-21T03:00:00.000Z',
  createdBy: 'first',
  lastUsedAt: null,
  useCount: 0,
  ...more,
})

const bodiesOf = ({ requests }: FakeApi) => requests.map(({ path, body }) => [path, body])

test('a secret is set with the hosts and agents that are said, and only those', async () => {
  await using api = await startFakeApi({ answers: { 'secrets.set': secret('crm') } })
  const set = await command(api, ['secrets', 'set', 'crm', '--host', 'a.example.com', '--host', '*.b.example.com', '--agent', 'support'], { stdin: 'hush' })
  expect(set).toMatchObject({ exit: 0, out: expect.not.stringContaining('hush') })
  await command(api, ['secrets', 'set', 'crm'], { stdin: 'hush' })
  await command(api, ['secrets', 'set', 'crm', '--every-agent'], { stdin: 'hush' })
  expect(bodiesOf(api)).toEqual([
    ['/v1/secrets/crm', { value: 'hush', hosts: ['a.example.com', '*.b.example.com'], agents: ['support'] }],
    ['/v1/secrets/crm', { value: 'hush' }],
    ['/v1/secrets/crm', { value: 'hush', agents: null }],
  ])
  expect(await command(api, ['secrets', 'set', 'crm', '--every-agent', '--agent', 'x'], { stdin: 'hush' })).toMatchObject({ exit: 2 })
})

test('the file that tools had their secrets in is taken over whole, or not at all, and nothing of it is shown', async () => {
  await using api = await startFakeApi({ answers: { 'secrets.set': secret('crm') } })
  const folder = await mkdtemp(join(tmpdir(), 'secrets-'))
  await writeFile(join(folder, 'good.yaml'), 'crm: { value: hush-1, hosts: [crm.example.com] }\nSHOP_KEY: { value: hush-2, hosts: ["*"], agents: [support] }\n')
  await writeFile(join(folder, 'bad.yaml'), 'crm: { value: hush-1, hosts: [crm.example.com] }\nshop: { value: hush-2, host: a.b }\n')
  const bad = await command(api, ['secrets', 'import', 'bad.yaml'], { folder })
  expect(bad).toMatchObject({ exit: 2, err: expect.stringContaining('shop.hosts') })
  expect(await command(api, ['secrets', 'import', 'none.yaml'], { folder })).toMatchObject({ exit: 2, err: expect.stringContaining('ENOENT') })
  expect(api.requests).toEqual([])
  const good = await command(api, ['secrets', 'import', 'good.yaml'], { folder })
  expect(good).toMatchObject({ exit: 0, out: expect.stringContaining('2 stored') })
  expect(bodiesOf(api)).toEqual([
    ['/v1/secrets/crm', { value: 'hush-1', hosts: ['crm.example.com'], agents: null }],
    ['/v1/secrets/SHOP_KEY', { value: 'hush-2', hosts: ['*'], agents: ['support'] }],
  ])
  expect(bad.err + bad.out + good.err + good.out).not.toContain('hush')
})
