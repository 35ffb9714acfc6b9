import { type Budget, type BudgetCounter, budgetScopes, budgetUnits, budgetWindows } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { nearNames } from '../nearest-name.ts'
import { Problem } from '../problem.ts'
import { printFields, printList } from '../show/records.ts'
import { ago, moment, wholeNumber } from '../show/values.ts'

type SetOptions = { limit: string; unit?: string; scope?: string; subject?: string; per?: string; timeZone?: string; webhook?: string | false }

export async function setBudget(invocation: Invocation, name: string, options: SetOptions): Promise<number> {
  const { limit, unit, scope, subject, per, timeZone, webhook } = options
  const amount = Number(limit)
  if (limit.trim() === '' || !Number.isFinite(amount))
    throw new Problem('invalid', `--limit must be a number, not "${limit}".`, 'Dollars such as 12.50, or whole tokens or requests.')
  const budget = await (
    await invocation.client()
  ).budgets.set({
    name,
    limit: amount,
    ...(unit !== undefined && { unit: oneOf('unit', unit, budgetUnits) }),
    ...(scope !== undefined && { scope: oneOf('scope', scope, budgetScopes) }),
    ...(per !== undefined && { per: oneOf('per', per, budgetWindows) }),
    ...(subject !== undefined && { subject }),
    ...(timeZone !== undefined && { timeZone }),
    ...(webhook !== undefined && { webhookUrl: webhook === false ? null : webhook }),
  })
  if (invocation.isJson) invocation.printJson(budget)
  else invocation.terminal.print(`  Budget ${budget.name}: ${limitText(budget)} for ${whoseText(budget)}. It counts from the next call on.`)
  return exitCodes.done
}

export async function listBudgets(invocation: Invocation): Promise<number> {
  const list = await (await invocation.client()).budgets.list()
  if (invocation.isJson) invocation.printJson(list)
  else {
    const rows = list.items.map((budget) => {
      const counter = budget.fullest
      return [
        budget.name,
        whoseText(budget),
        limitText(budget),
        counter ? amountText(budget.unit, counter.spent) : '–',
        counter && counter.reserved > 0 ? amountText(budget.unit, counter.reserved) : '–',
        amountText(budget.unit, counter ? counter.left : budget.limit),
        counter && budget.subject === '*' && budget.scope !== 'tenant' ? counter.subject : '',
      ]
    })
    printList(
      invocation,
      [
        { name: 'budget', isWhole: true },
        { name: 'for' },
        { name: 'limit', isWhole: true },
        { name: 'spent' },
        { name: 'held' },
        { name: 'left', isWhole: true },
        { name: 'fullest' },
      ],
      rows,
      ['No budgets. npx longhaul budgets set everything --limit 100'],
    )
  }
  return exitCodes.done
}

export async function showBudget(invocation: Invocation, name: string, limit: number): Promise<number> {
  const budget = await (await invocation.client()).budgets.get({ name, limit })
  if (invocation.isJson) invocation.printJson(budget)
  else {
    printFields(invocation, [
      ['budget', budget.name],
      ['limit', limitText(budget)],
      ['for', whoseText(budget)],
      ['time zone', budget.timeZone],
      ['told to', budget.webhookUrl ?? '–'],
      ['set', `${moment(budget.updatedAt)} by ${budget.setBy}`],
    ])
    printList(
      invocation,
      [{ name: 'subject', isWhole: true }, { name: 'window' }, { name: 'spent' }, { name: 'held' }, { name: 'left', isWhole: true }, { name: 'overrun' }],
      budget.counters.map((counter) => counterRow(budget, counter)),
      ['Nothing has been spent of it yet.'],
    )
  }
  return exitCodes.done
}

export async function deleteBudget(invocation: Invocation, name: string): Promise<number> {
  const budget = await (await invocation.client()).budgets.delete({ name })
  if (invocation.isJson) invocation.printJson(budget)
  else invocation.terminal.print(`  Budget ${budget.name} is deleted. What was used stays recorded.`)
  return exitCodes.done
}

export async function listEvents(invocation: Invocation, { budget, limit, cursor }: { budget?: string; limit: number; cursor?: string }): Promise<number> {
  const list = await (await invocation.client()).budgets.events({ limit, ...(budget !== undefined && { budget }), ...(cursor !== undefined && { cursor }) })
  if (invocation.isJson) invocation.printJson(list)
  else {
    const whats = { warning: (percent: number) => `${percent} % reached`, refused: () => 'first refusal', overrun: () => 'overrun by a provider' }
    printList(
      invocation,
      [
        { name: 'when' },
        { name: 'budget', isWhole: true },
        { name: 'subject' },
        { name: 'what', isWhole: true },
        { name: 'spent' },
        { name: 'limit' },
        { name: 'told' },
      ],
      list.items.map((event) => [
        ago(event.at),
        event.budget,
        event.runId ?? event.subject,
        whats[event.kind](event.percent),
        amountText(event.unit, event.spent),
        amountText(event.unit, event.limit),
        event.notice ? `${event.notice.state}${event.notice.failure === null ? '' : `: ${event.notice.failure}`}` : '–',
      ]),
      ['Nothing has happened to any budget yet.'],
    )
    if (list.next !== null) invocation.terminal.print(`  More: --cursor ${list.next}`, '')
  }
  return exitCodes.done
}

function counterRow({ unit, per }: Budget, counter: BudgetCounter): string[] {
  const window = counter.endsAt ? `until ${moment(counter.endsAt)}` : per === 'run' ? 'one run' : 'for good'
  return [
    counter.runId ?? counter.subject,
    window,
    amountText(unit, counter.spent),
    counter.reserved > 0 ? amountText(unit, counter.reserved) : '–',
    amountText(unit, counter.left),
    counter.overrun > 0 ? amountText(unit, counter.overrun) : '–',
  ]
}

const whoseText = ({ scope, subject }: Budget): string =>
  scope === 'tenant' ? 'everybody together' : subject === '*' ? `each ${scope}` : `${scope} ${subject}`
const limitText = ({ unit, limit, per }: Budget): string =>
  `${amountText(unit, limit)} ${per === 'total' ? 'in total' : per === 'hour' ? 'an hour' : `a ${per}`}`

export function amountText(unit: Budget['unit'], amount: number): string {
  if (unit !== 'usd') return `${wholeNumber(amount)} ${amount === 1 ? unit.slice(0, -1) : unit}`
  return `$${amount.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: amount >= 1 ? 2 : 6 })}`
}

export function oneOf<Word extends string>(option: string, given: string, words: readonly Word[]): Word {
  const known = words.find((word) => word === given)
  if (!known)
    throw new Problem(
      'invalid',
      `--${option} cannot be "${given}".`,
      `Did you mean ${nearNames(given, words, 1)[0] ?? 'one of these'}? There are: ${words.join(', ')}`,
    )
  return known
}
