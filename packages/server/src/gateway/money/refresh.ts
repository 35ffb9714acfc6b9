/** A catalogue that somebody brings: read, compared with the one that counts, and put together with it. Pure. */
import { type CatalogueChange, ModelFacts, modelCapabilities } from '@longhaul/protocol'
import { z } from 'zod'
import { AppError } from '../../kernel/index.ts'
import type { Price } from './rates.ts'

export type ReadCatalogue = { readOn: string; models: ModelFacts[] }

const modelsMax = 20_000
const Ours = z.object({ readOn: z.iso.date(), models: z.array(ModelFacts).min(1).max(modelsMax) })
/** As https://models.dev/api.json has it: providers with their models. */
const Theirs = z.record(z.string(), z.object({ models: z.record(z.string(), z.unknown()) }))
const amount = z.number().min(0).max(100_000)
const TheirModel = z.object({
  reasoning: z.boolean().optional(),
  tool_call: z.boolean().optional(),
  attachment: z.boolean().optional(),
  modalities: z.object({ input: z.array(z.string()), output: z.array(z.string()) }).optional(),
  limit: z.object({ context: z.number().int().min(0).max(1e9).optional(), output: z.number().int().min(0).max(1e9).optional() }).optional(),
  cost: z.object({ input: amount, output: amount, cache_read: amount.optional(), cache_write: amount.optional() }).optional(),
})

/** Our names of providers, where theirs are others. */
const ourNames: Readonly<Record<string, string>> = {
  moonshotai: 'moonshot',
  zhipuai: 'zhipu',
  alibaba: 'qwen',
  'amazon-bedrock': 'bedrock',
  togetherai: 'together',
}

/** Our own form, or that of models.dev. `day`: on which it was read, where it does not say. Throws `invalid`. */
export function readCatalogue(value: unknown, day: string): ReadCatalogue {
  const ours = Ours.safeParse(value)
  if (ours.success) {
    const names = new Set(ours.data.models.map(({ model }) => model))
    if (names.size < ours.data.models.length) throw new AppError('invalid', 'catalogue: a model is in it twice.')
    return ours.data
  }
  const theirs = Theirs.safeParse(value)
  if (!theirs.success || Object.keys(theirs.data).length === 0)
    throw new AppError('invalid', `This is no catalogue: neither ours (${z.prettifyError(ours.error).slice(0, 300)}) nor one of models.dev.`)
  const models = Object.entries(theirs.data).flatMap(([provider, { models: all }]) =>
    Object.entries(all).flatMap(([id, each]) => fromTheirs(`${ourNames[provider] ?? provider}/${id}`, each)),
  )
  if (models.length === 0 || models.length > modelsMax)
    throw new AppError('invalid', `A catalogue has 1 to ${modelsMax} models with a price or limits; this has ${models.length}.`)
  return { readOn: day, models }
}

function fromTheirs(model: string, value: unknown): ModelFacts[] {
  const { data } = TheirModel.safeParse(value)
  if (!data || !/^[a-z0-9-]+\/\S{1,150}$/.test(model)) return []
  const { cost, limit, modalities = { input: [], output: [] } } = data
  const has = {
    tools: data.tool_call,
    reasoning: data.reasoning,
    'structured-output': false,
    'image-input': modalities.input.includes('image'),
    'audio-input': modalities.input.includes('audio'),
    'file-input': data.attachment || modalities.input.includes('pdf'),
    'image-output': modalities.output.includes('image'),
    'audio-output': modalities.output.includes('audio'),
  }
  const capabilities = modelCapabilities.filter((name) => has[name])
  if (!cost && !limit?.output) return []
  const price = cost && {
    ...{ input: cost.input, output: cost.output },
    ...(cost.cache_read !== undefined && { cacheRead: cost.cache_read }),
    ...(cost.cache_write !== undefined && { cacheWrite: cost.cache_write }),
  }
  return [
    {
      ...{ model, prices: price ? [price] : [] },
      ...(limit?.context && { contextMax: limit.context }),
      ...(limit?.output && { outputMax: limit.output }),
      ...(capabilities.length > 0 && { capabilities }),
    },
  ]
}

/** More than ten times as dear or as cheap: somebody should look before it is applied. */
const suspiciousFactor = 10

/** What would be another on `day`. Models that are no longer listed stay as they are, so that nobody is refused for a list that became shorter. */
export function changesOf(now: ReadonlyMap<string, ModelFacts>, next: readonly ModelFacts[], day: string): CatalogueChange[] {
  return next.flatMap((facts): CatalogueChange[] => {
    const before = now.get(facts.model)
    const [was, is] = [before && latestOn(before.prices, day), latestOn(facts.prices, day)]
    if (!before) return [{ model: facts.model, kind: 'added', was: null, now: is ?? null, isSuspicious: false }]
    if (is && !isSamePrice(was, is)) return [{ model: facts.model, kind: 'price', was: was ?? null, now: is, isSuspicious: isSuspicious(was, is) }]
    const limits = ({ contextMax, outputMax, capabilities }: ModelFacts) =>
      JSON.stringify([contextMax ?? null, outputMax ?? null, capabilities?.toSorted() ?? null])
    return limits({ ...before, ...defined(facts) }) === limits(before)
      ? []
      : [{ model: facts.model, kind: 'limits', was: was ?? null, now: is ?? null, isSuspicious: false }]
  })
}

/** The catalogue that counts from `day` on: other prices begin then, and what counted before stays dated as it was. */
export function mergeCatalogue(now: ReadonlyMap<string, ModelFacts>, next: readonly ModelFacts[], day: string): ModelFacts[] {
  const merged = new Map(now)
  for (const facts of next) {
    const before = now.get(facts.model)
    const is = latestOn(facts.prices, day)
    const later = facts.prices.filter(({ since = '' }) => since > day)
    if (!before) merged.set(facts.model, facts)
    else {
      const same = !is || isSamePrice(latestOn(before.prices, day), is)
      const known = before.prices.filter(({ since = '' }) => since <= day)
      merged.set(facts.model, { ...before, ...defined(facts), prices: [...known, ...(same ? [] : [{ ...is, since: day }]), ...later] })
    }
  }
  return [...merged.values()]
}

/** Limits that are said. */
const defined = ({ contextMax, outputMax, capabilities }: ModelFacts) => ({
  ...(contextMax !== undefined && { contextMax }),
  ...(outputMax !== undefined && { outputMax }),
  ...(capabilities !== undefined && { capabilities }),
})

/** Of those that have begun the last. */
export function latestOn<Of extends { since?: string | undefined }>(prices: readonly Of[], day: string): Of | undefined {
  return prices
    .filter(({ since = '' }) => since <= day)
    .reduce<Of | undefined>((last, price) => ((price.since ?? '') >= (last?.since ?? '') ? price : last), undefined)
}

function isSamePrice(one: Price | undefined, other: Price): boolean {
  const sorted = (rates: object) => Object.entries(rates).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const text = (price: Price) => {
    const { since: _, long, ...rates } = price
    return JSON.stringify([sorted(rates), long ? sorted(long) : null])
  }
  return one !== undefined && text(one) === text(other)
}

function isSuspicious(was: Price | undefined, is: Price): boolean {
  if (!was) return false
  return ([['input'], ['output']] as const).some(([side]) => {
    const [before, after] = [was[side], is[side]]
    return (before === 0) !== (after === 0) || after > before * suspiciousFactor || after < before / suspiciousFactor
  })
}
