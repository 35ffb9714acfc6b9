/**
 * The providers as data: where they are, what they speak, what their keys are called. A new one is a new row. Addresses are those of
 * the vendors' API references, read in November 2026; `LONGHAUL_PROVIDER_BASE_URLS` replaces any of them.
 */

/** A wire protocol: OpenAI's chat completions and responses, Anthropic's messages, and OpenAI's embeddings. */
export type Dialect = 'chat' | 'responses' | 'messages' | 'embeddings'

export type ProviderRow = {
  label: string
  keySetting: string
  baseUrl: string
  /** Its usual model. */
  model: string
  /** Each dialect that it speaks itself, and where, from `baseUrl` on. */
  speaks: Partial<Record<Dialect, string>>
  /** The header that its key travels in. */
  keyHeader: 'authorization' | 'x-api-key' | 'api-key'
  /** Models that need no provider before their name: `gpt-5` is OpenAI's. */
  prefixes: readonly string[]
  /** Where else it is: hosts, or with a dot before them all below them. A tenant may choose among these; the operator anything. */
  hosts?: readonly string[]
  /** It counts tokens at the end of a stream unasked, and refuses a request that asks. */
  countsUnasked?: boolean
}

/** Those with a package of their own. */
export const cloudProviders = {
  openai: {
    label: 'OpenAI',
    keySetting: 'OPENAI_API_KEY',
    baseUrl: 'https://api.openai.com/v1',
    model: 'gpt-6.1-terra',
    speaks: { chat: '', responses: '', embeddings: '' },
    keyHeader: 'authorization',
    prefixes: ['gpt-', 'chatgpt-', 'o1', 'o3', 'o4', 'text-embedding-'],
  },
  anthropic: {
    label: 'Anthropic',
    keySetting: 'ANTHROPIC_API_KEY',
    baseUrl: 'https://api.anthropic.com/v1',
    model: 'claude-sonnet-5-5',
    speaks: { messages: '' },
    keyHeader: 'x-api-key',
    prefixes: ['claude-'],
  },
  google: {
    label: 'Google',
    keySetting: 'GOOGLE_GENERATIVE_AI_API_KEY',
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta',
    model: 'gemini-3.8-flash',
    speaks: { chat: '/openai', embeddings: '/openai' },
    keyHeader: 'authorization', // Of its OpenAI-compatible addresses; the package for its own API sends another.
    prefixes: ['gemini-'],
  },
} as const satisfies Record<string, ProviderRow>

/** Those that are reached through OpenAI's or Anthropic's dialect; Bedrock through its own, for which there is a package. */
export const hostedProviders = {
  azure: {
    label: 'Azure',
    keySetting: 'AZURE_OPENAI_API_KEY',
    baseUrl: '', // Everybody has an address of their own: https://<resource>.openai.azure.com/openai/v1
    hosts: ['.openai.azure.com', '.services.ai.azure.com', '.cognitiveservices.azure.com'],
    model: 'gpt-5',
    speaks: { chat: '', responses: '', embeddings: '' },
    keyHeader: 'api-key',
    prefixes: [],
  },
  bedrock: {
    label: 'Amazon Bedrock',
    keySetting: 'AWS_BEARER_TOKEN_BEDROCK or LONGHAUL_BEDROCK_ACCESS_KEYS',
    baseUrl: 'https://bedrock-runtime.{region}.amazonaws.com',
    model: 'openai.gpt-oss-120b-1:0',
    speaks: {}, // Converse, a protocol of its own.
    keyHeader: 'authorization',
    prefixes: [],
  },
  openrouter: {
    label: 'OpenRouter',
    keySetting: 'OPENROUTER_API_KEY',
    baseUrl: 'https://openrouter.ai/api/v1',
    model: 'openrouter/auto',
    speaks: { chat: '', embeddings: '' },
    keyHeader: 'authorization',
    prefixes: [],
  },
  groq: {
    label: 'Groq',
    keySetting: 'GROQ_API_KEY',
    baseUrl: 'https://api.groq.com/openai/v1',
    model: 'llama-3.3-70b-versatile',
    speaks: { chat: '', responses: '' },
    keyHeader: 'authorization',
    prefixes: [],
  },
  mistral: {
    label: 'Mistral',
    keySetting: 'MISTRAL_API_KEY',
    baseUrl: 'https://api.mistral.ai/v1',
    model: 'mistral-large-latest',
    speaks: { chat: '', embeddings: '' },
    keyHeader: 'authorization',
    prefixes: ['mistral-', 'codestral-', 'ministral-', 'magistral-'],
    countsUnasked: true,
  },
  deepseek: {
    label: 'DeepSeek',
    keySetting: 'DEEPSEEK_API_KEY',
    baseUrl: 'https://api.deepseek.com',
    model: 'deepseek-chat',
    speaks: { chat: '/v1', messages: '/anthropic/v1' },
    keyHeader: 'authorization',
    prefixes: ['deepseek-'],
  },
  qwen: {
    label: 'Qwen (DashScope)',
    keySetting: 'DASHSCOPE_API_KEY',
    baseUrl: 'https://dashscope-intl.aliyuncs.com',
    hosts: ['dashscope-intl.aliyuncs.com', 'dashscope.aliyuncs.com', 'dashscope-us.aliyuncs.com'],
    model: 'qwen-plus',
    speaks: { chat: '/compatible-mode/v1', messages: '/apps/anthropic/v1', embeddings: '/compatible-mode/v1' },
    keyHeader: 'authorization',
    prefixes: ['qwen', 'qwq-'],
  },
  moonshot: {
    label: 'Moonshot',
    keySetting: 'MOONSHOT_API_KEY',
    baseUrl: 'https://api.moonshot.ai',
    hosts: ['api.moonshot.ai', 'api.moonshot.cn'],
    model: 'kimi-latest',
    speaks: { chat: '/v1', messages: '/anthropic/v1' },
    keyHeader: 'authorization',
    prefixes: ['kimi-', 'moonshot-'],
  },
  zhipu: {
    label: 'Zhipu',
    keySetting: 'ZHIPU_API_KEY',
    baseUrl: 'https://open.bigmodel.cn/api',
    hosts: ['open.bigmodel.cn', 'api.z.ai'],
    model: 'glm-4.6',
    speaks: { chat: '/paas/v4', messages: '/anthropic/v1', embeddings: '/paas/v4' },
    keyHeader: 'authorization',
    prefixes: ['glm-'],
  },
} as const satisfies Record<string, ProviderRow>

export type CloudName = keyof typeof cloudProviders
export type HostedName = keyof typeof hostedProviders
export type KeyedName = CloudName | HostedName

/** All that need a key, in the order of preference. */
export const keyedProviders: Readonly<Record<KeyedName, ProviderRow>> = { ...cloudProviders, ...hostedProviders }
export const isKeyedName = (name: string): name is KeyedName => Object.hasOwn(keyedProviders, name)
