/** Where the fields of a JSON object stand in its bytes, so that one can be changed and everything else goes on as it came. */

export type Place = { key: string; keyStart: number; start: number; end: number }

const quote = 0x22
const backslash = 0x5c
const openers = new Set([0x7b, 0x5b])
const closers = new Set([0x7d, 0x5d])
const isSpace = (byte: number | undefined) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

/** The top-level fields of `bytes`, which `JSON.parse` has accepted as an object. Deep nesting costs no stack. */
export function placesOf(bytes: Buffer): Place[] {
  const places: Place[] = []
  let at = skipSpace(bytes, 0) + 1 // Behind the brace.
  for (;;) {
    at = skipSpace(bytes, at)
    if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1)
    if (bytes[at] !== quote) return places
    const keyStart = at
    at = endOfString(bytes, at)
    const key = JSON.parse(bytes.toString('utf8', keyStart, at)) as string // A quoted text.
    const start = skipSpace(bytes, skipSpace(bytes, at) + 1)
    at = endOfValue(bytes, start)
    places.push({ key, keyStart, start, end: at })
  }
}

/** The deepest nesting. */
export function depthOf(bytes: Buffer): number {
  let depth = 0
  let deepest = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]! // Within bounds.
    if (byte === quote) at = endOfString(bytes, at) - 1
    else if (openers.has(byte)) deepest = Math.max(deepest, ++depth)
    else if (closers.has(byte)) depth--
  }
  return deepest
}

/** The same bytes with other values at some places, and new fields at the beginning. Values are JSON. */
export function patch(bytes: Buffer, places: readonly Place[], changes: Readonly<Record<string, string>>): Buffer {
  const pieces: (Buffer | string)[] = []
  const known = new Set(places.map(({ key }) => key))
  const added = Object.entries(changes).filter(([key]) => !known.has(key))
  let from = skipSpace(bytes, 0) + 1
  pieces.push(
    bytes.subarray(0, from),
    added.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',') + (added.length > 0 && places.length > 0 ? ',' : ''),
  )
  for (const { key, start, end } of places) {
    const value = Object.hasOwn(changes, key) ? changes[key] : undefined
    if (value === undefined) continue
    pieces.push(bytes.subarray(from, start), value)
    from = end
  }
  pieces.push(bytes.subarray(from))
  return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)))
}

function skipSpace(bytes: Buffer, from: number): number {
  let at = from
  while (isSpace(bytes[at])) at++
  return at
}

/** Behind the closing quote of the text that begins at `from`. */
function endOfString(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(quote, from + 1); at !== -1; at = bytes.indexOf(quote, at + 1)) {
    let slashes = 0
    while (bytes[at - 1 - slashes] === backslash) slashes++
    if (slashes % 2 === 0) return at + 1
  }
  return bytes.length
}

function endOfValue(bytes: Buffer, from: number): number {
  if (bytes[from] === quote) return endOfString(bytes, from)
  let depth = 0
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at]! // Within bounds.
    if (byte === quote) at = endOfString(bytes, at) - 1
    else if (openers.has(byte)) depth++
    else if (closers.has(byte)) {
      if (depth === 0) return at
      if (--depth === 0) return at + 1
    } else if (depth === 0 && (byte === 0x2c || isSpace(byte))) return at
  }
  return bytes.length
}
