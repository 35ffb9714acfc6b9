/**
 * Randomness that is the same on every machine. Each company draws from a stream of its own, so that a change in how one thing is drawn does not
 * shuffle everything else. Only arithmetic whose result IEEE 754 fixes to the last bit is used: no logarithm, no power, no cosine.
 */
export type Random = {
  /** From 0 to 1, without 1. */
  next(): number
  between(low: number, high: number): number
  integer(low: number, high: number): number
  chance(probability: number): boolean
  pick<Item>(items: readonly Item[]): Item
  /** Picks a key in proportion to its weight. */
  weighted<Key extends string>(weights: Readonly<Partial<Record<Key, number>>>): Key
  /** Bell-shaped around 0 with a standard deviation of 1, never beyond ±3.5. */
  bell(): number
  /** A whole number that is `mean` on average. */
  around(mean: number): number
}

export function randomStream(seed: string): Random {
  const next = generator(seed)
  const between = (low: number, high: number) => low + next() * (high - low)
  return {
    next,
    between,
    integer: (low, high) => Math.floor(between(low, high + 1)),
    chance: (probability) => next() < probability,
    pick(items) {
      const item = items[Math.floor(next() * items.length)]
      if (item === undefined) throw new Error('Nothing to pick from.')
      return item
    },
    weighted(weights) {
      const entries = Object.entries(weights) as [keyof typeof weights & string, number][] // The keys of a record are its keys.
      let left = next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [key, weight] of entries) if ((left -= weight) < 0) return key
      throw new Error('Nothing has a weight.')
    },
    // Four uniform draws have a variance of a third between them.
    bell: () => (next() + next() + next() + next() - 2) * Math.sqrt(3),
    around(mean) {
      const whole = Math.floor(mean)
      return whole + (next() < mean - whole ? 1 : 0)
    },
  }
}

/** The generator sfc32, its state filled from the seed's text. */
function generator(seed: string): () => number {
  let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 1]
  function draw(): number {
    const result = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + result) | 0
    return (result >>> 0) / 4_294_967_296
  }
  for (const character of seed) {
    a = Math.imul(a ^ (character.codePointAt(0) ?? 0), 0x01000193)
    draw()
  }
  for (let round = 0; round < 12; round++) draw()
  return draw
}
