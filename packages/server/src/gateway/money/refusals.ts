/** Why a call was refused, for people: which budget, what was needed, what is left, when there is more, and what helps. */
import type { Budget, Failure } from '@longhaul/protocol'
import { StepFailure } from '../../kernel/index.ts'
import type { CounterKey } from './budget.ts'
import type { Refusal, Unit } from './call.ts'
import type { CounterState } from './decide.ts'
import { usdOf } from './rates.ts'

/** How long a call that others are in the way of should wait before it asks again. */
const busyMs = 2_000

/**
 * For a step of a run. What is used up is not tried again: the run fails, unless its code catches `over_budget` and, say, waits for a signal until somebody has raised the
 * budget. What only calls under way are in the way of is tried again, as the step's retry policy allows.
 */
export function budgetFailure(refusal: Refusal): StepFailure {
  const { message, reason, ...facts } = refusal
  const failure: Failure = {
    message,
    code: reason === 'unpriced' ? 'unpriced_model' : 'over_budget',
    retryable: reason === 'busy',
    ...(reason === 'busy' && { retryAfterMs: busyMs }),
    detail: { reason, ...facts },
  }
  return new StepFailure(failure)
}

type Short = { key: CounterKey; unit: Unit; needed: number | null; state: Pick<CounterState, 'spent' | 'reserved' | 'limit'>; model: string }

export function refusal(reason: Refusal['reason'], { key, unit, needed, state, model }: Short): Refusal {
  const { budget, subject } = key
  const shown = (amount: number) => (unit === 'usd' ? usdOf(amount) : amount)
  const left = Math.max(0, state.limit - state.spent - state.reserved)
  const refillsAt = budget.endsAt?.toISOString() ?? null
  const name = `The budget ${JSON.stringify(budget.name)} (${describe(budget, subject, state.limit)})`
  const why = {
    unpriced: `${name} counts money, and ${model} has no price. Set one with "longhaul models set ${model} --input … --output …", or call a model that has one.`,
    busy: `${name} has nothing left for this call until calls that are under way have ended: it may take up to ${amount(needed ?? 0, unit)}; ${amount(state.spent, unit)} is spent and ${amount(state.reserved, unit)} is held.`,
    exhausted: `${name} is used up: this call may take up to ${amount(needed ?? 0, unit)}, and ${amount(left, unit)} ${unit === 'usd' || left === 1 ? 'is' : 'are'} left (${amount(state.spent, unit)} spent${state.reserved > 0 ? `, ${amount(state.reserved, unit)} held` : ''}). ${refillsAt ? `It begins anew at ${refillsAt}; until then` : 'It does not begin anew:'} "longhaul budgets set ${budget.name} --limit …" raises it.`,
  }
  return {
    reason,
    message: why[reason],
    budget: { id: budget.id, name: budget.name, scope: budget.scope, subject, window: budget.per, unit, limit: shown(state.limit) },
    needed: needed === null ? null : shown(needed),
    spent: shown(state.spent),
    reserved: shown(state.reserved),
    left: shown(left),
    refillsAt,
  }
}

function describe({ scope, per, unit }: Pick<Budget, 'scope' | 'per' | 'unit'>, subject: string, limit: number): string {
  const whose = scope === 'tenant' ? '' : ` for ${scope} ${subject}`
  return `${amount(limit, unit)}${per === 'total' ? ' in total' : per === 'hour' ? ' an hour' : ` a ${per}`}${whose}`
}

/** Up to the tenth of a cent, and further where it would be nothing otherwise. Never less than it is. */
function amount(value: number, unit: Unit): string {
  if (unit !== 'usd') return `${value.toLocaleString('en-US')} ${value === 1 ? unit.slice(0, -1) : unit}`
  const usd = usdOf(value)
  return `$${usd.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: usd >= 1 ? 4 : 6 })}`
}
