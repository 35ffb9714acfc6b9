/** What will be used, and what would have been. */
import { type Forecast, budgetUnits } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import { instant } from '../instant.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printFields, printList } from '../show/records.ts'
import { cost, counted, moment } from '../show/values.ts'
import { amountText, oneOf } from './budgets.ts'
import { filtersOf } from './usage.ts'

type Options = Record<string, string>

export async function forecastUsage(invocation: Invocation, options: Options): Promise<number> {
  const { per = 'month', timeZone = 'UTC' } = options
  const forecast = await (await invocation.client()).usage.forecast({ ...filtersOf(options), per: oneOf('per', per, ['week', 'month'] as const), timeZone })
  if (invocation.isJson) invocation.printJson(forecast)
  else
    printFields(invocation, [
      ['spent', `${amountText('usd', forecast.spent)} since ${moment(forecast.startsAt ?? '')}`],
      ['expected', totalText(forecast)],
      ['by', methodText(forecast)],
    ])
  return exitCodes.done
}

export async function forecastBudget(invocation: Invocation, name: string, subject: string | undefined): Promise<number> {
  const forecast = await (await invocation.client()).budgets.forecast({ name, ...(subject !== undefined && { subject }) })
  if (invocation.isJson) invocation.printJson(forecast)
  else {
    const { unit, limit, spent, reachesLimit } = forecast
    const { at, earliest, latest } = reachesLimit
    const range = earliest === latest ? '' : ` (${earliest === null ? 'not at all' : moment(earliest)} to ${latest === null ? 'not at all' : moment(latest)})`
    printFields(invocation, [
      ['of', forecast.subject ?? 'nobody yet'],
      ['spent', `${amountText(unit, spent)} of ${amountText(unit, limit)}`],
      ['expected', forecast.endsAt !== null && totalText(forecast)],
      ['limit reached', spent >= limit ? 'now' : forecast.method === 'none' ? '–' : `${at === null ? whenNot(forecast) : moment(at)}${range}`],
      ['by', methodText(forecast)],
    ])
  }
  return exitCodes.done
}

export async function tryUsage(invocation: Invocation, options: Options): Promise<number> {
  const { asModel, asLimit, prices = 'then', unit = 'usd', per = 'month', timeZone = 'UTC', from, to } = options
  if (asModel === undefined && asLimit === undefined)
    throw new Problem('invalid', 'What if what?', 'Name another model with --as-model, another limit with --as-limit, or both.')
  const limit = Number(asLimit)
  if (asLimit !== undefined && (asLimit.trim() === '' || !(limit >= 0))) throw new Problem('invalid', `--as-limit must be a number, not "${asLimit}".`)
  const inUnit = oneOf('unit', unit, budgetUnits)
  const tried = await (
    await invocation.client()
  ).usage.try({
    ...filtersOf(options),
    timeZone,
    ...(from !== undefined && { from: instant('from', from) }),
    ...(to !== undefined && { to: instant('to', to) }),
    ...(asModel !== undefined && { asModel, prices: oneOf('prices', prices, ['then', 'now'] as const) }),
    ...(asLimit !== undefined && { asLimit: limit, unit: inUnit, per: oneOf('per', per, ['hour', 'day', 'week', 'month'] as const) }),
  })
  if (invocation.isJson) {
    invocation.printJson(tried)
    return exitCodes.done
  }
  if (tried.asModel) {
    const { calls, costUsd, asCostUsd, unpricedCalls, asUnpricedCalls, models } = tried.asModel
    printList(
      invocation,
      [
        { name: 'model', isWhole: true },
        { name: 'calls', isNumber: true },
        { name: 'cost', isWhole: true },
        { name: `as ${asModel}`, isWhole: true },
      ],
      [...models.map((each) => [each.model, each.calls, cost(each.costUsd), cost(each.asCostUsd)]), ['all of them', calls, cost(costUsd), cost(asCostUsd)]],
      [],
    )
    if (unpricedCalls > 0) invocation.terminal.print(`  ${counted(unpricedCalls, 'call')} had no price and cost nothing here.`, '')
    if (asUnpricedCalls > 0) invocation.terminal.print(`  ${asModel} had no price at ${counted(asUnpricedCalls, 'call')}, which the second sum leaves out.`, '')
  }
  if (tried.asLimit) {
    const { calls, refusedCalls, refused, unpricedCalls, windows } = tried.asLimit
    const met = windows.filter(({ reachedAt }) => reachedAt !== null)
    printList(
      invocation,
      [
        { name: `${per} from`, isWhole: true },
        { name: 'limit reached', isWhole: true },
        { name: 'calls', isNumber: true },
        { name: 'refused', isNumber: true },
        { name: 'used' },
      ],
      met.map((window) => [
        moment(window.at),
        window.reachedAt === null ? '' : moment(window.reachedAt),
        window.calls,
        window.refusedCalls,
        amountText(inUnit, window.spent),
      ]),
      [`The limit would not have been reached: ${counted(calls, 'call')} in that time.`],
    )
    if (met.length > 0) invocation.terminal.print(`  ${counted(refusedCalls, 'call')} of ${calls} refused, with ${amountText(inUnit, refused)}.`, '')
    if (unpricedCalls > 0) invocation.terminal.print(`  ${counted(unpricedCalls, 'call')} had no price: a limit in dollars refuses them, too.`, '')
  }
  return exitCodes.done
}

function totalText({ unit, total, endsAt }: Forecast): string {
  if (total === null) return '–'
  return `${amountText(unit, total.expected)} (${amountText(unit, total.low)} to ${amountText(unit, total.high)}) by ${moment(endsAt ?? '')}`
}

const whenNot = ({ endsAt }: Forecast): string => (endsAt === null ? 'not within a year' : `not by ${moment(endsAt)}`)

function methodText({ method, historyDays }: Forecast): string {
  if (method === 'none') return `too little to go by: ${counted(historyDays, 'whole day')} of at least 3`
  return `the mean of ${method === 'weekdays' ? 'each weekday' : 'all'} in ${counted(historyDays, 'whole day')}; four times out of five within the range`
}
