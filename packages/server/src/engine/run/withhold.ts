/** Steps that are recorded with their input, and as not executed: what a fork would write. */
import type { Effect, Failure, Json, StepKind, StepNotes } from '@longhaul/protocol'
import type { ActiveRun } from './active-run.ts'

const withheld: Failure = {
  message: 'Withheld: this run is a fork that writes nothing, and this may write. What it would have done is recorded.',
  code: 'withheld',
  retryable: false,
}

/** Whether the worker may execute it: only what says that it does nothing outside. */
export const isWithheld = (run: ActiveRun, effect: Effect | undefined): boolean => run.row.withholdsWrites && effect !== 'none'

export const withhold = (run: ActiveRun, step: Refused): void => refuse(run, step, withheld)

type Refused = { op: string; kind: StepKind; name: string; attempt: number; input: Json; effect?: Effect | undefined }

/** Records a step with its input, and in the same entry that it was not executed. */
export function refuse(run: ActiveRun, { op, kind, name, attempt, input, effect }: Refused, failure: Failure, notes: StepNotes = {}): void {
  run.append(
    [
      { type: 'step.started', op, data: { kind, name, attempt, input, effect } },
      { type: 'step.failed', op, data: { kind, name, attempt, failure, retryInMs: null, ...notes } },
    ],
    { frames: [{ type: 'op.failed', run: run.id, op, failure }] },
  )
}
