/** Answers that are given again: to whom, for what, for how long, and that nothing else is. */
import { describe, expect, test } from 'vitest'
import { type FacesBed, openFacesBed } from '../../../test/support/faces-bed.ts'
import type { FakeScript } from '../../../test/support/fake-provider.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { sql } from '../../db/index.ts'
import { silentLog } from '../../kernel/index.ts'
import { openRoutes } from '../routes/routes.ts'
import { openAnswers } from './answers.ts'
import { databaseStore } from './stores.ts'

async function openBed(script: FakeScript) {
  const database = await makeDatabase()
  const answers = openAnswers({ store: databaseStore(database.db), log: silentLog })
  const routes = openRoutes({ db: database.db, log: silentLog })
  const bed = await openFacesBed(script, { answers, pickTargets: routes.pick })
  return {
    ...bed,
    ...{ database, answers, routes },
    /** A server beside this one, with nothing in memory. */
    openSecond: () => openFacesBed(script, { answers: openAnswers({ store: databaseStore(database.db), log: silentLog }), pickTargets: routes.pick }),
    async [Symbol.asyncDispose]() {
      await bed[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

const wish = { 'x-longhaul-cache': 'ttl=60' }
const chat = { model: 'compatible/m', messages: [{ role: 'user', content: 'Hello' }] }
const bodies = {
  '/openai/v1/chat/completions': chat,
  '/openai/v1/responses': { model: 'openai/m', input: 'Hello' },
  '/anthropic/v1/messages': { model: 'anthropic/m', max_tokens: 50, messages: chat.messages },
  '/openai/v1/chat/completions?translated': { ...chat, model: 'anthropic/m' },
}
const pathOf = (name: string) => name.replace('?translated', '')

async function ask(t: Pick<FacesBed, 'post'>, path: string, body: object, headers: Record<string, string> = wish) {
  const answer = await t.post(pathOf(path), body, headers)
  return {
    status: answer.status,
    cache: answer.headers.get('x-longhaul-cache'),
    age: answer.headers.get('age'),
    headers: answer.headers,
    text: await answer.text(),
  }
}

describe.each(Object.entries(bodies))('%s', (path, body) => {
  test.each([false, true])('the same request has the same answer, byte for byte, without a model; streamed: %s', async (stream) => {
    await using t = await openBed([{ text: ['Good ', 'day.'] }])
    const first = await ask(t, path, { ...body, stream })
    const second = await ask(t, path, { stream, ...body })
    expect([first.status, first.cache, second.status, second.cache]).toEqual([200, 'miss', 200, 'hit'])
    expect(second.text).toBe(first.text)
    expect(second.headers.get('content-type')).toBe(first.headers.get('content-type'))
    expect(second.headers.get('x-longhaul-model')).toBe(first.headers.get('x-longhaul-model'))
    expect(second.headers.get('x-request-id')).not.toBe(first.headers.get('x-request-id'))
    expect(second.age).toBe('0')
    expect(t.fake.requests).toHaveLength(1)
    expect(t.booked).toHaveLength(1)
    expect(t.hits).toMatchObject([{ tenantId: 'acme', keyId: 'key-caller', model: body.model }])
    await expect.poll(t.calls).toHaveLength(2)
    expect(t.calls()).toEqual(
      expect.arrayContaining([expect.objectContaining({ cache: 'miss' }), expect.objectContaining({ cache: 'hit', target: body.model })]),
    )
    // What is streamed is not what is whole.
    expect((await ask(t, path, { ...body, stream: !stream })).cache).toBe('miss')
    // Another server finds it in the database.
    await expect.poll(t.calls).toHaveLength(3)
    await using other = await t.openSecond()
    expect(await ask(other, path, { ...body, stream })).toMatchObject({ cache: 'hit', text: first.text })
    expect(other.fake.requests).toHaveLength(0)
  })
})

test('embeddings are kept', async () => {
  await using t = await openBed([
    { json: { object: 'list', data: [{ object: 'embedding', index: 0, embedding: [0.5] }], model: 'm', usage: { prompt_tokens: 2, total_tokens: 2 } } },
  ])
  const body = { model: 'compatible/m', input: 'Hello' }
  expect((await ask(t, '/openai/v1/embeddings', body)).cache).toBe('miss')
  expect((await ask(t, '/openai/v1/embeddings', body)).cache).toBe('hit')
  expect((await ask(t, '/openai/v1/embeddings', { ...body, dimensions: 2 })).cache).toBe('miss')
})

const path = '/openai/v1/chat/completions'

test('a tenant’s answers are its own; its keys share them', async () => {
  await using t = await openBed([{ text: ['Secret of acme.'] }])
  await ask(t, path, chat)
  expect((await ask(t, path, chat, { ...wish, authorization: 'Bearer lh_foreign' })).cache).toBe('miss')
  expect((await ask(t, path, chat, { ...wish, authorization: 'Bearer lh_second' })).cache).toBe('hit')
  expect(t.fake.requests).toHaveLength(2)
  await expect.poll(t.calls).toHaveLength(3)
  await using second = await t.openSecond() // And not through the database either.
  await t.answers.clear('other')
  expect((await ask(second, path, chat, { ...wish, authorization: 'Bearer lh_foreign' })).cache).toBe('miss')
  expect((await ask(second, path, chat)).cache).toBe('hit')
})

test('nothing is kept unasked, and what is another request has another answer', async () => {
  await using t = await openBed([{ text: ['Hi.'] }])
  await ask(t, path, chat, {})
  expect((await ask(t, path, chat, {})).cache).toBe(null)
  expect(t.fake.requests).toHaveLength(2)
  expect((await ask(t, path, chat)).cache).toBe('miss')
  for (const more of [
    { temperature: 0.5 },
    { max_tokens: 100 },
    { seed: 1 },
    { messages: [...chat.messages, ...chat.messages] },
    { model: 'compatible/n' },
    { stream: true },
  ])
    expect((await ask(t, path, { ...chat, ...more })).cache).toBe('miss')
  // Whose call it is, and how it is written, make none.
  const again = `{ "messages": [ {"content":"H\\u0065llo","role":"user"} ], "user":"eva",  "model":"compatible/m" }`
  expect((await (await t.post(path, again, wish)).headers).get('x-longhaul-cache')).toBe('hit')
  expect((await ask(t, path, chat, { 'x-longhaul-cache': 'off' })).cache).toBe(null)
  expect((await ask(t, path, chat, { 'x-longhaul-cache': 'refresh' })).cache).toBe('miss')
})

test('offered tools are not answered from the cache unless that is asked for, nor is what goes on from something at the provider', async () => {
  await using t = await openBed([{ text: ['Hi.'] }])
  const tools = [{ type: 'function', function: { name: 'pay', parameters: { type: 'object' } } }]
  for (let i = 0; i < 2; i++) expect((await ask(t, path, { ...chat, tools })).cache).toBe(null)
  expect(t.fake.requests).toHaveLength(2)
  expect((await ask(t, path, { ...chat, tools }, { 'x-longhaul-cache': 'ttl=60, tools' })).cache).toBe('miss')
  expect((await ask(t, path, { ...chat, tools }, { 'x-longhaul-cache': 'ttl=60, tools' })).cache).toBe('hit')
  expect((await ask(t, path, { ...chat, tools: [] })).cache).toBe('miss')
  for (const more of [{ previous_response_id: 'resp_1' }, { conversation: 'conv_1' }, { background: true }])
    expect((await ask(t, '/openai/v1/responses', { model: 'openai/m', input: 'x', ...more })).cache).toBe(null)
})

test('a route keeps answers as it is told to, and a target that joins it is another question', async () => {
  await using t = await openBed([{ text: ['Hi.'] }])
  const route = { description: '', pick: 'weight' as const, sticky: false, escalate: false, cache: { ttlSeconds: 60, withTools: false } }
  const target = (model: string) => ({ model, weight: 1 })
  await t.routes.set('acme', 'fast', { ...route, targets: [target('compatible/m'), target('openai/m')] })
  const asked = { ...chat, model: 'fast' }
  expect((await ask(t, path, asked, {})).cache).toBe('miss')
  for (let i = 0; i < 8; i++) expect((await ask(t, path, asked, {})).cache).toBe('hit') // Whoever would have been drawn.
  expect((await ask(t, path, asked, { 'x-longhaul-cache': 'off' })).cache).toBe(null)
  await t.routes.set('acme', 'fast', { ...route, targets: [target('compatible/m'), target('openai/m'), target('anthropic/m')] })
  expect((await ask(t, path, asked, {})).cache).toBe('miss')
})

test('it ends: after its time, when it is cleared, and the sweep takes the row', async () => {
  await using t = await openBed([{ text: ['Hi.'] }])
  const { db } = t.database
  const rows = async () => (await db.rows<{ n: number }>(sql`select count(*)::int as n from kept_answers`))[0]?.n
  await ask(t, path, chat, { 'x-longhaul-cache': 'ttl=1' })
  expect((await ask(t, path, chat)).cache).toBe('hit')
  await expect.poll(async () => (await ask(t, path, chat, { 'x-longhaul-cache': 'ttl=1' })).cache, { timeout: 5_000 }).toBe('miss')
  expect(await rows()).toBe(1)
  expect(await t.answers.clear('acme')).toEqual({ deleted: 1 })
  expect((await ask(t, path, chat)).cache).toBe('miss')
  await expect.poll(rows).toBe(1) // It is written after the caller has his answer.
  await db.rows(sql`update kept_answers set expires_at = now() - interval '1 s'`)
  await t.answers.start()
  await expect.poll(rows).toBe(0)
  await t.answers.stop()
})

test('what is no whole answer is not kept: a failure, a stream that broke off, one at the limit of its output', async () => {
  await using broken = await openBed([{ text: ['Good ', 'day.'], fault: { type: 'end', afterEvents: 2 } }, { text: ['Good day.'] }])
  expect((await ask(broken, path, { ...chat, stream: true })).text).toContain('"error"')
  expect(await ask(broken, path, { ...chat, stream: true })).toMatchObject({ cache: 'miss' })
  await using failing = await openBed([{ status: 400, error: { type: 'invalid_request_error', message: 'No.' } }, { text: ['Hi.'] }])
  expect((await ask(failing, path, chat)).status).toBe(400)
  expect(await ask(failing, path, chat)).toMatchObject({ status: 200, cache: 'miss' })
  await using cut = await openBed([{ text: ['Hi.'] }])
  for (let i = 0; i < 2; i++) expect((await ask(cut, path, { ...chat, max_tokens: 1 })).cache).toBe('miss')
})

test('many who ask the same at once make one call; if it fails, each makes its own', async () => {
  await using t = await openBed([{ text: ['Hi.'] }])
  const all = await Promise.all(Array.from({ length: 20 }, () => ask(t, path, chat)))
  expect(all.filter(({ cache }) => cache === 'hit')).toHaveLength(19)
  expect(t.fake.requests).toHaveLength(1)
  let calls = 0
  await using failing = await openBed(() => (calls++ === 0 ? { status: 400, error: { type: 'invalid_request_error', message: 'No.' } } : { text: ['Hi.'] }))
  const some = await Promise.all(Array.from({ length: 5 }, () => ask(failing, path, chat)))
  expect(some.filter(({ status }) => status === 200)).toHaveLength(4)
})

test('a cache that cannot be asked is none, and a wish that is none is told', async () => {
  await using t = await openBed([{ text: ['Hi.'] }])
  await t.database.owner.rows(sql`drop table kept_answers`)
  expect(await ask(t, path, chat)).toMatchObject({ status: 200, cache: 'miss' })
  for (const text of ['ttl=0', 'ttl=9999999', 'forever', ''])
    expect(await ask(t, path, chat, { 'x-longhaul-cache': text })).toMatchObject({ status: 400, text: expect.stringContaining('x-longhaul-cache: must be') })
})
