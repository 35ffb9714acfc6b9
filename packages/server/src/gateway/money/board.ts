/** What the API asks of money: budgets, what models cost, and what was used (`usage-board.ts`). Dollars outside, whole nanodollars inside. */
import type { Budget, BudgetCounter, Model, ModelFacts, getBudget, listBudgetEvents, listModels, setBudget, setModel, unsetModel } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Db } from '../../db/index.ts'
import { AppError, newId, wallClock } from '../../kernel/index.ts'
import {
  type BudgetRow,
  type CounterRow,
  budgetsMax,
  countBudgets,
  deleteBudget,
  findBudget,
  listBudgetEvents as readEvents,
  listBudgets,
  listCounters,
  upsertBudget,
} from './budget-store.ts'
import { type Override, type Refreshed, catalogue, factsByModel, findModelFacts, priceOn } from './catalogue.ts'
import { type CatalogueBoard, type Download, openCatalogueBoard, openCatalogues } from './catalogues.ts'
import { type ForecastBoard, openForecastBoard } from './forecast-board.ts'
import { deleteOverrides, listOverrides, upsertOverride } from './model-store.ts'
import type { Money } from './money.ts'
import { nanodollarsOf, usdOf } from './rates.ts'
import { type TrialBoard, openTrialBoard } from './trial-board.ts'
import { type UsageBoard, openUsageBoard } from './usage-board.ts'
import { cursorOf, readCursor, refuseTimeZone } from './usage-range.ts'

type Input<Of extends { input: z.ZodType }> = z.output<Of['input']>
type Output<Of extends { output: z.ZodType }> = z.input<Of['output']>
type By = { tenantId: string; name: string }

export type MoneyBoard = UsageBoard &
  ForecastBoard &
  TrialBoard & {
    catalogue: CatalogueBoard
    setBudget(by: By, input: Input<typeof setBudget>): Promise<Budget>
    listBudgets(tenantId: string): Promise<(Budget & { fullest: BudgetCounter | null })[]>
    getBudget(tenantId: string, input: Input<typeof getBudget>): Promise<Output<typeof getBudget>>
    deleteBudget(tenantId: string, name: string): Promise<Budget>
    /** `names`: only of these budgets. */
    listEvents(tenantId: string, input: Input<typeof listBudgetEvents>, names?: readonly string[]): Promise<Output<typeof listBudgetEvents>>
    listModels(tenantId: string, input: Input<typeof listModels>): Promise<Output<typeof listModels>>
    setModel(by: By, input: Input<typeof setModel>): Promise<Model>
    unsetModel(tenantId: string, input: Input<typeof unsetModel>): Promise<Output<typeof unsetModel>>
  }

/** The most dollars that a limit may have: more are not exact as a number of nanodollars. */
const limitUsdMax = 9_000_000

export type BoardOptions = {
  db: Db
  money: Pick<Money, 'refresh'>
  /** Why events of budgets cannot be told to webhooks here; absent: they can. */
  whyNoWebhooks?: string | undefined
  /** Absent: catalogues come as files alone. */
  download?: Download | undefined
}

export function openBoard({ db, money, whyNoWebhooks, download = noDownload }: BoardOptions): MoneyBoard {
  const catalogues = openCatalogues(db)
  const noBudget = (name: string) => new AppError('not_found', `No budget ${JSON.stringify(name)}.`)

  async function modelOf(tenantId: string, model: string): Promise<Model> {
    return toModel(model, await listOverrides(db, tenantId), await catalogues.of(tenantId))
  }

  return {
    ...openUsageBoard(db),
    ...openForecastBoard(db),
    ...openTrialBoard(db, catalogues),
    catalogue: openCatalogueBoard({ db, catalogues, download, refreshTerms: money.refresh }),
    async setBudget({ tenantId, name: setBy }, { limit, ...asked }) {
      const found = await findBudget(db, tenantId, asked.name)
      const before = found ?? newBudget
      const input = {
        name: asked.name,
        scope: asked.scope ?? before.scope,
        subject: asked.subject ?? before.subject,
        per: asked.per ?? before.per,
        timeZone: asked.timeZone ?? before.timeZone,
        unit: asked.unit ?? before.unit,
        webhookUrl: asked.webhookUrl === undefined ? before.webhookUrl : asked.webhookUrl,
      }
      if (typeof asked.webhookUrl === 'string' && whyNoWebhooks !== undefined) throw new AppError('invalid', `webhookUrl: ${whyNoWebhooks}`)
      const problem = whyNotBudget({ ...input, limit })
      if (problem) throw new AppError('invalid', problem)
      if (!found && (await countBudgets(db, tenantId)) >= budgetsMax)
        throw new AppError('over_limit', `There are ${budgetsMax} budgets already. Delete one, or use the subject * for many of a kind.`)
      const limitAmount = input.unit === 'usd' ? nanodollarsOf(limit) : limit
      const set = await upsertBudget(db, { ...input, tenantId, id: newId(), limitAmount, setBy }).catch(refuseTimeZone(input.timeZone))
      if (!set)
        throw new AppError(
          'conflict',
          `The budget ${JSON.stringify(input.name)} counts something else. Its limit alone can be changed; delete it to count anew.`,
        )
      money.refresh(tenantId)
      return toBudget(set)
    },
    async listBudgets(tenantId) {
      const found = await listBudgets(db, tenantId)
      return found.map(({ fullest, ...budget }) => ({ ...toBudget(budget), fullest: fullest && toCounter(budget, fullest) }))
    },
    async getBudget(tenantId, { name, limit }) {
      const found = await findBudget(db, tenantId, name)
      if (!found) throw noBudget(name)
      return { ...toBudget(found), counters: (await listCounters(db, found.id, limit)).map((counter) => toCounter(found, counter)) }
    },
    async deleteBudget(tenantId, name) {
      const deleted = await deleteBudget(db, tenantId, name)
      if (!deleted) throw noBudget(name)
      money.refresh(tenantId)
      return toBudget(deleted)
    },
    async listEvents(tenantId, { budget, cursor, limit }, names) {
      const rows = await readEvents(db, { tenantId, name: budget, names, before: readCursor(cursor), limit })
      return {
        items: rows.map((row) => ({
          id: row.id,
          at: row.at.toISOString(),
          budget: row.budget,
          subject: row.subject,
          runId: row.runId,
          kind: row.kind,
          percent: row.percent,
          unit: row.unit,
          limit: shown(row.unit, row.limitAmount),
          spent: shown(row.unit, row.spentAmount),
          notice: row.noticeState && { state: row.noticeState, attempt: row.noticeAttempt, failure: row.noticeFailure },
        })),
        next: cursorOf(rows, limit),
      }
    },
    async listModels(tenantId, { search = '', limit }) {
      const [overrides, refreshed] = await Promise.all([listOverrides(db, tenantId), catalogues.of(tenantId)])
      const names = [...new Set([...factsByModel(refreshed).keys(), ...overrides.map(({ model }) => model)])]
        .filter((model) => model.includes(search))
        .toSorted()
      const readOn = refreshed && refreshed.readOn > catalogue.readOn ? refreshed.readOn : catalogue.readOn
      return { items: names.slice(0, limit).map((model) => toModel(model, overrides, refreshed)), readOn, isCut: names.length > limit }
    },
    async setModel({ tenantId, name }, { model, since = today(), ...facts }) {
      if (!(await upsertOverride(db, tenantId, { model, since, facts }, name)))
        throw new AppError('over_limit', 'There are too many of these already. Take some back with "longhaul models unset".')
      money.refresh(tenantId)
      return modelOf(tenantId, model)
    },
    async unsetModel(tenantId, { model, since }) {
      const count = await deleteOverrides(db, tenantId, model, since)
      if (count === 0) throw new AppError('not_found', `Nobody has said anything of ${model}${since ? ` from ${since} on` : ''} here.`)
      money.refresh(tenantId)
      return { model, count }
    },
  }
}

const noDownload: Download = async () => {
  throw new AppError('invalid', 'url: this server reads no addresses. Give the catalogue itself.')
}

const today = (): string => wallClock().toISOString().slice(0, 10)
const shown = (unit: Budget['unit'], amount: number): number => (unit === 'usd' ? usdOf(amount) : amount)

const newBudget = { scope: 'tenant', subject: '*', per: 'month', timeZone: 'UTC', unit: 'usd', webhookUrl: null } as const

function whyNotBudget({ scope, subject, unit, limit }: Pick<Budget, 'scope' | 'subject' | 'unit' | 'limit'>): string | undefined {
  if (scope === 'tenant' && subject !== '*') return 'subject: a budget for the tenant has none.'
  if (unit !== 'usd' && !Number.isSafeInteger(limit)) return `limit: ${unit} are counted in whole numbers.`
  if (unit === 'usd' && limit > limitUsdMax) return `limit: at most ${limitUsdMax} dollars.`
  return undefined
}

function toBudget({ limitAmount, createdAt, updatedAt, ...budget }: BudgetRow): Budget {
  return { ...budget, limit: shown(budget.unit, limitAmount), createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() }
}

function toCounter({ unit, limitAmount, per }: BudgetRow, { spent, reserved, overrun, startsAt, endsAt, ...counter }: CounterRow): BudgetCounter {
  const hasWindow = per !== 'run' && per !== 'total'
  return {
    ...counter,
    startsAt: hasWindow ? startsAt.toISOString() : null,
    endsAt: endsAt?.toISOString() ?? null,
    spent: shown(unit, spent),
    reserved: shown(unit, reserved),
    overrun: shown(unit, overrun),
    left: shown(unit, Math.max(0, limitAmount - spent - reserved)),
  }
}

function toModel(model: string, overrides: readonly Override[], refreshed: Refreshed | undefined): Model {
  const facts: ModelFacts = findModelFacts(model, overrides, refreshed) ?? { model, prices: [] }
  const priced = priceOn(model, overrides, today(), refreshed)
  return {
    ...facts,
    model,
    price: priced?.price ?? null,
    priceId: priced?.priceId ?? null,
    source: priced?.source ?? null,
    isOverridden: overrides.some((override) => override.model === model),
  }
}
