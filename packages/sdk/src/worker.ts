/** A worker without its connection: takes the server's frames, runs runs, gives frames back. */
import type { HistoryEntry, ServerFrame } from '@longhaul/protocol'
import type { Context } from './agent.ts'
import { createContext } from './context.ts'
import { Execution, type ExecutionOptions, type RunHead } from './execution.ts'
import { failure } from './failure.ts'
import { plainFrame } from './frames.ts'
import { Licence } from './licence.ts'
import { inside } from './surroundings.ts'
import { Turns } from './turns.ts'

/** What a run executes: a durable function, or the agent loop over instructions and tools. */
export type Program = (ctx: Context, run: RunHead) => Promise<unknown>

export type WorkerOptions = {
  program: Program
  dataDir: string
  send(frame: string): void
  /** Runs wait for it. When it rejects, each of them fails with the reason. */
  prepared?: Promise<void>
  stuckMs?: NonNullable<ExecutionOptions['stuckMs']>
  onHistoryEnd?: ExecutionOptions['onHistoryEnd']
}

export type Worker = {
  /** Takes a frame. Call it from the top of the event loop: results are given to the code at once. */
  receive(frame: ServerFrame): void
  /** Runs that are executing, or coming in. */
  runCount(): number
  /** Forgets all runs. */
  releaseAll(): void
}

export function createWorker({ program, dataDir, send, prepared, stuckMs, onHistoryEnd }: WorkerOptions): Worker {
  const turns = new Turns()
  const licence = new Licence(() => send(plainFrame({ type: 'admit' })))
  const arriving = new Map<string, { head: RunHead; history: HistoryEntry[] }>()
  const executing = new Map<string, Execution>()
  /** Released, with code that still executes. */
  const leaving = new Set<Execution>()
  let isDraining = false
  let isPrepared = prepared === undefined
  prepared?.then(
    () => (isPrepared = true),
    () => {}, // Each run that waits for it reports the failure.
  )

  const arrive = (run: string) => {
    const found = arriving.get(run)
    if (!found || found.history.length < found.head.historyLength) return
    if (isPrepared) {
      arriving.delete(run)
      return start(found.head, found.history)
    }
    // Until it is prepared the run stays among those that arrive, so that a release finds it.
    prepared?.then(
      () => arriving.get(run) === found && arriving.delete(run) && start(found.head, found.history),
      (error: unknown) => {
        if (arriving.get(run) !== found) return
        arriving.delete(run)
        const message = `The agent could not prepare its data: ${error instanceof Error ? error.message : String(error)}`
        send(plainFrame({ type: 'run.failed', run, failure: failure('prepare_failed', message, true) }))
      },
    )
  }

  const start = (head: RunHead, history: HistoryEntry[]) => {
    const onOver = () => {
      if (executing.get(head.run) === execution) executing.delete(head.run)
    }
    const execution: Execution = new Execution({ head, history, turns, licence, send, onOver, onHistoryEnd, ...(stuckMs ? { stuckMs } : {}) })
    executing.set(head.run, execution)
    // `async`, so that what the code throws before its first `await` fails the run like anything later.
    const main = async () => program(createContext({ execution, dataDir }), head)
    inside({ run: head.run, step: undefined, isOver: false }, () => execution.run(main))
  }

  const release = (run: string) => {
    arriving.delete(run)
    const execution = executing.get(run)
    if (!execution) return
    execution.release()
    if (execution.hasYielded) return
    leaving.add(execution)
    execution.whenYielded(() => leaving.delete(execution))
  }

  const tellYielded = (run: string) => {
    const left = [...leaving].filter((execution) => execution.id === run)
    let count = left.length
    const yielded = () => send(plainFrame({ type: 'run.yielded', run }))
    if (count === 0) return yielded()
    for (const execution of left)
      execution.whenYielded(() => {
        leaving.delete(execution)
        if (--count === 0) yielded()
      })
  }

  return {
    receive(frame) {
      switch (frame.type) {
        case 'op.completed':
        case 'op.failed':
        case 'op.begun':
        case 'op.retry':
          return executing.get(frame.run)?.receive(frame)
        case 'run.start':
          if (isDraining) return
          release(frame.run) // The server starts it anew: what was here of it is no longer the run.
          arriving.set(frame.run, { head: frame, history: [] })
          return arrive(frame.run)
        case 'run.history':
          for (const entry of frame.entries) arriving.get(frame.run)?.history.push(entry)
          return arrive(frame.run)
        case 'run.release':
          return release(frame.run)
        case 'run.yield':
          return tellYielded(frame.run)
        case 'licence':
          return licence.extend(frame.untilMs)
        case 'drain':
          isDraining = true
      }
    },
    runCount: () => executing.size + arriving.size,
    releaseAll() {
      arriving.clear()
      for (const execution of executing.values()) execution.release()
    },
  }
}
