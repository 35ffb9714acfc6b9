import {
  type Budget,
  applyCatalogue,
  deleteBudget,
  forecastBudget,
  forecastUsage,
  getBudget,
  listBudgetEvents,
  listBudgets,
  listCatalogueVersions,
  listModels,
  listUsage,
  refreshModels,
  rollbackCatalogue,
  scoreUsage,
  setBudget,
  setModel,
  summarizeUsage,
  tryUsage,
  unsetModel,
} from '@longhaul/protocol'
import type { z } from 'zod'
import type { MoneyBoard } from '../gateway/money/index.ts'
import type { Caller } from '../identity/index.ts'
import { AppError } from '../kernel/index.ts'
import { type Implementation, audited, implement } from './implement.ts'
import { isLimited, isReached, reached } from './reach.ts'

export const moneyImplementations = (money: MoneyBoard): Implementation[] => [
  implement(setBudget, async (caller, input) => {
    await assertBudgetIsTheirs(money, caller, input)
    return money.setBudget(caller, input)
  }),
  implement(listBudgets, async (caller) => ({ items: (await money.listBudgets(caller.tenantId)).filter((budget) => isReached(caller, placeOf(budget))) })),
  implement(getBudget, async (caller, input) => findBudget(money, caller, input)),
  implement(deleteBudget, async (caller, { name }) => {
    await findBudget(money, caller, { name, limit: 1 })
    return money.deleteBudget(caller.tenantId, name)
  }),
  implement(listBudgetEvents, async (caller, input) => {
    if (!isLimited(caller)) return money.listEvents(caller.tenantId, input)
    const theirs = (await money.listBudgets(caller.tenantId)).filter((budget) => isReached(caller, placeOf(budget))).map(({ name }) => name)
    return money.listEvents(caller.tenantId, input, theirs)
  }),
  implement(summarizeUsage, (caller, input) => money.summarize(caller, input)),
  implement(listUsage, (caller, input) => money.listCalls(caller, input)),
  implement(tryUsage, (caller, input) => money.tryUsage(caller, input)),
  implement(forecastUsage, (caller, input) => money.forecastUsage(caller, input)),
  implement(forecastBudget, async (caller, input) => {
    await findBudget(money, caller, { name: input.name, limit: 1 })
    return money.forecastBudget(caller.tenantId, input)
  }),
  implement(scoreUsage, (caller, input) => money.score(caller, input)),
  implement(listModels, ({ tenantId }, input) => money.listModels(tenantId, input)),
  implement(setModel, (caller, input) => money.setModel(caller, input)),
  implement(unsetModel, ({ tenantId }, input) => money.unsetModel(tenantId, input)),
  implement(refreshModels, (caller, input) => money.catalogue.refresh(caller, input)),
  audited(implement(applyCatalogue, (caller, input) => money.catalogue.apply(caller, input))),
  audited(implement(rollbackCatalogue, (caller) => money.catalogue.rollback(caller))),
  implement(listCatalogueVersions, ({ tenantId }, input) => money.catalogue.versions(tenantId, input)),
]

/** A budget of one agent or namespace is there. What holds for all agents, for keys or for runs is beyond whoever is limited. */
const placeOf = ({ scope, subject }: Pick<Budget, 'scope' | 'subject'>) =>
  subject === '*' ? {} : scope === 'agent' ? { agent: subject } : scope === 'namespace' ? { namespace: subject } : {}

async function findBudget(money: MoneyBoard, caller: Caller, input: z.output<typeof getBudget.input>) {
  const found = await money.getBudget(caller.tenantId, input)
  reached(caller, placeOf(found), `budget ${JSON.stringify(input.name)}`)
  return found
}

async function assertBudgetIsTheirs(money: MoneyBoard, caller: Caller, { name, scope, subject }: z.output<typeof setBudget.input>): Promise<void> {
  if (!isLimited(caller)) return
  const known = (await money.listBudgets(caller.tenantId)).find((budget) => budget.name === name)
  const wanted = { scope: scope ?? known?.scope ?? 'tenant', subject: subject ?? known?.subject ?? '*' }
  if (known && !isReached(caller, placeOf(known)))
    throw new AppError('conflict', `The name ${name} belongs to a budget that the caller may not see. Take another.`)
  if (!isReached(caller, placeOf(wanted)))
    throw new AppError(
      'forbidden',
      'This budget would hold for more than the caller may reach. Give a scope and a subject within that: an agent, or a namespace.',
    )
}
