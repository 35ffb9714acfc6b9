/**
 * What travels between the server and the agent inside a sandbox:
 *
 *     u32 length of the rest · u8 kind · u32 id · payload        (big endian)
 *
 * What comes from the agent was possibly written by hostile code. So every length is bounded before a byte of it is
 * kept, and nothing is interpreted here: messages are parsed and checked by their reader.
 */
export const kinds = { message: 1, data: 2, errorData: 3, end: 4 } as const
export type Kind = (typeof kinds)[keyof typeof kinds]
export type Frame = { kind: Kind; id: number; payload: Buffer }

const headBytes = 5
/** Of one frame from the agent. It sends at most 64 KiB of data in one. */
export const framePayloadMax = 128 * 1024
/** Of one message from the agent. */
export const messageBytesMax = 16 * 1024

export class FrameError extends Error {
  override readonly name = 'FrameError'
}

export function encodeFrame(kind: Kind, id: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const frame = Buffer.alloc(4 + headBytes + payload.length)
  frame.writeUInt32BE(headBytes + payload.length, 0)
  frame.writeUInt8(kind, 4)
  frame.writeUInt32BE(id, 5)
  frame.set(payload, 4 + headBytes)
  return frame
}

export const encodeMessage = (id: number, message: object): Buffer => encodeFrame(kinds.message, id, Buffer.from(JSON.stringify(message)))

/** Cuts a stream of bytes into frames. Never holds more than one frame; throws at the first byte that cannot be one. */
export function createFrameReader(onFrame: (frame: Frame) => void): { push(bytes: Buffer): void } {
  const head = Buffer.alloc(4 + headBytes)
  let headFilled = 0
  let body: Buffer | undefined
  let bodyFilled = 0
  return {
    push(bytes) {
      let at = 0
      while (at < bytes.length) {
        if (!body) {
          const copied = bytes.copy(head, headFilled, at)
          headFilled += copied
          at += copied
          if (headFilled < head.length) return
          body = Buffer.allocUnsafe(checkedLength(head))
          bodyFilled = 0
        }
        const copied = bytes.copy(body, bodyFilled, at)
        bodyFilled += copied
        at += copied
        if (bodyFilled < body.length) continue
        const frame = { kind: checkedKind(head.readUInt8(4)), id: head.readUInt32BE(5), payload: body }
        body = undefined
        headFilled = 0
        onFrame(frame)
      }
    },
  }
}

function checkedLength(head: Buffer): number {
  const length = head.readUInt32BE(0) - headBytes
  const max = head.readUInt8(4) === kinds.message ? messageBytesMax : framePayloadMax
  if (length < 0 || length > max) throw new FrameError(`A frame of ${length} bytes; ${max} are allowed.`)
  return length
}

function checkedKind(kind: number): Kind {
  for (const known of Object.values(kinds)) if (kind === known) return known
  throw new FrameError(`A frame of the unknown kind ${kind}.`)
}
