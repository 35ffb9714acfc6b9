/** Files in calls: texts are looked into as the vendors' own clients send them, and what has none is recorded or refused. */
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import type { LanguageModelV4CallOptions } from '@ai-sdk/provider'
import type Anthropic from '@anthropic-ai/sdk'
import type { Guard } from '@longhaul/protocol'
import type OpenAI from 'openai'
import { afterAll, describe, expect, test } from 'vitest'
import { type FacesBed, callerKey, openFacesBed } from '../../../test/support/faces-bed.ts'
import { pickedOf } from '../../../test/support/fake-gateway.ts'
import type { FakeScript } from '../../../test/support/fake-provider.ts'
import { packedStream, pdfOf, pdfPage, pdfStream, showing } from '../../../test/support/pdf.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { sql } from '../../db/index.ts'
import { monotonicMs, silentLog } from '../../kernel/index.ts'
import type { GivenFiles } from '../files.ts'
import { noLedger } from '../faces/ledger.ts'
import { gatewayOver } from '../open-gateway.ts'
import { fileBytesMax, openBase64, openDataUrl } from './files.ts'
import { openGuardrails } from './guardrails.ts'
import { type Moderate, moderateWith } from './moderate.ts'
import { judgedMax } from './reading.ts'
import { isMedia, mapTexts } from './texts.ts'

const database = await makeDatabase()
afterAll(() => database[Symbol.asyncDispose]())

async function openBed(script: FakeScript, guards: Guard[], options: Parameters<typeof openFacesBed>[1] = {}) {
  await database.db.rows(sql`delete from guardrails`)
  await database.db.rows(sql`delete from guard_decisions`)
  let moderate: Moderate = () => Promise.reject(new Error('not set'))
  const guardrails = openGuardrails({ db: database.db, log: silentLog, moderate: (what) => moderate(what) })
  const bed = await openFacesBed(script, { guardrails, bodyBytesMax: 10_000_000, ...options })
  moderate = moderateWith(bed.models, noLedger)
  await guardrails.set('acme', 'house', { guards })
  return { ...bed, guardrails, decisions: async () => (await guardrails.decisions('acme', { limit: 50 })).items.toReversed() }
}

const personal: Guard = { type: 'personal', kinds: ['email'], on: 'request', action: 'mask' }
const secrets: Guard = { type: 'secrets', on: 'request', action: 'block' }
const secret = `sk-ant-api03-${'a1'.repeat(20)}`
const csv = 'name,mail\nAnn Lee,ann@x.example\n'
const masked = 'name,mail\nAnn Lee,[EMAIL_1]\n'

const base64 = (content: string | Uint8Array) => Buffer.from(content).toString('base64')
const url = (type: string, content: string | Uint8Array) => `data:${type};base64,${base64(content)}`

type Ask = (t: FacesBed, file: string) => Promise<string>

const chat =
  (model: string, fileOf: (file: string) => OpenAI.ChatCompletionContentPart): Ask =>
  async (t, file) => {
    const content = [{ type: 'text' as const, text: 'Whose is it?' }, fileOf(file)]
    return (await t.openai.chat.completions.create({ model, messages: [{ role: 'user', content }] })).choices[0]?.message.content ?? ''
  }
const responses =
  (fileOf: (file: string) => OpenAI.Responses.ResponseInputContent): Ask =>
  async (t, file) =>
    (await t.openai.responses.create({ model: 'openai/m', input: [{ role: 'user', content: [{ type: 'input_text', text: 'Whose?' }, fileOf(file)] }] }))
      .output_text
const messages =
  (sourceOf: (file: string) => object): Ask =>
  async (t, file) => {
    const block = { type: 'document', source: sourceOf(file) } as Anthropic.DocumentBlockParam // The client's types know of PDF only.
    const answer = await t.anthropic.messages.create({ model: 'anthropic/m', max_tokens: 50, messages: [{ role: 'user', content: [block] }] })
    return answer.content.map((part) => (part.type === 'text' ? part.text : '')).join('')
  }
const promptWith = (file: string, mediaType: string): LanguageModelV4CallOptions => ({
  prompt: [{ role: 'user', content: [{ type: 'file', mediaType, filename: 'people', data: { type: 'data', data: base64(file) } }] }],
})

/** Each form in which a client sends a text file. */
const forms: Record<string, Ask> = {
  'chat completions: a file': chat('compatible/m', (file) => ({ type: 'file', file: { filename: 'people.csv', file_data: url('text/csv', file) } })),
  'chat completions: a file without its type': chat('compatible/m', (file) => ({ type: 'file', file: { filename: 'people.csv', file_data: base64(file) } })),
  'chat completions, translated': chat('anthropic/m', (file) => ({ type: 'file', file: { filename: 'people.txt', file_data: url('text/plain', file) } })),
  'chat completions: a data URL as an image': chat('compatible/m', (file) => ({ type: 'image_url', image_url: { url: url('image/svg+xml', file) } })),
  'chat completions: a data URL with a charset': chat('compatible/m', (file) => ({ type: 'text', text: url('text/csv;charset=utf-8', file) })),
  'chat completions: a data URL with escapes': chat('compatible/m', (file) => ({ type: 'text', text: `data:text/csv,${encodeURIComponent(file)}` })),
  'responses: a file': responses((file) => ({ type: 'input_file', filename: 'people.csv', file_data: url('text/csv', file) })),
  'messages: a document in base64': messages((data) => ({ type: 'base64', media_type: 'text/csv', data: base64(data) })),
  'messages: a document as a text': messages((data) => ({ type: 'text', media_type: 'text/plain', data })),
  'messages: blocks in a document': messages((text) => ({ type: 'content', content: [{ type: 'text', text }] })),
  'a file part of the AI SDK, responses': async (t, file) => {
    const model = createOpenAI({ apiKey: callerKey, baseURL: `${t.url}/openai/v1` }).responses('openai/m')
    const { content } = await model.doGenerate({ ...promptWith(file, 'text/csv'), providerOptions: { openai: { passThroughUnsupportedFiles: true } } })
    return content.map((part) => (part.type === 'text' ? part.text : '')).join('')
  },
  'a file part of the AI SDK, messages': async (t, file) => {
    const model = createAnthropic({ apiKey: callerKey, baseURL: `${t.url}/anthropic/v1` })('anthropic/m')
    const { content } = await model.doGenerate(promptWith(file, 'text/plain'))
    return content.map((part) => (part.type === 'text' ? part.text : '')).join('')
  },
}

describe.each(Object.entries(forms))('%s', (_, ask) => {
  test('what is masked in a file does not reach the provider, and stands in the answer again', async () => {
    await using t = await openBed([{ text: ['Write to [EM', 'AIL_1].'] }], [personal])
    expect(await ask(t, csv)).toBe('Write to ann@x.example.')
    expect(textsSent(t)).toContain(masked)
    expect(textsSent(t).join()).not.toContain('ann@')
    expect(await t.decisions()).toMatchObject([{ guard: 'personal', on: 'request', action: 'mask', found: { email: 1 } }])
  })

  test('a file with a secret reaches nobody; one without goes on as it came', async () => {
    await using t = await openBed([{ text: ['Ann’s.'] }], [secrets])
    expect(await ask(t, csv)).toBe('Ann’s.')
    expect(textsSent(t)).toContain(csv)
    expect(await t.decisions()).toEqual([])
    await expect(ask(t, `key: ${secret}`)).rejects.toThrow('The guardrail house refuses the request: secrets found anthropic.')
    expect(t.fake.requests).toHaveLength(1)
    expect(await t.decisions()).toMatchObject([{ guard: 'secrets', action: 'block', found: { anthropic: 1 } }])
  })
})

const askFile = chat('compatible/m', (file_data) => ({ type: 'file', file: { file_data } }))
const bytes = Buffer.concat([Buffer.from([0xff, 0xfe, 0, 1]), Buffer.from('ann@x.example')])
const broken = Buffer.concat([Buffer.from('%PDF-1.7\n'), bytes])

/** What has no text, as it is sent, and as it is recorded. */
const unread: Record<string, [Ask, Record<string, number>]> = {
  'a PDF that is broken': [(t) => askFile(t, url('application/pdf', broken)), { 'unread:application/pdf, broken': broken.length }],
  'a broken PDF in a document': [
    (t) => messages((data) => ({ type: 'base64', media_type: 'application/pdf', data }))(t, base64(broken)),
    { 'unread:application/pdf, broken': broken.length },
  ],
  'a PDF that is called something else': [(t) => askFile(t, url('image/png', broken)), { 'unread:image/png, broken': broken.length }],
  'a picture': [
    (t) => chat('compatible/m', (picture) => ({ type: 'image_url', image_url: { url: picture } }))(t, url('image/png', bytes)),
    { 'unread:image/png': bytes.length },
  ],
  audio: [
    (t) => chat('compatible/m', (data) => ({ type: 'input_audio', input_audio: { data, format: 'wav' } }))(t, base64(bytes)),
    { 'unread:audio/wav': bytes.length },
  ],
  'bytes that only say that they are a text': [(t) => askFile(t, url('text/csv', bytes)), { 'unread:text/csv': bytes.length }],
  'a text in another charset': [
    (t) => askFile(t, url('text/csv;charset=utf-16', Buffer.from(csv, 'utf16le'))),
    { 'unread:text/csv': Buffer.from(csv, 'utf16le').length },
  ],
  'a text that is too long': [(t) => askFile(t, url('text/plain', 'x'.repeat(fileBytesMax + 1))), { 'unread:text/plain': fileBytesMax + 1 }],
  'a type that is none': [(t) => askFile(t, url('ann@x.example', bytes)), { 'unread:application/octet-stream': bytes.length }],
  'a file that the provider keeps': [
    (t) => chat('compatible/m', (file_id) => ({ type: 'file', file: { file_id } }))(t, 'file-1'),
    { 'unread:application/octet-stream': 0 },
  ],
  'a file at an address': [
    (t) => responses((file_url) => ({ type: 'input_file', file_url }))(t, 'https://x.example/a'),
    { 'unread:application/octet-stream': 0 },
  ],
  'a picture at an address': [
    (t) => responses((image_url) => ({ type: 'input_image', image_url, detail: 'auto' }))(t, 'https://x.example/a.png'),
    { 'unread:image/*': 0 },
  ],
  'a document at an address': [(t) => messages((address) => ({ type: 'url', url: address }))(t, 'https://x.example/a.pdf'), { 'unread:application/pdf': 0 }],
}

describe.each(Object.entries(unread))('%s', (_, [ask, found]) => {
  test('goes on untouched, and each guard of requests records that it was not looked into', async () => {
    await using t = await openBed([{ text: ['Hi'] }], [personal, secrets, { ...secrets, on: 'answer' }])
    expect(await ask(t, '')).toBe('Hi')
    expect(await t.decisions()).toMatchObject([
      { guard: 'personal', on: 'request', action: 'annotate', found },
      { guard: 'secrets', on: 'request', action: 'annotate', found },
    ])
    expect((await t.decisions()).map((decision) => decision.found)).toEqual([found, found])
  })

  test('reaches nobody where it is to be refused', async () => {
    await using t = await openBed([{ text: ['Hi'] }], [{ ...personal, unreadFiles: 'block' }])
    await expect(ask(t, '')).rejects.toThrow('The guardrail house refuses the request: personal cannot look into a file (')
    expect(t.fake.requests).toHaveLength(0)
    expect(await t.decisions()).toMatchObject([{ guard: 'personal', action: 'block', found }])
  })
})

/** Each form in which a client sends a PDF. */
const pdfForms: Record<string, Ask> = {
  'chat completions': chat('compatible/m', (file_data) => ({ type: 'file', file: { filename: 'people.pdf', file_data } })),
  'chat completions, translated': chat('anthropic/m', (file_data) => ({ type: 'file', file: { filename: 'people.pdf', file_data } })),
  responses: responses((file_data) => ({ type: 'input_file', filename: 'people.pdf', file_data })),
  messages: (t, file) => messages((data) => ({ type: 'base64', media_type: 'application/pdf', data }))(t, file.slice(file.indexOf(',') + 1)),
}

describe.each(Object.entries(pdfForms))('PDF in %s', (_, ask) => {
  test('one with nothing in it goes on as it came, also where unread files are refused', async () => {
    await using t = await openBed([{ text: ['Hers.'] }], [{ ...personal, unreadFiles: 'block' }, secrets])
    const file = pdfOf('The name is Ann Lee.')
    expect(await ask(t, url('application/pdf', file))).toBe('Hers.')
    expect(JSON.stringify(t.fake.requests[0]?.body)).toContain(base64(file))
    expect(await t.decisions()).toEqual([])
  })

  test('what is to be masked in one cannot be, and reaches nobody', async () => {
    await using t = await openBed([{ text: ['Hers.'] }], [personal])
    await expect(ask(t, url('application/pdf', pdfOf('Ann Lee\nann@x.example')))).rejects.toThrow(
      'personal found email in a PDF, where it cannot be masked: send its text instead.',
    )
    expect(t.fake.requests).toHaveLength(0)
    expect(await t.decisions()).toMatchObject([{ guard: 'personal', action: 'block', found: { email: 1 } }])
  })

  test('one with a secret reaches nobody', async () => {
    await using t = await openBed([{ text: ['Hers.'] }], [secrets])
    await expect(ask(t, url('application/pdf', pdfOf(`key: ${secret}`)))).rejects.toThrow('secrets found anthropic.')
    expect(t.fake.requests).toHaveLength(0)
  })
})

test('a PDF that shows more than its text is looked into and recorded, or refused', async () => {
  const words: Guard = { type: 'words', words: ['Heron'], on: 'request', action: 'annotate' }
  await using t = await openBed([{ text: ['Hi'] }], [words])
  const file = pdfPage(packedStream(showing('Project Heron')), { objects: [pdfStream('x', '/Subtype /Image /Width 1 /Height 1')] })
  const found = { 'unread:application/pdf, with pictures or pages without a text': file.length }
  expect(await askFile(t, url('application/pdf', file))).toBe('Hi')
  expect(await t.decisions()).toMatchObject([
    { action: 'annotate', found },
    { action: 'annotate', found: { word: 1 } },
  ])
  await t.guardrails.set('acme', 'house', { guards: [{ ...words, unreadFiles: 'block' }] })
  await expect(askFile(t, url('application/pdf', file))).rejects.toThrow(
    `words cannot look into a file (application/pdf, with pictures or pages without a text, ${file.length} bytes)`,
  )
})

test('a model judges what is in a PDF', async () => {
  const guard: Guard = { type: 'moderation', model: 'openai/judge', on: 'request', action: 'block' }
  await using t = await openBed([{ text: ['unsafe'] }], [guard])
  await expect(askFile(t, url('application/pdf', pdfOf('How it is built')))).rejects.toThrow('moderation found unsafe')
  expect(JSON.stringify(t.fake.requests[0]?.body)).toContain('How it is built')
})

test('a text file is none of those that are refused, nor what only speaks of a file', async () => {
  await using t = await openBed([{ text: ['Hi'] }], [{ ...personal, unreadFiles: 'block' }])
  await askFile(t, url('application/json', '{"a":1}'))
  const annotations = [{ type: 'file_citation', file_id: 'file-1', index: 0, filename: 'a' }]
  const said = { type: 'message', role: 'assistant', id: 'msg_1', status: 'completed', content: [{ type: 'output_text', text: 'Hi', annotations }] }
  expect((await t.post('/openai/v1/responses', { model: 'openai/m', input: [said, { role: 'user', content: 'Hi' }] })).status).toBe(200)
  expect(await t.decisions()).toEqual([])
})

test('JSON in a file hides nothing behind escapes, also in numbers', async () => {
  const words: Guard = { type: 'words', words: ['Heron'], on: 'request', action: 'mask' }
  await using t = await openBed([{ text: ['Hi'] }], [{ ...personal, kinds: ['email', 'phone'] }, words])
  await askFile(t, url('application/json', String.raw`{"to":"ann\u0040x.example","phone":13812345678,"note":"H\u0065ron"}`))
  expect(textsSent(t)).toContain('{"to":"[EMAIL_1]","phone":"[PHONE_1]","note":"[REMOVED]"}')
})

test('a data URL in an answer: what stands in it as a place is given back', async () => {
  await using t = await openBed([{ text: [url('text/csv', masked)] }], [personal, { ...secrets, on: 'both' }])
  expect(await askFile(t, url('text/csv', csv))).toBe(url('text/csv', csv))
})

test('sizes: a text file counts as many tokens as its text has', async () => {
  await using t = await openBed([{ text: ['Hi'] }], [{ type: 'size', inputTokensMax: 1_150 }])
  await askFile(t, url('text/plain', 'word '.repeat(800))) // 4,000 bytes are 5,336 in base64.
  await expect(askFile(t, url('text/plain', 'word '.repeat(1_000)))).rejects.toThrow('1150 are allowed')
  expect(t.fake.requests).toHaveLength(1)
})

test('a model judges what is in a file, masked; what is too long for it is not looked into', async () => {
  const guard: Guard = { type: 'moderation', model: 'openai/judge', on: 'request', action: 'block' }
  await using t = await openBed([{ text: ['unsafe'] }, { text: ['safe'] }, { text: ['Hi'] }], [guard, personal])
  await expect(askFile(t, url('text/csv', csv))).rejects.toThrow('moderation found unsafe')
  expect(JSON.stringify(t.fake.requests[0]?.body)).toContain(JSON.stringify(masked).slice(1, -1))
  const long = url('text/csv', 'x,'.repeat(judgedMax / 2))
  expect(await askFile(t, long)).toBe('Hi')
  const found = { 'unread:text/csv': judgedMax }
  expect(await t.decisions()).toMatchObject([{ action: 'mask' }, { found: { unsafe: 1 } }, { guard: 'moderation', action: 'annotate', found }])
  await t.guardrails.set('acme', 'house', { guards: [{ ...guard, unreadFiles: 'block' }] })
  await expect(askFile(t, long)).rejects.toThrow(`cannot look into a file (text/csv, ${judgedMax} bytes)`)
  expect(t.fake.requests).toHaveLength(3)
})

describe('model steps of agents', () => {
  const id = '0192f0c1-7a3b-7def-8123-456789abcdef'
  const asked = { tenantId: 'acme', agent: 'analyst', runId: id }
  const { signal } = new AbortController()
  const part = { type: 'attachment' as const, id, name: 'people', mediaType: 'text/plain', bytes: csv.length, digest: 'a'.repeat(64) }
  const prompt = {
    model: 'anthropic/m',
    instructions: '',
    tools: [],
    messages: [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'Whose is it?' }, part] }],
  }
  const given = (mediaType: string, content: string | Uint8Array) => async (): Promise<GivenFiles> =>
    new Map([[id, { name: 'people', mediaType, content: Buffer.from(content) }]])

  test('what a model is given of an attachment is masked, and stands in the answer again', async () => {
    await using t = await openBed([{ text: ['Write to [EMAIL_1].'] }], [personal])
    const reply = await gatewayOver(t.models, t.guardrails).generate(prompt, { signal, asked, filesFor: given('text/plain', csv) })
    expect(reply.content).toEqual([{ type: 'text', text: 'Write to ann@x.example.' }])
    expect(textsSent(t)).toContain(masked)
    expect(textsSent(t).join()).not.toContain('ann@')
    expect(await t.decisions()).toMatchObject([{ agent: 'analyst', runId: id, action: 'mask', found: { email: 1 } }])
  })

  test('one that cannot be looked into is recorded, or ends the step without another model', async () => {
    const pickTargets = async (name: string) => (name === 'two' ? pickedOf(['anthropic/m', 'openai/m']) : undefined)
    await using t = await openBed([{ text: ['Hi'] }], [personal], { pickTargets })
    const gateway = gatewayOver(t.models, t.guardrails)
    const filesFor = given('application/pdf', broken)
    await gateway.generate(prompt, { signal, asked, filesFor })
    expect(JSON.stringify(t.fake.requests[0]?.body)).toContain(base64(broken))
    const found = { 'unread:application/pdf, broken': broken.length }
    expect(await t.decisions()).toMatchObject([{ agent: 'analyst', runId: id, action: 'annotate', found }])
    await t.guardrails.set('acme', 'house', { guards: [{ ...personal, unreadFiles: 'block' }] })
    const forOne = async (model: string) => (model === 'anthropic/m' ? filesFor() : new Map())
    await expect(gateway.generate({ ...prompt, model: 'two' }, { signal, asked, filesFor: forOne })).rejects.toMatchObject({
      failure: { code: 'request_blocked', retryable: false },
    })
    expect(t.fake.requests).toHaveLength(1)
  })

  test('a PDF among the files is looked into', async () => {
    await using t = await openBed([{ text: ['Hi'] }], [personal])
    const gateway = gatewayOver(t.models, t.guardrails)
    await gateway.generate(prompt, { signal, asked, filesFor: given('application/pdf', pdfOf('Ann Lee')) })
    await expect(gateway.generate(prompt, { signal, asked, filesFor: given('application/pdf', pdfOf('ann@x.example')) })).rejects.toThrow('in a PDF')
    expect(t.fake.requests).toHaveLength(1)
  })

  test('its text counts for the size of the request', async () => {
    await using t = await openBed([{ text: ['Hi'] }], [{ type: 'size', inputBytesMax: 2_000 }])
    const gateway = gatewayOver(t.models, t.guardrails)
    await gateway.generate(prompt, { signal, asked, filesFor: given('text/plain', csv) })
    await expect(gateway.generate(prompt, { signal, asked, filesFor: given('text/plain', 'x'.repeat(2_000)) })).rejects.toThrow('2000 are allowed')
  })
})

describe('what is a file', () => {
  test.each([
    ['data:text/csv;base64,YSxi', 'a,b'],
    ['DATA:TEXT/CSV;BASE64,YSxi', 'a,b'],
    ['data:;base64,YSxi', 'a,b'],
    ['data:,a%2Cb', 'a,b'],
    ['data:application/ld+json;charset=UTF-8;base64,e30=', '{}'],
    ['data:nonsense;base64,YSxi', 'a,b'],
    ['data:application/pdf;base64,YSxi', undefined],
    [`data:;base64,${base64('%PDF-1.7 ascii')}`, undefined],
    ['data:text/csv;base64,a b@', undefined],
    ['data:text/csv;base64,AAA=', undefined],
  ])('%s', (text, content) => expect(openDataUrl(text)?.text).toBe(content))

  test.each(['data: the following, and more', 'data:,100% sure', 'database', 'data'])('nothing: %s', (text) => expect(openDataUrl(text)).toBeUndefined())

  test('what only begins like a file is read as the text that it is', () => {
    const seen: string[] = []
    const text = 'data:text/csv;base64, no: ann@x.example'
    mapTexts([text, { media_type: 'text/csv', data: 'ann@x.example, and more' }], (each) => (seen.push(each), each))
    expect(seen).toEqual([text, 'media_type', 'text/csv', 'data', 'ann@x.example, and more'])
  })

  test('bytes of no media type are read where they are a text', () => {
    expect(openBase64(base64(csv), '')).toMatchObject({ mediaType: 'application/octet-stream', bytes: csv.length, text: csv })
    expect(openBase64(base64(bytes), '')).toMatchObject({ text: undefined })
  })

  test('the time grows with the text, whatever stands in it', () => {
    for (const text of ['data:;'.repeat(100_000), `data:${';a'.repeat(300_000)}`, `data:text/csv;base64,${' '.repeat(1_000_000)}@`, 'a'.repeat(2_000_000)]) {
      const startedAt = monotonicMs()
      openDataUrl(text)
      openBase64(`${text}@`, 'text/csv')
      isMedia(text)
      expect(monotonicMs() - startedAt, text.slice(0, 20)).toBeLessThan(3_000)
    }
  })
})

/** Every text that reached the provider, those of files decoded. */
function textsSent(t: FacesBed): string[] {
  const texts: string[] = []
  const walk = (value: unknown): void => {
    if (typeof value === 'string') {
      const content = /^data:[^,]*;base64,(.*)$/.exec(value)?.[1] ?? value
      texts.push(value, Buffer.from(content, 'base64').toString(), decodeURIComponent(/^data:[^,]*,(.*)$/.exec(value)?.[1] ?? ''))
    } else if (typeof value === 'object' && value !== null) Object.values(value).forEach(walk)
  }
  t.fake.requests.forEach(({ body }) => walk(body))
  return texts
}
