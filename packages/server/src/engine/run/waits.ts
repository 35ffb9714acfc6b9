/** Waits of a run: for a time, a signal, an approval, a child or an operator; and the sleep while there is nothing else. */
import { type ApprovalRule, type Failure, type Json, type ParkReason, type RuleSource, bothRules, whyNotJson } from '@longhaul/protocol'
import { newId } from '../../kernel/index.ts'
import type { NewEvent } from '../history.ts'
import type { ActiveRun } from './active-run.ts'
import type { RunFrame } from './ports.ts'

/** A run whose next timer is this near stays with its worker. */
const residentMs = 1_000
/** A run that only waits for children stays with its worker for so long: one of many is likely to end soon. */
const lingerMs = 1_000

export function waited(run: ActiveRun, { op, kind, name, timeoutMs, detail, rule: given, target }: Extract<RunFrame, { type: 'op.wait' }>): void {
  const known = run.history.ops.get(op)
  if (known?.state === 'waiting') return armTimers(run)
  if (known?.state === 'completed') return run.send?.({ type: 'op.completed', run: run.id, op, output: known.output })
  if (known?.state === 'failed') return run.send?.({ type: 'op.failed', run: run.id, op, failure: known.failure })
  const untilMs = timeoutMs === null ? null : run.ports.clock.latestMs() + timeoutMs
  const until = untilMs === null ? null : new Date(Math.ceil(untilMs)).toISOString()
  const problem = detail === undefined ? undefined : whyNotJson(detail)
  if (problem) return run.fail({ message: `The detail of ${kind} ${name} cannot be stored: ${problem}.`, code: 'not_json', retryable: false })
  if (kind === 'run' && (target === undefined || !run.history.children.has(target))) {
    const message = `Run ${target ?? '(none)'} was not started by this run, so its end cannot be waited for.`
    return run.stepFailed(op, kind, name, 1, { message, code: 'not_found', retryable: false }, null)
  }
  const approvalId = kind === 'approval' ? newId() : undefined
  const rule = approvalId ? ruleFor(run, detail, given) : undefined
  const ruleFrom: RuleSource | undefined = approvalId ? { policies: run.history.trust.refusedBy(detail), isOfCode: given !== undefined } : undefined
  if (rule === 'nobody') {
    const message = `The approval ${JSON.stringify(name)} is for ${given?.roles?.join(', ')}, and by the policies it is for others: nobody could decide it.`
    return run.fail({ message, code: 'invalid', retryable: false })
  }
  const created: NewEvent = {
    type: 'wait.created',
    op,
    data: {
      ...{ kind, name, until },
      ...(approvalId && { approvalId }),
      ...(kind === 'run' && { runId: target }),
      ...(detail !== undefined && { detail }),
      ...(rule && { rule }),
      ...(ruleFrom && { ruleFrom }),
    },
  }
  const signalled = kind === 'signal' ? run.history.signals.find((signal) => signal.name === name)?.payload : undefined
  const output: Json | undefined = kind === 'run' ? run.history.ends.get(target ?? '') : signalled
  if (output !== undefined) {
    return run.append([created, { type: 'wait.completed', op, data: { kind, name, output } }], {
      frames: [{ type: 'op.completed', run: run.id, op, output }],
    })
  }
  const { row } = run
  const approvals = approvalId
    ? [
        JSON.stringify({
          ...{ id: approvalId, tenant: row.tenantId, run: run.id, agent: row.agent, op, title: name, detail: detail ?? null, expires: untilMs },
          ruleFrom,
          ...(rule && { rule, escalates: rule.escalateAfterMs === undefined ? null : run.ports.clock.latestMs() + rule.escalateAfterMs }),
        }),
      ]
    : undefined
  run.append([created], { ...(approvals && { approvals }) })
  armTimers(run)
}

/** By whom the code wants it decided, and by whom the policies do that have refused what it is asked for. */
export function ruleFor(run: ActiveRun, detail: Json | undefined, given: ApprovalRule | undefined): ApprovalRule | 'nobody' | undefined {
  const needed = run.history.trust.neededFor(detail)
  return needed && given ? (bothRules(given, needed) ?? 'nobody') : (needed ?? given)
}

/** The code waits for nothing but these. The run goes to sleep, unless one of them is about to end. */
export function idle(run: ActiveRun, ops: string[]): void {
  let count = 0
  let nextMs = Infinity
  for (const [path, op] of run.history.waits()) {
    if (!ops.includes(path)) continue
    count++
    if (op.until !== null) nextMs = Math.min(nextMs, op.until)
  }
  for (const [path] of run.history.undecided()) if (ops.includes(path)) count++
  if (count < ops.length || run.executing.size > 0) return // Crossed with a result that is on its way to the worker.
  if (nextMs - run.ports.clock.nowMs() <= residentMs) return
  if (![...run.history.waits()].some(([path, op]) => op.kind === 'run' && ops.includes(path))) return sleep(run)
  run.idleOps = ops
  run.arm('linger', lingerMs, () => run.idleOps && sleep(run))
}

/** Gives the run back until a timer or a message. */
export function sleep(run: ActiveRun): void {
  const first = [...run.history.waits()].toSorted(([, a], [, b]) => (a.until ?? Infinity) - (b.until ?? Infinity))[0]
  const parked = run.history.parked
  const [doubt] = run.history.undecided()
  const wait: Json = parked
    ? { kind: 'operator', name: 'operator', until: null, reason: parked.reason, detail: parked.detail }
    : doubt
      ? { kind: 'operator', name: doubt[1].name, until: null, reason: 'in_doubt', op: doubt[0] }
      : first
        ? {
            kind: first[1].kind,
            name: first[1].name,
            until: first[1].until === null ? null : new Date(first[1].until).toISOString(),
            ...(first[1].approvalId && { approvalId: first[1].approvalId }),
            ...(first[1].runId && { runId: first[1].runId }),
          }
        : null
  run.append([], { change: { state: 'waiting', wait, dueMs: parked ? null : (first?.[1].until ?? null) } })
  run.leave('waiting')
}

/** It waits for an operator from here on. */
export function park(run: ActiveRun, reason: ParkReason, detail: Json): void {
  if (run.isLeaving) return
  run.append([{ type: 'wait.created', data: { kind: 'operator', name: 'operator', until: null, reason, detail } }], {})
  sleep(run)
}

/** Ends an open wait with an output. */
export function complete(run: ActiveRun, op: string, kind: string, name: string, output: Json, taken: string[] = [], before: NewEvent[] = []): void {
  run.disarm(op)
  run.append([...before, { type: 'wait.completed', op, data: { kind, name, output } }], {
    taken,
    frames: [{ type: 'op.completed', run: run.id, op, output }],
  })
}

export function fireTimers(run: ActiveRun): void {
  const nowMs = run.ports.clock.nowMs()
  const due = [...run.history.waits()].filter(([, op]) => op.until !== null && op.until <= nowMs).toSorted(([, a], [, b]) => (a.until ?? 0) - (b.until ?? 0))
  for (const [path, op] of due) {
    if (op.kind === 'timer') complete(run, path, 'timer', op.name, null)
    else {
      run.disarm(path)
      const failure: Failure = { message: `Nobody answered ${JSON.stringify(op.name)} in time.`, code: 'timed_out', retryable: false }
      run.append([{ type: 'wait.completed', op: path, data: { kind: op.kind, name: op.name, output: null, timedOut: true } }], {
        frames: [{ type: 'op.failed', run: run.id, op: path, failure }],
      })
    }
  }
}

/** Waits that end while the run is here. */
export function armTimers(run: ActiveRun): void {
  for (const [path, op] of run.history.waits()) {
    if (op.until === null || run.timers.has(path)) continue
    run.arm(path, Math.max(0, op.until - run.ports.clock.nowMs()), () => {
      fireTimers(run)
      if (!run.isLeaving) armTimers(run) // The clock was a little ahead: once more.
    })
  }
}
