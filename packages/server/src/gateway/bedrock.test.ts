import { describe, expect, test, vi } from 'vitest'
import { type BedrockFrame, type BedrockStep, frameOf, signatureOf, startFakeBedrock } from '../../test/support/fake-bedrock.ts'
import { openFacesBed } from '../../test/support/faces-bed.ts'
import { ask, canaryKey, openFakeGateway, promptOf } from '../../test/support/fake-gateway.ts'
import { loadConfig, modelSettings } from '../config.ts'
import { silentLog } from '../kernel/index.ts'
import { openEmbedder } from './embed.ts'
import { openModels } from './models.ts'
import type { Outcome, Reservation } from './money/index.ts'
import { priceOn } from './money/catalogue.ts'
import { offlinePlanner } from './offline/index.ts'

const key = { id: 'AKIDEXAMPLECANARY', secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const withToken = { id: 'ASIAEXAMPLECANARY', secret: 'other/secret+of/thirty-or-so-characters', token: 'session-token-0123456789' }
const writtenKey = `${key.id}:${key.secret}`
const model = 'bedrock/us.anthropic.claude-sonnet-5-v1:0'

const usage = { inputTokens: 30, outputTokens: 12, totalTokens: 152, cacheReadInputTokens: 100, cacheWriteInputTokens: 10 }
const ending = (stopReason: string): BedrockFrame[] => [
  { type: 'messageStop', body: { stopReason } },
  { type: 'metadata', body: { usage, metrics: { latencyMs: 1 } } },
]
const textOf = (...deltas: string[]): BedrockFrame[] => [
  { type: 'messageStart', body: { role: 'assistant' } },
  ...deltas.map((text) => ({ type: 'contentBlockDelta', body: { contentBlockIndex: 0, delta: { text } } })),
  { type: 'contentBlockStop', body: { contentBlockIndex: 0 } },
]
const hello: BedrockStep = { frames: [...textOf('Grüß ', '世界 👋🏽'), ...ending('end_turn')] }

async function open(script: readonly BedrockStep[], { keys = writtenKey, region = 'eu-central-1' } = {}) {
  const bedrock = await startFakeBedrock(script, { keys: [key, withToken], region: 'eu-central-1' })
  const gateway = await openFakeGateway([], { keys: { bedrock: keys }, baseUrls: { bedrock: bedrock.url }, awsRegion: region })
  return {
    ...gateway,
    bedrock,
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]()
      await bedrock[Symbol.asyncDispose]()
    },
  }
}

test('the fake signs as AWS publishes: the example of its documentation', () => {
  const signed = {
    method: 'GET',
    path: '/',
    query: 'Action=ListUsers&Version=2010-05-08',
    headers: [
      ['content-type', 'application/x-www-form-urlencoded; charset=utf-8'],
      ['host', 'iam.amazonaws.com'],
      ['x-amz-date', '20150830T123600Z'],
    ] as [string, string][],
    bodyHash: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    at: '20150830T123600Z',
    region: 'us-east-1',
    service: 'iam',
  }
  expect(signatureOf(signed, 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY')).toBe('5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7')
})

describe('a request', () => {
  test.each([
    ['an access key', writtenKey, key.id],
    ['one with a session token', `${withToken.id}:${withToken.secret}:${withToken.token}`, withToken.id],
    ['a key of Bedrock', 'bedrock-token', 'bearer'],
  ])('is made with %s, whatever the environment has', async (_, keys, signedBy) => {
    vi.stubEnv('AWS_BEARER_TOKEN_BEDROCK', 'another')
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'another')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'another')
    vi.stubEnv('AWS_SESSION_TOKEN', 'another')
    vi.stubEnv('AWS_ENDPOINT_URL_BEDROCK_RUNTIME', 'http://127.0.0.1:1')
    try {
      await using t = await open([hello], { keys })
      const { reply, deltas } = await ask(t.gateway, promptOf(model, { instructions: 'Be brief. 短く。' }))
      expect(reply).toMatchObject({
        model,
        content: [{ type: 'text', text: 'Grüß 世界 👋🏽' }],
        finishReason: 'stop',
        usage: { input: 140, cachedInput: 100, output: 12 },
      })
      expect(deltas.join('|')).toBe('Grüß |世界 👋🏽')
      expect(t.bedrock.requests).toMatchObject([
        { path: '/model/us.anthropic.claude-sonnet-5-v1%3A0/converse-stream', signedBy, body: { system: [{ text: 'Be brief. 短く。' }] } },
      ])
    } finally {
      vi.unstubAllEnvs()
    }
  })

  test('with a wrong secret, or signed for another region, is refused, and no part of the key is shown', async () => {
    for (const wrong of [{ keys: `${key.id}:not-the-secret-of-this-key` }, { region: 'us-west-2' }]) {
      await using t = await open([hello], wrong)
      const failure = await ask(t.gateway, promptOf(model)).catch((error: unknown) => error)
      expect(failure).toMatchObject({ failure: { code: 'not_allowed', retryable: false, message: expect.stringContaining('LONGHAUL_BEDROCK_ACCESS_KEYS') } })
      expect(t.bedrock.requests).toEqual([])
    }
    await using t = await open([{ status: 400, type: 'ValidationException', message: `No such thing for ${key.secret} and ${writtenKey}` }])
    const failure = await ask(t.gateway, promptOf(model)).catch((error: unknown) => error)
    expect(failure).toMatchObject({ failure: { code: 'bad_request', message: expect.stringContaining('No such thing') } })
    expect(JSON.stringify([failure, t.logged])).not.toContain(key.secret)
  })
})

describe('an answer', () => {
  const toolCall: BedrockFrame[] = [
    { type: 'messageStart', body: { role: 'assistant' } },
    { type: 'contentBlockDelta', body: { contentBlockIndex: 0, delta: { text: 'I look.' } } },
    { type: 'contentBlockStop', body: { contentBlockIndex: 0 } },
    { type: 'contentBlockStart', body: { contentBlockIndex: 1, start: { toolUse: { toolUseId: 'call_a', name: 'query' } } } },
    { type: 'contentBlockDelta', body: { contentBlockIndex: 1, delta: { toolUse: { input: '{"sql":"sel' } } } },
    { type: 'contentBlockDelta', body: { contentBlockIndex: 1, delta: { toolUse: { input: 'ect 1"}' } } } },
    { type: 'contentBlockStop', body: { contentBlockIndex: 1 } },
    ...ending('tool_use'),
  ]
  const tools = [{ name: 'query', description: 'Runs SQL.', inputSchema: { type: 'object', properties: { sql: { type: 'string' } } } }]

  test.each([1, 7, 64])('is put together again from segments of %i bytes, calls of tools too, and the next question has it', async (segmentBytes) => {
    await using t = await open([{ frames: toolCall, segmentBytes }, hello])
    const { reply } = await ask(t.gateway, promptOf(model, { tools }))
    expect(reply).toMatchObject({
      content: [
        { type: 'text', text: 'I look.' },
        { type: 'tool-call', toolCallId: 'call_a', toolName: 'query', input: { sql: 'select 1' } },
      ],
      finishReason: 'tool-calls',
    })
    await ask(
      t.gateway,
      promptOf(model, {
        tools,
        messages: [
          { role: 'user', content: [{ type: 'text', text: 'Hello' }] },
          { role: 'assistant', content: reply.content },
          { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'call_a', toolName: 'query', output: [1], isError: false }] },
        ],
      }),
    )
    expect(JSON.stringify(t.bedrock.requests[1]?.body)).toMatch(/"toolUse":\{"toolUseId":"call_a".*"toolResult":\{"toolUseId":"call_a"/)
  })

  test.each<[string, BedrockStep, string]>([
    [
      'a wrong check sum',
      { ...hello, damage: (bytes) => Buffer.from(bytes.map((byte, i) => (i === bytes.length - 20 ? byte ^ 1 : byte))) } as BedrockStep,
      'bad_reply',
    ],
    ['a frame that is cut', { ...hello, damage: (bytes) => bytes.subarray(0, -9) } as BedrockStep, 'bad_reply'],
    ['an end between two frames', { frames: textOf('Half of') }, 'interrupted'],
    [
      'an exception on the way',
      { frames: [...textOf('Half of'), { type: 'throttlingException', body: { message: 'Too many tokens.' }, isException: true }] },
      'rate_limited',
    ],
    ['a refusal for load', { status: 429, type: 'ThrottlingException', message: 'Too many requests.' }, 'rate_limited'],
    ['an outage', { status: 503, type: 'ServiceUnavailableException', message: 'Later.' }, 'provider_error'],
    ['a model that is not there', { status: 404, type: 'ResourceNotFoundException', message: 'Could not resolve the model.' }, 'no_such_model'],
  ])('with %s is no answer', async (_, step, code) => {
    await using t = await open([step])
    await expect(ask(t.gateway, promptOf(model))).rejects.toMatchObject({ failure: { code } })
  })

  test('that filters or fills up says so', async () => {
    await using t = await open([{ frames: [...textOf('Once'), ...ending('max_tokens')] }, { frames: [...textOf('x'), ...ending('guardrail_intervened')] }])
    expect((await ask(t.gateway, promptOf(model))).reply.finishReason).toBe('length')
    expect((await ask(t.gateway, promptOf(model))).reply.finishReason).toBe('content-filter')
  })
})

test('every face reaches it, streamed or not, and what is booked is what Bedrock counted', async () => {
  const bedrock = await startFakeBedrock([hello], { keys: [key] })
  await using t = await openFacesBed([], { keys: { bedrock: writtenKey, openai: canaryKey }, baseUrls: { bedrock: bedrock.url }, compatible: undefined })
  const messages = [{ role: 'user' as const, content: 'Hello' }]
  expect((await t.openai.chat.completions.create({ model, messages })).choices[0]?.message.content).toBe('Grüß 世界 👋🏽')
  let streamed = ''
  for await (const event of t.anthropic.messages.stream({ model, messages, max_tokens: 50 }))
    if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') streamed += event.delta.text
  expect(streamed).toBe('Grüß 世界 👋🏽')
  expect((await t.openai.responses.create({ model, input: 'Hello' })).output_text).toBe('Grüß 世界 👋🏽')
  await expect.poll(() => t.booked).toHaveLength(3)
  for (const { outcome } of t.booked) expect(outcome).toMatchObject({ type: 'used', tokens: { input: 30, cacheRead: 100, cacheWrite: 10, output: 12 } })
  await bedrock[Symbol.asyncDispose]()
})

test('its settings: keys of both kinds share the load, and what is no key is told without being shown', () => {
  const { keys, awsRegion } = modelSettings(
    loadConfig({ AWS_BEARER_TOKEN_BEDROCK: 'a-token', LONGHAUL_BEDROCK_ACCESS_KEYS: writtenKey, AWS_REGION: 'eu-west-1' }),
  )
  expect([keys.bedrock, awsRegion]).toEqual([`a-token,${writtenKey}`, 'eu-west-1'])
  expect(() => loadConfig({ LONGHAUL_BEDROCK_ACCESS_KEYS: 'AKIDEXAMPLECANARY' })).toThrow(/LONGHAUL_BEDROCK_ACCESS_KEYS: must look like/)
  expect(() => loadConfig({ LONGHAUL_BEDROCK_ACCESS_KEYS: 'AKIDEXAMPLECANARY' })).not.toThrow(/AKIDEXAMPLE/)
  expect(frameOf({ type: 'messageStop', body: {} }).length).toBeGreaterThan(16)
})

describe('embeddings', () => {
  const openFaces = async (step: BedrockStep) => {
    const bedrock = await startFakeBedrock([step], { keys: [key], region: 'eu-central-1' })
    const bed = await openFacesBed([], { keys: { bedrock: writtenKey }, baseUrls: { bedrock: bedrock.url }, awsRegion: 'eu-central-1' })
    return {
      ...{ bed, bedrock },
      async [Symbol.asyncDispose]() {
        await bed[Symbol.asyncDispose]()
        await bedrock[Symbol.asyncDispose]()
      },
    }
  }

  test.each([
    ['amazon.titan-embed-text-v2:0', 2],
    ['cohere.embed-multilingual-v3', 1],
  ])('of %s come over OpenAI’s face, signed, in their order and booked', async (id, requests) => {
    await using t = await openFaces({ embeddingTokens: 7 })
    const answer = await t.bed.openai.embeddings.create({ model: `bedrock/${id}`, input: ['Hello', 'Hi'] }) // The client asks for base64.
    expect(answer.data.map(({ embedding, index }) => [index, [...embedding]])).toEqual([
      [0, [5, 1]],
      [1, [2, 1]],
    ])
    expect(t.bedrock.requests).toHaveLength(requests)
    expect(t.bedrock.requests.every(({ signedBy }) => signedBy === key.id)).toBe(true)
    expect(answer.usage).toEqual({ prompt_tokens: 7 * requests, total_tokens: 7 * requests })
    expect(t.bed.booked).toMatchObject([{ outcome: { type: 'used', tokens: { input: 7 * requests, output: 0 } } }])
  })

  test('that are refused say so in OpenAI’s words and cost nothing; tokens instead of texts are refused', async () => {
    await using t = await openFaces({ status: 400, type: 'ValidationException', message: 'Too long.' })
    const refused = await t.bed.post('/openai/v1/embeddings', { model: 'bedrock/amazon.titan-embed-text-v2:0', input: 'Hello' })
    expect([refused.status, await refused.json()]).toMatchObject([400, { error: { type: 'invalid_request_error' } }])
    expect(t.bed.booked).toMatchObject([{ outcome: { type: 'never-happened' } }])
    const tokens = await t.bed.post('/openai/v1/embeddings', { model: 'bedrock/amazon.titan-embed-text-v2:0', input: [[1, 2]] })
    expect([tokens.status, await tokens.text()]).toEqual([400, expect.stringContaining('takes texts')])
  })

  test('are there for memory and the cache, too', async () => {
    await using bedrock = await startFakeBedrock([{ embeddingTokens: 7 }], { keys: [key], region: 'eu-central-1' })
    const models = openModels({
      ...{
        keys: { bedrock: writtenKey },
        baseUrls: { bedrock: bedrock.url },
        awsRegion: 'eu-central-1',
        offline: offlinePlanner(),
        timeoutMs: 5_000,
        log: silentLog,
      },
    })
    const settled: Outcome[] = []
    const money = {
      admit: async () => ({ isAdmitted: true as const, callId: '1', reservation: {} as Reservation, outputTokensMax: undefined }),
      settle: async (_: Reservation, outcome: Outcome) => (settled.push(outcome), null),
    }
    const embed = openEmbedder({ models, money })
    const use = { account: { tenantId: 'acme' }, signal: new AbortController().signal }
    expect(await embed('bedrock/amazon.titan-embed-text-v2:0', ['Hello', 'Hi'], use)).toEqual([
      [5, 1],
      [2, 1],
    ])
    expect(settled).toMatchObject([{ type: 'used', tokens: { input: 14 } }])
  })
})

test.each([
  ['bedrock/anthropic.claude-sonnet-5-v1:0', 2.2],
  ['bedrock/anthropic.claude-sonnet-5', 2.2],
  ['bedrock/us.anthropic.claude-sonnet-5-v1:0', 2.2],
  ['bedrock/global.anthropic.claude-sonnet-5-v1:0', 2],
  ['bedrock/openai.gpt-oss-120b-1:0', 0.15],
  ['bedrock/us.amazon.nova-lite-v1:0', 0.06],
  ['bedrock/amazon.titan-embed-text-v2:0', 0.02],
  ['bedrock/anthropic.claude-of-tomorrow-v1:0', undefined],
])('%s costs %s dollars for a million tokens of input', (id, input) => {
  expect(priceOn(id, [], '2026-11-27')?.price.input).toBe(input)
})
