/** The runs that this node owns: how they come here, are taken up and find a worker, and what follows when they go. */
import type { Compute, ServerFrame } from '@longhaul/protocol'
import { type Service, loop, probe } from '../kernel/index.ts'
import { claimRuns } from './claims.ts'
import type { EngineOptions } from './engine.ts'
import type { Journal } from './journal.ts'
import { startCursor } from './lane-store.ts'
import { type Scope, agentName, hasRoom, laneName, openSlots, tenantName } from './lanes.ts'
import { releaseStrays } from './node-store.ts'
import type { Node, NodeLicence } from './node.ts'
import { isFreeLane, stopOver } from './policies.ts'
import { type ClaimedRun, type InboxRow, type JournalRow, loadInbox, loadJournals, nextDueMs } from './run-store.ts'
import { ActiveRun } from './run/active-run.ts'
import type { RunFrame, RunPorts } from './run/ports.ts'
import { park } from './run/waits.ts'
import { isSuspect, wake } from './run/wake.ts'
import { attach, receive } from './run/worker-frames.ts'
import { handedToOf, releaseSessions, sessionLabels, sessionTurns } from './session-store.ts'
import type { Watchers } from './watchers.ts'

/** What a worker needs of a run. `send` gives frames to the worker; frames of the worker go to `receive`. */
export type Assignment = {
  readonly id: string
  readonly tenantId: string
  readonly agent: string
  readonly version: string
  /** It may have ended a worker before: give it one of its own. */
  readonly isSuspect: boolean
  /** It was cancelled or went to another node meanwhile: it needs no worker any more. */
  isOver(): boolean
  /** Until when the worker's code may begin something. */
  readonly licence: NodeLicence
  attach(send: (frame: ServerFrame) => void): void
  receive(frame: RunFrame): void
  /** What its worker has taken for it since it was last told. */
  meter(compute: Compute): void
  /** The worker is gone. */
  interrupt(reason: 'worker_lost' | 'worker_hung', message: string, isSuspect: boolean): void
  /** Its version's code does not load. */
  park(problem: string): void
  /** No worker could be had for it. The run is tried again later. */
  handBack(): void
}

export type OwnedRuns = {
  /** Those of active runs, and of starts that are being written to be executed here. */
  slots: ReturnType<typeof openSlots>
  claims: Service & { wake(): void }
  /** A run waits, due now or at that instant. One that is due only after the next look is found by that look. */
  expect(dueMs?: number): void
  /** Whether a run that is started now may begin here at once, passing nobody. */
  mayBegin(scope: Scope): boolean
  /** From the database into this process: claimed, or just started here. */
  take(row: ClaimedRun, nodeId: string): ActiveRun
  /** Finds a worker for it. */
  dispatch(run: ActiveRun): Promise<void>
  /** These are another's. */
  supersede(runIds: Iterable<string>): void
  /** Resolves when no worker executes any more of what was stopped. */
  ending(): Promise<unknown> | undefined
}

export type OwnedRunsOptions = {
  options: EngineOptions
  /** By id. The node counts them as its own. */
  active: Map<string, ActiveRun>
  node: Node
  journal: Journal
  watchers: Watchers
  isStopping(): boolean
  /** A run has ended whose end is somebody else's business. */
  onOwed(): void
}

const defaultBounds = { eventsMax: 50_000, bytesMax: 200_000_000 }
const sessionTurnsMax = 20

export function openOwnedRuns({ options, active, node, journal, watchers, isStopping, onOwed }: OwnedRunsOptions): OwnedRuns {
  const { db, log, activeMax = 1_000, pollMs = 500 } = options
  let isBacklogged = false
  /** Lanes in which runs were left waiting at the last look. Who starts in one of them waits behind them. */
  let leftOver = new Set<string>()
  let cursor = startCursor()
  const slots = openSlots()
  /** Stopped runs whose code has not ended yet. */
  const ending = new Set<Promise<void>>()
  /** There may be runs that the database says are ours and that are not here: the answer to a claim was lost. */
  let areStraysPossible = false
  const room = () => activeMax - slots.count()

  const ports: RunPorts = {
    journal,
    clock: node.clock,
    executors: options.executors,
    admitTool: options.admitTool,
    whyNotStart: options.whyNotStart ?? (async () => undefined),
    log,
    findVersion: options.findVersion,
    bounds: options.bounds ?? defaultBounds,
    onStarted: () => claims.wake(),
    onEvents: watchers.wake,
    onLive: (runId, op, frame) => watchers.live(runId, { ...frame, op }),
    onOver(run: ActiveRun, why: 'ended' | 'waiting' | 'superseded' | 'handed-back') {
      if (active.get(run.id) !== run) return // It was superseded before it heard of its own end, and may be here anew.
      active.delete(run.id)
      slots.give(run.row)
      if (why === 'superseded') areStraysPossible = true
      const isStopped = why === 'superseded' && stopOver(node.policies(), run.row, run.id) !== undefined
      const ended = options.onReleased(run.id, isStopped)
      if (ended) {
        ending.add(ended)
        void ended.finally(() => ending.delete(ended))
      }
      watchers.wake(run.id)
      watchers.wakeTenant(run.row.tenantId)
      if (why === 'ended' && run.owes) onOwed()
      if (why === 'ended' && run.row.sessionId !== null)
        void releaseSessions(db).then(
          (isReleased) => isReleased && claims.wake(),
          () => {},
        ) // The next look does it again.
      if (why !== 'ended' || isBacklogged || leftOver.size > 0) claims.wake()
    },
  }

  function take(row: ClaimedRun, nodeId: string): ActiveRun {
    active.get(row.id)?.supersede()
    const run = new ActiveRun(row, nodeId, ports)
    active.set(run.id, run)
    slots.take(row)
    return run
  }

  async function dispatch(run: ActiveRun): Promise<void> {
    const { fork } = run.row
    const spoken = fork ? { ...run.row, id: fork.runId, sessionId: fork.session } : run.row // A fork knows what its original was told, and is no part of the conversation.
    const turns = spoken.sessionId === null ? [] : await sessionTurns(db.forTenant(spoken.tenantId), spoken, sessionTurnsMax)
    const handedTo = handedToOf(turns.at(-1)?.output)
    const conversation = { messages: options.toMessages(turns), ...(handedTo !== undefined && { handedTo }) }
    if (spoken.sessionId !== null) run.history.trust.add(await sessionLabels(db.forTenant(spoken.tenantId), spoken))
    if (active.get(run.id) !== run || run.isLeaving) return
    run.isDispatched = true
    options.execute({
      id: run.id,
      tenantId: run.row.tenantId,
      agent: run.row.agent,
      version: run.row.version,
      isSuspect: isSuspect(run),
      isOver: () => run.isLeaving,
      licence: node.licence,
      attach: (send) => attach(run, send, conversation),
      receive: (frame) => receive(run, frame),
      meter: (compute) => run.meter(compute),
      interrupt: (reason, message, isSuspect) => run.interrupt(reason, message, isSuspect),
      park: (problem) => park(run, 'broken', { message: problem }),
      handBack: () => run.handBack(),
    })
  }

  /** When to look again: how many were claimed, and when a limit on starts lets one through. */
  async function claimOnce(): Promise<{ count: number; againMs?: number | undefined }> {
    const nodeId = node.current()
    if (nodeId === undefined) return { count: 0 }
    if (areStraysPossible) {
      areStraysPossible = false
      await releaseStrays(db, nodeId, [...active.keys()]).catch(missed)
    }
    if (room() <= 0) return { count: 0 }
    probe('claim.before')
    const claim = await claimRuns(db, { nodeId, fence: node.fence(), room: room(), held: slots, cursor }).catch(missed)
    probe('claim.after')
    cursor = claim.cursor
    leftOver = claim.leftOver
    if (claim.isFenceLost) await node.listen()
    const { runs: claimed, againMs } = claim
    if (claimed.length === 0) return { count: 0, againMs: claim.isFenceLost ? 0 : againMs }
    if (node.current() !== nodeId) return { count: claimed.length } // Claimed by a node that is no more: whoever buries it puts them up again.
    const runs = claimed.map((row) => take(row, nodeId))
    try {
      const ids = claimed.map((row) => row.id)
      const [journals, { messages, isComplete }] = await Promise.all([loadJournals(db, ids), loadInbox(db, ids)])
      const awake = runs.filter(
        (run) => active.get(run.id) === run && takeUp(run, journals.get(run.id) ?? [], messages.get(run.id) ?? [], isComplete ? run.row.inboxCount : 0),
      )
      for (const run of awake) await dispatch(run)
    } catch (error) {
      for (const run of runs) if (active.get(run.id) === run && !run.isDispatched) run.handBack()
      throw error
    }
    return { count: claimed.length, againMs }
  }

  const missed = (error: unknown): never => {
    areStraysPossible = true
    throw error
  }

  /** Whether it needs a worker. One run that cannot be read must not keep the others from being taken up. */
  function takeUp(run: ActiveRun, journal: JournalRow[], messages: InboxRow[], inboxCount: number): boolean {
    try {
      run.load(journal)
      return wake(run, messages, inboxCount)
    } catch (error) {
      log.error('a claimed run could not be taken up; it waits for an operator', { error, runId: run.id })
      run.block(`Its journal cannot be read: ${error instanceof Error ? error.message : String(error)}`)
      return false
    }
  }

  const claims = loop({
    everyMs: pollMs,
    onError: (error) => log.warn('claiming failed; it is tried again', { error }),
    async work() {
      if (isStopping()) return pollMs
      const { count, againMs } = await claimOnce()
      isBacklogged = room() <= 0
      if (count > 0 && !isBacklogged) return 0
      const [isReleased, dueMs] = await Promise.all([releaseSessions(db), isBacklogged || againMs !== undefined ? null : nextDueMs(db)])
      if (againMs !== undefined) return Math.min(pollMs, Math.ceil(againMs))
      if (isReleased && !isBacklogged) return 0
      return dueMs === null ? pollMs : Math.max(1, Math.min(pollMs, dueMs))
    },
  })

  return {
    slots,
    claims,
    take,
    dispatch,
    mayBegin: (scope) =>
      !isBacklogged &&
      !leftOver.has(laneName(scope)) &&
      hasRoom(slots.of(tenantName(scope)), room()) &&
      hasRoom(slots.of(agentName(scope)), room()) &&
      isFreeLane(node.policies(), scope),
    expect(dueMs) {
      if (dueMs === undefined || dueMs - node.clock.nowMs() < pollMs) claims.wake()
    },
    ending: () => (ending.size === 0 ? undefined : Promise.all(ending)),
    supersede(runIds) {
      for (const runId of runIds) active.get(runId)?.supersede()
      areStraysPossible = true // What was claimed while the database was asked looks as if it were another's.
      claims.wake()
    },
  }
}
