/** What will be used, for the API: `forecast.ts` over the sums of whole days. */
import type { Budget, BudgetForecast, Forecast, UsageFilters, forecastBudget, forecastUsage } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Db } from '../../db/index.ts'
import { AppError, wallClock } from '../../kernel/index.ts'
import { findBudget, findOpenCounter } from './budget-store.ts'
import { totalOf } from './buckets.ts'
import { type Outlook, type Stretch, foresee, reachedMs } from './forecast.ts'
import { type Calendar, readCalendar } from './forecast-store.ts'
import { usdOf } from './rates.ts'
import { sumUsage } from './usage-board.ts'
import { refuseTimeZone } from './usage-range.ts'
import type { UsageReach } from './usage-store.ts'

export type ForecastBoard = {
  forecastUsage(of: UsageReach, input: z.output<typeof forecastUsage.input>): Promise<Forecast>
  /** Throws `not_found`; `invalid` of a budget for each run, which has no calendar. */
  forecastBudget(tenantId: string, input: z.output<typeof forecastBudget.input>): Promise<BudgetForecast>
}

const historyDaysMax = 28
/** How far is looked ahead where a window has no end. */
const aheadDaysMax = 366

type Asked = { of: UsageReach; filters: UsageFilters; unit: Budget['unit']; per: Exclude<Budget['per'], 'run'>; timeZone: string }
type Seen = { now: Date; calendar: Calendar; stretches: Stretch[]; outlook: Outlook; historyDays: number }

export function openForecastBoard(db: Db, now: () => Date = wallClock): ForecastBoard {
  async function look({ of, filters, unit, per, timeZone }: Asked): Promise<Seen> {
    const asOf = now()
    const calendar = await readCalendar(db, { now: asOf, timeZone, per, daysBefore: historyDaysMax, daysAfter: aheadDaysMax }).catch(refuseTimeZone(timeZone))
    const before = calendar.days.slice(0, historyDaysMax)
    const [first, today] = [calendar.days[0], calendar.days[historyDaysMax]]
    const sums =
      first && today
        ? (await sumUsage(db, { of, from: first.at, to: today.at, groupings: [], filters, grain: 'day', timeZone, limit: historyDaysMax })).rows
        : []
    const used = new Map(sums.map(({ at, cost, calls, ...tokens }) => [at?.getTime(), { usd: Number(cost), tokens: totalOf(tokens), requests: calls }[unit]]))
    // Days before the first use are no days without any: there was nobody yet.
    const since = before.findIndex(({ at }) => used.has(at.getTime()))
    const history = since === -1 ? [] : before.slice(since).map(({ at, weekday }) => ({ weekday, amount: used.get(at.getTime()) ?? 0 }))
    const untilMs = calendar.endsAt?.getTime() ?? Infinity
    const stretches = calendar.days.slice(historyDaysMax).flatMap(({ at, endsAt, weekday }): Stretch[] => {
      const [startMs, endMs] = [Math.max(at.getTime(), asOf.getTime()), Math.min(endsAt.getTime(), untilMs)]
      return startMs < endMs ? [{ weekday, startMs, endMs, share: (endMs - startMs) / (endsAt.getTime() - at.getTime()) }] : []
    })
    return { now: asOf, calendar, stretches, outlook: foresee(history, stretches), historyDays: history.length }
  }

  return {
    async forecastUsage(of, { per, timeZone, ...filters }) {
      const seen = await look({ of, filters, unit: 'usd', per, timeZone })
      const from = seen.calendar.startsAt
      const [sum] = from ? (await sumUsage(db, { of, from, to: seen.now, groupings: [], filters, grain: per, timeZone, limit: 1 })).rows : []
      return toForecast(seen, { timeZone, unit: 'usd', spent: Number(sum?.cost ?? 0) })
    },
    async forecastBudget(tenantId, { name, subject: asked }) {
      const budget = await findBudget(db, tenantId, name)
      if (!budget) throw new AppError('not_found', `No budget ${JSON.stringify(name)}.`)
      const { id, scope, per, timeZone, unit, limitAmount } = budget
      if (per === 'run') throw new AppError('invalid', 'A budget for each run has no calendar, so nothing can be forecast of it.')
      const counter = await findOpenCounter(db, id, asked, now())
      const subject = counter?.subject ?? asked ?? (scope === 'tenant' || budget.subject !== '*' ? budget.subject : null)
      const filters = subject === null || scope === 'tenant' ? {} : { [scope]: subject }
      const found = await look({ of: { tenantId }, filters, unit, per, timeZone })
      const seen = subject === null ? { ...found, outlook: foresee([], []), historyDays: 0 } : found
      const spent = counter?.spent ?? 0
      const reached = (side: 'expected' | 'low' | 'high') => {
        if (spent >= limitAmount) return seen.now.toISOString()
        const sums = seen.outlook.sums.map((band) => band[side])
        const ms = reachedMs(limitAmount, spent, seen.stretches, sums)
        return ms === undefined ? null : new Date(ms).toISOString()
      }
      return {
        ...toForecast(seen, { timeZone, unit, spent }),
        subject,
        limit: amountIn(unit)(limitAmount),
        reachesLimit: { at: reached('expected'), earliest: reached('high'), latest: reached('low') },
      }
    },
  }
}

const amountIn = (unit: Budget['unit']) => (amount: number) => (unit === 'usd' ? usdOf(amount) : amount)

function toForecast(
  { now, calendar, stretches, outlook, historyDays }: Seen,
  { timeZone, unit, spent }: Pick<Forecast, 'timeZone' | 'unit' | 'spent'>,
): Forecast {
  const amount = amountIn(unit)
  const sum = calendar.endsAt ? outlook.sums.at(-1) : undefined
  return {
    asOf: now.toISOString(),
    timeZone,
    unit,
    startsAt: calendar.startsAt?.toISOString() ?? null,
    endsAt: calendar.endsAt?.toISOString() ?? null,
    spent: amount(spent),
    method: outlook.method,
    historyDays,
    total: sum ? { expected: amount(spent + sum.expected), low: amount(spent + sum.low), high: amount(spent + sum.high) } : null,
    days: outlook.each.flatMap(({ expected, low, high }, n) => {
      const stretch = stretches[n]
      return stretch ? [{ at: new Date(stretch.startMs).toISOString(), expected: amount(expected), low: amount(low), high: amount(high) }] : []
    }),
  }
}
