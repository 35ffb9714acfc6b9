/** Which calls fit, and how much output each may have. Pure: the caller brings the counters as they are and writes what was decided. */
import type { Unit } from './call.ts'

/** `limit` is the budget's as it is now; `spent + reserved` may be above it when it was lowered. */
export type CounterState = { id: number; spent: number; reserved: number; limit: number }

/** What a call wants of one counter: an amount, and so much more for each token of output. */
export type Need = { counter: number; unit: Unit; fixed: number; perOutputToken: number }

export type Wish = {
  needs: readonly Need[]
  /** Tokens of output that the call wants; the fewest with which it is still of use. */
  output: number
  outputMin: number
}

export type Decision = { isFitting: true; output: number; amounts: number[] } | { isFitting: false; short: Need; isBusy: boolean }

/** Decides in order, each after those before it: `states` counts what it lets pass as reserved. */
export function decide(wishes: readonly Wish[], states: Map<number, CounterState>): Decision[] {
  return wishes.map((wish) => {
    const output = largestOutput(wish, states, true)
    if (output < wish.outputMin) {
      const short = shortest(wish, states)
      return { isFitting: false, short, isBusy: largestOutput(wish, states, false) >= wish.outputMin }
    }
    const amounts = wish.needs.map((need) => amountOf(need, output))
    for (const [i, need] of wish.needs.entries()) {
      const state = states.get(need.counter)
      if (state) states.set(need.counter, { ...state, reserved: state.reserved + (amounts[i] ?? 0) })
    }
    return { isFitting: true, output, amounts }
  })
}

/** Never less than what it will be, so rounded up. */
export const amountOf = (need: Need, output: number): number => Math.ceil(need.fixed + need.perOutputToken * output)

/** The most output with which the call fits on every counter; -1 when not even its input does. */
function largestOutput(wish: Wish, states: Map<number, CounterState>, countsReserved: boolean): number {
  return Math.min(wish.output, ...wish.needs.map((need) => outputOn(need, states.get(need.counter), countsReserved)))
}

function outputOn(need: Need, state: CounterState | undefined, countsReserved: boolean): number {
  const left = state ? state.limit - state.spent - (countsReserved ? state.reserved : 0) : 0
  if (amountOf(need, 0) > left) return -1
  if (need.perOutputToken === 0) return Infinity
  const output = Math.floor((left - need.fixed) / need.perOutputToken)
  return amountOf(need, output) > left ? output - 1 : output // A rounding of binary fractions.
}

/** The counter to name in the refusal: the one with the least room for this call, waiting for others left aside where that makes a difference. */
function shortest(wish: Wish, states: Map<number, CounterState>): Need {
  const [first, ...rest] = wish.needs
  if (!first) throw new Error('A call that needs nothing always fits.')
  const room = (need: Need, countsReserved: boolean) => outputOn(need, states.get(need.counter), countsReserved)
  return rest.reduce((least, need) => {
    const byLimit = room(need, false) - room(least, false)
    return byLimit < 0 || (!(byLimit > 0) && room(need, true) < room(least, true)) ? need : least
  }, first)
}
