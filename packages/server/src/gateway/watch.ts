/** Ends a model call that its caller gave up, that went silent, or that takes too long. */
import { after } from '../kernel/index.ts'

export type WhyStopped = 'aborted' | 'silent' | 'overdue'

export type Watch = {
  /** Aborts the request upstream. */
  signal: AbortSignal
  /** Why the call was stopped, once it was. */
  why(): WhyStopped | undefined
  /** Whether anything has come yet. */
  hasBegun(): boolean
  /** Something came: the silence begins anew. */
  progress(): void
  /** The work's result. Rejects as soon as the call is stopped, even if the work never ends. */
  race<Result>(work: PromiseLike<Result>): Promise<Result>
  /** Closes whatever is still open. Must be called. */
  end(): void
}

export function watchCall(options: { signal: AbortSignal; silenceMsMax: number; totalMsMax: number }): Watch {
  const controller = new AbortController()
  const stopped = new Promise<never>((_, reject) => controller.signal.addEventListener('abort', () => reject(controller.signal.reason)))
  stopped.catch(() => {}) // Nobody may be racing when it comes.
  let why: WhyStopped | undefined
  let hasBegun = false

  const stop = (reason: WhyStopped) => {
    why ??= reason
    controller.abort()
  }
  const onAbort = () => stop('aborted')
  options.signal.addEventListener('abort', onAbort)
  if (options.signal.aborted) onAbort()
  const cancelTotal = after(options.totalMsMax, () => stop('overdue'))
  let cancelSilence = after(options.silenceMsMax, () => stop('silent'))

  return {
    signal: controller.signal,
    why: () => why,
    hasBegun: () => hasBegun,
    progress() {
      hasBegun = true
      cancelSilence()
      cancelSilence = after(options.silenceMsMax, () => stop('silent'))
    },
    race: (work) => Promise.race([work, stopped]),
    end() {
      options.signal.removeEventListener('abort', onAbort)
      cancelTotal()
      cancelSilence()
      controller.abort()
    },
  }
}
