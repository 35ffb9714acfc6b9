/**
 * One run executing here: the code's questions on one side, the server's frames on the other.
 *
 * Determinism rests on one rule: the code is given one result at a time, in the order in which results were recorded, each in
 * a turn of the event loop of its own. So everything that the code asks follows from the results it was given before, and a
 * replay that gives the same results in the same order is asked the same things under the same paths. `all` and
 * `Promise.race` over durable operations therefore come out as they did the first time.
 *
 * While recorded results are left, nothing new is started: what the code asks beyond the history is held back until the
 * whole of the history has been matched. The exception is a tool that was being executed, since what it asks inside may be
 * recorded too.
 */
import type { HistoryEntry, Json, ServerFrame } from '@longhaul/protocol'
import { Activity } from './activity.ts'
import { TerminalFailure } from './agent.ts'
import { after } from './after.ts'
import { decode, encode, isStepFailed, toError, toFailure } from './failure.ts'
import { completedFrame, continuedFrame, plainFrame } from './frames.ts'
import { History, type RecordedResult, describeEntry, describeOp } from './history.ts'
import type { Licence } from './licence.ts'
import type { Op, Scope, ToolScope } from './operation.ts'
import { currentStep } from './surroundings.ts'
import type { Turns } from './turns.ts'

export type RunHead = Extract<ServerFrame, { type: 'run.start' }>
export type RunFrame = Extract<ServerFrame, { type: 'op.completed' | 'op.failed' | 'op.begun' | 'op.retry' }>

export type ExecutionOptions = {
  head: RunHead
  history: HistoryEntry[]
  turns: Turns
  licence: Licence
  send(frame: string): void
  /** Called once, when nothing more will be sent for the run. */
  onOver(): void
  /** How long the code may stand still before it counts as stuck: while it waits for answers, and while it waits for nothing that we know of. */
  stuckMs?: { asking: number; silent: number }
  /** Nothing beyond the history is started. Called instead, when the history has been matched, with what the code asks for then, and for each thing after. */
  onHistoryEnd?: ((asked: string[]) => void) | undefined
}

export class Execution {
  readonly id: string
  readonly head: RunHead
  readonly send: (frame: string) => void
  readonly #turns: Turns
  readonly #licence: Licence
  readonly #onOver: () => void
  readonly #onHistoryEnd: ExecutionOptions['onHistoryEnd']
  readonly #stuckMs: { asking: number; silent: number }
  #isOver = false
  #abort: AbortController | undefined

  /** Asked for and unanswered, by path. */
  #ops = new Map<string, Op>()
  #askedCount = 0
  #history: History
  #isReplaying: boolean
  /** Asked for beyond the history, while it is not exhausted. */
  #held: Op[] = []
  /** Results that came before it was their turn. */
  #arrived: RecordedResult[] = []
  #isPumping = false
  /** The last turn in which the code was given something. It has had its turn once this is over. */
  #touchedTurn = -1
  #stuckTimer: NodeJS.Timeout | undefined

  #activity = new Activity()
  /** Steps and checks whose code is executing. */
  #codeCount = 0
  /** Tools whose code is executing, by path, and the run's own code as the empty one. */
  readonly #scopes = new Set<string>()
  /** Of those, the ones that wait for something of ours, which never comes once the run is over. */
  readonly #halted = new Set<string>()
  #onYielded = () => {}
  #isIdleCheckDue = false

  constructor({ head, history, turns, licence, send, onOver, stuckMs = { asking: 2_000, silent: 120_000 }, onHistoryEnd }: ExecutionOptions) {
    this.id = head.run
    this.head = head
    this.send = send
    this.#turns = turns
    this.#licence = licence
    this.#onOver = onOver
    this.#stuckMs = stuckMs
    this.#history = new History(history)
    this.#onHistoryEnd = onHistoryEnd
    this.#isReplaying = history.length > 0 || onHistoryEnd !== undefined
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#isOver) this.#abort.abort()
    return this.#abort.signal
  }

  /** Runs the code from its top. */
  run(main: () => Promise<unknown>): void {
    this.#touch()
    this.scopeBegan('')
    main().then(
      (output) => {
        this.scopeEnded('')
        this.#finish(output)
      },
      (error: unknown) => {
        this.scopeEnded('')
        this.#fail(error)
      },
    )
    if (this.#isReplaying) this.#pumpLater()
  }

  /** Takes the next number in the scope, for an operation or for an `all`. */
  takePath(scope: Scope): string {
    return `${scope.prefix}${scope.next++}`
  }

  /** The code asks for an operation. The promise settles when the server has recorded what became of it, and never once the run is over. */
  ask(path: string, asked: Pick<Op, 'kind' | 'name' | 'scope' | 'isWait' | 'start'>): Promise<Json> {
    if (this.#isOver || asked.scope.tool?.isClosed || asked.scope.isClosed()) {
      if (this.#isOver) this.#halt(asked.scope)
      return never()
    }
    const step = currentStep(this.id)
    if (step !== undefined)
      return Promise.reject(
        new TerminalFailure(
          `${describeOp(asked.kind, asked.name)} was asked for inside the step ${JSON.stringify(step)}. A step is recorded as a whole: use the context outside of it.`,
        ),
      )
    const recorded = this.#history.take(path)
    if (recorded && (recorded.kind !== asked.kind || recorded.name !== asked.name)) {
      this.#diverge(path, describeEntry(recorded), describeOp(asked.kind, asked.name))
      return never()
    }
    return new Promise((resolve, reject) => {
      const { attempt, doubt } = recorded?.type === 'open' ? recorded : { attempt: 1, doubt: undefined }
      const op: Op = {
        path,
        kind: asked.kind,
        name: asked.name,
        scope: asked.scope,
        isWait: asked.isWait || doubt === 'person',
        start: asked.start,
        attempt,
        doubt,
        output: undefined,
        begun: undefined,
        resolve,
        reject,
      }
      this.#askedCount++
      this.#ops.set(path, op)
      this.#activity.asked(op)
      this.#checkIdleLater()
      if (recorded && recorded.type !== 'open') this.#pumpLater()
      else if (this.#isReplaying && !(recorded && op.kind === 'tool' && !doubt)) this.#held.push(op)
      else if (this.#onHistoryEnd) this.#onHistoryEnd([describeOp(op.kind, op.name)])
      else op.start(op)
    })
  }

  /** A frame of the server for this run. Must come from the top of the event loop, never from within the author's code. */
  receive(frame: RunFrame): void {
    const op = this.#ops.get(frame.op)
    if (!op) {
      // The code has not come to it again yet. Its result keeps its place among the recorded ones.
      if (this.#isReplaying && this.#history.unasked(frame.op) && isResult(frame)) this.#history.append(frame)
      return
    }
    switch (frame.type) {
      case 'op.completed':
      case 'op.failed':
        if (this.#isReplaying) this.#history.append(frame)
        else if (this.#arrived.length === 0 && this.#mayGive()) return this.#give(op, frame)
        else this.#arrived.push(frame)
        return this.#pumpLater()
      case 'op.begun':
        this.#touch()
        return op.begun?.(frame)
      case 'op.retry':
        op.attempt = frame.attempt
        this.undoubt(op)
        return after(frame.delayMs, () => {
          if (this.#ops.get(op.path) === op) op.start(op)
        })
    }
  }

  /** The code goes on as a new run. Nothing of it is answered any more. `input` is JSON text. */
  continueAs(input: string): void {
    if (this.#isOver || this.#leftOutSomething('nothing: the code went on as a new run')) return
    this.send(continuedFrame(this.id, input))
    this.release()
  }

  /** Forgets the run without a word. Its promises never settle; nothing here refers to them any more. */
  release(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#stuckTimer)
    for (const { scope } of this.#ops.values()) this.#halted.add(scope.tool?.path ?? '')
    this.#history = new History([])
    this.#ops = new Map()
    this.#held = []
    this.#arrived = []
    this.#activity = new Activity()
    this.#onOver()
    this.#abort?.abort()
  }

  /** Calls `begin` once code of the author's may begin, unless the run is over by then. */
  whenAdmitted(begin: () => unknown): void {
    this.#licence.whenHeld(() => void (this.#isOver || begin()))
  }

  /** Calls `then` once none of the run's code executes any more, as far as it can be known: what it does beside something of ours that it waits for is its secret. */
  whenYielded(then: () => void): void {
    this.#onYielded = then
    this.#checkYielded()
  }

  get hasYielded(): boolean {
    return this.#isOver && this.#codeCount === 0 && [...this.#scopes].every((path) => this.#halted.has(path))
  }

  codeBegan(): void {
    this.#codeCount++
  }

  codeEnded(): void {
    this.#codeCount--
    if (this.#isOver) this.#checkYielded()
  }

  scopeBegan(path: string): void {
    this.#scopes.add(path)
  }

  scopeEnded(path: string): void {
    this.#scopes.delete(path)
    if (this.#isOver) this.#checkYielded()
  }

  /** Code of the author's executes an operation. As long as any does, the run is neither idle nor stuck. */
  startedExecuting(): void {
    this.#activity.startedExecuting()
  }

  stoppedExecuting(): void {
    this.#activity.stoppedExecuting()
    if (this.#isReplaying) this.#watchForStuck()
  }

  /** A tool has come to an end: what its code still waits for, or asks for from now on, counts no more. */
  closeTool(tool: ToolScope): void {
    tool.isClosed = true
    for (const op of tool.waits) {
      this.#ops.delete(op.path)
      this.#activity.answered(op)
    }
    this.#checkIdleLater()
  }

  /** A person must decide. The run may sleep over it. */
  waitForPerson(op: Op): void {
    op.doubt = 'person'
    this.#activity.answered(op)
    op.isWait = true
    this.#activity.asked(op)
    this.#checkIdleLater()
  }

  /** It is decided, and to be executed. */
  undoubt(op: Op): void {
    if (op.doubt === 'person') {
      this.#activity.answered(op)
      op.isWait = false
      this.#activity.asked(op)
    }
    op.doubt = undefined
  }

  /** Whether the operation has no answer yet. */
  isOpen(op: Op): boolean {
    return !this.#isOver && this.#ops.get(op.path) === op
  }

  #halt(scope: Scope): void {
    this.#halted.add(scope.tool?.path ?? '')
    this.#checkYielded()
  }

  #checkYielded(): void {
    if (!this.hasYielded) return
    const then = this.#onYielded
    this.#onYielded = () => {}
    then()
  }

  #touch(): void {
    this.#touchedTurn = this.#turns.current()
  }

  #mayGive(): boolean {
    return this.#touchedTurn !== this.#turns.current()
  }

  #give(op: Op, result: RecordedResult): void {
    this.#touch()
    this.#ops.delete(op.path)
    if (op.begun) this.#activity.stoppedExecuting() // Its intent was refused.
    this.#activity.answered(op)
    this.#checkIdleLater()
    if (result.failure) op.reject(toError(result.failure, op.isWait))
    // What was executed here need not be sent back: its text is what a replay will be given.
    else op.resolve(result.output === undefined ? decode(op.output ?? 'null') : result.output)
  }

  #pumpLater(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    setImmediate(() => {
      this.#isPumping = false
      if (this.#isOver) return
      if (!this.#mayGive()) this.#pumpLater()
      else if (this.#isReplaying) this.#replayNext()
      else this.#giveArrived()
    })
  }

  #replayNext(): void {
    const next = this.#history.next()
    if (!next) return this.#goLive()
    const op = this.#ops.get(next.op)
    if (!op) return this.#watchForStuck() // Asked for later, or never.
    this.#history.advance()
    this.#give(op, next)
    this.#pumpLater()
  }

  /** Every recorded result has been given, and the code has answered to the last one as it did before. */
  #goLive(): void {
    this.#isReplaying = false
    const held = this.#held
    this.#held = []
    if (this.#onHistoryEnd) return this.#onHistoryEnd(held.map((op) => describeOp(op.kind, op.name)))
    for (const op of held) if (this.#ops.get(op.path) === op) op.start(op)
    if (this.#arrived.length > 0) this.#pumpLater()
    this.#checkIdleLater()
  }

  #giveArrived(): void {
    const result = this.#arrived.shift()
    const op = result && this.#ops.get(result.op)
    if (op) this.#give(op, result)
    if (this.#arrived.length > 0) this.#pumpLater()
    else this.#checkIdleLater()
  }

  #finish(output: unknown): void {
    if (this.#isOver || this.#leftOutSomething('nothing: the code finished')) return
    try {
      this.send(completedFrame(this.id, encode(output, 'The output of the run')))
    } catch (error) {
      return this.#fail(error)
    }
    this.release()
  }

  #fail(error: unknown): void {
    if (this.#isOver) return
    const failure = toFailure(error)
    if (this.#leftOutSomething(`nothing: the code failed with ${JSON.stringify(failure.message.slice(0, 500))}`)) return
    // The same code fails the same way on the same history. Only a step knows whether trying again may help.
    this.send(plainFrame({ type: 'run.failed', run: this.id, failure: isStepFailed(error) ? failure : { ...failure, retryable: false } }))
    this.release()
  }

  #leftOutSomething(asked: string): boolean {
    const left = this.#history.firstUnasked()
    if (left) this.#diverge(left.op, describeEntry(left), asked)
    return left !== undefined
  }

  #diverge(op: string, recorded: string, asked: string): void {
    this.send(plainFrame({ type: 'run.diverged', run: this.id, op, recorded, asked }))
    this.release()
  }

  /**
   * The next recorded result is for something that the code has not asked for. It may come to it: a promise that is not ours
   * may be on its way. Looks four times, so that one long block of the event loop is not taken for standing still.
   */
  #watchForStuck(): void {
    if (this.#stuckTimer || this.#isOver) return
    let askedCount = this.#askedCount
    let lookCount = 0
    const look = () => {
      this.#stuckTimer = undefined
      const next = this.#history.next()
      if (this.#isOver || !this.#isReplaying || this.#activity.isExecuting || !next || this.#ops.has(next.op)) return
      const recorded = this.#history.unasked(next.op)
      lookCount = askedCount === this.#askedCount ? lookCount + 1 : 0
      askedCount = this.#askedCount
      if (lookCount > 4 && recorded) return this.#diverge(next.op, describeEntry(recorded), `nothing: the code waits for ${this.#describeAsked()}`)
      this.#stuckTimer = setTimeout(look, (this.#ops.size > 0 ? this.#stuckMs.asking : this.#stuckMs.silent) / 4)
    }
    look()
  }

  #describeAsked(): string {
    const asked = [...this.#ops.values()].slice(0, 3).map((op) => `${describeOp(op.kind, op.name)} (${op.path})`)
    return `${asked.join(', ') || 'something else'}${this.#ops.size > 3 ? ` and ${this.#ops.size - 3} more` : ''}`
  }

  #isIdle(): boolean {
    return this.#activity.isOnlyWaiting && !this.#isReplaying && this.#arrived.length === 0
  }

  /** After each change, once the code has had its turn: says so if it only waits now. */
  #checkIdleLater(): void {
    if (this.#isIdleCheckDue || !this.#isIdle()) return
    this.#isIdleCheckDue = true
    setImmediate(() => {
      this.#isIdleCheckDue = false
      if (this.#isOver || !this.#isIdle()) return
      this.send(plainFrame({ type: 'run.idle', run: this.id, ops: this.#activity.waitPaths }))
    })
  }
}

const isResult = (frame: RunFrame): frame is Extract<RunFrame, { type: 'op.completed' | 'op.failed' }> =>
  frame.type === 'op.completed' || frame.type === 'op.failed'

/** A promise that never settles: what the code of a run that is over gets. Nothing refers to it, so it costs nothing. */
export const never = (): Promise<never> => new Promise(() => {})
