/** Answers to what was asked in other words: when they are given, and all the cases in which a model is asked instead. */
import { expect, test } from 'vitest'
import { openFacesBed } from '../../../test/support/faces-bed.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { sql } from '../../db/index.ts'
import { silentLog } from '../../kernel/index.ts'
import type { Embedder } from '../embed.ts'
import { openRoutes } from '../routes/routes.ts'
import { openAnswers } from './answers.ts'
import { mayMeanTheSame } from './last-words.ts'
import { openSimilar } from './similar.ts'
import { databaseStore } from './stores.ts'

/** What is alike points the same way. */
const directions: Record<string, number[]> = {
  'How do I reset my password?': [1, 0, 0],
  'How can I reset the password of mine?': [0.99, 0.1, 0],
  'What is the weather today?': [0, 1, 0],
  'Enable two-factor login': [0, 0, 1],
  'Disable two-factor login': [0, 0.05, 1],
}

async function openBed() {
  const database = await makeDatabase()
  const { db } = database
  const embedded: { model: string; text: string; account: Parameters<Embedder>[2]['account'] }[] = []
  let isAway = false
  const embed: Embedder = async (model, texts, { account }) => {
    if (isAway) throw new Error('The embedding model is away.')
    for (const text of texts) embedded.push({ model, text, account })
    return texts.map((text) => directions[text] ?? [0.5, 0.5, 0.5])
  }
  const answers = openAnswers({ store: databaseStore(db), log: silentLog })
  const routes = openRoutes({ db, log: silentLog })
  const shared = { answers, similar: openSimilar({ db, embed, log: silentLog }), pickTargets: routes.pick }
  const set = (cache: object | undefined) =>
    routes.set('acme', 'faq', {
      ...{ description: '', pick: 'order', sticky: true, escalate: false, targets: [{ model: 'compatible/m', weight: 1 }] },
      ...(cache && { cache: { ttlSeconds: 60, withTools: false, ...cache } }),
    })
  await set({ similar: { embedding: 'openai/e', threshold: 0.9 } })
  const bed = await openFacesBed([{ text: ['Click here.'] }], shared)
  let count = 0
  return {
    ...bed,
    ...{ db, embedded, set, answers },
    away: () => void (isAway = true),
    async ask(content: unknown, more: object = {}, headers: Record<string, string> = {}) {
      const answer = await bed.post('/openai/v1/chat/completions', { model: 'faq', messages: [{ role: 'user', content }], ...more }, headers)
      const { headers: said } = answer
      const text = await answer.text()
      count++
      await expect.poll(bed.calls).toHaveLength(count) // What is kept is kept by then.
      return { cache: said.get('x-longhaul-cache'), likeness: said.get('x-longhaul-similarity'), text }
    },
    async [Symbol.asyncDispose]() {
      await bed[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

const [reset = '', paraphrase = '', weather = '', enable = '', disable = ''] = Object.keys(directions)

test('a paraphrase gets the answer, free and marked; the embedding is the caller’s', async () => {
  await using t = await openBed()
  const first = await t.ask(reset)
  expect(first.cache).toBe('miss')
  expect(await t.ask(paraphrase)).toEqual({ cache: 'similar', likeness: '0.995', text: first.text })
  expect(await t.ask(reset)).toMatchObject({ cache: 'hit', likeness: null }) // The very same words need no vectors.
  expect(await t.ask([{ type: 'text', text: paraphrase }])).toMatchObject({ cache: 'similar' })
  expect(t.fake.requests).toHaveLength(1)
  expect(t.booked).toHaveLength(1)
  expect(t.hits).toHaveLength(3)
  expect(t.embedded.map(({ text }) => text)).toEqual([reset, paraphrase, paraphrase])
  expect(t.embedded[0]).toMatchObject({ model: 'openai/e', account: { tenantId: 'acme', keyId: 'key-caller' } })
  expect((await t.ask(weather)).cache).toBe('miss')
})

test('words that turn the meaning round are asked of a model, however alike their vectors', async () => {
  await using t = await openBed()
  await t.ask(enable)
  expect((await t.ask(disable)).cache).toBe('miss')
  expect(t.fake.requests).toHaveLength(2)
})

test('another tenant, other parameters, another conversation, tools, and a route without it are other requests', async () => {
  await using t = await openBed()
  await t.ask(reset)
  const before = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Hello' },
  ]
  for (const more of [
    { temperature: 0.5 },
    { messages: [...before, { role: 'user', content: paraphrase }] },
    {
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: paraphrase },
      ],
    },
    { stream: true },
  ])
    expect((await t.ask(paraphrase, more)).cache).toBe('miss')
  expect((await t.ask(paraphrase, { tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }] })).cache).toBe(null)
  expect((await t.ask(paraphrase, {}, { 'x-longhaul-cache': 'off' })).cache).toBe(null)
  await t.db.rows(sql`update similar_answers set tenant_id = 'other'`)
  expect((await t.ask(paraphrase)).cache).toBe('miss')
  await t.set({ similar: { embedding: 'openai/e', threshold: 0.999 } })
  await expect.poll(async () => (await t.ask('How do I reset my password now?')).cache).toBe('miss')
})

test('it is off unless asked for, and an embedding model that is away costs no answer', async () => {
  await using t = await openBed()
  await t.set({})
  await expect.poll(async () => (await t.ask(weather), t.embedded.length === (await t.ask(weather), t.embedded.length))).toBe(true)
  const count = t.embedded.length
  expect((await t.ask(reset)).cache).toBe('miss')
  expect((await t.ask(paraphrase)).cache).toBe('miss')
  expect(t.embedded).toHaveLength(count)
  await t.set({ similar: { embedding: 'openai/e', threshold: 0.9 } })
  await expect.poll(async () => (await t.ask(`Something ${String(t.fake.requests.length)}`), t.embedded.length)).toBeGreaterThan(count)
  t.away()
  expect(await t.ask('Something else')).toMatchObject({ cache: 'miss', text: expect.stringContaining('Click here.') as string })
})

test('clearing forgets the words too', async () => {
  await using t = await openBed()
  await t.ask(reset)
  expect(await t.db.rows(sql`select text from similar_answers`)).toEqual([{ text: reset }])
  await t.answers.clear('acme')
  expect(await t.db.rows(sql`select text from similar_answers`)).toEqual([])
  expect((await t.ask(paraphrase)).cache).toBe('miss')
})

test.each([
  ['How do I reset my password?', 'How can I reset the password of mine?', true],
  ['What is the price of the Pro plan', 'what does the Pro plan cost, the price', true],
  ['如何重置密码', '怎么重置密码', true],
  ['enable 2FA', 'disable 2FA', false],
  ['turn the light on', 'turn the light off', false],
  ['Is it allowed?', 'Is it not allowed?', false],
  ['revenue in 2024', 'revenue in 2025', false],
  ['a flight from Berlin to Paris', 'a flight from Berlin to Rome', false],
  ['increase the limit', 'decrease the limit', false],
  ['files with a password', 'files without a password', false],
  ['I can log in', 'I can’t log in', false],
  ['可以退款', '不可以退款', false],
  ['reset my password', 'bake a cake', false],
])('%j and %j may mean the same: %s', (one, other, expected) => {
  expect([mayMeanTheSame(one, other), mayMeanTheSame(other, one)]).toEqual([expected, expected])
})
