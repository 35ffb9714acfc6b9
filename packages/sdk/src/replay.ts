/** Replays a recorded run against code, without executing anything: does this code still ask what that run asked? */
import { isDeepStrictEqual } from 'node:util'
import type { Asker, HistoryEntry, Json, RunEvent, WorkerFrame } from '@longhaul/protocol'
import type { DurableFunction } from './agent.ts'
import { failure } from './failure.ts'
import { type LoadedAgent, functionProgram, loadAgent } from './folder.ts'
import { createWorker } from './worker.ts'

/** What a run has recorded, as its code is given it. What was open, and what lies inside of it, is left out: nothing of it is executed. */
export function historyOf(events: readonly RunEvent[]): HistoryEntry[] {
  const open = new Set<string>()
  const results: HistoryEntry[] = []
  for (const event of events) {
    const { op } = event
    if (op === undefined) continue
    switch (event.type) {
      case 'step.started':
      case 'wait.created':
        open.add(op)
        break
      case 'step.completed':
        open.delete(op)
        results.push({ type: 'completed', op, kind: event.data.kind, name: event.data.name, output: event.data.output })
        break
      case 'step.failed':
        if (event.data.retryInMs !== null) break
        open.delete(op)
        results.push({ type: 'failed', op, kind: event.data.kind, name: event.data.name, failure: event.data.failure })
        break
      case 'wait.completed': {
        open.delete(op)
        const { kind, name, output, timedOut } = event.data
        results.push(
          timedOut
            ? { type: 'failed', op, kind, name, failure: failure('timed_out', `Nobody answered ${JSON.stringify(name)} in time.`) }
            : { type: 'completed', op, kind, name, output },
        )
        break
      }
    }
  }
  return results.filter(({ op }) => ![...open].some((path) => op.startsWith(`${path}.`)))
}

export type RecordedRun = { id: string; agent: string; version: string; asker: Asker; session: string | null; createdAt: string; events: readonly RunEvent[] }

/**
 * `same`: the code asked for what is recorded, in every place, and ended as the run did, if that has ended. `diverged`: it asked for something else, first at
 * `op`. `different`: it asked for the same and ended otherwise. `stuck`: it did neither within the limit.
 */
export type Replayed =
  | { outcome: 'same'; resultCount: number }
  | { outcome: 'diverged'; op: string; recorded: string; asked: string }
  | { outcome: 'different'; recorded: Json; now: Json }
  | { outcome: 'stuck' }

const patienceMs = 30_000

/** Runs the agent's code against a recorded run. No step, tool or model call is executed, and nothing beyond the history is begun. */
export async function replayRun(agent: string | LoadedAgent | DurableFunction, run: RecordedRun, { limitMs = patienceMs } = {}): Promise<Replayed> {
  const loaded = typeof agent === 'string' ? await loadAgent(agent) : agent
  const history = historyOf(run.events)
  const started = run.events.find((event) => event.type === 'run.started')
  const end = run.events.find((event) => event.type === 'run.completed' || event.type === 'run.failed')
  const { promise, resolve } = Promise.withResolvers<Replayed>()
  const same = () => resolve({ outcome: 'same', resultCount: history.length })
  const compare = (now: Json, recorded: Json | undefined) =>
    isDeepStrictEqual(now, recorded) ? same() : resolve({ outcome: 'different', recorded: recorded ?? null, now })
  const worker = createWorker({
    program: 'program' in loaded ? loaded.program : functionProgram(loaded),
    dataDir: '/nonexistent',
    onHistoryEnd(asked) {
      // One that was cancelled, or goes on, has come as far as it had.
      if (!end) return same()
      if (asked[0] !== undefined) resolve({ outcome: 'diverged', op: 'end', recorded: `its end (${end.type})`, asked: asked[0] })
    },
    send(text) {
      const frame = JSON.parse(text) as WorkerFrame // Our own worker's.
      if (frame.type === 'run.diverged') resolve({ outcome: 'diverged', op: frame.op, recorded: frame.recorded, asked: frame.asked })
      if (frame.type === 'run.completed')
        compare({ output: frame.output }, end?.type === 'run.completed' && end.data.continuedAs === undefined ? { output: end.data.output } : undefined)
      if (frame.type === 'run.continued') compare(true, end?.type === 'run.completed' && end.data.continuedAs !== undefined)
      if (frame.type === 'run.failed')
        compare({ failure: frame.failure.message }, end?.type === 'run.failed' ? { failure: end.data.failure.message } : undefined)
    },
  })
  const { id, agent: name, version, asker, session, createdAt } = run
  worker.receive({
    type: 'run.start',
    run: id,
    agent: name,
    version,
    input: started?.data.input ?? null,
    asker,
    session,
    messages: [],
    createdAt,
    historyLength: history.length,
  })
  if (history.length > 0) worker.receive({ type: 'run.history', run: id, entries: history })
  const limit = setTimeout(() => resolve({ outcome: 'stuck' }), limitMs)
  const replayed = await promise
  clearTimeout(limit)
  worker.releaseAll()
  return replayed
}
