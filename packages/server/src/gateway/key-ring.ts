/** Several keys of one provider, used in turn. A key that was refused rests, and the others go on. */
import { monotonicMs } from '../kernel/index.ts'

export type KeyRing = {
  /** The next key that does not rest. Undefined while all of them do. A provider without keys has one that is empty. */
  next(): string | undefined
  /** Leaves the key out for so long. */
  rest(key: string, ms: number): void
  /** How long until a key can be used again; 0 when one can be used now. */
  restingMs(): number
  readonly count: number
}

export function openKeyRing(keys: readonly string[], now: () => number = monotonicMs): KeyRing {
  const ring = (keys.length > 0 ? keys : ['']).map((key) => ({ key, restsUntil: 0 }))
  let turn = 0
  return {
    count: ring.length,
    next() {
      const at = now()
      for (let i = 0; i < ring.length; i++) {
        const place = ring[(turn + i) % ring.length]! // Within the ring.
        if (place.restsUntil > at) continue
        turn = (turn + i + 1) % ring.length
        return place.key
      }
      return undefined
    },
    rest(key, ms) {
      const place = ring.find((each) => each.key === key)
      if (place) place.restsUntil = Math.max(place.restsUntil, now() + ms)
    },
    restingMs: () => Math.max(0, Math.min(...ring.map(({ restsUntil }) => restsUntil)) - now()),
  }
}
