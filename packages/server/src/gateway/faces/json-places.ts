/** Where the fields of a JSON object stand in its bytes, so that one can be changed and everything else goes on as it came. */

export type Place = { key: string; start: number; end: number }

/** The top-level fields, and the deepest nesting. */
export type Outline = { places: Place[]; depth: number }

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a
const isSpace = (code: number) => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
const isOpener = (code: number) => code === 0x7b || code === 0x5b
const isCloser = (code: number) => code === 0x7d || code === 0x5d

/**
 * Of a text that `JSON.parse` has accepted as an object, in latin1: so a place in it is the place in the bytes, and no byte of a longer character can be taken for
 * one of JSON's own. One walk, whatever the nesting; texts are leapt over.
 */
export function outlineOf(raw: string): Outline {
  const places: Place[] = []
  let depth = 0
  let deepest = 0
  let key: string | undefined
  let start = 0
  for (let at = 0; at < raw.length; at++) {
    const code = raw.charCodeAt(at)
    if (code === quote) {
      const end = endOfString(raw, at)
      if (depth === 1 && key === undefined) key = keyOf(raw.slice(at, end))
      at = end - 1
    } else if (isOpener(code)) {
      if (++depth > deepest) deepest = depth
    } else if (depth === 1 && (code === comma || isCloser(code))) {
      if (key !== undefined) places.push({ key, start, end: endBefore(raw, at) })
      key = undefined
      if (code !== comma) depth--
    } else if (isCloser(code)) depth--
    else if (depth === 1 && code === colon) start = startBehind(raw, at + 1)
  }
  return { places, depth: deepest }
}

/** The same bytes with other values at some places, and new fields at the beginning. Values are JSON. */
export function patch(bytes: Buffer, places: readonly Place[], changes: Readonly<Record<string, string>>): Buffer {
  const missing = new Map(Object.entries(changes))
  const edits: Buffer[] = []
  let from = bytes.indexOf(0x7b) + 1
  const head = bytes.subarray(0, from)
  for (const { key, start, end } of places) {
    const value = missing.get(key)
    if (value === undefined) continue
    missing.delete(key)
    edits.push(bytes.subarray(from, start), Buffer.from(value))
    from = end
  }
  edits.push(bytes.subarray(from))
  const added = [...missing].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')
  return Buffer.concat(added === '' ? [head, ...edits] : [head, Buffer.from(added + (places.length > 0 ? ',' : '')), ...edits])
}

function keyOf(quoted: string): string {
  if (/^"[\w-]*"$/.test(quoted)) return quoted.slice(1, -1)
  return JSON.parse(Buffer.from(quoted, 'latin1').toString('utf8')) as string // A quoted text.
}

function startBehind(raw: string, from: number): number {
  let at = from
  while (isSpace(raw.charCodeAt(at))) at++
  return at
}

function endBefore(raw: string, from: number): number {
  let at = from
  while (isSpace(raw.charCodeAt(at - 1))) at--
  return at
}

/** Behind the closing quote of the text that begins at `from`. */
function endOfString(raw: string, from: number): number {
  for (let at = raw.indexOf('"', from + 1); at !== -1; at = raw.indexOf('"', at + 1)) {
    let slashes = 0
    while (raw.charCodeAt(at - 1 - slashes) === backslash) slashes++
    if (slashes % 2 === 0) return at + 1
  }
  return raw.length
}
