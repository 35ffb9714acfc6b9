/** As much of an `AbortSignal` as waiting code needs; one of those is one of these. Where each request has its own, an `EventTarget` costs more than what it is for. */
export type Cancellation = {
  readonly aborted: boolean
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

export function openCancellation(): { signal: Cancellation; cancel(): void } {
  let listeners: (() => void)[] = []
  let aborted = false
  return {
    signal: {
      get aborted() {
        return aborted
      },
      addEventListener(_, listener) {
        if (!aborted) listeners.push(listener)
      },
      removeEventListener(_, listener) {
        const at = listeners.indexOf(listener)
        if (at !== -1) listeners.splice(at, 1)
      },
    },
    cancel() {
      if (aborted) return
      aborted = true
      const told = listeners
      listeners = []
      for (const tell of told) tell()
    },
  }
}
