/** Details of the wire that clients depend on and that gateways get wrong. */
import { generateText, streamText, tool } from 'ai'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { ChatAnthropic } from '@langchain/anthropic'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { callerKey, openFacesBed } from '../../../test/support/faces-bed.ts'
import { canaryKey, scriptedModel } from '../../../test/support/fake-gateway.ts'
import type { FakeStep } from '../../../test/support/fake-provider.ts'

const messages = [{ role: 'user' as const, content: 'Hello' }]
const raw = (...events: string[]): FakeStep => ({
  text: [],
  fault: { type: 'raw', body: events.map((event) => `${event}\n\n`).join(''), contentType: 'text/event-stream' },
})
const chunk = (delta: object, finish: string | null = null) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}`
const post = async (t: Awaited<ReturnType<typeof openFacesBed>>, path: string, body: object) => (await t.post(path, body)).text()

describe('what goes out', () => {
  test('the body goes on byte for byte but for the model and the wish to count tokens', async () => {
    await using t = await openFacesBed([{ text: ['Hi.'] }])
    const body = '{ "messages" : [ {"role":"user","content":"\\u00e9 \\/ 1.0"} ],\n  "model":"compatible/m" , "temperature":1.0, "stream":true, "x":1e3 }'
    await t.post('/openai/v1/chat/completions', body)
    expect(t.fake.requests[0]?.text).toBe(
      '{"stream_options":{"include_usage":true}, "messages" : [ {"role":"user","content":"\\u00e9 \\/ 1.0"} ],\n  "model":"m" , "temperature":1.0, "stream":true, "x":1e3 }',
    )
  })

  test('a wish of the caller’s own for the stream is kept', async () => {
    await using t = await openFacesBed([{ text: ['Hi.'] }])
    await t.post('/openai/v1/chat/completions', { model: 'compatible/m', messages, stream: true, stream_options: { include_obfuscation: false } })
    expect(t.fake.requests[0]?.body).toMatchObject({ stream_options: { include_obfuscation: false, include_usage: true } })
  })

  test('a provider that counts unasked is not asked', async () => {
    await using fake = await openFacesBed([{ text: ['Hi.'] }])
    await using t = await openFacesBed([{ text: ['Hi.'] }], { keys: { mistral: 'k' }, baseUrls: { mistral: fake.fake.compatibleUrl } })
    await t.post('/openai/v1/chat/completions', { model: 'mistral-large-latest', messages, stream: true })
    expect(fake.fake.requests[0]?.body).toEqual({ model: 'mistral-large-latest', messages, stream: true })
  })

  test('nothing of the caller’s travels on but what the language needs', async () => {
    await using t = await openFacesBed([{ text: ['Hi.'] }])
    const headers = {
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'context-1m',
      cookie: 'secret=1',
      'x-forwarded-for': '10.0.0.1',
      'openai-organization': 'org-1',
      'x-longhaul-tags': 'team=search',
    }
    await t.post('/anthropic/v1/messages?beta=true', { model: 'claude-sonnet-4-5', max_tokens: 5, messages }, headers)
    const sent = t.fake.requests[0]?.headers ?? {}
    expect(Object.keys(sent).toSorted()).toEqual([
      'accept-encoding',
      'anthropic-beta',
      'anthropic-version',
      'connection',
      'content-length',
      'content-type',
      'host',
      'user-agent',
      'x-api-key',
    ])
    expect([sent['x-api-key'], sent['anthropic-beta'], JSON.stringify(sent).includes(callerKey)]).toEqual([canaryKey, 'context-1m', false])
    expect(t.booked[0]?.call).toMatchObject({ tags: { team: 'search' } })
  })

  test('Azure’s key travels in a header of its own', async () => {
    await using fake = await openFacesBed([{ text: ['Hi.'] }])
    await using t = await openFacesBed([], { keys: { azure: 'azure-key' }, baseUrls: { azure: fake.fake.compatibleUrl } })
    await t.openai.chat.completions.create({ model: 'azure/my-deployment', messages })
    await t.anthropic.messages.create({ model: 'azure/my-deployment', max_tokens: 5, messages })
    expect(fake.fake.requests.map(({ headers }) => [headers['api-key'], headers.authorization])).toEqual([
      ['azure-key', undefined],
      ['azure-key', undefined],
    ])
  })

  test('an image is not reserved as the text of its base64', async () => {
    await using t = await openFacesBed([{ text: ['Hi.'] }])
    const url = `data:image/png;base64,${'A'.repeat(400_000)}`
    await t.openai.chat.completions.create({ model: 'compatible/m', messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }] })
    expect(t.booked[0]?.call.inputTokensMax).toBeLessThan(10_000)
    await t.openai.chat.completions.create({ model: 'compatible/m', messages: [{ role: 'user', content: 'word '.repeat(10_000) }] })
    expect(t.booked[1]?.call.inputTokensMax).toBeUndefined()
  })
})

describe('what comes back', () => {
  test.each<[string, (object | undefined)[][]]>([
    [
      'without an index',
      [
        [{ id: 'a', function: { name: 'f', arguments: '' } }],
        [{ function: { arguments: '{"n":1}' } }],
        [{ id: 'b', function: { name: 'f', arguments: '' } }],
        [{ function: { arguments: '{"n":2}' } }],
      ],
    ],
    [
      'all with the index 0',
      [
        [{ index: 0, id: 'a', function: { name: 'f', arguments: '{"n":' } }],
        [{ index: 0, function: { arguments: '1}' } }],
        [{ index: 0, id: 'b', function: { name: 'f', arguments: '{"n":' } }],
        [{ index: 0, function: { arguments: '2}' } }],
      ],
    ],
    [
      'whole, two in a chunk, without an index',
      [
        [
          { id: 'a', function: { name: 'f', arguments: '{"n":1}' } },
          { id: 'b', function: { name: 'f', arguments: '{"n":2}' } },
        ],
      ],
    ],
    [
      'with their id in every piece',
      [
        [{ index: 0, id: 'a', function: { name: 'f', arguments: '{"n":' } }],
        [{ index: 0, id: 'a', function: { arguments: '1}' } }],
        [{ index: 1, id: 'b', function: { name: 'f', arguments: '{"n":2}' } }],
      ],
    ],
    [
      'interleaved, as they should be',
      [
        [
          { index: 0, id: 'a', function: { name: 'f', arguments: '{"n":' } },
          { index: 1, id: 'b', function: { name: 'f', arguments: '{"n":' } },
        ],
        [
          { index: 0, function: { arguments: '1}' } },
          { index: 1, function: { arguments: '2}' } },
        ],
      ],
    ],
  ])('calls of tools %s are put together as they were meant', async (what, pieces) => {
    const events = [
      chunk({ role: 'assistant', content: '' }),
      ...pieces.map((calls) => chunk({ tool_calls: calls.map((call) => ({ type: 'function', ...call })) })),
      chunk({}, 'tool_calls'),
      'data: [DONE]',
    ]
    await using t = await openFacesBed([raw(...events)])
    const answer = await t.openai.chat.completions.stream({ model: 'compatible/m', messages }).finalChatCompletion()
    expect(answer.choices[0]?.message.tool_calls?.map((call) => call.type === 'function' && [call.id, call.function.arguments])).toEqual([
      ['a', '{"n":1}'],
      ['b', '{"n":2}'],
    ])
    if (what.startsWith('interleaved'))
      expect(await post(t, '/openai/v1/chat/completions', { model: 'compatible/m', messages, stream: true })).toBe(
        events.map((event) => `${event}\n\n`).join(''),
      )
  })

  test('an answer that speaks of errors, usage and ends is no error and no end', async () => {
    const content = '"error": {"message": "x"} "usage": {} data: [DONE] event: error'
    await using t = await openFacesBed([raw(chunk({ content }), chunk({}, 'stop'), 'data: [DONE]')])
    const chunks = await Array.fromAsync(await t.openai.chat.completions.create({ model: 'compatible/m', messages, stream: true }))
    expect(chunks[0]?.choices[0]?.delta.content).toBe(content)
  })

  test('an event of Anthropic’s without its name gets one: its client would drop it in silence', async () => {
    const events = [
      {
        type: 'message_start',
        message: {
          id: 'm',
          type: 'message',
          role: 'assistant',
          model: 'm',
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { input_tokens: 5, output_tokens: 1 },
        },
      },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hi.' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 7 } },
      { type: 'message_stop' },
    ]
    await using t = await openFacesBed([raw(...events.map((event) => `data: ${JSON.stringify(event)}`))])
    const answer = await t.anthropic.messages.stream({ model: 'anthropic/m', max_tokens: 5, messages }).finalMessage()
    expect(answer).toMatchObject({ content: [{ text: 'Hi.' }], usage: { output_tokens: 7 } })
    await expect.poll(() => t.booked).toMatchObject([{ outcome: { type: 'used', tokens: { input: 5, output: 7 } } }]) // The last count is the total.
  })

  test('pings and unknown events pass as they are', async () => {
    const events = [
      'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{}}',
      'event: response.new_thing\ndata: {"type":"response.new_thing","sequence_number":1}',
      'event: response.completed\ndata: {"type":"response.completed","sequence_number":2,"response":{"usage":{"input_tokens":1,"output_tokens":2}}}',
    ]
    await using t = await openFacesBed([raw(...events)])
    expect(await post(t, '/openai/v1/responses', { model: 'openai/m', input: 'x', stream: true })).toBe(events.map((event) => `${event}\n\n`).join(''))
  })

  test('what is written to Anthropic’s caches is counted apart, and all buckets sum to the whole', async () => {
    const usage = {
      input_tokens: 10,
      cache_read_input_tokens: 20,
      cache_creation_input_tokens: 70,
      cache_creation: { ephemeral_5m_input_tokens: 30, ephemeral_1h_input_tokens: 40 },
      output_tokens: 5,
    }
    await using t = await openFacesBed([{ json: { id: 'm', type: 'message', role: 'assistant', content: [{ type: 'text', text: 'Hi.' }], usage } }])
    await t.anthropic.messages.create({ model: 'anthropic/m', max_tokens: 5, messages })
    expect(t.booked[0]?.outcome).toEqual({
      type: 'used',
      tokens: {
        input: 10,
        cacheRead: 20,
        cacheWrite: 30,
        cacheWriteLong: 40,
        inputAudio: 0,
        inputImage: 0,
        output: 5,
        reasoning: 0,
        outputAudio: 0,
        outputImage: 0,
      },
    })
  })

  test.each([
    ['numbers', [0.5, -0.25, 1]],
    ['base64', Buffer.from(Float32Array.from([0.5, -0.25, 1]).buffer).toString('base64')],
  ])('embeddings that come as %s are what the client reads, whichever it asked for', async (_, embedding) => {
    await using t = await openFacesBed([
      { json: { object: 'list', data: [{ object: 'embedding', index: 0, embedding }], model: 'm', usage: { prompt_tokens: 3, total_tokens: 3 } } },
    ])
    expect((await t.openai.embeddings.create({ model: 'compatible/m', input: 'x' })).data[0]?.embedding).toEqual([0.5, -0.25, 1])
    expect((await t.openai.embeddings.create({ model: 'compatible/m', input: 'x', encoding_format: 'float' })).data[0]?.embedding).toEqual([0.5, -0.25, 1])
    expect(t.booked[0]).toMatchObject({ call: { outputTokensMax: 0 }, outcome: { type: 'used', tokens: { input: 3, output: 0 } } })
    await expect(t.openai.embeddings.create({ model: 'anthropic/m', input: 'x' })).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('offers no embeddings'),
    })
  })

  test('tokens are counted by Anthropic for its models, and estimated for all others', async () => {
    await using t = await openFacesBed([{ json: { input_tokens: 42 } }])
    expect(await t.anthropic.messages.countTokens({ model: 'anthropic/m', messages })).toEqual({ input_tokens: 42 })
    expect(t.fake.requests[0]?.path).toBe('/v1/messages/count_tokens')
    const estimated = await t.post('/anthropic/v1/messages/count_tokens', { model: 'compatible/m', messages })
    expect([estimated.headers.get('x-longhaul-estimated'), await estimated.json()]).toEqual(['true', { input_tokens: expect.any(Number) }])
    expect(t.booked).toEqual([])
  })

  test('the answer says who answered', async () => {
    await using t = await openFacesBed([{ text: ['Hi.'] }])
    const answer = await t.post('/openai/v1/chat/completions', { model: 'gpt-5-mini', messages })
    expect(answer.headers.get('x-longhaul-model')).toBe('openai/gpt-5-mini')
    expect(t.calls()).toMatchObject([
      { tenantId: 'acme', keyId: 'key-caller', model: 'gpt-5-mini', target: 'openai/gpt-5-mini', attempts: 1, status: 200, outcome: 'used' },
    ])
  })
})

test('the offline stand-in can be asked like any model, in every language', async () => {
  const usage = {
    inputTokens: { total: 20, noCache: 20, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: 7, text: 7, reasoning: undefined },
  }
  const offline = scriptedModel([
    { type: 'text-start', id: '1' },
    { type: 'text-delta', id: '1', delta: 'I cannot answer that offline.' },
    { type: 'text-end', id: '1' },
    { type: 'finish', finishReason: { unified: 'stop', raw: undefined }, usage },
  ])
  await using t = await openFacesBed([], { offline, keys: {}, compatible: undefined })
  for (const model of ['offline/planner', 'default']) {
    expect((await t.openai.chat.completions.create({ model, messages })).choices[0]?.message.content).toBe('I cannot answer that offline.')
    expect((await t.openai.responses.create({ model, input: 'x' })).output_text).toBe('I cannot answer that offline.')
    expect((await t.anthropic.messages.create({ model, max_tokens: 5, messages })).content).toMatchObject([{ text: 'I cannot answer that offline.' }])
  }
  expect(t.booked.map(({ outcome }) => outcome)).toMatchObject(Array.from({ length: 6 }, () => ({ type: 'used', tokens: { input: 20, output: 7 } })))
})

describe.each(['compatible/m', 'openai/m', 'anthropic/m'])('frameworks, with %s', (model) => {
  const steps: FakeStep[] = [{ toolCalls: [{ id: 'call_1', name: 'weather', input: { city: 'Paris' } }] }, { text: ['Sunny ', 'in Paris.'] }]
  const weather = { description: 'Weather', inputSchema: z.object({ city: z.string() }), execute: async ({ city }: { city: string }) => `sunny in ${city}` }

  test.each(['openai', 'openai chat', 'anthropic', 'compatible'])('the AI SDK with its provider %s', async (provider) => {
    await using t = await openFacesBed(steps)
    const models = {
      openai: () => createOpenAI({ apiKey: callerKey, baseURL: `${t.url}/openai/v1` }).responses(model),
      'openai chat': () => createOpenAI({ apiKey: callerKey, baseURL: `${t.url}/openai/v1` }).chat(model),
      anthropic: () => createAnthropic({ apiKey: callerKey, baseURL: `${t.url}/anthropic/v1` })(model),
      compatible: () => createOpenAICompatible({ name: 'longhaul', apiKey: callerKey, baseURL: `${t.url}/openai/v1` }).chatModel(model),
    }
    const language = models[provider as keyof typeof models]()
    const { text } = await generateText({
      model: language,
      prompt: 'Weather?',
      tools: { weather: tool(weather) },
      stopWhen: ({ steps: done }) => done.length === 2,
    })
    expect(text).toBe('Sunny in Paris.')
    const words = await Array.fromAsync(streamText({ model: language, prompt: 'Weather?' }).textStream)
    expect(words.join('')).toBe('Sunny in Paris.')
  })

  test('LangChain with its chat models', async () => {
    await using t = await openFacesBed(steps)
    const chats = [
      new ChatOpenAI({ model, apiKey: callerKey, configuration: { baseURL: `${t.url}/openai/v1` } }),
      new ChatAnthropic({ model, apiKey: callerKey, anthropicApiUrl: `${t.url}/anthropic`, maxTokens: 50 }),
    ]
    for (const [i, chat] of chats.entries()) {
      if (i === 0)
        expect((await chat.bindTools!([{ name: 'weather', description: 'Weather', schema: weather.inputSchema }]).invoke('Weather?')).tool_calls).toMatchObject(
          [{ name: 'weather', args: { city: 'Paris' } }],
        )
      expect((await chat.invoke('Hello')).text).toBe('Sunny in Paris.')
      const pieces = await Array.fromAsync(await chat.stream('Hello'))
      expect(pieces.map((piece) => piece.text).join('')).toBe('Sunny in Paris.')
    }
  })
})

test('LangChain’s embeddings', async () => {
  await using t = await openFacesBed([
    { json: { object: 'list', data: [{ object: 'embedding', index: 0, embedding: [0.5, 1] }], model: 'm', usage: { prompt_tokens: 3, total_tokens: 3 } } },
  ])
  const embeddings = new OpenAIEmbeddings({ model: 'compatible/m', apiKey: callerKey, configuration: { baseURL: `${t.url}/openai/v1` } })
  expect(await embeddings.embedQuery('x')).toEqual([0.5, 1])
})
