/** As much of an `AbortSignal` as waiting code needs; one of those is one of these. Where each request has its own, an `EventTarget` costs more than what it is for. */
export type Cancellation = {
  readonly aborted: boolean
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** `aborted` is a field: V8 puts the function of a getter in a literal where only its slow collection looks, and with it whatever the function can see. */
export function openCancellation(): { signal: Cancellation; cancel(): void } {
  let listeners: (() => void)[] = []
  const signal = {
    aborted: false,
    addEventListener(_: 'abort', listener: () => void) {
      if (!signal.aborted) listeners.push(listener)
    },
    removeEventListener(_: 'abort', listener: () => void) {
      const at = listeners.indexOf(listener)
      if (at !== -1) listeners.splice(at, 1)
    },
  }
  return {
    signal,
    cancel() {
      if (signal.aborted) return
      signal.aborted = true
      const told = listeners
      listeners = []
      for (const tell of told) tell()
    },
  }
}
