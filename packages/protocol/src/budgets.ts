import { z } from 'zod'
import { WebhookUrl } from './destinations.ts'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { Etag, Name } from './values.ts'

export const budgetScopes = ['tenant', 'namespace', 'agent', 'key', 'user', 'session', 'run'] as const
export const budgetWindows = ['run', 'hour', 'day', 'week', 'month', 'total'] as const
export const budgetUnits = ['usd', 'tokens', 'requests'] as const

/**
 * The most that may be spent on model calls by somebody in a time. `scope` and `subject` say by whom: `agent` `analyst`, or `agent` `*`, which gives each agent
 * this much for itself. `per` says in what time: a calendar's in `timeZone`, each run's, or for good.
 */
export const Budget = z.object({
  id: z.uuid(),
  name: z.string(),
  scope: z.enum(budgetScopes),
  subject: z.string(),
  per: z.enum(budgetWindows),
  timeZone: z.string(),
  unit: z.enum(budgetUnits),
  /** In dollars, tokens or requests. */
  limit: z.number(),
  /** Where its events are told, signed like all webhooks; null: nowhere. */
  webhookUrl: z.string().nullable(),
  setBy: z.string(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  etag: Etag.optional(),
})
export type Budget = z.infer<typeof Budget>

/** One subject of a budget in one window. `reserved` is the worst case of calls under way. `overrun` is what providers billed beyond it. */
export const BudgetCounter = z.object({
  subject: z.string(),
  runId: z.uuid().nullable(),
  startsAt: z.iso.datetime().nullable(),
  endsAt: z.iso.datetime().nullable(),
  spent: z.number(),
  reserved: z.number(),
  overrun: z.number(),
  left: z.number(),
})
export type BudgetCounter = z.infer<typeof BudgetCounter>

/** It reached a share of its limit, refused a call for the first time in a window, or a provider billed more than a call's worst case. */
export const BudgetEvent = z.object({
  id: z.uuid(),
  at: z.iso.datetime(),
  budget: z.string(),
  subject: z.string(),
  runId: z.uuid().nullable(),
  kind: z.enum(['warning', 'refused', 'overrun']),
  percent: z.number().int(),
  unit: z.enum(budgetUnits),
  limit: z.number(),
  spent: z.number(),
  /** What became of telling it to the budget's webhook; null where there was none. */
  notice: z.object({ state: z.enum(['pending', 'delivered', 'failed']), attempt: z.number().int(), failure: z.string().nullable() }).nullable(),
})
export type BudgetEvent = z.infer<typeof BudgetEvent>

export const setBudget = operation({
  id: 'budgets.set',
  summary: 'Make a budget, or change the limit of the one of this name. It counts for the next call.',
  http: ['POST', '/v1/budgets'],
  permission: 'money:manage',
  input: z.strictObject({
    name: Name,
    /** What is absent here and below is as it was; of a new budget: the tenant's, in dollars, a month of UTC. */
    scope: z.enum(budgetScopes).optional(),
    subject: z.string().min(1).max(200).optional(),
    per: z.enum(budgetWindows).optional(),
    timeZone: z.string().min(1).max(64).optional(),
    unit: z.enum(budgetUnits).optional(),
    limit: z.number().min(0).max(9e15),
    /** `budget.warning` at 50, 80 and 100 %, `budget.refused`, `budget.overrun`; once for each window and limit. */
    webhookUrl: WebhookUrl.nullable().optional(),
  }),
  output: Budget,
})
export const listBudgets = operation({
  id: 'budgets.list',
  summary: 'All budgets, each with its fullest counter of an open window.',
  http: ['GET', '/v1/budgets'],
  permission: 'money:read',
  input: z.strictObject({}),
  output: z.object({ items: z.array(Budget.extend({ fullest: BudgetCounter.nullable() })) }),
})
export const getBudget = operation({
  id: 'budgets.get',
  summary: 'One budget with its counters, those of open windows first.',
  http: ['GET', '/v1/budgets/{name}'],
  permission: 'money:read',
  input: z.strictObject({ name: z.string().max(63), limit: PageInput.limit }),
  output: Budget.extend({ counters: z.array(BudgetCounter) }),
})
export const deleteBudget = operation({
  id: 'budgets.delete',
  summary: 'Delete a budget and its counters. What was used stays recorded.',
  http: ['DELETE', '/v1/budgets/{name}'],
  permission: 'money:manage',
  input: z.strictObject({ name: z.string().max(63) }),
  output: Budget,
})
export const listBudgetEvents = operation({
  id: 'budgets.events',
  summary: 'Warnings at 50, 80 and 100 %, first refusals, overruns; newest first.',
  http: ['GET', '/v1/budget-events'],
  permission: 'money:read',
  input: z.strictObject({ budget: z.string().max(63).optional(), ...PageInput }),
  output: pageOf(BudgetEvent),
})

export const budgetOperations = [setBudget, listBudgets, getBudget, deleteBudget, listBudgetEvents]
