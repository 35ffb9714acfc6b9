/** A client's side of a call that also keeps what the client is sent. */
import type { Client } from '../faces/client.ts'

export type Recording = {
  client: Client
  /** What was sent; undefined when it was none, no good, or too much. */
  taken(): { headers: Record<string, string>; body: Buffer } | undefined
}

const bodyBytesMax = 1024 * 1024
/** They belong to one call, not to its answer. */
const ownHeaders = ['content-length', 'x-request-id', 'x-longhaul-attempts', 'x-longhaul-model', 'x-longhaul-cache']

export function record(client: Client): Recording {
  let headers: Record<string, string> | undefined
  let isEnded = false
  let length = 0
  let pieces: Buffer[] = []
  const note = (bytes: Buffer | string | undefined) => {
    if (bytes === undefined || length > bodyBytesMax) return
    const piece = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
    length += piece.length
    pieces.push(piece)
    if (length > bodyBytesMax) pieces = []
  }
  return {
    client: {
      signal: client.signal,
      hasBegun: client.hasBegun,
      drained: client.drained,
      begin(status, all) {
        if (status === 200)
          headers = Object.fromEntries(
            Object.entries(all)
              .filter(([name]) => !ownHeaders.includes(name))
              .map(([name, value]) => [name, String(value)]),
          )
        client.begin(status, { ...all, 'x-longhaul-cache': 'miss' })
      },
      write(bytes) {
        note(bytes)
        return client.write(bytes)
      },
      end(bytes) {
        note(bytes)
        isEnded = true
        client.end(bytes)
      },
    },
    taken: () => (headers && isEnded && length <= bodyBytesMax ? { headers, body: Buffer.concat(pieces) } : undefined),
  }
}
