/** The providers that are configured here, and how a model of each is made. A provider's package is loaded when its first model is asked for. */
import type { EmbeddingModelV4, LanguageModelV4 } from '@ai-sdk/provider'
import { AppError } from '../kernel/index.ts'
import { type KeyRing, openKeyRing } from './key-ring.ts'
import { type Dialect, type KeyedName, type ProviderRow, isKeyedName, keyedProviders } from './provider-table.ts'

export { cloudProviders } from './provider-table.ts'
export type { CloudName } from './provider-table.ts'

/** A server that speaks OpenAI's chat completions. `baseUrl` includes the `/v1`. */
export type OwnServer = { baseUrl: string; model: string; apiKey?: string | undefined }

export type ProviderSettings = {
  /** Several keys of one provider stand in one text, with commas between. */
  keys: Partial<Record<KeyedName, string | undefined>>
  /** The one server that has settings of its own. */
  compatible?: OwnServer | undefined
  /** Any number of others, by name. */
  servers?: Readonly<Record<string, OwnServer>> | undefined
  offline: LanguageModelV4
  /** Where a provider is, when it is not at its own address: a region, a proxy, or a fake in a test. */
  baseUrls?: Partial<Record<string, string | undefined>> | undefined
  /** Of Bedrock: where it is, and what requests to it are signed for. */
  awsRegion?: string | undefined
}

export type Provider = {
  name: string
  /** As people know it. */
  label: string
  /** The setting that holds its key, for remedies. */
  keySetting: string
  /** Its usual model here. */
  model: string
  /** A server of the operator's: the address is what people know it by. */
  isOwnServer: boolean
  /** Where it is, without anything secret. Undefined when it is in this process. */
  address: string | undefined
  /** Where it speaks which dialect itself. */
  speaks: Partial<Record<Dialect, string>>
  keyHeader: ProviderRow['keyHeader']
  prefixes: readonly string[]
  countsUnasked: boolean
  keys: KeyRing
  /** Never shown. */
  secrets: readonly string[]
  /** Why nothing can be asked of it. */
  problem?: string | undefined
  /** The same model with the next key of the ring, unless one is given. */
  load(id: string, fetch: typeof globalThis.fetch, key?: string): Promise<LanguageModelV4>
  /** Where it has embeddings in a protocol of its own. */
  loadEmbedding?: ((id: string, fetch: typeof globalThis.fetch, key: string) => Promise<EmbeddingModelV4>) | undefined
}

/** `model` is `provider/id`. */
export type CallContext = { provider: Provider; model: string }

export const idOf = (model: string): string => model.slice(model.indexOf('/') + 1)

/** What a person would look for: a server of their own by its address, others by name. */
export const placeOf = (provider: Provider): string => (provider.isOwnServer && provider.address ? provider.address : provider.label)

/** In the order of preference: what was set for Longhaul before what may be in the environment for other programs. */
export function configureProviders(settings: ProviderSettings): Map<string, Provider> {
  const { compatible, servers = {}, offline, baseUrls = {}, awsRegion = 'us-east-1' } = settings
  const providers: Provider[] = []
  if (compatible) {
    const names = { base: 'LONGHAUL_OPENAI_COMPATIBLE_BASE_URL', key: 'LONGHAUL_OPENAI_COMPATIBLE_API_KEY' }
    providers.push(ownServer('compatible', compatible, names))
  }
  for (const [name, server] of Object.entries(servers)) {
    if (!/^[a-z][a-z0-9-]{0,31}$/.test(name) || isKeyedName(name) || name === 'compatible' || name === 'offline' || name === 'default') {
      throw new AppError(
        'invalid',
        `LONGHAUL_MODEL_SERVERS: ${JSON.stringify(name)} cannot be the name of a server. Use lower-case letters, digits and hyphens, and no provider’s name.`,
      )
    }
    providers.push(ownServer(name, server, { base: `LONGHAUL_MODEL_SERVERS (${name})`, key: `LONGHAUL_MODEL_SERVERS (${name})` }))
  }
  for (const [name, row] of Object.entries(keyedProviders)) {
    if (!isKeyedName(name)) continue
    const keys = cleanKeys(row.keySetting, settings.keys[name])
    if (keys.length === 0) continue
    const baseUrl = baseUrls[name] ?? row.baseUrl.replace('{region}', awsRegion)
    if (baseUrl === '') {
      throw new AppError('invalid', `${row.label} has an address of your own: name it in LONGHAUL_PROVIDER_BASE_URLS, as {"${name}": "https://…"}.`)
    }
    providers.push(keyedProvider(name, row, keys, { awsRegion, baseUrl: checkedUrl(`LONGHAUL_PROVIDER_BASE_URLS (${name})`, row.keySetting, baseUrl) }))
  }
  providers.push(inProcess(offline))
  return new Map(providers.map((provider) => [provider.name, provider]))
}

function inProcess(offline: LanguageModelV4): Provider {
  return {
    name: 'offline',
    label: 'The offline stand-in',
    keySetting: '',
    model: 'planner',
    isOwnServer: false,
    address: undefined,
    speaks: {},
    keyHeader: 'authorization',
    prefixes: [],
    countsUnasked: false,
    keys: openKeyRing([]),
    secrets: [],
    load: async () => offline,
  }
}

type Place = { baseUrl: string; awsRegion: string }

function keyedProvider(name: KeyedName, row: ProviderRow, secrets: readonly string[], { baseUrl, awsRegion }: Place): Provider {
  const keys = openKeyRing(secrets)
  const speaks = Object.fromEntries(Object.entries(row.speaks).map(([dialect, path]) => [dialect, baseUrl + path]))
  const { label, keySetting, model, keyHeader, prefixes, countsUnasked = false } = row
  return {
    ...{ name, label, keySetting, model, keyHeader, prefixes, countsUnasked, keys, speaks },
    secrets: secrets.flatMap(partsOf),
    isOwnServer: false,
    address: baseUrl,
    ...(name === 'bedrock' && {
      loadEmbedding: async (id: string, fetch: typeof globalThis.fetch, key: string) =>
        (await openBedrock({ apiKey: key, baseURL: baseUrl, fetch, awsRegion })).embedding(id),
    }),
    load(id, fetch, key = keys.next(id) ?? secrets[0]!) {
      // The address is always given, so that these packages never read one from the environment.
      const loadOwn = loaders[name]
      if (loadOwn) return loadOwn(id, { apiKey: key, baseURL: baseUrl, fetch, awsRegion })
      return loadCompatible(name, id, speaks['chat'] ?? baseUrl, keyHeader === 'authorization' ? { apiKey: key } : { headers: { [keyHeader]: key } }, fetch)
    },
  }
}

type TenantPlace = { baseUrl: string | undefined; awsRegion: string; setting: string; problem: string | undefined }

/** One with keys of a tenant's own. With a `problem` it needs none, and is asked nothing. Throws `invalid` when a key or the address cannot be right. */
export function tenantProvider(name: string, keys: string, { baseUrl: given, awsRegion, setting, problem }: TenantPlace): Provider {
  if (!isKeyedName(name)) throw new AppError('invalid', `There is no provider ${name}.`)
  const row = keyedProviders[name]
  const baseUrl = given ?? row.baseUrl.replace('{region}', awsRegion)
  const secrets = cleanKeys(setting, keys)
  const why = problem ?? (secrets.length === 0 ? 'Its secrets are empty.' : undefined)
  const provider = keyedProvider(name, row, secrets, { awsRegion, baseUrl: why === undefined ? checkedUrl(setting, setting, baseUrl) : baseUrl })
  return { ...provider, keySetting: setting, problem: why }
}

/** Of an access key of AWS, `id:secret:token`, each part is a secret too. */
const partsOf = (secret: string): string[] => [secret, ...(secret.includes(':') ? secret.split(':').filter((part) => part.length >= 16) : [])]

type Connection = { apiKey: string; baseURL: string; fetch: typeof globalThis.fetch; awsRegion: string }

/** Those with a package of their own. */
const loaders: Partial<Record<KeyedName, (id: string, connection: Connection) => Promise<LanguageModelV4>>> = {
  openai: async (id, connection) => (await import('@ai-sdk/openai')).createOpenAI(connection).responses(id),
  anthropic: async (id, connection) => (await import('@ai-sdk/anthropic')).createAnthropic(connection).languageModel(id),
  google: async (id, connection) => (await import('@ai-sdk/google')).createGoogleGenerativeAI(connection).languageModel(id),
  bedrock: async (id, connection) => (await openBedrock(connection)).languageModel(id),
}

/** With an access key every request is signed (Signature Version 4); with a key of Bedrock's own it carries that. */
async function openBedrock({ apiKey, baseURL, fetch, awsRegion }: Connection) {
  const [accessKeyId = '', secretAccessKey, sessionToken] = apiKey.split(':')
  const { createAmazonBedrock } = await import('@ai-sdk/amazon-bedrock')
  const signer = secretAccessKey === undefined ? undefined : { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
  // Both are always given, so that the package reads neither from the environment.
  const credentials = signer ? { apiKey: '', credentialProvider: async () => signer } : { apiKey }
  return createAmazonBedrock({ baseURL, region: awsRegion, fetch, ...credentials })
}

async function loadCompatible(
  name: string,
  id: string,
  baseURL: string,
  credentials: { apiKey?: string; headers?: Record<string, string> },
  fetch: typeof globalThis.fetch,
): Promise<LanguageModelV4> {
  const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible')
  return createOpenAICompatible({ name, baseURL, ...credentials, includeUsage: true, supportsStructuredOutputs: true, fetch }).chatModel(id)
}

function ownServer(name: string, { baseUrl, model, apiKey }: OwnServer, settings: { base: string; key: string }): Provider {
  const address = checkedUrl(settings.base, settings.key, baseUrl)
  const secrets = cleanKeys(settings.key, apiKey)
  const keys = openKeyRing(secrets)
  return {
    name,
    label: name === 'compatible' ? 'The OpenAI-compatible server' : `The server ${name}`,
    keySetting: settings.key,
    model,
    isOwnServer: true,
    address,
    speaks: { chat: address, embeddings: address },
    keyHeader: 'authorization',
    prefixes: [],
    countsUnasked: false,
    keys,
    secrets,
    load: (id, fetch, key = keys.next(id) ?? secrets[0]) => loadCompatible(name, id, address, key ? { apiKey: key } : {}, fetch),
  }
}

function checkedUrl(setting: string, keySetting: string, baseUrl: string): string {
  const url = URL.parse(baseUrl)
  if (!url || !/^https?:$/.test(url.protocol)) throw new AppError('invalid', `${setting} must be an http or https URL, such as http://127.0.0.1:11434/v1.`)
  if (url.username || url.password || url.search)
    throw new AppError('invalid', `${setting} must not hold a user, password or query. The key belongs in ${keySetting}.`)
  return baseUrl.replace(/\/+$/, '')
}

/** Keys are pasted: white space around them is never part of them, and what a header cannot hold never was a key. */
function cleanKeys(setting: string, value: string | undefined): string[] {
  const keys = (value ?? '')
    .split(',')
    .map((key) => key.trim())
    .filter((key) => key !== '')
  if (keys.some((key) => !/^[\x21-\x7e]+$/.test(key))) throw new AppError('invalid', `${setting} holds characters that no key has. Copy it again.`)
  return [...new Set(keys)]
}
