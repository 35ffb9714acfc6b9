/** The durable engine: starts runs, claims due ones, has them executed, and takes them back when they sleep or end. */
import { createHash } from 'node:crypto'
import {
  type Approval,
  type Asker,
  type Destination,
  type DoubtDecision,
  type Json,
  type LiveFrame,
  type Message,
  type Priority,
  type Run,
  type RunEvent,
  type ServerFrame,
  isTerminal,
  may,
  whyNotJson,
} from '@longhaul/protocol'
import { type Audience, type Db, audienceOf, noteAudit } from '../db/index.ts'
import { AppError, type Log, type Service, loop, monotonicMs, newId, probe, sleep, withTimeout } from '../kernel/index.ts'
import { ActiveRun, type Bounds, type Executors, type RunFrame, type RunPorts, type StepContext, eventRow } from './active-run.ts'
import { findApproval, recordDecision } from './approval-store.ts'
import { claimRuns } from './claims.ts'
import { type Decisions, makeDecisions } from './decisions.ts'
import { settleEndings } from './endings.ts'
import type { Booking } from './flush-store.ts'
import { type Journal, openJournal } from './journal.ts'
import { startCursor } from './lane-store.ts'
import { type Scope, agentName, hasRoom, laneName, openSlots, ranks, tenantName } from './lanes.ts'
import { releaseStrays } from './node-store.ts'
import { type Node, openNode } from './node.ts'
import { isFreeLane, stopOver } from './policies.ts'
import { type Schedules, openSchedules } from './schedules.ts'
import type { StopInForce } from './stop-store.ts'
import {
  type ClaimedRun,
  type InboxRow,
  type JournalRow,
  type NewRun,
  type SessionTurn,
  findByIdempotencyKey,
  findContinuation,
  findRun,
  insertSessionRun,
  listEvents,
  listStepEvents,
  loadInbox,
  loadJournals,
  nextDueMs,
  ownedWithInbox,
  releaseSessions,
  sendMessage,
  sessionTurns,
} from './run-store.ts'

export type Start = {
  tenantId: string
  namespace?: string | undefined
  agent: string
  version: string
  input: Json
  asker: Asker
  session?: string | undefined
  idempotencyKey?: string | undefined
  /** Runs of an agent with the same lane key wait in a lane of their own. */
  laneKey?: string | undefined
  priority?: Priority | undefined
  /** Not before this instant of the database's clock. */
  startAt?: Date | undefined
  /** Not before so long from now. */
  delayMs?: number | undefined
  /** Where its end is told. */
  destinations?: Destination[] | undefined
}

export type StepDecision = { runId: string; op: string; decision: DoubtDecision; output: Json; message?: string | undefined }

/** What a worker needs of a run. `send` gives frames to the worker; frames of the worker go to `receive`. */
export type Assignment = {
  readonly id: string
  readonly tenantId: string
  readonly agent: string
  readonly version: string
  /** It may have ended a worker before: give it one of its own. */
  readonly isSuspect: boolean
  /** It was cancelled or went to another node meanwhile: it needs no worker any more. */
  readonly isOver: boolean
  attach(send: (frame: ServerFrame) => void): void
  receive(frame: RunFrame): void
  /** The worker is gone. */
  interrupt(reason: 'worker_lost' | 'worker_hung', message: string, isSuspect: boolean): void
  /** Its version's code does not load. */
  park(problem: string): void
  /** No worker could be had for it. The run is tried again later. */
  handBack(): void
}

export type EngineOptions = {
  db: Db
  log: Log
  leaseMs: number
  executors: Executors
  /** The version that a run gets which another run or a schedule starts, or why there is none. */
  findVersion(tenantId: string, agent: string): Promise<{ version: string } | { problem: string }>
  bounds?: Bounds
  /** Runs have ended that have destinations, or may have. Called until it resolves, so perhaps more than once for a run. */
  onEnded?(runIds: string[]): Promise<void>
  /** Whether a tool call may be made: see `RunPorts`. Absent: all may. */
  admitTool?: RunPorts['admitTool']
  /** Finds a worker for the run. Must not throw. */
  execute(assignment: Assignment): void
  /** Tells whoever executes it that the run is over here. When it was stopped, what it is doing has to end at once. */
  onReleased(runId: string, isStopped: boolean): void
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

export type Watcher = { onWake(): void; onLive(frame: LiveFrame): void }

export type Engine = Service &
  Decisions & {
    schedules: Schedules
    startRun(start: Start): Promise<Run>
    cancel(audience: Audience, runId: string, by: string, reason?: string): Promise<Run>
    signal(audience: Audience, runId: string, by: string, name: string, payload: Json, idempotencyKey?: string): Promise<Run>
    retry(audience: Audience, runId: string, by: string): Promise<Run>
    /** Decides a write that is in doubt. The first decision counts. */
    decideStep(audience: Audience, by: string, decision: StepDecision): Promise<Run>
    decide(audience: Audience, by: string, approvalId: string, approved: boolean, comment?: string): Promise<Approval>
    readEvents(audience: Audience, runId: string, after: number, limit: number): Promise<{ events: RunEvent[]; isEnded: boolean }>
    watch(runId: string, watcher: Watcher): () => void
    /** Rejects while the database does not answer or this node is not registered. */
    assertHealthy(): Promise<void>
    stats(): { activeCount: number; flushCount: number; rowCount: number }
  }

const inputBytesMax = 1_000_000
const sessionTurnsMax = 20
const startTimeoutMs = 15_000

export function openEngine(options: EngineOptions): Engine {
  const { db, log, leaseMs, activeMax = 1_000, pollMs = 500, drainMs = 0 } = options
  const active = new Map<string, ActiveRun>()
  const watchers = new Map<string, Set<Watcher>>()
  let isStopping = false
  let isBacklogged = false
  /** Lanes in which runs were left waiting at the last look. Who starts in one of them waits behind them. */
  let leftOver = new Set<string>()
  let cursor = startCursor()
  /** Those of active runs, and of starts that are being written to be executed here. */
  const slots = openSlots()
  /** There may be runs that the database says are ours and that are not here: the answer to a claim was lost. */
  let areStraysPossible = false
  const room = () => activeMax - slots.count()

  const node: Node = openNode({
    db,
    log,
    leaseMs,
    owned: active,
    onSuperseded(runIds) {
      for (const runId of runIds) active.get(runId)?.supersede()
      areStraysPossible = true // What was claimed while the database was asked looks as if it were another's.
      claims.wake()
    },
  })
  const journal: Journal = openJournal({ db, node, log, booking: options.booking })

  /** A watcher at fault is its own affair, never the run's. */
  function tellWatchers(runId: string, tell: (watcher: Watcher) => void): void {
    for (const watcher of watchers.get(runId) ?? []) {
      try {
        tell(watcher)
      } catch (error) {
        log.warn('somebody who watches a run failed', { error, runId })
      }
    }
  }

  const ports = {
    journal,
    clock: node.clock,
    executors: options.executors,
    admitTool: options.admitTool,
    log,
    findVersion: options.findVersion,
    bounds: options.bounds ?? { eventsMax: 50_000, bytesMax: 200_000_000 },
    onStarted: () => claims.wake(),
    onEvents: (runId: string) => tellWatchers(runId, (watcher) => watcher.onWake()),
    onLive: (runId: string, op: string, frame: Parameters<StepContext['live']>[0]) => tellWatchers(runId, (watcher) => watcher.onLive({ ...frame, op })),
    onOver(run: ActiveRun, why: 'ended' | 'waiting' | 'superseded' | 'handed-back') {
      if (active.get(run.id) !== run) return // It was superseded before it heard of its own end, and may be here anew.
      active.delete(run.id)
      slots.give(run.row)
      if (why === 'superseded') areStraysPossible = true
      options.onReleased(run.id, why === 'superseded' && stopOver(node.policies(), run.row, run.id) !== undefined)
      tellWatchers(run.id, (watcher) => watcher.onWake())
      if (why === 'ended' && run.owes) endings.wake()
      if (why === 'ended' && run.row.sessionId !== null)
        void releaseSessions(db).then(
          (isReleased) => isReleased && claims.wake(),
          () => {},
        ) // The next look does it again.
      if (why !== 'ended' || isBacklogged || leftOver.size > 0) claims.wake()
    },
  }

  /** From the database into this process: claimed, or just started here. */
  function take(row: ClaimedRun, nodeId: string): ActiveRun {
    active.get(row.id)?.supersede()
    const run = new ActiveRun(row, nodeId, ports)
    active.set(run.id, run)
    slots.take(row)
    return run
  }

  async function dispatch(run: ActiveRun): Promise<void> {
    const messages = run.row.sessionId === null ? [] : options.toMessages(await sessionTurns(db.forTenant(run.row.tenantId), run.row, sessionTurnsMax))
    if (active.get(run.id) !== run || run.isLeaving) return
    run.isDispatched = true
    options.execute({
      id: run.id,
      tenantId: run.row.tenantId,
      agent: run.row.agent,
      version: run.row.version,
      isSuspect: run.isSuspect,
      get isOver() {
        return run.isLeaving
      },
      attach: (send) => run.attach(send, messages),
      receive: (frame) => run.receive(frame),
      interrupt: (reason, message, isSuspect) => run.interrupt(reason, message, isSuspect),
      park: (problem) => run.park('broken', { message: problem }),
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
        (run) => active.get(run.id) === run && wake(run, journals.get(run.id) ?? [], messages.get(run.id) ?? [], isComplete ? run.row.inboxCount : 0),
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
  function wake(run: ActiveRun, journal: JournalRow[], messages: InboxRow[], inboxCount: number): boolean {
    try {
      run.load(journal)
      return run.wake(messages, inboxCount)
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
      if (isStopping) return pollMs
      const { count, againMs } = await claimOnce()
      isBacklogged = room() <= 0
      if (count > 0 && !isBacklogged) return 0
      await releaseSessions(db)
      if (againMs !== undefined) return Math.min(pollMs, Math.ceil(againMs))
      const dueMs = isBacklogged ? null : await nextDueMs(db)
      return dueMs === null ? pollMs : Math.max(1, Math.min(pollMs, dueMs))
    },
  })

  const inboxes = loop({
    everyMs: pollMs,
    onError: (error) => log.warn('reading messages failed; it is tried again', { error }),
    async work() {
      await node.listen()
      const nodeId = node.current()
      const owned = nodeId === undefined ? [] : await ownedWithInbox(db, nodeId)
      if (owned.length > 0) await readInbox(owned)
    },
  })

  const endings = loop({
    everyMs: pollMs,
    onError: (error) => log.warn('telling others of the ends of runs failed; it is tried again', { error }),
    async work() {
      const count = await settleEndings(db, options.onEnded ?? (async () => {}), (runId, nodeId) => {
        probe('ending.after')
        deliver(runId, nodeId)
      })
      return count > 0 ? 0 : pollMs
    },
  })

  const burials = loop({
    everyMs: Math.max(500, leaseMs / 4),
    onError: (error) => log.warn('looking for nodes that went away failed; it is tried again', { error }),
    async work() {
      if ((await node.buryDead()) > 0) claims.wake()
    },
  })

  async function readInbox(runIds: string[]): Promise<void> {
    const { messages: byRun } = await loadInbox(db, runIds)
    for (const [runId, messages] of byRun) active.get(runId)?.takeInbox(messages, 0)
  }

  /** `ended` when the run takes nothing more, `repeated` when a message with that key was there before. */
  async function send(
    { tenantId, keyId }: Audience,
    runId: string,
    message: { kind: 'signal' | 'cancel' | 'retry' | 'decision'; name: string; payload: Json; sentBy: string; idempotencyKey?: string | undefined },
  ): Promise<'sent' | 'repeated' | 'ended'> {
    probe('message.before')
    const sent = await db.forTenant(tenantId).transaction(async (tx) => {
      const run = await sendMessage(tx, { id: newId(), tenantId, runId, ...message })
      if (run)
        await noteAudit(tx, { who: { id: keyId ?? null, name: message.sentBy }, action: `runs.${message.kind}`, target: runId, detail: { name: message.name } })
      return run
    })
    probe('message.after')
    if (!sent) return 'ended'
    deliver(runId, sent.nodeId)
    return sent.isNew ? 'sent' : 'repeated'
  }

  /** The message is in the database, so it arrives. This is only to have it arrive at once. */
  function deliver(runId: string, nodeId: string | null | undefined): void {
    if (nodeId === null) claims.wake()
    else if (active.has(runId)) void readInbox([runId]).catch(() => {}) // The next look does it again.
  }

  const load = async (audience: Audience, runId: string): Promise<Run> => {
    const run = await findRun(db.forTenant(audience.tenantId), audience, runId)
    if (!run) throw new AppError('not_found', `No run ${runId}.`)
    return run
  }

  /** The run, or the one that it has continued as: whoever talks to the first means the last. */
  async function loadCurrent(audience: Audience, runId: string): Promise<Run> {
    const run = await load(audience, runId)
    return run.continuedAs === null ? run : ((await findContinuation(db, audience, runId)) ?? run)
  }

  /** Waits until the run is as `isDone` wants it, or the time is up; returns it either way. */
  async function until(audience: Audience, runId: string, isDone: (run: Run) => boolean, limitMs = 5_000): Promise<Run> {
    const from = node.clock.nowMs()
    for (;;) {
      const run = await load(audience, runId)
      if (isDone(run) || node.clock.nowMs() - from > limitMs) return run
      await new Promise<void>((resolve) => {
        const stop = engine.watch(runId, { onWake: done, onLive: () => {} })
        const timer = new AbortController()
        function done() {
          stop()
          timer.abort()
          resolve()
        }
        void sleep(100, timer.signal).then(done)
      })
    }
  }

  async function sameRequest(audience: Audience, agent: string, key: string, requestHash: string): Promise<Run> {
    const found = await findByIdempotencyKey(db.forTenant(audience.tenantId), audience.tenantId, agent, key)
    if (!found) throw new AppError('unavailable', 'The run of this idempotency key is being started. Try again.')
    if (found.requestHash === requestHash) return found.run
    const owner = (await findRun(db.forTenant(audience.tenantId), audience, found.run.id))
      ? `run ${found.run.id}, which was started with another input or by another key`
      : 'another request'
    throw new AppError('conflict', `The idempotency key ${JSON.stringify(key)} belongs to ${owner}. Use a new one for a new request.`)
  }

  const schedules = openSchedules({ db, log, pollMs, findVersion: options.findVersion, onFired: () => claims.wake() })

  const engine: Engine = {
    schedules,
    ...makeDecisions({
      db,
      async onDecided() {
        await node.listen()
        claims.wake()
      },
    }),

    async startRun({ tenantId, agent, version, input, asker, session, idempotencyKey, ...more }) {
      const { namespace = 'default', laneKey = '', priority, startAt, delayMs, destinations: wanted = [] } = more
      if (isStopping) throw new AppError('unavailable', 'The server is stopping. Try again in a moment.')
      assertStorable({ session, idempotencyKey, laneKey })
      const isDelayed = startAt !== undefined || delayMs !== undefined
      if (startAt !== undefined && delayMs !== undefined) throw new AppError('invalid', 'startAt and delayMs: give one of them.')
      if (isDelayed && session !== undefined)
        throw new AppError('invalid', 'A run of a session starts when the one before it has ended; it takes no startAt or delayMs.')
      const scope: Scope = { tenantId, namespace, agent, laneKey }
      const stop = stopOver(node.policies(), scope)
      if (stop) throw stoppedError(stop)
      const problem = whyNotJson(input, 'input')
      if (problem) throw new AppError('invalid', `The input cannot be stored: ${problem}.`)
      const inputText = JSON.stringify(input)
      if (inputText.length > inputBytesMax) throw new AppError('too_large', `The input is ${inputText.length} bytes; at most ${inputBytesMax} are taken.`)
      const destinations = wanted.length > 0 ? wanted : null
      const id = newId()
      const audience: Audience = { ...audienceOf(tenantId, asker), namespaces: [namespace] }
      // Another key's request is never the same one: its run, and so its answer, may hold what this asker may not see.
      const requestHash = createHash('sha256')
        .update(
          JSON.stringify([
            agent,
            session ?? null,
            asker.id,
            input,
            ...(destinations ? [destinations] : []),
            ...(isPlain({ namespace, laneKey, priority, startAt, delayMs }) ? [] : [namespace, laneKey, priority, startAt, delayMs]),
          ]),
        )
        .digest('hex')
      const dueMs = startAt?.getTime() ?? (delayMs === undefined ? undefined : Math.ceil(node.clock.latestMs() + delayMs))
      const until = dueMs !== undefined && dueMs > node.clock.nowMs() ? new Date(dueMs).toISOString() : undefined
      const wait = until === undefined ? null : { kind: 'timer' as const, name: 'start', until }
      let isHere =
        session === undefined &&
        wait === null &&
        !isBacklogged &&
        !leftOver.has(laneName(scope)) &&
        hasRoom(slots.of(tenantName(scope)), room()) &&
        hasRoom(slots.of(agentName(scope)), room()) &&
        isFreeLane(node.policies(), scope)
      const startedEvent = (isBegun: boolean) =>
        eventRow({ runId: id, tenantId, epoch: isBegun ? 1 : 0, seq: 0, previousHash: '' }, { type: 'run.started', data: { input } }, true)
      const rank = ranks[priority ?? 'normal']
      if (session !== undefined) {
        const run: NewRun = { ...scope, id, rank, version, sessionId: session, input, asker, idempotencyKey: idempotencyKey ?? null, requestHash, destinations }
        const isNew = await insertSessionRun(db.forTenant(tenantId), run, { epoch: 0, data: JSON.stringify({ input }), hash: `\\x${startedEvent(false).hash}` })
        if (!isNew) return sameRequest(audience, agent, idempotencyKey ?? '', requestHash)
        claims.wake()
        return load(audience, id)
      }
      const write = (isHere: boolean) => {
        const first = startedEvent(isHere)
        const state = isHere ? 'running' : 'pending'
        const { namespace: name, laneKey: lane } = scope
        const key = idempotencyKey ?? null
        const start = JSON.stringify({
          id,
          tenant: tenantId,
          namespace: name,
          agent,
          lane,
          rank,
          version,
          state,
          wait,
          input,
          asker,
          key,
          hash: requestHash,
          due: dueMs,
          ...(destinations && { destinations }),
        })
        if (isHere) slots.take(scope)
        const settled = () => {
          if (isHere) slots.give(scope)
        }
        return new Promise<'new' | 'known' | 'not-free'>((resolve, reject) =>
          journal.append({
            runId: id,
            epoch: 1,
            start,
            begins: isHere ? scope : undefined,
            events: [first.text],
            bytes: start.length + first.text.length,
            onDurable(isNew, nodeId) {
              settled()
              resolve(isNew ? 'new' : 'known')
              // Under another name of this node than it was written with the run is not ours: whoever buries that node takes it up.
              if (!isNew || !isHere || isStopping || node.current() !== nodeId || active.has(id)) return
              const createdAt = new Date(node.clock.nowMs())
              const apart = { parentId: null, parentOp: null, depth: 0, lineageId: null, isDetached: false, destinations }
              const run = take({ ...scope, ...apart, id, epoch: 1, version, sessionId: null, input, asker, inboxCount: 0, createdAt }, nodeId)
              run.begin(first.hash)
              void dispatch(run)
            },
            onRefused(why, error) {
              settled()
              if (why === 'not-free') resolve(why)
              else if (why === 'invalid') reject(new AppError('invalid', 'The run could not be stored.', error))
              else reject(new AppError('unavailable', 'The server is stopping. Try again in a moment.'))
            },
          }),
        )
      }
      const answer = (written: ReturnType<typeof write>) =>
        withTimeout(
          startTimeoutMs,
          written,
          () =>
            new AppError(
              'unavailable',
              'The database does not answer. The run may have been started: with an idempotency key the same request can be sent again safely.',
            ),
        )
      let outcome = await answer(write(isHere))
      if (outcome === 'not-free') {
        const since = stopOver(node.policies(), scope)
        if (since) throw stoppedError(since)
        isHere = false // A limit was set a moment ago: it waits for its turn.
        outcome = await answer(write(isHere))
      }
      if (outcome === 'known') return sameRequest(audience, agent, idempotencyKey ?? '', requestHash)
      if (!isHere) claims.wake()
      const at = new Date(node.clock.nowMs()).toISOString()
      return {
        id,
        namespace,
        agent,
        version,
        state: isHere ? 'running' : 'pending',
        input,
        output: null,
        failure: null,
        wait,
        session: null,
        parent: null,
        continuedAs: null,
        asker,
        usage: { input: 0, cachedInput: 0, output: 0, costUsd: 0 },
        eventCount: 1,
        createdAt: at,
        startedAt: isHere ? at : null,
        endedAt: null,
      }
    },

    async cancel(audience, given, by, reason) {
      assertStorable({ reason })
      const run = await loadCurrent(audience, given)
      const runId = run.id
      if (isTerminal(run.state)) return run
      await send(audience, runId, { kind: 'cancel', name: 'cancel', payload: reason === undefined ? {} : { reason }, sentBy: by })
      return until(audience, runId, ({ state }) => isTerminal(state))
    },

    async signal(audience, given, by, name, payload, idempotencyKey) {
      assertStorable({ name, idempotencyKey })
      const problem = whyNotJson(payload, 'payload')
      for (let before = ''; ;) {
        const run = await loadCurrent(audience, given)
        if (!may(run.state, 'signal') || run.id === before)
          throw new AppError('conflict', `Run ${run.id} has ended (${run.state}); it takes no signals any more.`)
        if (problem) throw new AppError('invalid', `The payload cannot be stored: ${problem}.`)
        const sent = await send(audience, run.id, { kind: 'signal', name, payload, sentBy: by, idempotencyKey })
        if (sent !== 'ended') return load(audience, run.id)
        before = run.id // It ended meanwhile, perhaps to go on as another.
      }
    },

    async retry(audience, runId, by) {
      const run = await load(audience, runId)
      if (run.wait?.reason === 'stopped') throw new AppError('conflict', `Run ${runId} is stopped. Lift the stop: longhaul stops list names it.`)
      if (run.wait?.kind !== 'operator')
        throw new AppError('conflict', `Run ${runId} does not wait for an operator (it is ${run.state}); there is nothing to take up again.`)
      if (run.wait.reason === 'in_doubt')
        throw new AppError('conflict', `Step ${run.wait.op} of run ${runId} is in doubt: say what became of it (runs.decide), then the run goes on.`)
      await send(audience, runId, { kind: 'retry', name: 'retry', payload: null, sentBy: by })
      return until(audience, runId, ({ wait }) => wait?.kind !== 'operator', 2_000)
    },

    async decideStep(audience, by, { runId, op, decision, output, message }) {
      assertStorable({ message })
      const problem = whyNotJson(output, 'output')
      if (problem) throw new AppError('invalid', `The output cannot be stored: ${problem}.`)
      const run = await load(audience, runId)
      const last = (await listStepEvents(db.forTenant(audience.tenantId), audience.tenantId, runId, op)).findLast(({ type }) => type.startsWith('step.'))
      if (last?.type !== 'step.doubted' || isTerminal(run.state))
        throw new AppError(
          'conflict',
          `Step ${op} of run ${runId} is not in doubt${last ? ` (its last event is ${last.type})` : ''}; there is nothing to decide.`,
        )
      const { attempt } = last.data
      const payload: Json = { decision, output, attempt, ...(message !== undefined && { message }) }
      const sent = await send(audience, runId, { kind: 'decision', name: op, payload, sentBy: by, idempotencyKey: `doubt ${op} ${attempt}` })
      if (sent !== 'sent')
        throw new AppError('conflict', `Step ${op} of run ${runId} has been decided already, or the run has ended; the first decision counts.`)
      return until(audience, runId, ({ wait }) => wait?.op !== op, 2_000)
    },

    async decide(audience, by, approvalId, approved, comment) {
      assertStorable({ comment })
      probe('message.before')
      const decided = await db.forTenant(audience.tenantId).transaction(async (tx) => {
        const approval = await recordDecision(tx, audience, { id: approvalId, approved, by, comment })
        if (!approval) return undefined
        const who = { id: audience.keyId ?? null, name: by }
        await noteAudit(tx, { who, action: 'approvals.decide', target: approvalId, detail: { approved, runId: approval.runId } })
        const sent = await sendMessage(tx, {
          id: newId(),
          tenantId: audience.tenantId,
          runId: approval.runId,
          kind: 'approval',
          name: approvalId,
          payload: { approved, by, comment: comment ?? null },
          sentBy: by,
        })
        return { approval, nodeId: sent?.nodeId }
      })
      probe('message.after')
      if (!decided) {
        const found = await findApproval(db.forTenant(audience.tenantId), audience, approvalId)
        if (!found) throw new AppError('not_found', `No approval ${approvalId}.`)
        throw new AppError('conflict', `This approval is ${found.state}${found.decidedBy ? ` (by ${found.decidedBy})` : ''}; the first answer counts.`)
      }
      deliver(decided.approval.runId, decided.nodeId)
      return decided.approval
    },

    async readEvents(audience, runId, after, limit) {
      const run = await load(audience, runId)
      return { events: await listEvents(db.forTenant(audience.tenantId), audience.tenantId, runId, after, limit), isEnded: isTerminal(run.state) }
    },

    watch(runId, watcher) {
      const watching = watchers.get(runId) ?? new Set()
      watchers.set(runId, watching.add(watcher))
      return () => {
        watching.delete(watcher)
        if (watching.size === 0) watchers.delete(runId)
      }
    },

    async assertHealthy() {
      if (isStopping) throw new AppError('unavailable', 'The server is stopping.')
      await withTimeout(3_000, nextDueMs(db), () => new AppError('unavailable', 'The database does not answer.'))
    },

    stats: () => ({ activeCount: active.size, ...journal.stats }),

    async start() {
      isStopping = false
      await node.start()
      await journal.start()
      for (const service of [claims, inboxes, endings, burials, schedules.service]) await service.start()
    },

    async stop() {
      isStopping = true
      for (const service of [schedules.service, claims]) await service.stop()
      if (drainMs > 0) for (const run of [...active.values()]) run.drain()
      for (const from = monotonicMs(); active.size > 0 && monotonicMs() - from < drainMs;) await sleep(20)
      for (const service of [inboxes, endings, burials]) await service.stop()
      for (const run of [...active.values()]) run.handBack()
      await journal.stop()
      await node.stop()
      for (const run of [...active.values()]) run.supersede() // Those whose hand-over could not be written. The next start takes them up.
    },
  }
  return engine
}

const stoppedError = ({ id, runId, agent, namespace, stoppedBy, reason }: StopInForce): AppError =>
  new AppError(
    'conflict',
    `${runId ? `Run ${runId}` : agent ? `Agent ${agent}` : namespace ? `Namespace ${namespace}` : 'The tenant'} was stopped by ${stoppedBy}${reason ? ` (${reason})` : ''}. Lift the stop first: longhaul resume ${id}`,
  )

const isPlain = (options: Record<string, unknown> & { namespace: string; laneKey: string }): boolean =>
  options.namespace === 'default' && options.laneKey === '' && Object.values(options).filter((value) => value !== undefined).length === 2

/** Texts that go beside values and may hold the same that the database cannot. */
function assertStorable(texts: Record<string, string | undefined>): void {
  for (const [what, text] of Object.entries(texts)) {
    const problem = text === undefined ? undefined : whyNotJson(text, what)
    if (problem) throw new AppError('invalid', `${problem}.`)
  }
}
