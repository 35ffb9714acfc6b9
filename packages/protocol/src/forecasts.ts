import { z } from 'zod'
import { budgetUnits } from './budgets.ts'
import { operation } from './operation.ts'
import { UsageFilters } from './usage.ts'

/** What is expected, and within what it falls four times out of five if days go on as they went. */
const Band = z.object({ expected: z.number(), low: z.number(), high: z.number() })

/**
 * What a window of the calendar will have used, by the days before it. `method`: `weekdays`, each day as the mean of its weekday; `days`, each as the mean of
 * all; `none`, there are too few of them, and nothing is forecast. `historyDays` is on how many whole days it rests.
 */
export const Forecast = z.object({
  asOf: z.iso.datetime(),
  timeZone: z.string(),
  unit: z.enum(budgetUnits),
  /** Null: for good. */
  startsAt: z.iso.datetime().nullable(),
  endsAt: z.iso.datetime().nullable(),
  /** Since `startsAt`, in dollars, tokens or requests, as all amounts here. */
  spent: z.number(),
  method: z.enum(['weekdays', 'days', 'none']),
  historyDays: z.number().int(),
  /** At the end of the window, with what is spent; null without a forecast or an end. */
  total: Band.nullable(),
  /** What remains of today, and each day to the end of the window; for good: of the next year. */
  days: z.array(Band.extend({ at: z.iso.datetime() })),
})
export type Forecast = z.infer<typeof Forecast>

export const BudgetForecast = Forecast.extend({
  /** Whose counter it is; null: nobody has spent anything of it. */
  subject: z.string().nullable(),
  limit: z.number(),
  /** When the limit will be reached: as expected, with high use, with low use. Null: not in this window. One that is reached is so at `asOf`. */
  reachesLimit: z.object({ at: z.iso.datetime().nullable(), earliest: z.iso.datetime().nullable(), latest: z.iso.datetime().nullable() }),
})
export type BudgetForecast = z.infer<typeof BudgetForecast>

export const forecastUsage = operation({
  id: 'usage.forecast',
  summary: 'What this week or month will have cost, by the last 28 days.',
  http: ['GET', '/v1/usage/forecast'],
  permission: 'money:read',
  input: z.strictObject({
    ...UsageFilters.shape,
    per: z.enum(['week', 'month']).default('month'),
    timeZone: z.string().min(1).max(64).default('UTC'),
  }),
  output: Forecast,
})
export const forecastBudget = operation({
  id: 'budgets.forecast',
  summary: 'What a budget’s open window will have spent, and when its limit will be reached.',
  http: ['GET', '/v1/budgets/{name}/forecast'],
  permission: 'money:read',
  input: z.strictObject({
    name: z.string().max(63),
    /** Absent: the one that has spent most. */
    subject: z.string().min(1).max(200).optional(),
  }),
  output: BudgetForecast,
})

export const forecastOperations = [forecastUsage, forecastBudget]
