/**
 * Operations whose intent is recorded before they are executed: tools, and steps that write. A write whose end is not known is never executed
 * again on a guess: what its author declared to find out is asked first, and a person when that is not there or does not know.
 */
import type { Effect } from '@longhaul/protocol'
import type { Checked } from './agent.ts'
import { after } from './after.ts'
import type { Execution } from './execution.ts'
import { toFailure } from './failure.ts'
import { beginFrame, doneFrame, doubtFrame } from './frames.ts'
import type { CallLimits, Op } from './operation.ts'
import { type Surroundings, inside } from './surroundings.ts'

export type Intended = {
  kind: 'step' | 'tool'
  /** JSON text for the journal. */
  input: string
  effect: Effect | undefined
  /** What it came to comes as the JSON text that is recorded. */
  check: ((attempt: number) => Promise<Checked<string>>) | undefined
  /** Executes it. Called when its intent is recorded. */
  execute(limits: CallLimits): void
}

const checkTriesMax = 3
const checkPauseMs = 200
/** A check that always finds nothing done must not have it tried for ever. */
const attemptsMax = 20

/** Does what is next for the operation: its check, its intent, or nothing while a person decides. */
export function startIntended(execution: Execution, op: Op, intended: Intended): void {
  if (op.doubt === 'person') return
  if (op.doubt === 'check') return execution.whenAdmitted(() => execution.isOpen(op) && op.doubt === 'check' && checkNext(execution, op, intended))
  op.begun = (limits) => {
    op.begun = undefined
    execution.whenAdmitted(() => intended.execute(limits))
  }
  // From here on, since the run is not standing still while the server records the intent.
  execution.startedExecuting()
  sendIntent(execution, op, intended, op.attempt)
}

/** Its end is not known here: its code says so, or it took too long. */
export function doubt(execution: Execution, op: Op, intended: Intended, error: unknown): void {
  const { message } = toFailure(error)
  const hasCheck = intended.check !== undefined && op.attempt < attemptsMax
  execution.send(doubtFrame(headOf(execution, op), intended.kind, op.attempt, hasCheck ? 'check' : 'person', message))
  if (!hasCheck) return execution.waitForPerson(op)
  op.doubt = 'check'
  checkNext(execution, op, intended)
}

function checkNext(execution: Execution, op: Op, intended: Intended, tries = 1): void {
  const { kind, check } = intended
  const giveUp = (why: string) => {
    execution.send(doubtFrame(headOf(execution, op), kind, op.attempt, 'person', why))
    execution.waitForPerson(op)
  }
  if (!check) return giveUp('Its code declares no check any more.')
  const surroundings: Surroundings = { run: execution.id, step: `${op.name} (its check)`, isOver: false }
  const startedAt = performance.now()
  execution.startedExecuting()
  execution.codeBegan()
  const ended = () => {
    surroundings.isOver = true
    execution.codeEnded()
    execution.stoppedExecuting()
    return execution.isOpen(op) && op.doubt === 'check' // An operator may have been quicker.
  }
  inside(surroundings, async () => check(op.attempt)).then(
    (found) => {
      if (!ended()) return
      if (!found.isDone) return sendIntent(execution, op, intended, op.attempt + 1)
      op.output = found.result
      execution.send(doneFrame(headOf(execution, op), kind, op.attempt, found.result, performance.now() - startedAt))
    },
    (error: unknown) => {
      if (!ended()) return
      if (tries >= checkTriesMax) return giveUp(`Its check failed: ${toFailure(error).message}`)
      after(checkPauseMs * 2 ** tries, () => execution.isOpen(op) && op.doubt === 'check' && checkNext(execution, op, intended, tries + 1))
    },
  )
}

function sendIntent(execution: Execution, op: Op, { kind, input, effect, check }: Intended, attempt: number): void {
  execution.send(beginFrame(headOf(execution, op), { kind, attempt, input, effect, isChecked: check !== undefined }))
}

const headOf = (execution: Execution, op: Op) => ({ run: execution.id, op: op.path, name: op.name })
