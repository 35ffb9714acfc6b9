import type { Cancellation } from './cancellation.ts'

/** This process's clocks: for time-outs, metrics and logs. Durable facts use the database's clock. */
export const monotonicMs = (): number => performance.now()
/** The machine's monotonic clock: the same for this process and its workers, and it goes on while a process is frozen. */
export function machineMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1_000 + nanoseconds / 1e6
}
export const wallClock = (): Date => new Date()

/** Node fires a longer timer at once. */
const timerMsMax = 2 ** 31 - 1

/** Calls `then` after `ms`, however long that is. Call the result to cancel. Does not keep the process alive when `keepAlive` is false. */
export function after(ms: number, then: () => void, keepAlive = true): () => void {
  let timer: NodeJS.Timeout
  const arm = (left: number) => {
    const part = Math.min(left, timerMsMax)
    timer = setTimeout(() => (left > part ? arm(left - part) : then()), part)
    if (!keepAlive) timer.unref()
  }
  arm(Math.max(0, ms))
  return () => clearTimeout(timer)
}

/** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
export function sleep(ms: number, signal?: Cancellation): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = after(ms, done)
    signal?.addEventListener('abort', done)
  })
}

/** The work's result, or `onTimeout()`'s throw when it takes longer. The work is not stopped: give it a signal for that. */
export async function withTimeout<Result>(ms: number, work: Promise<Result>, onTimeout: () => Error): Promise<Result> {
  let cancel = () => {}
  const timeout = new Promise<never>((_, reject) => (cancel = after(ms, () => reject(onTimeout()))))
  try {
    return await Promise.race([work, timeout])
  } finally {
    cancel()
  }
}
