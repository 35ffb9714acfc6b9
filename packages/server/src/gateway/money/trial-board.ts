/** What calls would have cost with another model, and which of them another limit would have refused, for the API. */
import type { tryUsage } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Db } from '../../db/index.ts'
import { AppError, wallClock } from '../../kernel/index.ts'
import { type PricedModel, findModelFacts, priceOn } from './catalogue.ts'
import type { Catalogues } from './catalogues.ts'
import { listOverrides } from './model-store.ts'
import { type Price, costOf, nanodollarsOf, usdOf } from './rates.ts'
import { sumUsage } from './usage-board.ts'
import { assertFewCalls, hourAround, readRange, refuseTimeZone } from './usage-range.ts'
import { type Summary, type UsageReach, tryLimit } from './usage-store.ts'

type Input = z.output<typeof tryUsage.input>
type Output = z.input<typeof tryUsage.output>
type Range = { from: Date; to: Date }
type Period = Range & { priced: PricedModel | undefined }

export type TrialBoard = {
  /** Throws `invalid`, and `not_found` for a model without any price. */
  tryUsage(of: UsageReach, input: Input): Promise<Output>
}

const modelsShownMax = 100
/** Names of models that were called in one time. */
const modelsMax = 10_000
/** The hours of 32 days, and those of the month that they begin in. */
const windowsMax = 1_600

export function openTrialBoard(db: Db, catalogues: Catalogues): TrialBoard {
  /** The range, cut where the model's price changes. */
  async function periodsOf(tenantId: string, model: string, prices: Input['prices'], { from, to }: Range): Promise<Period[]> {
    const [overrides, refreshed] = await Promise.all([listOverrides(db, tenantId), catalogues.of(tenantId)])
    const on = (at: Date) => priceOn(model, overrides, at.toISOString().slice(0, 10), refreshed)
    const facts = findModelFacts(model, overrides, refreshed)
    if (!facts || facts.prices.length === 0) throw new AppError('not_found', `asModel: no price of ${JSON.stringify(model)} is known.`)
    if (prices === 'now') return [{ from, to, priced: on(wallClock()) }]
    const cuts = facts.prices.flatMap(({ since }) => (since === undefined ? [] : [Date.parse(since)])).filter((ms) => ms > from.getTime() && ms < to.getTime())
    const starts = [from.getTime(), ...[...new Set(cuts)].toSorted((one, other) => one - other)]
    return starts.map((ms, n) => ({ from: new Date(ms), to: new Date(starts[n + 1] ?? to.getTime()), priced: on(new Date(ms)) }))
  }

  async function tryModel(of: UsageReach, model: string, { prices, asked, filters }: { prices: Input['prices']; asked: Range; filters: Summary['filters'] }) {
    const hours = hourAround(asked.from, asked.to)
    const found = await periodsOf(of.tenantId, model, prices, hours)
    const isByLength = found.some(({ priced }) => priced?.price.long)
    if (isByLength) assertFewCalls(asked, 'with a model whose price depends on the length of each call')
    const byModel = new Map<string, { calls: number; cost: number; asCost: number }>()
    let [unpricedCalls, asUnpricedCalls] = [0, 0]
    for (const { from, to, priced } of found)
      for (const { inputLength, price } of ratesOf(priced?.price, isByLength)) {
        const range = isByLength ? { from: from < asked.from ? asked.from : from, to: to > asked.to ? asked.to : to } : { from, to }
        const summary = {
          of,
          ...range,
          groupings: [{ dimension: 'model' as const }],
          filters,
          grain: 'total' as const,
          timeZone: 'UTC',
          limit: modelsMax,
          inputLength,
        }
        for (const { by, calls, cost, unpricedCalls: unpriced, ...tokens } of (await sumUsage(db, summary)).rows) {
          const known = byModel.get(by[0] ?? '') ?? { calls: 0, cost: 0, asCost: 0 }
          byModel.set(by[0] ?? '', { calls: known.calls + calls, cost: known.cost + Number(cost), asCost: known.asCost + (price ? costOf(price, tokens) : 0) })
          unpricedCalls += unpriced
          asUnpricedCalls += price ? 0 : calls
        }
      }
    const models = [...byModel].map(([name, sums]) => ({ model: name, ...sums })).toSorted((one, other) => other.cost - one.cost || other.calls - one.calls)
    const sum = (of: (each: (typeof models)[number]) => number) => models.reduce((total, each) => total + of(each), 0)
    const range = isByLength ? asked : hours
    return {
      from: range.from.toISOString(),
      to: range.to.toISOString(),
      calls: sum(({ calls }) => calls),
      costUsd: usdOf(sum(({ cost }) => cost)),
      unpricedCalls,
      asCostUsd: usdOf(sum(({ asCost }) => asCost)),
      asUnpricedCalls,
      models: models
        .slice(0, modelsShownMax)
        .map(({ model: name, calls, cost, asCost }) => ({ model: name, calls, costUsd: usdOf(cost), asCostUsd: usdOf(asCost) })),
    }
  }

  return {
    async tryUsage(of, { from: fromText, to: toText, asModel, prices, asLimit, unit, per, timeZone, ...filters }) {
      const asked = readRange(fromText, toText)
      const withModel = asModel === undefined ? null : await tryModel(of, asModel, { prices, asked, filters })
      if (asLimit === undefined) return { asModel: withModel, asLimit: null }
      assertFewCalls(asked, 'against a limit')
      const amount = unit === 'usd' ? nanodollarsOf(asLimit) : asLimit
      const shown = (value: number) => (unit === 'usd' ? usdOf(value) : value)
      const windows = await tryLimit(db, { of, ...asked, filters, timeZone, limit: windowsMax, amount, unit, per }).catch(refuseTimeZone(timeZone))
      const sum = (each: (window: (typeof windows)[number]) => number) => windows.reduce((total, window) => total + each(window), 0)
      return {
        asModel: withModel,
        asLimit: {
          from: (windows[0]?.at ?? asked.from).toISOString(),
          to: asked.to.toISOString(),
          calls: sum(({ calls }) => calls),
          refusedCalls: sum(({ refusedCalls }) => refusedCalls),
          refused: shown(sum(({ refused }) => refused)),
          unpricedCalls: unit === 'usd' ? sum(({ unpricedCalls }) => unpricedCalls) : 0,
          windows: windows.map(({ at, calls, reachedAt, refusedCalls, spent, refused }) => ({
            at: at.toISOString(),
            calls,
            reachedAt: reachedAt?.toISOString() ?? null,
            refusedCalls,
            spent: shown(spent),
            refused: shown(refused),
          })),
        },
      }
    },
  }
}

/** One price for all, or one for each side of the length from which on a call is billed otherwise. `costOf` takes sums of calls then, whose length says nothing. */
function ratesOf(price: Price | undefined, isByLength: boolean): { inputLength?: Summary['inputLength']; price: Price | undefined }[] {
  if (!price?.long) return [{ price, ...(isByLength && { inputLength: { above: -1 } }) }]
  const { long, ...short } = price
  return [
    { price: short, inputLength: { atMost: long.inputAbove } },
    { price: long, inputLength: { above: long.inputAbove } },
  ]
}
