/** Guards over HTTP: what they let through to the provider and to the caller, in every face, streamed and not. */
import type { Guard } from '@longhaul/protocol'
import { afterAll, describe, expect, test } from 'vitest'
import { openFacesBed } from '../../../test/support/faces-bed.ts'
import type { FakeScript } from '../../../test/support/fake-provider.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { sql } from '../../db/index.ts'
import { silentLog } from '../../kernel/index.ts'
import { openAnswers } from '../cache/answers.ts'
import { databaseStore } from '../cache/stores.ts'
import { noLedger } from '../faces/ledger.ts'
import { gatewayOver } from '../open-gateway.ts'
import { openGuardrails } from './guardrails.ts'
import { type Moderate, moderateWith } from './moderate.ts'

type GuardInput = Partial<Guard> & { type: Guard['type'] }

const database = await makeDatabase()
afterAll(() => database[Symbol.asyncDispose]())

async function openBed(script: FakeScript, guards: object[], scope: { route?: string; agent?: string } = {}) {
  await database.db.rows(sql`delete from guardrails`)
  await database.db.rows(sql`delete from guard_decisions`)
  let moderate: Moderate = () => Promise.reject(new Error('not set'))
  const guardrails = openGuardrails({ db: database.db, log: silentLog, moderate: (what) => moderate(what) })
  const bed = await openFacesBed(script, { guardrails, answers: openAnswers({ store: databaseStore(database.db), log: silentLog }) })
  moderate = moderateWith(bed.models, noLedger)
  await guardrails.set('acme', 'house', { ...scope, guards: guards.map((guard) => ({ ...defaults[(guard as GuardInput).type], ...guard })) as Guard[] })
  return {
    ...bed,
    guardrails,
    decisions: async () => (await guardrails.decisions('acme', { limit: 50 })).items.toReversed(),
    sent: () => JSON.stringify(bed.fake.requests.map(({ body }) => body)),
  }
}
const defaults: Record<string, object> = {
  personal: { kinds: ['email', 'phone', 'card', 'iban', 'national-id'], on: 'request', action: 'mask' },
  secrets: { on: 'request', action: 'block' },
  words: { on: 'request', action: 'block' },
  schema: { repair: true, action: 'block' },
  moderation: { on: 'request', action: 'block' },
}

const said = 'Mail ann@x.example or call 13812345678.'
const chat = { model: 'compatible/m', messages: [{ role: 'user', content: said }] }
const faces = {
  '/openai/v1/chat/completions': chat,
  '/openai/v1/responses': { model: 'openai/m', input: said },
  '/anthropic/v1/messages': { model: 'anthropic/m', max_tokens: 50, messages: chat.messages },
  '/openai/v1/chat/completions?translated': { ...chat, model: 'anthropic/m' },
}
const path = '/openai/v1/chat/completions'
const secret = `sk-ant-api03-${'a1'.repeat(20)}`

describe.each(Object.entries(faces))('%s', (name, body) => {
  const at = name.replace('?translated', '')
  const field = 'input' in body ? 'input' : 'messages'

  test.each([false, true])(
    'what is masked does not reach the provider, and stands in the answer again over the borders of pieces; streamed: %s',
    async (stream) => {
      await using t = await openBed([{ text: ['I mail [EM', 'AIL', '_1] and call [PHONE_1', ']. [1', '] [PHO'] }], [{ type: 'personal' }])
      const answer = await t.post(at, { ...body, stream })
      const text = await answer.text()
      expect(answer.status).toBe(200)
      expect(t.sent()).toContain('Mail [EMAIL_1] or call [PHONE_1].')
      expect(t.sent()).not.toMatch(/ann@x|13812345678/)
      expect(wordsOf(text, stream)).toBe('I mail ann@x.example and call 13812345678. [1] [PHO')
      expect(text).not.toMatch(/EMAIL_1/)
      expect(answer.headers.get('x-longhaul-guardrails')).toBe('request.personal=mask')
      expect(await t.decisions()).toMatchObject([
        {
          guardrail: 'house',
          guard: 'personal',
          on: 'request',
          action: 'mask',
          found: { email: 1, phone: 1 },
          requestId: answer.headers.get('x-request-id'),
          keyId: 'key-caller',
        },
      ])
      expect(JSON.stringify(await t.decisions())).not.toMatch(/ann@|138123/)
    },
  )

  test.each([false, true])('an answer that is blocked does not begin, however it is cut; streamed: %s', async (stream) => {
    await using t = await openBed([{ text: [`The key is ${secret.slice(0, 20)}`, secret.slice(20), ' okay'] }], [{ type: 'secrets', on: 'answer' }])
    const answer = await t.post(at, { ...body, stream })
    expect(answer.status).toBe(400)
    const text = await answer.text()
    expect(text).toContain('The guardrail house refuses the answer to this request: secrets found anthropic.')
    expect(text).not.toContain(secret.slice(10, 20))
    expect(answer.headers.get('x-should-retry')).toBe('false')
    expect(await t.decisions()).toMatchObject([{ on: 'answer', action: 'block', found: { anthropic: 1 } }])
    expect(t.booked).toHaveLength(1) // It was used, so it is booked.
  })

  test.each([false, true])('an answer that is masked says that it was held; streamed: %s', async (stream) => {
    await using t = await openBed([{ text: ['Ask bob@', 'y.example', ' now'] }], [{ type: 'personal', on: 'answer' }])
    const answer = await t.post(at, { ...body, stream })
    const text = await answer.text()
    expect(wordsOf(text, stream)).toBe('Ask [EMAIL REMOVED] now')
    expect(text).not.toContain('bob@')
    expect(answer.headers.get('x-longhaul-guardrails')).toBe(stream ? 'held, answer.personal=mask' : 'answer.personal=mask')
    expect(t.sent()).toContain('ann@x.example')
  })

  test('what is only noted streams as it comes', async () => {
    await using t = await openBed([{ text: ['Ask bob@', 'y.example'] }], [{ type: 'personal', on: 'answer', action: 'annotate' }])
    const answer = await t.post(at, { ...body, stream: true })
    expect(wordsOf(await answer.text(), true)).toBe('Ask bob@y.example')
    expect(answer.headers.get('x-longhaul-guardrails')).toBe(null)
    await expect.poll(t.decisions).toMatchObject([{ on: 'answer', action: 'annotate', found: { email: 1 } }])
  })

  test.each([false, true])('an answer that is not of its schema is asked for once more, and only once; streamed: %s', async (stream) => {
    const schema = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] }
    await using t = await openBed([{ text: ['{"n":"one"}'] }, { text: ['{"n":', '1}'] }], [{ type: 'schema', schema }])
    const answer = await t.post(at, { ...body, stream })
    expect(wordsOf(await answer.text(), stream)).toBe('{"n":1}')
    expect(t.fake.requests).toHaveLength(2)
    expect(JSON.stringify(t.fake.requests[1]?.body)).toContain('not of the JSON Schema')
    expect(t.booked).toHaveLength(2)
    expect(await t.decisions()).toMatchObject([{ action: 'repair' }])
  })

  test('a request that is blocked reaches nobody', async () => {
    await using t = await openBed([{ text: ['Hi'] }], [{ type: 'words', words: ['call'] }])
    const answer = await t.post(at, body)
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('The guardrail house refuses the request: words found word.')])
    expect(t.fake.requests).toHaveLength(0)
    expect(await t.decisions()).toMatchObject([{ on: 'request', action: 'block', guard: 'words' }])
  })

  test('what goes on is the caller’s own bytes when nothing is masked', async () => {
    await using t = await openBed([{ text: ['Hi'] }], [{ type: 'secrets' }])
    expect((await t.post(at, { ...body, [field]: field === 'input' ? 'Hello' : [{ role: 'user', content: 'Hello' }] })).status).toBe(200)
    expect(await t.decisions()).toEqual([])
  })
})

test('a second answer that is not of the schema is blocked', async () => {
  await using t = await openBed([{ text: ['no'] }, { text: ['still no'] }], [{ type: 'schema', schema: { type: 'object' } }])
  const answer = await t.post(path, chat)
  expect([answer.status, t.fake.requests.length]).toEqual([400, 2])
  expect((await t.decisions()).map(({ action }) => action)).toEqual(['repair', 'block'])
})

test('sizes: what is too large is refused, and the wish for output is lowered', async () => {
  await using t = await openBed([{ text: ['Hi'] }], [{ type: 'size', inputBytesMax: 400, outputTokensMax: 7 }])
  expect((await t.post(path, { ...chat, max_tokens: 50 })).status).toBe(200)
  expect(t.sent()).toContain('"max_tokens":7')
  const answer = await t.post(path, { ...chat, messages: [{ role: 'user', content: 'x'.repeat(500) }] })
  expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('400 are allowed')])
  expect(t.fake.requests).toHaveLength(1)
})

test('another model judges, on the same account; what it does not judge is refused', async () => {
  const guard = { type: 'moderation', model: 'openai/judge' }
  for (const [verdict, status, found] of [
    ['safe', 200, undefined],
    ['Unsafe: S1', 400, { unsafe: 1 }],
    ['I would rather not say', 400, { 'not-judged': 1 }],
  ] as const) {
    await using t = await openBed([{ text: [verdict] }, { text: ['Hi'] }], [guard, { type: 'personal' }])
    expect((await t.post(path, chat)).status, verdict).toBe(status)
    expect(await t.decisions()).toMatchObject([{ guard: 'personal' }, ...(found ? [{ guard: 'moderation', action: 'block', found }] : [])])
    expect(t.sent(), 'it is masked before').not.toContain('ann@')
  }
  await using t = await openBed([{ status: 500 }], [guard])
  expect((await t.post(path, chat)).status).toBe(400)
})

test('personal data where it cannot be masked is refused; a conversation that the provider keeps as well', async () => {
  await using t = await openBed([{ text: ['Hi'] }], [{ type: 'personal' }])
  expect((await t.post(path, { ...chat, messages: [{ role: 'user', name: 'ann@x.example', content: 'Hi' }] })).status).toBe(400)
  expect((await t.post('/openai/v1/responses', { model: 'openai/m', input: said, previous_response_id: 'resp_1' })).status).toBe(400)
  expect(t.fake.requests).toHaveLength(0)
})

test('counting and embeddings are guarded too', async () => {
  await using t = await openBed([{ json: { input_tokens: 3 } }], [{ type: 'personal' }])
  await t.post('/anthropic/v1/messages/count_tokens', faces['/anthropic/v1/messages'])
  await t.post('/openai/v1/embeddings', { model: 'compatible/m', input: said })
  expect(t.fake.requests.length).toBeGreaterThan(0)
  expect(t.sent()).not.toContain('ann@')
})

test('kept answers have no personal data: each caller gets its own', async () => {
  await using t = await openBed([{ text: ['Mail [EMAIL_1].'] }], [{ type: 'personal' }])
  const ask = async (mail: string) => {
    const answer = await t.post(path, { ...chat, messages: [{ role: 'user', content: `To ${mail}` }] }, { 'x-longhaul-cache': 'on' })
    return [answer.headers.get('x-longhaul-cache'), wordsOf(await answer.text(), false)]
  }
  expect(await ask('ann@x.example')).toEqual(['miss', 'Mail ann@x.example.'])
  expect(await ask('bob@y.example')).toEqual(['hit', 'Mail bob@y.example.'])
})

test('only the calls that it is for, and only the tenant’s own', async () => {
  await using t = await openBed([{ text: ['Hi'] }], [{ type: 'words', words: ['call'] }], { route: 'compatible/m' })
  expect((await t.post(path, chat)).status).toBe(400)
  expect((await t.post(path, { ...chat, model: 'openai/m' })).status).toBe(200)
  expect((await t.post(path, chat, { authorization: 'Bearer lh_foreign' })).status).toBe(200)
})

test('a guardrail that cannot be read lets nothing pass', async () => {
  await using t = await openBed([{ text: ['Hi'] }], [{ type: 'secrets' }])
  await using broken = await openFacesBed([{ text: ['Hi'] }], { guardrails: { begin: () => Promise.reject(new Error('the database is away')) } })
  expect((await broken.post(path, chat)).status).toBe(500)
  expect(broken.fake.requests).toHaveLength(0)
  await expect(t.guardrails.set('acme', 'odd', { guards: [{ type: 'size' }] })).rejects.toThrow('inputBytesMax')
  await expect(t.guardrails.set('acme', 'odd', { guards: [{ type: 'schema', schema: { type: 'nonsense' }, repair: true, action: 'block' }] })).rejects.toThrow(
    'no JSON Schema',
  )
})

test('model steps of agents: the model sees no personal data, the run has it', async () => {
  await using t = await openBed([{ text: ['I mail [EMA', 'IL_1].'] }], [{ type: 'personal' }, { type: 'secrets', on: 'both' }], { agent: 'analyst' })
  const gateway = gatewayOver(t.models, t.guardrails)
  const prompt = {
    model: 'compatible/m',
    instructions: 'Be brief.',
    tools: [],
    messages: [{ role: 'user' as const, content: [{ type: 'text' as const, text: said }] }],
  }
  const live: string[] = []
  const asked = { tenantId: 'acme', agent: 'analyst', runId: '0192f0c1-7a3b-7def-8123-456789abcdef' }
  const { signal } = new AbortController()
  const reply = await gateway.generate(prompt, { signal, asked, onText: (text) => live.push(text) })
  expect(reply.content).toEqual([{ type: 'text', text: 'I mail ann@x.example.' }])
  expect(live).toEqual(['I mail ann@x.example.']) // Held until it was looked at: secrets in it are blocked.
  expect(t.sent()).not.toContain('ann@')
  expect(await t.decisions()).toMatchObject([{ agent: 'analyst', runId: asked.runId, action: 'mask' }])
  const bad = { ...prompt, messages: [{ role: 'user' as const, content: [{ type: 'text' as const, text: `Use ${secret}` }] }] }
  await expect(gateway.generate(bad, { signal, asked })).rejects.toMatchObject({ failure: { code: 'request_blocked', retryable: false } })
  await gateway.generate(bad, { signal, asked: { ...asked, agent: 'other' } })
})

/** The words of an answer, by whichever face. */
function wordsOf(text: string, isStream: boolean): string {
  const events = isStream ? text.split('\n').flatMap((line) => (line.startsWith('data: {') ? [JSON.parse(line.slice(6))] : [])) : [JSON.parse(text)]
  const words = (event: Spoken): string => {
    if (event.type === 'response.output_text.delta') return String(event.delta)
    const whole = isStream ? '' : (event.output?.at(-1)?.content[0]?.text ?? event.content?.[0]?.text ?? '')
    const piece = typeof event.delta === 'object' ? event.delta.text : undefined
    return event.choices?.[0]?.delta?.content ?? event.choices?.[0]?.message?.content ?? piece ?? whole
  }
  return (events as Spoken[]).map(words).join('')
}

/** What the faces have of words. */
type Spoken = {
  type?: string
  delta?: string | { text?: string }
  choices?: { delta?: { content?: string }; message?: { content?: string } }[]
  output?: { content: { text: string }[] }[]
  content?: { text: string }[]
}
