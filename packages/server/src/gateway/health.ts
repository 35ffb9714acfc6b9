/** What this process remembers of its targets: which of them fail (a circuit breaker each), and how many attempts more than calls it may make. */
import { monotonicMs } from '../kernel/index.ts'

export type Breaker = {
  /** Milliseconds until the target may be tried; 0 when it may be now. After an outage one call at a time tries it. */
  waitMs(): number
  /** Must be followed by exactly one of the next three. */
  begin(): void
  succeeded(): void
  failed(): void
  /** The call says nothing about the target: the caller left, or the request was wrong. */
  ended(): void
}

const inARowMax = 5
const windowMs = 30_000
const windowCallsMin = 10
const windowCallsMax = 100
const failedShareMax = 0.5
const openMsMin = 2_000
const openMsMax = 60_000

/** Opens after five failures in a row, or when half of at least ten calls of the last half minute failed; then one probe, and twice the pause after each that fails. */
export function openBreaker(now: () => number = monotonicMs): Breaker {
  let inARow = 0
  let recent: { at: number; isGood: boolean }[] = []
  let openUntil = 0
  let openMs = 0
  let probes = 0
  const isOpen = () => openMs > 0

  const remember = (isGood: boolean) => {
    recent.push({ at: now(), isGood })
    if (recent.length === windowCallsMax * 2) recent = recent.slice(-windowCallsMax) // Half of them at once: to take one from the front moves all others.
  }
  const isFailing = () => {
    const from = now() - windowMs
    recent = recent.slice(-windowCallsMax).filter(({ at }) => at > from)
    const failed = recent.filter(({ isGood }) => !isGood).length
    return inARow >= inARowMax || (recent.length >= windowCallsMin && failed >= recent.length * failedShareMax)
  }
  return {
    waitMs() {
      if (!isOpen()) return 0
      const left = openUntil - now()
      return left > 0 ? left : probes > 0 ? openMsMin : 0
    },
    begin() {
      if (isOpen()) probes++
    },
    succeeded() {
      inARow = 0
      probes = 0
      if (isOpen()) recent = []
      openMs = 0
      remember(true)
    },
    failed() {
      inARow++
      remember(false)
      probes = Math.max(0, probes - 1)
      // A call that began before the target was given up says nothing new.
      if (isOpen() && openUntil > now()) return
      if (!isOpen() && !isFailing()) return
      openMs = Math.min(openMsMax, isOpen() ? openMs * 2 : openMsMin)
      openUntil = now() + openMs
    },
    ended() {
      probes = Math.max(0, probes - 1)
    },
  }
}

export type RetryBudget = {
  /** A call came. */
  earn(): void
  /** Takes one more attempt, if there is one left. */
  spend(): boolean
}

const attemptsPerCall = 0.2
const reserveMax = 10

/** Attempts may be at most 1.2 times the calls, and ten more: in an outage repeats would be most of the load, and the last thing that helps. */
export function openRetryBudget(): RetryBudget {
  let left = reserveMax
  return {
    earn: () => void (left = Math.min(reserveMax, left + attemptsPerCall)),
    spend() {
      if (left < 1) return false
      left--
      return true
    },
  }
}

export type Health = { breakerOf(model: string): Breaker; budgetOf(name: string): RetryBudget }

/** Names come from callers: what was used longest ago is forgotten. */
const namesMax = 1_000

export function openHealth(now: () => number = monotonicMs): Health {
  return { breakerOf: remembered(() => openBreaker(now)), budgetOf: remembered(openRetryBudget) }
}

function remembered<Value>(make: () => Value): (name: string) => Value {
  const known = new Map<string, Value>()
  return (name) => {
    const found = known.get(name)
    if (found && known.size <= namesMax / 2) return found // As long as there is room, nobody counts who was last.
    const value = found ?? make()
    known.delete(name) // And back at the end.
    known.set(name, value)
    if (known.size > namesMax) for (const oldest of known.keys().take(1)) known.delete(oldest)
    return value
  }
}
