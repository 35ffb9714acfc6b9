/** What a fork would write. It is recorded with its input, and as not executed. */
import type { Effect, Failure, Json, StepKind } from '@longhaul/protocol'
import type { ActiveRun } from './active-run.ts'

const withheld: Failure = {
  message: 'Withheld: this run is a fork that writes nothing, and this may write. What it would have done is recorded.',
  code: 'withheld',
  retryable: false,
}

/** Whether the worker may execute it: only what says that it does nothing outside. */
export const isWithheld = (run: ActiveRun, effect: Effect | undefined): boolean => run.row.withholdsWrites && effect !== 'none'

export function withhold(
  run: ActiveRun,
  { op, kind, name, attempt, input, effect }: { op: string; kind: StepKind; name: string; attempt: number; input: Json; effect?: Effect | undefined },
): void {
  run.append(
    [
      { type: 'step.started', op, data: { kind, name, attempt, input, effect } },
      { type: 'step.failed', op, data: { kind, name, attempt, failure: withheld, retryInMs: null } },
    ],
    { frames: [{ type: 'op.failed', run: run.id, op, failure: withheld }] },
  )
}
