/** Ends a model call that its caller gave up, that went silent, or that takes too long. */
import { type Cancellation, after, monotonicMs } from '../kernel/index.ts'

export type WhyStopped = 'aborted' | 'silent' | 'overdue'

export type WatchLimits = {
  /** The longest silence, before the first word and between two. */
  silenceMsMax: number
  /** The longest wait for the first word, where it is another. */
  firstMsMax?: number
  totalMsMax: number
}

export type Watch = {
  /** Aborts the request upstream. Made when it is first asked for: it costs more than all else here. */
  signal(): AbortSignal
  /** Calls back when the request upstream is to be ended: at once, if that was so already. */
  onStop(then: () => void): void
  /** Why the call was stopped, once it was. */
  why(): WhyStopped | undefined
  /** Whether anything has come yet. */
  hasBegun(): boolean
  /** Something came: the silence begins anew. */
  progress(): void
  /** Nothing comes because nobody takes it: until the next progress, silence is not the model's. */
  hold(): void
  /** The work's result. Rejects as soon as the call is stopped, even if the work never ends. */
  race<Result>(work: PromiseLike<Result>): Promise<Result>
  /** Must be called. Closes whatever is still open, unless nothing can be. */
  end(isAllRead?: boolean): void
}

/** Given as the reason of every abort: one that is made anew each time, with its stack, costs more than all the rest of a call. */
const over = new Error('The call is over.')

export function watchCall(options: { signal: Cancellation } & WatchLimits): Watch {
  const startedAt = monotonicMs()
  const { signal, totalMsMax, silenceMsMax, firstMsMax = silenceMsMax } = options
  let listeners: (() => void)[] = []
  let controller: AbortController | undefined
  let stopped: Promise<never> | undefined
  let isStopped = false
  let why: WhyStopped | undefined
  let hasBegun = false
  let isHeld = false
  let lastAt = startedAt

  const close = () => {
    isStopped = true
    const told = listeners
    listeners = []
    for (const then of told) then()
  }
  const stop = (reason: WhyStopped) => {
    why ??= reason
    close()
  }
  const onStop = (then: () => void) => void (isStopped ? then() : listeners.push(then))
  const makeController = () => {
    const made = new AbortController()
    onStop(() => made.abort(over))
    return made
  }
  const makeStopped = () => {
    const made = new Promise<never>((_, reject) => onStop(() => reject(over)))
    made.catch(() => {}) // Nobody may be racing when it comes.
    return made
  }
  const onAbort = () => stop('aborted')
  signal.addEventListener('abort', onAbort)
  if (signal.aborted) onAbort()
  // The timer is not set anew for each word: when it rings, it looks how long the silence really was. Timers may ring a fraction of a millisecond early.
  const look = () => {
    const now = monotonicMs()
    const limit = hasBegun ? silenceMsMax : firstMsMax
    const silentMs = isHeld ? 0 : now - lastAt
    if (now - startedAt >= totalMsMax - 1) return stop('overdue')
    if (silentMs >= limit - 1) return stop('silent')
    cancelTimer = after(Math.min(limit - silentMs, totalMsMax - (now - startedAt)), look)
  }
  let cancelTimer = after(Math.min(silenceMsMax, firstMsMax, totalMsMax), look)

  return {
    signal: () => (controller ??= makeController()).signal,
    onStop,
    why: () => why,
    hasBegun: () => hasBegun,
    progress() {
      hasBegun = true
      isHeld = false
      lastAt = monotonicMs()
    },
    hold: () => void (isHeld = true),
    race: (work) => Promise.race([work, (stopped ??= makeStopped())]),
    end(isAllRead = false) {
      signal.removeEventListener('abort', onAbort)
      cancelTimer()
      if (!isAllRead) close()
    },
  }
}
