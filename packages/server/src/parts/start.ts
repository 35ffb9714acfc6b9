/** What every part is started with, and how it is stopped again. */
import type { Config } from '../config.ts'
import { type Log, monotonicMs } from '../kernel/index.ts'

/** Something that works in the background once it has started, and leaves nothing behind when it has stopped. */
type Part = { start?(): Promise<unknown>; stop(): Promise<unknown> }

export type Start = {
  config: Config
  log: Log
  dataDir: string
  /** What the start was spent on, in milliseconds, so far. */
  phases: { phase: string; ms: number }[]
  /** Aborted when the server is about to stop, before any part is. */
  stopping: AbortController
  timed<Result>(phase: string, work: () => Result | Promise<Result>): Promise<Result>
  /** Starts the part, and stops it when the server stops, before those that were started earlier. */
  started<Some extends Part>(what: string, part: Some): Promise<Some>
  /** Stops what was started, from the end. One that fails to keeps no other from it. */
  stop(): Promise<void>
}

export function openStart(config: Config, log: Log, dataDir: string): Start {
  const parts: { what: string; part: Part }[] = []
  // What Node and the imports took until here.
  const phases = [{ phase: 'program', ms: Math.round(monotonicMs()) }]
  return {
    config,
    log,
    dataDir,
    phases,
    stopping: new AbortController(),
    async timed(phase, work) {
      const from = monotonicMs()
      const result = await work()
      phases.push({ phase, ms: Math.round(monotonicMs() - from) })
      return result
    },
    async started(what, part) {
      await part.start?.()
      parts.push({ what, part })
      return part
    },
    async stop() {
      for (const { what, part } of parts.splice(0).reverse()) {
        await part.stop().catch((error: unknown) => log.error('a part did not stop in order', { what, error }))
      }
    },
  }
}
