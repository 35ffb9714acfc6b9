import { failure } from './failures.ts'

/** Lets `max` holders in at once, the others in the order in which they came. */
export type Turns = {
  /** Resolves with the function that gives the turn back. Rejects when `signal` aborts first. */
  take(signal: AbortSignal): Promise<() => void>
}

export function createTurns(max: number): Turns {
  let free = max
  const waiting = new Set<() => void>()
  const giveBack = () => {
    const [next] = waiting
    if (next) next()
    else free++
  }
  const once = () => {
    let isGiven = false
    return () => {
      if (!isGiven) giveBack()
      isGiven = true
    }
  }
  return {
    async take(signal) {
      if (signal.aborted) throw failure('cancelled', 'The command was cancelled before it began.')
      if (free > 0) {
        free--
        return once()
      }
      return new Promise((resolve, reject) => {
        const leave = () => {
          waiting.delete(enter)
          signal.removeEventListener('abort', abort)
        }
        const enter = () => {
          leave()
          resolve(once())
        }
        const abort = () => {
          leave()
          reject(failure('cancelled', 'The command was cancelled before it began.'))
        }
        waiting.add(enter)
        signal.addEventListener('abort', abort)
      })
    },
  }
}
