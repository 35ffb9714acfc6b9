/** What is known of models: dated prices, limits, capabilities. From the catalogue that the program brings along, and before it from operators. */
import { createHash } from 'node:crypto'
import type { ModelFacts } from '@longhaul/protocol'
import { catalogue } from './catalogue-data.ts'
import type { TokenBuckets } from './buckets.ts'
import { type Price, costOf, usdOf } from './rates.ts'

export type { ModelFacts } from '@longhaul/protocol'

/** An operator's word on a model, from a day on. What it leaves out is as in the catalogue. */
export type Override = { model: string; since: string; facts: Omit<Partial<ModelFacts>, 'model' | 'prices'> & { price?: Omit<Price, 'since'> | undefined } }

export type PricedModel = { price: Price; /** Names exactly these rates. */ priceId: string; source: string }

const byModel = new Map(catalogue.models.map((facts) => [facts.model, facts]))
const offline: ModelFacts = { model: 'offline/planner', prices: [{ input: 0, output: 0 }] }

/** Which listed model this is. A dated snapshot (`…-20251001`, `…-2026-03-05`) is its model; `…-mini` is another. */
function listed(model: string): ModelFacts | undefined {
  if (model.startsWith('offline/')) return offline
  return byModel.get(model) ?? byModel.get(model.replace(/-\d{4}-?\d{2}-?\d{2}$/, ''))
}

const applies = (model: string) => (override: Override) => override.model === model

export function findModelFacts(model: string, overrides: readonly Override[]): ModelFacts | undefined {
  const known = listed(model)
  const own = overrides.filter(applies(model))
  if (own.length === 0) return known
  const merged: Partial<ModelFacts> = {}
  for (const { facts } of own.toSorted((a, b) => a.since.localeCompare(b.since))) {
    if (facts.contextMax !== undefined) merged.contextMax = facts.contextMax
    if (facts.outputMax !== undefined) merged.outputMax = facts.outputMax
    if (facts.capabilities !== undefined) merged.capabilities = facts.capabilities
  }
  const prices = own.flatMap(({ since, facts: { price } }) => (price ? [{ ...price, since }] : []))
  return { prices: [], ...known, ...merged, model, ...(prices.length > 0 && { prices: [...(known?.prices ?? []), ...prices] }) }
}

/** The price that counts on this day (UTC): of those that have begun the latest, an operator's before the catalogue's. */
export function priceOn(model: string, overrides: readonly Override[], day: string): PricedModel | undefined {
  const own = overrides.filter(applies(model)).flatMap(({ since, facts: { price } }) => (price ? [{ ...price, since }] : []))
  const chosen = latest(own, day)
  const price = chosen ?? latest(listed(model)?.prices ?? [], day)
  return price && { price, priceId: idOf(model, price), source: chosen ? 'operator' : `catalogue of ${catalogue.readOn}` }
}

function latest(prices: readonly Price[], day: string): Price | undefined {
  return prices
    .filter(({ since = '' }) => since <= day)
    .reduce<Price | undefined>((last, price) => ((price.since ?? '') >= (last?.since ?? '') ? price : last), undefined)
}

const ids = new WeakMap<Price, string>()

/** The same rates have the same id, at every node. */
function idOf(model: string, price: Price): string {
  const known = ids.get(price)
  if (known) return known
  const id = createHash('sha256')
    .update(JSON.stringify([model, price]))
    .digest('hex')
    .slice(0, 16)
  ids.set(price, id)
  return id
}

/** What a call costs by the catalogue alone, on a day; null where it has no price. */
export function catalogueCostUsd(model: string, tokens: TokenBuckets, at: Date): number | null {
  const priced = priceOn(model, [], at.toISOString().slice(0, 10))
  return priced ? usdOf(costOf(priced.price, tokens)) : null
}

export { catalogue }
