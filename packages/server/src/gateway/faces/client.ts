/** The caller's side of one call. */
import type { ServerResponse } from 'node:http'
import { type Cancellation, openCancellation } from '../../kernel/index.ts'

export type Client = {
  /** Aborts when the caller leaves before the answer has been sent. */
  signal: Cancellation
  /** Whether anything of an answer has left. From then on nothing else can be said instead. */
  hasBegun(): boolean
  begin(status: number, headers: Record<string, string | number>): void
  /** False when the caller reads slower than we write: wait for `drained` before more is read from upstream. */
  write(bytes: Buffer | string): boolean
  /** Resolves when the caller has taken what was written, or is gone. */
  drained(): Promise<void>
  end(bytes?: Buffer | string): void
}

/** Longer bytes are not worth being copied. */
const textBytesMax = 16 * 1024

export function clientOf(response: ServerResponse): Client {
  const { signal, cancel } = openCancellation()
  let hasBegun = false
  response.on('close', () => {
    if (!response.writableFinished) cancel()
  })
  return {
    signal,
    hasBegun: () => hasBegun,
    begin(status, headers) {
      hasBegun = true
      response.writeHead(status, headers)
    },
    write: (bytes) => response.destroyed || response.write(bytes),
    drained: () =>
      new Promise((resolve) => {
        if (response.destroyed || !response.writableNeedDrain) return resolve()
        const done = () => {
          response.off('drain', done)
          response.off('close', done)
          resolve()
        }
        response.on('drain', done)
        response.on('close', done)
      }),
    end(bytes) {
      if (response.destroyed) return
      // Together with its head as one text: a head and bytes apart cost the system a third more.
      if (Buffer.isBuffer(bytes) && bytes.length <= textBytesMax) response.end(bytes.toString('latin1'), 'latin1')
      else response.end(bytes)
    },
  }
}
