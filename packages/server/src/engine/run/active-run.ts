/**
 * A run that this node owns, between its claim and the moment it sleeps, ends or goes to another. Everything a worker asks
 * for the run and everything that is told to it passes here; nothing is told before it is durable, and results are told
 * in the order in which they were recorded.
 */
import { type Compute, type Failure, type Json, type ServerFrame, type StepKind, type StepNotes, storableText } from '@longhaul/protocol'
import { after } from '../../kernel/index.ts'
import { History, type NewEvent } from '../history.ts'
import type { ClaimedRun, JournalRow } from '../run-store.ts'
import { eventRow } from './event-row.ts'
import type { RunPorts } from './ports.ts'

type Change = {
  state: 'running' | 'waiting' | 'completed' | 'failed' | 'cancelled'
  output?: Json
  failure?: Failure
  wait?: Json
  dueMs?: number | null
  continuedAs?: string
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

/** `labels`: whose words it holds. */
export type SaidToRun = { id: string; input: Json; labels: string[] }

/** Of its bounds. From here on a run is warned. */
const warnedFrom = 0.8
const outputBytesMax = 8_000_000
const noCompute: Compute = { cpuMs: 0, memoryMbS: 0 }

export class ActiveRun {
  readonly id: string
  readonly epoch: number
  readonly row: ClaimedRun
  /** The node that it was claimed by: this process under the name that it had then. */
  readonly nodeId: string
  readonly history = new History()
  /** A worker has been asked for. */
  isDispatched = false
  readonly ports: RunPorts
  readonly executing = new Map<string, AbortController>()
  readonly admitting = new Set<string>()
  /** Of tools that a worker executes: to be called when one is over. */
  readonly leaves = new Map<string, () => void>()
  /** What was said for it and no model call has taken yet. */
  said: SaidToRun[] = []
  readonly timers = new Map<string, () => void>()
  /** Who hears what becomes of steps that no worker asked for, by their paths. */
  readonly inner = new Map<string, (frame: ServerFrame) => void>()
  seq = 0
  lastHash = ''
  /** Where the journal stands in the database. */
  durable = { seq: 0, hash: '' }
  isRefused = false
  inboxSeen = 0
  takenIds = new Set<string>()
  send: ((frame: ServerFrame) => void) | undefined
  isTakenUp = false
  unwrittenCount = 0
  whenWritten: (() => void) | undefined
  /** The node is stopping: it begins nothing, and goes to another node as soon as nothing is under way. */
  isDraining = false
  /** Nothing of the worker counts any more: an end, a sleep or a hand-over is on its way to the journal. */
  isLeaving = false
  isSuperseded = false
  /** The worker lacks a part of the history that it needs now. */
  mustReplay = false
  /** What its code waits for, as long as nothing else has happened since it said so. */
  idleOps: string[] | undefined
  bytes = 0
  /** What it took of a worker and is not written yet. */
  compute = noCompute
  /** Versions that are being looked up, so that a thousand children cost one question. */
  readonly versions = new Map<string, ReturnType<RunPorts['findVersion']>>()

  constructor(row: ClaimedRun, nodeId: string, ports: RunPorts) {
    this.id = row.id
    this.nodeId = nodeId
    this.epoch = row.epoch
    this.row = row
    this.history.trust.add(row.labels ?? [])
    this.ports = ports
  }

  /** A run that this node has just started: its first event is written already. */
  begin(firstHash: string): void {
    this.isTakenUp = true
    this.seq = 1
    this.lastHash = firstHash
    this.durable = { seq: 1, hash: firstHash }
    this.history.length = 1
  }

  /** Takes up what the journal says. Throws when it contradicts itself: then nothing may be written after it. */
  load(rows: JournalRow[]): void {
    for (const row of rows) {
      if (row.seq !== this.seq) throw new Error(`Journal of run ${this.id} has event ${row.seq} where ${this.seq} should be.`)
      this.history.apply({ type: row.type, op: row.op ?? undefined, data: row.data as object })
      this.lastHash = row.hash.toString('hex')
      this.bytes += row.bytes
      this.seq++
    }
    if (this.seq === 0) throw new Error(`Run ${this.id} has no journal.`)
    this.durable = { seq: this.seq, hash: this.lastHash }
  }

  /** Whose words it has read, for its row and those of the runs that it starts. */
  get labels(): string[] | null {
    const { labels } = this.history.trust
    return labels.size > 0 ? [...labels] : null
  }

  /** Its worker has taken this for it since it was last told. */
  meter({ cpuMs, memoryMbS }: Compute): void {
    this.compute = { cpuMs: this.compute.cpuMs + cpuMs, memoryMbS: this.compute.memoryMbS + memoryMbS }
  }

  /** A tool that a worker executed is over. */
  left(op: string): void {
    this.leaves.get(op)?.()
    this.leaves.delete(op)
  }

  /** Whether its end is anybody else's business. */
  get owes(): boolean {
    return this.row.sessionId !== null || this.row.parentId !== null || this.history.children.size > 0 || (this.row.destinations ?? []).length > 0
  }

  /** Puts events and what belongs to them on their way. `frames` and `then` follow once they are durable. */
  append(events: NewEvent[], { change, frames, then, approvals, taken, children, childEvents, booked = [] }: Belongings = {}): void {
    let bytes = booked.reduce((sum, row) => sum + row.length, 0)
    const rows = events.map((event) => {
      this.history.apply(event)
      const row = eventRow({ runId: this.id, tenantId: this.row.tenantId, epoch: this.epoch, seq: this.seq++, previousHash: this.lastHash }, event)
      this.lastHash = row.hash
      bytes += row.text.length
      return row.text
    })
    this.bytes += bytes
    if (frames) this.idleOps = undefined
    if (childEvents) {
      rows.push(...childEvents)
      bytes += [...childEvents, ...(children ?? [])].reduce((sum, text) => sum + text.length, 0)
    }
    if (bytes > outputBytesMax * 2) this.ports.log.warn('large journal entry', { runId: this.id, bytes })
    const durable = { seq: this.seq, hash: this.lastHash }
    const changeRow = change && this.changeRow(change)
    // A worker that comes later gets this with the history. Told again while it replays, it would be a second result of the same operation.
    const send = this.send
    this.unwrittenCount++
    this.ports.journal.append({
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
        this.durable = durable
        if (rows.length > 0) this.ports.onEvents(this.id)
        if (this.isDraining && rows.length > 0) this.handBackAtBoundary()
        if (!this.isDraining) for (const frame of frames ?? []) (('op' in frame && this.inner.get(frame.op)) || send)?.(frame)
        then?.()
        if (--this.unwrittenCount > 0) return
        const whenWritten = this.whenWritten
        this.whenWritten = undefined
        whenWritten?.()
      },
      onRefused: (why, error) => {
        if (why === 'invalid') this.failRefused(error)
      },
    })
  }

  /**
   * The database takes what the run wanted to record never, however often it is asked. Values are checked before, so this is a fault of
   * a worker that is not the SDK's, or ours. The run fails, with what is in the journal already as its history.
   */
  failRefused(error: unknown): void {
    if (this.isRefused) return
    this.isRefused = true
    this.ports.log.error('the database refused what a run wanted to record', { runId: this.id, error })
    this.stopEverything()
    this.isLeaving = true
    this.seq = this.durable.seq
    this.lastHash = this.durable.hash
    const failure: Failure = { message: 'The database refused what the run wanted to record.', code: 'not_storable', retryable: false }
    this.send?.({ type: 'run.release', run: this.id, reason: 'ended' })
    const row = eventRow(
      { runId: this.id, tenantId: this.row.tenantId, epoch: this.epoch, seq: this.seq++, previousHash: this.lastHash },
      { type: 'run.failed', data: { failure } },
    )
    this.ports.journal.append({
      runId: this.id,
      epoch: this.epoch,
      events: [row.text],
      change: this.changeRow({ state: 'failed', failure }),
      bytes: row.text.length,
      onDurable: () => this.ports.onOver(this, 'ended'),
      onRefused: () => this.supersede(), // Not even that: its journal is not as we know it. It is claimed and read anew.
    })
  }

  changeRow({ state, output, failure, wait, dueMs, continuedAs }: Change): string {
    const isEnd = state !== 'running' && state !== 'waiting'
    const { cpuMs, memoryMbS } = this.compute
    this.compute = noCompute
    return JSON.stringify({
      id: this.id,
      epoch: this.epoch,
      state,
      output,
      failure,
      wait,
      usage: this.history.usage,
      count: this.seq,
      seen: this.inboxSeen,
      ...(dueMs !== undefined && dueMs !== null && { due: dueMs }),
      ...(continuedAs !== undefined && { continued: continuedAs }),
      ...(this.labels !== null && { labels: this.labels }),
      ...(memoryMbS > 0 && { cpu: cpuMs, memory: memoryMbS }),
      ...(isEnd && (this.owes || continuedAs !== undefined) && { owes: true }),
    })
  }

  /** A history without bounds would be read whole at every wake, and one day not at all. */
  checkBounds(): void {
    if (this.isLeaving) return
    const { eventsMax, bytesMax } = this.ports.bounds
    if (this.history.length < eventsMax * warnedFrom && this.bytes < bytesMax * warnedFrom) return
    for (const [what, count, max] of [
      ['events', this.history.length, eventsMax],
      ['bytes', this.bytes, bytesMax],
    ] as const) {
      if (count < max * warnedFrom) continue
      if (!this.history.warned.has(what)) this.append([{ type: 'run.warned', data: { what, count, max } }])
      if (count < max) continue
      const message = `The run's history has come to ${count} ${what}, and may have ${max}. Have its code go on as a new run before (ctx.continueAs), or raise the limit.`
      return this.fail({ message, code: 'history_limit', retryable: false })
    }
  }

  stepFailed(
    op: string,
    kind: StepKind,
    name: string,
    attempt: number,
    failure: Failure,
    retryInMs: number | null,
    durationMs?: number,
    booked: string[] = [],
    notes: StepNotes = {},
  ): void {
    const frame: ServerFrame =
      retryInMs === null ? { type: 'op.failed', run: this.id, op, failure } : { type: 'op.retry', run: this.id, op, attempt: attempt + 1, delayMs: retryInMs }
    this.append([{ type: 'step.failed', op, data: { kind, name, attempt, failure, retryInMs, ...(durationMs !== undefined && { durationMs }), ...notes } }], {
      booked,
      frames: [frame],
    })
  }

  fail(failure: Failure): void {
    this.end('ended', { type: 'run.failed', data: { failure } }, { state: 'failed', failure })
  }

  end(why: 'ended' | 'cancelled', event: NewEvent, change: Change, taken: string[] = []): void {
    this.append([event], { change, taken })
    this.leave(why)
  }

  /** Its journal contradicts itself. Nothing may be written after it, but somebody must be told where it stands. */
  block(message: string): void {
    if (this.isLeaving) return
    this.append([], {
      change: { state: 'waiting', wait: { kind: 'operator', name: 'operator', until: null, reason: 'broken', detail: { message: storableText(message) } } },
    })
    this.leave('waiting')
  }

  /** The worker is gone. The run goes back, to be taken up from the journal; what was executed for it here is stopped. */
  interrupt(reason: 'worker_lost' | 'worker_hung', message: string, isSuspect: boolean): void {
    if (this.isLeaving) return
    this.append([{ type: 'run.interrupted', data: { reason, message: storableText(message.slice(0, 2_000)), isSuspect } }], { change: { state: 'running' } })
    this.leave('handed-back')
  }

  /** The node is stopping: the run is handed over at its next step boundary, before its code hears of the result. */
  drain(): void {
    this.isDraining = true
    if (!this.send) this.handBack() // No worker has it, so nothing is under way.
  }

  /** Gives the run back untouched: the node is stopping. */
  handBack(): void {
    if (this.isLeaving) return
    this.append([], { change: { state: 'running' } })
    this.leave('handed-back')
  }

  /** A step that the worker executes is known only once it is recorded, so a boundary is looked for when something was. */
  handBackAtBoundary(): void {
    const isUnderWay = this.executing.size > 0 || [...this.history.ops.values()].some((op) => op.state === 'open' && op.isStarted)
    if (this.isDraining && !isUnderWay) this.handBack()
  }

  /** From here on the run takes nothing more. The worker is told once the last entry is durable. */
  leave(why: 'ended' | 'cancelled' | 'waiting' | 'handed-back'): void {
    this.stopEverything()
    this.isLeaving = true
    const send = this.send
    // An entry without rows: it is told after those before it.
    this.append([], {
      then: () => {
        if (why !== 'ended') send?.({ type: 'run.release', run: this.id, reason: why === 'handed-back' ? 'superseded' : why })
        this.ports.onOver(this, why === 'cancelled' ? 'ended' : why)
      },
    })
  }

  /** It is another's: drop everything, write nothing. */
  supersede(): void {
    this.isSuperseded = true
    this.stopEverything()
    this.isLeaving = true
    this.send?.({ type: 'run.release', run: this.id, reason: 'superseded' })
    this.ports.onOver(this, 'superseded')
  }

  stopEverything(): void {
    for (const controller of this.executing.values()) controller.abort()
    this.executing.clear()
    this.inner.clear()
    for (const op of [...this.leaves.keys()]) this.left(op)
    for (const cancel of this.timers.values()) cancel()
    this.timers.clear()
  }

  arm(op: string, ms: number, then: () => void): void {
    this.disarm(op)
    this.timers.set(
      op,
      after(ms, () => {
        this.timers.delete(op)
        if (!this.isLeaving) then()
      }),
    )
  }

  disarm(op: string): void {
    this.timers.get(op)?.()
    this.timers.delete(op)
  }
}
