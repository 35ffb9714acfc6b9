/** What is known of models: dated prices, limits, capabilities. From the catalogue that the program brings along, and before it from operators. */
import { createHash } from 'node:crypto'
import type { ModelFacts } from '@longhaul/protocol'
import { catalogue } from './catalogue-data.ts'
import type { TokenBuckets } from './buckets.ts'
import { latestOn } from './refresh.ts'
import { type Price, costOf, usdOf } from './rates.ts'

export type { ModelFacts } from '@longhaul/protocol'

/** An operator's word on a model, from a day on. What it leaves out is as in the catalogue. */
export type Override = { model: string; since: string; facts: Omit<Partial<ModelFacts>, 'model' | 'prices'> & { price?: Omit<Price, 'since'> | undefined } }

export type PricedModel = { price: Price; /** Names exactly these rates. */ priceId: string; source: string }

const byModel = new Map(catalogue.models.map((facts) => [facts.model, facts]))
const offline: ModelFacts = { model: 'offline/planner', prices: [{ input: 0, output: 0 }] }

/** A catalogue that was read after the program was made. */
export type Refreshed = { readOn: string; byModel: ReadonlyMap<string, ModelFacts> }

/** What was read last counts: a newer program's own goes before an older refresh. */
export const counts = (readOn: string): boolean => readOn >= catalogue.readOn
const isNewer = (refreshed: Refreshed | undefined): refreshed is Refreshed => refreshed !== undefined && counts(refreshed.readOn)

/** All models, as they are listed. */
export const factsByModel = (refreshed: Refreshed | undefined): ReadonlyMap<string, ModelFacts> =>
  isNewer(refreshed) ? new Map([...byModel, ...refreshed.byModel]) : byModel

/** Which listed model this is. A dated snapshot (`…-20251001`, `…-2026-03-05`) is its model; `…-mini` is another. */
function listed(model: string, refreshed: Refreshed | undefined): ModelFacts | undefined {
  if (model.startsWith('offline/')) return offline
  const find = (name: string) => (isNewer(refreshed) ? refreshed.byModel.get(name) : undefined) ?? byModel.get(name)
  if (model.startsWith('bedrock/')) return firstOf(bedrockNames(model), find)
  return find(model) ?? find(model.replace(/-\d{4}-?\d{2}-?\d{2}$/, ''))
}

/**
 * Bedrock's models go by several names: with the region that answers before them (`us.`, `eu.`, …: regional prices, as without any), `global.`, and with a version
 * (`-v1:0`) or without.
 */
function bedrockNames(model: string): string[] {
  const [, place = '', id = ''] = /^bedrock\/(?:(global|us|us-gov|eu|apac|jp|au|ca|in|sa|mx|me|af|il)\.)?(.*)$/.exec(model) ?? []
  const bare = id.replace(/-v\d+(:\d+)?$|:\d+$/, '')
  const ids = [id, `${id}:0`, bare, `${bare}-v1:0`]
  return (place === 'global' ? ['global.'] : ['regional.', '']).flatMap((prefix) => ids.map((each) => `bedrock/${prefix}${each}`))
}

function firstOf(names: readonly string[], find: (name: string) => ModelFacts | undefined): ModelFacts | undefined {
  for (const name of names) {
    const found = find(name)
    if (found) return found
  }
  return undefined
}

const applies = (model: string) => (override: Override) => override.model === model

export function findModelFacts(model: string, overrides: readonly Override[], refreshed?: Refreshed): ModelFacts | undefined {
  const known = listed(model, refreshed)
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
export function priceOn(model: string, overrides: readonly Override[], day: string, refreshed?: Refreshed): PricedModel | undefined {
  const own = overrides.filter(applies(model)).flatMap(({ since, facts: { price } }) => (price ? [{ ...price, since }] : []))
  const chosen = latestOn(own, day)
  const price = chosen ?? latestOn<Price>(listed(model, refreshed)?.prices ?? [], day)
  return (
    price && { price, priceId: idOf(model, price), source: chosen ? 'operator' : `catalogue of ${isNewer(refreshed) ? refreshed.readOn : catalogue.readOn}` }
  )
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
