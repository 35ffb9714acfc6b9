/** An engine with a worker in this process, which speaks the worker protocol's frames and runs scripts: durable code in its simplest form. */
import type { Asker, Effect, Failure, HistoryEntry, Json, RetryPolicy, Run, RunEvent, RunState, ServerFrame, StepKind, WhenBusy } from '@longhaul/protocol'
import { isTerminal } from '@longhaul/protocol'
import { type Db, sql } from '../../src/db/index.ts'
import { type Assignment, type Engine, type EngineOptions, type Executor, type RunFrame, findRun, openEngine } from '../../src/engine/index.ts'
import { type Log, createLog, newId, sleep } from '../../src/kernel/index.ts'

type RunStart = Extract<ServerFrame, { type: 'run.start' }>

export class OpFailed extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.message)
    this.failure = failure
  }
}

export type ScriptContext = {
  run: RunStart
  input: Json
  history: readonly HistoryEntry[]
  /** Executed here, recorded once. */
  step(name: string, work: () => Json | Promise<Json>, retry?: RetryPolicy): Promise<Json>
  /** Recorded before it is executed. */
  tool(name: string, input: Json, work: () => Json | Promise<Json>, effect?: Effect | 'undeclared'): Promise<Json>
  /** Executed by the server. */
  serve(kind: StepKind, name: string, input: Json, retry?: RetryPolicy): Promise<Json>
  sleep(name: string, ms: number): Promise<Json>
  signal(name: string, timeoutMs?: number): Promise<Json>
  approval(title: string, timeoutMs?: number): Promise<Json>
  /** The end of a child. */
  child(runId: string, name: string): Promise<Json>
  /** Anything, as a worker of any make might send it. */
  send(frame: RunFrame): void
}

export type Script = (ctx: ScriptContext) => Promise<Json>
export type Scripts = Record<string, Script>

const never = new Promise<never>(() => {})

/** One execution of a run. Its frames come and go in turns of the event loop of their own, as over a socket. */
class Execution {
  readonly assignment: Assignment
  readonly frames: ServerFrame[] = []
  isOver = false
  #script: Script | undefined
  #start: RunStart | undefined
  #history: HistoryEntry[] = []
  #next = 0
  #waits = new Set<string>()
  #busyCount = 0
  #open = new Map<string, { resolve(output: Json): void; reject(error: Error): void; retry?: (attempt: number) => void; begun?: () => void }>()

  constructor(assignment: Assignment, script: Script | undefined) {
    this.assignment = assignment
    this.#script = script
  }

  take(frame: ServerFrame): void {
    this.frames.push(frame)
    if (this.isOver) return
    if (frame.type === 'run.start') this.#start = frame
    if (frame.type === 'run.history') this.#history.push(...frame.entries)
    if ((frame.type === 'run.start' || frame.type === 'run.history') && this.#history.length >= (this.#start?.historyLength ?? 0)) return void this.#run()
    if (frame.type === 'run.release') return void (this.isOver = true)
    if (frame.type === 'op.completed') return this.#settle(frame.op, (op) => op.resolve(frame.output ?? null))
    if (frame.type === 'op.failed') return this.#settle(frame.op, (op) => op.reject(new OpFailed(frame.failure)))
    if (frame.type === 'op.begun') return this.#open.get(frame.op)?.begun?.()
    if (frame.type === 'op.retry') return void sleep(frame.delayMs).then(() => this.#open.get(frame.op)?.retry?.(frame.attempt))
  }

  send(frame: RunFrame): void {
    if (!this.isOver) setImmediate(() => this.assignment.receive(frame))
  }

  #settle(op: string, how: (op: { resolve(output: Json): void; reject(error: Error): void }) => void): void {
    const found = this.#open.get(op)
    this.#open.delete(op)
    this.#waits.delete(op)
    if (found) how(found)
  }

  async #run(): Promise<void> {
    const start = this.#start
    if (!start || !this.#script) return
    try {
      const output = await this.#script(this.#context(start))
      this.send({ type: 'run.completed', run: start.run, output })
    } catch (error) {
      this.send({ type: 'run.failed', run: start.run, failure: error instanceof OpFailed ? error.failure : { message: String(error), retryable: false } })
    }
  }

  #recorded(op: string): { settled: Promise<Json> } | { attempt: number; isDoubted: boolean } {
    const entry = this.#history.find((candidate) => candidate.op === op)
    if (entry?.type === 'completed') return { settled: Promise.resolve(entry.output) }
    if (entry?.type === 'failed') return { settled: Promise.reject(new OpFailed(entry.failure)) }
    return { attempt: entry?.attempt ?? 1, isDoubted: entry?.doubt === 'person' }
  }

  #context(start: RunStart): ScriptContext {
    const run = start.run
    const sayIdle = () =>
      setImmediate(() => {
        if (this.#busyCount === 0 && this.#waits.size > 0 && this.#waits.size === this.#open.size) this.send({ type: 'run.idle', run, ops: [...this.#waits] })
      })
    const ask = (op: string, then: (attempt: number) => void, more: { retry?: (attempt: number) => void; begun?: () => void } = {}): Promise<Json> => {
      if (this.isOver) return never
      const recorded = this.#recorded(op)
      if ('settled' in recorded) return recorded.settled
      return new Promise<Json>((resolve, reject) => {
        this.#open.set(op, { resolve, reject, ...more })
        if (!recorded.isDoubted) return then(recorded.attempt)
        this.#waits.add(op)
        sayIdle()
      })
    }
    const wait = (kind: 'timer' | 'signal' | 'approval' | 'run', name: string, timeoutMs: number | null, target?: string): Promise<Json> => {
      const op = String(this.#next++)
      return ask(op, () => {
        this.#waits.add(op)
        this.send({ type: 'op.wait', run, op, kind, name, timeoutMs, ...(target !== undefined && { target }) })
        sayIdle()
      })
    }
    const execute = async (
      op: string,
      kind: 'step' | 'tool',
      name: string,
      attempt: number,
      work: () => Json | Promise<Json>,
      retry?: RetryPolicy,
    ): Promise<void> => {
      this.#busyCount++
      try {
        const output = await work()
        this.send({ type: 'op.done', run, op, kind, name, attempt, output, durationMs: 1 })
      } catch (error) {
        this.send({
          type: 'op.error',
          run,
          op,
          kind,
          name,
          attempt,
          failure: { message: String(error), retryable: true },
          durationMs: 1,
          ...(retry && { retry }),
        })
      } finally {
        this.#busyCount--
      }
    }
    return {
      run: start,
      input: start.input,
      history: this.#history,
      step: (name, work, retry) => {
        const op = String(this.#next++)
        let output: Json = null
        const go = (attempt: number) => void execute(op, 'step', name, attempt, async () => (output = await work()), retry)
        return ask(op, go, { retry: go }).then((value) => value ?? output)
      },
      tool: (name, input, work, effect = 'none') => {
        const op = String(this.#next++)
        let output: Json = null
        let attempt = 1
        const begin = (next: number) =>
          this.send({ type: 'op.begin', run, op, kind: 'tool', name, attempt: (attempt = next), input, ...(effect !== 'undeclared' && { effect }) })
        return ask(op, begin, { retry: begin, begun: () => void execute(op, 'tool', name, attempt, async () => (output = await work())) }).then(
          (value) => value ?? output,
        )
      },
      serve: (kind, name, input, retry) => {
        const op = String(this.#next++)
        return ask(op, () => this.send({ type: 'op', run, op, kind, name, input, ...(retry && { retry }) }))
      },
      sleep: (name, ms) => wait('timer', name, ms),
      signal: (name, timeoutMs) => wait('signal', name, timeoutMs ?? null),
      child: (runId, name) => wait('run', name, null, runId),
      approval: (title, timeoutMs) => wait('approval', title, timeoutMs ?? null),
      send: (frame) => this.send(frame),
    }
  }
}

export type TestEngine = AsyncDisposable & {
  engine: Engine
  /** Everything that was handed to the worker, in order. */
  executions: Execution[]
  logged: { level: string; message: string; data: Record<string, unknown> }[]
  nodeId(): Promise<string>
  start(
    agent: string,
    input?: Json,
    more?: { session?: string; namespace?: string; whenBusy?: WhenBusy; asker?: Asker; idempotencyKey?: string; tenantId?: string; labels?: string[] },
  ): Promise<Run>
  /** The run once it has ended. */
  ended(runId: string, limitMs?: number): Promise<Run>
  reaches(runId: string, state: RunState, limitMs?: number): Promise<Run>
  load(runId: string): Promise<Run>
  events(runId: string): Promise<RunEvent[]>
  /** All of a worker's runs are interrupted, as when its process dies. */
  loseWorker(isSuspect?: boolean): void
  stop(): Promise<void>
}

export const tenantId = 'acme'
/** Sees every run of the tenant. */
export const everyone = { tenantId, askerId: undefined }
export const asker = { id: newId(), name: 'tester', access: { personalData: true } }
export const workerLost = 'The worker process is gone.'

/** Executors are given by what they execute; all of the input is recorded. */
export type TestOptions = Partial<Omit<EngineOptions, 'executors'>> & {
  isStarted?: boolean
  executors?: Partial<Record<StepKind, Executor['execute'] | Executor>>
}

/** Not started yet when `isStarted` is false. Each engine's node lives at a place of its own, as on machines of their own. */
export async function startEngine(db: Db, scripts: Scripts, { executors = {}, ...options }: TestOptions = {}): Promise<TestEngine> {
  const executions: Execution[] = []
  const live = new Map<string, Execution>()
  const logged: TestEngine['logged'] = []
  const log: Log = createLog((level, message, data) => void logged.push({ level, message, data }), 'debug')
  const engine = openEngine({
    db,
    log,
    leaseMs: 60_000,
    pollMs: 50,
    toMessages: () => [],
    findVersion: async () => ({ version: 'v1' }),
    execute(assignment) {
      const execution = new Execution(assignment, scripts[assignment.agent])
      executions.push(execution)
      live.set(assignment.id, execution)
      assignment.attach((frame) => setImmediate(() => execution.take(frame)))
    },
    onReleased: (runId) => void live.delete(runId),
    ...options,
    executors: Object.fromEntries(Object.entries(executors).map(([kind, execute]) => [kind, typeof execute === 'function' ? { execute } : execute])),
  })
  const nodes = async () => (await db.rows<{ id: string }>(sql`select id from nodes`)).map(({ id }) => id)
  const load = async (runId: string): Promise<Run> => {
    const found = await findRun(db.forTenant(tenantId), everyone, runId)
    if (!found) throw new Error(`No run ${runId}`)
    return found
  }
  const waitFor = async (runId: string, isDone: (run: Run) => boolean, limitMs: number): Promise<Run> =>
    fact(() => load(runId), isDone, `run ${runId}`, limitMs)
  let own = ''
  const start = async () => {
    const before = await nodes()
    await engine.start()
    own = (await nodes()).find((id) => !before.includes(id)) ?? ''
    await db.rows(sql`update nodes set place = ${`place of ${own}`} where id = ${own}`)
  }
  if (options.isStarted !== false) await start()
  let stopped: Promise<void> | undefined
  const stop = () => (stopped ??= engine.stop())
  return {
    engine,
    executions,
    logged,
    load,
    nodeId: async () => own,
    start: (agent, input = null, more = {}) => engine.startRun({ tenantId, agent, version: 'v1', input, asker, ...more }),
    ended: (runId, limitMs = 15_000) => waitFor(runId, ({ state }) => isTerminal(state), limitMs),
    reaches: (runId, state, limitMs = 15_000) => waitFor(runId, (run) => run.state === state, limitMs),
    events: async (runId) => (await engine.readEvents(everyone, runId, -1, 10_000)).events,
    loseWorker(isSuspect = false) {
      for (const execution of [...live.values()]) {
        execution.isOver = true
        execution.assignment.interrupt('worker_lost', workerLost, isSuspect)
      }
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** Reads until it is as wanted; throws with what was read last. */
export async function fact<Fact>(read: () => Fact | Promise<Fact>, isDone: (found: Fact) => boolean, what = 'it', limitMs = 15_000): Promise<Fact> {
  const until = performance.now() + limitMs
  for (;;) {
    const found = await read()
    if (isDone(found)) return found
    if (performance.now() > until) throw new Error(`After ${limitMs} ms ${what} is still ${JSON.stringify(found)}`)
    await sleep(10)
  }
}
