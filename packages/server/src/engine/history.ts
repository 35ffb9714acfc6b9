/** What a run's journal says: a pure fold of its events, and the reading of it that a worker replays. */
import type { Decider, Effect, EventType, Failure, HistoryEntry, Json, ParkReason, StepKind, Usage, WaitKind } from '@longhaul/protocol'

import { Trust } from './trust.ts'

/** An event to be recorded. `data` has the shape that the protocol gives its type; undefined properties are left out. */
export type NewEvent = { type: EventType; op?: string | undefined; data: object }

export type Op =
  | OpenOp
  | { state: 'waiting'; kind: WaitKind; name: string; until: number | null; approvalId: string | undefined; runId: string | undefined }
  | { state: 'completed'; kind: string; name: string; output: Json; input: Json | undefined }
  | { state: 'failed'; kind: string; name: string; failure: Failure; input: Json | undefined }

/** `attempt` is the one under way, or the next one to make. `doubt`: it was begun, how it ended is not known, and this decides. */
export type OpenOp = {
  state: 'open'
  kind: StepKind
  name: string
  attempt: number
  isStarted: boolean
  input: Json | undefined
  effect?: Effect | undefined
  isChecked?: boolean | undefined
  doubt?: Decider | undefined
  /** Paths of waits inside it: its next attempt is for when one of them has ended. */
  pausedFor?: string[] | undefined
}

export type Parked = { reason: ParkReason; detail: Json }

export class History {
  readonly trust = new Trust()
  /** Operations by path, in the order in which they were first recorded. */
  readonly ops = new Map<string, Op>()
  /** Paths in the order in which results were recorded. */
  readonly results: string[] = []
  /** Signals that nobody has waited for yet, oldest first. */
  readonly signals: { name: string; payload: Json }[] = []
  /** Approvals that were asked for inside an `invoke`, by their ids, oldest first. */
  readonly askedInside = new Map<string, { op: string; name: string; detail: Json }>()
  /** Runs that it has started, by their ids. */
  readonly children = new Set<string>()
  /** How children ended, by their ids. */
  readonly ends = new Map<string, Json>()
  /** What it has been warned of. */
  readonly warned = new Set<string>()
  /** Workers lost while its code was executing, since somebody last took the run up again. */
  interruptionCount = 0
  /** Workers lost for whatever reason, since then. */
  lossCount = 0
  parked: Parked | undefined
  /** Of all steps so far. */
  usage: Usage = { input: 0, cachedInput: 0, output: 0, costUsd: 0 }
  length = 0

  apply({ type, op, data }: NewEvent): void {
    this.length++
    this.trust.apply({ type, op, data })
    const at = op === undefined ? undefined : this.ops.get(op)
    // The journal was written by this engine: data of a type has the shape that the protocol gives it.
    const d = data as unknown as Record<string, never>
    switch (type) {
      case 'step.started':
        this.ops.set(op!, {
          state: 'open',
          kind: d['kind']!,
          name: d['name']!,
          attempt: d['attempt']!,
          isStarted: true,
          input: d['input'],
          effect: d['effect'],
          isChecked: d['isChecked'],
        })
        break
      case 'step.doubted':
        if (at?.state === 'open') at.doubt = d['needs']
        break
      case 'step.decided':
        if (at?.state === 'open' && d['decision'] === 'execute') this.ops.set(op!, { ...at, attempt: at.attempt + 1, isStarted: false, doubt: undefined })
        break
      case 'step.paused':
        if (at?.state === 'open') this.ops.set(op!, { ...at, attempt: at.attempt + 1, isStarted: false, pausedFor: d['waits']! })
        break
      case 'step.completed':
        if (d['kind'] === 'run') this.children.add(d['output']!['runId'])
        if (d['usage']) this.usage = sum(this.usage, d['usage'])
        this.#result(op!, {
          state: 'completed',
          kind: d['kind']!,
          name: d['name']!,
          output: d['output']!,
          input: d['kind'] === 'model' ? inputOf(at) : undefined,
        })
        break
      case 'step.failed':
        if (d['retryInMs'] !== null)
          this.ops.set(op!, {
            state: 'open',
            kind: d['kind']!,
            name: d['name']!,
            attempt: Number(d['attempt']) + 1,
            isStarted: false,
            input: inputOf(at),
            ...(at?.state === 'open' && { effect: at.effect, isChecked: at.isChecked }),
          })
        else this.#result(op!, { state: 'failed', kind: d['kind']!, name: d['name']!, failure: d['failure']!, input: inputOf(at) })
        break
      case 'wait.created':
        if (op === undefined) this.parked = { reason: d['reason']!, detail: d['detail'] ?? null }
        else
          this.ops.set(op, {
            state: 'waiting',
            kind: d['kind']!,
            name: d['name']!,
            until: d['until'] === null ? null : Date.parse(d['until']!),
            approvalId: d['approvalId'],
            runId: d['runId'],
          })
        if (op !== undefined && d['approvalId'] && this.#invokeAround(op))
          this.askedInside.set(d['approvalId']!, { op, name: d['name']!, detail: d['detail'] ?? null })
        break
      case 'wait.completed':
        if (d['timedOut']) this.#result(op!, { state: 'failed', kind: d['kind']!, name: d['name']!, failure: timedOut(d['name']!), input: undefined })
        else this.#result(op!, { state: 'completed', kind: d['kind']!, name: d['name']!, output: d['output']!, input: undefined })
        if (d['kind'] === 'run' && !d['timedOut']) this.ends.set(d['output']!['runId'], d['output']!)
        if (d['kind'] === 'signal' && !d['timedOut']) this.#takeSignal(d['name']!)
        break
      case 'signal.received':
        this.signals.push({ name: d['name']!, payload: d['payload']! })
        break
      case 'child.ended':
        this.ends.set(d['end']!['runId'], d['end']!)
        break
      case 'run.warned':
        this.warned.add(d['what']!)
        break
      case 'run.interrupted':
        this.lossCount++
        if (d['isSuspect']) this.interruptionCount++
        break
      case 'run.resumed':
        this.interruptionCount = 0
        this.lossCount = 0
        this.parked = undefined
        break
    }
  }

  /** What the worker replays: results in recorded order, then what is open. Inside a tool that has a result, or is in doubt, nothing executes. */
  entries(): HistoryEntry[] {
    const entries: HistoryEntry[] = []
    for (const path of this.results) {
      const op = this.ops.get(path)
      if (!op || this.#isInsideSettled(path)) continue
      if (op.state === 'completed') entries.push({ type: 'completed', op: path, kind: op.kind, name: op.name, output: op.output })
      if (op.state === 'failed') entries.push({ type: 'failed', op: path, kind: op.kind, name: op.name, failure: op.failure })
    }
    for (const [path, op] of this.ops) {
      if ((op.state === 'open' || op.state === 'waiting') && !this.#isInsideSettled(path)) {
        const doubt = op.state === 'open' ? op.doubt : undefined
        entries.push({ type: 'open', op: path, kind: op.kind, name: op.name, attempt: op.state === 'open' ? op.attempt : 1, ...(doubt && { doubt }) })
      }
    }
    return entries
  }

  /**
   * What was under way when the run was last executed and must not simply be executed again: writes, and tools that do not say what they do.
   * One whose code was in a wait of its own was not writing, and a program that has asked people for something knows what a continuation is.
   */
  interrupted(): [string, OpenOp][] {
    const found: [string, OpenOp][] = []
    for (const [path, op] of this.ops) {
      if (op.state !== 'open' || !op.isStarted || op.doubt || (op.effect !== 'write' && !(op.kind === 'tool' && op.effect === undefined))) continue
      const isResumable = ({ state, kind }: Op) => state === 'waiting' || (op.kind === 'invoke' && kind === 'approval')
      if (!this.#isInsideSettled(path) && !this.hasInside(path, isResumable)) found.push([path, op])
    }
    return found
  }

  /** Whether anything that `is` picks was asked for inside a tool. */
  hasInside(tool: string, is: (op: Op) => boolean = () => true): boolean {
    for (const [path, op] of this.ops) if (path.startsWith(`${tool}.`) && is(op)) return true
    return false
  }

  /** Inside of an `invoke` as well: what is recorded there no worker has asked for. */
  #isInsideSettled(path: string): boolean {
    for (let dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.', dot - 1)) {
      const parent = this.ops.get(path.slice(0, dot))
      if (parent && 'kind' in parent && parent.kind === 'invoke') return true
      if (parent && (parent.state === 'completed' || parent.state === 'failed' || (parent.state === 'open' && parent.doubt))) return true
    }
    return false
  }

  /** An open step of which one of the waits inside has to end before its next attempt. */
  paused(): string | undefined {
    for (const [path, op] of this.ops)
      if (op.state === 'open' && op.pausedFor && op.pausedFor.length > 0 && op.pausedFor.every((wait) => this.ops.get(wait)?.state === 'waiting')) return path
    return undefined
  }

  /** Lets go of results that only a replay needs; the journal has them. Models' stay, since later prompts build on them, and what a program has that is asked again. */
  forgetResults(): void {
    for (const [path, op] of this.ops) if (op.state === 'completed' && op.kind !== 'model' && this.#invokeAround(path)?.state !== 'open') op.output = null
  }

  #invokeAround(path: string): Op | undefined {
    const around = this.ops.get(path.slice(0, Math.max(0, path.lastIndexOf('.'))))
    return around?.kind === 'invoke' ? around : undefined
  }

  /** Open waits with their paths. */
  *waits(): Generator<[string, Extract<Op, { state: 'waiting' }>]> {
    for (const [path, op] of this.ops) if (op.state === 'waiting') yield [path, op]
  }

  /** Steps in doubt that a person must decide. The run may sleep over them. */
  *undecided(): Generator<[string, OpenOp]> {
    for (const [path, op] of this.ops) if (op.state === 'open' && op.doubt === 'person') yield [path, op]
  }

  #result(path: string, op: Op): void {
    this.ops.set(path, op)
    this.results.push(path)
  }

  #takeSignal(name: string): void {
    const i = this.signals.findIndex((signal) => signal.name === name)
    if (i >= 0) this.signals.splice(i, 1)
  }
}

export const timedOut = (name: string): Failure => ({ message: `Nobody answered ${JSON.stringify(name)} in time.`, code: 'timed_out', retryable: false })

const inputOf = (op: Op | undefined): Json | undefined => (op && 'input' in op ? op.input : undefined)

/** A cost that is not known makes the sum unknown. */
const sum = (a: Usage, b: Usage): Usage => ({
  input: a.input + b.input,
  cachedInput: a.cachedInput + b.cachedInput,
  output: a.output + b.output,
  costUsd: a.costUsd === null || b.costUsd === null ? null : a.costUsd + b.costUsd,
})
