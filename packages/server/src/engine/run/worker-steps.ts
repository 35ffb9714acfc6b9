/** Steps that a run's worker executes itself: what it says of them, and what of it is recorded. */
import { type Json, type PolicyDecision, type ServerFrame, type StepKind, whyNotJson } from '@longhaul/protocol'
import { random } from '../../kernel/index.ts'
import { retryDelayMs } from '../retry.ts'
import type { ActiveRun } from './active-run.ts'
import { decide } from './doubts.ts'
import { storable } from './event-row.ts'
import type { RunFrame } from './ports.ts'
import { isWithheld, refuse, withhold } from './withhold.ts'

export function begun(run: ActiveRun, { op, kind, name, attempt, input, effect, isChecked }: Extract<RunFrame, { type: 'op.begin' }>): void {
  if (run.isDraining) return run.handBackAtBoundary()
  const known = run.history.ops.get(op)
  const begun: ServerFrame = { type: 'op.begun', run: run.id, op }
  if (known?.state === 'open' && known.doubt) {
    if (known.doubt !== 'check' || attempt !== known.attempt + 1) return
    decide(run, op, known, { decision: 'execute', by: 'check' })
    return
  }
  if (isRefusedInput(run, op, kind, name, attempt, input)) return
  if (isWithheld(run, effect)) return known?.state === 'failed' ? undefined : withhold(run, { op, kind, name, attempt, input, effect })
  if (known?.state === 'open' && known.isStarted && known.attempt === attempt) return run.send?.(begun)
  const record = (keepTo: { timeoutMs?: number; resultCharactersMax?: number } = {}, policy?: PolicyDecision) =>
    run.append([{ type: 'step.started', op, data: { kind, name, attempt, input, effect, ...(isChecked && { isChecked }), ...(policy && { policy }) } }], {
      frames: [{ ...begun, ...keepTo }],
    })
  const { admitTool } = run.ports
  if (kind !== 'tool' || !admitTool) return record()
  if (run.admitting.has(op)) return
  run.admitting.add(op)
  const granted = run.history.trust.granted(op, { tool: name, input })
  void admitTool({ run: run.row, name, attempt, input, labels: run.labels ?? [], granted }).then((admission) => {
    run.admitting.delete(op)
    const { policy } = admission
    if (admission.failure) {
      if (run.isLeaving) return
      const failure = storable(admission.failure)
      // Who may allow it, may allow these arguments: so they are recorded.
      if (policy && failure.code === 'needs_approval') return refuse(run, { op, kind, name, attempt, input, effect }, failure, { policy })
      return run.stepFailed(op, kind, name, attempt, failure, null, undefined, [], policy && { policy })
    }
    const { timeoutMs, resultCharactersMax, leave } = admission
    if (run.isLeaving) return leave?.() // Whoever takes the run up asks anew.
    if (leave) run.leaves.set(op, leave)
    record({ ...(timeoutMs !== undefined && { timeoutMs }), ...(resultCharactersMax !== undefined && { resultCharactersMax }) }, policy)
  })
}

export function done(run: ActiveRun, { op, kind, name, attempt, output, durationMs }: Extract<RunFrame, { type: 'op.done' }>): void {
  run.left(op)
  const known = run.history.ops.get(op)
  if (known && known.state !== 'open') return
  if (known?.doubt) {
    // What its check has found. Only an operator may answer what is put to one.
    if (known.doubt === 'check' && whyNotJson(output) === undefined) decide(run, op, known, { decision: 'completed', output, by: 'check' })
    return
  }
  const problem = whyNotJson(output)
  if (problem)
    return run.stepFailed(
      op,
      kind,
      name,
      attempt,
      { message: `The result of ${kind} ${name} cannot be stored: ${problem}.`, code: 'not_json', retryable: false },
      null,
    )
  run.append([{ type: 'step.completed', op, data: { kind, name, attempt, output, durationMs } }], { frames: [{ type: 'op.completed', run: run.id, op }] })
}

export function errored(run: ActiveRun, { op, kind, name, attempt, failure: found, retry, durationMs }: Extract<RunFrame, { type: 'op.error' }>): void {
  run.left(op)
  const known = run.history.ops.get(op)
  if (known?.state === 'open' && known.doubt) return
  const failure = storable(found)
  const delayMs = retryDelayMs(attempt, failure, retry ?? { attemptsMax: 1, delayMsMin: 0, delayMsMax: 0 }, random)
  run.stepFailed(op, kind, name, attempt, failure, delayMs, durationMs)
}

/** The SDK refuses such an input at the call. Other workers may not. */
export function isRefusedInput(run: ActiveRun, op: string, kind: StepKind, name: string, attempt: number, input: Json): boolean {
  const problem = whyNotJson(input)
  if (problem)
    run.stepFailed(op, kind, name, attempt, { message: `The input of ${kind} ${name} cannot be stored: ${problem}.`, code: 'not_json', retryable: false }, null)
  return problem !== undefined
}
