import { after } from './clock.ts'

/** Something long-lived. `start` returns once it works; `stop` returns once nothing of it is left. */
export type Service = { start(): Promise<void>; stop(): Promise<void> }

type LoopOptions = {
  /** Time between the end of one call and the start of the next, unless `work` returns another or somebody wakes the loop. */
  everyMs: number
  onError(error: unknown): void
  work(signal: AbortSignal): Promise<number | void>
}

/** Repeats `work`, one call at a time, until stopped. An error is reported and never ends the loop. */
export function loop({ everyMs, onError, work }: LoopOptions): Service & { wake(): void } {
  let stopping = new AbortController()
  let running: Promise<void> | undefined
  let isWoken = false
  let cutSleep = () => {}
  const wake = () => {
    isWoken = true
    cutSleep()
  }

  async function run(signal: AbortSignal) {
    while (!signal.aborted) {
      isWoken = false
      const waitMs = (await work(signal).catch(onError)) ?? everyMs
      if (isWoken) continue // A wake that came during the work is not lost: look again at once.
      await new Promise<void>((resolve) => {
        const cancel = after(waitMs, resolve)
        cutSleep = () => {
          cancel()
          resolve()
        }
      })
    }
  }
  return {
    wake,
    async start() {
      if (running) return
      stopping = new AbortController()
      running = run(stopping.signal)
    },
    async stop() {
      stopping.abort()
      wake()
      await running
      running = undefined
    },
  }
}
