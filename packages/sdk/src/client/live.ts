/** Live events of many runs and lists over one WebSocket, as async iterables that reconnect and go on by themselves. Works in browsers and in Node. */
import { liveCloses, livePath } from '@longhaul/protocol/plain'
import type {
  Approval,
  AttentionItem,
  LiveFrame,
  LiveMessage,
  LiveRequest,
  Run,
  RunEvent,
  listApprovals,
  listAttention,
  listRunEvents,
  listRuns,
} from '@longhaul/protocol'
import { ApiError, isPassing } from './api-error.ts'
import { type Backoff, defaultBackoff, delayMsAfter } from './backoff.ts'
import type { ClientOptions } from './client.ts'
import type { InputOf } from './contract.ts'
import type { ConnectionState } from './stream-run.ts'

/** What can be followed: its input, and what its events hold. */
export type Followed = {
  'runs.events': { input: InputOf<typeof listRunEvents>; data: RunEvent | LiveFrame }
  'runs.list': { input: InputOf<typeof listRuns>; data: Run }
  'approvals.list': { input: InputOf<typeof listApprovals>; data: Approval }
  'attention.list': { input: InputOf<typeof listAttention>; data: AttentionItem }
}
/** With a `cursor` one can go on after it, later and elsewhere. What happens only live has none. */
export type Told<Data> =
  | { event: string; data: Data; cursor: string | undefined }
  /** What changed since cannot be known: the database was restored or another one took over. Read the list anew. */
  | { event: 'reset'; data: null; cursor: undefined }

export type FollowListOptions = {
  /** The last cursor that the caller has. Absent: a run from its beginning, a list from now on. */
  after?: string | undefined
  signal?: AbortSignal | undefined
}
export type LiveOptions = Pick<ClientOptions, 'url' | 'key'> & {
  /** How long to go on without any connection. Default ten minutes. */
  giveUpAfterMs?: number
  /** A connection this long without a word is taken for dead. Servers say something every 15 s. Default 45 s. */
  silenceMsMax?: number
  backoff?: Backoff
  onConnection?(state: ConnectionState | { state: 'connected' }): void
  WebSocket?: typeof globalThis.WebSocket
}
export type Live = {
  /**
   * Each event once and in order; a run to its end, a list without an end of its own. Connects when it is first asked for one. Throws an `ApiError` for what
   * repeating does not mend and when it gives up, and the signal's reason when aborted.
   */
  follow<Operation extends keyof Followed>(
    operation: Operation,
    input: Followed[Operation]['input'],
    options?: FollowListOptions,
  ): AsyncGenerator<Told<Followed[Operation]['data']>, void, void>
  /** Ends all that are followed and the connection. */
  close(): void
}

type Subscription = {
  operation: string
  input: Record<string, unknown>
  cursor: string | undefined
  waiting: Told<unknown>[]
  /** On this connection. Absent: it has to be asked for. */
  id?: string | undefined
  /** The consumer is behind: it is asked for again, from the cursor, once it has caught up. */
  isPaused: boolean
  isOver: boolean
  problem?: ApiError | undefined
  failures: number
  wake(): void
}

const waitingMax = 1_000

export function openLive(options: LiveOptions): Live {
  const { giveUpAfterMs = 600_000, silenceMsMax = 45_000, backoff = defaultBackoff, onConnection } = options
  const subscriptions = new Set<Subscription>()
  const byId = new Map<string, Subscription>()
  let socket: WebSocket | undefined
  let isWelcome = false
  let failures = 0
  let lostAt = performance.now()
  let nextId = 1
  let reconnecting: ReturnType<typeof setTimeout> | undefined
  let silence: ReturnType<typeof setTimeout> | undefined

  const send = (request: LiveRequest) => socket?.send(JSON.stringify(request))

  function connect(): void {
    if (socket || reconnecting || subscriptions.size === 0) return
    isWelcome = false
    const opened = new (options.WebSocket ?? globalThis.WebSocket)(addressOf(options.url))
    socket = opened
    const hear = () => {
      clearTimeout(silence)
      silence = setTimeout(() => lose(opened, new ApiError('unavailable', `nothing came for ${Math.round(silenceMsMax / 1_000)} s`)), silenceMsMax)
    }
    hear()
    opened.addEventListener('open', () => {
      const key = typeof options.key === 'function' ? options.key() : options.key
      if (key) send({ type: 'hello', key })
    })
    opened.addEventListener('message', ({ data }) => {
      if (socket !== opened) return
      hear()
      const message = readMessage(data)
      if (message) take(message)
    })
    opened.addEventListener('close', ({ code, reason }) => lose(opened, problemOf(code, reason, isWelcome)))
    opened.addEventListener('error', () => lose(opened, new ApiError('unavailable', `no connection to ${options.url || 'the server'}`)))
  }

  function lose(lost: WebSocket, problem: ApiError): void {
    if (socket !== lost) return
    if (isWelcome) lostAt = performance.now()
    socket = undefined
    isWelcome = false
    clearTimeout(silence)
    lost.close()
    byId.clear()
    for (const subscription of subscriptions) subscription.id = undefined
    if (subscriptions.size === 0) return
    failures++
    const retryInMs = delayMsAfter(failures, backoff, problem)
    if (!isPassing(problem)) return fail(problem)
    if (performance.now() - lostAt + retryInMs > giveUpAfterMs)
      return fail(new ApiError('unavailable', `Lost the live events of ${options.url || 'the server'}: ${problem.message}`, { cause: problem }))
    onConnection?.({ state: 'lost', because: problem.message, failures, retryInMs })
    reconnecting = setTimeout(() => {
      reconnecting = undefined
      connect()
    }, retryInMs)
  }

  function fail(problem: ApiError): void {
    for (const subscription of subscriptions) {
      subscription.problem = problem
      subscription.wake()
    }
  }

  function take(message: LiveMessage): void {
    if (message.type === 'welcome') {
      isWelcome = true
      failures = 0
      onConnection?.({ state: 'connected' })
      for (const subscription of subscriptions) ask(subscription)
      return
    }
    if (message.type === 'here') return
    const subscription = byId.get(message.id)
    if (!subscription) return // It was ended meanwhile.
    if (message.type === 'event') return tell(subscription, message)
    byId.delete(message.id)
    subscription.id = undefined
    if (message.type === 'refused') {
      const { code, message: why, retryAfterS } = message.error
      const problem = new ApiError(code, why, {
        retryAfterMs: retryAfterS === undefined ? undefined : retryAfterS * 1_000,
        status: code === 'over_limit' ? 429 : 0,
      })
      if (!isPassing(problem)) {
        subscription.problem = problem
        return subscription.wake()
      }
      setTimeout(() => ask(subscription), delayMsAfter(++subscription.failures, backoff, problem))
    } else if (!subscription.isOver) setTimeout(() => ask(subscription), delayMsAfter(++subscription.failures, backoff)) // It broke off.
  }

  function tell(subscription: Subscription, { event, data, cursor }: Extract<LiveMessage, { type: 'event' }>): void {
    subscription.failures = 0
    if (cursor !== undefined) subscription.cursor = cursor
    if (event === 'mark' || event === 'ready') return
    if (event === 'end') subscription.isOver = true
    else subscription.waiting.push(event === 'reset' ? { event, data: null, cursor: undefined } : { event, data, cursor })
    if (subscription.waiting.length >= waitingMax) {
      subscription.isPaused = true
      leave(subscription)
    }
    subscription.wake()
  }

  function ask(subscription: Subscription): void {
    if (!isWelcome || subscription.id !== undefined || subscription.isPaused || subscription.isOver || !subscriptions.has(subscription)) return
    const id = `s${nextId++}`
    subscription.id = id
    byId.set(id, subscription)
    const { operation, input, cursor } = subscription
    send({ type: 'subscribe', id, operation, input: input as never, ...(cursor !== undefined && { after: cursor }) }) // JSON, as the operation's type says.
  }

  function leave(subscription: Subscription): void {
    if (subscription.id === undefined) return
    byId.delete(subscription.id)
    if (isWelcome) send({ type: 'unsubscribe', id: subscription.id })
    subscription.id = undefined
  }

  function closeSocket(): void {
    clearTimeout(silence)
    clearTimeout(reconnecting)
    reconnecting = undefined
    const last = socket
    socket = undefined
    isWelcome = false
    byId.clear()
    last?.close()
  }

  async function* follow(operation: string, input: object, { after, signal }: FollowListOptions = {}): AsyncGenerator<Told<unknown>, void, void> {
    let wake = () => {}
    const subscription: Subscription = {
      ...{ operation, input: { ...input }, cursor: after, waiting: [], isPaused: false, isOver: false, failures: 0 },
      wake: () => wake(),
    }
    const aborted = () => wake()
    signal?.addEventListener('abort', aborted)
    if (subscriptions.size === 0) lostAt = performance.now()
    subscriptions.add(subscription)
    try {
      connect()
      ask(subscription)
      for (;;) {
        signal?.throwIfAborted()
        const next = subscription.waiting.shift()
        if (next) {
          yield next
          continue
        }
        if (subscription.problem) throw subscription.problem
        if (subscription.isOver || !subscriptions.has(subscription)) return
        if (subscription.isPaused) {
          subscription.isPaused = false
          ask(subscription)
        }
        await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      signal?.removeEventListener('abort', aborted)
      leave(subscription)
      subscriptions.delete(subscription)
      if (subscriptions.size === 0) closeSocket()
    }
  }

  return {
    follow: follow as Live['follow'], // What the server tells of an operation is what its contract says.
    close() {
      const ended = [...subscriptions]
      subscriptions.clear()
      closeSocket()
      for (const subscription of ended) subscription.wake()
    },
  }
}

function addressOf(url: string): string {
  const page = globalThis as { location?: { origin: string } } // Of a browser.
  const at = url === '' ? (page.location?.origin ?? '') : url.replace(/\/+$/, '')
  return `${at.replace(/^http/, 'ws')}${livePath}`
}

const kinds: ReadonlySet<unknown> = new Set<LiveMessage['type']>(['welcome', 'event', 'closed', 'refused', 'here'])

/** What a newer server says besides is not for us. Inside of a kind the server is believed, as everywhere in this client. */
function readMessage(data: unknown): LiveMessage | undefined {
  try {
    const message = JSON.parse(String(data)) as LiveMessage | null
    return kinds.has(message?.type) ? (message ?? undefined) : undefined
  } catch {
    return undefined // No JSON: nothing of ours.
  }
}

/** A key that ended after it was let in may have been followed by another: whoever gives keys is asked again. */
function problemOf(code: number, reason: string, wasWelcome: boolean): ApiError {
  if (code === liveCloses.unauthenticated && !wasWelcome) return new ApiError('unauthenticated', reason, { status: 401 })
  if (code === liveCloses.invalid) return new ApiError('invalid', reason, { status: 400 })
  return new ApiError('unavailable', reason || 'the connection was cut')
}
