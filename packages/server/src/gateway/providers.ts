/** The providers: how each is configured and made. A provider's package is loaded when its first model is asked for. */
import type { LanguageModelV4 } from '@ai-sdk/provider'
import { AppError } from '../kernel/index.ts'

export const cloudProviders = {
  openai: { label: 'OpenAI', keySetting: 'OPENAI_API_KEY', baseUrl: 'https://api.openai.com/v1', model: 'gpt-6.1-terra' },
  anthropic: { label: 'Anthropic', keySetting: 'ANTHROPIC_API_KEY', baseUrl: 'https://api.anthropic.com/v1', model: 'claude-sonnet-5-5' },
  google: {
    label: 'Google',
    keySetting: 'GOOGLE_GENERATIVE_AI_API_KEY',
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta',
    model: 'gemini-3.8-flash',
  },
} as const

export type CloudName = keyof typeof cloudProviders
export type ProviderName = CloudName | 'compatible' | 'offline'

export type ProviderSettings = {
  keys: Partial<Record<CloudName, string | undefined>>
  /** Any server that speaks OpenAI's chat completions. `baseUrl` includes the `/v1`. */
  compatible?: { baseUrl: string; model: string; apiKey?: string | undefined } | undefined
  offline: LanguageModelV4
  /** Where a provider is, when it is not at its own address: a proxy, or a fake in a test. */
  baseUrls?: Partial<Record<CloudName, string | undefined>>
}

export type Provider = {
  name: ProviderName
  /** As people know it. */
  label: string
  /** The setting that holds its key, for remedies. */
  keySetting: string
  /** Its usual model here. */
  model: string
  /** Where it is, without anything secret. Undefined when it is in this process. */
  address: string | undefined
  /** Never shown. */
  secrets: readonly string[]
  load(id: string, fetch: typeof globalThis.fetch): Promise<LanguageModelV4>
}

/** `model` is `provider/id`. */
export type CallContext = { provider: Provider; model: string }

export const idOf = (model: string): string => model.slice(model.indexOf('/') + 1)

/** What a person would look for: a compatible server by its address, others by name. */
export const placeOf = (provider: Provider): string => (provider.name === 'compatible' && provider.address ? provider.address : provider.label)

/** In the order of preference: what was set for Longhaul before what may be in the environment for other programs. */
export function configureProviders(settings: ProviderSettings): Map<ProviderName, Provider> {
  const { compatible, offline } = settings
  const providers: Provider[] = []
  if (compatible) providers.push(compatibleProvider(compatible))
  for (const name of ['openai', 'anthropic', 'google'] as const) {
    const key = cleanKey(cloudProviders[name].keySetting, settings.keys[name])
    if (key) providers.push(cloudProvider(name, key, settings.baseUrls?.[name] ?? cloudProviders[name].baseUrl))
  }
  const label = 'The offline stand-in'
  providers.push({ name: 'offline', label, keySetting: '', model: 'planner', address: undefined, secrets: [], load: async () => offline })
  return new Map(providers.map((provider) => [provider.name, provider]))
}

function cloudProvider(name: CloudName, apiKey: string, baseURL: string): Provider {
  const { label, keySetting, model } = cloudProviders[name]
  return { name, label, keySetting, model, address: baseURL, secrets: [apiKey], load: (id, fetch) => loaders[name](id, { apiKey, baseURL, fetch }) }
}

type Connection = { apiKey: string; baseURL: string; fetch: typeof globalThis.fetch }

/** The address is always given, so that these packages never read one from the environment. */
const loaders: Record<CloudName, (id: string, connection: Connection) => Promise<LanguageModelV4>> = {
  openai: async (id, connection) => (await import('@ai-sdk/openai')).createOpenAI(connection).responses(id),
  anthropic: async (id, connection) => (await import('@ai-sdk/anthropic')).createAnthropic(connection).languageModel(id),
  google: async (id, connection) => (await import('@ai-sdk/google')).createGoogleGenerativeAI(connection).languageModel(id),
}

function compatibleProvider({ baseUrl, model, apiKey }: NonNullable<ProviderSettings['compatible']>): Provider {
  const keySetting = 'LONGHAUL_OPENAI_COMPATIBLE_API_KEY'
  const url = URL.parse(baseUrl)
  const setting = 'LONGHAUL_OPENAI_COMPATIBLE_BASE_URL'
  if (!url || !/^https?:$/.test(url.protocol)) throw new AppError('invalid', `${setting} must be an http or https URL, such as http://127.0.0.1:11434/v1.`)
  if (url.username || url.password || url.search)
    throw new AppError('invalid', `${setting} must not hold a user, password or query. The key belongs in ${keySetting}.`)
  const key = cleanKey(keySetting, apiKey)
  return {
    name: 'compatible',
    label: 'The OpenAI-compatible server',
    keySetting,
    model,
    address: baseUrl,
    secrets: key ? [key] : [],
    async load(id, fetch) {
      const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible')
      return createOpenAICompatible({ name: 'compatible', baseURL: baseUrl, ...(key ? { apiKey: key } : {}), includeUsage: true, fetch }).chatModel(id)
    },
  }
}

/** Keys are pasted: white space around them is never part of them, and what a header cannot hold never was a key. */
function cleanKey(setting: string, value: string | undefined): string | undefined {
  const key = value?.trim()
  if (!key) return undefined
  if (!/^[\x21-\x7e]+$/.test(key)) throw new AppError('invalid', `${setting} holds characters that no key has. Copy it again.`)
  return key
}
