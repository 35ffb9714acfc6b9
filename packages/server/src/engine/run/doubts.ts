/** Steps that were begun and of which nobody knows how they ended: who settles them, and what follows. */
import { type DoubtDecision, type Failure, type Json, storableText } from '@longhaul/protocol'
import type { NewEvent, OpenOp } from '../history.ts'
import type { ActiveRun } from './active-run.ts'
import type { RunFrame } from './ports.ts'

const interrupted = 'Its worker or its server was lost while it was under way.'
const interruptedTool: Failure = {
  message: 'It was interrupted, and whether it took effect is not known. Find out before you call it again.',
  code: 'interrupted',
  retryable: false,
}

/** What was interrupted and may have taken effect is not executed again: a write is in doubt, and a tool that declares nothing has failed. */
export function settleInterrupted(run: ActiveRun): void {
  for (const [op, { kind, name, attempt, effect, isChecked }] of run.history.interrupted()) {
    const head = { kind, name, attempt }
    if (effect === 'write') run.append([{ type: 'step.doubted', op, data: { ...head, needs: isChecked ? 'check' : 'person', message: interrupted } }])
    else run.append([{ type: 'step.failed', op, data: { ...head, failure: interruptedTool, retryInMs: null } }])
  }
}

/** Ends a doubt. */
export function decide(
  run: ActiveRun,
  op: string,
  { kind, name, attempt }: OpenOp,
  {
    decision,
    output = null,
    message = 'An operator decided that it failed.',
    by,
  }: { decision: DoubtDecision; output?: Json; message?: string | undefined; by: string },
  taken: string[] = [],
): void {
  const head = { kind, name, attempt }
  const decided: NewEvent = { type: 'step.decided', op, data: { ...head, decision, by } }
  if (decision === 'completed') {
    return run.append([decided, { type: 'step.completed', op, data: { ...head, output } }], {
      taken,
      frames: [{ type: 'op.completed', run: run.id, op, output }],
    })
  }
  if (decision === 'failed') {
    const failure: Failure = { message, code: 'decided', retryable: false }
    return run.append([decided, { type: 'step.failed', op, data: { ...head, failure, retryInMs: null } }], {
      taken,
      frames: [{ type: 'op.failed', run: run.id, op, failure }],
    })
  }
  // A step of the server begins when the worker asks for it.
  if ((kind === 'step' || kind === 'tool') && !run.history.hasInside(op))
    return run.append([decided], { taken, frames: [{ type: 'op.retry', run: run.id, op, attempt: attempt + 1, delayMs: 0 }] })
  // What was recorded inside it was kept from the worker, which therefore gets the whole history anew.
  run.mustReplay = run.send !== undefined
  run.append([decided], { taken })
  replayWhenSafe(run)
}

export function doubted(run: ActiveRun, { op, kind, name, attempt, needs, message }: Extract<RunFrame, { type: 'op.doubt' }>): void {
  run.left(op)
  const known = run.history.ops.get(op)
  if (known?.state !== 'open' || known.attempt !== attempt || known.doubt === needs || known.doubt === 'person') return
  run.append([{ type: 'step.doubted', op, data: { kind, name, attempt, needs, message: storableText(message) } }])
}

/** Hands the run back to be replayed, once nothing is under way that this would put in doubt. */
export function replayWhenSafe(run: ActiveRun): void {
  if (!run.mustReplay || run.isLeaving || run.history.interrupted().length > 0) return
  run.append([], { change: { state: 'running' } })
  run.leave('handed-back')
}
