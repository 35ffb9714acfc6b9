/** Ends a model call that its caller gave up, that went silent, or that takes too long. */
import { after, monotonicMs } from '../kernel/index.ts'

export type WhyStopped = 'aborted' | 'silent' | 'overdue'

export type WatchLimits = {
  /** The longest silence, before the first word and between two. */
  silenceMsMax: number
  /** The longest wait for the first word, where it is another. */
  firstMsMax?: number
  totalMsMax: number
}

export type Watch = {
  /** Aborts the request upstream. */
  signal: AbortSignal
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

export function watchCall(options: { signal: AbortSignal } & WatchLimits): Watch {
  const controller = new AbortController()
  const stopped = new Promise<never>((_, reject) => controller.signal.addEventListener('abort', () => reject(controller.signal.reason)))
  stopped.catch(() => {}) // Nobody may be racing when it comes.
  let why: WhyStopped | undefined
  let hasBegun = false
  let isHeld = false
  let lastAt = monotonicMs()

  const stop = (reason: WhyStopped) => {
    why ??= reason
    controller.abort(over)
  }
  const onAbort = () => stop('aborted')
  options.signal.addEventListener('abort', onAbort)
  if (options.signal.aborted) onAbort()
  const cancelTotal = after(options.totalMsMax, () => stop('overdue'))
  // A timer is not set anew for each word: when it rings, it looks how long the silence really was.
  const listen = (ms: number) =>
    after(ms, () => {
      const silentMs = isHeld ? 0 : monotonicMs() - lastAt
      const limit = hasBegun ? options.silenceMsMax : (options.firstMsMax ?? options.silenceMsMax)
      if (silentMs >= limit - 1) return stop('silent') // Timers may ring a fraction of a millisecond early.
      cancelSilence = listen(limit - silentMs)
    })
  let cancelSilence = listen(Math.min(options.silenceMsMax, options.firstMsMax ?? Infinity))

  return {
    signal: controller.signal,
    why: () => why,
    hasBegun: () => hasBegun,
    progress() {
      hasBegun = true
      isHeld = false
      lastAt = monotonicMs()
    },
    hold: () => void (isHeld = true),
    race: (work) => Promise.race([work, stopped]),
    end(isAllRead = false) {
      options.signal.removeEventListener('abort', onAbort)
      cancelTotal()
      cancelSilence()
      if (!isAllRead) controller.abort(over)
    },
  }
}
