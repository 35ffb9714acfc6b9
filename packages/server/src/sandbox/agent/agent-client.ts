import { z } from 'zod'
import { createFrameReader, encodeFrame, encodeMessage, type Frame, FrameError, kinds } from './frames.ts'
import type { Launched } from './host.ts'

const Signal = z.string().regex(/^SIG[A-Z0-9+]{1,12}$/)
const AgentMessage = z.discriminatedUnion('event', [
  z.strictObject({ event: z.literal('ready') }),
  /** The command's process is there and waits to be put into its group. */
  z.strictObject({ event: z.literal('waiting'), pid: z.number().int().min(2).max(4_194_304) }),
  z.strictObject({ event: z.literal('started') }),
  /** A process waits for the next command, and to be put into that command's group before. */
  z.strictObject({ event: z.literal('spare'), pid: z.number().int().min(2).max(4_194_304) }),
  /** A piece of input went to the command, or the command takes no more. */
  z.strictObject({ event: z.literal('taken') }),
  /** `isAbsent`: its root, an image, has no such program. */
  z.strictObject({
    event: z.literal('exited'),
    exitCode: z.number().int().min(0).max(255).nullable(),
    signal: Signal.nullable(),
    isAbsent: z.literal(true).optional(),
  }),
  z.strictObject({ event: z.literal('done'), bytes: z.number().int().min(0).optional(), isTruncated: z.boolean().optional() }),
  z.strictObject({ event: z.literal('failed'), code: z.string().max(64), message: z.string().max(1_000) }),
])
export type AgentMessage = z.infer<typeof AgentMessage>

/** What a request's maker does with what comes for it. Throwing a `FrameError` ends the sandbox: our agent would not have sent that. */
export type RequestHandler = {
  message(message: AgentMessage): void
  data(stream: 'data' | 'error', bytes: Buffer): void
  /** The sandbox ended; nothing more will come. */
  lost(): void
}

export type AgentRequest = {
  send(message: object): void
  data(bytes: Uint8Array): void
  end(): void
  /** Whatever still comes for this request is ignored from now on. */
  close(): void
}

export type AgentClient = {
  readonly ready: Promise<void>
  /** Hears of each process that waits for a command to come, by its number inside. */
  onSpare: ((innerPid: number) => void) | undefined
  request(message: object, handler: RequestHandler): AgentRequest
}

/** Requests to an agent and what comes back. `onViolation` hears of the first thing that our agent would never send. */
export function createAgentClient(launched: Launched, onViolation: (error: Error) => void): AgentClient {
  const handlers = new Map<number, RequestHandler>()
  const ready = Promise.withResolvers<void>()
  ready.promise.catch(() => {}) // Whoever waits hears of it; nobody has to wait.
  let lastId = 0
  let isOver = false

  const violate = (error: Error) => {
    if (isOver) return
    isOver = true
    onViolation(error)
  }
  const receive = ({ kind, id, payload }: Frame) => {
    if (isOver) return
    if (id > lastId) throw new FrameError(`A frame for request ${id}, which was never made.`)
    const handler = handlers.get(id)
    if (kind === kinds.message) {
      const message = parseMessage(payload)
      if (id === 0 && message.event === 'ready') return ready.resolve()
      if (id === 0 && message.event === 'spare') return client.onSpare?.(message.pid)
      return handler?.message(message)
    }
    if (kind === kinds.end) throw new FrameError('An end that the agent does not send.')
    handler?.data(kind === kinds.data ? 'data' : 'error', payload)
  }
  const reader = createFrameReader(receive)
  launched.output.on('data', (bytes: Buffer) => {
    if (isOver) return
    try {
      reader.push(bytes)
    } catch (error) {
      violate(error instanceof Error ? error : new Error(String(error)))
    }
  })
  launched.output.on('error', () => {}) // The end of the process follows.
  launched.input.on('error', () => {})
  void launched.exited.then(() => {
    isOver = true
    ready.reject(new Error(launched.complaints() || 'it ended without a word'))
    for (const handler of [...handlers.values()]) handler.lost()
    handlers.clear()
  })

  const client: AgentClient = {
    ready: ready.promise,
    onSpare: undefined,
    request(message, handler) {
      const id = ++lastId
      const write = (bytes: Buffer) => {
        if (!launched.input.destroyed) launched.input.write(bytes)
      }
      handlers.set(id, handler)
      if (isOver) queueMicrotask(() => handlers.delete(id) && handler.lost())
      else write(encodeMessage(id, message))
      return {
        send: (more) => write(encodeMessage(id, more)),
        data: (bytes) => write(encodeFrame(kinds.data, id, bytes)),
        end: () => write(encodeFrame(kinds.end, id)),
        close: () => handlers.delete(id),
      }
    },
  }
  return client
}

function parseMessage(payload: Buffer): AgentMessage {
  try {
    return AgentMessage.parse(JSON.parse(payload.toString('utf8')))
  } catch (error) {
    throw new FrameError('A message that the agent does not send.', { cause: error })
  }
}
