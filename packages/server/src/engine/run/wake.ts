/** Taking a run up: what has to happen before a worker sees it. */
import type { InboxRow } from '../run-store.ts'
import type { ActiveRun } from './active-run.ts'
import { settleInterrupted } from './doubts.ts'
import { takeInbox } from './inbox.ts'
import { fireTimers, park, sleep } from './waits.ts'

/** A run is parked when it has taken this many workers with it. */
export const interruptionsMax = 3
/** A run that has lost this many workers, though never by its own doing as far as anybody could tell, gets one of its own as well. */
const lossesMax = 8

/** What has to happen before a worker sees the run: messages, timers that are due. False when it needs no worker now. */
export function wake(run: ActiveRun, inbox: InboxRow[], inboxCount: number): boolean {
  run.isTakenUp = true
  settleInterrupted(run) // Before the messages: one of them may end the wait that a tool was in.
  takeInbox(run, inbox, inboxCount)
  if (run.isLeaving) return false
  if (run.history.parked) {
    sleep(run)
    return false
  }
  if (run.history.interruptionCount >= interruptionsMax) {
    const detail = {
      message: `The run has ended its worker ${run.history.interruptionCount} times. Look at the events run.interrupted, then retry or cancel it.`,
    }
    park(run, 'poison', detail)
    return false
  }
  fireTimers(run)
  if (run.history.paused() === undefined) return true
  sleep(run)
  return false
}

/** A run whose code was executing when two workers ended: the next one it has for itself, so that no other run pays for it. */
export const isSuspect = ({ history }: ActiveRun): boolean => history.interruptionCount > 1 || history.lossCount >= lossesMax
