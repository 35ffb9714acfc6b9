/** A gateway whose providers are all one fake, and a language model that says what it is told. */
import type { LanguageModelV4, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import type { ModelReply, Prompt } from '@longhaul/protocol'
import type { Gateway, GatewayOptions, Picked } from '../../src/gateway/index.ts'
import { openGateway } from '../../src/gateway/index.ts'
import { type LogLevel, createLog } from '../../src/kernel/index.ts'
import type { Dialect } from './fake-dialects.ts'
import { type FakeProvider, type FakeScript, startFakeProvider } from './fake-provider.ts'

/** The key of every provider in tests. Nothing that leaves the gateway may hold it. */
export const canaryKey = 'sk-canary-7b1f4e90d2c8'

export const modelOf: Record<Dialect, string> = {
  openai: 'openai/gpt-5-mini',
  anthropic: 'anthropic/claude-sonnet-4-5',
  google: 'google/gemini-2.5-pro',
  compatible: 'compatible/qwen3:8b',
}

/** What a route says that has these targets, and no more to tell. */
export const pickedOf = (models: string[]): Picked => ({ models, climbs: 0, note: () => ({ name: 'route', why: 'always' }), asking: () => {} })

export type FakeGateway = AsyncDisposable & {
  gateway: Gateway
  fake: FakeProvider
  /** Everything that was logged, as text. */
  logged: string[]
}

export async function openFakeGateway(script: FakeScript, options: Partial<GatewayOptions> = {}): Promise<FakeGateway> {
  const fake = await startFakeProvider(script)
  const logged: string[] = []
  const log = createLog((level: LogLevel, message, data) => logged.push(JSON.stringify({ level, message, ...data })), 'debug')
  const gateway = openGateway({
    keys: { openai: canaryKey, anthropic: canaryKey, google: canaryKey },
    compatible: { baseUrl: fake.compatibleUrl, model: 'qwen3:8b', apiKey: canaryKey },
    baseUrls: fake.baseUrls,
    offline: scriptedModel([]),
    timeoutMs: 10_000,
    log,
    ...options,
  })
  return { gateway, fake, logged, [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose]() }
}

export const promptOf = (model: string, prompt: Partial<Prompt> = {}): Prompt => ({
  model,
  instructions: '',
  tools: [],
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
  ...prompt,
})

/** Calls and collects what was streamed. */
export async function ask(gateway: Gateway, prompt: Prompt, signal = new AbortController().signal): Promise<{ reply: ModelReply; deltas: string[] }> {
  const deltas: string[] = []
  const reply = await gateway.generate(prompt, { signal, onText: (delta) => deltas.push(delta) })
  return { reply, deltas }
}

/** A language model in this process that streams these parts, whatever it is asked. */
export function scriptedModel(
  parts: readonly LanguageModelV4StreamPart[] | ((signal: AbortSignal | undefined) => ReadableStream<LanguageModelV4StreamPart>),
): LanguageModelV4 {
  return {
    specificationVersion: 'v4',
    provider: 'offline',
    modelId: 'planner',
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error('The gateway always streams.')),
    doStream: async ({ abortSignal }) => ({ stream: typeof parts === 'function' ? parts(abortSignal) : ReadableStream.from<LanguageModelV4StreamPart>(parts) }),
  }
}
