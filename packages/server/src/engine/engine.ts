/** The durable engine: starts runs, claims due ones, has them executed, and takes them back when they sleep or end. */
import { createHash } from 'node:crypto'
import {
  type Approval,
  type Asker,
  type Json,
  type LiveFrame,
  type Message,
  type Run,
  type RunEvent,
  type ServerFrame,
  isTerminal,
  may,
  whyNotJson,
} from '@longhaul/protocol'
import { type Audience, type Db, audienceOf } from '../db/index.ts'
import { AppError, type Log, type Service, loop, newId, probe, sleep, withTimeout } from '../kernel/index.ts'
import { ActiveRun, type Executors, type RunFrame, type StepContext, eventRow } from './active-run.ts'
import { findApproval, recordDecision } from './approval-store.ts'
import type { Booking } from './flush-store.ts'
import { type Journal, openJournal } from './journal.ts'
import { releaseStrays } from './node-store.ts'
import { type Node, openNode } from './node.ts'
import {
  type ClaimedRun,
  type InboxRow,
  type JournalRow,
  type NewRun,
  type SessionTurn,
  claimRuns,
  findByIdempotencyKey,
  findRun,
  insertSessionRun,
  listEvents,
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
  agent: string
  version: string
  input: Json
  asker: Asker
  session?: string | undefined
  idempotencyKey?: string | undefined
}

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
  /** Finds a worker for the run. Must not throw. */
  execute(assignment: Assignment): void
  /** Tells whoever executes it that the run is over here. */
  onReleased(runId: string): void
  /** How a run's input and output read as words of a conversation. */
  toMessages(turns: SessionTurn[]): Message[]
  /** What executors' `book` writes into, in the flush that records their step. */
  booking?: Booking
  /** Runs executed here at once. The others wait in the database. */
  activeMax?: number
  pollMs?: number
}

export type Watcher = { onWake(): void; onLive(frame: LiveFrame): void }

export type Engine = Service & {
  startRun(start: Start): Promise<Run>
  cancel(audience: Audience, runId: string, by: string, reason?: string): Promise<Run>
  signal(audience: Audience, runId: string, by: string, name: string, payload: Json, idempotencyKey?: string): Promise<Run>
  retry(audience: Audience, runId: string, by: string): Promise<Run>
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
  const { db, log, leaseMs, activeMax = 1_000, pollMs = 500 } = options
  const active = new Map<string, ActiveRun>()
  const watchers = new Map<string, Set<Watcher>>()
  let isStopping = false
  let isBacklogged = false
  /** Being written, to be executed here. */
  let startingCount = 0
  /** There may be runs that the database says are ours and that are not here: the answer to a claim was lost. */
  let areStraysPossible = false
  const room = () => activeMax - active.size - startingCount

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
    log,
    onEvents: (runId: string) => tellWatchers(runId, (watcher) => watcher.onWake()),
    onLive: (runId: string, op: string, frame: Parameters<StepContext['live']>[0]) => tellWatchers(runId, (watcher) => watcher.onLive({ ...frame, op })),
    onOver(run: ActiveRun, why: 'ended' | 'waiting' | 'superseded' | 'handed-back') {
      if (active.get(run.id) !== run) return // It was superseded before it heard of its own end, and may be here anew.
      active.delete(run.id)
      if (why === 'superseded') areStraysPossible = true
      options.onReleased(run.id)
      tellWatchers(run.id, (watcher) => watcher.onWake())
      if (why === 'ended' && run.row.sessionId !== null)
        void releaseSessions(db).then(
          (isReleased) => isReleased && claims.wake(),
          () => {},
        ) // The next look does it again.
      if (why !== 'ended' || isBacklogged) claims.wake()
    },
  }

  /** From the database into this process: claimed, or just started here. */
  function take(row: ClaimedRun, nodeId: string): ActiveRun {
    active.get(row.id)?.supersede()
    const run = new ActiveRun(row, nodeId, ports)
    active.set(run.id, run)
    return run
  }

  async function dispatch(run: ActiveRun): Promise<void> {
    const messages = run.row.sessionId === null ? [] : options.toMessages(await sessionTurns(db, run.row, sessionTurnsMax))
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

  async function claimOnce(): Promise<number> {
    const nodeId = node.current()
    if (nodeId === undefined) return 0
    if (areStraysPossible) {
      areStraysPossible = false
      await releaseStrays(db, nodeId, [...active.keys()]).catch(missed)
    }
    const limit = Math.min(100, room())
    if (limit <= 0) return 0
    probe('claim.before')
    const claimed = await claimRuns(db, nodeId, limit).catch(missed)
    probe('claim.after')
    if (claimed.length === 0) return 0
    if (node.current() !== nodeId) return claimed.length // Claimed by a node that is no more: whoever buries it puts them up again.
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
    return claimed.length
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
      const count = await claimOnce()
      isBacklogged = room() <= 0
      if (count > 0 && !isBacklogged) return 0
      await releaseSessions(db)
      const dueMs = await nextDueMs(db)
      return dueMs === null || isBacklogged ? pollMs : Math.max(1, Math.min(pollMs, dueMs))
    },
  })

  const inboxes = loop({
    everyMs: pollMs,
    onError: (error) => log.warn('reading messages failed; it is tried again', { error }),
    async work() {
      const nodeId = node.current()
      const owned = nodeId === undefined ? [] : await ownedWithInbox(db, nodeId)
      if (owned.length > 0) await readInbox(owned)
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

  /** False when the run has ended. */
  async function send(
    tenantId: string,
    runId: string,
    message: { kind: InboxRow['kind']; name: string; payload: Json; sentBy: string; idempotencyKey?: string | undefined },
  ): Promise<boolean> {
    probe('message.before')
    const sent = await db.transaction((tx) => sendMessage(tx, { id: newId(), tenantId, runId, ...message }))
    probe('message.after')
    if (!sent) return false
    deliver(runId, sent.nodeId)
    return true
  }

  /** The message is in the database, so it arrives. This is only to have it arrive at once. */
  function deliver(runId: string, nodeId: string | null | undefined): void {
    if (nodeId === null) claims.wake()
    else if (active.has(runId)) void readInbox([runId]).catch(() => {}) // The next look does it again.
  }

  const load = async (audience: Audience, runId: string): Promise<Run> => {
    const run = await findRun(db, audience, runId)
    if (!run) throw new AppError('not_found', `No run ${runId}.`)
    return run
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
    const found = await findByIdempotencyKey(db, audience.tenantId, agent, key)
    if (!found) throw new AppError('unavailable', 'The run of this idempotency key is being started. Try again.')
    if (found.requestHash === requestHash) return found.run
    const owner = (await findRun(db, audience, found.run.id))
      ? `run ${found.run.id}, which was started with another input or by another key`
      : 'another request'
    throw new AppError('conflict', `The idempotency key ${JSON.stringify(key)} belongs to ${owner}. Use a new one for a new request.`)
  }

  const engine: Engine = {
    async startRun({ tenantId, agent, version, input, asker, session, idempotencyKey }) {
      if (isStopping) throw new AppError('unavailable', 'The server is stopping. Try again in a moment.')
      assertStorable({ session, idempotencyKey })
      const problem = whyNotJson(input, 'input')
      if (problem) throw new AppError('invalid', `The input cannot be stored: ${problem}.`)
      const inputText = JSON.stringify(input)
      if (inputText.length > inputBytesMax) throw new AppError('too_large', `The input is ${inputText.length} bytes; at most ${inputBytesMax} are taken.`)
      const id = newId()
      const audience = audienceOf(tenantId, asker)
      // Another key's request is never the same one: its run, and so its answer, may hold what this asker may not see.
      const requestHash = createHash('sha256')
        .update(JSON.stringify([agent, session ?? null, asker.id, input]))
        .digest('hex')
      const isHere = session === undefined && !isBacklogged && room() > 0
      const first = eventRow({ runId: id, tenantId, epoch: isHere ? 1 : 0, seq: 0, previousHash: '' }, { type: 'run.started', data: { input } }, true)
      if (session !== undefined) {
        const run: NewRun = { id, tenantId, agent, version, sessionId: session, input, asker, idempotencyKey: idempotencyKey ?? null, requestHash }
        const isNew = await insertSessionRun(db, run, { epoch: 0, data: JSON.stringify({ input }), hash: `\\x${first.hash}` })
        if (!isNew) return sameRequest(audience, agent, idempotencyKey ?? '', requestHash)
        claims.wake()
        return load(audience, id)
      }
      const start = JSON.stringify({
        id,
        tenant: tenantId,
        agent,
        version,
        state: isHere ? 'running' : 'pending',
        input,
        asker,
        key: idempotencyKey ?? null,
        hash: requestHash,
      })
      if (isHere) startingCount++
      const settled = () => {
        if (isHere) startingCount--
      }
      const written = new Promise<boolean>((resolve, reject) =>
        journal.append({
          runId: id,
          epoch: 1,
          start,
          events: [first.text],
          bytes: start.length + first.text.length,
          onDurable(isNew, nodeId) {
            settled()
            resolve(isNew)
            // Under another name of this node than it was written with the run is not ours: whoever buries that node takes it up.
            if (!isNew || !isHere || isStopping || node.current() !== nodeId || active.has(id)) return
            const row: ClaimedRun = {
              id,
              epoch: 1,
              tenantId,
              agent,
              version,
              sessionId: null,
              input,
              asker,
              inboxCount: 0,
              createdAt: new Date(node.clock.nowMs()),
            }
            const run = take(row, nodeId)
            run.begin(first.hash)
            void dispatch(run)
          },
          onRefused(why, error) {
            settled()
            reject(
              why === 'invalid'
                ? new AppError('invalid', 'The run could not be stored.', error)
                : new AppError('unavailable', 'The server is stopping. Try again in a moment.'),
            )
          },
        }),
      )
      const isNew = await withTimeout(
        startTimeoutMs,
        written,
        () =>
          new AppError(
            'unavailable',
            'The database does not answer. The run may have been started: with an idempotency key the same request can be sent again safely.',
          ),
      )
      if (!isNew) return sameRequest(audience, agent, idempotencyKey ?? '', requestHash)
      if (!isHere) claims.wake()
      const at = new Date(node.clock.nowMs()).toISOString()
      return {
        id,
        agent,
        version,
        state: isHere ? 'running' : 'pending',
        input,
        output: null,
        failure: null,
        wait: null,
        session: null,
        asker,
        usage: { input: 0, cachedInput: 0, output: 0, costUsd: 0 },
        eventCount: 1,
        createdAt: at,
        startedAt: isHere ? at : null,
        endedAt: null,
      }
    },

    async cancel(audience, runId, by, reason) {
      assertStorable({ reason })
      const run = await load(audience, runId)
      if (isTerminal(run.state)) return run
      await send(audience.tenantId, runId, { kind: 'cancel', name: 'cancel', payload: reason === undefined ? {} : { reason }, sentBy: by })
      return until(audience, runId, ({ state }) => isTerminal(state))
    },

    async signal(audience, runId, by, name, payload, idempotencyKey) {
      assertStorable({ name, idempotencyKey })
      const run = await load(audience, runId)
      const ended = ({ state }: Run) => new AppError('conflict', `Run ${runId} has ended (${state}); it takes no signals any more.`)
      if (!may(run.state, 'signal')) throw ended(run)
      const problem = whyNotJson(payload, 'payload')
      if (problem) throw new AppError('invalid', `The payload cannot be stored: ${problem}.`)
      const isSent = await send(audience.tenantId, runId, { kind: 'signal', name, payload, sentBy: by, idempotencyKey })
      const now = await load(audience, runId)
      if (!isSent) throw ended(now)
      return now
    },

    async retry(audience, runId, by) {
      const run = await load(audience, runId)
      if (run.wait?.kind !== 'operator')
        throw new AppError('conflict', `Run ${runId} does not wait for an operator (it is ${run.state}); there is nothing to take up again.`)
      await send(audience.tenantId, runId, { kind: 'retry', name: 'retry', payload: null, sentBy: by })
      return until(audience, runId, ({ wait }) => wait?.kind !== 'operator', 2_000)
    },

    async decide(audience, by, approvalId, approved, comment) {
      assertStorable({ comment })
      probe('message.before')
      const decided = await db.transaction(async (tx) => {
        const approval = await recordDecision(tx, audience, { id: approvalId, approved, by, comment })
        if (!approval) return undefined
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
        const found = await findApproval(db, audience, approvalId)
        if (!found) throw new AppError('not_found', `No approval ${approvalId}.`)
        throw new AppError('conflict', `This approval is ${found.state}${found.decidedBy ? ` (by ${found.decidedBy})` : ''}; the first answer counts.`)
      }
      deliver(decided.approval.runId, decided.nodeId)
      return decided.approval
    },

    async readEvents(audience, runId, after, limit) {
      const run = await load(audience, runId)
      return { events: await listEvents(db, audience.tenantId, runId, after, limit), isEnded: isTerminal(run.state) }
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
      for (const service of [claims, inboxes, burials]) await service.start()
    },

    async stop() {
      isStopping = true
      for (const service of [claims, inboxes, burials]) await service.stop()
      for (const run of [...active.values()]) run.handBack()
      await journal.stop()
      await node.stop()
      for (const run of [...active.values()]) run.supersede() // Those whose hand-over could not be written. The next start takes them up.
    },
  }
  return engine
}

/** Texts that go beside values and may hold the same that the database cannot. */
function assertStorable(texts: Record<string, string | undefined>): void {
  for (const [what, text] of Object.entries(texts)) {
    const problem = text === undefined ? undefined : whyNotJson(text, what)
    if (problem) throw new AppError('invalid', `${problem}.`)
  }
}
