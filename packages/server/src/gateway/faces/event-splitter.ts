/** Cuts a stream of server-sent events into its events, without changing a byte: what comes out, joined, is what went in. */

export type EventSplitter = {
  /** The events that are complete now, each with the blank line that ends it. */
  push(chunk: Buffer): Buffer[]
  /** What came after the last blank line. */
  rest(): Buffer
}

const newline = 10
const carriageReturn = 13
/** A blank line may be cut anywhere: so much of what came before is looked at again. */
const overlap = 3

export function splitEvents(): EventSplitter {
  /** An event that is not complete. A list, because joining it anew with every piece would take time with the square of its size. */
  let held: Buffer[] = []
  return {
    push(chunk) {
      const before = edgeOf(held)
      const seen = before.length > 0 ? Buffer.concat([before, chunk]) : chunk
      const ends = endsOf(seen).map((end) => end - before.length)
      const events: Buffer[] = []
      let from = 0
      for (const end of ends) {
        if (end <= 0) continue
        const piece = chunk.subarray(from, end)
        events.push(held.length > 0 ? Buffer.concat([...held, piece]) : piece)
        held = []
        from = end
      }
      if (from < chunk.length) held.push(chunk.subarray(from))
      return events
    },
    rest: () => Buffer.concat(held),
  }
}

function edgeOf(held: readonly Buffer[]): Buffer {
  const last = held.at(-1)
  if (!last) return Buffer.alloc(0)
  return last.length >= overlap ? last.subarray(-overlap) : Buffer.concat(held.slice(-overlap)).subarray(-overlap)
}

/** The places behind each blank line. Lines end with \n, \r\n or \r. */
function endsOf(bytes: Buffer): number[] {
  const ends: number[] = []
  if (!bytes.includes(carriageReturn)) {
    for (let at = bytes.indexOf('\n\n'); at !== -1; at = bytes.indexOf('\n\n', at + 2)) ends.push(at + 2)
    return ends
  }
  let isLineEmpty = false // Not at the beginning: an event does not begin with its own end.
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte !== newline && byte !== carriageReturn) {
      isLineEmpty = false
      continue
    }
    if (byte === carriageReturn && bytes[at + 1] === newline) at++
    if (isLineEmpty) ends.push(at + 1)
    isLineEmpty = !isLineEmpty
  }
  return ends
}

/** The event's data, its lines joined; empty for comments. A byte order mark is not part of it. */
export function dataOf(event: Buffer): string {
  return event
    .toString('utf8')
    .split(/\r\n|\n|\r/)
    .flatMap((line) => /^\ufeff?data:(?: )?(.*)$/.exec(line)?.[1] ?? [])
    .join('\n')
}
