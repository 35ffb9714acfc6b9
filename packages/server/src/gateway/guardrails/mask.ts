/** What stands in a request instead of what was found, and puts it back into the answer. One for each call; nothing of it is kept. */

export type Mask = {
  /** The same for the same. */
  hide(kind: string, original: string): string
  isEmpty(): boolean
  /** The originals in the place of what hides them. */
  restore(text: string): string
  /** How much of the end may be the beginning of such a place. */
  openEnd(text: string): number
}

const labels: Readonly<Record<string, string>> = { email: 'EMAIL', phone: 'PHONE', card: 'CARD', iban: 'IBAN', 'national-id': 'ID' }
const place = /\[(?:EMAIL|PHONE|CARD|IBAN|ID)_\d{1,6}\]/g

/** `taken`: the text of the request: what stands in it already, nobody gets to mean something else. */
export function openMask(taken: string): Mask {
  const places = new Map<string, string>()
  const originals = new Map<string, string>()
  const used = new Set(taken.match(place))
  const counts = new Map<string, number>()

  function fresh(label: string): string {
    let name: string
    do {
      const count = (counts.get(label) ?? 0) + 1
      counts.set(label, count)
      name = `[${label}_${count}]`
    } while (used.has(name))
    return name
  }

  return {
    hide(kind, original) {
      const label = labels[kind]
      if (label === undefined) return kind === 'word' ? '[REMOVED]' : '[SECRET]'
      const known = places.get(`${kind} ${original}`)
      if (known) return known
      const name = fresh(label)
      places.set(`${kind} ${original}`, name)
      originals.set(name, original)
      return name
    },
    isEmpty: () => originals.size === 0,
    restore: (text) => (originals.size === 0 || !text.includes('[') ? text : text.replaceAll(place, (name) => originals.get(name) ?? name)),
    openEnd(text) {
      const at = text.lastIndexOf('[')
      if (at === -1) return 0
      const end = text.slice(at)
      for (const name of originals.keys()) if (name.length > end.length && name.startsWith(end)) return end.length
      return 0
    },
  }
}
