import { ApiError, isPassing } from './api-error.ts'

export type Backoff = { delayMsMin: number; delayMsMax: number }
export const defaultBackoff: Backoff = { delayMsMin: 100, delayMsMax: 2_000 }

/** The n-th failure in a row (from 1) waits twice as long as the one before, times a random 0.5 to 1 so that clients do not come back in step. */
export function delayMsAfter(failures: number, { delayMsMin, delayMsMax }: Backoff, error?: ApiError): number {
  const ownMs = Math.min(delayMsMax, delayMsMin * 2 ** Math.min(failures - 1, 30)) * (0.5 + Math.random() / 2)
  return Math.max(ownMs, error?.retryAfterMs ?? 0)
}

/** Waits, or throws the signal's reason as soon as it is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const timer = setTimeout(() => (signal?.removeEventListener('abort', cut), resolve()), ms)
    const cut = () => (clearTimeout(timer), reject(signal?.reason))
    signal?.addEventListener('abort', cut, { once: true })
  })
}

export type KeepTrying = { giveUpAfterMs: number; signal?: AbortSignal; backoff?: Backoff; onRetry?(error: ApiError, delayMs: number): void }

/**
 * Repeats a request until it is answered, however often the connection fails or the server says "not now".
 * Only for what may be repeated: reads, and writes with an idempotency key.
 */
export async function keepTrying<Result>(
  work: () => Promise<Result>,
  { giveUpAfterMs, signal, backoff = defaultBackoff, onRetry }: KeepTrying,
): Promise<Result> {
  const startedAt = performance.now()
  for (let failures = 1; ; failures++) {
    try {
      signal?.throwIfAborted()
      return await work()
    } catch (error) {
      if (!(error instanceof ApiError) || !isPassing(error)) throw error
      const delayMs = delayMsAfter(failures, backoff, error)
      if (performance.now() - startedAt + delayMs > giveUpAfterMs) throw error
      onRetry?.(error, delayMs)
      await pause(delayMs, signal)
    }
  }
}
