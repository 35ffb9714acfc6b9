/** The durable engine: starts runs, claims due ones, has them executed, and takes them back when they sleep or end. */
import { type Json, type Message, type Run, type RunEvent, isTerminal } from '@longhaul/protocol'
import type { Audience, Db } from '../db/index.ts'
import { AppError, type Log, type Service, loop, monotonicMs, probe, sleep, withTimeout } from '../kernel/index.ts'
import { type Copies, makeCopies } from './copies.ts'
import { type Decisions, makeDecisions } from './decisions.ts'
import { settleEndings } from './endings.ts'
import type { Booking } from './flush-store.ts'
import { openJournal } from './journal.ts'
import { type Lists, openLists } from './lists.ts'
import { type Messages, openMessages } from './messages.ts'
import { type Node, openNode } from './node.ts'
import { type Assignment, openOwnedRuns, type OwnedRuns } from './owned-runs.ts'
import { findRun, listEvents, loadInbox, loadRun, nextDueMs, ownedWithInbox } from './run-store.ts'
import type { ActiveRun } from './run/active-run.ts'
import { eventRow } from './run/event-row.ts'
import { takeInbox } from './run/inbox.ts'
import type { Bounds, Executors, FoundVersion, RunPorts } from './run/ports.ts'
import { type Schedules, openSchedules } from './schedules.ts'
import { type SessionTurn, hasLeftOver, startLeftOver } from './session-store.ts'
import { type Start, assertNotStopped, makeStartRun } from './starts.ts'
import { type Watchers, openWatchers } from './watchers.ts'

export type EngineOptions = {
  db: Db
  log: Log
  leaseMs: number
  executors: Executors
  /** The version that a run gets which another run or a schedule starts, or why there is none. */
  findVersion(tenantId: string, agent: string, askerId?: string): Promise<FoundVersion>
  bounds?: Bounds
  /** Runs have ended that have destinations, or may have. Called until it resolves, so perhaps more than once for a run. */
  onEnded?(runIds: string[]): Promise<void>
  /** Whether a tool call may be made: see `RunPorts`. Absent: all may. */
  admitTool?: RunPorts['admitTool']
  /** Whether a schedule or a run may start another one: see `RunPorts`. Absent: all may. */
  whyNotStart?: RunPorts['whyNotStart']
  /** Finds a worker for the run. Must not throw. */
  execute(assignment: Assignment): void
  /** Tells whoever executes it that the run is over here. When it was stopped, what it is doing has to end at once; resolves when it has. Must not reject. */
  onReleased(runId: string, isStopped: boolean): Promise<void> | void
  /** How a run's input and output read as words of a conversation. */
  toMessages(turns: SessionTurn[]): Message[]
  /** What executors' `book` writes into, in the flush that records their step. */
  booking?: Booking
  /** Runs executed here at once. The others wait in the database. */
  activeMax?: number
  pollMs?: number
  /** How long `stop` waits for what is under way: a run is handed over at its next step boundary, and as it is when the time is up. */
  drainMs?: number
}

export type Engine = Service &
  Copies &
  Decisions &
  Messages & {
    schedules: Schedules
    startRun(start: Start): Promise<Run>
    /** Throws `conflict` while a stop is in force over it, as this node has last heard. */
    assertNotStopped(scope: { tenantId: string; namespace: string; agent: string }): void
    readEvents(audience: Audience, runId: string, after: number, limit: number): Promise<{ events: RunEvent[]; isEnded: boolean }>
    watch: Watchers['watch']
    lists: Lists
    /** Rejects while the database does not answer or this node is not registered. */
    assertHealthy(): Promise<void>
    stats(): { activeCount: number; flushCount: number; rowCount: number }
  }

export function openEngine(options: EngineOptions): Engine {
  const { db, log, leaseMs, pollMs = 500, drainMs = 0 } = options
  const active = new Map<string, ActiveRun>()
  const watchers = openWatchers(log)
  let isStopping = false
  const node: Node = openNode({ db, log, leaseMs, owned: active, onSuperseded: (runIds) => owned.supersede(runIds), ending: () => owned.ending() })
  const journal = openJournal({ db, node, log, booking: options.booking })
  const owned: OwnedRuns = openOwnedRuns({ options, active, node, journal, watchers, isStopping: () => isStopping, onOwed: () => endings.wake() })

  const inboxes = loop({
    everyMs: pollMs,
    onError: (error) => log.warn('reading messages failed; it is tried again', { error }),
    async work() {
      await node.listen()
      const nodeId = node.current()
      const runIds = nodeId === undefined ? [] : await ownedWithInbox(db, nodeId)
      if (runIds.length > 0) await readInbox(runIds)
    },
  })

  /** What was said to a run that has ended goes to the next run of its session. */
  async function takeUpLeftOver(runId: string, tenantId: string): Promise<void> {
    if (!(await hasLeftOver(db, runId))) return
    const run = await findRun(db.forTenant(tenantId), { tenantId, askerId: undefined }, runId)
    const found = run && (await options.findVersion(tenantId, run.agent))
    if (!found || 'problem' in found) return log.error('what was said to a run cannot be taken up: its agent has no version that runs', { runId })
    const eventOf = (id: string, { input, labels }: { input: Json; labels: string[] }) => {
      const data = { input, ...(labels.length > 0 && { labels }) }
      const { hash } = eventRow({ runId: id, tenantId, epoch: 0, seq: 0, previousHash: '' }, { type: 'run.started', data }, true)
      return { epoch: 0, data: JSON.stringify(data), hash: `\\x${hash}` }
    }
    if ((await startLeftOver(db.forTenant(tenantId), runId, found.version, eventOf)) > 0) owned.claims.wake()
  }

  const endings = loop({
    everyMs: pollMs,
    onError: (error) => log.warn('telling others of the ends of runs failed; it is tried again', { error }),
    async work() {
      const count = await settleEndings({
        db,
        onEnded: options.onEnded ?? (async () => {}),
        tell(runId, nodeId) {
          probe('ending.after')
          deliver(runId, nodeId)
        },
        takeUpLeftOver,
      })
      return count > 0 ? 0 : pollMs
    },
  })

  const burials = loop({
    everyMs: Math.max(500, leaseMs / 4),
    onError: (error) => log.warn('looking for nodes that went away failed; it is tried again', { error }),
    async work() {
      if ((await node.buryDead()) > 0) owned.claims.wake()
    },
  })

  async function readInbox(runIds: string[]): Promise<void> {
    const { messages: byRun } = await loadInbox(db, runIds)
    for (const [runId, messages] of byRun) {
      const run = active.get(runId)
      if (run) takeInbox(run, messages, 0)
    }
  }

  function deliver(runId: string, nodeId: string | null | undefined): void {
    if (nodeId === null) owned.claims.wake()
    else if (active.has(runId)) void readInbox([runId]).catch(() => {}) // The next look does it again.
  }

  const startRun = makeStartRun({ db, node, journal, active, owned, isStopping: () => isStopping, deliver })
  const { service: pulse, ...lists } = openLists({ db, log, watchers })
  const schedules = openSchedules({
    ...{ db, log, pollMs, findVersion: options.findVersion, whyNotStart: options.whyNotStart ?? (async () => undefined) },
    onFired: () => owned.claims.wake(),
  })

  return {
    schedules,
    ...makeDecisions({
      db,
      async onDecided() {
        await node.listen()
        owned.claims.wake()
      },
    }),
    ...makeCopies({ db, nowMs: () => node.clock.nowMs(), onStarted: () => owned.claims.wake(), assertMayStart: (scope) => assertNotStopped(node, scope) }),
    ...openMessages({ db, node, watchers, deliver }),
    assertNotStopped: (scope) => assertNotStopped(node, { ...scope, laneKey: '' }),
    async startRun(start) {
      const run = await startRun(start)
      watchers.wakeTenant(start.tenantId)
      return run
    },

    async readEvents(audience, runId, after, limit) {
      const run = await loadRun(db, audience, runId)
      return { events: await listEvents(db.forTenant(audience.tenantId), audience.tenantId, runId, after, limit), isEnded: isTerminal(run.state) }
    },

    watch: watchers.watch,
    lists,

    async assertHealthy() {
      if (isStopping) throw new AppError('unavailable', 'The server is stopping.')
      await withTimeout(3_000, nextDueMs(db), () => new AppError('unavailable', 'The database does not answer.'))
    },

    stats: () => ({ activeCount: active.size, ...journal.stats }),

    async start() {
      isStopping = false
      await node.start()
      await journal.start()
      for (const service of [owned.claims, inboxes, endings, burials, schedules.service, pulse]) await service.start()
    },

    async stop() {
      isStopping = true
      for (const service of [schedules.service, owned.claims]) await service.stop()
      if (drainMs > 0) for (const run of [...active.values()]) run.drain()
      for (const from = monotonicMs(); active.size > 0 && monotonicMs() - from < drainMs;) await sleep(20)
      for (const service of [pulse, inboxes, endings, burials]) await service.stop()
      for (const run of [...active.values()]) run.handBack()
      await journal.stop()
      await node.stop()
      for (const run of [...active.values()]) run.supersede() // Those whose hand-over could not be written. The next start takes them up.
    },
  }
}
