/** Several keys of one provider, used in turn. A key that was refused rests, and the others go on. */
import { monotonicMs } from '../kernel/index.ts'

export type KeyRing = {
  /** The next key that does not rest. Undefined while all of them do. A provider without keys has one that is empty. */
  next(model: string): string | undefined
  /** Leaves the key out for so long: for one model, because providers limit each apart, or for all. */
  rest(key: string, ms: number, model?: string): void
  /** How long until a key can be used for the model again; 0 when one can be used now. */
  restingMs(model: string): number
  readonly count: number
}

export function openKeyRing(keys: readonly string[], now: () => number = monotonicMs): KeyRing {
  const ring = keys.length > 0 ? keys : ['']
  /** When the rest of a key ends, by key and model; without model for all. */
  const rests = new Map<string, number>()
  const placeOf = (key: string, model = '') => `${key} ${model}`
  const restsUntil = (key: string, model: string) => Math.max(rests.get(placeOf(key)) ?? 0, rests.get(placeOf(key, model)) ?? 0)
  let turn = 0
  return {
    count: ring.length,
    next(model) {
      const areAllFree = rests.size === 0
      const at = now()
      for (let i = 0; i < ring.length; i++) {
        const key = ring[(turn + i) % ring.length]! // Within the ring.
        if (!areAllFree && restsUntil(key, model) > at) continue
        turn = (turn + i + 1) % ring.length
        return key
      }
      return undefined
    },
    rest(key, ms, model) {
      const at = now()
      for (const [place, until] of rests) if (until <= at) rests.delete(place)
      const place = placeOf(key, model)
      rests.set(place, Math.max(rests.get(place) ?? 0, at + ms))
    },
    restingMs: (model) => Math.max(0, Math.min(...ring.map((key) => restsUntil(key, model))) - now()),
  }
}
