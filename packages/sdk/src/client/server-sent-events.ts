/** One dispatched event of a stream. `id` is the last one that the stream named, as browsers have it. */
export type ServerSentEvent = { event: string; data: string; id: string }

/** No event may be larger: a stream that never ends its line must not fill the memory. */
export const eventCharsMax = 64 * 1024 * 1024

/**
 * Reads a `text/event-stream` whose bytes may be cut anywhere: inside a character, between CR and LF, inside a field.
 * What was not ended by an empty line is never dispatched, so an event is whole or absent. Each character is looked at once.
 */
export function eventStreamParser(): { push(bytes: Uint8Array): ServerSentEvent[] } {
  const decoder = new TextDecoder() // Drops a byte order mark at the start, even one that arrives in pieces.
  const lineEnd = /[\r\n]/g
  let isAfterCr = false
  let unfinished: string[] = []
  let chars = 0
  let data: string[] = []
  let event = ''
  let id = ''

  function endLine(line: string): ServerSentEvent | undefined {
    if (line === '') {
      const whole = data.length > 0 ? { event: event || 'message', data: data.join('\n'), id } : undefined
      data = []
      event = ''
      chars = 0
      return whole
    }
    const colon = line.indexOf(':')
    if (colon === 0) chars -= line.length // A comment: kept nowhere, so it does not count.
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'data') data.push(value)
    else if (field === 'event') event = value
    else if (field === 'id' && !value.includes('\0')) id = value
    return undefined // `retry` and unknown fields are ignored: how to reconnect is the reader's decision.
  }

  return {
    push(bytes) {
      const text = decoder.decode(bytes, { stream: true })
      const events: ServerSentEvent[] = []
      let start = 0
      if (text && isAfterCr) {
        if (text[0] === '\n') start = 1
        isAfterCr = false
      }
      for (lineEnd.lastIndex = start; ;) {
        const end = lineEnd.exec(text)?.index
        const piece = text.slice(start, end)
        chars += piece.length
        if (chars > eventCharsMax) throw new RangeError(`An event of the stream is larger than ${eventCharsMax} characters.`)
        if (piece) unfinished.push(piece)
        if (end === undefined) return events
        const whole = endLine(unfinished.length === 1 ? (unfinished[0] ?? '') : unfinished.join(''))
        if (whole) events.push(whole)
        unfinished = []
        start = end + 1
        if (text[end] === '\r') {
          if (start === text.length) isAfterCr = true
          else if (text[start] === '\n') start++
        }
        lineEnd.lastIndex = start
      }
    },
  }
}
