/** A client of 2025-11-25 or older, with a program of its own for the length of its session. */
import {
  type EventStore,
  type JSONRPCMessage,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type RequestId,
  WebStandardStreamableHTTPServerTransport,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResponse,
} from '@modelcontextprotocol/server'
import { type Pipe, type PipeOptions, openPipe } from './pipe.ts'

export type Session = {
  pipe: Pipe
  /** `body`: what the request holds, read and parsed already. */
  handle(request: Request, body: unknown): Promise<Response>
  end(): Promise<void>
}
export type SessionOptions = Omit<PipeOptions, 'onSaid' | 'onEnd'> & {
  id: string
  /** Its client has ended it, or its program has. */
  onEnd(): void
}

/** What a client that was cut off can fetch again. */
const keptMessagesMax = 100
const keptBytesMax = 4_000_000

export function openSession({ id, onEnd, ...options }: SessionOptions): Session {
  const { program } = options
  const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: () => id, eventStore: keepSome() })
  let hasEnded = false
  const pipe = openPipe({ ...options, onSaid: (message) => pass(message, streamFor(message, pipe.waiting)), onEnd: () => void end() })

  /** Whoever has gone away meanwhile fetches it again, or does without. */
  function pass(message: JSONRPCMessage, relatedRequestId?: RequestId): void {
    void transport.send(message, relatedRequestId === undefined ? {} : { relatedRequestId }).catch(() => {})
  }

  async function end(): Promise<void> {
    if (hasEnded) return
    hasEnded = true
    onEnd()
    await program.close()
    await transport.close()
  }

  /* oxlint-disable unicorn/prefer-add-event-listener -- It is no event target: this is the library's only way. */
  transport.onmessage = (message) => {
    if (isJSONRPCRequest(message)) void pipe.ask(message).then((answer) => (answer ? pass(answer) : transport.closeSSEStream(message.id)))
    else if (isJSONRPCNotification(message)) pipe.tell(message)
    else if (isJSONRPCResponse(message)) pipe.answer(message)
  }
  transport.onclose = () => void end()
  /* oxlint-enable unicorn/prefer-add-event-listener */
  return { pipe, handle: (request, body) => transport.handleRequest(request, body === undefined ? {} : { parsedBody: body }), end }
}

/**
 * To which request it belongs that is under way. Over a program's output that is only known of progress; for the rest it is the request that
 * came last, which is right whenever there is one at a time. Undefined: it goes to whoever listens to the session as a whole.
 */
export function streamFor(message: JSONRPCRequest | JSONRPCNotification, waiting: ReadonlyMap<RequestId, JSONRPCRequest>): RequestId | undefined {
  if (message.method === 'notifications/progress') return waitingFor(waiting, message.params?.['progressToken'])
  return /^notifications\/(.+\/list_changed|resources\/updated)$/.test(message.method) ? undefined : [...waiting.keys()].at(-1)
}

const waitingFor = (waiting: ReadonlyMap<RequestId, JSONRPCRequest>, token: unknown): RequestId | undefined =>
  [...waiting].find(([, { params }]) => token !== undefined && params?._meta?.progressToken === token)?.[0]

/** The last messages of a session, for a client that comes back after its connection broke. */
function keepSome(): EventStore {
  const kept = new Map<string, { streamId: string; message: JSONRPCMessage; bytes: number }>()
  let count = 0
  let bytes = 0
  return {
    async storeEvent(streamId, message) {
      const eventId = `${streamId}_${++count}`
      const size = JSON.stringify(message).length
      kept.set(eventId, { streamId, message, bytes: size })
      bytes += size
      for (const [oldest, { bytes: its }] of kept) {
        if (kept.size <= keptMessagesMax && bytes <= keptBytesMax) break
        kept.delete(oldest)
        bytes -= its
      }
      return eventId
    },
    async getStreamIdForEventId(eventId) {
      return kept.get(eventId)?.streamId
    },
    async replayEventsAfter(lastEventId, { send }) {
      const streamId = kept.get(lastEventId)?.streamId ?? ''
      let isAfter = false
      for (const [eventId, each] of [...kept]) {
        if (isAfter && each.streamId === streamId && Object.keys(each.message).length > 0) await send(eventId, each.message)
        isAfter ||= eventId === lastEventId
      }
      return streamId
    },
  }
}
