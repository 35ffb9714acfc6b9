/** What a worker takes, and which of its runs take it. */
import type { Compute } from '@longhaul/protocol'
import { monotonicMs } from '../kernel/index.ts'

/** A run in the worker. */
export type Metered = {
  isItsTurn: boolean
  /** Not told yet. */ cpuMs: number
  /** Where the worker's memory by time and run stood when the run was last told. */ memoryFrom: number
}

export type Meter = ReturnType<typeof openMeter>

/** Processor time that was used so long ago counts half. */
const halfLifeMs = 1_000

/** `runs`: those in the worker just now. */
export function openMeter(runs: ReadonlyMap<string, Metered>, nowMs: () => number = monotonicMs) {
  let readAt = nowMs()
  let cpuMs = 0
  let cpuShare = 0
  let memoryBytes: number | undefined
  /** Megabytes by seconds that one run has had, had it been here all the time. */
  let memoryOfOne = 0
  let memoryAt = readAt
  /** Those whose code may have been executing since the processor time was read. */
  let turned = new Set<Metered>()

  function passMemory(): void {
    const now = nowMs()
    if (memoryBytes !== undefined && runs.size > 0) memoryOfOne += ((memoryBytes / 1e6) * (now - memoryAt)) / 1_000 / runs.size
    memoryAt = now
  }

  return {
    /** Part of a processor that it used lately. */
    cpuShare: () => cpuShare,
    /** Undefined until it has said so. */
    memoryBytes: () => memoryBytes,
    /** Called before a run comes or goes. */
    passMemory,
    memoryOfOne: () => memoryOfOne,
    turn: (run: Metered) => void turned.add(run),

    /** What the worker said of itself. */
    read(said: { cpuMs?: number | undefined; memoryBytes?: number | undefined }): void {
      passMemory()
      memoryBytes = said.memoryBytes ?? memoryBytes
      if (said.cpuMs === undefined) return
      const now = nowMs()
      const elapsedMs = now - readAt
      const usedMs = Math.max(0, said.cpuMs - cpuMs)
      if (elapsedMs > 0) {
        const weight = 0.5 ** (elapsedMs / halfLifeMs)
        cpuShare = cpuShare * weight + (usedMs / elapsedMs) * (1 - weight)
      }
      for (const run of turned) run.cpuMs += usedMs / turned.size
      turned = new Set([...turned].filter(({ isItsTurn }) => isItsTurn))
      readAt = now
      cpuMs = said.cpuMs
    },

    /** What the run has taken since it was last told. */
    settle(run: Metered): Compute {
      passMemory()
      const compute = { cpuMs: run.cpuMs, memoryMbS: memoryOfOne - run.memoryFrom }
      run.cpuMs = 0
      run.memoryFrom = memoryOfOne
      return compute
    },
  }
}
