/**
 * The server's side of the worker protocol for one run, in memory: a journal, and time that passes only when the run waits.
 * What it records is kept across crashes, what it has sent is not. Every frame of the worker is checked against the protocol.
 */
import { createHash } from 'node:crypto'
import {
  type ChildEnd,
  type ChildRequest,
  type Decider,
  type DoubtDecision,
  type Effect,
  type Failure,
  type HistoryEntry,
  type Json,
  type RetryPolicy,
  type ServerFrame,
  WorkerFrame,
} from '@longhaul/protocol'
import { failure } from './failure.ts'
import type { CallLimits } from './operation.ts'
import { type Program, type Worker, createWorker } from './worker.ts'

type Ask = Extract<WorkerFrame, { type: 'op' }>
type Wait = Extract<WorkerFrame, { type: 'op.wait' }>
type Open = {
  kind: string
  name: string
  attempt: number
  wait?: Wait
  endsAtMs?: number
  isBegun?: boolean
  effect?: Effect | undefined
  isChecked?: boolean | undefined
  doubt?: Decider | undefined
}
/** A write whose end is not known, and that no check has decided. */
export type Doubt = { op: string; kind: string; name: string; attempt: number; message: string }
export type Decision = { decision: DoubtDecision; output?: Json; message?: string }
type Without<End> = End extends ChildEnd ? Omit<End, 'runId'> : never
/** How a child ended; which one it was is known. */
export type EndOf = Without<ChildEnd>
export type WaitAnswer = Json | undefined

export type ServerOptions = {
  head: Omit<Extract<ServerFrame, { type: 'run.start' }>, 'type' | 'historyLength'>
  program: Program
  dataDir: string
  /** Executes what the server executes. */
  serve(ask: Ask): Promise<Json>
  /** The answer to a signal or approval that is asked for; undefined leaves it open. */
  answer(wait: Wait): WaitAnswer
  /** How a child ends, once it is waited for; undefined when it never does. */
  endOf?: (child: ChildRequest) => Promise<EndOf | undefined>
  /** What the operator decides about a write that is in doubt; undefined leaves it so. */
  decide?: (doubt: Doubt) => Decision | undefined
  /** The worker's, which has this run and all that it starts. */
  crashes: Crashes
  /** What tools are to keep to, as an operator would have it. */
  callLimits?: CallLimits | undefined
  /** Releases the run whenever it is idle, as a server does whose runs cost nothing while they wait. */
  releasesWhenIdle?: boolean
  /** Which of the operations that are being served comes to its end next. Default: the oldest. */
  pick?: (count: number) => number
  /** What is recorded already. */
  history?: HistoryEntry[]
  stuckMs?: { asking: number; silent: number }
}

export type Crash = { fact: number; when: 'before' | 'after' }

/** One worker has a run and those that it starts: what they record is counted together, and the crash that is due strikes all of them. */
export type Crashes = {
  /** What was recorded by now, ends of runs included. */
  factCount(): number
  /** Records one fact, with the crash that is due around it. True when it struck. */
  record(write: () => void): boolean
  /** `kill` ends the worker of a run, which is taken up again. Returns what takes it out. */
  join(kill: () => void): () => void
}

/** `crash`: the worker is killed, once, just before or just after the fact of that number (from 1) is recorded. */
export function createCrashes(crash?: Crash): Crashes {
  const runs = new Set<() => void>()
  let factCount = 0
  let isStruck = false
  const strike = () => {
    isStruck = true
    for (const kill of runs) kill()
    return true
  }
  return {
    factCount: () => factCount,
    record(write) {
      const isDue = !isStruck && crash?.fact === factCount + 1
      if (isDue && crash.when === 'before') return strike()
      write()
      factCount++
      return isDue && strike()
    },
    join(kill) {
      runs.add(kill)
      return () => runs.delete(kill)
    },
  }
}

export type ServedRun = {
  end: Extract<WorkerFrame, { type: 'run.completed' | 'run.failed' | 'run.diverged' | 'run.continued' }> | { type: 'waiting'; ops: string[] }
  history: HistoryEntry[]
  /** What was recorded before its end, of the runs that it started as well. */
  factCount: number
  /** Put to an operator. */
  doubts: Doubt[]
  /** Virtual milliseconds that passed. */
  elapsedMs: number
  logs: string[]
  frames: WorkerFrame[]
}

export function serveRun(options: ServerOptions): Promise<ServedRun> {
  const { head, crashes, serve, answer, pick = () => 0 } = options
  const open = new Map<string, Open>()
  const results: HistoryEntry[] = []
  const logs: string[] = []
  const frames: WorkerFrame[] = []
  const doubts: Doubt[] = []
  const children = new Map<string, { request: ChildRequest; end?: Promise<Json | undefined> }>()
  let endingCount = 0
  let idleOps: string[] | undefined
  let nowMs = 0
  let epoch = 0
  let worker: Worker
  let outbox: ServerFrame[] = []
  let serving: { op: string; done: () => void }[] = []
  const { promise: ended, resolve: end, reject } = Promise.withResolvers<ServedRun>()

  const isInsideDoubt = (path: string) => [...open].some(([op, { doubt }]) => doubt !== undefined && path.startsWith(`${op}.`))
  const history = (): HistoryEntry[] => [
    ...results,
    ...[...open].map(([op, { kind, name, attempt, doubt }]) => ({ type: 'open' as const, op, kind, name, attempt, ...(doubt && { doubt }) })),
  ]
  const leave = crashes.join(() => restart(true))
  const finish = (with_: ServedRun['end']) => {
    epoch++
    leave()
    worker.releaseAll()
    end({ end: with_, history: history(), factCount: crashes.factCount(), doubts, elapsedMs: nowMs, logs, frames })
  }

  const record = (write: () => void, ...reply: ServerFrame[]) => {
    if (crashes.record(write)) return
    outbox.push(...reply)
    if (outbox.length > 0) deliverSoon()
  }
  const complete = (op: string, output: Json, echo = true) => {
    const found = open.get(op)
    if (!found) return
    record(
      () => {
        open.delete(op)
        results.push({ type: 'completed', op, kind: found.kind, name: found.name, output })
      },
      // A step's own result need not come back; both forms are used, so that both are tested.
      (echo ? { type: 'op.completed', run: head.run, op, output } : { type: 'op.completed', run: head.run, op }) as ServerFrame,
    )
  }
  const fail = (op: string, why: Failure) => {
    const found = open.get(op)
    if (!found) return
    record(
      () => {
        open.delete(op)
        results.push({ type: 'failed', op, kind: found.kind, name: found.name, failure: why })
      },
      { type: 'op.failed', run: head.run, op, failure: why },
    )
  }

  const deliverSoon = () => {
    const at = epoch
    setImmediate(() => {
      if (at !== epoch) return
      const batch = outbox
      outbox = []
      for (const frame of JSON.parse(JSON.stringify(batch)) as ServerFrame[]) worker.receive(frame)
    })
  }

  const restart = (asCrash: boolean) => {
    epoch++
    worker?.releaseAll()
    outbox = []
    serving = []
    const at = epoch
    worker = createWorker({
      program: options.program,
      dataDir: options.dataDir,
      ...(options.stuckMs ? { stuckMs: options.stuckMs } : {}),
      // In a turn of its own: a server is never called from within the author's code.
      send: (frame) => setImmediate(() => at === epoch && receiveText(frame)),
    })
    worker.receive({ type: 'licence', untilMs: Infinity }) // Nobody stops anything here.
    if (asCrash) settleInterrupted()
    const entries = history().filter(({ op }) => !isInsideDoubt(op))
    outbox.push({ type: 'run.start', ...head, historyLength: entries.length })
    for (let i = 0; i < entries.length; i += 100) outbox.push({ type: 'run.history', run: head.run, entries: entries.slice(i, i + 100) })
    deliverSoon()
  }

  /** As the server does when it takes a run up: what was interrupted and may have taken effect is not executed again. */
  const settleInterrupted = () => {
    for (const [op, found] of open) {
      const { kind, name, isBegun, effect, isChecked } = found
      if (!isBegun || found.doubt || isInsideDoubt(op) || [...open].some(([path, { wait }]) => wait && path.startsWith(`${op}.`))) continue
      if (effect === 'write') putInDoubt(op, isChecked ? 'check' : 'person', 'It was interrupted.')
      else if (kind === 'tool' && effect === undefined) {
        open.delete(op)
        results.push({ type: 'failed', op, kind, name, failure: failure('interrupted', 'It was interrupted, and whether it took effect is not known.') })
      }
    }
  }
  const putInDoubt = (op: string, needs: Decider, message: string) => {
    const found = open.get(op)
    if (!found) return
    open.set(op, { ...found, doubt: needs })
    if (needs === 'check') return
    const doubt: Doubt = { op, kind: found.kind, name: found.name, attempt: found.attempt, message }
    doubts.push(doubt)
    const decided = options.decide?.(doubt)
    if (decided) setImmediate(() => decide(op, decided))
  }
  const decide = (op: string, { decision, output = null, message = 'An operator decided that it failed.' }: Decision) => {
    const found = open.get(op)
    if (!found?.doubt) return
    if (decision === 'failed') return fail(op, failure('decided', message))
    if (decision === 'completed') return complete(op, found.kind === 'tool' ? { output, parts: [] } : output)
    const attempt = found.attempt + 1
    const hasInside = history().some((entry) => entry.op.startsWith(`${op}.`))
    record(
      () => open.set(op, { ...found, attempt, isBegun: false, doubt: undefined }),
      ...(hasInside ? [] : [{ type: 'op.retry' as const, run: head.run, op, attempt, delayMs: 0 }]),
    )
    if (hasInside) restart(false)
  }

  const receiveText = (text: string) => {
    try {
      const frame = WorkerFrame.parse(JSON.parse(text))
      frames.push(frame)
      idleOps = undefined
      receive(frame)
    } catch (error) {
      reject(error)
    }
  }

  const receive = (frame: WorkerFrame): void => {
    switch (frame.type) {
      case 'op':
        return asked(frame)
      case 'op.wait':
        return waited(frame)
      case 'op.begin': {
        const found = open.get(frame.op)
        const begun: ServerFrame = { type: 'op.begun', run: head.run, op: frame.op, ...options.callLimits }
        if (found?.doubt) return decide(frame.op, { decision: 'execute' })
        if (found?.isBegun && found.attempt === frame.attempt) return void (outbox.push(begun), deliverSoon())
        const { kind, name, attempt, effect, isChecked } = frame
        return record(() => open.set(frame.op, { kind, name, attempt, isBegun: true, effect, isChecked }), begun)
      }
      case 'op.doubt':
        return record(() => putInDoubt(frame.op, frame.needs, frame.message))
      case 'op.done':
        if (!open.has(frame.op)) open.set(frame.op, { kind: frame.kind, name: frame.name, attempt: frame.attempt })
        return complete(frame.op, frame.output, frame.op.length % 2 === 0)
      case 'op.error':
        return errored(frame)
      case 'run.idle':
        return idle(frame.ops)
      case 'run.completed':
      case 'run.failed':
      case 'run.diverged':
      case 'run.continued':
        return void crashes.record(() => finish(frame))
      case 'log':
        return void logs.push(frame.message)
    }
  }

  const childIdOf = (op: string) => `00000000-0000-7000-8000-${createHash('sha256').update(op).digest('hex').slice(0, 12)}`
  /** As the server does: the child and the record of it are one fact. */
  const startChild = ({ op, kind, name, input }: Ask) => {
    const runId = childIdOf(op)
    if (!children.has(runId)) children.set(runId, { request: input as ChildRequest }) // The SDK's own context made it.
    open.set(op, { kind, name, attempt: 1 })
    const at = epoch
    complete(op, { runId })
    if (at !== epoch) open.delete(op)
  }
  /** Comes in a turn of its own, among others that come to their end together. */
  const awaitChild = (frame: Wait) => {
    const child = children.get(frame.target ?? '')
    const at = epoch
    if (!child) return fail(frame.op, failure('not_found', `Run ${frame.target} was not started by this run.`))
    child.end ??= (options.endOf ?? noAgents)(child.request).then((end) => end && ({ runId: frame.target ?? '', ...end } as Json))
    endingCount++
    void child.end.then((end) => {
      endingCount--
      if (at !== epoch) return
      if (end === undefined) return void (idleOps && idle(idleOps))
      serving.push({ op: frame.op, done: () => complete(frame.op, end) })
      setImmediate(() => at === epoch && serving.splice(pick(serving.length), 1)[0]?.done())
    }, reject)
  }

  const asked = (frame: Ask) => {
    if (frame.kind === 'run') return startChild(frame)
    const start = () => {
      const at = epoch
      const settle = (done: () => void) => {
        if (at !== epoch) return
        serving.push({ op: frame.op, done })
        // A turn later, so that those which come to their end together are picked among.
        setImmediate(() => at === epoch && serving.splice(pick(serving.length), 1)[0]?.done())
      }
      serve(frame).then(
        (output) => settle(() => complete(frame.op, output)),
        (error: unknown) => settle(() => fail(frame.op, toStepFailure(error))),
      )
    }
    if (open.has(frame.op)) return start()
    const at = epoch
    record(() => open.set(frame.op, { kind: frame.kind, name: frame.name, attempt: 1 }))
    if (at === epoch) start()
  }

  const waited = (frame: Wait) => {
    if (!open.has(frame.op)) {
      const endsAtMs = frame.timeoutMs === null ? undefined : nowMs + frame.timeoutMs
      const at = epoch
      record(() => open.set(frame.op, { kind: frame.kind, name: frame.name, attempt: 1, wait: frame, ...(endsAtMs === undefined ? {} : { endsAtMs }) }))
      if (at !== epoch) return
    }
    if (frame.kind === 'run') return awaitChild(frame)
    const found = frame.kind === 'timer' ? undefined : answer(frame)
    if (found !== undefined) complete(frame.op, found)
  }

  const errored = (frame: Extract<WorkerFrame, { type: 'op.error' }>) => {
    const { attemptsMax, delayMsMin, delayMsMax }: RetryPolicy = frame.retry ?? { attemptsMax: 1, delayMsMin: 0, delayMsMax: 0 }
    const before = open.get(frame.op)
    open.set(frame.op, { kind: frame.kind, name: frame.name, attempt: frame.attempt })
    if (!frame.failure.retryable || frame.attempt >= attemptsMax) return fail(frame.op, frame.failure)
    if (before) open.set(frame.op, before)
    else open.delete(frame.op)
    nowMs += Math.min(delayMsMax, delayMsMin * 2 ** (frame.attempt - 1))
    const attempt = frame.attempt + 1
    record(() => open.set(frame.op, { ...before, kind: frame.kind, name: frame.name, attempt, isBegun: false }), {
      type: 'op.retry',
      run: head.run,
      op: frame.op,
      attempt,
      delayMs: 0,
    })
  }

  /** Time passes until the first of the waits ends. */
  const idle = (ops: string[]) => {
    idleOps = ops
    if (endingCount > 0 || serving.length > 0) return // A child of it is about to end.
    if (ops.some((op) => !open.has(op))) return // Crossed with a result that is on its way: the worker will say so again.
    const due = ops.flatMap((op) => {
      const endsAtMs = open.get(op)?.endsAtMs
      return endsAtMs === undefined ? [] : [{ op, endsAtMs }]
    })
    const first = due.toSorted((a, b) => a.endsAtMs - b.endsAtMs)[0]
    if (!first) return finish({ type: 'waiting', ops })
    nowMs = Math.max(nowMs, first.endsAtMs)
    if (open.get(first.op)?.kind === 'timer') complete(first.op, null)
    else fail(first.op, failure('timed_out', `Nobody answered ${JSON.stringify(open.get(first.op)?.name)} in time.`))
    if (options.releasesWhenIdle && epoch > 0) restart(false)
  }

  for (const entry of options.history ?? []) {
    if (entry.type === 'open') open.set(entry.op, { kind: entry.kind, name: entry.name, attempt: entry.attempt })
    else results.push(entry)
  }
  restart(false)
  return ended
}

const noAgents = async (): Promise<EndOf | undefined> => ({ state: 'failed', failure: failure('script', 'This test gives no `agents`.') })

function toStepFailure(error: unknown): Failure {
  if (error instanceof Error && 'failure' in error) return error.failure as Failure // A `StepFailed`, thrown by the test's own handler.
  return { message: error instanceof Error ? error.message : String(error), retryable: true }
}
