/** Steps that the server executes for a run: intent recorded, executed, outcome recorded, tried again. */
import { type Effect, type Json, type RetryPolicy, type StepKind, type StepNotes, whyNotJson } from '@longhaul/protocol'
import { StepFailure, monotonicMs, random, toFailure } from '../../kernel/index.ts'
import { defaultRetry, retryDelayMs } from '../retry.ts'
import { callOf } from '../trust.ts'
import type { ActiveRun, SaidToRun } from './active-run.ts'
import { storable } from './event-row.ts'
import { innerSteps } from './inner-steps.ts'
import { startChild } from './new-runs.ts'
import type { RunFrame } from './ports.ts'
import { sleep } from './waits.ts'
import { withhold } from './withhold.ts'
import { isRefusedInput } from './worker-steps.ts'

type ServerStep = { op: string; kind: StepKind; name: string; input: Json; attempt: number; policy: RetryPolicy }

/** A step for the server to execute. */
export function asked(run: ActiveRun, { op, kind, name, input, retry }: Extract<RunFrame, { type: 'op' }>): void {
  if (run.isDraining) return run.handBackAtBoundary()
  const known = run.history.ops.get(op)
  if (run.executing.has(op) || (known && known.state !== 'open') || known?.doubt) return
  if (kind === 'run') return startChild(run, { type: 'op', run: run.id, op, kind, name, input })
  const policy = retry ?? defaultRetry
  const again = (attempt: number) => void execute(run, { op, kind, name, input, attempt, policy }, true)
  if (known?.isStarted) {
    // Its intent is recorded, by another life perhaps. An entry without rows admits it anew under today's fence.
    run.executing.set(op, new AbortController())
    return run.append([], { then: () => again(known.attempt) })
  }
  if (isRefusedInput(run, op, kind, name, 1, input)) return
  const executor = run.ports.executors[kind]
  if (run.row.withholdsWrites && executor?.mayWrite?.(input)) return withhold(run, { op, kind, name, attempt: 1, input })
  const changed = run.row.fork && executor?.change ? executor.change(input, run.row.fork.changes) : input
  begin(run, { op, kind, name, input: changed, attempt: known?.attempt ?? 1, policy })
}

/** Records the intent, then executes. */
function begin(run: ActiveRun, step: ServerStep): void {
  const { op, kind, name, attempt, input } = step
  const executor = run.ports.executors[kind]
  const controller = new AbortController()
  run.executing.set(op, controller)
  const record = (effect: Effect | undefined) =>
    run.append([{ type: 'step.started', op, data: { kind, name, attempt, input: executor?.record ? executor.record(input) : input, effect } }], {
      then: () => void execute(run, step),
    })
  const effect = executor?.effectOf?.(input, run.row)
  if (!(effect instanceof Promise)) return record(effect)
  void effect
    .catch((): Effect => 'write')
    .then((known) => {
      if (!controller.signal.aborted && !run.isLeaving) record(known)
    })
}

async function execute(run: ActiveRun, step: ServerStep, isRepeated = false): Promise<void> {
  if (run.isLeaving) return // What was durable a moment ago was taken away since.
  const { op, kind, name, input, attempt, policy } = step
  const controller = run.executing.get(op) ?? new AbortController()
  run.executing.set(op, controller)
  const { signal } = controller
  const booked: string[] = []
  const notes: StepNotes = {}
  const said: SaidToRun[] = []
  const from = monotonicMs()
  const elapsed = () => Math.round((monotonicMs() - from) * 10) / 10
  const inside = innerSteps(run, op, asked)
  try {
    const executor = run.ports.executors[kind]
    if (!executor) throw new StepFailure({ message: `This server executes no ${kind} steps.`, code: 'unknown_kind', retryable: false })
    const result = await executor.execute(input, {
      run: run.row,
      op,
      attempt,
      isRepeated,
      signal,
      get labels() {
        return run.labels ?? [] // Steps inside this one may add to them.
      },
      granted: run.history.trust.granted(op, callOf(kind, name, input)),
      takeSaid: () => {
        said.push(...run.said.splice(0))
        return said.map((one) => one.input)
      },
      book: (row) => void booked.push(row),
      note: (more) => void Object.assign(notes, more),
      inside,
      live: (frame) => run.ports.onLive(run.id, op, frame),
      lookup: (path) => {
        const found = run.history.ops.get(path)
        return found && 'input' in found && found.input !== undefined
          ? { input: found.input, output: found.state === 'completed' ? found.output : undefined }
          : undefined
      },
    })
    if (signal.aborted || run.isLeaving) return
    inside.close()
    run.executing.delete(op)
    if (result.isPaused) return pause(run, step, { booked, notes, durationMs: elapsed() })
    const problem = whyNotJson(result.output)
    if (problem) throw new StepFailure({ message: `The result of ${kind} ${name} cannot be stored: ${problem}.`, code: 'not_json', retryable: false })
    const labels = [...new Set(said.flatMap((one) => one.labels))]
    const { output, usage } = result
    run.append(
      [
        {
          type: 'step.completed',
          op,
          data: { kind, name, attempt, output, ...(usage && { usage }), durationMs: elapsed(), ...(labels.length > 0 && { labels }), ...notes },
        },
      ],
      { booked, taken: said.map(({ id }) => id), frames: [{ type: 'op.completed', run: run.id, op, output }] },
    )
  } catch (error) {
    if (signal.aborted || run.isLeaving) return
    inside.close()
    run.executing.delete(op)
    run.said.unshift(...said)
    const failure = storable(toFailure(error))
    const delayMs = retryDelayMs(attempt, failure, policy, random)
    if (delayMs === null) return run.stepFailed(op, kind, name, attempt, failure, null, elapsed(), booked, notes)
    run.executing.set(op, new AbortController())
    run.append([{ type: 'step.failed', op, data: { kind, name, attempt, failure, retryInMs: delayMs, durationMs: elapsed(), ...notes } }], {
      booked,
      then: () => run.arm(op, delayMs, () => begin(run, { ...step, attempt: attempt + 1 })),
    })
  }
}

/** Its attempt is over, and the next one is for when somebody has answered what is asked inside it. The run sleeps until then. */
function pause(run: ActiveRun, step: ServerStep, { booked, notes, durationMs }: { booked: string[]; notes: StepNotes; durationMs: number }): void {
  const { op, kind, name, attempt } = step
  const waits = [...run.history.waits()].flatMap(([path]) => (path.startsWith(`${op}.`) ? [path] : []))
  run.append([{ type: 'step.paused', op, data: { kind, name, attempt, waits, durationMs, ...notes } }], { booked })
  if (waits.length > 0) return sleep(run)
  begin(run, { ...step, attempt: attempt + 1 }) // They were answered in this very moment.
}
