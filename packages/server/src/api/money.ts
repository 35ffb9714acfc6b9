import {
  deleteBudget,
  getBudget,
  listBudgetEvents,
  listBudgets,
  listModels,
  listUsage,
  setBudget,
  setModel,
  summarizeUsage,
  unsetModel,
} from '@longhaul/protocol'
import type { MoneyBoard } from '../gateway/money/index.ts'
import { type Implementation, implement } from './implement.ts'

export const moneyImplementations = (money: MoneyBoard): Implementation[] => [
  implement(setBudget, (caller, input) => money.setBudget(caller, input)),
  implement(listBudgets, async ({ tenantId }) => ({ items: await money.listBudgets(tenantId) })),
  implement(getBudget, ({ tenantId }, input) => money.getBudget(tenantId, input)),
  implement(deleteBudget, ({ tenantId }, { name }) => money.deleteBudget(tenantId, name)),
  implement(listBudgetEvents, ({ tenantId }, input) => money.listEvents(tenantId, input)),
  implement(summarizeUsage, ({ tenantId }, input) => money.summarize(tenantId, input)),
  implement(listUsage, ({ tenantId }, input) => money.listCalls(tenantId, input)),
  implement(listModels, ({ tenantId }, input) => money.listModels(tenantId, input)),
  implement(setModel, (caller, input) => money.setModel(caller, input)),
  implement(unsetModel, ({ tenantId }, input) => money.unsetModel(tenantId, input)),
]
