/** Whatever comes, the caller gets an error in the language that it speaks, with a sentence that helps; never a 500, never nothing. */
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { addressCheck } from '../../api/index.ts'
import { callerKey, openFacesBed } from '../../../test/support/faces-bed.ts'

const paths = {
  chat: '/openai/v1/chat/completions',
  responses: '/openai/v1/responses',
  messages: '/anthropic/v1/messages',
  embeddings: '/openai/v1/embeddings',
  count: '/anthropic/v1/messages/count_tokens',
}
type Face = keyof typeof paths
const goodBody = (face: Face, more: object = {}) => ({
  model: face === 'messages' || face === 'count' ? 'anthropic/m' : face === 'responses' ? 'openai/m' : 'compatible/m',
  ...(face === 'messages' ? { max_tokens: 5 } : {}),
  ...(face === 'chat' || face === 'messages' || face === 'count' ? { messages: [{ role: 'user', content: 'Hello' }] } : { input: 'Hello' }),
  ...more,
})

async function errorOf(face: Face, answer: Response): Promise<{ type: string; message: string; code?: string }> {
  const body = (await answer.json()) as { type?: string; error: { type: string; message: string; param?: unknown; code?: string }; request_id?: string }
  expect(answer.headers.get('content-type')).toBe('application/json')
  expect(answer.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
  if (face === 'messages' || face === 'count') expect(body).toMatchObject({ type: 'error', request_id: answer.headers.get('x-request-id') })
  else expect(body.error).toHaveProperty('param')
  return body.error
}

const deep = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
const wrap = (face: Face, extra: string) => JSON.stringify(goodBody(face)).replace(/}$/, `,"extra":${extra}}`)

describe.each(Object.keys(paths) as Face[])('%s', (face) => {
  test.each<[string, (face: Face) => string | Uint8Array, number, RegExp]>([
    ['nothing', () => '', 400, /not JSON/],
    ['half of it', (each) => JSON.stringify(goodBody(each)).slice(0, -10), 400, /not JSON/],
    ['a list', () => '[]', 400, /must be a JSON object/],
    ['null', () => 'null', 400, /must be a JSON object/],
    ['no model', (each) => JSON.stringify(goodBody(each, { model: undefined })), 400, /^model: must be a text/],
    ['a model that is a number', (each) => JSON.stringify(goodBody(each, { model: 5 })), 400, /^model: must be a text/],
    ['a model nobody has', (each) => JSON.stringify(goodBody(each, { model: 'nobody/m' })), 404, /no model and no route "nobody\/m"/],
    ['a model that needs a key', (each) => JSON.stringify(goodBody(each, { model: 'mistral-large-latest' })), 404, /MISTRAL_API_KEY/],
    ['a model whose name is a novel', (each) => JSON.stringify(goodBody(each, { model: 'x'.repeat(10_000) })), 404, /so long a name/],
    ['the model given twice', (each) => wrap(each, '1').replace(/}$/, ',"model":"openai/expensive"}'), 400, /"model" is given twice/],
    ['a field given twice under an escaped name', (each) => wrap(each, '1').replace(/}$/, ',"mod\\u0065l":"openai/expensive"}'), 400, /"model" is given twice/],
    ['no content', (each) => JSON.stringify(goodBody(each, { messages: undefined, input: undefined })), 400, /(messages|input): must be a list/],
    ['content that is an object', (each) => JSON.stringify(goodBody(each, { messages: {}, input: {} })), 400, /(messages|input): must be a list/],
    ['an empty list', (each) => JSON.stringify(goodBody(each, { messages: [], input: [] })), 400, /must not be empty/],
    ['a stream that is a text', (each) => JSON.stringify(goodBody(each, { stream: 'yes' })), 400, /^stream: /],
    [
      'a tool whose schema is a text',
      (each) => JSON.stringify(goodBody(each, { tools: [{ type: 'function', name: 'f', function: { name: 'f', parameters: 'none' }, input_schema: 'none' }] })),
      400,
      /^tools\.0: the schema of "f"/,
    ],
    [
      'a tool whose schema is of type array',
      (each) => JSON.stringify(goodBody(each, { tools: [{ name: 'f', parameters: { type: 'array' } }] })),
      400,
      /^tools\.0: the schema of "f"/,
    ],
    ['tools that are none', (each) => JSON.stringify(goodBody(each, { tools: 'all' })), 400, /^tools: must be a list/],
    ['nesting 10,000 deep', (each) => wrap(each, deep(10_000)), 400, /nested deeper than 200/],
    ['nesting a million deep', (each) => wrap(each, deep(200_000)), 400, /nested deeper than 200/],
    ['U+0000', (each) => wrap(each, '"a\\u0000b"'), 400, /\$\.extra holds U\+0000/],
    ['half a surrogate pair', (each) => wrap(each, '"\\ud800"'), 400, /\$\.extra holds U\+0000 or half of a surrogate/],
    ['bytes that are no UTF-8', (each) => Buffer.concat([Buffer.from(wrap(each, '"')), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]), 400, /not UTF-8/],
    ['a byte order mark', (each) => `\ufeff${JSON.stringify(goodBody(each))}`, 400, /not JSON/],
    ['a body of 50 megabytes', (each) => wrap(each, `"${'x'.repeat(50_000_000)}"`), 413, /larger than 1000000 bytes.*LONGHAUL_MODEL_BODY_BYTES_MAX/],
  ])('%s', async (_, body, status, message) => {
    await using t = await openFacesBed([{ text: ['Hi.'] }])
    const answer = await t.post(paths[face], body(face))
    const error = await errorOf(face, answer)
    expect([answer.status, error.message]).toEqual([status, expect.stringMatching(message)])
    expect(answer.headers.get('x-should-retry')).toBe('false')
    expect(t.fake.requests).toHaveLength(0)
    // The server is as it was.
    if (face !== 'embeddings' && face !== 'count') expect((await t.post(paths[face], goodBody(face))).status).toBe(200)
  })

  test.each([
    [{ authorization: '' }, 401, /A key of Longhaul is needed/],
    [{ authorization: 'Bearer sk-of-openai' }, 401, /not one of Longhaul/],
    [{ authorization: 'Basic abc' }, 401, /A key of Longhaul is needed/],
    [{ authorization: 'Bearer lh_reader' }, 403, /models:call/],
  ] as const)('with the headers %o', async (headers, status, message) => {
    await using t = await openFacesBed([{ text: ['Hi.'] }])
    const answer = await t.post(paths[face], goodBody(face), headers)
    expect([answer.status, (await errorOf(face, answer)).message]).toEqual([status, expect.stringMatching(message)])
    expect(t.fake.requests).toHaveLength(0)
  })

  test('a compressed body, another method, another address', async () => {
    await using t = await openFacesBed([{ text: ['Hi.'] }])
    expect((await t.post(paths[face], goodBody(face), { 'content-encoding': 'gzip' })).status).toBe(415)
    const got = await fetch(t.url + paths[face], { headers: { authorization: `Bearer ${callerKey}` } })
    expect([got.status, (await errorOf(face, got)).message]).toEqual([405, expect.stringContaining('Use POST')])
    const lost = await t.post(`${paths[face]}/x`, goodBody(face))
    expect([lost.status, (await errorOf(face, lost)).message]).toEqual([404, expect.stringContaining('/openai/v1/chat/completions')])
  })

  test('NUL, emoji and a long line inside of what is allowed go through unchanged', async () => {
    await using t = await openFacesBed([{ json: { data: [], choices: [], output: [], content: [] } }])
    const text = '🌍 "quoted" \\ back\\slash \u2028 \u0001 {[}] "model":"x"'
    const body = JSON.stringify(goodBody(face, { metadata: { text }, zahl: 1e21 }))
    expect((await t.post(paths[face], body)).status).toBe(200)
    expect(t.fake.requests[0]?.body).toEqual({ ...(JSON.parse(body) as object), model: 'm' })
  })
})

describe('what an answer would be wrong without is refused where nobody could do it', () => {
  const tools = (type: string) => ({ tools: [{ type, name: 'x' }] })
  test.each<[Face, object, RegExp]>([
    ['chat', { n: 2 }, /^n: .* Ask 2 times/],
    ['chat', { logprobs: true }, /^logprobs: /],
    ['chat', { functions: [{ name: 'f' }] }, /^functions: .* Send them as tools/],
    ['chat', { modalities: ['text', 'audio'], audio: { voice: 'alloy', format: 'wav' } }, /^audio: .* Ask for a text/],
    ['chat', { web_search_options: {} }, /^web_search_options: .* a tool that searches/],
    ['chat', { tools: [{ type: 'custom', custom: { name: 'x' } }] }, /^tools\.0: only tools of type "function"/],
    ['responses', { previous_response_id: 'resp_1' }, /^previous_response_id: .* whole conversation/],
    ['responses', { top_logprobs: 3 }, /^top_logprobs: /],
    ['responses', tools('web_search'), /^tools\.0: web_search is a tool of OpenAI’s own/],
    ['messages', tools('web_search_20250305'), /^tools\.0: web_search_20250305 is a tool of Anthropic’s own/],
    ['messages', { mcp_servers: [{ type: 'url', url: 'https://x.example', name: 'x' }] }, /^mcp_servers: .* offer their tools/],
  ])('%s: %j', async (face, more, message) => {
    await using t = await openFacesBed([{ text: ['Hi.'] }])
    const model = face === 'messages' ? 'compatible/m' : 'anthropic/m'
    const answer = await t.post(paths[face], goodBody(face, { model, ...more }))
    expect([answer.status, (await errorOf(face, answer)).message]).toEqual([400, expect.stringMatching(message)])
    expect(t.fake.requests).toHaveLength(0)
    expect((await t.post(paths[face], goodBody(face, { model, mcp_servers: [], top_logprobs: 0, functions: [], audio: null }))).status).toBe(200)
  })
})

test('a body that stops in the middle frees its connection', async () => {
  await using t = await openFacesBed([{ text: ['Hi.'] }])
  const socket = connect(Number(new URL(t.url).port), '127.0.0.1')
  socket.write(`POST ${paths.chat} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${callerKey}\r\ncontent-length: 1000\r\n\r\n{"model"`)
  socket.end()
  await expect.poll(() => t.calls()).toMatchObject([{ code: 'aborted' }])
})

test('a body sent in pieces without a length is bounded as well', async () => {
  await using t = await openFacesBed([{ text: ['Hi.'] }])
  const pieces = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let i = 0; i < 40; i++) controller.enqueue(Buffer.alloc(50_000, ' '))
      controller.close()
    },
  })
  const init = { method: 'POST', headers: { authorization: `Bearer ${callerKey}` }, body: pieces, duplex: 'half' }
  expect((await fetch(t.url + paths.chat, init as RequestInit)).status).toBe(413)
})

test('a request under another host, or from another page, is refused', async () => {
  await using t = await openFacesBed([{ text: ['Hi.'] }], { checkAddress: addressCheck('127.0.0.1') })
  expect((await t.post(paths.chat, goodBody('chat'))).status).toBe(200)
  const refused = await t.post(paths.chat, goodBody('chat'), { origin: 'http://evil.example' })
  expect([refused.status, (await errorOf('chat', refused)).message]).toEqual([403, expect.stringContaining('evil.example')])
  expect(t.fake.requests).toHaveLength(1)
})

test('a fault of ours is a 500 in the face’s shape, and says nothing of itself', async () => {
  await using t = await openFacesBed([{ text: ['Hi.'] }], {
    checkAddress: () => {
      throw new Error('password of the database is hunter2')
    },
  })
  const answer = await t.post(paths.messages, goodBody('messages'))
  expect([answer.status, await errorOf('messages', answer)]).toEqual([500, { type: 'api_error', message: 'Internal error.' }])
  expect(t.lines.some(({ level, message }) => level === 'error' && message === 'model request failed')).toBe(true)
})
