import type { LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { describe, expect, test } from 'vitest'
import { ask, canaryKey, openFakeGateway, promptOf, scriptedModel } from '../../test/support/fake-gateway.ts'
import { AppError, silentLog } from '../kernel/index.ts'
import { type GatewayOptions, openGateway } from './index.ts'
import { configureProviders } from './providers.ts'

const offlineParts: LanguageModelV4StreamPart[] = [
  { type: 'stream-start', warnings: [] },
  { type: 'text-start', id: '1' },
  { type: 'text-delta', id: '1', delta: 'I cannot answer that offline.' },
  { type: 'text-end', id: '1' },
  {
    type: 'finish',
    finishReason: { unified: 'stop', raw: undefined },
    usage: {
      inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
      outputTokens: { total: undefined, text: undefined, reasoning: undefined },
    },
  },
]
const open = (options: Partial<GatewayOptions> = {}) =>
  openGateway({ keys: {}, offline: scriptedModel(offlineParts), timeoutMs: 1_000, log: silentLog, ...options })
const local = { baseUrl: 'http://127.0.0.1:11434/v1', model: 'qwen3:8b' }

describe('the model that `default` stands for', () => {
  test('without any provider it is the offline stand-in, which answers and costs nothing', async () => {
    const gateway = open()
    expect(gateway).toMatchObject({ defaultModel: 'offline/planner', isOffline: true, available: ['offline/planner'] })
    const { reply, deltas } = await ask(gateway, promptOf('default'))
    expect(deltas).toEqual(['I cannot answer that offline.'])
    expect(reply).toEqual({
      model: 'offline/planner',
      content: [{ type: 'text', text: 'I cannot answer that offline.' }],
      finishReason: 'stop',
      usage: { input: 0, cachedInput: 0, output: 0, costUsd: 0 },
    })
  })

  test('with providers it is the usual model of the first; what was set for Longhaul comes before keys that may be there for others', () => {
    expect(open({ keys: { google: 'k', anthropic: 'k' } })).toMatchObject({ defaultModel: 'anthropic/claude-sonnet-5-5', isOffline: false })
    expect(open({ keys: { openai: 'k' }, compatible: local })).toMatchObject({
      defaultModel: 'compatible/qwen3:8b',
      available: ['compatible/qwen3:8b', 'openai/gpt-6.1-terra', 'offline/planner'],
    })
  })

  test('LONGHAUL_MODEL decides, also for the stand-in', () => {
    expect(open({ keys: { openai: 'k' }, model: 'openai/gpt-5' }).defaultModel).toBe('openai/gpt-5')
    expect(open({ keys: { openai: 'k' }, model: 'offline/planner' })).toMatchObject({ defaultModel: 'offline/planner', isOffline: true })
  })

  test('the reply names what answered, not the alias', async () => {
    await using t = await openFakeGateway([{ text: ['Hi.'] }], { model: 'openai/gpt-5-mini' })
    expect((await ask(t.gateway, promptOf('default'))).reply).toMatchObject({ model: 'openai/gpt-5-mini', usage: { input: 10, output: 5, costUsd: 0.0000125 } })
  })

  test('an id may hold slashes', async () => {
    await using t = await openFakeGateway([{ text: ['Hi.'] }])
    expect((await ask(t.gateway, promptOf('compatible/meta-llama/Llama-4'))).reply.model).toBe('compatible/meta-llama/Llama-4')
    expect(t.fake.requests[0]!.model).toBe('meta-llama/Llama-4')
  })
})

describe('a model that cannot be had', () => {
  test.each([
    ['openai/gpt-5', 'OPENAI_API_KEY'],
    ['anthropic/claude-opus-5-5', 'ANTHROPIC_API_KEY'],
    ['google/gemini-3.8-flash', 'GOOGLE_GENERATIVE_AI_API_KEY'],
    ['compatible/llama', 'LONGHAUL_OPENAI_COMPATIBLE_BASE_URL'],
    ['gpt-5', 'OPENAI_API_KEY'],
    ['mistral/large', 'MISTRAL_API_KEY'],
    ['nobody/large', 'offline/planner'],
    ['my-model', 'provider/model'],
    ['offline/other', 'offline/planner'],
    ['/x', 'provider/model'],
    ['', 'provider/model'],
    ['constructor/x', 'provider/model'],
  ])('%s fails its call for good, and names the remedy: %s', async (model, remedy) => {
    await expect(ask(open(), promptOf(model))).rejects.toMatchObject({
      failure: { code: 'unknown_model', retryable: false, message: expect.stringContaining(remedy) },
    })
  })

  test('does not keep the server from starting', async () => {
    const gateway = open({ model: 'openai/gpt-5' })
    await expect(ask(gateway, promptOf('default'))).rejects.toMatchObject({ failure: { message: expect.stringContaining('OPENAI_API_KEY') } })
    expect((await ask(gateway, promptOf('offline/planner'))).reply.model).toBe('offline/planner')
  })
})

describe('settings', () => {
  test('each provider is at its own address unless told otherwise', () => {
    const providers = configureProviders({
      keys: { openai: 'k', anthropic: 'k', google: 'k' },
      baseUrls: { google: 'http://proxy' },
      offline: scriptedModel([]),
    })
    expect([...providers.values()].map(({ address }) => address)).toEqual([
      'https://api.openai.com/v1',
      'https://api.anthropic.com/v1',
      'http://proxy',
      undefined,
    ])
  })

  test('white space around a key is not part of it, and an empty key is none', async () => {
    await using t = await openFakeGateway([{ text: ['Hi.'] }], { keys: { openai: ` ${canaryKey}\n`, anthropic: ' ' } })
    await ask(t.gateway, promptOf('openai/gpt-5-mini'))
    expect(t.fake.requests[0]!.key).toBe(canaryKey)
    await expect(ask(t.gateway, promptOf('anthropic/claude-opus-5'))).rejects.toMatchObject({ failure: { code: 'unknown_model' } })
  })

  test.each([
    ['a key that no header holds', { keys: { openai: 'sk-…secret' } }, 'OPENAI_API_KEY'],
    ['an address that is none', { compatible: { ...local, baseUrl: 'localhost:11434' } }, 'LONGHAUL_OPENAI_COMPATIBLE_BASE_URL'],
    ['an address with a password', { compatible: { ...local, baseUrl: 'http://me:secret@127.0.0.1/v1' } }, 'LONGHAUL_OPENAI_COMPATIBLE_API_KEY'],
  ])('%s is refused at the start, by the name of the setting and without its value', (_, options, setting) => {
    const opening = () => open(options)
    expect(opening).toThrow(AppError)
    expect(opening).toThrow(setting)
    expect(opening).not.toThrow('secret')
  })

  test('a compatible server without a key gets no authorization header', async () => {
    await using t = await openFakeGateway([{ text: ['Hi.'] }])
    const gateway = open({ compatible: { baseUrl: t.fake.compatibleUrl, model: 'm' } })
    await ask(gateway, promptOf('default'))
    expect(t.fake.requests[0]!.headers.authorization).toBeUndefined()
  })

  test('a base URL or key of another program in the environment is not used', async () => {
    const names = ['OPENAI_BASE_URL', 'OPENAI_API_KEY', 'ANTHROPIC_BASE_URL', 'GOOGLE_GENERATIVE_AI_API_KEY']
    const before = names.map((name) => process.env[name])
    try {
      for (const name of names) process.env[name] = 'http://127.0.0.1:9/elsewhere'
      await using t = await openFakeGateway([{ text: ['Hi.'] }])
      for (const model of ['openai/gpt-5-mini', 'anthropic/claude-sonnet-4-5', 'google/gemini-2.5-pro']) await ask(t.gateway, promptOf(model))
      expect(t.fake.requests.map(({ key }) => key)).toEqual([canaryKey, canaryKey, canaryKey])
    } finally {
      names.forEach((name, i) => (before[i] === undefined ? delete process.env[name] : (process.env[name] = before[i])))
    }
  })
})

test('a model in this process that never answers is given up all the same', async () => {
  const caller = new AbortController()
  const deaf = scriptedModel(() => new ReadableStream({}))
  await expect(ask(open({ offline: deaf, timeoutMs: 50 }), promptOf('default'))).rejects.toMatchObject({ failure: { code: 'timeout' } })
  const failing = ask(open({ offline: deaf }), promptOf('default'), caller.signal)
  caller.abort()
  await expect(failing).rejects.toMatchObject({ failure: { code: 'aborted' } })
})

test('a model in this process that breaks fails its call, not the process', async () => {
  const broken = scriptedModel(() => new ReadableStream({ pull: (controller) => controller.error(new Error('a bug')) }))
  await expect(ask(open({ offline: broken }), promptOf('default'))).rejects.toMatchObject({ failure: { code: 'bad_reply', retryable: true } })
})

test('many calls at once do not mix their answers', async () => {
  await using t = await openFakeGateway((request) => ({ text: ['for ', request.model ?? ''] }))
  const models = Array.from({ length: 50 }, (_, i) => `compatible/m${i}`)
  const replies = await Promise.all(models.map((model) => ask(t.gateway, promptOf(model))))
  expect(replies.map(({ reply }) => reply.content[0])).toEqual(models.map((_, i) => ({ type: 'text', text: `for m${i}` })))
})

test('prompts and answers are not in the log', async () => {
  await using t = await openFakeGateway([{ text: ['my answer'] }, { status: 500 }])
  await ask(t.gateway, promptOf('compatible/m'))
  await ask(t.gateway, promptOf('compatible/m')).catch(() => {})
  expect(t.logged).toHaveLength(2)
  expect(t.logged.join()).not.toMatch(/Hello|my answer/)
})
