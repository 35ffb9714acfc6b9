/** The API of the real program at its edges: what is refused, with which words, and what a client may rely on. */
import { createClient, streamRun } from '@longhaul/sdk/client'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, makeDatabase } from './support/postgres.ts'
import { type ServerProcess, openServerProcess, until } from './support/server-process.ts'

let database: TestDatabase
let server: ServerProcess
beforeAll(async () => {
  database = await makeDatabase()
  server = await openServerProcess({
    env: { LONGHAUL_DATABASE_URL: database.url, LONGHAUL_AGENTS_DIR: join(import.meta.dirname, 'fixtures/start-agents'), LONGHAUL_BODY_BYTES_MAX: '20000' },
  })
  await server.start()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

async function post(
  body: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; error: { code: string; message: string; requestId: string } | undefined }> {
  const response = await fetch(`${server.url()}/v1/runs`, {
    method: 'POST',
    body,
    headers: { authorization: `Bearer ${server.key()}`, 'content-type': 'application/json', ...headers },
  })
  const { error } = (await response.json()) as { error?: { code: string; message: string; requestId: string } }
  return { status: response.status, error }
}

const completed = (runId: string) =>
  until('the run to complete', 10_000, async () => (await server.client.runs.get({ runId })).state === 'completed' || undefined)

test('bodies that are no JSON, hold what cannot be stored, or are too large are refused with what is wrong; the next one is taken', async () => {
  expect(await post('{"agent": "good", ')).toMatchObject({ status: 400, error: { code: 'invalid', message: expect.stringContaining('not JSON') } })
  expect(await post('[]')).toMatchObject({ status: 400, error: { code: 'invalid' } })
  expect(await post('{"agent":"good","input":"a\\u0000b"}')).toMatchObject({
    status: 400,
    error: { code: 'invalid', message: expect.stringMatching(/input.*U\+0000/) },
  })
  expect(await post('{"agent":"good","input":"\\ud800"}')).toMatchObject({ status: 400, error: { code: 'invalid', message: expect.stringContaining('input') } })
  expect(await post('{"agent":"good","inptu":1}')).toMatchObject({ status: 400, error: { code: 'invalid', message: expect.stringContaining('inptu') } })
  expect(await post(JSON.stringify({ agent: 'good', input: 'x'.repeat(20_001) }))).toMatchObject({
    status: 413,
    error: { code: 'too_large', message: expect.stringContaining('20000') },
  })
  expect(await post(`{"agent":"good","input":${'['.repeat(9_000)}${']'.repeat(9_000)}}`)).toMatchObject({ status: 400, error: { code: 'invalid' } })
  expect(await post(JSON.stringify({ agent: 'good', input: { 'naïve ключ': ['\u{1f600}', -0, 1e-7, { '': null }] } }))).toMatchObject({
    status: 200,
    error: undefined,
  })
})

test('an agent that is not there is named beside those that are', async () => {
  const { status, error } = await post('{"agent":"nobody"}')
  expect(status).toBe(404)
  expect(error?.message).toMatch(/No agent nobody\..*crashes-at-load, good, no-default/)
  expect(await post('{"agent":"good"}', { authorization: 'Bearer lh_wrong' })).toMatchObject({ status: 401, error: { code: 'unauthenticated' } })
})

test('many starts with one idempotency key are one run, and another input under it is a conflict', async () => {
  const start = (input: string) => server.client.runs.start({ agent: 'good', input, idempotencyKey: 'one' })
  const runs = await Promise.all(Array.from({ length: 20 }, () => start('same')))
  expect(new Set(runs.map(({ id }) => id)).size).toBe(1)
  await completed(runs[0]?.id ?? '')
  expect((await start('same')).state).toBe('completed')
  await expect(start('other')).rejects.toMatchObject({ code: 'conflict', status: 409, message: expect.stringContaining(runs[0]?.id ?? '') })
})

test('a cancelled run has ended when the answer comes, stays so, and takes no signal', async () => {
  const { id: runId } = await server.client.runs.start({ agent: 'good', input: { waits: true } })
  expect(await server.client.runs.cancel({ runId, reason: 'no need' })).toMatchObject({ id: runId, state: 'cancelled' })
  expect(await server.client.runs.cancel({ runId })).toMatchObject({ state: 'cancelled' })
  await expect(server.client.runs.signal({ runId, name: 'go' })).rejects.toMatchObject({ code: 'conflict', status: 409 })
  const { items } = await server.client.runs.events({ runId })
  expect(items.at(-1)).toMatchObject({ type: 'run.cancelled', data: { reason: 'no need', by: 'administrator' } })
  expect(items.filter(({ type }) => type === 'run.cancelled')).toHaveLength(1)
})

test('a stream goes on after any event that a client has, also when the run is long over', async () => {
  const { id: runId } = await server.client.runs.start({ agent: 'good', input: 'x' })
  await completed(runId)
  const { items, next } = await server.client.runs.events({ runId })
  expect(next).toBeNull()
  for (let after = -1; after < items.length; after++) {
    const rest = []
    for await (const frame of streamRun(server.client, runId, { after })) rest.push(frame)
    expect(rest).toEqual(items.slice(after + 1))
  }
  const headers = { authorization: `Bearer ${server.key()}`, accept: 'text/event-stream', 'last-event-id': 'three' }
  expect((await fetch(`${server.url()}/v1/runs/${runId}/events`, { headers })).status).toBe(400)
  await expect(server.client.runs.get({ runId: '00000000-0000-7000-8000-000000000000' })).rejects.toMatchObject({ code: 'not_found' })
})

test('a key does no more than it was made for, and its limits go with the runs that it starts', async () => {
  const { secret } = await server.client.keys.create({
    name: 'north',
    permissions: ['runs:write', 'runs:read'],
    access: { regions: ['North'], personalData: false },
  })
  const north = createClient({ url: server.url(), key: secret })
  await expect(north.keys.list({})).rejects.toMatchObject({ code: 'forbidden', status: 403 })
  const { id: runId } = await north.runs.start({ agent: 'good', input: null })
  await completed(runId)
  const run = await north.runs.get({ runId })
  expect(run.asker).toMatchObject({ name: 'north', access: { regions: ['North'], personalData: false } })
  expect(run.output).toMatchObject({ regions: ['North'] })
  await expect(north.runs.start({ agent: 'good', input: 1, idempotencyKey: 'two' })).resolves.toMatchObject({ asker: { name: 'north' } })
})
