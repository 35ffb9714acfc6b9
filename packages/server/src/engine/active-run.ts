/**
 * A run that this node owns, between its claim and the moment it sleeps, ends or goes to another. Everything a worker asks
 * for the run and everything that is told to it passes here; nothing is told before it is durable, and results are told
 * in the order in which they were recorded.
 */
import { hash as digest } from 'node:crypto'
import {
  type Asker,
  ChildRequest,
  type DoubtDecision,
  type Failure,
  type Json,
  type ParkReason,
  type RetryPolicy,
  type ServerFrame,
  type StepKind,
  Usage,
  type WorkerFrame,
  storableText,
  whyNotJson,
} from '@longhaul/protocol'
import { type Log, StepFailure, after, monotonicMs, newId, random, toFailure } from '../kernel/index.ts'
import { History, type NewEvent, type OpenOp } from './history.ts'
import type { Journal } from './journal.ts'
import type { DbClock } from './node.ts'
import { defaultRetry, retryDelayMs } from './retry.ts'
import type { ClaimedRun, InboxRow, JournalRow } from './run-store.ts'

/** What a server-side step may use while it executes. */
export type StepContext = {
  run: { id: string; tenantId: string; namespace: string; agent: string; version: string; sessionId: string | null; asker: Asker }
  op: string
  attempt: number
  /** This attempt was begun before, here or at a node that is gone, and nobody recorded how it ended. */
  isRepeated: boolean
  signal: AbortSignal
  /** Passes on what happens meanwhile to whoever watches. Not recorded. */
  live(frame: { type: 'text-delta'; text: string } | { type: 'output-delta'; stream: 'stdout' | 'stderr'; text: string }): void
  /** A model step of this run: what it was asked, and its answer if there is one yet. */
  lookup(op: string): { input: Json; output: Json | undefined } | undefined
  /** Has a row for `EngineOptions.booking` written in the transaction that records how this attempt ended, well or not. Not when `signal` is aborted: nothing is recorded then. */
  book(row: string): void
}

/** Executes one step that a worker may not. */
export type Executor = {
  /** Throw a `StepFailure` to say whether trying again may help. The input is the worker's, also after a crash: what was recorded of it is for reading. */
  execute(input: Json, context: StepContext): Promise<{ output: Json; usage?: Usage }>
  /** What of the input the journal keeps; all of it when absent. Takes whatever a worker sends. */
  record?(input: Json): Json
}
export type Executors = Partial<Record<StepKind, Executor>>

/** A tool that a worker is about to execute. */
export type ToolCall = { run: StepContext['run']; name: string; attempt: number; input: Json }

export type RunPorts = {
  /** Asked before the intent of a tool call is recorded. The failure is recorded instead, and the tool not executed. Must not reject. */
  admitTool?: ((call: ToolCall) => Promise<Failure | undefined>) | undefined
  journal: Journal
  clock: DbClock
  executors: Executors
  /** The version that new runs of an agent get, or why there is none. */
  findVersion(tenantId: string, agent: string): Promise<{ version: string } | { problem: string }>
  bounds: Bounds
  log: Log
  /** The journal has grown, or a live frame came. */
  onEvents(runId: string): void
  onLive(runId: string, op: string, frame: Parameters<StepContext['live']>[0]): void
  /** Runs were started that anybody may claim. */
  onStarted(): void
  /** The run is not this node's any more. */
  onOver(run: ActiveRun, why: 'ended' | 'waiting' | 'superseded' | 'handed-back'): void
}

/** What one run's history may come to. */
export type Bounds = { eventsMax: number; bytesMax: number }

type Change = {
  state: 'running' | 'waiting' | 'completed' | 'failed' | 'cancelled'
  output?: Json
  failure?: Failure
  wait?: Json
  dueMs?: number | null
  continuedAs?: string
}
/** What a worker says about a run. Its log lines are the workers' folder's business. */
export type RunFrame = Extract<WorkerFrame, { run: string }>

/** A run whose next timer is this near stays with its worker. */
const residentMs = 1_000
/** A run is parked when it has taken this many workers with it. */
export const interruptionsMax = 3
/** A run that has lost this many workers, though never by its own doing as far as anybody could tell, gets one of its own as well. */
const lossesMax = 8
/** A run that only waits for children stays with its worker for so long: one of many is likely to end soon. */
const lingerMs = 1_000
const depthMax = 20
const childInputBytesMax = 1_000_000
/** Of its bounds. From here on a run is warned. */
const warnedFrom = 0.8
const outputBytesMax = 8_000_000

export class ActiveRun {
  readonly id: string
  readonly epoch: number
  readonly row: ClaimedRun
  /** The node that it was claimed by: this process under the name that it had then. */
  readonly nodeId: string
  readonly history = new History()
  /** A worker has been asked for. */
  isDispatched = false
  readonly #ports: RunPorts
  readonly #executing = new Map<string, AbortController>()
  readonly #admitting = new Set<string>()
  readonly #timers = new Map<string, () => void>()
  #seq = 0
  #lastHash = ''
  /** Where the journal stands in the database. */
  #durable = { seq: 0, hash: '' }
  #isRefused = false
  #inboxSeen = 0
  #takenIds = new Set<string>()
  #send: ((frame: ServerFrame) => void) | undefined
  #isTakenUp = false
  #unwrittenCount = 0
  #whenWritten: (() => void) | undefined
  /** The node is stopping: it begins nothing, and goes to another node as soon as nothing is under way. */
  #isDraining = false
  /** Nothing of the worker counts any more: an end, a sleep or a hand-over is on its way to the journal. */
  #isLeaving = false
  #isSuperseded = false
  /** The worker lacks a part of the history that it needs now. */
  #mustReplay = false
  /** What its code waits for, as long as nothing else has happened since it said so. */
  #idleOps: string[] | undefined
  #bytes = 0
  /** Versions that are being looked up, so that a thousand children cost one question. */
  readonly #versions = new Map<string, ReturnType<RunPorts['findVersion']>>()

  constructor(row: ClaimedRun, nodeId: string, ports: RunPorts) {
    this.id = row.id
    this.nodeId = nodeId
    this.epoch = row.epoch
    this.row = row
    this.#ports = ports
  }

  get isLeaving(): boolean {
    return this.#isLeaving
  }

  /** A run that this node has just started: its first event is written already. */
  begin(firstHash: string): void {
    this.#isTakenUp = true
    this.#seq = 1
    this.#lastHash = firstHash
    this.#durable = { seq: 1, hash: firstHash }
    this.history.length = 1
  }

  /** Takes up what the journal says. Throws when it contradicts itself: then nothing may be written after it. */
  load(rows: JournalRow[]): void {
    for (const row of rows) {
      if (row.seq !== this.#seq) throw new Error(`Journal of run ${this.id} has event ${row.seq} where ${this.#seq} should be.`)
      this.history.apply({ type: row.type, op: row.op ?? undefined, data: row.data as object })
      this.#lastHash = row.hash.toString('hex')
      this.#bytes += row.bytes
      this.#seq++
    }
    if (this.#seq === 0) throw new Error(`Run ${this.id} has no journal.`)
    this.#durable = { seq: this.#seq, hash: this.#lastHash }
  }

  /** What has to happen before a worker sees the run: messages, timers that are due. False when it needs no worker now. */
  wake(inbox: InboxRow[], inboxCount: number): boolean {
    this.#isTakenUp = true
    this.#settleInterrupted() // Before the messages: one of them may end the wait that a tool was in.
    this.takeInbox(inbox, inboxCount)
    if (this.#isLeaving) return false
    if (this.history.parked) {
      this.#sleep()
      return false
    }
    if (this.history.interruptionCount >= interruptionsMax) {
      const detail = {
        message: `The run has ended its worker ${this.history.interruptionCount} times. Look at the events run.interrupted, then retry or cancel it.`,
      }
      this.park('poison', detail)
      return false
    }
    this.#fireTimers()
    return true
  }

  /** What was interrupted and may have taken effect is not executed again: a write is in doubt, and a tool that declares nothing has failed. */
  #settleInterrupted(): void {
    for (const [op, { kind, name, attempt, effect, isChecked }] of this.history.interrupted()) {
      const head = { kind, name, attempt }
      if (effect === 'write') this.#append([{ type: 'step.doubted', op, data: { ...head, needs: isChecked ? 'check' : 'person', message: interrupted } }])
      else this.#append([{ type: 'step.failed', op, data: { ...head, failure: interruptedTool, retryInMs: null } }])
    }
  }

  /** A run whose code was executing when two workers ended: the next one it has for itself, so that no other run pays for it. */
  get isSuspect(): boolean {
    return this.history.interruptionCount > 1 || this.history.lossCount >= lossesMax
  }

  /** A worker is ready for it. `messages` is what was said before in the session. */
  attach(send: (frame: ServerFrame) => void, messages: Extract<ServerFrame, { type: 'run.start' }>['messages']): void {
    // The history that the worker gets holds all results so far, and none may be told before it is durable.
    if (this.#unwrittenCount > 0) return void (this.#whenWritten = () => this.attach(send, messages))
    if (this.#isLeaving) return // While a worker was looked for it was cancelled, or went to another.
    this.#send = send
    const entries = this.history.entries()
    const { id: run, agent, version, input, asker, sessionId: session, createdAt } = this.row
    send({ type: 'run.start', run, agent, version, input, asker, session, messages, createdAt: createdAt.toISOString(), historyLength: entries.length })
    for (let i = 0; i < entries.length; i += 500) send({ type: 'run.history', run, entries: entries.slice(i, i + 500) })
    this.history.forgetResults()
    this.#armTimers()
  }

  /** The worker is gone. The run goes back, to be taken up from the journal; what was executed for it here is stopped. */
  interrupt(reason: 'worker_lost' | 'worker_hung', message: string, isSuspect: boolean): void {
    if (this.#isLeaving) return
    this.#append([{ type: 'run.interrupted', data: { reason, message: storableText(message.slice(0, 2_000)), isSuspect } }], { change: { state: 'running' } })
    this.#leave('handed-back')
  }

  /** The node is stopping: the run is handed over at its next step boundary, before its code hears of the result. */
  drain(): void {
    this.#isDraining = true
    if (!this.#send) this.handBack() // No worker has it, so nothing is under way.
  }

  /** A step that the worker executes is known only once it is recorded, so a boundary is looked for when something was. */
  #handBackAtBoundary(): void {
    const isUnderWay = this.#executing.size > 0 || [...this.history.ops.values()].some((op) => op.state === 'open' && op.isStarted)
    if (this.#isDraining && !isUnderWay) this.handBack()
  }

  /** Gives the run back untouched: the node is stopping. */
  handBack(): void {
    if (this.#isLeaving) return
    this.#append([], { change: { state: 'running' } })
    this.#leave('handed-back')
  }

  /** Its journal contradicts itself. Nothing may be written after it, but somebody must be told where it stands. */
  block(message: string): void {
    if (this.#isLeaving) return
    this.#append([], {
      change: { state: 'waiting', wait: { kind: 'operator', name: 'operator', until: null, reason: 'broken', detail: { message: storableText(message) } } },
    })
    this.#leave('waiting')
  }

  /** It is another's: drop everything, write nothing. */
  supersede(): void {
    this.#isSuperseded = true
    this.#stopEverything()
    this.#isLeaving = true
    this.#send?.({ type: 'run.release', run: this.id, reason: 'superseded' })
    this.#ports.onOver(this, 'superseded')
  }

  /** Takes messages from outside. `count` is how many were ever sent, as read before these. */
  takeInbox(rows: InboxRow[], count: number): void {
    // Claimed, but its journal is still being read: what the message is for is not known yet. It stays in the inbox for the next look.
    if (!this.#isTakenUp) return
    this.#inboxSeen = Math.max(this.#inboxSeen, count)
    for (const row of rows) {
      if (this.#isLeaving) return
      if (this.#takenIds.has(row.id)) continue
      this.#takenIds.add(row.id)
      this.#takeMessage(row)
    }
  }

  #takeMessage(row: InboxRow): void {
    const taken = [row.id]
    if (row.kind === 'cancel') {
      const { reason } = row.payload as { reason?: string }
      return this.#end('cancelled', { type: 'run.cancelled', data: { by: row.sentBy, ...(reason !== undefined && { reason }) } }, { state: 'cancelled' }, taken)
    }
    if (row.kind === 'retry') {
      return this.#append(this.history.parked || this.history.interruptionCount > 0 ? [{ type: 'run.resumed', data: { by: row.sentBy } }] : [], { taken })
    }
    if (row.kind === 'decision') {
      const { decision, output, message, attempt } = row.payload as { decision: DoubtDecision; output: Json; message?: string; attempt: number }
      const known = this.history.ops.get(row.name)
      if (known?.state !== 'open' || !known.doubt || known.attempt !== attempt) return this.#append([], { taken })
      return this.#decide(row.name, known, { decision, output: known.kind === 'tool' ? { output, parts: [] } : output, message, by: row.sentBy }, taken)
    }
    if (row.kind === 'child') {
      const { name: runId, payload: end } = row
      if (!this.history.children.has(runId) || this.history.ends.has(runId)) return this.#append([], { taken })
      const waits = [...this.history.waits()].filter(([, op]) => op.runId === runId)
      if (waits.length === 0) return this.#append([{ type: 'child.ended', data: { end } }], { taken })
      for (const [path, op] of waits) this.#complete(path, 'run', op.name, end, taken)
      return
    }
    if (row.kind === 'approval') {
      const wait = [...this.history.waits()].find(([, op]) => op.approvalId === row.name)
      return wait ? this.#complete(wait[0], 'approval', wait[1].name, row.payload, taken) : this.#append([], { taken })
    }
    const waiting = [...this.history.waits()].find(([, op]) => op.kind === 'signal' && op.name === row.name)
    const received: NewEvent = { type: 'signal.received', data: { name: row.name, payload: row.payload, by: row.sentBy } }
    if (!waiting) return this.#append([received], { taken })
    return this.#complete(waiting[0], 'signal', row.name, row.payload, taken, [received])
  }

  /** Ends a doubt. */
  #decide(
    op: string,
    { kind, name, attempt }: OpenOp,
    {
      decision,
      output = null,
      message = 'An operator decided that it failed.',
      by,
    }: { decision: DoubtDecision; output?: Json; message?: string | undefined; by: string },
    taken: string[] = [],
  ): void {
    const head = { kind, name, attempt }
    const decided: NewEvent = { type: 'step.decided', op, data: { ...head, decision, by } }
    const run = this.id
    if (decision === 'completed') {
      return this.#append([decided, { type: 'step.completed', op, data: { ...head, output } }], { taken, frames: [{ type: 'op.completed', run, op, output }] })
    }
    if (decision === 'failed') {
      const failure: Failure = { message, code: 'decided', retryable: false }
      return this.#append([decided, { type: 'step.failed', op, data: { ...head, failure, retryInMs: null } }], {
        taken,
        frames: [{ type: 'op.failed', run, op, failure }],
      })
    }
    if (!this.history.hasInside(op)) return this.#append([decided], { taken, frames: [{ type: 'op.retry', run, op, attempt: attempt + 1, delayMs: 0 }] })
    // What was recorded inside it was kept from the worker, which therefore gets the whole history anew.
    this.#mustReplay = this.#send !== undefined
    this.#append([decided], { taken })
    this.#replayWhenSafe()
  }

  /** Hands the run back to be replayed, once nothing is under way that this would put in doubt. */
  #replayWhenSafe(): void {
    if (!this.#mustReplay || this.#isLeaving || this.history.interrupted().length > 0) return
    this.#append([], { change: { state: 'running' } })
    this.#leave('handed-back')
  }

  /** Ends an open wait with an output. */
  #complete(op: string, kind: string, name: string, output: Json, taken: string[] = [], before: NewEvent[] = []): void {
    this.#disarm(op)
    this.#append([...before, { type: 'wait.completed', op, data: { kind, name, output } }], {
      taken,
      frames: [{ type: 'op.completed', run: this.id, op, output }],
    })
  }

  /** A frame of the worker that executes the run. */
  receive(frame: RunFrame): void {
    if (this.#isLeaving) return
    this.#idleOps = undefined
    this.#receive(frame)
    this.#replayWhenSafe()
    this.#checkBounds()
  }

  #receive(frame: RunFrame): void {
    switch (frame.type) {
      case 'op.done':
        return this.#done(frame)
      case 'op':
        return this.#asked(frame)
      case 'op.begin':
        return this.#begun(frame)
      case 'op.error':
        return this.#errored(frame)
      case 'op.doubt':
        return this.#doubted(frame)
      case 'op.wait':
        return this.#waited(frame)
      case 'run.idle':
        return this.#idle(frame.ops)
      case 'run.completed': {
        const problem = whyNotJson(frame.output)
        if (problem) return this.#fail({ message: `The run's output cannot be stored: ${problem}.`, code: 'not_json', retryable: false })
        return this.#end('ended', { type: 'run.completed', data: { output: frame.output } }, { state: 'completed', output: frame.output })
      }
      case 'run.failed':
        return this.#fail(storable(frame.failure))
      case 'run.continued':
        return this.#continued(frame.input)
      case 'run.diverged':
        return this.park('diverged', { op: frame.op, recorded: storableText(frame.recorded), asked: storableText(frame.asked) })
    }
  }

  /** A history without bounds would be read whole at every wake, and one day not at all. */
  #checkBounds(): void {
    if (this.#isLeaving) return
    const { eventsMax, bytesMax } = this.#ports.bounds
    if (this.history.length < eventsMax * warnedFrom && this.#bytes < bytesMax * warnedFrom) return
    for (const [what, count, max] of [
      ['events', this.history.length, eventsMax],
      ['bytes', this.#bytes, bytesMax],
    ] as const) {
      if (count < max * warnedFrom) continue
      if (!this.history.warned.has(what)) this.#append([{ type: 'run.warned', data: { what, count, max } }])
      if (count < max) continue
      const message = `The run's history has come to ${count} ${what}, and may have ${max}. Have its code go on as a new run before (ctx.continueAs), or raise the limit.`
      return this.#fail({ message, code: 'history_limit', retryable: false })
    }
  }

  /** Ends, and goes on as another run in the same flush. What was signalled and not yet asked for goes with it. */
  #continued(input: Json): void {
    const problem = whyNotJson(input)
    if (problem) return this.#fail({ message: `The input to continue with cannot be stored: ${problem}.`, code: 'not_json', retryable: false })
    this.#stopEverything()
    this.#isLeaving = true // Nothing of the worker counts any more while the version is looked up.
    this.#findVersion(this.row.agent, (found) => {
      this.#isLeaving = false
      if ('problem' in found) return this.#fail({ message: found.problem, code: 'not_found', retryable: false })
      const { id, row } = this
      const next = this.#newRun({
        agent: row.agent,
        version: found.version,
        input,
        session: row.sessionId,
        parent: row.parentId,
        parent_op: row.parentOp,
        detached: row.isDetached,
        depth: row.depth,
        lineage: row.lineageId ?? id,
        ...(row.destinations && { destinations: row.destinations }),
        signals: this.history.signals,
      })
      this.#append([{ type: 'run.completed', data: { output: null, continuedAs: next.id } }], {
        change: { state: 'completed', output: null, continuedAs: next.id },
        ...next.rows,
        then: () => this.#ports.onStarted(),
      })
      this.#leave('ended')
    })
  }

  /** Asks until the database answers. */
  #findVersion(agent: string, then: (found: Awaited<ReturnType<RunPorts['findVersion']>>) => void): void {
    const known = this.#versions.get(agent)
    const asked = known ?? this.#ports.findVersion(this.row.tenantId, agent)
    if (!known) {
      this.#versions.set(agent, asked)
      const forget = () => void this.#versions.delete(agent)
      asked.then(forget, forget)
    }
    asked.then(
      (found) => this.#isSuperseded || then(found),
      (error: unknown) => {
        if (this.#isSuperseded) return
        this.#ports.log.warn('the version of an agent could not be looked up; it is tried again', { error, runId: this.id })
        after(500, () => this.#isSuperseded || this.#findVersion(agent, then))
      },
    )
  }

  /** Starts a child: its row and its first event are written together with this run's event about it. */
  #startChild({ op, name, input }: Extract<RunFrame, { type: 'op' }>): void {
    const kind = 'run'
    const refuse = (code: string, message: string) => this.#stepFailed(op, kind, name, 1, { message, code, retryable: false }, null)
    const request = ChildRequest.safeParse(input)
    if (!request.success) return refuse('invalid', `A child run needs an agent and an input: ${request.error.issues[0]?.message}.`)
    const { agent, isDetached, session } = request.data
    const problem = whyNotJson(request.data.input) ?? whyNotJson(session ?? null)
    if (problem) return refuse('not_json', `The input of the child run cannot be stored: ${problem}.`)
    if (this.row.depth >= depthMax) return refuse('too_deep', `Runs may start one another ${depthMax} deep, and this one is there already.`)
    const bytes = Buffer.byteLength(JSON.stringify(request.data.input))
    if (bytes > childInputBytesMax) return refuse('too_large', `The input of the child run is ${bytes} bytes; at most ${childInputBytesMax} are taken.`)
    this.#executing.set(op, new AbortController())
    this.#findVersion(agent, (found) => {
      if (this.#isLeaving || !this.#executing.delete(op)) return
      if ('problem' in found) return refuse('not_found', found.problem)
      const child = this.#newRun({
        agent,
        version: found.version,
        input: request.data.input,
        session: session ?? null,
        parent: this.id,
        parent_op: op,
        detached: isDetached,
        depth: this.row.depth + 1,
        signals: [],
      })
      const output: Json = { runId: child.id }
      this.#append([{ type: 'step.completed', op, data: { kind, name, attempt: 1, output } }], {
        frames: [{ type: 'op.completed', run: this.id, op, output }],
        ...child.rows,
        then: () => this.#ports.onStarted(),
      })
      this.#checkBounds()
    })
  }

  #newRun({ signals, input, session, ...more }: NewRunOf): { id: string; rows: { children: string[]; childEvents: string[] } } {
    const id = newId()
    const { tenantId, asker } = this.row
    const events: NewEvent[] = [
      { type: 'run.started', data: { input } },
      ...signals.map(({ name, payload }): NewEvent => ({ type: 'signal.received', data: { name, payload, by: `run ${this.id}` } })),
    ]
    let previousHash = ''
    const childEvents = events.map((event, seq) => {
      const row = eventRow({ runId: id, tenantId, epoch: 0, seq, previousHash }, event, true)
      previousHash = row.hash
      return row.text
    })
    const isQueued = session !== null && more.parent === this.id // It waits for its turn in the session. One that continues has it.
    const start = JSON.stringify({
      id,
      tenant: tenantId,
      namespace: this.row.namespace,
      state: 'pending',
      input,
      session,
      asker,
      ...more,
      ...(isQueued && { queued: true }),
    })
    return { id, rows: { children: [start], childEvents } }
  }

  #fail(failure: Failure): void {
    this.#end('ended', { type: 'run.failed', data: { failure } }, { state: 'failed', failure })
  }

  #done({ op, kind, name, attempt, output, durationMs }: Extract<RunFrame, { type: 'op.done' }>): void {
    const known = this.history.ops.get(op)
    if (known && known.state !== 'open') return
    if (known?.doubt) {
      // What its check has found. Only an operator may answer what is put to one.
      if (known.doubt === 'check' && whyNotJson(output) === undefined) this.#decide(op, known, { decision: 'completed', output, by: 'check' })
      return
    }
    const problem = whyNotJson(output)
    if (problem)
      return this.#stepFailed(
        op,
        kind,
        name,
        attempt,
        { message: `The result of ${kind} ${name} cannot be stored: ${problem}.`, code: 'not_json', retryable: false },
        null,
      )
    this.#append([{ type: 'step.completed', op, data: { kind, name, attempt, output, durationMs } }], { frames: [{ type: 'op.completed', run: this.id, op }] })
  }

  #begun({ op, kind, name, attempt, input, effect, isChecked }: Extract<RunFrame, { type: 'op.begin' }>): void {
    if (this.#isDraining) return this.#handBackAtBoundary()
    const known = this.history.ops.get(op)
    const begun: ServerFrame = { type: 'op.begun', run: this.id, op }
    if (known?.state === 'open' && known.doubt) {
      if (known.doubt !== 'check' || attempt !== known.attempt + 1) return
      this.#decide(op, known, { decision: 'execute', by: 'check' })
      return
    }
    if (this.#isRefusedInput(op, kind, name, attempt, input)) return
    if (known?.state === 'open' && known.isStarted && known.attempt === attempt) return this.#send?.(begun)
    const record = () =>
      this.#append([{ type: 'step.started', op, data: { kind, name, attempt, input, effect, ...(isChecked && { isChecked }) } }], { frames: [begun] })
    const { admitTool } = this.#ports
    if (kind !== 'tool' || !admitTool) return record()
    if (this.#admitting.has(op)) return
    this.#admitting.add(op)
    void admitTool({ run: this.row, name, attempt, input }).then((failure) => {
      this.#admitting.delete(op)
      if (this.#isLeaving) return // Whoever takes the run up asks anew.
      if (failure) this.#stepFailed(op, kind, name, attempt, storable(failure), null)
      else record()
    })
  }

  #doubted({ op, kind, name, attempt, needs, message }: Extract<RunFrame, { type: 'op.doubt' }>): void {
    const known = this.history.ops.get(op)
    if (known?.state !== 'open' || known.attempt !== attempt || known.doubt === needs || known.doubt === 'person') return
    this.#append([{ type: 'step.doubted', op, data: { kind, name, attempt, needs, message: storableText(message) } }])
  }

  #errored({ op, kind, name, attempt, failure: found, retry, durationMs }: Extract<RunFrame, { type: 'op.error' }>): void {
    const known = this.history.ops.get(op)
    if (known?.state === 'open' && known.doubt) return
    const failure = storable(found)
    const delayMs = retryDelayMs(attempt, failure, retry ?? { attemptsMax: 1, delayMsMin: 0, delayMsMax: 0 }, random)
    this.#stepFailed(op, kind, name, attempt, failure, delayMs, durationMs)
  }

  /** The SDK refuses such an input at the call. Other workers may not. */
  #isRefusedInput(op: string, kind: StepKind, name: string, attempt: number, input: Json): boolean {
    const problem = whyNotJson(input)
    if (problem)
      this.#stepFailed(
        op,
        kind,
        name,
        attempt,
        { message: `The input of ${kind} ${name} cannot be stored: ${problem}.`, code: 'not_json', retryable: false },
        null,
      )
    return problem !== undefined
  }

  #stepFailed(
    op: string,
    kind: StepKind,
    name: string,
    attempt: number,
    failure: Failure,
    retryInMs: number | null,
    durationMs?: number,
    booked: string[] = [],
  ): void {
    const frame: ServerFrame =
      retryInMs === null ? { type: 'op.failed', run: this.id, op, failure } : { type: 'op.retry', run: this.id, op, attempt: attempt + 1, delayMs: retryInMs }
    this.#append([{ type: 'step.failed', op, data: { kind, name, attempt, failure, retryInMs, ...(durationMs !== undefined && { durationMs }) } }], {
      booked,
      frames: [frame],
    })
  }

  /** A step for the server to execute. */
  #asked({ op, kind, name, input, retry }: Extract<RunFrame, { type: 'op' }>): void {
    if (this.#isDraining) return this.#handBackAtBoundary()
    const known = this.history.ops.get(op)
    if (this.#executing.has(op) || (known && known.state !== 'open')) return
    if (kind === 'run') return this.#startChild({ type: 'op', run: this.id, op, kind, name, input })
    const policy = retry ?? defaultRetry
    const execute = (attempt: number) => void this.#execute({ op, kind, name, input, attempt, policy }, true)
    if (known?.isStarted) {
      // Its intent is recorded, by another life perhaps. An entry without rows admits it anew under today's fence.
      this.#executing.set(op, new AbortController())
      return this.#append([], { then: () => execute(known.attempt) })
    }
    if (this.#isRefusedInput(op, kind, name, 1, input)) return
    this.#begin({ op, kind, name, input, attempt: known?.attempt ?? 1, policy })
  }

  /** Records the intent, then executes. */
  #begin(step: ServerStep): void {
    const { op, kind, name, attempt, input } = step
    const executor = this.#ports.executors[kind]
    this.#executing.set(op, new AbortController())
    this.#append([{ type: 'step.started', op, data: { kind, name, attempt, input: executor?.record ? executor.record(input) : input } }], {
      then: () => void this.#execute(step),
    })
  }

  async #execute(step: ServerStep, isRepeated = false): Promise<void> {
    if (this.#isLeaving) return // What was durable a moment ago was taken away since.
    const { op, kind, name, input, attempt, policy } = step
    const controller = this.#executing.get(op) ?? new AbortController()
    this.#executing.set(op, controller)
    const { signal } = controller
    const booked: string[] = []
    const from = monotonicMs()
    const elapsed = () => Math.round((monotonicMs() - from) * 10) / 10
    try {
      const executor = this.#ports.executors[kind]
      if (!executor) throw new StepFailure({ message: `This server executes no ${kind} steps.`, code: 'unknown_kind', retryable: false })
      const result = await executor.execute(input, {
        run: this.row,
        op,
        attempt,
        isRepeated,
        signal,
        book: (row) => void booked.push(row),
        live: (frame) => this.#ports.onLive(this.id, op, frame),
        lookup: (path) => {
          const found = this.history.ops.get(path)
          return found && 'input' in found && found.input !== undefined
            ? { input: found.input, output: found.state === 'completed' ? found.output : undefined }
            : undefined
        },
      })
      if (signal.aborted || this.#isLeaving) return
      this.#executing.delete(op)
      const problem = whyNotJson(result.output)
      if (problem) throw new StepFailure({ message: `The result of ${kind} ${name} cannot be stored: ${problem}.`, code: 'not_json', retryable: false })
      this.#append(
        [
          {
            type: 'step.completed',
            op,
            data: { kind, name, attempt, output: result.output, ...(result.usage && { usage: result.usage }), durationMs: elapsed() },
          },
        ],
        { booked, frames: [{ type: 'op.completed', run: this.id, op, output: result.output }] },
      )
    } catch (error) {
      if (signal.aborted || this.#isLeaving) return
      this.#executing.delete(op)
      const failure = storable(toFailure(error))
      const delayMs = retryDelayMs(attempt, failure, policy, random)
      if (delayMs === null) return this.#stepFailed(op, kind, name, attempt, failure, null, elapsed(), booked)
      this.#executing.set(op, new AbortController())
      this.#append([{ type: 'step.failed', op, data: { kind, name, attempt, failure, retryInMs: delayMs, durationMs: elapsed() } }], {
        booked,
        then: () => this.#arm(op, delayMs, () => this.#begin({ ...step, attempt: attempt + 1 })),
      })
    }
  }

  #waited({ op, kind, name, timeoutMs, detail, target }: Extract<RunFrame, { type: 'op.wait' }>): void {
    const known = this.history.ops.get(op)
    if (known?.state === 'waiting') return this.#armTimers()
    if (known?.state === 'completed') return this.#send?.({ type: 'op.completed', run: this.id, op, output: known.output })
    if (known?.state === 'failed') return this.#send?.({ type: 'op.failed', run: this.id, op, failure: known.failure })
    const untilMs = timeoutMs === null ? null : this.#ports.clock.latestMs() + timeoutMs
    const until = untilMs === null ? null : new Date(Math.ceil(untilMs)).toISOString()
    const problem = detail === undefined ? undefined : whyNotJson(detail)
    if (problem) return this.#fail({ message: `The detail of ${kind} ${name} cannot be stored: ${problem}.`, code: 'not_json', retryable: false })
    if (kind === 'run' && (target === undefined || !this.history.children.has(target))) {
      const message = `Run ${target ?? '(none)'} was not started by this run, so its end cannot be waited for.`
      return this.#stepFailed(op, kind, name, 1, { message, code: 'not_found', retryable: false }, null)
    }
    const approvalId = kind === 'approval' ? newId() : undefined
    const created: NewEvent = {
      type: 'wait.created',
      op,
      data: { kind, name, until, ...(approvalId && { approvalId }), ...(kind === 'run' && { runId: target }), ...(detail !== undefined && { detail }) },
    }
    const signalled = kind === 'signal' ? this.history.signals.find((signal) => signal.name === name)?.payload : undefined
    const output: Json | undefined = kind === 'run' ? this.history.ends.get(target ?? '') : signalled
    if (output !== undefined) {
      return this.#append([created, { type: 'wait.completed', op, data: { kind, name, output } }], {
        frames: [{ type: 'op.completed', run: this.id, op, output }],
      })
    }
    const { id: run, row } = this
    const approvals = approvalId
      ? [JSON.stringify({ id: approvalId, tenant: row.tenantId, run, agent: row.agent, op, title: name, detail: detail ?? null, expires: untilMs })]
      : undefined
    this.#append([created], { ...(approvals && { approvals }) })
    this.#armTimers()
  }

  /** The code waits for nothing but these. The run goes to sleep, unless one of them is about to end. */
  #idle(ops: string[]): void {
    let count = 0
    let nextMs = Infinity
    for (const [path, op] of this.history.waits()) {
      if (!ops.includes(path)) continue
      count++
      if (op.until !== null) nextMs = Math.min(nextMs, op.until)
    }
    for (const [path] of this.history.undecided()) if (ops.includes(path)) count++
    if (count < ops.length || this.#executing.size > 0) return // Crossed with a result that is on its way to the worker.
    if (nextMs - this.#ports.clock.nowMs() <= residentMs) return
    if (![...this.history.waits()].some(([path, op]) => op.kind === 'run' && ops.includes(path))) return this.#sleep()
    this.#idleOps = ops
    this.#arm('linger', lingerMs, () => this.#idleOps && this.#sleep())
  }

  /** Gives the run back until a timer or a message. */
  #sleep(): void {
    const first = [...this.history.waits()].toSorted(([, a], [, b]) => (a.until ?? Infinity) - (b.until ?? Infinity))[0]
    const parked = this.history.parked
    const [doubt] = this.history.undecided()
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
    this.#append([], { change: { state: 'waiting', wait, dueMs: parked ? null : (first?.[1].until ?? null) } })
    this.#leave('waiting')
  }

  /** It waits for an operator from here on. */
  park(reason: ParkReason, detail: Json): void {
    if (this.#isLeaving) return
    this.#append([{ type: 'wait.created', data: { kind: 'operator', name: 'operator', until: null, reason, detail } }], {})
    this.#sleep()
  }

  #end(why: 'ended' | 'cancelled', event: NewEvent, change: Change, taken: string[] = []): void {
    this.#append([event], { change, taken })
    this.#leave(why)
  }

  /** From here on the run takes nothing more. The worker is told once the last entry is durable. */
  #leave(why: 'ended' | 'cancelled' | 'waiting' | 'handed-back'): void {
    this.#stopEverything()
    this.#isLeaving = true
    const send = this.#send
    // An entry without rows: it is told after those before it.
    this.#append([], {
      then: () => {
        if (why !== 'ended') send?.({ type: 'run.release', run: this.id, reason: why === 'handed-back' ? 'superseded' : why })
        this.#ports.onOver(this, why === 'cancelled' ? 'ended' : why)
      },
    })
  }

  #stopEverything(): void {
    for (const controller of this.#executing.values()) controller.abort()
    this.#executing.clear()
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
  }

  #fireTimers(): void {
    const nowMs = this.#ports.clock.nowMs()
    const due = [...this.history.waits()].filter(([, op]) => op.until !== null && op.until <= nowMs).toSorted(([, a], [, b]) => (a.until ?? 0) - (b.until ?? 0))
    for (const [path, op] of due) {
      if (op.kind === 'timer') this.#complete(path, 'timer', op.name, null)
      else {
        this.#disarm(path)
        const failure: Failure = { message: `Nobody answered ${JSON.stringify(op.name)} in time.`, code: 'timed_out', retryable: false }
        this.#append([{ type: 'wait.completed', op: path, data: { kind: op.kind, name: op.name, output: null, timedOut: true } }], {
          frames: [{ type: 'op.failed', run: this.id, op: path, failure }],
        })
      }
    }
  }

  /** Waits that end while the run is here. */
  #armTimers(): void {
    for (const [path, op] of this.history.waits()) {
      if (op.until === null || this.#timers.has(path)) continue
      this.#arm(path, Math.max(0, op.until - this.#ports.clock.nowMs()), () => {
        this.#fireTimers()
        if (!this.#isLeaving) this.#armTimers() // The clock was a little ahead: once more.
      })
    }
  }

  #arm(op: string, ms: number, then: () => void): void {
    this.#disarm(op)
    this.#timers.set(
      op,
      after(ms, () => {
        this.#timers.delete(op)
        if (!this.#isLeaving) then()
      }),
    )
  }

  #disarm(op: string): void {
    this.#timers.get(op)?.()
    this.#timers.delete(op)
  }

  /** Puts events and what belongs to them on their way. `frames` and `then` follow once they are durable. */
  #append(events: NewEvent[], { change, frames, then, approvals, taken, children, childEvents, booked = [] }: Belongings = {}): void {
    let bytes = booked.reduce((sum, row) => sum + row.length, 0)
    const rows = events.map((event) => {
      this.history.apply(event)
      const row = eventRow({ runId: this.id, tenantId: this.row.tenantId, epoch: this.epoch, seq: this.#seq++, previousHash: this.#lastHash }, event)
      this.#lastHash = row.hash
      bytes += row.text.length
      return row.text
    })
    this.#bytes += bytes
    if (frames) this.#idleOps = undefined
    if (childEvents) {
      rows.push(...childEvents)
      bytes += [...childEvents, ...(children ?? [])].reduce((sum, text) => sum + text.length, 0)
    }
    if (bytes > outputBytesMax * 2) this.#ports.log.warn('large journal entry', { runId: this.id, bytes })
    const durable = { seq: this.#seq, hash: this.#lastHash }
    const changeRow = change && this.#changeRow(change)
    // A worker that comes later gets this with the history. Told again while it replays, it would be a second result of the same operation.
    const send = this.#send
    this.#unwrittenCount++
    this.#ports.journal.append({
      runId: this.id,
      epoch: this.epoch,
      events: rows,
      change: changeRow,
      approvals,
      taken,
      children,
      booked,
      bytes: bytes + (changeRow?.length ?? 0),
      onDurable: () => {
        this.#durable = durable
        if (rows.length > 0) this.#ports.onEvents(this.id)
        if (this.#isDraining && rows.length > 0) this.#handBackAtBoundary()
        if (!this.#isDraining) for (const frame of frames ?? []) send?.(frame)
        then?.()
        if (--this.#unwrittenCount > 0) return
        const whenWritten = this.#whenWritten
        this.#whenWritten = undefined
        whenWritten?.()
      },
      onRefused: (why, error) => {
        if (why === 'invalid') this.#failRefused(error)
      },
    })
  }

  /**
   * The database takes what the run wanted to record never, however often it is asked. Values are checked before, so this is a fault of
   * a worker that is not the SDK's, or ours. The run fails, with what is in the journal already as its history.
   */
  #failRefused(error: unknown): void {
    if (this.#isRefused) return
    this.#isRefused = true
    this.#ports.log.error('the database refused what a run wanted to record', { runId: this.id, error })
    this.#stopEverything()
    this.#isLeaving = true
    this.#seq = this.#durable.seq
    this.#lastHash = this.#durable.hash
    const failure: Failure = { message: 'The database refused what the run wanted to record.', code: 'not_storable', retryable: false }
    this.#send?.({ type: 'run.release', run: this.id, reason: 'ended' })
    const row = eventRow(
      { runId: this.id, tenantId: this.row.tenantId, epoch: this.epoch, seq: this.#seq++, previousHash: this.#lastHash },
      { type: 'run.failed', data: { failure } },
    )
    this.#ports.journal.append({
      runId: this.id,
      epoch: this.epoch,
      events: [row.text],
      change: this.#changeRow({ state: 'failed', failure }),
      bytes: row.text.length,
      onDurable: () => this.#ports.onOver(this, 'ended'),
      onRefused: () => this.supersede(), // Not even that: its journal is not as we know it. It is claimed and read anew.
    })
  }

  /** Whether its end is anybody else's business. */
  get owes(): boolean {
    return this.row.parentId !== null || this.history.children.size > 0 || (this.row.destinations ?? []).length > 0
  }

  #changeRow({ state, output, failure, wait, dueMs, continuedAs }: Change): string {
    const isEnd = state !== 'running' && state !== 'waiting'
    return JSON.stringify({
      id: this.id,
      epoch: this.epoch,
      state,
      output,
      failure,
      wait,
      usage: this.history.usage,
      count: this.#seq,
      seen: this.#inboxSeen,
      ...(dueMs !== undefined && dueMs !== null && { due: dueMs }),
      ...(continuedAs !== undefined && { continued: continuedAs }),
      ...(isEnd && (this.owes || continuedAs !== undefined) && { owes: true }),
    })
  }
}

const interrupted = 'Its worker or its server was lost while it was under way.'
const interruptedTool: Failure = {
  message: 'It was interrupted, and whether it took effect is not known. Find out before you call it again.',
  code: 'interrupted',
  retryable: false,
}

type Belongings = {
  change?: Change
  frames?: ServerFrame[]
  then?: () => void
  approvals?: string[]
  taken?: string[]
  /** Rows of new runs, and their first events. */
  children?: string[]
  /** What executors book with the step, for the booking of the flush. */
  booked?: string[]
  childEvents?: string[]
}

/** The columns of `flush-store.ts` for a run that another one starts. */
type NewRunOf = {
  agent: string
  version: string
  input: Json
  session: string | null
  parent: string | null
  parent_op: string | null
  detached: boolean
  depth: number
  lineage?: string
  destinations?: Json
  signals: readonly { name: string; payload: Json }[]
}

type ServerStep = { op: string; kind: StepKind; name: string; input: Json; attempt: number; policy: RetryPolicy }

/** Texts of others, made such that the database takes them. */
const storable = (failure: Failure): Failure => ({
  ...failure,
  message: storableText(failure.message),
  ...(failure.code !== undefined && { code: storableText(failure.code) }),
  ...(failure.stack !== undefined && { stack: storableText(failure.stack) }),
})

type Place = { runId: string; tenantId: string; epoch: number; seq: number; previousHash: string }

/** One row of the journal as the flush takes it. Its hash covers the hash before it, so that no row can be changed, dropped or moved unseen. */
export function eventRow({ runId, tenantId, epoch, seq, previousHash }: Place, { type, op, data }: NewEvent, isNew = false): { text: string; hash: string } {
  const text = JSON.stringify(data)
  const hash = digest('sha256', `${previousHash}\n${runId} ${seq} ${type} ${op ?? ''}\n${text}`, 'hex')
  return {
    text: `{"r":"${runId}","s":${seq},"n":${JSON.stringify(tenantId)},"e":${epoch},"t":"${type}",${op === undefined ? '' : `"o":"${op}",`}${isNew ? '"new":true,' : ''}"h":"\\\\x${hash}","d":${text}}`,
    hash,
  }
}
