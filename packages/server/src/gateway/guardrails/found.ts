/** What was found in a text, without overlaps: what was found first counts. */

export type Found = { kind: string; start: number; end: number }

export type Finds = {
  /** Costs as much as it is long. */
  add(one: Found): void
  /** In order. */
  all(): Found[]
}

export function openFinds({ length }: string): Finds {
  const taken = new Uint8Array(length)
  const found: Found[] = []
  return {
    add(one) {
      if (taken.subarray(one.start, one.end).includes(1)) return
      taken.fill(1, one.start, one.end)
      found.push(one)
    },
    all: () => found.toSorted((a, b) => a.start - b.start),
  }
}
