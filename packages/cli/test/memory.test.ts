import { expect, test } from 'vitest'
import { startFakeApi } from './support/fake-api.ts'
import { command } from './support/run-command.ts'

const id = '0195e0d6-5c1e-7000-8000-000000000001'
const memory = {
  id,
  agent: 'support',
  kind: 'fact',
  name: 'language',
  text: 'Speaks German',
  labels: ['web:example.com'],
  runId: id,
  createdAt: '2026-11-21T03:00:00.000Z',
  recalledAt: null,
}

test('what agents remember is listed and shown, with what came from outside', async () => {
  await using api = await startFakeApi({ answers: { 'memory.list': { items: [memory], next: id }, 'memory.get': memory } })
  const { out } = await command(api, ['memory', 'list', '--agent', 'support', '--limit', '1'], { columns: 160 })
  expect(out).toMatch(/support +language .* yes +Speaks German/)
  expect(out).toContain(`npx longhaul memory list --cursor ${id}`)
  expect(api.requests[0]?.path).toBe('/v1/memories?limit=1&agent=support')
  expect((await command(api, ['memory', 'get', id])).out).toContain('web:example.com')
  await using empty = await startFakeApi({ answers: { 'memory.list': { items: [], next: null } } })
  expect((await command(empty, ['memory', 'list'])).out).toContain('No agent remembers anything of you.')
})

test('one is erased by its id, all only when that is said', async () => {
  await using api = await startFakeApi({ answers: { 'memory.erase': { id }, 'memory.eraseAll': { count: 2 } } })
  expect(await command(api, ['memory', 'erase'])).toMatchObject({ exit: 2, err: expect.stringContaining('--all') })
  expect(await command(api, ['memory', 'erase', id, '--all'])).toMatchObject({ exit: 2 })
  expect(await command(api, ['memory', 'erase', id, '--agent', 'support'])).toMatchObject({ exit: 2 })
  expect(api.requests).toEqual([])
  expect((await command(api, ['memory', 'erase', id])).out).toContain('is erased')
  expect((await command(api, ['memory', 'erase', '--all', '--agent', 'support'])).out).toContain('2 memories erased')
  expect(api.requests.map(({ method, path, body }) => [method, path, body])).toEqual([
    ['DELETE', `/v1/memories/${id}`, undefined],
    ['POST', '/v1/memories/erase', { agent: 'support' }],
  ])
})
