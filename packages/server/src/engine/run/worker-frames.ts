/** Between a run and its worker: the history that the worker replays, and every frame that comes back. */
import { type ServerFrame, storableText, whyNotJson } from '@longhaul/protocol'
import type { ActiveRun } from './active-run.ts'
import { doubted, replayWhenSafe } from './doubts.ts'
import { storable } from './event-row.ts'
import { continued } from './new-runs.ts'
import type { RunFrame } from './ports.ts'
import { asked } from './server-steps.ts'
import { armTimers, idle, park, waited } from './waits.ts'
import { begun, done, errored } from './worker-steps.ts'

type Conversation = Pick<Extract<ServerFrame, { type: 'run.start' }>, 'messages' | 'handedTo'>

/** A worker is ready for it. `conversation` is what was said before in the session, and who has it. */
export function attach(run: ActiveRun, send: (frame: ServerFrame) => void, conversation: Conversation): void {
  // The history that the worker gets holds all results so far, and none may be told before it is durable.
  if (run.unwrittenCount > 0) return void (run.whenWritten = () => attach(run, send, conversation))
  if (run.isLeaving) return // While a worker was looked for it was cancelled, or went to another.
  run.send = send
  const entries = run.history.entries()
  const { id, agent, version, input, asker, sessionId, part, costUsdMax, createdAt, fork, withholdsWrites } = run.row
  const session = sessionId ?? fork?.session ?? null
  const delegated = { ...(part !== null && { part }), ...(costUsdMax !== null && { costUsdMax }), ...(withholdsWrites && { withholdsWrites }) }
  const head = { run: id, agent, version, input, asker, session, ...delegated, ...conversation, createdAt: createdAt.toISOString() }
  send({ type: 'run.start', ...head, historyLength: entries.length })
  for (let i = 0; i < entries.length; i += 500) send({ type: 'run.history', run: id, entries: entries.slice(i, i + 500) })
  run.history.forgetResults()
  armTimers(run)
}

/** A frame of the worker that executes the run. */
export function receive(run: ActiveRun, frame: RunFrame): void {
  if (run.isLeaving) return
  run.idleOps = undefined
  handle(run, frame)
  replayWhenSafe(run)
  run.checkBounds()
}

function handle(run: ActiveRun, frame: RunFrame): void {
  switch (frame.type) {
    case 'op.done':
      return done(run, frame)
    case 'op':
      return asked(run, frame)
    case 'op.begin':
      return begun(run, frame)
    case 'op.error':
      return errored(run, frame)
    case 'op.doubt':
      return doubted(run, frame)
    case 'op.wait':
      return waited(run, frame)
    case 'run.idle':
      return idle(run, frame.ops)
    case 'run.completed': {
      const problem = whyNotJson(frame.output)
      if (problem) return run.fail({ message: `The run's output cannot be stored: ${problem}.`, code: 'not_json', retryable: false })
      return run.end('ended', { type: 'run.completed', data: { output: frame.output } }, { state: 'completed', output: frame.output })
    }
    case 'run.failed':
      return run.fail(storable(frame.failure))
    case 'run.continued':
      return continued(run, frame.input)
    case 'run.diverged':
      return park(run, 'diverged', { op: frame.op, recorded: storableText(frame.recorded), asked: storableText(frame.asked) })
  }
}
