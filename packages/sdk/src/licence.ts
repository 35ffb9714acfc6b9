/**
 * Whether code of the author's may begin. The server proves to itself again and again that nothing of its runs was stopped or taken
 * away, and a proof holds for a while. A worker that was frozen, or whose server is cut off, finds it run out and asks first.
 */
export class Licence {
  #untilMs = 0
  #waiting: (() => void)[] = []
  readonly #ask: () => void

  constructor(ask: () => void) {
    this.#ask = ask
  }

  /** Calls `begin` at once while the licence holds, else when there is a new one. */
  whenHeld(begin: () => void): void {
    if (this.#waiting.length === 0 && machineMs() < this.#untilMs) return begin()
    this.#waiting.push(begin)
    // A new one may come in the message that is being taken.
    if (this.#waiting.length === 1) queueMicrotask(() => this.#waiting.length > 0 && this.#ask())
  }

  extend(untilMs: number): void {
    this.#untilMs = Math.max(this.#untilMs, untilMs)
    const waiting = this.#waiting
    this.#waiting = []
    for (const begin of waiting) this.whenHeld(begin)
  }
}

/** The machine's monotonic clock: the same in the server and its workers, and it goes on while a process is frozen. */
export function machineMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1_000 + nanoseconds / 1e6
}
