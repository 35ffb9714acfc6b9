/** Input of a running command: given by many requests, taken by the command at its own pace. */
import { after } from '../kernel/index.ts'

export type InputQueue = {
  /** Resolves with true once there was room for it, with false when there was none for `waitMs`, or nobody takes any more: it is then left out whole. */
  give(bytes: Uint8Array, waitMs: number): Promise<boolean>
  /** What was given is still taken; nothing more is. */
  end(): void
  /** Nobody takes any more. */
  close(): void
  readonly isOver: boolean
  readonly pieces: AsyncIterable<Uint8Array>
}

export function createInputQueue(bytesMax: number): InputQueue {
  const queue: Uint8Array[] = []
  let bytes = 0
  let isEnded = false
  let isClosed = false
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const each of waiting) each()
    waiting.clear()
  }
  const change = (waitMs?: number) =>
    new Promise<boolean>((resolve) => {
      const cancel = waitMs === undefined ? () => {} : after(waitMs, () => resolve(false), false)
      waiting.add(() => {
        cancel()
        resolve(true)
      })
    })

  async function* take(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = queue.shift()
      if (piece) {
        yield piece
        bytes -= piece.length // Now it was taken.
        wake()
      } else if (isEnded || isClosed) return
      else await change()
    }
  }

  return {
    async give(piece, waitMs) {
      // One that is larger than the room has the room to itself.
      while (bytes > 0 && bytes + piece.length > bytesMax) if (isEnded || isClosed || !(await change(waitMs))) return false
      if (isEnded || isClosed) return false
      queue.push(piece)
      bytes += piece.length
      wake()
      return true
    },
    end() {
      isEnded = true
      wake()
    },
    close() {
      isClosed = true
      queue.length = 0
      wake()
    },
    get isOver() {
      return isEnded || isClosed
    },
    pieces: take(),
  }
}
