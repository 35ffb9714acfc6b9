/** Steps inside a step that the server executes: asked for by its executor in place of a worker, which never hears of them. */
import { type Failure, type Json, type StepKind, type Usage, whyNotJson } from '@longhaul/protocol'
import { StepFailure, monotonicMs, sleep } from '../../kernel/index.ts'
import type { ActiveRun } from './active-run.ts'
import { storable } from './event-row.ts'
import { innerApprovals } from './inner-approvals.ts'
import type { InnerSteps, RunFrame } from './ports.ts'

const abandoned: Failure = { message: 'The step that it belongs to ended before it.', code: 'abandoned', retryable: false }

/** `ask` has the server execute what a worker would ask for. */
export function innerSteps(run: ActiveRun, outer: string, ask: (run: ActiveRun, frame: Extract<RunFrame, { type: 'op' }>) => void): InnerSteps {
  const prefix = `${outer}.`
  let next: number | undefined
  let begunCount = 0
  let whenSettled = () => {}
  /** After those of an earlier attempt, and of an earlier life of the run. */
  const takePath = (): string => {
    if (next === undefined) {
      next = 0
      for (const path of run.history.ops.keys()) if (path.startsWith(prefix)) next = Math.max(next, Number(path.slice(prefix.length).split('.')[0]) + 1)
    }
    return `${prefix}${next++}`
  }

  const askAt = (op: string, kind: StepKind, name: string, input: Json): Promise<Json> =>
    new Promise<Json>((resolve, reject) => {
      run.inner.set(op, (frame) => {
        if (frame.type === 'op.completed') resolve(frame.output ?? null)
        else if (frame.type === 'op.failed') reject(new StepFailure(frame.failure))
        else return // It is tried again.
        run.inner.delete(op)
      })
      ask(run, { type: 'op', run: run.id, op, kind, name, input })
    })

  return {
    ask: (kind, name, input) => askAt(takePath(), kind, name, input),
    approvals: innerApprovals(run, outer, { takePath, askAt }),
    usage: () => run.history.usage,
    begin(kind, name, input) {
      const op = takePath()
      const from = monotonicMs()
      let isTold = false
      begunCount++
      const head = { kind, name, attempt: 1 }
      const tell = (
        event:
          | { type: 'step.completed'; data: { output: Json; usage?: Usage | undefined } }
          | { type: 'step.failed'; data: { failure: Failure; retryInMs: null } },
      ) => {
        if (isTold) return
        isTold = true
        if (--begunCount === 0) whenSettled()
        if (run.isLeaving || run.history.ops.get(op)?.state !== 'open') return
        run.append([{ type: event.type, op, data: { ...head, ...event.data, durationMs: Math.round((monotonicMs() - from) * 10) / 10 } }])
      }
      const why = whyNotJson(input)
      if (!run.isLeaving) run.append([{ type: 'step.started', op, data: { ...head, input: why ? { notRecorded: why } : input } }])
      const failed = (failure: Failure) => tell({ type: 'step.failed', data: { failure: storable(failure), retryInMs: null } })
      return {
        op,
        failed,
        completed(output, usage) {
          const problem = whyNotJson(output)
          if (problem) failed({ message: `Its result cannot be stored: ${problem}.`, code: 'not_json', retryable: false })
          else tell({ type: 'step.completed', data: { output, ...(usage && { usage }) } })
        },
      }
    },
    async settled(msMax) {
      if (begunCount > 0) await Promise.race([new Promise<void>((resolve) => (whenSettled = resolve)), sleep(msMax)])
    },
    close() {
      for (const [op, found] of run.history.ops) {
        if (!op.startsWith(prefix) || found.state !== 'open') continue
        run.executing.get(op)?.abort()
        run.executing.delete(op)
        run.inner.delete(op)
        run.disarm(op)
        run.append([{ type: 'step.failed', op, data: { kind: found.kind, name: found.name, attempt: found.attempt, failure: abandoned, retryInMs: null } }])
      }
    },
  }
}
