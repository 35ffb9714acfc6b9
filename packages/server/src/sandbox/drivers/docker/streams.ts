/**
 * Output of a container without a terminal, as the engine sends it over one connection:
 *
 *     u8 stream (1 stdout, 2 stderr) · 3 zero bytes · u32 length, big endian · that many bytes
 */
import type { Duplex, Writable } from 'node:stream'

const headBytes = 8

/** Takes both streams apart, at the pace of the slower reader. Ends both when the connection ends; one that sends anything else is cut off. */
export function splitStreams(socket: Duplex, first: Buffer, to: { stdout: Writable; stderr: Writable }): void {
  const head = Buffer.alloc(headBytes)
  let headFilled = 0
  let left = 0
  let target = to.stdout

  /** False: a reader has enough for now. */
  function push(bytes: Buffer): boolean {
    let hasRoom = true
    for (let at = 0; at < bytes.length;) {
      if (left === 0) {
        const copied = bytes.copy(head, headFilled, at)
        headFilled += copied
        at += copied
        if (headFilled < headBytes) break
        headFilled = 0
        const stream = head.readUInt8(0)
        if ((stream !== 1 && stream !== 2) || head.readUIntBE(1, 3) !== 0) throw new Error('The engine sent something else than output.')
        target = stream === 1 ? to.stdout : to.stderr
        left = head.readUInt32BE(4)
        continue
      }
      const piece = bytes.subarray(at, at + left)
      at += piece.length
      left -= piece.length
      hasRoom = target.write(piece) && hasRoom
    }
    return hasRoom
  }

  const receive = (bytes: Buffer) => {
    try {
      if (push(bytes)) return
      socket.pause()
      const waiting = [to.stdout, to.stderr].filter(({ writableNeedDrain }) => writableNeedDrain)
      let count = waiting.length
      for (const each of waiting) each.once('drain', () => --count === 0 && socket.resume())
    } catch (error) {
      socket.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  }
  socket.on('error', () => {}) // 'close' follows.
  socket.on('close', () => {
    to.stdout.end()
    to.stderr.end()
  })
  socket.on('end', () => socket.end())
  if (first.length > 0) receive(first)
  socket.on('data', receive)
}
