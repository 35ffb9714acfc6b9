/** Waits for a run on behalf of a caller who gets one answer: to its end, to a wait for somebody, or to the end of patience. */
import type { Run, RunEvent } from '@longhaul/protocol'
import { isTerminal } from '@longhaul/protocol'
import type { Audience } from '../db/index.ts'
import { AppError, after as callAfter, monotonicMs } from '../kernel/index.ts'
import type { RunStream } from './event-stream.ts'

export type FollowOptions = {
  find(audience: Audience, runId: string): Promise<Run | undefined>
  stream: RunStream
  audience: Audience
  runId: string
  /** Ends the waiting, not the run. */
  signal: AbortSignal
  patienceMs: number
  onEvent(event: RunEvent): Promise<void> | void
  pollMs?: number
}

const readLimit = 100

/** The run as it is when there is something to tell: it has ended, it waits for a person or a signal, or the time is up. */
export async function followRun({ find, stream, audience, runId, signal, patienceMs, onEvent, pollMs = 2_000 }: FollowOptions): Promise<Run> {
  const until = monotonicMs() + patienceMs
  let ring = () => {}
  let isRung = false
  const wake = () => {
    isRung = true
    ring()
  }
  const unsubscribe = stream.subscribe(runId, wake, () => {})
  signal.addEventListener('abort', wake)
  let last = -1
  try {
    for (;;) {
      isRung = false
      const { events } = await stream.read(audience, runId, last, readLimit)
      for (const event of events) {
        last = event.seq
        await onEvent(event)
      }
      const run = await find(audience, runId)
      if (!run) throw new AppError('not_found', `No run ${runId}.`)
      if (events.length === readLimit && !signal.aborted) continue
      if (isTerminal(run.state) || waitsForSomebody(run) || signal.aborted || monotonicMs() >= until) return run
      if (isRung) continue
      await new Promise<void>((resolve) => {
        const cancel = callAfter(Math.min(pollMs, Math.max(1, until - monotonicMs())), resolve)
        ring = () => {
          cancel()
          resolve()
        }
      })
      ring = () => {}
    }
  } finally {
    unsubscribe()
    signal.removeEventListener('abort', wake)
  }
}

/** Time alone will not end such a wait. */
const waitsForSomebody = ({ state, wait }: Run): boolean => state === 'waiting' && wait !== null && wait.kind !== 'timer'
