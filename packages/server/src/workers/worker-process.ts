/** One worker process of ours: started with a clean environment, spoken to over its connection, ended by its pid. */
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import type { Readable } from 'node:stream'
import { type AgentManifest, OpPath, type ServerFrame, WorkerFrame } from '@longhaul/protocol'
import type { RawData, WebSocket } from 'ws'
import type { Assignment, RunFrame } from '../engine/index.ts'
import { type Log, type Program, after, machineMs, monotonicMs, secret, sleep, startProgram } from '../kernel/index.ts'
import { type Metered, openMeter } from './meter.ts'
import type { WorkerLoad } from './scaling.ts'

export type Hello = { manifest: AgentManifest | null; problem: string | null }

export type WorkerOptions = {
  /** Program and arguments. */
  command: readonly [string, ...string[]]
  /** It is within walls: what is started is what makes them, and says by descriptor 3 which process is the worker. */
  isWalled?: boolean
  env: Record<string, string>
  /** Address that the worker connects to. */
  url: string
  /** A worker that is silent for longer is ended: its event loop is blocked. */
  silenceMsMax: number
  log: Log
  onHello(hello: Hello): void
  /** Called once. `detail` says how it ended, with the end of what it wrote. */
  onEnd(detail: string): void
}

/** `isItsTurn`: its code may be executing. Always so for a run that has the worker to itself: nobody else can be the cause. */
type Carried = Metered & { assignment: Assignment; isAlone: boolean }

/** Messages to the worker are cut here, so that none grows past the protocol's limit. */
const messageCharacters = 1_000_000
const startMsMax = 60_000
const stderrMax = 4_000
/** How long a worker may live without its connection. */
const partedMsMax = 1_000
/** How long what it wrote may be on its way. Whoever it started may hold its streams open for ever. */
const lastWordsMsMax = 100
/** How long the code of a run that was stopped may take to end before its worker is ended. */
const yieldMsMax = 500
/** A licence that is worth so much more is told along with whatever else is. */
const licenceStepMs = 100
const admitAgainMs = 100

export class WorkerProcess implements WorkerLoad {
  readonly token = secret()
  readonly #options: WorkerOptions
  #program: Program | undefined
  readonly #runs = new Map<string, Carried>()
  readonly #meter = openMeter(this.#runs)
  #socket: WebSocket | undefined
  #outbox: string[] = []
  /** Runs that were stopped and whose code may still execute. */
  #yielding: { runId: string; ended(): void }[] = []
  #licensedUntilMs = 0
  #heardAt = monotonicMs()
  /** When its last run went, or it began. */
  #idleAt = monotonicMs()
  #endedFor: string | undefined
  #stderr = ''
  #isEnded = false
  /** To be ended as soon as it is there. */
  #isKilled = false
  readonly #gone = Promise.withResolvers<void>()
  #isReady = false
  #isLoadDue = false
  /** It is ended for a run that was stopped. */
  #isBlameless = false
  /** Of the process within walls that all others there end with. */
  #firstPid: number | undefined
  #endReason: 'worker_lost' | 'worker_hung' = 'worker_lost'
  #stopWatching: () => void

  constructor(options: WorkerOptions) {
    this.#options = options
    this.#stopWatching = this.#watch()
    this.#start().catch((error: unknown) => this.#ended(`it could not be started: ${error instanceof Error ? error.message : String(error)}`))
  }

  async #start(): Promise<void> {
    const { command, env, url, isWalled = false } = this.#options
    const [name, ...args] = command
    const program = await startProgram(name, args, {
      env: { ...env, LONGHAUL_WORKER_URL: url, LONGHAUL_WORKER_TOKEN: this.token },
      cwd: process.cwd(),
      // Its standard input ends with this process, however that ends, and the worker with it.
      stdio: ['pipe', 'pipe', 'pipe', ...(isWalled ? (['pipe'] as const) : [])],
      // A group of its own: Ctrl-C in the terminal reaches the server alone, which then stops in order.
      isDetached: true,
    })
    this.#program = program
    if (this.#isKilled) program.kill()
    if (isWalled) this.#readPid(program.stream(3))
    const keep = (chunk: Buffer) => (this.#stderr = (this.#stderr + chunk.toString()).slice(-stderrMax))
    program.stream(1).on('data', keep)
    program.stream(2).on('data', keep)
    const { code, signal } = await program.exited
    await Promise.race([program.closed, sleep(lastWordsMsMax)])
    const ended = signal ?? (isWalled ? signalOf(code ?? 0) : undefined)
    this.#ended(ended ? `it was ended by ${ended}` : `it exited with ${code}`)
  }

  /** Of the worker itself, once it is known. */
  get pid(): number | undefined {
    return this.#options.isWalled ? onlyChildOf(this.#firstPid) : this.#program?.pid
  }

  get isReady(): boolean {
    return this.#isReady && !this.#isEnded
  }

  get runCount(): number {
    return this.#runs.size
  }

  get idleMs(): number {
    return this.#runs.size > 0 ? 0 : monotonicMs() - this.#idleAt
  }

  get cpuShare(): number {
    return this.#meter.cpuShare()
  }

  get memoryBytes(): number | undefined {
    return this.#meter.memoryBytes()
  }

  /** The worker has connected and shown its token. */
  connect(socket: WebSocket): void {
    this.#socket = socket
    socket.on('message', (data: RawData) => this.#receive(data))
    // It has most likely ended, and how is about to be known: killed now, the walls' own process would say that it was by SIGKILL.
    const end = () => after(partedMsMax, () => this.kill(), false)
    socket.on('close', end)
    socket.on('error', end)
    if (this.#isLoadDue) this.#send({ type: 'load' })
  }

  /** Of a spare one: its code lies in its folder now. */
  load(): void {
    if (this.#socket) this.#send({ type: 'load' })
    else this.#isLoadDue = true
  }

  assign(assignment: Assignment, isAlone = false): void {
    this.#meter.passMemory()
    const carried: Carried = { assignment, isItsTurn: true, isAlone, cpuMs: 0, memoryFrom: this.#meter.memoryOfOne() }
    this.#runs.set(assignment.id, carried)
    this.#meter.turn(carried)
    assignment.attach((frame) => {
      // Whatever is sent lets the run's code go on.
      carried.isItsTurn = true
      this.#meter.turn(carried)
      this.#send(frame)
    })
  }

  /**
   * The run is over here. When it was stopped, its code has to end: it is asked to, for the sake of the other runs in this process, and
   * when it does not say in time that it has, the process ends. One that is frozen would go on when it wakes. The other runs are taken
   * up again then; they are not to blame. Resolves when the code has ended.
   */
  release(runId: string, isStopped = false): Promise<void> | void {
    const carried = this.#runs.get(runId)
    this.#drop(runId)
    if (!carried || !isStopped || this.#isEnded) return
    return new Promise((resolve) => {
      const end = () => {
        this.#isBlameless = true
        this.kill()
      }
      const cancel = this.#runs.size > 0 ? after(yieldMsMax, end, false) : () => {}
      this.#yielding.push({
        runId,
        ended() {
          cancel()
          resolve()
        },
      })
      if (this.#runs.size > 0) this.#send({ type: 'run.yield', run: runId })
      else end() // Nobody else is in it.
    })
  }

  /** `why` is told to the runs that it still has. */
  kill(why?: string): void {
    this.#endedFor ??= why
    if (this.#isEnded) return
    this.#isKilled = true
    // Whoever made the walls ends when all in them has: until then it is not said to be gone.
    if (this.#firstPid !== undefined) return void killProcess(this.#firstPid)
    this.#program?.kill()
  }

  /** Returns when the process is gone. Its runs have been handed back by then. */
  async stop(): Promise<void> {
    this.kill()
    await this.#gone.promise
  }

  #readPid(from: Readable): void {
    let text = ''
    from.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const [, pid] = /"child-pid": *(\d+)/.exec(text) ?? []
      if (pid !== undefined) this.#firstPid = Number(pid)
    })
  }

  #drop(runId: string): void {
    this.#meter.passMemory()
    if (this.#runs.delete(runId) && this.#runs.size === 0) this.#idleAt = monotonicMs()
  }

  #watch(): () => void {
    let cancel = () => {}
    const look = () => {
      const silentMs = monotonicMs() - this.#heardAt
      if (silentMs > (this.#isReady ? this.#options.silenceMsMax : startMsMax)) {
        this.#endReason = 'worker_hung'
        this.kill()
        return
      }
      cancel = after(500, look, false)
    }
    cancel = after(500, look, false)
    return () => cancel()
  }

  #ended(how: string): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#gone.resolve()
    this.#stopWatching()
    this.#socket?.terminate()
    const hung =
      this.#endReason === 'worker_hung'
        ? `it did not answer for ${this.#options.silenceMsMax / 1_000} s: code that blocks the event loop, or a machine without time`
        : (this.#endedFor ?? how)
    const detail = this.#stderr.trim() ? `${hung}; it wrote: ${this.#stderr.trim()}` : hung
    const carried = [...this.#runs.values()]
    this.#runs.clear()
    for (const { ended } of this.#yielding.splice(0)) ended()
    for (const { assignment, isItsTurn } of carried)
      assignment.interrupt(this.#endReason, `The worker process is gone: ${detail}`, isItsTurn && !this.#isBlameless)
    this.#options.onEnd(detail)
  }

  #receive(data: RawData): void {
    this.#heardAt = monotonicMs()
    try {
      const frames: unknown = JSON.parse(data.toString())
      if (!Array.isArray(frames)) throw new Error('a message must be an array of frames')
      for (const frame of frames) this.#take(toFrame(frame))
    } catch (error) {
      this.#options.log.error('a worker broke the protocol and was ended', { error, pid: this.pid })
      this.kill()
    }
  }

  #take(frame: WorkerFrame): void {
    switch (frame.type) {
      case 'heartbeat':
        this.#meter.read(frame)
        if (frame.memoryBytes !== undefined) for (const carried of this.#runs.values()) carried.assignment.meter(this.#meter.settle(carried))
        return
      case 'admit':
        return void this.#admit()
      case 'run.yielded':
        for (const { runId, ended } of this.#yielding) if (runId === frame.run) ended()
        this.#yielding = this.#yielding.filter(({ runId }) => runId !== frame.run)
        return
      case 'hello':
        this.#isReady = frame.problem === null
        return this.#options.onHello({ manifest: frame.manifest, problem: frame.problem })
      case 'log':
        return this.#options.log[frame.level]('agent said', { text: frame.message, ...(frame.run && { runId: frame.run }) })
      default:
        return this.#takeRunFrame(frame)
    }
  }

  #takeRunFrame(frame: RunFrame): void {
    const carried = this.#runs.get(frame.run)
    if (!carried) return // Crossed with its release.
    // The code waits for us now. A tool that begins, and an error that is tried again, executes on.
    if (frame.type !== 'op.begin' && !carried.isAlone) carried.isItsTurn = false
    if (endsTurn.has(frame.type)) carried.assignment.meter(this.#meter.settle(carried))
    carried.assignment.receive(frame)
  }

  /** Something is to begin. The licence comes as soon as it can be had, and the worker waits for it. */
  async #admit(): Promise<void> {
    while (!this.#isEnded) {
      const [carried] = this.#runs.values()
      if (!carried) return // What wanted to begin is over.
      // A database that does not answer proves nothing.
      const untilMs = await carried.assignment.licence.renew().catch(() => 0)
      if (untilMs > machineMs()) return this.#send({ type: 'licence', untilMs })
      await sleep(admitAgainMs)
    }
  }

  #send(frame: ServerFrame): void {
    this.#outbox.push(JSON.stringify(frame))
    if (this.#outbox.length === 1) queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    const outbox = this.#outbox
    this.#outbox = []
    const [carried] = this.#runs.values()
    const untilMs = carried?.assignment.licence.untilMs() ?? 0
    if (untilMs > this.#licensedUntilMs + licenceStepMs) {
      this.#licensedUntilMs = untilMs
      // Last, behind the releases of runs that were stopped before it was proven.
      outbox.push(JSON.stringify({ type: 'licence', untilMs } satisfies ServerFrame))
    }
    let from = 0
    let size = 0
    for (let i = 0; i < outbox.length; i++) {
      size += outbox[i]?.length ?? 0
      if (size < messageCharacters && i < outbox.length - 1) continue
      this.#socket?.send(`[${outbox.slice(from, i + 1).join(',')}]`)
      from = i + 1
      size = 0
    }
  }
}

/** Whoever made the walls reports a signal as a shell does. */
const signalOf = (code: number): string | undefined => Object.entries(constants.signals).find(([, number]) => code === 128 + number)?.[0]

function onlyChildOf(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]) || undefined
  } catch {
    return undefined // It ended just now.
  }
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended just now.
  }
}

/** With these a run's part is written, so what it took has to be known. */
const endsTurn: ReadonlySet<string> = new Set<RunFrame['type']>(['run.completed', 'run.failed', 'run.continued', 'run.idle', 'run.diverged'])

/** What the worker sent, checked: it runs code that is not ours. Results of steps are by far the most, and checked by hand. */
function toFrame(value: unknown): WorkerFrame {
  if (isDone(value)) return value
  return WorkerFrame.parse(value)
}

function isDone(value: unknown): value is Extract<WorkerFrame, { type: 'op.done' }> {
  if (typeof value !== 'object' || value === null || !('type' in value) || value.type !== 'op.done') return false
  const { run, op, kind, name, attempt, output, durationMs } = value as Record<string, unknown>
  return (
    typeof run === 'string' &&
    run.length === 36 &&
    typeof op === 'string' &&
    op.length < 100 &&
    (simplePath.test(op) || OpPath.safeParse(op).success) &&
    (kind === 'step' || kind === 'tool') &&
    typeof name === 'string' &&
    name.length > 0 &&
    name.length <= 128 &&
    typeof attempt === 'number' &&
    Number.isInteger(attempt) &&
    typeof durationMs === 'number' &&
    output !== undefined
  )
}

const simplePath = /^\d{1,7}$/
