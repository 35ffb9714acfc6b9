import { readFileSync } from 'node:fs'
import { monotonicMs, sleep } from '../../kernel/index.ts'
import { failure } from '../failures.ts'
import { type ProcessIdentity, familyOf, isAlive } from '../processes.ts'
import type { SandboxCgroup } from './cgroup.ts'

/** Runs `work` while nothing in the sandbox moves. Throws `sandbox_unavailable`, with everything moving again, when it cannot be stopped. */
export type Freezer = <Result>(work: () => Promise<Result>) => Promise<Result>

const stopWithinMs = 2_000

/**
 * A control group stops all of its processes at once. Without one each process gets SIGSTOP, again and again until there is none
 * left that runs: whoever forks meanwhile is found in the next round, and a stopped process forks nothing.
 */
export function createFreezer(cgroup: SandboxCgroup | undefined, outer: ProcessIdentity): Freezer {
  let holders = 0
  let stopping: Promise<void> | undefined

  async function stop(): Promise<void> {
    if (await cgroup?.setFrozen(true)) return
    await cgroup?.setFrozen(false) // Half of it may have been stopped.
    const deadline = monotonicMs() + stopWithinMs
    for (;;) {
      const running = familyOf(outer.pid).filter(isRunning)
      if (running.length === 0) return
      if (monotonicMs() > deadline) throw failure('sandbox_unavailable', 'The sandbox could not be brought to a halt. Try again when less runs in it.')
      for (const pid of running) signal(pid, 'SIGSTOP')
      await sleep(1)
    }
  }

  async function go(): Promise<void> {
    await cgroup?.setFrozen(false)
    // Inner processes first: whoever sees its child stopped may wonder.
    if (isAlive(outer)) for (const pid of familyOf(outer.pid).toReversed()) if (stateOf(pid) === 'T') signal(pid, 'SIGCONT')
  }

  return async (work) => {
    holders++
    try {
      await (stopping ??= stop())
      return await work()
    } finally {
      if (--holders === 0) {
        stopping = undefined
        await go()
      }
    }
  }
}

/** `t`: stopped by whoever traces it, and so for as long as that one is stopped. */
const isRunning = (pid: number): boolean => !['T', 't', 'Z', 'X', ''].includes(stateOf(pid))

function stateOf(pid: number): string {
  try {
    return /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? ''
  } catch {
    return '' // It ended by itself.
  }
}

function signal(pid: number, name: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, name)
  } catch {
    // It ended by itself.
  }
}
