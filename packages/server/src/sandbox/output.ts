import { StringDecoder } from 'node:string_decoder'

/** Collects what one command wrote to one stream, up to a limit, and passes it on as it comes. */
export type Output = {
  push(bytes: Uint8Array): void
  /** The whole text, if it is kept, ended: a character that was cut off at the end shows as U+FFFD. */
  end(): string
  readonly isTruncated: boolean
  /** Everything that arrived, kept or not. */
  readonly bytesSeen: number
}

export function collectOutput(bytesMax: number, onText?: (text: string) => void, isKept = true): Output {
  const decoder = new StringDecoder('utf8')
  const parts: string[] = []
  let bytesSeen = 0
  let isEnded = false
  const keep = (text: string) => {
    if (text === '') return
    const clean = storable(text)
    if (isKept) parts.push(clean)
    onText?.(clean)
  }
  return {
    get isTruncated() {
      return bytesSeen > bytesMax
    },
    get bytesSeen() {
      return bytesSeen
    },
    push(bytes) {
      if (isEnded) return
      const room = Math.max(0, bytesMax - bytesSeen)
      bytesSeen += bytes.length
      if (room > 0) keep(decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(room, bytes.length))))
    },
    end() {
      if (!isEnded) {
        isEnded = true
        keep(decoder.end())
      }
      return parts.join('')
    },
  }
}

/** The journal holds neither U+0000 nor half of a surrogate pair. */
export function storable(text: string): string {
  const clean = text.toWellFormed()
  // Whole runs at once: a program that writes nothing but zeros is not to cost more than one that writes text.
  return clean.includes('\0') ? clean.replace(/\0+/g, (run) => '\ufffd'.repeat(run.length)) : clean
}
