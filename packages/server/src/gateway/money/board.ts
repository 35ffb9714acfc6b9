/** What the API asks of money: budgets, what was used, and what models cost. Dollars outside, whole nanodollars inside. */
import {
  type Budget,
  type BudgetCounter,
  type Model,
  type ModelFacts,
  type UsageDimension,
  type getBudget,
  type listBudgetEvents,
  type listModels,
  type listUsage,
  type setBudget,
  type setModel,
  type summarizeUsage,
  type unsetModel,
  usageDimensions,
} from '@longhaul/protocol'
import type { z } from 'zod'
import { type Db, sqlState } from '../../db/index.ts'
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
import { type Override, catalogue, findModelFacts, priceOn } from './catalogue.ts'
import { deleteOverrides, listOverrides, upsertOverride } from './model-store.ts'
import type { Money } from './money.ts'
import { nanodollarsOf, usdOf } from './rates.ts'
import { type CallRow, type Grouping, isInHours, listCalls, summarizeCalls, summarizeHours } from './usage-store.ts'
import { cursorOf, hourAround, isWholeHours, readCursor } from './usage-range.ts'

type Input<Of extends { input: z.ZodType }> = z.output<Of['input']>
type Output<Of extends { output: z.ZodType }> = z.input<Of['output']>
type By = { tenantId: string; name: string }

export type MoneyBoard = {
  setBudget(by: By, input: Input<typeof setBudget>): Promise<Budget>
  listBudgets(tenantId: string): Promise<(Budget & { fullest: BudgetCounter | null })[]>
  getBudget(tenantId: string, input: Input<typeof getBudget>): Promise<Output<typeof getBudget>>
  deleteBudget(tenantId: string, name: string): Promise<Budget>
  listEvents(tenantId: string, input: Input<typeof listBudgetEvents>): Promise<Output<typeof listBudgetEvents>>
  summarize(tenantId: string, input: Input<typeof summarizeUsage>): Promise<Output<typeof summarizeUsage>>
  listCalls(tenantId: string, input: Input<typeof listUsage>): Promise<Output<typeof listUsage>>
  listModels(tenantId: string, input: Input<typeof listModels>): Promise<Output<typeof listModels>>
  setModel(by: By, input: Input<typeof setModel>): Promise<Model>
  unsetModel(tenantId: string, input: Input<typeof unsetModel>): Promise<Output<typeof unsetModel>>
}

/** The most dollars that a limit may have: more are not exact as a number of nanodollars. */
const limitUsdMax = 9_000_000
/** Single calls are counted over no more than this. Whole hours have no such limit. */
const callsRangeMs = 32 * 86_400_000
const defaultRangeMs = 30 * 86_400_000

export function openBoard({ db, money }: { db: Db; money: Pick<Money, 'refresh'> }): MoneyBoard {
  const noBudget = (name: string) => new AppError('not_found', `No budget ${JSON.stringify(name)}.`)

  async function modelOf(tenantId: string, model: string): Promise<Model> {
    return toModel(model, await listOverrides(db, tenantId))
  }

  return {
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
      }
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
    async listEvents(tenantId, { budget, cursor, limit }) {
      const rows = await readEvents(db, { tenantId, name: budget, before: readCursor(cursor), limit })
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
        })),
        next: cursorOf(rows, limit),
      }
    },
    async summarize(tenantId, { from: fromText, to: toText, by, grain, timeZone, limit, ...filters }) {
      const groupings = readGroupings(by)
      const to = toText === undefined ? wallClock() : new Date(toText)
      const from = fromText === undefined ? new Date(to.getTime() - defaultRangeMs) : new Date(fromText)
      if (from >= to) throw new AppError('invalid', 'from: must be before to.')
      const usesHours = isInHours({ groupings, filters }) && (grain === 'total' || grain === 'hour' || isWholeHours(timeZone, from))
      if (!usesHours && to.getTime() - from.getTime() > callsRangeMs)
        throw new AppError('invalid', 'from: by run, step, session or tag, at most 32 days can be asked for at once.')
      const range = usesHours ? hourAround(from, to) : { from, to }
      const summary = { tenantId, ...range, groupings, filters, grain, timeZone, limit: limit + 1 }
      const rows = await (usesHours ? summarizeHours(db, summary) : summarizeCalls(db, summary)).catch(refuseTimeZone(timeZone))
      const names = groupings.map(({ dimension, name }) => (dimension === 'tag' ? `tag:${name}` : dimension))
      return {
        from: range.from.toISOString(),
        to: range.to.toISOString(),
        groups: rows.slice(0, limit).map(({ at, by: values, calls, failedCalls, estimatedCalls, unpricedCalls, cost, ...tokens }) => ({
          at: at?.toISOString() ?? null,
          by: Object.fromEntries(names.map((name, n) => [name, values[n] ?? null])),
          calls,
          failedCalls,
          estimatedCalls,
          unpricedCalls,
          tokens,
          costUsd: usdOf(Number(cost)),
        })),
        isCut: rows.length > limit,
      }
    },
    async listCalls(tenantId, { cursor, limit, ...filters }) {
      const rows = await listCalls(db, { tenantId, filters, before: readCursor(cursor), limit })
      return { items: rows.map(toCall), next: cursorOf(rows, limit) }
    },
    async listModels(tenantId, { search = '', limit }) {
      const overrides = await listOverrides(db, tenantId)
      const names = [...new Set([...catalogue.models.map(({ model }) => model), ...overrides.map(({ model }) => model)])]
        .filter((model) => model.includes(search))
        .toSorted()
      return { items: names.slice(0, limit).map((model) => toModel(model, overrides)), readOn: catalogue.readOn, isCut: names.length > limit }
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

const today = (): string => wallClock().toISOString().slice(0, 10)
const shown = (unit: Budget['unit'], amount: number): number => (unit === 'usd' ? usdOf(amount) : amount)

const newBudget = { scope: 'tenant', subject: '*', per: 'month', timeZone: 'UTC', unit: 'usd' } as const

/** The database knows which time zones there are. */
const refuseTimeZone = (timeZone: string) => (error: unknown) => {
  throw sqlState(error) === '22023' ? new AppError('invalid', `timeZone: there is no time zone ${JSON.stringify(timeZone)}.`) : error
}

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

/** `agent,model,tag:team`. */
function readGroupings(by: string): Grouping[] {
  const words = by.split(',').filter((word) => word !== '')
  if (words.length > 5) throw new AppError('invalid', 'by: at most 5 dimensions.')
  return words.map((word) => {
    const [dimension = '', name] = word.split(':', 2)
    const known = usageDimensions.find((candidate): candidate is UsageDimension => candidate === dimension)
    if (!known || (known === 'tag') !== (name !== undefined && name !== ''))
      throw new AppError(
        'invalid',
        `by: there is no dimension ${JSON.stringify(word)}. There are: ${usageDimensions.map((each) => (each === 'tag' ? 'tag:<name>' : each)).join(', ')}.`,
      )
    return { dimension: known, name }
  })
}

function toCall(row: CallRow): Output<typeof listUsage>['items'][number] {
  const {
    at,
    cursorAt: _,
    cost,
    tags,
    input,
    cacheRead,
    cacheWrite,
    cacheWriteLong,
    inputAudio,
    inputImage,
    output,
    reasoning,
    outputAudio,
    outputImage,
    ...call
  } = row
  return {
    ...call,
    at: at.toISOString(),
    tokens: { input, cacheRead, cacheWrite, cacheWriteLong, inputAudio, inputImage, output, reasoning, outputAudio, outputImage },
    costUsd: cost === null ? null : usdOf(cost),
    tags: tags ?? {},
  }
}

function toModel(model: string, overrides: readonly Override[]): Model {
  const facts: ModelFacts = findModelFacts(model, overrides) ?? { model, prices: [] }
  const priced = priceOn(model, overrides, today())
  return {
    ...facts,
    model,
    price: priced?.price ?? null,
    priceId: priced?.priceId ?? null,
    source: priced?.source ?? null,
    isOverridden: overrides.some((override) => override.model === model),
  }
}
