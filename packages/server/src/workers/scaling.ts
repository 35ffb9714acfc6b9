/** How many workers a version has: one more while those that it has are full, one less when one of them has nothing to do. */

/** What one worker does. */
export type WorkerLoad = {
  isReady: boolean
  runCount: number
  /** Part of a processor that it used lately. A worker executes its runs' code on one. */
  cpuShare: number
  /** Undefined until it has said so. */
  memoryBytes: number | undefined
  /** How long it has had no run. */
  idleMs: number
}

export type Scaling = {
  workersMin: number
  workersMax: number
  /** A worker with so many is full. */
  runsMax: number
  /** A worker that holds more is replaced: its runs go on in it, new ones elsewhere. */
  memoryBytesMax: number
  /** A worker without a run for so long goes, down to `workersMin`. */
  idleMsMax: number
}

/** So much of a processor is all that there is: the rest is the system's, and the collection of garbage. */
const fullShare = 0.8
/** Of `memoryBytesMax`. A worker past it is ended at once, and its runs are taken up from their journals. */
export const excess = 1.5

export type Plan<Worker> = {
  /** Workers to start. */
  add: number
  /** To be given no run any more, and ended when they have none. */
  drain: Worker[]
  /** To be ended now. */
  end: Worker[]
}

/** `wanted`: runs wait for a worker, or the version is kept warm. */
export function planWorkers<Worker extends WorkerLoad>(workers: readonly Worker[], wanted: boolean, scaling: Scaling): Plan<Worker> {
  const { workersMin, workersMax, runsMax, memoryBytesMax, idleMsMax } = scaling
  const end = workers.filter(({ memoryBytes = 0 }) => memoryBytes > memoryBytesMax * excess)
  const drain = workers.filter((worker) => (worker.memoryBytes ?? 0) > memoryBytesMax && !end.includes(worker))
  const left = workers.filter((worker) => !end.includes(worker) && !drain.includes(worker))
  const isFull = left.every(({ isReady, runCount, cpuShare }) => isReady && (runCount >= runsMax || cpuShare >= fullShare))
  const missing = Math.max(0, (wanted ? Math.max(1, workersMin) : workersMin) - left.length)
  const add = missing > 0 ? missing : isFull && left.length > 0 && left.length < workersMax ? 1 : 0
  const idle = left.filter(({ isReady, runCount, idleMs }) => isReady && runCount === 0 && idleMs >= idleMsMax)
  return { add, drain: [...drain, ...(add > 0 ? [] : idle.slice(0, Math.max(0, left.length - Math.max(workersMin, wanted ? 1 : 0))))], end }
}
