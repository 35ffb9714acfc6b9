/**
 * One WebSocket and its subscriptions. Each reads its stream only as far as the client has read what came before, so that a slow client costs a
 * fixed buffer and the pages that its subscriptions hold; after a while of not reading it is sent away, and comes back with its cursors.
 */
import { type LiveMessage, LiveRequest, liveCloses, type liveLimits, whyNotJson } from '@longhaul/protocol'
import type { RawData, WebSocket } from 'ws'
import type { Caller } from '../identity/index.ts'
import { AppError, type Log, after, monotonicMs, openRateLimit, toAppError } from '../kernel/index.ts'
import { type Admission, watchAdmission } from './admission.ts'
import { parseInput } from './input.ts'
import type { Pipeline } from './pipeline.ts'

export type LiveLimits = { [Name in keyof typeof liveLimits]: number }

export type LiveConnection = {
  /** Resolves when it is gone. */
  ended: Promise<void>
  close(code: number, reason: string): void
  terminate(): void
}

type ConnectionOptions = {
  socket: WebSocket
  pipeline: Pipeline
  limits: LiveLimits
  log: Log
  requestId: string
  /** Of whom it is, where the request for it said so. */
  admission: Admission | undefined
  /** Whose key it is. Rejects when it is nobody's, or whose it is may have no more connections. */
  identify(key: string): Promise<Admission>
}
type Subscribe = Extract<LiveRequest, { type: 'subscribe' }>

const partingMs = 1_000

export function openLiveConnection({ socket, pipeline, limits, log, requestId, admission, identify }: ConnectionOptions): LiveConnection {
  const from = monotonicMs()
  const over = new AbortController()
  const subscriptions = new Map<string, AbortController>()
  const rate = openRateLimit(limits.messagesPerMinute)
  const unread = openUnread(socket, limits, () => close(liveCloses.unread, 'Too much was left unread. Come back with your cursors.'))
  let caller: Promise<Caller> | undefined
  let watch: ReturnType<typeof watchAdmission> | undefined
  let messageCount = 0
  let subscriptionCount = 0
  let isAnswering = true

  function close(code: number, reason: string): void {
    over.abort()
    socket.close(code, reason)
    after(partingMs, () => socket.terminate(), false) // Whoever does not read does not answer either.
  }

  function say(message: LiveMessage): void {
    if (!over.signal.aborted) unread.send(JSON.stringify(message))
  }

  function welcome(admitted: Admission): Caller {
    watch = watchAdmission(admitted)
    watch.signal.addEventListener('abort', () => close(liveCloses.unauthenticated, 'Your key or login has ended, or may do something else now.'))
    if (over.signal.aborted) watch.stop()
    say({ type: 'welcome', name: admitted.caller.name })
    return admitted.caller
  }

  const cancelHello = after(limits.helloMs, () => {
    if (!caller) close(liveCloses.unauthenticated, 'Nobody said whose connection this is.')
  })

  async function take(data: RawData, isBinary: boolean): Promise<void> {
    messageCount++
    if (!rate.take('').isAllowed) return close(liveCloses.overLimit, `More than ${limits.messagesPerMinute} messages a minute.`)
    const message = isBinary ? undefined : readMessage(String(data))
    if (!message) return close(liveCloses.invalid, 'This is no message of docs/reference/live.md.')
    if (message.type === 'hello') {
      if (caller) return close(liveCloses.invalid, 'It is known already whose connection this is.')
      caller = identify(message.key).then(welcome)
      return void caller.catch((error: unknown) => {
        const { code, message: why, cause } = toAppError(error)
        if (code === 'internal') log.error('request failed', { requestId, error: cause })
        close(code === 'over_limit' ? liveCloses.overLimit : liveCloses.unauthenticated, why.slice(0, 120))
      })
    }
    if (!caller) return close(liveCloses.unauthenticated, 'Say first whose connection this is: hello.')
    if (message.type === 'unsubscribe') return subscriptions.get(message.id)?.abort()
    if (subscriptions.has(message.id)) return close(liveCloses.invalid, `There is a subscription ${message.id} already.`)
    const gone = new AbortController()
    const isOne = subscriptions.size < limits.subscriptionsMax
    if (isOne) subscriptions.set(message.id, gone)
    try {
      if (!isOne) throw new AppError('over_limit', `A connection has ${limits.subscriptionsMax} subscriptions and no more.`)
      await tell(message, await caller, AbortSignal.any([gone.signal, over.signal]))
      say({ type: 'closed', id: message.id })
    } catch (error) {
      const { code, message: why, cause, retryAfterS } = toAppError(error)
      if (code === 'internal') log.error('request failed', { requestId, error: cause })
      say({ type: 'refused', id: message.id, error: { code, message: why, ...(retryAfterS !== undefined && { retryAfterS }) } })
    } finally {
      gone.abort()
      if (isOne) subscriptions.delete(message.id)
    }
  }

  /** Until there is nothing more to tell, or the subscription is ended. */
  async function tell({ id, operation: operationId, input, after: cursor }: Subscribe, who: Caller, end: AbortSignal): Promise<void> {
    subscriptionCount++
    const operation = pipeline.find(operationId)?.operation
    if (!operation) throw new AppError('invalid', `There is no operation ${operationId}.`)
    await pipeline.countRequest(who, requestId)
    const read = async () => parseInput(operation.input, storable(input))
    const frames = await pipeline.follow({ operation, caller: who, requestId, named: input, read }, { after: cursor, end })
    for await (const batch of frames) {
      for (const { event, data, cursor: at } of batch) {
        await unread.hasRoom(end)
        if (end.aborted) return
        // What a frame holds was cut to its contract, and is JSON.
        say({ type: 'event', id, event, data: data as never, ...(at !== undefined && { cursor: at }) })
      }
    }
  }

  let cancelBeat = () => {}
  const beat = () => {
    if (!isAnswering) return socket.terminate() // It is not there any more.
    isAnswering = false
    socket.ping()
    if (monotonicMs() - unread.saidAt() >= limits.heartbeatMs / 2) say({ type: 'here' })
    cancelBeat = after(limits.heartbeatMs, beat)
  }
  cancelBeat = after(limits.heartbeatMs, beat)
  socket.on('pong', () => (isAnswering = true))
  socket.on('error', () => {}) // `close` follows.
  socket.on('message', (data, isBinary) => {
    isAnswering = true
    if (!over.signal.aborted) void take(data, isBinary)
  })
  const ended = new Promise<void>((resolve) => {
    socket.on('close', (code) => {
      over.abort()
      watch?.stop()
      cancelBeat()
      cancelHello()
      unread.stop()
      const ms = Math.round(monotonicMs() - from)
      void Promise.resolve(caller).then(
        (who) => log.info('live connection', { requestId, tenantId: who?.tenantId, keyId: who?.keyId, code, ms, messageCount, subscriptionCount }),
        () => log.info('live connection', { requestId, code, ms, messageCount }),
      )
      resolve()
    })
  })
  if (admission) caller = Promise.resolve(welcome(admission))
  return { ended, close, terminate: () => socket.terminate() }
}

function readMessage(text: string): LiveRequest | undefined {
  try {
    return LiveRequest.safeParse(JSON.parse(text)).data
  } catch {
    return undefined // No JSON.
  }
}

function storable(input: Record<string, unknown>): Record<string, unknown> {
  const why = whyNotJson(input)
  if (why) throw new AppError('invalid', `The request holds what cannot be stored: ${why}.`)
  return input
}

/** What was sent and is not taken yet. */
function openUnread(socket: WebSocket, { unreadBytesMax, unreadMs }: LiveLimits, onTooLong: () => void) {
  let saidAt = monotonicMs()
  let cancelTimer: (() => void) | undefined
  const waiting = new Set<() => void>()
  const isFull = () => socket.bufferedAmount > unreadBytesMax
  const drained = () => {
    if (isFull()) return
    cancelTimer?.()
    cancelTimer = undefined
    for (const resume of [...waiting]) resume()
  }
  return {
    saidAt: () => saidAt,
    send(text: string) {
      saidAt = monotonicMs()
      socket.send(text, drained)
    },
    /** Resolves when there is room for more, or at the end. */
    async hasRoom(end: AbortSignal): Promise<void> {
      while (isFull() && !end.aborted) {
        cancelTimer ??= after(unreadMs, onTooLong)
        await new Promise<void>((resolve) => {
          const resume = () => {
            end.removeEventListener('abort', resume)
            waiting.delete(resume)
            resolve()
          }
          waiting.add(resume)
          end.addEventListener('abort', resume)
        })
      }
    },
    stop() {
      cancelTimer?.()
      for (const resume of [...waiting]) resume()
    },
  }
}
