/** Who a secret belongs to, remembered for a moment. What was read before a revocation does not come back after it. */
import { monotonicMs } from '../kernel/index.ts'
import type { Caller } from './keys.ts'

/** How long another server's revocation may go unnoticed. */
export const cacheMs = 1_000
const cachedMax = 10_000

/** `keepMs`: it may be remembered for no longer than that; above `cacheMs` it is for `cacheMs`. */
export type Found<Of extends Caller> = { caller: Of; keepMs: number }
export type CallerCache<Of extends Caller> = {
  /** `hash`: of the secret, so that no secret stays in memory. Those who ask for the same at once share one look. */
  find(hash: Buffer, lookUp: () => Promise<Found<Of> | undefined>): Promise<Of | undefined>
  /** To be called after the commit of whatever changes them. */
  forget(is: (caller: Of) => boolean): void
}

export function openCallerCache<Of extends Caller>(): CallerCache<Of> {
  /** The one used longest ago first. */
  const cache = new Map<string, { caller: Of; until: number }>()
  const lookups = new Map<string, Promise<Of | undefined>>()
  let revocations = 0

  async function ask(name: string, lookUp: () => Promise<Found<Of> | undefined>): Promise<Of | undefined> {
    const revocationsBefore = revocations
    const from = monotonicMs()
    const found = await lookUp()
    if (found && revocations === revocationsBefore) {
      if (cache.size >= cachedMax) for (const [oldest] of cache.entries().take(1)) cache.delete(oldest)
      cache.set(name, { caller: found.caller, until: from + Math.min(cacheMs, found.keepMs) })
    }
    return found?.caller
  }

  return {
    async find(hash, lookUp) {
      const name = hash.toString('base64')
      const cached = cache.get(name)
      if (cached) cache.delete(name) // And back at the end, as the one used last.
      if (cached && cached.until > monotonicMs()) {
        cache.set(name, cached)
        return cached.caller
      }
      const known = lookups.get(name)
      if (known) return known
      const running = ask(name, lookUp).finally(() => lookups.get(name) === running && lookups.delete(name))
      lookups.set(name, running)
      return running
    },
    forget(is) {
      revocations++
      for (const [name, { caller }] of cache) if (is(caller)) cache.delete(name)
      lookups.clear() // Whoever asks from now on reads anew.
    },
  }
}
