/** The worker's side of the WebSocket: frames in batches out, frames one by one in. */
import { type ServerFrame, messageBytesMax } from '@longhaul/protocol/agent'
import { WebSocket } from 'ws'

/** A message ends once it holds this much; a frame that is larger goes alone. */
const batchLengthMax = 4 * 1024 * 1024

export type Connection = {
  /** Queues a frame. Everything that one turn of the event loop queues goes as one message. */
  send(frame: string): void
  /** Resolves once everything queued has been handed to the system, or after `ms`. */
  flush(ms: number): Promise<void>
  close(): void
}

export type ConnectionOptions = { url: string; token: string; onOpen(): void; onFrame(frame: ServerFrame): void; onClose(reason: string): void }

export function connect({ url, token, onOpen, onFrame, onClose }: ConnectionOptions): Connection {
  const socket = new WebSocket(url, {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
    maxPayload: 4 * messageBytesMax,
    handshakeTimeout: 10_000,
  })
  let queue: string[] = []
  let isFlushDue = false
  let failure = ''

  const flushNow = () => {
    isFlushDue = false
    const frames = queue
    queue = []
    if (socket.readyState !== WebSocket.OPEN) return
    for (const message of batches(frames)) socket.send(message)
  }

  socket.on('open', onOpen)
  socket.on('message', (data) => {
    try {
      // The server is trusted, and its frames are many: they are not checked one by one.
      for (const frame of JSON.parse(String(data)) as ServerFrame[]) onFrame(frame)
    } catch (error) {
      // Whatever was lost with the rest of the message, the server hands its runs to a worker that starts afresh.
      failure = `a message could not be handled: ${error instanceof Error ? error.stack : String(error)}`
      socket.terminate()
    }
  })
  socket.on('error', (error) => (failure = error.message))
  socket.on('unexpected-response', (_, response) => {
    failure = `the server answered ${response.statusCode} ${response.statusMessage}`
    socket.terminate()
  })
  socket.on('close', (code, reason) => onClose(failure || `closed with ${code}${reason.length > 0 ? ` (${reason})` : ''}`))

  return {
    send(frame) {
      queue.push(frame)
      if (isFlushDue) return
      isFlushDue = true
      setImmediate(flushNow)
    },
    async flush(ms) {
      flushNow()
      const until = performance.now() + ms
      while (socket.readyState === WebSocket.OPEN && socket.bufferedAmount > 0 && performance.now() < until)
        await new Promise((resolve) => setTimeout(resolve, 5))
    },
    close: () => socket.close(),
  }
}

/** JSON arrays of the frames in their order, none longer than the limit unless one frame is. */
export function batches(frames: readonly string[], lengthMax = batchLengthMax): string[] {
  const messages: string[] = []
  let start = 0
  let length = 0
  for (let i = 0; i < frames.length; i++) {
    const more = frames[i]?.length ?? 0
    if (i > start && length + more > lengthMax) {
      messages.push(`[${frames.slice(start, i).join(',')}]`)
      start = i
      length = 0
    }
    length += more + 1
  }
  if (start < frames.length) messages.push(`[${frames.slice(start).join(',')}]`)
  return messages
}
