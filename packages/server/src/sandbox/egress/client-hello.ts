/** The first message of TLS, as far as it says whom it is for. */

/** More than any client sends; what is longer is not waited for. */
export const helloBytesMax = 32 * 1024

export type Hello = { is: 'incomplete' } | { is: 'hello'; serverName: string | undefined } | { is: 'other' }

/** Reads the server name (RFC 6066) out of the bytes that have come so far. */
export function readHello(bytes: Buffer): Hello {
  if (bytes.length > 0 && bytes[0] !== 22) return { is: 'other' }
  const parts: Buffer[] = []
  let at = 0
  let hasWhole = false
  // The message may be spread over several records.
  while (at + 5 <= bytes.length) {
    const length = bytes.readUInt16BE(at + 3)
    if (bytes[at] !== 22 || bytes[at + 1] !== 3 || length === 0 || length > 16_384) return { is: 'other' }
    parts.push(bytes.subarray(at + 5, Math.min(at + 5 + length, bytes.length)))
    at += 5 + length
    const message = Buffer.concat(parts)
    hasWhole = message.length >= 4 && message.length >= 4 + message.readUIntBE(1, 3)
    if (hasWhole) break
  }
  const message = Buffer.concat(parts)
  if (message.length > 0 && message[0] !== 1) return { is: 'other' }
  if (!hasWhole) return bytes.length > helloBytesMax ? { is: 'other' } : { is: 'incomplete' }
  try {
    return { is: 'hello', serverName: serverNameOf(message.subarray(4, 4 + message.readUIntBE(1, 3))) }
  } catch {
    return { is: 'other' } // A length that points outside.
  }
}

function serverNameOf(hello: Buffer): string | undefined {
  let at = 34 // Version and random.
  at += 1 + hello.readUInt8(at) // Session.
  at += 2 + hello.readUInt16BE(at) // Ciphers.
  at += 1 + hello.readUInt8(at) // Compressions.
  if (at === hello.length) return undefined
  const end = at + 2 + hello.readUInt16BE(at)
  at += 2
  while (at < end) {
    const [type, length] = [hello.readUInt16BE(at), hello.readUInt16BE(at + 2)]
    const body = hello.subarray(at + 4, at + 4 + length)
    if (body.length !== length) throw new RangeError('cut off')
    if (type === 0) return body.readUInt8(2) === 0 ? body.subarray(5, 5 + body.readUInt16BE(3)).toString('latin1') : undefined
    at += 4 + length
  }
  return undefined
}
