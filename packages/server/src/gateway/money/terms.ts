/** A tenant's budgets and prices, as this node knows them: read again after a second at most, and at once when a window ends. */
import type { Db } from '../../db/index.ts'
import { monotonicMs } from '../../kernel/index.ts'
import { openBudgets } from './budget-store.ts'
import type { OpenBudget } from './budget.ts'
import { type ModelFacts, type PricedModel, findModelFacts, priceOn } from './catalogue.ts'
import { openCatalogues } from './catalogues.ts'
import { listOverrides } from './model-store.ts'

export type Terms = {
  budgets: readonly OpenBudget[]
  /** What is known of a model here: the operator's word before the catalogue's. */
  factsOf(model: string): ModelFacts | undefined
  priceOf(model: string): PricedModel | undefined
}

/** How long another node's change of a budget or a price may go unnoticed. A limit that is changed counts at once: it is read where it is compared. */
const freshMs = 1_000
const tenantsMax = 10_000

type Entry = { terms: Promise<Terms>; untilMs: number }

export type TermsOf = { of(tenantId: string): Promise<Terms>; forget(tenantId: string): void }

export function openTerms(db: Db): TermsOf {
  const entries = new Map<string, Entry>()
  const catalogues = openCatalogues(db)

  async function read(tenantId: string, entry: Entry): Promise<Terms> {
    const askedMs = monotonicMs()
    const [{ budgets, nowMs }, overrides, refreshed] = await Promise.all([openBudgets(db, tenantId), listOverrides(db, tenantId), catalogues.of(tenantId)])
    const nextEndMs = Math.min(...budgets.map(({ endsAt }) => (endsAt?.getTime() ?? Infinity) - nowMs))
    entry.untilMs = askedMs + Math.min(freshMs, nextEndMs) // The clock was read after we asked, so a window's end is never missed.
    const day = new Date(nowMs).toISOString().slice(0, 10)
    const priced = new Map<string, PricedModel | undefined>()
    return {
      budgets,
      factsOf: (model) => findModelFacts(model, overrides, refreshed),
      priceOf(model) {
        if (!priced.has(model)) priced.set(model, priceOn(model, overrides, day, refreshed))
        return priced.get(model)
      },
    }
  }

  return {
    of(tenantId) {
      const known = entries.get(tenantId)
      if (known && known.untilMs > monotonicMs()) return known.terms
      if (entries.size >= tenantsMax) entries.clear()
      const entry: Entry = { terms: Promise.resolve(noTerms), untilMs: Infinity } // Until it has been read, everybody waits for this reading.
      entry.terms = read(tenantId, entry).catch((error: unknown) => {
        if (entries.get(tenantId) === entry) entries.delete(tenantId)
        throw error
      })
      entries.set(tenantId, entry)
      return entry.terms
    },
    forget: (tenantId) => void entries.delete(tenantId),
  }
}

const noTerms: Terms = { budgets: [], factsOf: () => undefined, priceOf: () => undefined }
